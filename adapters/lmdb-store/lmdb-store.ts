// Many runs in one place: a store over LMDB. A run there is byte for byte what a file would have.
import { join } from 'node:path';
import type { Blob, Digest } from '../../events/block.ts';
import { ByteWriter, crc32, joined } from '../../events/bytes.ts';
import { Log, LogWriter, type RunEnd, type RunHeader } from '../../events/log.ts';
import { type Source, withTail } from '../../events/source.ts';
import { type Acknowledged, OpenBlock } from '../../events/store.ts';
import type { Step } from '../../events/vocabulary.ts';
import { Failure, systemFailure } from '../failure.ts';
import type { Durability } from '../file-store/file-store.ts';
import { type Lock, takeLock } from '../file-store/lock.ts';
import type { Recovery } from '../file-store/recover.ts';
import { putRow, type Row, takeRow } from '../file-store/row.ts';
import { sha256 } from '../file-store/sha256.ts';
import { KeptStore } from '../kept-store.ts';
import { type Bytes, type Environment, isDatabase, noDatabase, openEnvironment } from './database.ts';

export interface LmdbStoreOptions {
  /** Of the database; made where it is not there. */
  readonly directory: string;
  /** The run's name in it. */
  readonly run: string;
  readonly header: RunHeader;
  readonly durability: Durability;
}

/** One run in a database. A run of this name that was there is replaced. */
export class LmdbStore extends KeptStore {
  private readonly directory: string;
  private readonly run: string;
  private readonly environment: Environment;
  private readonly bytes: Bytes;
  private readonly lock: Lock;
  private readonly writer: LogWriter;
  private readonly row = new ByteWriter(1 << 10);
  /** What the log's writer has made, and rows, that are not in the database yet. */
  private made: Uint8Array[] = [];
  private rows: { readonly seq: number; readonly bytes: Uint8Array }[] = [];
  private blobs: Blob[] = [];
  private digest: Digest | undefined;
  /** Bytes of the log. */
  size = 0;

  /** @throws Failure where the database can not be opened, or somebody else writes this run */
  constructor({ directory, run, header, durability }: LmdbStoreOptions) {
    super();
    this.directory = directory;
    this.run = run;
    this.environment = openEnvironment(directory, durability);
    this.bytes = this.environment.bytes;
    try {
      this.lock = takeLock(lockPath(directory, run));
    } catch (error) {
      this.environment.close();
      throw error;
    }
    this.writer = new LogWriter(header, (bytes) => this.made.push(bytes), sha256);
    this.appended = this.acknowledged = this.writer.place.steps;
    try {
      this.bytes.transactionSync(() => {
        for (const key of this.bytes.getKeys({ start: [run], end: [run, '\u{10ffff}'] })) void this.bytes.remove(key);
        this.putMade();
      });
    } catch (error) {
      this.lock.release();
      this.environment.close();
      throw systemFailure('write the log', directory, error);
    }
  }

  append(step: Step): void {
    if (this.problem || this.ended) return;
    this.row.clear();
    putRow(this.row, { step, blobs: this.blobs, digest: this.digest });
    this.rows.push({ seq: step.seq, bytes: checked(this.row.view()) });
    this.blobs = [];
    this.digest = undefined;
    this.writer.append(step);
    this.appended++;
    if (this.made.length > 0)
      this.try(() => {
        this.putBlock();
        this.acknowledged = this.appended;
      });
  }
  addBlob(blob: Blob): void {
    if (this.problem || this.ended) return;
    this.blobs.push(blob);
    this.writer.addBlob(blob);
  }
  addDigest(digest: Digest): void {
    if (this.problem || this.ended) return;
    this.digest = digest;
    this.writer.addDigest(digest);
  }

  acknowledge(): Acknowledged {
    if (!this.problem && !this.ended) {
      if (this.rows.length > 0)
        this.try(() => {
          this.bytes.transactionSync(() => {
            for (const { seq, bytes } of this.rows) void this.bytes.put([this.run, 'row', seq], bytes);
          });
          this.rows = [];
        });
      if (!this.problem) this.acknowledged = this.appended;
    }
    return this.answer();
  }

  read(): Log {
    this.acknowledge();
    const log = logIn(this.bytes, this.run);
    if (!log) throw systemFailure('read the log', `${this.directory}#${this.run}`, { code: 'ENOENT' });
    return log;
  }

  /** Whoever reads this store afterwards still needs the database; a process that ends gives it back. */
  protected finish(end: RunEnd | undefined): void {
    this.try(() => {
      if (end) this.writer.end(end);
      else this.writer.cut();
      this.putBlock();
      this.acknowledged = this.appended;
    });
    this.lock.release();
  }
  /** Gives the database back. Nothing can be read of this store any more. */
  release(): void {
    this.seal();
    this.environment.close();
  }

  /** A block and the rows that are in it now: in one transaction, so that nobody ever sees both or neither. */
  private putBlock(): void {
    this.bytes.transactionSync(() => {
      this.putMade();
      for (const key of this.bytes.getKeys({ start: [this.run, 'row', 0], end: [this.run, 'row', Number.MAX_SAFE_INTEGER] }))
        void this.bytes.remove(key);
    });
    this.rows = [];
  }
  private putMade(): void {
    for (const part of this.made) {
      void this.bytes.put([this.run, 'log', this.size], part);
      this.size += part.length;
    }
    this.made = [];
  }

