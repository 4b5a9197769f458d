// A run that has stopped, taken up again.
import { hexOf } from '../../events/bytes.ts';
import type { Log } from '../../events/log.ts';
import { STATE_VERSION } from '../../events/upcast.ts';
import { isThere, nodeFiles } from './file-layer.ts';
import { FileStore, type FileStoreOptions } from './file-store.ts';
import { takeLock } from './lock.ts';
import { type Recovery, readRun, recoverLocked } from './recover.ts';

/** A run that has stopped, or was stopped, and that is to go on. Nobody else can write it meanwhile. */
export interface StoppedRun {
  /** What had to be repaired. */
  readonly recovery: Recovery;
  /** All of it that is there, for the host to be brought to its end. */
  readonly log: Log;
  /** Goes on in a next file, from a checkpoint of the host at the end of `log`. */
  goOn(checkpoint: Uint8Array): FileStore;
  /** Leaves it as it is. */
  release(): void;
}

/**
 * Takes up a run again, from the file `from` on where those before it are not there any more: repairs what a crash has left, and locks it.
 * Undefined where there is none.
 *
 * @throws Failure where somebody writes it, or where it can not be repaired; LogError where it is damaged
 */
export function resumeRun(options: Omit<FileStoreOptions, 'header'> & { readonly from?: string }): StoppedRun | undefined {
  const { files = nodeFiles } = options;
  const path = files.real(options.path);
  const from = options.from ?? path;
  const lock = takeLock(path, files);
  try {
    if (!isThere(from, files)) {
      lock.release();
      return undefined;
    }
    const recovery = recoverLocked(from, files);
    const log = readRun(from, files)!;
    return {
      recovery,
      log,
      goOn(checkpoint) {
        const { steps, chain } = log.sealed;
        const number = log.lastPart + 1;
        const part = { number, first: steps, run: log.run, follows: hexOf(chain) };
        // From here on it is this code that writes, and its state that digests are of.
        const header = { ...log.header, part, state: STATE_VERSION };
        return new FileStore({ ...options, path, header }, { lock, number, run: log.run, checkpoint });
      },
      release() {
        log.close();
        lock.release();
      },
    };
  } catch (error) {
    lock.release();
    throw error;
  }
}
