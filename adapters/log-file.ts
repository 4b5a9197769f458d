// Logs as files: written block by block as the run goes, read whole.
import { closeSync, existsSync, openSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { type Log, LogError } from '../events/log.ts';
import { Failure, failedAt, systemFailure } from './failure.ts';
import { nodeFiles } from './file-store/file-layer.ts';
import { firstPath, lastGroup } from './file-store/parts.ts';
import { readRun } from './file-store/recover.ts';
import { type LmdbAddress, lmdbAddress } from './lmdb-store/database.ts';
import { readLmdb } from './lmdb-store/lmdb-store.ts';

export { sha256 } from './file-store/sha256.ts';

/** The exit status where a log can not be used. */
export const UNUSABLE = 2;

/** A file that a run goes into. What was written before a failure stays, and reads as a log that was cut. */
export class LogFile {
  readonly path: string;
  /** Bytes written. */
  size = 0;
  private readonly fd: number;

  /** @throws Failure where the file can not be made */
  constructor(path: string) {
    this.path = path;
    try {
      this.fd = openSync(path, 'w');
    } catch (error) {
      throw systemFailure('write the log', path, error);
    }
  }
  /** @throws Failure where the bytes can not all be written */
  readonly write = (bytes: Uint8Array): void => {
    try {
      for (let done = 0; done < bytes.length; ) done += writeSync(this.fd, bytes, done);
    } catch (error) {
      throw systemFailure('write the log', this.path, error);
    }
    this.size += bytes.length;
  };
  close(): void {
    closeSync(this.fd);
  }
}

/**
 * Opens a log, with what its sidecar adds where the run was killed. A directory is that of a live host.
 *
 * @throws Failure where there is no such file, or it is no whole log. One that was cut is fine: see `Log.torn`.
 */
export function openLog(name: string): Log {
  const path = logAt(name);
  return judgeLog(path, () => {
    let log: Log | undefined;
    try {
      const database = lmdbAddress(path);
      if (!database && nodeFiles.special(path))
        throw new Failure('it is no file', path, 'a log is read from a file: copy it into one first', UNUSABLE);
      log = database ? readLmdb(database.directory, runOf(database)) : readRun(path);
    } catch (error) {
      if (error instanceof LogError || error instanceof Failure) throw error;
      throw systemFailure('read the log', failedAt(error, path), error, UNUSABLE);
    }
    if (!log) throw systemFailure('read the log', path, { code: 'ENOENT' }, UNUSABLE);
    return log;
  });
}

/** The first file that is there of the run that a live host keeps in a directory; any other name is that of a log itself. */
export function logAt(path: string): string {
  if (!isDirectory(path)) return path;
  const first = join(path, RUN);
  return existsSync(first) ? first : (lastGroup(first, nodeFiles) ?? first);
}
export const RUN = 'run.xlog';
function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    // Whoever opens it says what is wrong.
    return false;
  }
}

/** Where the first file of a run is, or would be, whichever of its files, links to them or directories was named. */
export const firstFileOf = (name: string, { header }: Log): string =>
  firstPath(nodeFiles.real(logAt(name)), header.part?.number ?? 1);

/** @throws Failure where an address names no run */
export function runOf({ directory, run }: LmdbAddress): string {
  if (run !== undefined && run !== '') return run;
  throw new Failure('the address names a database and no run', `lmdb:${directory}`, 'write lmdb:DIRECTORY#RUN', UNUSABLE);
}

/** Does something with a log; what is wrong with the log itself becomes a `Failure` that names its file. */
export function judgeLog<T>(path: string, use: () => T): T {
  try {
    return use();
  } catch (error) {
    throw judged(path, error);
  }
}
/** The same for what is read one after the other. */
export function* judgeEach<T>(path: string, values: Iterable<T>): Generator<T> {
  try {
    yield* values;
  } catch (error) {
    throw judged(path, error);
  }
}
function judged(path: string, error: unknown): unknown {
  if (!(error instanceof LogError)) return error;
  // A LogError says what is wrong, and after the last semicolon or colon what to do.
  const [, what, advice] = /^(.*)[;:] (.*)$/s.exec(error.message) ?? [undefined, error.message, 'take another copy of the log'];
  return new Failure(what!, path, advice!, UNUSABLE);
}
