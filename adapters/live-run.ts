// The run of a live host, in a directory or in a database: it goes on where it was stopped or killed, and its files follow each other.
import { join } from 'node:path';
import type { Digest } from '../events/block.ts';
import { BlockDecoder } from '../events/block-decoder.ts';
import { joined } from '../events/bytes.ts';
import { type Log, LogError } from '../events/log.ts';
import { HypervisorBug } from '../events/step.ts';
import { OpenBlock } from '../events/store.ts';
import type { Step } from '../events/vocabulary.ts';
import { version } from '../index.ts';
import { type Dispatcher, Recording } from '../machines/index.ts';
import { type Divergence, describeDivergence, encodeStart, resumeHost, same, startOf } from '../replay/index.ts';
import type { HostConfig } from '../src/host-config.ts';
import { Failure, failedAt, systemFailure } from './failure.ts';
import { type OpenCache, openCache } from './file-store/cache-file.ts';
import { type FileLayer, writeAll } from './file-store/file-layer.ts';
import { type Durability, FileStore, storeFailure } from './file-store/file-store.ts';
import { takeLock } from './file-store/lock.ts';
import { findParts, lastGroup, numbersBeside, type PartFiles, partPath } from './file-store/parts.ts';
import { readRun } from './file-store/recover.ts';
import { resumeRun, type StoppedRun } from './file-store/resume.ts';
import { sidecarOf } from './file-store/sidecar.ts';
import { isLmdbAddress } from './lmdb-store/address.ts';
import { judgeLog, sha256, UNUSABLE } from './log-file.ts';
import { placeFor, RUN } from './run-place.ts';

export interface LiveRunOptions {
  /** Of its files, or `lmdb:DIRECTORY#RUN`. */
  readonly directory: string;
  /** What the host is, given what the one of the run is that is there. */
  readonly config: (found: HostConfig | undefined) => HostConfig;
  readonly durability: Durability;
  /** When a file has grown by so many bytes, the log goes on in a next one. */
  readonly rotate: number;
  readonly files?: FileLayer;
}

/** Between two checkpoints in the cache there is this much time, and this many times what the last one has cost. */
const CHECKPOINT_EVERY_MS = 10_000;
const CHECKPOINT_SHARE = 50;

export class LiveRun {
  readonly dispatcher: Dispatcher;
  /** How many steps there were before, and which was the first that is still there; undefined: it has just begun. */
  readonly resumed: { readonly steps: number; readonly first: number } | undefined;
  private readonly path: string;
  /** The first file that is there of those that lead to the end without a gap. */
  private readonly from: string;
  private readonly files: FileLayer;
  private readonly durability: Durability;
  private readonly rotateAfter: number;
  private readonly recording: Recording;
  private readonly store: FileStore;
  private readonly cache: OpenCache | undefined;
  private begun: number;
  private checkpointed = { at: performance.now(), ms: 0 };
  private ended = false;

  /**
   * Takes the run up where it stands: its last file is made whole, and the host brought to where it was.
   *
   * @throws Failure where another process writes it, a file can not be used, or this xenolog does not do what the log says
   */
  constructor({ directory, config, durability, rotate, files }: LiveRunOptions) {
    const place = placeFor(isLmdbAddress(directory) ? directory : join(directory, RUN), durability);
    this.files = files ?? place.files;
    this.path = this.files.real(place.path);
    this.durability = durability;
    this.rotateAfter = rotate;
    this.from = this.prepare(directory);
    const past = judgeLog(this.from, () => this.takeUp());
    try {
      const host = config(past?.stopped.log.header.host as HostConfig | undefined);
      const header = past?.stopped.log.header ?? {
        xenolog: version,
        seed: 1,
        xen_version: host.xen_version,
        host,
        images: [],
      };
      const checkpoint = past?.dispatcher.checkpoint();
      this.store = checkpoint
        ? past!.stopped.goOn(encodeStart(past!.dispatcher))
        : new FileStore({ path: this.path, header, durability, files: this.files });
      this.recording = new Recording({
        header,
        images: [],
        store: this.store,
        onPause: (dispatcher, digest) => this.keepCheckpoint(dispatcher, digest),
      });
      this.dispatcher = this.recording.dispatcher;
      if (checkpoint) this.dispatcher.restore(checkpoint);
    } catch (error) {
      past?.stopped.release();
      throw error;
    }
    const log = past?.stopped.log ?? this.store.read();
    this.resumed = past && { steps: log.length, first: log.first };
    this.begun = this.store.size;
    this.cache = this.cacheFor(log, 'write');
    log.close();
  }

  /** The file that it goes into now. */
  get file(): string {
    return this.store.file;
  }

  /** Makes every step so far safe. @throws Failure where that is not possible: what has come of them may not leave the host */
  acknowledge(): void {
    this.check();
    if (this.ended || this.store.size - this.begun < this.rotateAfter || !this.dispatcher.quiet) return;
    this.recording.rotate(encodeStart);
    this.check();
    this.begun = this.store.size;
  }

  /** Closes the log with the state that the host is in. @throws Failure where it could not be kept */
  finish(): void {
    this.ended = true;
    this.recording.finish();
    this.check();
  }

  /** Lets go of the files: what is in them stays. */
  close(): void {
    this.ended = true;
    this.recording.abandon();
    this.cache?.close();
  }

  private check(): void {
    const answer = this.recording.acknowledge();
    if (!answer.ok) throw storeFailure(answer.problem);
  }

