// A run as files, with a sidecar for the steps since its last block: docs/durability.md says what each mode promises. Where files are
// is the business of a `FileLayer`: a disk, a database, a test.

import type { Blob, Digest } from '../../events/block.ts';
import { hexOf } from '../../events/bytes.ts';
import type { Log, RunEnd, RunHeader } from '../../events/log.ts';
import type { Acknowledged, EventStore, StoreProblem } from '../../events/store.ts';
import type { Step } from '../../events/vocabulary.ts';
import { type Failure, systemFailure } from '../failure.ts';
import { codeOf, type FileLayer, nodeFiles } from './file-layer.ts';
import { type Lock, takeLock } from './lock.ts';
import { PartWriter, type SidecarUse } from './part-writer.ts';
import { lockedPath, partPath, removeParts } from './parts.ts';
import { readRun } from './recover.ts';
import { sidecarOf } from './sidecar.ts';

/**
 * When a step is acknowledged. `batch`: when the system has it (write(2)), so that it outlives this process; synced every 100 ms.
 * `strict`: when the disk has it. `none`: at once; what is not in a sealed block is lost with the process.
 */
export const durabilities = ['batch', 'strict', 'none'] as const;
export type Durability = (typeof durabilities)[number];

const sidecarUse = (durability: Durability, { ordered }: FileLayer): SidecarUse =>
  durability === 'none' ? 'none' : durability === 'strict' && !ordered ? 'synced' : 'written';

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

/** Where a run goes on that was there before. */
export interface Continued {
  readonly lock: Lock;
  readonly number: number;
  readonly run: string;
  readonly checkpoint: Uint8Array;
}

/**
 * One run in a file, or in several where it was rotated or taken up again. A run that was there is replaced. The first call that fails is
 * the last one that is made: a disk that has once failed to sync may have dropped what it was given, so nothing is acknowledged after
 * it. What was acknowledged before stays readable.
 */
export class FileStore implements EventStore {
  /** The first file. */
  readonly path: string;
  private readonly header: RunHeader;
  private readonly durability: Durability;
  private readonly files: FileLayer;
  private readonly clock: () => number;
  private readonly lock: Lock;
  private part: PartWriter;
  private number = 1;
  private run: string;
  private syncedAt: number;
  private readonly timer: ReturnType<typeof setInterval> | undefined;
  private syncing = false;
  private appended: number;
  private acknowledged: number;
  private problem: StoreProblem | undefined;
  private ended = false;

  /** @throws Failure where the files can not be made, or somebody else writes this run */
  constructor(
    { path: name, header, durability, files = nodeFiles, clock = () => performance.now() }: FileStoreOptions,
    continued?: Continued,
  ) {
    let special: boolean;
    try {
      // What goes into a device or a pipe is nobody's to read again: nothing stands beside it.
      special = files.special(name);
      this.path = files.real(name);
    } catch (error) {
      throw systemFailure('write the log', name, error);
    }
    const { path } = this;
    this.header = header;
    this.files = files;
    this.clock = clock;
    this.syncedAt = clock();
    this.durability = special ? 'none' : durability;
    this.lock = continued?.lock ?? (special ? { release: () => {} } : takeLock(lockedPath(path, files), files));
    try {
      if (!continued && !special) removeParts(path, files);
      this.number = continued?.number ?? 1;
      this.part = new PartWriter(
        partPath(path, this.number),
        header,
        sidecarUse(this.durability, files),
        files,
        continued?.checkpoint,
      );
    } catch (error) {
      this.lock.release();
      throw systemFailure('write the log', path, error);
    }
    this.run = continued?.run ?? hexOf(this.part.place.chain);
    this.appended = this.acknowledged = this.part.place.steps;
    // A host with nothing to do acknowledges nothing, and what it wrote last is to be synced all the same.
    if (this.durability === 'batch')
      this.timer = setInterval(() => this.part.unsynced && this.syncLater(), SYNC_EVERY_MS).unref();
  }

  /** Bytes of the file that is written now, without the sidecar. */
  get size(): number {
    return this.part.size;
  }

