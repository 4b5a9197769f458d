// The disks of a run as its log carries them: no more of the log is read than it takes, and no more is held.
import { expect, test } from 'vitest';
import { Log, type RunHeader, STEPS_PER_BLOCK } from '../../events/log.ts';
import { bytesSource } from '../../events/source.ts';
import { MemoryStore } from '../../events/store.ts';
import { loggedImages } from '../../replay/index.ts';
import { header, stepOf } from './store-run.ts';

const PIECE = 4096;
const BLOCKS = 6;
/** Blocks with so many pieces of one disk each. */
function logOf(each: number): { log: Log; read: () => number } {
  const images: RunHeader['images'] = [{ path: '/a.img', sectors: BLOCKS * each * 8, sha256: '11'.repeat(32) }];
  const store = new MemoryStore({ ...header, images });
  for (let block = 0; block < BLOCKS; block++) {
    for (let n = 0; n < each; n++)
      store.addBlob({ image: 0, chunk: block * each + n, bytes: new Uint8Array(PIECE).fill(1 + block) });
    for (let seq = 0; seq < STEPS_PER_BLOCK; seq++) store.append(stepOf(block * STEPS_PER_BLOCK + seq));
  }
  store.close({ steps: BLOCKS * STEPS_PER_BLOCK, state: 0, memory: 0 });
  const source = bytesSource(store.bytes());
  let bytes = 0;
  const counted = {
    ...source,
    read(at: number, length: number) {
      bytes += length;
      return source.read(at, length);
    },
  };
  return { log: new Log([counted]), read: () => bytes };
}

test('a piece is found in the block that has it, and no block behind it is read', () => {
  const { log, read } = logOf(20);
  const [image] = loggedImages(log);
  const opened = read();
  const sector = new Uint8Array(512);
  const bytesFor = (wanted: number): number => {
    const before = read();
    image!.read(wanted, sector);
    return read() - before;
  };
  const first = bytesFor(3);
  expect([first > 0, sector[0]]).toEqual([true, 1]);
  expect(bytesFor(20 * 8 - 1)).toBe(0);
  expect(bytesFor(2 * 20 * 8)).toBeLessThan(3 * first);
  expect(sector[0]).toBe(3);
  expect(bytesFor(0)).toBe(0);
  expect(sector[0]).toBe(1);
  expect(read() - opened).toBeLessThan(4 * first);
});

test('what the run has read in any order is what is read now, however little of it is held', () => {
  const { log } = logOf(5000);
  const [image] = loggedImages(log);
  const two = new Uint8Array(1024);
  for (let n = 0; n < 40; n++) {
    const chunk = (n * 7919) % (BLOCKS * 5000 - 1);
    image!.read(chunk * 8 + 7, two);
    expect([two[0], two[512]]).toEqual([1 + Math.floor(chunk / 5000), 1 + Math.floor((chunk + 1) / 5000)]);
  }
}, 120_000);
