// The content of a file: its blocks in order, found through direct entries and two levels of tables.
import { block } from './block.ts';
import type { Inode } from './inode.ts';
import { blockNumber, DIRECT_BLOCKS, get } from './layout.ts';
import { fail, type Reading } from './reading.ts';
import type { Superblock } from './superblock.ts';

/** The first `length` bytes, at most the file's size. Holes are zeros. EFBIG above 64 MiB, for a damaged or sparse file claims any size. */
export function* content(fs: Superblock, inode: Inode, length: number): Reading<Uint8Array> {
  if (length > MAX_CONTENT) return yield* fail('EFBIG', `${length} bytes of inode ${inode.ino} at once`);
  const numbers = yield* blockNumbers(fs, inode, Math.ceil(length / fs.blockSize));
  const bytes = new Uint8Array(length);
  for (let index = 0, run = 1; index < numbers.length; index += run) {
    // Neighbours in the file that are neighbours on disk are fetched together.
    const first = numbers[index]!;
    run = 1;
    while (first !== HOLE && numbers[index + run] === first + run) run++;
    for (let i = 0; i < run && first !== HOLE; i++) {
      const at = (index + i) * fs.blockSize;
      bytes.set((yield* block(fs, first + i, run - i)).subarray(0, length - at), at);
    }
  }
  return bytes;
}

/** What two levels of tables reach at any block size, so that there is no need for the third. */
const MAX_CONTENT = 64 << 20;
const HOLE = 0;

/** Where the file's first `count` blocks stand, HOLE where nothing was ever written. Each table is read once. */
function* blockNumbers(fs: Superblock, inode: Inode, count: number): Reading<Uint32Array> {
  const numbers = new Uint32Array(count);
  for (let i = 0; i < Math.min(count, DIRECT_BLOCKS); i++) numbers[i] = entry(inode.map, i);
  const perTable = fs.blockSize / 4;
  yield* collect(fs, { table: entry(inode.map, DIRECT_BLOCKS), reach: 1, first: DIRECT_BLOCKS }, numbers);
  yield* collect(fs, { table: entry(inode.map, DIRECT_BLOCKS + 1), reach: perTable, first: DIRECT_BLOCKS + perTable }, numbers);
  return numbers;
}

/** Puts in what `table` says about the blocks from `first` on; an entry of it stands for `reach` blocks. */
function* collect(
  fs: Superblock,
  { table, reach, first }: { table: number; reach: number; first: number },
  numbers: Uint32Array,
): Reading<void> {
  if (table === HOLE || first >= numbers.length) return;
  const bytes = yield* block(fs, table);
  for (let slot = 0, at = first; slot < fs.blockSize / 4 && at < numbers.length; slot++, at += reach) {
    if (reach === 1) numbers[at] = entry(bytes, slot);
    else yield* collect(fs, { table: entry(bytes, slot), reach: 1, first: at }, numbers);
  }
}

const entry = (table: Uint8Array, index: number): number => get(table, index * 4, blockNumber);
