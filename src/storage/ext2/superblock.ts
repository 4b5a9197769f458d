// The superblock: what a mount learns of a file system.
import { PAGE_SIZE } from '../../../events/units.ts';
import { SECTOR_SIZE } from '../image.ts';
import {
  FIRST_INO,
  get,
  INCOMPAT_FILETYPE,
  INODE_SIZE,
  MAGIC,
  S_UUID,
  S_VOLUME_NAME,
  SUPERBLOCK_AT,
  SUPERBLOCK_SIZE,
  superblock,
  text,
} from './layout.ts';
import { fail, type Reading } from './reading.ts';

/** Plain data; every operation takes it. All its figures are consistent with each other and with the size of the device. */
export interface Superblock {
  readonly label: string;
  /** As blkid prints it. */
  readonly uuid: string;
  /** 1024, 2048 or 4096 bytes. */
  readonly blockSize: number;
  readonly blocks: number;
  readonly freeBlocks: number;
  readonly inodes: number;
  readonly freeInodes: number;
  readonly firstDataBlock: number;
  readonly blocksPerGroup: number;
  readonly inodesPerGroup: number;
  /** Bytes an inode takes in the table. */
  readonly inodeSize: number;
  readonly firstIno: number;
  /** Unmounted properly the last time (s_state). */
  readonly clean: boolean;
}

/**
 * Mounts, read-only, what is on a device of `sectors` sectors.
 *
 * EINVAL where Linux does not mount: no ext2, unsupported features in s_feature_incompat, figures that contradict each other or
 * the device (fs/ext2/super.c, `ext2_fill_super`; fs/ext4/super.c for the device). FILETYPE is the one feature supported; Linux's
 * ext2 has META_BG besides, for devices far larger than ours. A journal that waits to be replayed is refused, as Linux's ext2
 * does. s_feature_compat and s_feature_ro_compat matter only to those who write.
 */
export function* readSuperblock(sectors: number): Reading<Superblock> {
  if (sectors * SECTOR_SIZE < SUPERBLOCK_AT + SUPERBLOCK_SIZE)
    return yield* fail('EINVAL', 'the device is too small for a superblock');
  const page = yield { page: 0, ahead: 0 };
  const field = (name: keyof typeof superblock) => get(page, SUPERBLOCK_AT, superblock[name]);

  if (field('s_magic') !== MAGIC) return yield* fail('EINVAL', 'no ext2 file system on the device');
  const revision = field('s_rev_level');
  const unsupported = revision === 0 ? 0 : field('s_feature_incompat') & ~INCOMPAT_FILETYPE;
  if (unsupported !== 0) return yield* fail('EINVAL', `unsupported optional features (${(unsupported >>> 0).toString(16)})`);
  const blockSize = field('s_log_block_size') <= 2 ? 1024 << field('s_log_block_size') : 0;
  if (blockSize === 0) return yield* fail('EINVAL', `block size 2^${field('s_log_block_size')} KiB is more than a page`);
  const inodeSize = revision === 0 ? INODE_SIZE : field('s_inode_size');
  if (inodeSize < INODE_SIZE || inodeSize > blockSize || (inodeSize & (inodeSize - 1)) !== 0)
    return yield* fail('EINVAL', `unsupported inode size ${inodeSize}`);

  const fs: Superblock = {
    label: text(nulTerminated(page, S_VOLUME_NAME)),
    uuid: formatUuid(page.subarray(SUPERBLOCK_AT + S_UUID.offset, SUPERBLOCK_AT + S_UUID.offset + S_UUID.length)),
    blockSize,
    blocks: field('s_blocks_count'),
    freeBlocks: field('s_free_blocks_count'),
    inodes: field('s_inodes_count'),
    freeInodes: field('s_free_inodes_count'),
    firstDataBlock: field('s_first_data_block'),
    blocksPerGroup: field('s_blocks_per_group'),
    inodesPerGroup: field('s_inodes_per_group'),
    inodeSize,
    firstIno: revision === 0 ? FIRST_INO : field('s_first_ino'),
    clean: (field('s_state') & 1) === 1,
  };
  const wrong = contradiction(fs, sectors);
  return wrong === undefined ? fs : yield* fail('EINVAL', wrong);
}

/** Groups, the last of which may be shorter. */
export const groupsOf = (fs: Superblock): number => Math.ceil((fs.blocks - fs.firstDataBlock) / fs.blocksPerGroup);

export const blocksPerPage = (fs: Superblock): number => PAGE_SIZE / fs.blockSize;

/** A group's two bitmaps take one block each, which is what bounds a group. */
function contradiction(fs: Superblock, sectors: number): string | undefined {
  const bits = fs.blockSize * 8;
  if (fs.blocksPerGroup < 1 || fs.blocksPerGroup > bits) return `${fs.blocksPerGroup} blocks in a group`;
  if (fs.inodesPerGroup < 1 || fs.inodesPerGroup > bits) return `${fs.inodesPerGroup} inodes in a group`;
  if (fs.firstDataBlock !== (fs.blockSize === 1024 ? 1 : 0)) return `first data block ${fs.firstDataBlock}`;
  if (fs.blocks <= fs.firstDataBlock) return `${fs.blocks} blocks`;
  if (fs.blocks * fs.blockSize > sectors * SECTOR_SIZE)
    return `${fs.blocks} blocks of ${fs.blockSize} bytes on a device of ${sectors} sectors`;
  if (fs.inodes !== groupsOf(fs) * fs.inodesPerGroup)
    return `${fs.inodes} inodes in ${groupsOf(fs)} groups of ${fs.inodesPerGroup}`;
  return undefined;
}

function nulTerminated(page: Uint8Array, { offset, length }: { offset: number; length: number }): Uint8Array {
  const bytes = page.subarray(SUPERBLOCK_AT + offset, SUPERBLOCK_AT + offset + length);
  const end = bytes.indexOf(0);
  return end < 0 ? bytes : bytes.subarray(0, end);
}

function formatUuid(bytes: Uint8Array): string {
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
