// A run taken away, wherever it is.
import { LogError } from '../../events/header.ts';
import { Failure, systemFailure } from '../failure.ts';
import { cacheOf } from './cache-file.ts';
import { type FileLayer, isThere, nodeFiles } from './file-layer.ts';
import { takeLock } from './lock.ts';
import { filesOfRun, findParts, lockedPath } from './parts.ts';
import { sidecarOf } from './sidecar.ts';

/**
 * Removes a run with all of its files, whichever of them is named, or only its checkpoints; answers what was there. The last file goes
 * first: what is left, where it is stopped, is a run.
 *
 * @throws Failure where somebody writes it, there is none, or a call fails; LogError where it is no log
 */
export function removeRun(name: string, what: 'all' | 'checkpoints', files: FileLayer = nodeFiles): string[] {
  const path = files.real(name);
  const lock = takeLock(lockedPath(path, files), files);
  try {
    const parts = findParts(path, files);
    if (!parts) throw systemFailure('remove the run', path, { code: 'ENOENT' }, 2);
    for (const { source } of parts.files) source.close?.();
    const own = filesOfRun(parts.path, parts.run, files);
    const all = own.toReversed().flatMap((file) => [sidecarOf(file), file]);
    const there = [cacheOf(parts.path), ...(what === 'all' ? all : [])].filter((file) => isThere(file, files));
    for (const file of there) files.unlink(file);
    return there;
  } catch (error) {
    if (error instanceof Failure || error instanceof LogError) throw error;
    throw systemFailure('remove the run', path, error);
  } finally {
    lock.release();
  }
}
