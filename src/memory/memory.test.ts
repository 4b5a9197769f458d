import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Journal } from '../tables/journal.ts';
import { Memory } from './memory.ts';
import { PlaybackReader, RecordingReader } from './reader.ts';

test('values are little-endian, at any offset of their frame', () => {
  const memory = new Memory(new Journal());
  memory.put32(5, 4, 0xdeadbeef);
  memory.put16(5, 1, 0x1234);
  memory.put64(5, 4088, 0x0102030405060708n);
  memory.put8(5, 0, 0x1ff);
  expect([...memory.read(5, 0, 8)]).toEqual([0xff, 0x34, 0x12, 0, 0xef, 0xbe, 0xad, 0xde]);
  expect(memory.get32(5, 4)).toBe(0xdeadbeef);
  expect(memory.get16(5, 6)).toBe(0xdead);
  expect(memory.get64(5, 4088)).toBe(0x0102030405060708n);
  expect(memory.get8(5, 4088)).toBe(8);
  expect(memory.get32(6, 0)).toBe(0);
  expect(memory.resident()).toEqual([5]);
});

test.each([
  { count: 1, left: [1, 3] },
  { count: 2, left: [1] },
  { count: 1_000_000, left: [1] },
])('scrubbing $count frames from 2 on leaves $left', ({ count, left }) => {
  const memory = new Memory(new Journal());
  for (const mfn of [3, 1, 2]) memory.put8(mfn, 0, mfn);
  memory.scrub(2, count);
  expect(memory.resident()).toEqual(left);
  expect(memory.get8(2, 0)).toBe(0);
});

test('no frame is mistaken for the one looked up last', () => {
  const memory = new Memory(new Journal());
  for (const mfn of [1, 2]) memory.put8(mfn, 0, 7);
  expect(memory.get8(1, 0)).toBe(7);
  memory.scrub(2, 1);
  expect([memory.get8(-1, 0), memory.get8(2, 0)]).toEqual([0, 0]);
  memory.put8(-1, 0, 9);
  expect([memory.get8(1, 0), memory.get8(-1, 0)]).toEqual([7, 9]);
});

test('a frame of zeros is no different from none', () => {
  const memory = new Memory(new Journal());
  const empty = memory.digest();
  memory.put8(9, 100, 1);
  expect(memory.digest()).not.toBe(empty);
  memory.put8(9, 100, 0);
  expect(memory.digest()).toBe(empty);
});

test('a snapshot is not written to by what comes after, in either memory', () => {
  const memory = new Memory(new Journal());
  memory.put8(1, 0, 7);
  const snapshot = memory.snapshot();
  memory.put8(1, 0, 8);
  const other = new Memory(new Journal());
  other.restore(snapshot);
  other.put8(1, 0, 9);
  expect([memory.get8(1, 0), other.get8(1, 0)]).toEqual([8, 9]);
  other.restore(snapshot);
  expect(other.get8(1, 0)).toBe(7);
});

test('copy on write does what copying everything does', () => {
  const change = fc.record({
    what: fc.constantFrom('put', 'put', 'put', 'scrub', 'mark', 'rollback', 'commit', 'snapshot', 'restore'),
    mfn: fc.nat(3),
    offset: fc.constantFrom(0, 1, 4095),
    value: fc.nat(255),
  });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 60, size: 'max' }), (changes) => {
      const journal = new Journal();
      const memory = new Memory(journal);
      let model = new Map<string, number>();
      const marks: { mark: number; model: typeof model; digest: number }[] = [];
      let saved = { snapshot: memory.snapshot(), model: new Map(model) };
      for (const { what, mfn, offset, value } of changes) {
        if (what === 'put') {
          memory.put8(mfn, offset, value);
          model.set(`${mfn} ${offset}`, value);
        } else if (what === 'scrub') {
          memory.scrub(mfn, 2);
          model = new Map([...model].filter(([at]) => !at.startsWith(`${mfn} `) && !at.startsWith(`${mfn + 1} `)));
        } else if (what === 'mark') marks.push({ mark: journal.mark(), model: new Map(model), digest: memory.digest() });
        else if (what === 'rollback' && marks.length > 0) {
          const at = marks.pop()!;
          journal.rollback(at.mark);
          model = at.model;
          expect(memory.digest()).toBe(at.digest);
        } else if (what === 'commit' && marks.length > 0) {
          marks.pop();
          journal.commit();
        } else if (what === 'snapshot') saved = { snapshot: memory.snapshot(), model: new Map(model) };
        // Restoring is for quiet hosts: no mark is open.
        else if (what === 'restore' && marks.length === 0) {
          memory.restore(saved.snapshot);
          model = new Map(saved.model);
        }
        for (let frame = 0; frame < 5; frame++)
          for (const at of [0, 1, 4095]) expect(memory.get8(frame, at)).toBe(model.get(`${frame} ${at}`) ?? 0);
      }
    }),
    { numRuns: 300 },
  );
});

describe('readers', () => {
  const memory = new Memory(new Journal());
  memory.put32(1, 0, 0x04030201);

  test('what was read is noted down, once', () => {
    const reader = new RecordingReader(memory);
    expect([reader.get8(1, 1), reader.get16(1, 2), reader.get32(1, 0)]).toEqual([2, 0x0403, 0x04030201]);
    expect(reader.take()).toEqual([2, 0x0403, 0x04030201]);
    expect(reader.take()).toEqual([]);
  });

  test.each([
    { reads: [5, 6], asked: 2, got: [5, 6], exhausted: true },
    { reads: [5, 6], asked: 1, got: [5], exhausted: false },
    { reads: [5], asked: 2, got: [5, 0], exhausted: false },
    { reads: [], asked: 0, got: [], exhausted: true },
  ])('of $reads, $asked are asked for: $got', ({ reads, asked, got, exhausted }) => {
    const reader = new PlaybackReader(reads);
    const each = [() => reader.get8(), () => reader.get16(), () => reader.get32()];
    expect(Array.from({ length: asked }, (_, i) => each[i % 3]!())).toEqual(got);
    expect(reader.exhausted).toBe(exhausted);
  });
});
