// Where things stand on an ext2 disk. Names, offsets and sizes as in Linux, Documentation/filesystems/ext4/ and fs/ext2/ext2.h; all little-endian.

/** Offset in the structure and size, in bytes. */
export type Field = readonly [offset: number, size: 1 | 2 | 4];

export const superblock = {
  s_inodes_count: [0, 4],
  s_blocks_count: [4, 4],
  s_free_blocks_count: [12, 4],
  s_free_inodes_count: [16, 4],
  s_first_data_block: [20, 4],
  s_log_block_size: [24, 4],
  s_log_frag_size: [28, 4],
  s_blocks_per_group: [32, 4],
  s_frags_per_group: [36, 4],
  s_inodes_per_group: [40, 4],
  s_wtime: [48, 4],
  s_max_mnt_count: [54, 2],
  s_magic: [56, 2],
  s_state: [58, 2],
  s_errors: [60, 2],
  s_lastcheck: [64, 4],
  s_rev_level: [76, 4],
  s_first_ino: [84, 4],
  s_inode_size: [88, 2],
  s_feature_incompat: [96, 4],
  s_mkfs_time: [264, 4],
} as const satisfies Record<string, Field>;
export const S_UUID = { offset: 104, length: 16 } as const;
export const S_VOLUME_NAME = { offset: 120, length: 16 } as const;

export const groupDescriptor = {
  bg_block_bitmap: [0, 4],
  bg_inode_bitmap: [4, 4],
  bg_inode_table: [8, 4],
  bg_free_blocks_count: [12, 2],
  bg_free_inodes_count: [14, 2],
  bg_used_dirs_count: [16, 2],
} as const satisfies Record<string, Field>;

export const inode = {
  i_mode: [0, 2],
  i_uid: [2, 2],
  i_size: [4, 4],
  i_atime: [8, 4],
  i_ctime: [12, 4],
  i_mtime: [16, 4],
  i_dtime: [20, 4],
  i_gid: [24, 2],
  i_links_count: [26, 2],
  i_blocks: [28, 4],
  i_file_acl: [104, 4],
  /** i_dir_acl of a directory. */
  i_size_high: [108, 4],
  l_i_uid_high: [120, 2],
  l_i_gid_high: [122, 2],
} as const satisfies Record<string, Field>;
/** 15 block numbers: 12 direct, then one each for one, two and three levels of tables. A short symlink's target stands here instead. */
export const I_BLOCK = { offset: 40, length: 60 } as const;
/** An entry of i_block or of a table of blocks. */
export const blockNumber: Field = [0, 4];

export const directoryEntry = {
  inode: [0, 4],
  rec_len: [4, 2],
  name_len: [6, 1],
  file_type: [7, 1],
} as const satisfies Record<string, Field>;
export const NAME_AT = 8;
export const NAME_LEN_MAX = 255;
/** The room that an entry with a name of this length takes at least. */
export const entrySize = (nameLength: number): number => (NAME_AT + nameLength + 3) & ~3;

/** The superblock stands at byte 1024, whatever the block size, and takes 1024 bytes. */
export const SUPERBLOCK_AT = 1024;
export const SUPERBLOCK_SIZE = 1024;
export const MAGIC = 0xef53;
export const ROOT_INO = 2;
export const FIRST_INO = 11;
export const INODE_SIZE = 128;
export const DESCRIPTOR_SIZE = 32;
export const DIRECT_BLOCKS = 12;
/** A directory entry says what kind of file it names. */
export const INCOMPAT_FILETYPE = 0x2;

/** What a file is: in the upper bits of i_mode, and (`fileType`) in directory entries. */
export const kinds = {
  fifo: { format: 0x1000, fileType: 5 },
  'character device': { format: 0x2000, fileType: 3 },
  directory: { format: 0x4000, fileType: 2 },
  'block device': { format: 0x6000, fileType: 4 },
  file: { format: 0x8000, fileType: 1 },
  symlink: { format: 0xa000, fileType: 7 },
  socket: { format: 0xc000, fileType: 6 },
} as const;
export type Kind = keyof typeof kinds;

/** The field of the structure at `base`; bytes beyond the end read as zeros. */
export function get(bytes: Uint8Array, base: number, [offset, size]: Field): number {
  let value = 0;
  for (let i = size - 1; i >= 0; i--) value = value * 256 + (bytes[base + offset + i] ?? 0);
  return value;
}

export function put(bytes: Uint8Array, base: number, [offset, size]: Field, value: number): void {
  for (let i = 0; i < size; i++) bytes[base + offset + i] = value >>> (8 * i);
}

/** Names, paths and targets are chosen by guests: strings of one char a byte. */
export function text(bytes: Uint8Array): string {
  let result = '';
  for (const byte of bytes) result += String.fromCharCode(byte);
  return result;
}
