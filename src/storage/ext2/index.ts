// An ext2 file system to read from. Every operation is run by `attempt`; see there how it waits for the disk.
import { content } from './content.ts';
import { type DirectoryEntry, entries } from './directory.ts';
import type { Stat } from './inode.ts';
import { type LastSymlink, lookup, targetOf } from './path.ts';
import { fail, type Reading } from './reading.ts';
import type { Superblock } from './superblock.ts';

export type { DirectoryEntry } from './directory.ts';
export type { Inode, Stat } from './inode.ts';
export type { Kind } from './layout.ts';
export { type MkfsOptions, type MkfsResult, mkfs } from './mkfs.ts';
export { type LastSymlink, lookup } from './path.ts';
export { type Attempt, attempt, type Failure, type FsErrno, type Reading, type SectorRange } from './reading.ts';
export { readSuperblock, type Superblock } from './superblock.ts';
export { directory, type FileNode, type FileTree, file, symlink } from './tree.ts';

/** stat(2), or lstat(2) with 'nofollow'. Errors as `lookup`. */
export function* stat(fs: Superblock, path: string, last: LastSymlink = 'follow'): Reading<Stat> {
  const { map, fileAcl, ...shown } = yield* lookup(fs, path, last);
  return shown;
}

/** The entries of a directory, '.' and '..' included, in the order on disk. ENOTDIR, EIO, and the errors of `lookup`. */
export function* readdir(fs: Superblock, path: string): Reading<DirectoryEntry[]> {
  return yield* entries(fs, yield* lookup(fs, path));
}

/** The target of a symlink. EINVAL for another file. */
export function* readlink(fs: Superblock, path: string): Reading<string> {
  return yield* targetOf(fs, yield* lookup(fs, path, 'nofollow'));
}

/**
 * The first `maxBytes` bytes of a file, or all of them. EISDIR for a directory, ENXIO for a device, fifo or socket: nobody is
 * behind it. EFBIG where that is over 64 MiB.
 */
export function* readFile(fs: Superblock, path: string, maxBytes: number): Reading<Uint8Array> {
  const inode = yield* lookup(fs, path);
  if (inode.kind === 'directory') return yield* fail('EISDIR', `${path} is a directory`);
  if (inode.kind !== 'file') return yield* fail('ENXIO', `${path} is a ${inode.kind}`);
  return yield* content(fs, inode, Math.max(0, Math.min(inode.size, Math.floor(maxBytes))));
}
