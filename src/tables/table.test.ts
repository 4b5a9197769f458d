import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { Journal } from './journal.ts';
import { Table, type TableSnapshot } from './table.ts';

const schema = { state: ['free', 'bound', 'closed'], peer: 'u16', seq: 'f64', credit: 'i32' } as const;
const PAGE = 4;
const fresh = (journal = new Journal()): Table<typeof schema> => new Table('port', schema, journal, PAGE);
const unused = { state: 'free', peer: 0, seq: 0, credit: 0 };

test('a row holds what was put there, and an unwritten one nothing', () => {
  const table = fresh();
  const rows = table.add(3);
  rows.state.become(5, 'closed');
  rows.seq.put(5, 2 ** 40);
  rows.credit.add(5, -7);
  expect(table.row(3, 5)).toEqual({ state: 'closed', peer: 0, seq: 2 ** 40, credit: -7 });
  expect(table.row(3, 4)).toEqual(unused);
  expect(table.row(3, 1_000_000)).toEqual(unused);
  expect([...table.inUse(3)]).toEqual([[5, { state: 'closed', peer: 0, seq: 2 ** 40, credit: -7 }]]);
  expect([...table.inUse(4)]).toEqual([]);
});

test('a column may have any name that has no $', () => {
  const table = new Table('claim', { pages: 'f64', table: 'u8', extent: 'u8' } as const, new Journal(), 1);
  const rows = table.add(1);
  rows.pages.put(0, 7);
  rows.table.put(1, 8);
  rows.extent.put(2, 9);
  expect([0, 1, 2].map((row) => table.row(1, row))).toEqual([
    { pages: 7, table: 0, extent: 0 },
    { pages: 0, table: 8, extent: 0 },
    { pages: 0, table: 0, extent: 9 },
  ]);
});

test.each([-1, -PAGE, 1.5, 2 ** 31, 2 ** 32, 2 ** 32 + 5, 2 ** 53 - 1])(
  '%d is no row: it reads as nothing and nothing is written',
  (row) => {
    const table = fresh();
    const rows = table.add(0);
    for (let i = 0; i < 3 * PAGE; i++) rows.peer.put(i, 100 + i);
    const digest = table.digest();
    expect(rows.peer.at(row)).toBe(0);
    expect(rows.state.is(row)).toBe('free');
    rows.peer.put(row, 9);
    expect(table.digest()).toBe(digest);
    expect(rows.length).toBe(3 * PAGE);
  },
);

test('room is made by pages, and only by a write of something', () => {
  const rows = fresh().add(0);
  expect(rows.length).toBe(0);
  rows.peer.put(9, 0);
  expect(rows.length).toBe(0);
  rows.peer.put(9, 1);
  expect(rows.length).toBe(3 * PAGE);
});

test('owners are apart, and listed in order', () => {
  const table = fresh();
  for (const owner of [5, 0, 2]) table.add(owner).peer.put(1, owner + 10);
  expect([...table.ids()]).toEqual([0, 2, 5]);
  expect([0, 2, 5].map((owner) => table.of(owner)!.peer.at(1))).toEqual([10, 12, 15]);
  table.remove(2);
  table.remove(77);
  expect([...table.ids()]).toEqual([0, 5]);
  expect(table.of(2)).toBeUndefined();
});

test('who comes after finds nothing of who was there before', () => {
  const table = fresh();
  const before = table.add(1);
  for (let row = 0; row < 3 * PAGE; row++) before.peer.put(row, 7);
  table.remove(1);
  const after = table.add(2);
  after.peer.put(2 * PAGE, 1);
  for (let row = 0; row < 2 * PAGE; row++) expect(table.row(2, row)).toEqual(unused);
});

test('the digest depends on contents alone', () => {
  const a = fresh();
  const b = fresh();
  a.add(1).peer.put(3, 9);
  const rows = b.add(1);
  rows.peer.put(50, 4);
  rows.peer.put(3, 9);
  rows.peer.put(50, 0);
  b.add(2).seq.put(0, 1);
  b.remove(2);
  expect(a.digest()).toBe(b.digest());
  rows.peer.put(3, 8);
  expect(a.digest()).not.toBe(b.digest());
});

test('columns may be left out of a digest: it is that of a table which has none of them', () => {
  const both = new Table('t', { a: 'u8', b: 'f64', c: ['none', 'some'] }, new Journal(), 4);
  const one = new Table('t', { b: 'f64' }, new Journal(), 4);
  for (const table of [both, one]) table.add(3).b.put(9, 2 ** 40);
  both.of(3)!.a.put(2, 7);
  both.of(3)!.c.become(9, 'some');
  expect(both.digest(new Set(['t/a', 't/c']))).toBe(one.digest());
  expect(both.digest(new Set(['t/a', 't/b', 't/c']))).toBe(0);
  expect(both.digest(new Set(['other/a']))).toBe(both.digest());
  expect(both.digest(new Set(['t/a']))).not.toBe(both.digest());
});

test('values that differ beyond 32 bits, in sign, column or row have other digests', () => {
  const digests = (['seq', 'peer'] as const).flatMap((column) =>
    [0, 1].flatMap((row) =>
      [1, 2 ** 32 + 1, -1].map((value) => {
        const table = fresh();
        table.add(0)[column].put(row, value);
        return table.digest();
      }),
    ),
  );
  // 2^32 + 1 is 1 in a column of 16 bits: two of twelve are the same.
  expect(new Set(digests).size).toBe(10);
});

