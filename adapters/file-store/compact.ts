// The files of a run as one, in their place or in another.
import { dirname } from 'node:path';
import type { Log } from '../../events/log.ts';
import { mergeLog, type OnBlock } from '../../events/merge.ts';
import { CheckpointCache, MemoryMedium } from '../../replay/cache.ts';
import { newestCheckpoint } from '../../replay/resume.ts';
import { Failure, failureOf } from '../failure.ts';
import { cacheOf } from './cache-file.ts';
import { type FileLayer, isThere, nodeFiles, syncDirectory, writeAll } from './file-layer.ts';
import { takeLock } from './lock.ts';
import { findParts, lockedPath, partPath } from './parts.ts';
import { type Recovery, readRun, recoverLocked } from './recover.ts';
import { sha256 } from './sha256.ts';

/** Bytes are collected up to this many before they are written. */
const CHUNK = 1 << 20;

/**
 * Writes a log as one file that is not there yet; answers its size. The file is there whole, or not at all.
 *
 * @throws Failure where there is something of this name, somebody else writes it, or a call fails; LogError where the log is damaged
 */
export function writeMerged(log: Log, path: string, files: FileLayer = nodeFiles, onBlock?: OnBlock): number {
  const lock = takeLock(path, files);
  try {
    if (files.special(path) || isThere(path, files))
      throw new Failure('there is something of this name already', path, 'name another file, or remove it');
    return writeWhole(log, path, `${path}-new`, files, onBlock);
  } catch (error) {
    throw failureOf('write the log', path, error);
  } finally {
    lock.release();
  }
}

function writeWhole(log: Log, path: string, draft: string, files: FileLayer, onBlock?: OnBlock): number {
  let size = 0;
  const fd = files.open(draft, 'create');
  try {
    let waiting: Uint8Array[] = [];
    let bytes = 0;
    const flush = (): void => {
      for (const part of waiting) writeAll(files, fd, part);
      waiting = [];
      bytes = 0;
    };
    mergeLog(
      log,
      (part) => {
        waiting.push(part);
        bytes += part.length;
        size += part.length;
        if (bytes >= CHUNK) flush();
      },
      sha256,
      onBlock,
    );
    flush();
    files.sync(fd, 'data');
  } catch (error) {
    files.close(fd);
    files.unlink(draft);
    throw error;
  }
  files.close(fd);
  files.rename(draft, path);
  syncDirectory(files, dirname(path));
  return size;
}

export interface Compacted {
  readonly recovery: Recovery;
  /** How many files there were. */
  readonly files: number;
  /** Bytes of the files and of the checkpoints beside them. */
  readonly before: number;
  readonly after: number;
}

/**
 * Makes a run as small as it can be without a change to any replay: one file, whose blocks are full, with every piece of an image once;
 * and of the checkpoints only the newest. To be stopped at any moment and begun again does no harm.
 *
 * @throws Failure where somebody writes the run, or a call fails; LogError where it is damaged: nothing is changed then
 */
export function compactRun(name: string, files: FileLayer = nodeFiles, onBlock?: OnBlock): Compacted {
  const path = files.real(name);
  const lock = takeLock(lockedPath(path, files), files);
  try {
    const recovery = recoverLocked(path, files);
    const parts = findParts(path, files)!;
    for (const { source } of parts.files) source.close?.();
    const log = readRun(path, files)!;
    const cached = files.source(cacheOf(parts.path));
    const before = log.size + (cached?.size ?? 0);
    cached?.close?.();
    const cache = keptOfCache(parts.path, log, files);
    const several = log.parts > 1;
    const size = several ? writeWhole(log, path, `${path}-new`, files, onBlock) : log.size;
    log.close();
    // The first file has all of them now: readers leave the others aside from here on. The last one first, so that no gap is ever seen.
    for (let at = parts.files.length - 1; at > 0; at--) files.unlink(parts.files[at]!.path);
    // Stopped between the two an earlier time: they are still there.
    const leftover = parts.stranger && !parts.stranger.isOfAnother;
    for (let number = parts.files.length + 1; leftover && isThere(partPath(parts.path, number), files); number++)
      files.unlink(partPath(parts.path, number));
    return { recovery, files: parts.files.length, before, after: size + cache };
  } catch (error) {
    throw failureOf('compact the log', path, error);
  } finally {
    lock.release();
  }
}

/** Leaves the newest good checkpoint of a run's cache, or none; answers the bytes that are left. */
function keptOfCache(path: string, log: Log, files: FileLayer): number {
  const bytes = files.read(cacheOf(path));
  if (!bytes) return 0;
  const old = new CheckpointCache(new MemoryMedium(bytes), log.run);
  const { checkpoint } = newestCheckpoint(log, old);
  const digest = checkpoint && old.list().find(({ seq }) => seq === checkpoint.seq)!.digest;
  files.unlink(cacheOf(path));
  if (!checkpoint || !digest) return 0;
  const medium = new MemoryMedium();
  new CheckpointCache(medium, log.run).write(checkpoint, digest);
  const fd = files.open(cacheOf(path), 'create');
  try {
    writeAll(files, fd, medium.read(0, medium.size));
  } finally {
    files.close(fd);
  }
  return medium.size;
}
