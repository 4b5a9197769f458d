import fc from 'fast-check';
import { expect, test } from 'vitest';
import { int8_t, uint8_t, uint16_t, uint32_t, uint64_t, xen_ulong_t } from './scalars.ts';
import { array, bytes, struct, union, widths } from './struct.ts';

const sample = struct('sample', {
  small: uint8_t,
  signed: int8_t,
  long: xen_ulong_t,
  list: array(uint16_t, { x86_64: 3, x86_32: 1 }),
  name: bytes(5),
  big: uint64_t,
  either: union('either', { a: uint32_t, b: struct('b', { x: uint16_t, y: uint16_t }) }),
});

test.each([
  ['x86_64', 48, { small: 0, signed: 1, long: 8, list: 16, name: 22, big: 32, either: 40 }],
  ['x86_32', 28, { small: 0, signed: 1, long: 4, list: 8, name: 10, big: 16, either: 24 }],
] as const)('%s: alignment is natural, and 64 bits on i386 align to 4', (width, size, offset) => {
  expect(sample[width].size).toBe(size);
  expect(sample[width].offset).toEqual(offset);
});

test('a written part leaves the rest as it was', () => {
  const target = new Uint8Array(sample.x86_64.size).fill(0xff);
  expect(sample.x86_64.write(target, { signed: -2, either: { b: { y: 0x1234 } } })).toBe(true);
  expect(sample.x86_64.read(target)).toMatchObject({
    small: 0xff,
    signed: -2,
    big: 2n ** 64n - 1n,
    either: { a: 0x1234ffff, b: { x: 0xffff, y: 0x1234 } },
  });
});

test('bytes that are not given are zeros', () => {
  const target = new Uint8Array(sample.x86_64.size).fill(0xff);
  sample.x86_64.write(target, { name: new Uint8Array([7]) });
  expect(sample.x86_64.read(target)).toMatchObject({
    name: new Uint8Array([7, 0, 0, 0, 0]),
    list: [0xffff, 0xffff, 0xffff],
    big: 2n ** 64n - 1n,
  });
});

test('what is read is a copy', () => {
  const source = new Uint8Array(sample.x86_64.size);
  const { name } = sample.x86_64.read(source)!;
  source.fill(1);
  expect([...name]).toEqual([0, 0, 0, 0, 0]);
});

test.each([
  ['too many elements of an array', { list: [1, 2, 3, 4, 5] }, { list: [1, 2, 3] }],
  ['too few bytes', { name: new Uint8Array([7]) }, { name: new Uint8Array([7, 0, 0, 0, 0]) }],
  ['too many bytes', { name: new Uint8Array(9).fill(7) }, { name: new Uint8Array(5).fill(7) }],
  ['a number with too many bits', { small: 0x1ff }, { small: 0xff }],
])('%s: what fits is written, and nothing beside it', (_, part, read) => {
  const target = new Uint8Array(sample.x86_64.size);
  sample.x86_64.write(target, part);
  expect(sample.x86_64.read(target)).toEqual({ ...sample.x86_64.read(new Uint8Array(sample.x86_64.size)), ...read });
});

test.each([
  [28, 0, true],
  [27, 0, false],
  [40, 12, true],
  [40, 13, false],
  [40, -1, false],
  [40, 0.5, false],
  [40, Number.NaN, false],
])('of %i bytes, a structure of 28 at %d: %s', (length, at, there) => {
  const source = new Uint8Array(length);
  expect(sample.x86_32.read(source, at) !== undefined).toBe(there);
  expect(sample.x86_32.write(source, { small: 1 }, at)).toBe(there);
  expect(source.includes(1)).toBe(there);
});

test.each(widths)('%s: what was read, written into a blank, reads the same', (width) => {
  const layout = sample[width];
  fc.assert(
    fc.property(fc.uint8Array({ minLength: layout.size, maxLength: layout.size + 8 }), fc.nat(8), (source, at) => {
      const value = layout.read(source, at);
      if (value === undefined) {
        expect(source.length - at).toBeLessThan(layout.size);
        return;
      }
      const blank = new DataView(new ArrayBuffer(layout.size));
      layout.write(blank, value);
      expect(layout.read(blank)).toEqual(value);
    }),
  );
});
