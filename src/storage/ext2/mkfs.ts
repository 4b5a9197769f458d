// Makes a small ext2 file system with everything in it at once.
import {
  blockNumber,
  DIRECT_BLOCKS,
  directoryEntry,
  entrySize,
  FIRST_INO,
  groupDescriptor,
  I_BLOCK,
  INCOMPAT_FILETYPE,
  INODE_SIZE,
  inode as inodeLayout,
  kinds,
  MAGIC,
  NAME_AT,
  NAME_LEN_MAX,
  put,
  ROOT_INO,
  S_UUID,
  S_VOLUME_NAME,
  SUPERBLOCK_AT,
  superblock,
} from './layout.ts';
import { directory, type FileNode, type FileTree } from './tree.ts';

export interface MkfsOptions {
  /** At most 16 bytes. */
  readonly label: string;
  /** 32 hexadecimal digits; dashes do not matter. */
  readonly uuid: string;
  readonly blockSize: 1024 | 2048 | 4096;
  readonly files: FileTree;
  /** Size in blocks; without it, as few as hold the files. */
  readonly blocks?: number;
  /** Inodes that stay free, at least. */
  readonly spareInodes?: number;
  /** Seconds since 1970 on every file and in the superblock. */
  readonly time?: number;
}
export type MkfsResult =
  | { readonly ok: true; readonly bytes: Uint8Array }
  | { readonly ok: false; readonly errno: 'EINVAL' | 'ENAMETOOLONG' | 'ENOSPC'; readonly reason: string };

/**
 * An ext2 file system of revision 1, without a journal, in one block group (8 MiB at blocks of 1 KiB): the same bytes for the same
 * options. lost+found is there as after mke2fs. The reserved blocks are none.
 *
 * EINVAL for a label, uuid, name or symlink that can not be; ENAMETOOLONG; ENOSPC where the files need more blocks than there are.
 */
export function mkfs(options: MkfsOptions): MkfsResult {
  const { blockSize, blocks: asked, spareInodes = 0 } = options;
  if (![1024, 2048, 4096].includes(blockSize)) return refuse('EINVAL', `block size ${blockSize}`);
  if (![asked ?? 0, spareInodes].every((count) => Number.isSafeInteger(count) && count >= 0))
    return refuse('EINVAL', `${asked} blocks, ${spareInodes} spare inodes`);
  const uuid = parseUuid(options.uuid);
  if (!uuid) return refuse('EINVAL', `"${options.uuid}" is no uuid`);
  if (!isByteString(options.label) || options.label.length > S_VOLUME_NAME.length)
    return refuse('EINVAL', `label "${options.label}" is longer than 16 bytes`);
  const planned = plan(options.files, blockSize);
  if (!Array.isArray(planned)) return planned;

  const geometry = measure(planned, options);
  const limit = Math.min(asked ?? Number.MAX_SAFE_INTEGER, blockSize * 8 + geometry.firstDataBlock);
  const blocks = asked ?? geometry.used;
  if (geometry.used > limit || blocks > limit || geometry.inodes > blockSize * 8)
    return refuse('ENOSPC', `${geometry.used} blocks and ${geometry.inodes} inodes in one group of ${limit} blocks`);

  const bytes = new Uint8Array(blocks * blockSize);
  const disk = new Disk(bytes, blockSize, geometry.firstFree);
  for (const file of planned) writeInode(disk, geometry, file, options.time ?? 0);
  writeBitmaps(bytes, geometry, { blockSize, blocks, inodesUsed: FIRST_INO + planned.length - 2 });
  writeHeads(bytes, geometry, { ...options, uuid, blocks, planned });
  return { ok: true, bytes };
}

