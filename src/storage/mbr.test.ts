import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bytesImage } from './bytes-image.ts';
import { mbrImage, type NewPartition, type PartitionTable, parseMbr, partition, readMbr } from './mbr.ts';

const filled = (sectors: number, byte: number) => new Uint8Array(sectors * 512).fill(byte);
const made = (...partitions: NewPartition[]): Uint8Array => {
  const image = mbrImage(partitions, 0x12345678);
  if (!image.ok) throw new Error(image.reason);
  return image.bytes;
};
const linux = (sectors: number, byte = 0xaa): NewPartition => ({ type: 0x83, active: false, bytes: filled(sectors, byte) });
/** A disk of one partition of 8 sectors, with bytes of its first entry changed. */
const withEntry = (changes: Record<number, number>): PartitionTable => {
  const disk = made(linux(8));
  for (const [at, value] of Object.entries(changes)) disk[446 + Number(at)] = value;
  return readMbr(bytesImage(disk));
};

test('what is made is read back, with the content of each partition', () => {
  const disk = bytesImage(
    made({ type: 0x83, active: true, bytes: filled(8, 1) }, { type: 0x82, active: false, bytes: filled(3, 2).subarray(1) }),
  );
  const table = readMbr(disk);
  expect(table).toEqual({
    ok: true,
    signature: 0x12345678,
    protective: false,
    entries: [
      { number: 1, type: 0x83, active: true, start: 63, count: 8 },
      { number: 2, type: 0x82, active: false, start: 71, count: 3 },
    ],
  });
  if (!table.ok) return;
  const second = partition(disk, table.entries[1]!);
  const sector = new Uint8Array(512);
  second.read(2, sector);
  expect([second.sectors, sector[0], sector[511]]).toEqual([3, 2, 0]); // 511: the last sector was not full
});

describe('a sector that is no table of this disk is refused, with the reason', () => {
  test.each([
    ['a bad status', { 0: 0x55 }, 'status 85'],
    ['a start at the table itself', { 8: 0 }, 'starts at sector 0'],
    ['one sector too many', { 12: 9 }, 'ends at sector 72, beyond the disk'],
    ['a count of 2^32 - 1', { 12: 255, 13: 255, 14: 255, 15: 255 }, 'beyond the disk'],
    ['no 55 aa', { 64: 0 }, '55 aa'],
  ])('%s', (_, changes, reason) => {
    expect(withEntry(changes)).toEqual({ ok: false, reason: expect.stringContaining(reason) });
  });
  test('an empty disk, a short sector', () => {
    expect(readMbr(bytesImage(new Uint8Array(0))).ok).toBe(false);
    expect(parseMbr(new Uint8Array(511), 100).ok).toBe(false);
  });
});

test.each([
  ['type 0', { 4: 0 }, { protective: false, entries: [] }],
  ['no sectors', { 12: 0 }, { protective: false, entries: [] }],
  ['a protective entry, whatever size it claims', { 4: 0xee, 15: 255 }, { protective: true, entries: [] }],
])('%s: no partition', (_, changes, expected) => {
  expect(withEntry(changes)).toMatchObject({ ok: true, ...expected });
});

test('a disk has one to four partitions, none empty', () => {
  for (const partitions of [[], Array(5).fill(linux(1)), [linux(0)], [{ ...linux(1), type: 0 }]])
    expect(mbrImage(partitions).ok).toBe(false);
});

test('addresses in the old form: sector 63 is cylinder 0, head 1, sector 1; what it can not say is its last', () => {
  const disk = made(linux(2));
  expect([...disk.subarray(446, 454)]).toEqual([0, 1, 1, 0, 0x83, 1, 2, 0]);
});

test('any sector has an answer, and partitions lie within the disk', () => {
  const sector = fc.uint8Array({ minLength: 512, maxLength: 512 });
  const likely = fc
    .tuple(fc.array(fc.tuple(fc.nat(3), fc.constantFrom(0, 0x80), fc.nat(255), fc.nat(200), fc.nat(200))))
    .map(([entries]) => {
      const bytes = made(linux(1)).slice(0, 512);
      for (const [n, status, type, start, count] of entries) {
        bytes.set([status, 0, 0, 0, type, 0, 0, 0, start, 0, 0, 0, count, 0, 0, 0], 446 + n * 16);
      }
      return bytes;
    });
  fc.assert(
    fc.property(fc.oneof(sector, likely), fc.nat(300), (bytes, sectors) => {
      const table = parseMbr(bytes, sectors);
      if (table.ok)
        for (const { start, count } of table.entries) expect(start > 0 && count > 0 && start + count <= sectors).toBe(true);
    }),
  );
});
