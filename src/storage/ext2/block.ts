// One block of a file system, out of the page that holds it.
import { fail, type Reading } from './reading.ts';
import { blocksPerPage, type Superblock } from './superblock.ts';

/**
 * The bytes of block `number`, a view. `run` is the number of blocks from there on that the caller will want, itself included.
 * EIO where there is no such block, or none that may hold data: Linux checks with `ext2_data_block_valid` and its like.
 */
export function* block(fs: Superblock, number: number, run = 1): Reading<Uint8Array> {
  if (number <= fs.firstDataBlock || number >= fs.blocks) return yield* fail('EIO', `block ${number} of ${fs.blocks}`);
  const perPage = blocksPerPage(fs);
  const page = Math.floor(number / perPage);
  const last = Math.floor((number + run - 1) / perPage);
  const bytes = yield { page, ahead: last - page };
  const start = (number % perPage) * fs.blockSize;
  if (bytes.length < start + fs.blockSize) return yield* fail('EIO', `block ${number} is cut short`);
  return bytes.subarray(start, start + fs.blockSize);
}