/** A file with its number and, where it has blocks, what is to stand in them. */
interface Planned {
  readonly ino: number;
  readonly node: FileNode;
  readonly content: Uint8Array;
  readonly links: number;
}
interface Geometry {
  readonly firstDataBlock: number;
  readonly inodes: number;
  readonly blockBitmap: number;
  readonly inodeBitmap: number;
  readonly inodeTable: number;
  /** The first block behind the inode table. */
  readonly firstFree: number;
  /** Blocks from 0 to the last one that holds something. */
  readonly used: number;
}

/** Numbers the tree breadth first, lost+found first of all as the tools expect it, names in the order of their bytes. */
function plan(files: FileTree, blockSize: number): Planned[] | (MkfsResult & { ok: false }) {
  if ((files[LOST_FOUND]?.kind ?? 'directory') !== 'directory') return refuse('EINVAL', `${LOST_FOUND} is a directory`);
  const top = directory({ ...files, [LOST_FOUND]: files[LOST_FOUND] ?? directory({}, { mode: 0o700 }) });
  const found = [{ ino: ROOT_INO, parent: ROOT_INO, node: top }];
  const planned: Planned[] = [];
  let next = FIRST_INO;
  for (let i = 0; i < found.length; i++) {
    const { ino, parent, node } = found[i]!;
    if (node.kind === 'file') planned.push({ ino, node, content: node.bytes, links: 1 });
    else if (node.kind === 'symlink') {
      if (!isByteString(node.target) || node.target === '' || node.target.length >= blockSize)
        return refuse('EINVAL', `a symlink can not lead to "${node.target}"`);
      planned.push({ ino, node, content: node.target.length < I_BLOCK.length ? EMPTY : fromText(node.target), links: 1 });
    } else {
      const names = Object.keys(node.files).sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
      const entries = [
        { name: '.', ino, kind: node.kind },
        { name: '..', ino: parent, kind: node.kind },
      ] as Named[];
      for (const name of names) {
        if (!isByteString(name) || name === '' || name === '.' || name === '..' || name.includes('/'))
          return refuse('EINVAL', `"${name}" is no name for a file`);
        if (name.length > NAME_LEN_MAX) return refuse('ENAMETOOLONG', `a name of ${name.length} bytes`);
        const child = node.files[name]!;
        entries.push({ name, ino: next, kind: child.kind });
        found.push({ ino: next++, parent: ino, node: child });
      }
      const subdirectories = entries.filter(({ kind }) => kind === 'directory').length - 2;
      planned.push({ ino, node, content: directoryContent(entries, blockSize), links: 2 + subdirectories });
    }
  }
  return planned;
}

const LOST_FOUND = 'lost+found';
const EMPTY = new Uint8Array(0);
const rank = (name: string): number => (name === LOST_FOUND ? 0 : 1);

interface Named {
  readonly name: string;
  readonly ino: number;
  readonly kind: FileNode['kind'];
}

/** Whole blocks of entries; the last entry of each block reaches to its end. */
function directoryContent(entries: readonly Named[], blockSize: number): Uint8Array {
  const starts: number[] = [];
  let end = 0;
  for (const { name } of entries) {
    const size = entrySize(name.length);
    if ((end % blockSize) + size > blockSize || (end % blockSize === 0 && end > 0)) end = Math.ceil(end / blockSize) * blockSize;
    starts.push(end);
    end += size;
  }
  const bytes = new Uint8Array(Math.ceil(end / blockSize) * blockSize);
  entries.forEach(({ name, ino, kind }, i) => {
    const at = starts[i]!;
    const blockEnd = (Math.floor(at / blockSize) + 1) * blockSize;
    put(bytes, at, directoryEntry.inode, ino);
    put(bytes, at, directoryEntry.rec_len, Math.min(starts[i + 1] ?? blockEnd, blockEnd) - at);
    put(bytes, at, directoryEntry.name_len, name.length);
    put(bytes, at, directoryEntry.file_type, kinds[kind].fileType);
    bytes.set(fromText(name), at + NAME_AT);
  });
  return bytes;
}

