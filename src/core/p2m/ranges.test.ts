import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { insert, lookup, overlaps, type Range, type Ranges, remove, slice } from './ranges.ts';

const range = (gfn: number, mfn: number, count: number): Range => ({ gfn, mfn, count });

test.each([
  { has: [], added: range(5, 50, 2), gives: [range(5, 50, 2)] },
  { has: [range(0, 10, 2)], added: range(2, 12, 3), gives: [range(0, 10, 5)] },
  { has: [range(2, 12, 3)], added: range(0, 10, 2), gives: [range(0, 10, 5)] },
  { has: [range(0, 10, 2), range(3, 13, 2)], added: range(2, 12, 1), gives: [range(0, 10, 5)] },
  { has: [range(0, 10, 2)], added: range(2, 13, 1), gives: [range(0, 10, 2), range(2, 13, 1)] },
  { has: [range(0, 10, 2)], added: range(3, 13, 1), gives: [range(0, 10, 2), range(3, 13, 1)] },
])('$has and $added are $gives', ({ has, added, gives }) => {
  expect(insert(has, added)).toEqual(gives);
});

test.each([
  { gfn: 0, count: 5, gives: [] },
  { gfn: 0, count: 1, gives: [range(1, 11, 4)] },
  { gfn: 4, count: 9, gives: [range(0, 10, 4)] },
  { gfn: 1, count: 2, gives: [range(0, 10, 1), range(3, 13, 2)] },
  { gfn: 5, count: 2, gives: [range(0, 10, 5)] },
])('5 pages without $count from $gfn on are $gives', ({ gfn, count, gives }) => {
  expect(remove([range(0, 10, 5)], gfn, count)).toEqual(gives);
});

test('ranges do what a map of pages does', () => {
  const change = fc.record({ add: fc.boolean(), gfn: fc.nat(30), count: fc.integer({ min: 1, max: 8 }), slide: fc.nat(2) });
  fc.assert(
    fc.property(
      fc.array(change, { maxLength: 40, size: 'max' }),
      fc.nat(30),
      fc.integer({ min: 1, max: 8 }),
      (changes, gfn, count) => {
        let ranges: Ranges = [];
        const pages = new Map<number, number>();
        for (const { add, gfn, count, slide } of changes) {
          const taken = Array.from({ length: count }, (_, i) => gfn + i).some((page) => pages.has(page));
          expect(overlaps(ranges, gfn, count)).toBe(taken);
          if (add && !taken) {
            ranges = insert(ranges, range(gfn, gfn + 100 * slide, count));
            for (let i = 0; i < count; i++) pages.set(gfn + i, gfn + i + 100 * slide);
          } else if (!add) {
            ranges = remove(ranges, gfn, count);
            for (let i = 0; i < count; i++) pages.delete(gfn + i);
          }
        }
        for (let page = 0; page < 45; page++) expect(lookup(ranges, page)).toBe(pages.get(page) ?? -1);
        expect(ranges.reduce((sum, { count }) => sum + count, 0)).toBe(pages.size);
        for (const [i, { gfn, mfn, count }] of ranges.entries()) {
          const next = ranges[i + 1];
          if (next) expect(next.gfn > gfn + count || (next.gfn === gfn + count && next.mfn !== mfn + count)).toBe(true);
        }
        const within = slice(ranges, gfn, count).flatMap((part) =>
          Array.from({ length: part.count }, (_, i) => [part.gfn + i, part.mfn + i]),
        );
        expect(within).toEqual([...pages].filter(([page]) => page >= gfn && page < gfn + count).sort(([a], [b]) => a - b));
      },
    ),
    { numRuns: 300 },
  );
});
