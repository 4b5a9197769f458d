// From a path to an inode, as Linux walks it (fs/namei.c).
import { content } from './content.ts';
import { entries } from './directory.ts';
import { type Inode, readInode } from './inode.ts';
import { I_BLOCK, NAME_LEN_MAX, ROOT_INO, text } from './layout.ts';
import { fail, type Reading } from './reading.ts';
import type { Superblock } from './superblock.ts';

/** Whether a symlink at the end of a path is followed (stat) or is itself meant (lstat). On the way they always are. */
export type LastSymlink = 'follow' | 'nofollow';

/**
 * The inode that a path names. Paths are strings of one char a byte; one that does not start with '/' starts at the root as well.
 * A slash at the end demands a directory. '..' is the directory one came from, and the root's is the root.
 *
 * ENOENT, ENOTDIR, ELOOP after 40 symlinks, ENAMETOOLONG for a path of 4096 or a name of 256 bytes.
 */
export function* lookup(fs: Superblock, path: string, last: LastSymlink = 'follow'): Reading<Inode> {
  if (path === '') return yield* fail('ENOENT', 'the path is empty');
  if (path.length >= PATH_MAX) return yield* fail('ENAMETOOLONG', `a path of ${path.length} bytes`);
  const trail = [yield* readInode(fs, ROOT_INO)];
  /** The names still to walk, the next one at the end. */
  const names = path.split('/').reverse();
  let followed = 0;
  for (let name = names.pop(); name !== undefined; name = names.pop()) {
    const here = trail.at(-1)!;
    if (here.kind !== 'directory') return yield* fail('ENOTDIR', `${path}: no directory before "${name}"`);
    if (name === '' || name === '.') continue;
    if (name === '..') {
      if (trail.length > 1) trail.pop();
      continue;
    }
    if (name.length > NAME_LEN_MAX) return yield* fail('ENAMETOOLONG', `${path}: a name of ${name.length} bytes`);
    const entry = (yield* entries(fs, here)).find((candidate) => candidate.name === name);
    if (!entry) return yield* fail('ENOENT', `${path}: no "${name}"`);
    const inode = yield* readInode(fs, entry.ino);
    if (inode.kind !== 'symlink' || (last === 'nofollow' && names.length === 0)) {
      trail.push(inode);
      continue;
    }
    if (++followed > MAXSYMLINKS) return yield* fail('ELOOP', `${path}: more than ${MAXSYMLINKS} symlinks`);
    const target = yield* targetOf(fs, inode);
    if (target === '') return yield* fail('ENOENT', `${path}: "${name}" is an empty symlink`);
    if (target.startsWith('/')) trail.length = 1;
    names.push(...target.split('/').reverse());
  }
  return trail.at(-1)!;
}

/**
 * Where a symlink leads. One without blocks keeps its target in the inode (fs/ext2/inode.c, `ext2_inode_is_fast_symlink`).
 * EINVAL for another file, as readlink(2); EIO for a target longer than its place or than a path.
 */
export function* targetOf(fs: Superblock, inode: Inode): Reading<string> {
  if (inode.kind !== 'symlink') return yield* fail('EINVAL', `inode ${inode.ino} is a ${inode.kind}`);
  const isFast = inode.blocks - (inode.fileAcl === 0 ? 0 : fs.blockSize / 512) === 0;
  const longest = isFast ? I_BLOCK.length - 1 : Math.min(fs.blockSize, PATH_MAX) - 1;
  if (inode.size > longest) return yield* fail('EIO', `symlink ${inode.ino} has a target of ${inode.size} bytes`);
  return text(isFast ? inode.map.subarray(0, inode.size) : yield* content(fs, inode, inode.size));
}

/** Linux, include/linux/namei.h and include/uapi/linux/limits.h. */
const MAXSYMLINKS = 40;
const PATH_MAX = 4096;