  /** The file that is written now. */
  get file(): string {
    return this.part.path;
  }

  append(step: Step): void {
    if (this.problem || this.ended) return;
    this.part.append(step);
    this.appended++;
    if (this.part.full)
      this.attempt('write', this.part.path, () => {
        this.part.seal();
        this.syncedAt = this.clock();
        this.acknowledged = this.appended;
      });
  }
  addBlob(blob: Blob): void {
    if (!this.problem && !this.ended) this.part.addBlob(blob);
  }
  addDigest(digest: Digest): void {
    if (!this.problem && !this.ended) this.part.addDigest(digest);
  }

  acknowledge(): Acknowledged {
    if (!this.problem && !this.ended) {
      const { part } = this;
      if (part.collected > 0) this.attempt('write', sidecarOf(part.path), () => part.writeRows());
      if (part.unsynced && this.durability === 'strict') this.sync();
      else if (part.unsynced && this.clock() - this.syncedAt >= SYNC_EVERY_MS) this.syncLater();
      if (!this.problem) this.acknowledged = this.appended;
    }
    return this.answer();
  }

  /** Whoever has all files reads one run; whoever has only the last can do without the steps before it. */
  rotate(end: RunEnd, checkpoint: Uint8Array): Acknowledged {
    if (this.problem || this.ended) return this.answer();
    const { part, files } = this;
    const next = this.number + 1;
    this.attempt('write', part.path, () => {
      part.finish({ ...end, continued: true });
      this.acknowledged = this.appended;
    });
    this.attempt('unlink', sidecarOf(part.path), () => part.removeSidecar());
    const path = partPath(this.path, next);
    this.attempt('write', path, () => {
      const { steps, chain } = part.place;
      const header = { ...this.header, part: { number: next, first: steps, run: this.run, follows: hexOf(chain) } };
      this.part = new PartWriter(path, header, sidecarUse(this.durability, files), files, checkpoint);
      this.number = next;
      part.close();
    });
    return this.answer();
  }

  /** @throws Failure where it can not be read */
  read(): Log {
    this.acknowledge();
    const log = readRun(this.path, this.files);
    if (!log) throw systemFailure('read the log', this.path, { code: 'ENOENT' });
    return log;
  }

  seal(): Acknowledged {
    return this.finish(undefined);
  }
  close(end: RunEnd): Acknowledged {
    return this.finish(end);
  }

  /** Puts what there is where it belongs, with an end or without. */
  private finish(end: RunEnd | undefined): Acknowledged {
    if (this.ended) return this.answer();
    this.ended = true;
    clearInterval(this.timer);
    const { part } = this;
    this.attempt('write', part.path, () => {
      part.finish(end);
      this.acknowledged = this.appended;
    });
    this.attempt('unlink', sidecarOf(part.path), () => part.removeSidecar());
    part.close();
    this.lock.release();
    return this.answer();
  }

  private answer(): Acknowledged {
    const { problem, acknowledged: steps } = this;
    return problem ? { ok: false, steps, problem } : { ok: true, steps };
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

  private sync(): void {
    this.attempt('sync', sidecarOf(this.part.path), () => {
      this.part.sync();
      this.syncedAt = this.clock();
    });
  }

  /** Nobody waits for it: what it fails with, the next acknowledgement says. */
  private syncLater(): void {
    if (this.syncing || this.problem) return;
    const { part } = this;
    this.syncing = part.syncLater((error) => {
      this.syncing = false;
      // A file that was ended meanwhile has been synced whole, and closed.
      if (error && !this.ended && part === this.part)
        this.problem ??= { call: 'sync', path: sidecarOf(part.path), code: codeOf(error) };
    });
    if (this.syncing) this.syncedAt = this.clock();
    else this.sync();
  }
}

/** What went wrong in a store, as the program says it. */
export const storeFailure = ({ call, path, code }: StoreProblem): Failure =>
  systemFailure({ sync: 'make the log safe', unlink: 'remove the sidecar' }[call] ?? 'write the log', path, { code });
