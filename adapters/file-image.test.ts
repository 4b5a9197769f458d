import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { fileImage, zeroImage } from './file-image.ts';

const directory = mkdtempSync(join(tmpdir(), 'xenolog-image-'));
afterAll(() => rmSync(directory, { recursive: true }));
const file = (name: string, bytes: Uint8Array): string => {
  writeFileSync(join(directory, name), bytes);
  return join(directory, name);
};
const pattern = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 9)) & 255);

describe('a file as a disk', () => {
  const bytes = pattern(5 * 512);
  const image = fileImage(file('five.img', bytes));
  test.each([
    [0, 1],
    [1, 2],
    [4, 1],
    [0, 5],
  ])('from sector %i, %i of them', (sector, count) => {
    const into = new Uint8Array(count * 512);
    image.read(sector, into);
    expect(into).toEqual(bytes.subarray(sector * 512, (sector + count) * 512));
  });
  test('its size and digest', () => {
    expect(image.sectors).toBe(5);
    expect(image.sha256()).toBe(createHash('sha256').update(bytes).digest('hex'));
  });
  test('the digest of a disk that is read in several pieces', () => {
    const large = pattern((1 << 20) + 1024);
    expect(fileImage(file('large.img', large)).sha256()).toBe(createHash('sha256').update(large).digest('hex'));
  });
});

describe('what is no disk', () => {
  test.each([
    ['empty', 0],
    ['odd', 513],
  ])('%s', (name, size) => {
    expect(() => fileImage(file(name, new Uint8Array(size)))).toThrow(
      `a disk of ${size} bytes (${join(directory, name)}): make it`,
    );
  });
  test('nothing, and a directory', () => {
    expect(() => fileImage(join(directory, 'none'))).toThrow('can not open the disk: there is no such file or directory');
    expect(() => fileImage(directory)).toThrow('it is no regular file');
  });
  test('a file that has become shorter', () => {
    const path = file('short.img', pattern(2048));
    const image = fileImage(path);
    truncateSync(path, 512);
    expect(() => image.read(1, new Uint8Array(512))).toThrow('the file has become shorter');
  });
});

test('a disk of zeros', () => {
  const into = pattern(1024);
  const image = zeroImage(1 << 30);
  image.read(12345, into);
  expect([image.sectors, into.every((byte) => byte === 0)]).toEqual([1 << 30, true]);
});
