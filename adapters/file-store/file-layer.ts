// What a store asks of the operating system: few calls, so that a test can make each of them fail.
import {
  closeSync,
  fdatasync,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  renameSync,
  type Stats,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';

import { dirname, resolve } from 'node:path';
import type { Source } from '../../events/source.ts';

/** Every call either does its work or throws, as node:fs does, an error with a `code` (`ENOSPC`, `EIO`). */
export interface FileLayer {
  /** `create`: empty, whatever was there; `append`: at its end, made where it is not there; `directory`: only to be synced. */
  open(path: string, mode: 'create' | 'append' | 'directory'): number;
  /** Writes at `at`, otherwise at the end; answers how many bytes it took, which may be fewer than it was given. */
  write(fd: number, bytes: Uint8Array, at?: number): number;
  /** On the disk, and not only in the system's memory: fdatasync(2); of a directory fsync(2). */
  sync(fd: number, what: 'data' | 'directory'): void;
  /** The same for data, while the program goes on; `done` is told what it failed with. Where there is none, `sync` does. */
  syncLater?(fd: number, done: (error: unknown) => void): void;
  truncate(fd: number, size: number): void;
  close(fd: number): void;
  rename(from: string, to: string): void;
  /** A second name; EEXIST where there is one: the one way to make a file with its content at once, or not at all. */
  link(existing: string, path: string): void;
  unlink(path: string): void;
  /** The same, or where the symbolic link of this name leads: what stands beside a file stands beside the file itself. */
  real(path: string): string;
  /** Whether there is something of this name that is no file: a device, a pipe. */
  special(path: string): boolean;
  /** All of a small file; undefined where there is no such file. */
  read(path: string): Uint8Array | undefined;
  /** A file to be read piece by piece, as long as it is now; undefined where there is no such file. */
  source(path: string): Source | undefined;
  /** Makes a directory, with those above it, where there is none; answers the names in it. */
  directory(path: string): readonly string[];
  /** The names in a directory; none where it can not be looked into. */
  names(path: string): readonly string[];
  /** What is written stays in its order, whatever is lost, and a write waits for as much as it has to: `sync` has nothing to do. */
  readonly ordered?: boolean | undefined;
  /** How checkpoints are kept beside a run; where there is none, they are not. */
  readonly cache?: CacheFiles;
}

/** The calls that a cache of checkpoints makes. */
export interface CacheFiles {
  /** `write`: made where it is not there. */
  open(path: string, mode: 'read' | 'write'): number;
  size(fd: number): number;
  read(fd: number, into: Uint8Array, at: number): number;
  write(fd: number, bytes: Uint8Array, at: number): number;
  truncate(fd: number, size: number): void;
  close(fd: number): void;
}

export const nodeCacheFiles: CacheFiles = {
  open(path, mode) {
    if (mode === 'read') return openSync(path, 'r');
    try {
      return openSync(path, 'r+');
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error;
      return openSync(path, 'wx+');
    }
  },
  size: (fd) => fstatSync(fd).size,
  read: (fd, into, at) => readSync(fd, into, 0, into.length, at),
  write: (fd, bytes, at) => writeSync(fd, bytes, 0, bytes.length, at),
  truncate: (fd, size) => ftruncateSync(fd, size),
  close: (fd) => closeSync(fd),
};

export const nodeFiles: FileLayer = {
  open: (path, mode) => openSync(path, { create: 'w', append: 'a', directory: 'r' }[mode]),
  write: (fd, bytes, at) => writeSync(fd, bytes, 0, bytes.length, at ?? null),
  sync: (fd, what) => (what === 'data' ? fdatasyncSync(fd) : fsyncSync(fd)),
  syncLater: (fd, done) => fdatasync(fd, done),
  truncate: (fd, size) => ftruncateSync(fd, size),
  close: (fd) => closeSync(fd),
  rename: (from, to) => renameSync(from, to),
  link: (existing, path) => linkSync(existing, path),
  unlink: (path) => unlinkSync(path),
  real(path) {
    // /dev/stdout leads to a pipe that has no name.
    if (nodeFiles.special(path)) return path;
    let real = path;
    // As many as Linux follows; what leads on from there fails with ELOOP when it is opened.
    for (let links = 0; links < 40 && found(lstatSync, real)?.isSymbolicLink(); links++)
      real = resolve(dirname(real), readlinkSync(real));
    return real;
  },
  special(path) {
    const what = found(statSync, path);
    return what !== undefined && !what.isFile();
  },
  read(path) {
    try {
      // Plain bytes, also in what is decoded from them: a Buffer has a form of its own in JSON.
      const file = readFileSync(path);
      return new Uint8Array(file.buffer, file.byteOffset, file.byteLength);
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined;
      throw error;
    }
  },
  source(path) {
    let fd: number;
    try {
      fd = openSync(path, 'r');
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined;
      throw error;
    }
    return new FileSource(path, fd);
  },
  directory(path) {
    mkdirSync(path, { recursive: true });
    return readdirSync(path);
  },
  names(path) {
    try {
      return readdirSync(path);
    } catch {
      return [];
    }
  },
  cache: nodeCacheFiles,
};

/** What there is of this name; nothing too where a part of the path is no directory, which opening it tells. */
function found(look: (path: string) => Stats, path: string): Stats | undefined {
  try {
    return look(path);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes(codeOf(error))) return undefined;
    throw error;
  }
}