test('a difference names table, owner, row and column', () => {
  const a = fresh();
  const b = fresh();
  a.add(1).state.become(3, 'bound');
  b.add(1).state.become(3, 'closed');
  b.of(1)!.credit.put(4, -2);
  b.add(2);
  expect([...a.diff(b)]).toEqual([
    'port d1[3].state: bound -> closed',
    'port d1[4].credit: 0 -> -2',
    'port d2: absent -> present',
  ]);
});

test('whoever holds rows holds them after a restore', () => {
  const table = fresh();
  const rows = table.add(1);
  rows.peer.put(3, 9);
  const snapshot = table.snapshot();
  rows.peer.put(3, 1);
  rows.peer.put(30, 1);
  table.restore(snapshot);
  expect(rows.peer.at(3)).toBe(9);
  expect(rows.length).toBe(PAGE);
  rows.peer.put(3, 5);
  expect(table.row(1, 3).peer).toBe(5);
  // Also in a table that had the owner before it was given the snapshot.
  const other = fresh();
  const held = other.add(1);
  other.restore(snapshot);
  expect(held.peer.at(3)).toBe(9);
});

test('snapshots share what has not changed between them', () => {
  const table = new Table('port', schema, new Journal(), 64);
  const [low, high] = [table.add(1), table.add(2)];
  for (let row = 0; row < 4000; row++) low.peer.put(row, 1 + (row & 7));
  const first = table.snapshot();
  low.credit.put(3000, 5);
  const second = table.snapshot();
  expect(second.chunks.map((chunk, i) => chunk === first.chunks[i])).toEqual([true, true, false, true]);
  expect(second.owners).toBe(first.owners);
  high.peer.put(0, 1);
  expect(table.snapshot().owners).not.toBe(first.owners);
  expect(first.chunks[2]!.columns.map(({ length }) => length)).toEqual([0, 1024, 0, 0]);
  table.restore(first);
  expect(table.snapshot()).toEqual(first);
  expect(table.snapshot().chunks[2]).toBe(first.chunks[2]);
});

type Change = {
  readonly what: 'put' | 'add' | 'remove' | 'mark' | 'rollback' | 'commit' | 'save' | 'restore';
  readonly owner: number;
  readonly row: number;
  readonly value: number;
};
const change: fc.Arbitrary<Change> = fc.record({
  what: fc.constantFrom('put', 'put', 'put', 'add', 'remove', 'mark', 'rollback', 'commit', 'save', 'restore'),
  owner: fc.nat(3),
  row: fc.nat(4 * PAGE),
  value: fc.nat(3),
});

test('nested marks undo exactly, and snapshots stay what they were, whatever was added, grown and removed', () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 80, size: 'max' }), fc.constantFrom(PAGE, 1024), (changes, pageRows) => {
      const journal = new Journal();
      const table = new Table('port', schema, journal, pageRows);
      const saved: { snapshot: TableSnapshot; model: typeof model; digest: number }[] = [];
      let model = new Map<number, Map<number, number>>();
      const copy = (): typeof model => new Map([...model].map(([owner, rows]) => [owner, new Map(rows)]));
      const marks: { mark: number; model: typeof model; digest: number }[] = [];
      for (const { what, owner, row, value } of changes) {
        if (what === 'mark') marks.push({ mark: journal.mark(), model: copy(), digest: table.digest() });
        else if (what === 'rollback' && marks.length > 0) {
          const at = marks.pop()!;
          journal.rollback(at.mark);
          model = at.model;
          expect(table.digest()).toBe(at.digest);
        } else if (what === 'commit' && marks.length > 0) {
          marks.pop();
          journal.commit();
        } else if (what === 'save') saved.push({ snapshot: table.snapshot(), model: copy(), digest: table.digest() });
        else if (what === 'restore' && marks.length === 0 && saved.length > 0) {
          const one = saved[value % saved.length]!;
          table.restore(one.snapshot);
          model = new Map([...one.model].map(([id, rows]) => [id, new Map(rows)]));
          expect(table.digest()).toBe(one.digest);
        } else if (what === 'add' && !model.has(owner)) {
          table.add(owner);
          model.set(owner, new Map());
        } else if (what === 'remove') {
          table.remove(owner);
          model.delete(owner);
        } else if (what === 'put' && model.has(owner)) {
          table.of(owner)!.peer.put(row, value);
          model.get(owner)!.set(row, value);
        }
        expect([...table.ids()]).toEqual([...model.keys()].sort((a, b) => a - b));
        for (const [id, rows] of model)
          for (let r = 0; r <= 4 * PAGE; r++) expect(table.of(id)!.peer.at(r)).toBe(rows.get(r) ?? 0);
      }
      const other = new Table('port', schema, new Journal(), pageRows);
      other.restore(table.snapshot());
      expect(other.digest()).toBe(table.digest());
      expect([...other.diff(table)]).toEqual([]);
      for (const { snapshot, digest } of saved) {
        other.restore(snapshot);
        expect(other.digest()).toBe(digest);
      }
    }),
    { numRuns: 300 },
  );
});
