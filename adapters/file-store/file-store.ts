// A run as a file, with a sidecar for the steps since its last block: docs/durability.md says what each mode promises.
import { dirname } from 'node:path';
import type { Blob } from '../../events/codec.ts';
import { type Log, LogWriter, type RunEnd, type RunHeader } from '../../events/log.ts';
import { type Acknowledged, chainOf, type EventStore, joined, type StoreProblem } from '../../events/store.ts';
import type { Step } from '../../events/vocabulary.ts';
import { type Failure, systemFailure } from '../failure.ts';
import { codeOf, type FileLayer, nodeFiles, syncDirectory, writeAll } from './file-layer.ts';
import { type Lock, takeLock } from './lock.ts';
import { readRun } from './recover.ts';
import { sha256 } from './sha256.ts';
import { RowWriter, sidecarOf } from './sidecar.ts';

/**
 * When a step is acknowledged. `batch`: when the system has it (write(2)), so that it outlives this process; synced every 100 ms.
 * `strict`: when the disk has it. `none`: at once; what is not in a sealed block is lost with the process.
 */
export const durabilities = ['batch', 'strict', 'none'] as const;
export type Durability = (typeof durabilities)[number];

/** In mode `batch` this long, in milliseconds of wall time, may pass before what was written is synced. */
const SYNC_EVERY_MS = 100;

export interface FileStoreOptions {
  readonly path: string;
  readonly header: RunHeader;
  readonly durability: Durability;
  readonly files?: FileLayer;
  /** Milliseconds of the wall's clock. */
  readonly clock?: () => number;
}

/**
 * One run in one file. A file that was there is replaced. The first call that fails is the last one that is made: a disk that has once
 * failed to sync may have dropped what it was given, so nothing is acknowledged after it. What was acknowledged before stays readable.
 */
export class FileStore implements EventStore {
  readonly path: string;
  /** Bytes of the log, without the sidecar. */
  size = 0;
  private readonly durability: Durability;
  private readonly files: FileLayer;
  private readonly clock: () => number;
  private readonly lock: Lock;
  private readonly writer: LogWriter;
  private readonly log: number;
  private readonly sidecar: number | undefined;
  private readonly rows = new RowWriter();
  private readonly run: Uint8Array;
  /** What the log's writer has made and the file has not got yet. */
  private made: Uint8Array[] = [];
  private blobs: Blob[] = [];
  private appended = 0;
  private acknowledged = 0;
  /** Rows that were collected since they were last written; and whether there are bytes that were not synced. */
  private collected = 0;
  private unsynced = false;
  private syncedAt: number;
  private readonly timer: ReturnType<typeof setInterval> | undefined;
  private problem: StoreProblem | undefined;
  private ended = false;

  /** @throws Failure where the files can not be made, or somebody else writes this run */
  constructor({ path, header, durability, files = nodeFiles, clock = () => performance.now() }: FileStoreOptions) {
    this.path = path;
    this.files = files;
    this.clock = clock;
    this.syncedAt = clock();
    // What goes into a device or a pipe is nobody's to read again: nothing stands beside it.
    const special = files.special(path);
    this.durability = special ? 'none' : durability;
    this.lock = special ? { release: () => {} } : takeLock(path, files);
    const opened: number[] = [];
    const open = (name: string, mode: 'create' | 'append'): number => {
      const fd = files.open(name, mode);
      opened.push(fd);
      return fd;
    };
    try {
      // That of an earlier run would be no use to this one.
      if (files.read(sidecarOf(path))) files.unlink(sidecarOf(path));
      this.log = open(path, 'create');
      this.writer = new LogWriter(header, (bytes) => this.made.push(bytes), sha256);
      this.run = sha256(this.made[0]!);
      this.flush();
      if (this.durability !== 'none') {
        this.sidecar = open(sidecarOf(path), 'append');
        files.sync(this.log, 'data');
        syncDirectory(files, dirname(path));
      }
    } catch (error) {
      for (const fd of opened) this.quietly(() => files.close(fd));
      this.lock.release();
      throw systemFailure('write the log', path, error);
    }
    this.rows.begin({ run: this.run, chain: this.run, steps: 0 });
    // A host with nothing to do acknowledges nothing, and what it wrote last is to be synced all the same.
    if (this.durability === 'batch') this.timer = setInterval(() => this.unsynced && this.sync(), SYNC_EVERY_MS).unref();
  }

