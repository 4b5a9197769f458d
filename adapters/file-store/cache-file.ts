// RUN.xlog-cache, as a file or in a database. Whatever goes wrong with it is no reason to stop: a run without it is only slower to come back to.
import type { Log } from '../../events/log.ts';
import { type CacheMedium, CheckpointCache } from '../../replay/cache.ts';
import { type CacheFiles, codeOf, nodeCacheFiles } from './file-layer.ts';
import { cacheOf } from './parts.ts';

export { cacheOf };

class FileMedium implements CacheMedium {
  private readonly fd: number;
  private readonly files: CacheFiles;
  constructor(path: string, mode: 'read' | 'write', files: CacheFiles) {
    this.files = files;
    this.fd = files.open(path, mode);
  }
  get size(): number {
    return this.files.size(this.fd);
  }
  read(at: number, length: number): Uint8Array {
    const bytes = new Uint8Array(Math.max(0, Math.min(length, this.size - at)));
    for (let done = 0; done < bytes.length; ) {
      const count = this.files.read(this.fd, bytes.subarray(done), at + done);
      if (count === 0) return bytes.subarray(0, done);
      done += count;
    }
    return bytes;
  }
  write(at: number, bytes: Uint8Array): void {
    // What stood there goes first: a reader never sees half of the old behind half of the new.
    if (this.size > at) this.files.truncate(this.fd, at);
    for (let done = 0; done < bytes.length; ) done += this.files.write(this.fd, bytes.subarray(done), at + done);
  }
  close(): void {
    this.files.close(this.fd);
  }
}

/** A cache that is open. */
export interface OpenCache {
  readonly cache: CheckpointCache;
  close(): void;
}

/**
 * The checkpoints of a run. `path` is that of its first file. To be read: undefined where there are none. To be written: made where it
 * is not there, and what can not be used of it is written over.
 *
 * @throws what node:fs throws
 */
export function openCache(path: string, { run }: Pick<Log, 'run'>, mode: 'write', files?: CacheFiles): OpenCache;
export function openCache(
  path: string,
  { run }: Pick<Log, 'run'>,
  mode: 'read' | 'write',
  files?: CacheFiles,
): OpenCache | undefined;
export function openCache(
  path: string,
  { run }: Pick<Log, 'run'>,
  mode: 'read' | 'write',
  files: CacheFiles = nodeCacheFiles,
): OpenCache | undefined {
  let medium: FileMedium;
  try {
    medium = new FileMedium(cacheOf(path), mode, files);
  } catch (error) {
    if (mode === 'read' && codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
  return { cache: new CheckpointCache(medium, run), close: () => medium.close() };
}