  private try(work: () => void): void {
    this.attempt('write', this.directory, work);
  }
}

/** Locks of runs stand beside the database's own files. */
const lockPath = (directory: string, run: string): string => join(directory, `run-${encodeURIComponent(run)}`);

const checked = (payload: Uint8Array): Uint8Array => {
  const bytes = new Uint8Array(4 + payload.length);
  new DataView(bytes.buffer).setUint32(0, crc32(payload), true);
  bytes.set(payload, 4);
  return bytes;
};

/** The log of a run in a database, with the steps that are in no block yet; undefined where there is none of this name. */
function logIn(bytes: Bytes, run: string): Log | undefined {
  const source = sourceOf(bytes, run);
  if (!source) return undefined;
  const log = new Log([source], sha256);
  if (log.end) return log;
  const { rows, damage } = rowsOf(bytes, run, log);
  if (rows.length === 0 && damage === undefined) return log;
  const block = new OpenBlock();
  for (const { blobs, step, digest } of rows) {
    for (const blob of blobs) block.addBlob(blob);
    if (digest) block.addDigest(digest);
    block.append(step);
  }
  const tail = rows.length > 0 ? joined(block.block(log.sealed, sha256, log.shape)) : new Uint8Array(0);
  return new RunInDatabase(withTail(source, log.sealed.size, tail), damage);
}

/** A log whose last steps are rows: in a database that is no more than a run that goes on, or was stopped. */
class RunInDatabase extends Log {
  override readonly torn: string | undefined;
  constructor(source: Source, damage: string | undefined) {
    super([source], sha256);
    this.torn = `the log was not closed: it stops after step ${this.length - 1}${damage === undefined ? '' : `; ${damage}`}`;
  }
}

function rowsOf(bytes: Bytes, run: string, log: Log): { readonly rows: Row[]; readonly damage: string | undefined } {
  const rows: Row[] = [];
  for (const { key, value } of bytes.getRange({ start: [run, 'row', log.length], end: [run, 'row', Number.MAX_SAFE_INTEGER] })) {
    const seq = log.length + rows.length;
    const payload = value.subarray(4);
    const crc = new DataView(value.buffer, value.byteOffset, value.length).getUint32(0, true);
    const row = key[2] === seq && crc === crc32(payload) ? takeRow(payload.slice(), seq, log.shape) : undefined;
    if (!row) return { rows, damage: `the row of step ${seq} is damaged: what follows it is left out` };
    rows.push(row);
  }
  return { rows, damage: undefined };
}

/** The log's bytes, cut where they were written. */
function sourceOf(bytes: Bytes, run: string): Source | undefined {
  const range = { start: [run, 'log', Number.MAX_SAFE_INTEGER], end: [run, 'log', -1], reverse: true, limit: 1 };
  const [last] = bytes.getRange(range);
  if (!last) return undefined;
  const size = (last.key[2] as number) + last.value.length;
  const cutAt = (at: number): { readonly at: number; readonly bytes: Uint8Array } | undefined => {
    const [key] = bytes.getKeys({ ...range, start: [run, 'log', at] });
    const value = key && bytes.get(key);
    return key && value && { at: key[2] as number, bytes: value };
  };
  return {
    size,
    read(at, length) {
      const into = new Uint8Array(Math.max(0, Math.min(length, size - at)));
      for (let done = 0; done < into.length; ) {
        const cut = cutAt(at + done);
        const part = cut?.bytes.subarray(at + done - cut.at, at + done - cut.at + into.length - done);
        if (!part || part.length === 0) return into.subarray(0, done);
        into.set(part, done);
        done += part.length;
      }
      return into;
    },
  };
}

/** Opens a run in a database; undefined where there is none of this name. */
export function readLmdb(directory: string, run: string): Log | undefined {
  return isDatabase(directory) ? logIn(openEnvironment(directory).bytes, run) : undefined;
}

/**
 * Makes the steps that are in no block yet the last block.
 *
 * @throws Failure where somebody writes the run, or there is none of this name
 */
export function repairLmdb(directory: string, run: string): Recovery {
  if (!isDatabase(directory)) throw noDatabase(directory);
  const { bytes, close } = openEnvironment(directory);
  const lock = takeLock(lockPath(directory, run));
  try {
    const source = sourceOf(bytes, run);
    if (!source)
      throw new Failure('there is no such run in the database', `${directory}#${run}`, 'see log info for those there are', 2);
    const sealed = new Log([source], sha256);
    const whole = logIn(bytes, run)!;
    const folded = whole.length - sealed.length;
    if (folded > 0)
      bytes.transactionSync(() => {
        const { size } = sealed.sealed;
        void bytes.put([run, 'log', size], whole.tail(size));
        for (const key of bytes.getKeys({ start: [run, 'row', 0], end: [run, 'row', Number.MAX_SAFE_INTEGER] }))
          void bytes.remove(key);
      });
    return { steps: whole.length, folded, cut: 0, closed: sealed.end !== undefined };
  } finally {
    lock.release();
    close();
  }
}