  append(step: Step): void {
    if (this.problem || this.ended) return;
    if (this.sidecar !== undefined) {
      this.rows.add({ step, blobs: this.blobs });
      this.collected++;
      if (this.blobs.length > 0) this.blobs = [];
    }
    this.appended++;
    this.writer.append(step);
    if (this.made.length > 0) this.attempt('write', this.path, () => this.sealed());
  }

  addBlob(blob: Blob): void {
    if (this.problem || this.ended) return;
    if (this.sidecar !== undefined) this.blobs.push(blob);
    this.writer.addBlob(blob);
  }

  acknowledge(): Acknowledged {
    if (!this.problem && !this.ended) {
      const { sidecar, files } = this;
      if (sidecar !== undefined && this.collected > 0) {
        this.attempt('write', sidecarOf(this.path), () => {
          writeAll(files, sidecar, this.rows.view());
          this.rows.clear();
          this.collected = 0;
          this.unsynced = true;
        });
        if (this.durability === 'strict') this.sync();
        else this.syncIfDue();
      }
      if (!this.problem) this.acknowledged = this.appended;
    }
    return this.answer();
  }

  seal(): Acknowledged {
    return this.finish(() => this.writer.cut());
  }

  close(end: RunEnd): Acknowledged {
    return this.finish(() => this.writer.end(end));
  }

  /** @throws Failure where it can not be read */
  read(): Log {
    this.acknowledge();
    const log = readRun(this.path, this.files);
    if (!log) throw systemFailure('read the log', this.path, { code: 'ENOENT' });
    return log;
  }

  private answer(): Acknowledged {
    const { problem, acknowledged: steps } = this;
    return problem ? { ok: false, steps, problem } : { ok: true, steps };
  }

  /** A block is in the log: its rows have done their duty, as soon as the disk has it. */
  private sealed(): void {
    const chain = chainOf(this.made[this.made.length - 2]!);
    this.flush();
    if (this.sidecar !== undefined) {
      this.files.sync(this.log, 'data');
      this.files.truncate(this.sidecar, 0);
      this.rows.begin({ run: this.run, chain, steps: this.appended });
      this.collected = 0;
      this.unsynced = false;
    }
    this.acknowledged = this.appended;
  }

  private flush(): void {
    const bytes = joined(this.made);
    this.made = [];
    writeAll(this.files, this.log, bytes);
    this.size += bytes.length;
  }

  private finish(last: () => void): Acknowledged {
    if (this.ended) return this.answer();
    this.ended = true;
    clearInterval(this.timer);
    this.attempt('write', this.path, () => {
      last();
      this.flush();
      if (this.sidecar !== undefined) this.files.sync(this.log, 'data');
      this.acknowledged = this.appended;
    });
    if (this.sidecar !== undefined) this.attempt('unlink', sidecarOf(this.path), () => this.files.unlink(sidecarOf(this.path)));
    for (const fd of [this.log, this.sidecar]) if (fd !== undefined) this.quietly(() => this.files.close(fd));
    this.lock.release();
    return this.answer();
  }

  private syncIfDue(): void {
    if (this.unsynced && this.clock() - this.syncedAt >= SYNC_EVERY_MS) this.sync();
  }

  private sync(): void {
    this.attempt('sync', sidecarOf(this.path), () => {
      this.files.sync(this.sidecar!, 'data');
      this.unsynced = false;
      this.syncedAt = this.clock();
    });
  }

  /** Does it unless something has failed before; what it fails with stays. */
  private attempt(call: string, path: string, work: () => void): void {
    if (this.problem) return;
    try {
      work();
    } catch (error) {
      this.problem = { call, path, code: codeOf(error) };
    }
  }

  /** Closing a file that was synced, or that has failed, tells nothing new. */
  private quietly(work: () => void): void {
    try {
      work();
    } catch {
      // see above
    }
  }
}

/** What went wrong in a store, as the program says it. */
export const storeFailure = ({ call, path, code }: StoreProblem): Failure =>
  systemFailure({ sync: 'make the log safe', unlink: 'remove the sidecar' }[call] ?? 'write the log', path, { code });