  /**
   * Looks whether what is there is one run that can be gone on with, and nothing else that could be written over. A file
   * whose writer was killed before its header was whole has no steps, and goes.
   */
  private prepare(directory: string): string {
    const { path, files } = this;
    try {
      files.directory(directory);
      takeLock(path, files).release();
      for (const number of numbersBeside(path, files)) removeUnborn(partPath(path, number), files);
      const first = this.partsFrom(path);
      if (first && first.beyond === undefined) return path;
      // What is not there any more was put away, or lost. The last file starts from a checkpoint, and has the newest state of all.
      const from = lastGroup(path, files) ?? path;
      const last = this.partsFrom(from);
      if (last && (last.path !== path || (first && last.run !== first.run))) throw ofAnother(from);
      return from;
    } catch (error) {
      throw error instanceof Failure ? error : systemFailure('prepare the directory', failedAt(error, directory), error);
    }
  }

  private partsFrom(path: string): PartFiles | undefined {
    const found = judgeLog(path, () => findParts(path, this.files));
    for (const { source } of found?.files ?? []) source.close?.();
    if (found?.stranger?.isOfAnother) throw ofAnother(found.stranger.path);
    return found;
  }

  /** The run that is there, and a host at its end. */
  private takeUp(): { readonly stopped: StoppedRun; readonly dispatcher: Dispatcher } | undefined {
    const { path, from, durability, files } = this;
    const stopped = resumeRun({ path, from, durability, files });
    if (!stopped) return undefined;
    try {
      const { log } = stopped;
      // What followed from the last input and was not written any more.
      const missing: Step[] = [];
      const onStep = (step: Step): void => {
        if (step.seq >= log.length) missing.push(step);
      };
      const cache = this.cacheFor(log, 'read');
      const shortest = this.shortest(log);
      const { dispatcher, divergence } = resumeHost(shortest, cache?.cache, { onStep });
      if (shortest !== log) shortest.close();
      cache?.close();
      if (divergence) throw diverged(divergence, path);
      if (missing.length === 0) return { stopped, dispatcher };
      // A next file starts where everything has settled, so they belong to this one.
      this.add(missing, log);
    } catch (error) {
      stopped.release();
      throw error;
    }
    stopped.release();
    return this.takeUp();
  }

  /** The last file alone, where that is enough to go on from: it starts from a checkpoint. */
  private shortest(log: Log): Log {
    if (log.lastPart === 1) return log;
    const last = readRun(partPath(this.path, log.lastPart), this.files)!;
    try {
      if (startOf(last)) return last;
    } catch (error) {
      if (!(error instanceof LogError)) throw error;
    }
    last.close();
    return log;
  }

  private add(steps: readonly Step[], log: Log): void {
    const block = new OpenBlock();
    for (const step of steps) block.append(step);
    const path = partPath(this.path, log.lastPart);
    const [head, payload] = block.block(log.sealed, sha256, log.shape);
    // A file that an earlier version has begun may have no room for all that we would say of them.
    if (!same(new BlockDecoder(log.shape).steps(payload, log.length), steps))
      throw new Failure(
        'its last steps have to be taken again, by the xenolog that began this file',
        path,
        'go on with that one once',
      );
    try {
      const fd = this.files.open(path, 'append');
      writeAll(this.files, fd, joined([head, payload]));
      this.files.sync(fd, 'data');
      this.files.close(fd);
    } catch (error) {
      throw systemFailure('write the log', path, error);
    }
  }

  /** Without a cache a host comes back more slowly, and that is all. */
  private cacheFor(log: Log, mode: 'read' | 'write'): OpenCache | undefined {
    try {
      const { cache } = this.files;
      return cache && openCache(this.path, log, mode, cache);
    } catch {
      return undefined;
    }
  }

  private keepCheckpoint(dispatcher: Dispatcher, digest: Digest): void {
    const { at, ms } = this.checkpointed;
    const now = performance.now();
    if (!this.cache || now - at < Math.max(CHECKPOINT_EVERY_MS, ms * CHECKPOINT_SHARE)) return;
    try {
      this.cache.cache.write(dispatcher.checkpoint(), digest);
    } catch {
      // See cacheFor.
    }
    const end = performance.now();
    this.checkpointed = { at: end, ms: end - now };
  }
}

const ofAnother = (path: string): Failure =>
  new Failure('this file belongs to another run', path, 'move it away, or bring its own back', UNUSABLE);

function removeUnborn(path: string, files: FileLayer): void {
  const source = files.source(path);
  if (!source) return;
  const { size } = source;
  const fixed = source.read(0, HEADER_SIZE);
  source.close?.();
  const whole =
    size < HEADER_SIZE ? HEADER_SIZE : HEADER_SIZE + new DataView(fixed.buffer, fixed.byteOffset).getUint32(LENGTH_AT, true);
  const rows = files.read(sidecarOf(path));
  if (size >= whole || (rows && rows.length > 0)) return;
  files.unlink(path);
  if (rows) files.unlink(sidecarOf(path));
}
// The fixed part of a log's header (events/header.ts).
const HEADER_SIZE = 20;
const LENGTH_AT = 12;

function diverged(divergence: Divergence, path: string): Failure {
  const [what = ''] = describeDivergence(divergence);
  return new Failure(
    `this xenolog does not do again what the log says: ${what}`,
    path,
    'xenolog replay shows all; go on with the xenolog that wrote it, or name another directory',
  );
}

/** What stops a live host, for people: a bug of ours leaves its log behind as its report. */
export function liveFailure(error: unknown, run: LiveRun | undefined): unknown {
  if (!(error instanceof HypervisorBug)) return error;
  const kept = run ? `the log up to there is in ${run.file}` : 'run it again with --state DIR';
  const where = run ? `step ${run.dispatcher.lastSeq}` : 'inside xenolog';
  return new Failure(error.message, where, `this is a bug of Xenolog: ${kept}, please report it`);
}
