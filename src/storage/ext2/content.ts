// The content of a file: its blocks in order, found through direct entries and up to three levels of tables.
import { block } from './block.ts';
import type { Inode } from './inode.ts';
import { blockNumber, DIRECT_BLOCKS, get } from './layout.ts';
import { fail, MAX_AHEAD, type Reading } from './reading.ts';
import { blocksPerPage, type Superblock } from './superblock.ts';

/** The first `length` bytes. Holes are zeros. `length` is at most the file's size; the caller bounds it, for it is allocated at once. */
export function* content(fs: Superblock, inode: Inode, length: number): Reading<Uint8Array> {
  const bytes = new Uint8Array(length);
  const count = Math.ceil(length / fs.blockSize);
  const longest = MAX_AHEAD * blocksPerPage(fs);
  for (let index = 0; index < count; ) {
    const first = yield* blockAt(fs, inode, index);
    let run = 1;
    if (first !== HOLE) {
      // Neighbours in the file that are neighbours on disk are fetched together.
      while (run < longest && index + run < count && (yield* blockAt(fs, inode, index + run)) === first + run) run++;
      for (let i = 0; i < run; i++) {
        const at = (index + i) * fs.blockSize;
        bytes.set((yield* block(fs, first + i, run - i)).subarray(0, length - at), at);
      }
    }
    index += run;
  }
  return bytes;
}

const HOLE = 0;

/** The number of the file's `index`th block, or HOLE. EIO beyond what three tables can reach (fs/ext2/inode.c, `ext2_block_to_path`). */
function* blockAt(fs: Superblock, inode: Inode, index: number): Reading<number> {
  if (index < DIRECT_BLOCKS) return entry(inode.map, index);
  const perTable = fs.blockSize / 4;
  let rest = index - DIRECT_BLOCKS;
  for (let depth = 1, reach = perTable; depth <= 3; depth++, reach *= perTable) {
    if (rest < reach) {
      let number = entry(inode.map, DIRECT_BLOCKS + depth - 1);
      for (let below = reach / perTable; below >= 1 && number !== HOLE; below /= perTable)
        number = entry(yield* block(fs, number), Math.floor(rest / below) % perTable);
      return number;
    }
    rest -= reach;
  }
  return yield* fail('EIO', `inode ${inode.ino} has no block ${index}`);
}

const entry = (table: Uint8Array, index: number): number => get(table, index * 4, blockNumber);