/** A run may have more files than a process may have open: so many are, and the others are opened again when they are read. */
const MOST_OPEN = 256;
const openSources = new Set<FileSource>();

class FileSource implements Source {
  readonly size: number;
  private readonly path: string;
  private readonly ino: number;
  private fd: number | undefined;
  constructor(path: string, fd: number) {
    this.path = path;
    ({ size: this.size, ino: this.ino } = fstatSync(fd));
    this.opened(fd);
  }
  read(at: number, length: number): Uint8Array {
    return readAt(this.fd ?? this.reopen(), at, Math.min(length, this.size - at));
  }
  close(): void {
    openSources.delete(this);
    if (this.fd !== undefined) closeSync(this.fd);
    this.fd = undefined;
  }

  private opened(fd: number): number {
    // The one that was opened first goes: a run is read from its beginning to its end.
    if (openSources.size >= MOST_OPEN) for (const source of [...openSources].slice(0, 1)) source.close();
    openSources.add(this);
    this.fd = fd;
    return fd;
  }
  private reopen(): number {
    const fd = openSync(this.path, 'r');
    if (fstatSync(fd).ino === this.ino) return this.opened(fd);
    closeSync(fd);
    throw Object.assign(new Error(`${this.path} was replaced`), { code: 'ESTALE', path: this.path });
  }
}

function readAt(fd: number, at: number, length: number): Uint8Array {
  const bytes = new Uint8Array(Math.max(0, length));
  for (let done = 0; done < bytes.length; ) {
    const count = readSync(fd, bytes, done, bytes.length - done, at + done);
    if (count === 0) return bytes.subarray(0, done);
    done += count;
  }
  return bytes;
}

/** Whether there is such a file. */
export function isThere(path: string, files: FileLayer): boolean {
  const source = files.source(path);
  source?.close?.();
  return source !== undefined;
}

/** Writes all of it, at the end or at `at`, however few bytes a call takes. */
export function writeAll(files: FileLayer, fd: number, bytes: Uint8Array, at?: number): void {
  for (let done = 0; done < bytes.length; ) {
    const taken = files.write(fd, bytes.subarray(done), at === undefined ? undefined : at + done);
    if (taken <= 0) throw Object.assign(new Error('a write took nothing'), { code: 'EIO' });
    done += taken;
  }
}

/** Makes new and removed names of a directory last, too. */
export function syncDirectory(files: FileLayer, path: string): void {
  const fd = files.open(path, 'directory');
  try {
    files.sync(fd, 'directory');
  } finally {
    files.close(fd);
  }
}

/** The name of what node:fs failed with. */
export const codeOf = (error: unknown): string => String((error as { code?: unknown } | undefined)?.code ?? error);