function measure(planned: readonly Planned[], { blockSize, spareInodes = 0 }: MkfsOptions): Geometry {
  const perBlock = blockSize / INODE_SIZE;
  const inodes = Math.ceil((FIRST_INO + planned.length - 2 + spareInodes) / perBlock) * perBlock;
  const firstDataBlock = blockSize === 1024 ? 1 : 0;
  const inodeTable = firstDataBlock + 4;
  const firstFree = inodeTable + inodes / perBlock;
  const used = planned.reduce((sum, { content }) => sum + blocksFor(content.length, blockSize), firstFree);
  return {
    firstDataBlock,
    inodes,
    blockBitmap: firstDataBlock + 2,
    inodeBitmap: firstDataBlock + 3,
    inodeTable,
    firstFree,
    used,
  };
}

/** Data blocks and tables. One group holds no file that would need the third level. */
function blocksFor(length: number, blockSize: number): number {
  const perTable = blockSize / 4;
  const data = Math.ceil(length / blockSize);
  const single = data > DIRECT_BLOCKS ? 1 : 0;
  const beyond = data - DIRECT_BLOCKS - perTable;
  return data + single + (beyond > 0 ? 1 + Math.ceil(beyond / perTable) : 0);
}

/** Gives out blocks in ascending order: a file's data in one run, then its tables. */
class Disk {
  readonly bytes: Uint8Array;
  readonly blockSize: number;
  private next: number;
  constructor(bytes: Uint8Array, blockSize: number, next: number) {
    this.bytes = bytes;
    this.blockSize = blockSize;
    this.next = next;
  }

  /** Writes a file's content and answers i_block. */
  write(content: Uint8Array): Uint8Array {
    const map = new Uint8Array(I_BLOCK.length);
    const data = Math.ceil(content.length / this.blockSize);
    const first = this.next;
    this.bytes.set(content, first * this.blockSize);
    this.next += data;
    const perTable = this.blockSize / 4;
    for (let i = 0; i < Math.min(data, DIRECT_BLOCKS); i++) put(map, i * 4, blockNumber, first + i);
    for (let depth = 1, done = DIRECT_BLOCKS; done < data; done += perTable ** depth++)
      put(map, (DIRECT_BLOCKS + depth - 1) * 4, blockNumber, this.table(depth, first + done, first + data));
    return map;
  }

  /** A table that leads to the data blocks from `from` on, through further tables when `depth` is above 1. */
  private table(depth: number, from: number, end: number): number {
    const table = this.next++;
    const reach = (this.blockSize / 4) ** (depth - 1);
    for (let slot = 0; slot < this.blockSize / 4 && from + slot * reach < end; slot++) {
      const target = from + slot * reach;
      put(this.bytes, table * this.blockSize + slot * 4, blockNumber, depth === 1 ? target : this.table(depth - 1, target, end));
    }
    return table;
  }
}

function writeInode(disk: Disk, { inodeTable }: Geometry, { ino, node, content, links }: Planned, time: number): void {
  const at = inodeTable * disk.blockSize + (ino - 1) * INODE_SIZE;
  const set = (name: keyof typeof inodeLayout, value: number) => put(disk.bytes, at, inodeLayout[name], value);
  set('i_mode', kinds[node.kind].format | (node.mode & 0o7777));
  set('i_uid', node.uid);
  set('l_i_uid_high', node.uid >>> 16);
  set('i_gid', node.gid);
  set('l_i_gid_high', node.gid >>> 16);
  set('i_size', node.kind === 'symlink' ? node.target.length : content.length);
  for (const stamp of ['i_atime', 'i_ctime', 'i_mtime'] as const) set(stamp, time);
  set('i_links_count', links);
  set('i_blocks', (blocksFor(content.length, disk.blockSize) * disk.blockSize) / 512);
  const isFast = node.kind === 'symlink' && content.length === 0;
  disk.bytes.set(isFast ? fromText(node.target) : disk.write(content), at + I_BLOCK.offset);
}

