// An inode: what a file is, and where its content stands.
import { block } from './block.ts';
import { DESCRIPTOR_SIZE, get, groupDescriptor, I_BLOCK, type Kind, kinds, inode as layout, ROOT_INO } from './layout.ts';
import { fail, type Reading } from './reading.ts';
import type { Superblock } from './superblock.ts';

/** As stat(2) answers. Times are seconds since 1970, 32 bits with a sign. */
export interface Stat {
  readonly ino: number;
  readonly kind: Kind;
  /** The twelve permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly nlink: number;
  /** In bytes. */
  readonly size: number;
  /** In units of 512 bytes, tables included. */
  readonly blocks: number;
  readonly atime: number;
  readonly ctime: number;
  readonly mtime: number;
}

export interface Inode extends Stat {
  /** i_block as it stands on disk: block numbers, or a short symlink's target. */
  readonly map: Uint8Array;
  /** i_file_acl: the block of extended attributes, which counts into `blocks`; 0 without. */
  readonly fileAcl: number;
}

/** EIO for a number that no file can have, an inode that is deleted, or one of no known kind (fs/ext2/inode.c, `ext2_get_inode`, `ext2_iget`). */
export function* readInode(fs: Superblock, ino: number): Reading<Inode> {
  if (ino !== ROOT_INO && (ino < fs.firstIno || ino > fs.inodes)) return yield* fail('EIO', `inode ${ino} of ${fs.inodes}`);
  const group = Math.floor((ino - 1) / fs.inodesPerGroup);
  const perBlock = fs.blockSize / DESCRIPTOR_SIZE;
  const descriptors = yield* block(fs, fs.firstDataBlock + 1 + Math.floor(group / perBlock));
  const table = get(descriptors, (group % perBlock) * DESCRIPTOR_SIZE, groupDescriptor.bg_inode_table);

  const offset = ((ino - 1) % fs.inodesPerGroup) * fs.inodeSize;
  const bytes = yield* block(fs, table + Math.floor(offset / fs.blockSize));
  const at = offset % fs.blockSize;
  const field = (name: keyof typeof layout) => get(bytes, at, layout[name]);

  if (field('i_links_count') === 0) return yield* fail('EIO', `inode ${ino} is deleted`);
  const kind = kindOf(field('i_mode'));
  if (kind === undefined) return yield* fail('EIO', `inode ${ino} is of no known kind, mode ${field('i_mode').toString(8)}`);
  const size = field('i_size') + (kind === 'file' ? field('i_size_high') * 2 ** 32 : 0);
  if (!Number.isSafeInteger(size)) return yield* fail('EIO', `inode ${ino} has an impossible size`);
  return {
    ino,
    kind,
    mode: field('i_mode') & 0o7777,
    uid: field('i_uid') | (field('l_i_uid_high') << 16),
    gid: field('i_gid') | (field('l_i_gid_high') << 16),
    nlink: field('i_links_count'),
    size,
    blocks: field('i_blocks'),
    atime: field('i_atime') | 0,
    ctime: field('i_ctime') | 0,
    mtime: field('i_mtime') | 0,
    map: bytes.slice(at + I_BLOCK.offset, at + I_BLOCK.offset + I_BLOCK.length),
    fileAcl: field('i_file_acl'),
  };
}

/** What a directory entry's file_type stands for; undefined where the file system does not say. */
export const kindOfEntry = (fileType: number): Kind | undefined => byFileType.get(fileType);

const kindOf = (mode: number): Kind | undefined => byFormat.get(mode & 0xf000);
const named = Object.entries(kinds) as [Kind, (typeof kinds)[Kind]][];
const byFormat: ReadonlyMap<number, Kind> = new Map(named.map(([kind, { format }]) => [format, kind]));
const byFileType: ReadonlyMap<number, Kind> = new Map(named.map(([kind, { fileType }]) => [fileType, kind]));
