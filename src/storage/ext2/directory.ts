// A directory: a file of entries, none of which crosses a block.
import { content } from './content.ts';
import { type Inode, kindOfEntry } from './inode.ts';
import { directoryEntry, entrySize, get, type Kind, NAME_AT, text } from './layout.ts';
import { fail, type Reading } from './reading.ts';
import type { Superblock } from './superblock.ts';

export interface DirectoryEntry {
  readonly name: string;
  readonly ino: number;
  /** Undefined where the file system was made without the feature. */
  readonly kind: Kind | undefined;
}

/**
 * What is in a directory, '.' and '..' included, in the order on disk. The tree of an indexed directory hides in entries
 * without an inode, so that reading in order is right for it too.
 *
 * ENOTDIR; EIO for entries that Linux does not accept (fs/ext2/dir.c, `ext2_check_page`; fs/readdir.c, `verify_dirent_name`);
 * EFBIG for a directory of more than 4 MiB, some 100,000 names, which only a damaged one has here.
 */
export function* entries(fs: Superblock, inode: Inode): Reading<DirectoryEntry[]> {
  if (inode.kind !== 'directory') return yield* fail('ENOTDIR', `inode ${inode.ino} is a ${inode.kind}`);
  if (inode.size > MAX_SIZE) return yield* fail('EFBIG', `directory ${inode.ino} has ${inode.size} bytes`);
  if (inode.size % fs.blockSize !== 0) return yield* fail('EIO', `directory ${inode.ino} ends within a block`);
  const bytes = yield* content(fs, inode, inode.size);

  const found: DirectoryEntry[] = [];
  for (let at = 0; at < bytes.length; ) {
    const ino = get(bytes, at, directoryEntry.inode);
    const room = get(bytes, at, directoryEntry.rec_len);
    const nameLength = get(bytes, at, directoryEntry.name_len);
    const left = fs.blockSize - (at % fs.blockSize);
    if (room < entrySize(nameLength) || room < SHORTEST || room % 4 !== 0 || room > left || ino > fs.inodes)
      return yield* fail('EIO', `bad entry at byte ${at} of directory ${inode.ino}`);
    if (ino !== 0) {
      const name = text(bytes.subarray(at + NAME_AT, at + NAME_AT + nameLength));
      if (name === '' || name.includes('/') || name.includes('\0'))
        return yield* fail('EIO', `bad name at byte ${at} of directory ${inode.ino}`);
      found.push({ name, ino, kind: kindOfEntry(get(bytes, at, directoryEntry.file_type)) });
    }
    at += room;
  }
  return found;
}

const MAX_SIZE = 4 << 20;
const SHORTEST = entrySize(1);
