// Logs as files: written block by block as the run goes, read whole.
import { createHash } from 'node:crypto';
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { type Hash, Log, LogError } from '../events/log.ts';
import { Failure, systemFailure } from './failure.ts';

/** The chain's hash by node:crypto: the same digests as the default, several times faster. */
export const sha256: Hash = (bytes) => createHash('sha256').update(bytes).digest();

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
 * Opens a log.
 *
 * @throws Failure where there is no such file, or it is no whole log. One that was cut is fine: see `Log.torn`.
 */
export function openLog(path: string): Log {
  let bytes: Uint8Array;
  try {
    // Plain bytes, also in what is decoded from them: a Buffer has a form of its own in JSON.
    const file = readFileSync(path);
    bytes = new Uint8Array(file.buffer, file.byteOffset, file.byteLength);
  } catch (error) {
    throw systemFailure('read the log', path, error, UNUSABLE);
  }
  return judgeLog(path, () => new Log(bytes, sha256));
}

/** Does something with a log; what is wrong with the log itself becomes a `Failure` that names its file. */
export function judgeLog<T>(path: string, use: () => T): T {
  try {
    return use();
  } catch (error) {
    if (!(error instanceof LogError)) throw error;
    // A LogError says what is wrong, and after the last semicolon or colon what to do.
    const [, what, advice] = /^(.*)[;:] (.*)$/s.exec(error.message) ?? [undefined, error.message, 'take another copy of the log'];
    throw new Failure(what!, path, advice!, UNUSABLE);
  }
}