/** Bits beyond the end of what a bitmap describes are set, so that nobody takes them. */
function writeBitmaps(
  bytes: Uint8Array,
  geometry: Geometry,
  { blockSize, blocks, inodesUsed }: { blockSize: number; blocks: number; inodesUsed: number },
): void {
  const write = (block: number, used: number, total: number) => {
    for (let bit = 0; bit < blockSize * 8; bit++)
      if (bit < used || bit >= total) bytes[block * blockSize + (bit >> 3)]! |= 1 << (bit & 7);
  };
  write(geometry.blockBitmap, geometry.used - geometry.firstDataBlock, blocks - geometry.firstDataBlock);
  write(geometry.inodeBitmap, inodesUsed, geometry.inodes);
}

function writeHeads(
  bytes: Uint8Array,
  geometry: Geometry,
  {
    label,
    uuid,
    blockSize,
    blocks,
    planned,
    time = 0,
  }: Omit<MkfsOptions, 'uuid'> & { uuid: Uint8Array; blocks: number; planned: readonly Planned[] },
): void {
  const freeBlocks = blocks - geometry.used;
  const freeInodes = geometry.inodes - (FIRST_INO + planned.length - 2);
  const log = Math.log2(blockSize / 1024);
  const head: Record<keyof typeof superblock, number> = {
    s_inodes_count: geometry.inodes,
    s_blocks_count: blocks,
    s_free_blocks_count: freeBlocks,
    s_free_inodes_count: freeInodes,
    s_first_data_block: geometry.firstDataBlock,
    s_log_block_size: log,
    s_log_frag_size: log,
    s_blocks_per_group: blockSize * 8,
    s_frags_per_group: blockSize * 8,
    s_inodes_per_group: geometry.inodes,
    s_wtime: time,
    s_max_mnt_count: 0xffff, // never checked because of mounts
    s_magic: MAGIC,
    s_state: 1, // clean
    s_errors: 1, // go on
    s_lastcheck: time,
    s_rev_level: 1,
    s_first_ino: FIRST_INO,
    s_inode_size: INODE_SIZE,
    s_feature_incompat: INCOMPAT_FILETYPE,
    s_mkfs_time: time,
  };
  for (const name of Object.keys(superblock) as (keyof typeof superblock)[])
    put(bytes, SUPERBLOCK_AT, superblock[name], head[name]);
  bytes.set(uuid, SUPERBLOCK_AT + S_UUID.offset);
  bytes.set(fromText(label), SUPERBLOCK_AT + S_VOLUME_NAME.offset);

  const group: Record<keyof typeof groupDescriptor, number> = {
    bg_block_bitmap: geometry.blockBitmap,
    bg_inode_bitmap: geometry.inodeBitmap,
    bg_inode_table: geometry.inodeTable,
    bg_free_blocks_count: freeBlocks,
    bg_free_inodes_count: freeInodes,
    bg_used_dirs_count: planned.filter(({ node }) => node.kind === 'directory').length,
  };
  const at = (geometry.firstDataBlock + 1) * blockSize;
  for (const name of Object.keys(group) as (keyof typeof group)[]) put(bytes, at, groupDescriptor[name], group[name]);
}

function parseUuid(uuid: string): Uint8Array | undefined {
  const digits = uuid.replaceAll('-', '');
  if (!/^[0-9a-f]{32}$/i.test(digits)) return undefined;
  return Uint8Array.from({ length: S_UUID.length }, (_, i) => Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16));
}

const isByteString = (value: string): boolean => fromText(value).every((code, i) => code === value.charCodeAt(i) && code !== 0);
const fromText = (value: string): Uint8Array => Uint8Array.from({ length: value.length }, (_, i) => value.charCodeAt(i));
const refuse = (errno: 'EINVAL' | 'ENAMETOOLONG' | 'ENOSPC', reason: string) => ({ ok: false, errno, reason }) as const;
