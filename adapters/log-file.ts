// Logs as files: written block by block as the run goes, read whole.
import { closeSync, openSync, writeSync } from 'node:fs';
import { type Log, LogError } from '../events/log.ts';
import { Failure, failedAt, systemFailure } from './failure.ts';
import { readRun } from './file-store/recover.ts';
import { placeOf, type RunPlace } from './run-place.ts';

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
 * Opens a log, with what its sidecar adds where the run was killed. A directory is that of a live host; `lmdb:DIRECTORY#RUN` is a run in a
 * database.
 *
 * @throws Failure where there is no such run, or it is no whole log. One that was cut is fine: see `Log.torn`.
 */
export function openLog(name: string | RunPlace): Log {
  const { path, files } = typeof name === 'string' ? placeOf(name) : name;
  return judgeLog(path, () => {
    let log: Log | undefined;
    try {
      if (files.special(path))
        throw new Failure('it is no file', path, 'a log is read from a file: copy it into one first', UNUSABLE);
      log = readRun(path, files);
    } catch (error) {
      if (error instanceof LogError || error instanceof Failure) throw error;
      throw systemFailure('read the log', failedAt(error, path), error, UNUSABLE);
    }
    if (!log) throw systemFailure('read the log', path, { code: 'ENOENT' }, UNUSABLE);
    return log;
  });
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
