import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { Heap } from './heap.ts';
import { Journal } from './journal.ts';

const backwards = (a: number, b: number): boolean => a > b;
const inOrder = (heap: Heap): number[] => {
  const items: number[] = [];
  for (let item = heap.peek(); item !== undefined; item = heap.peek()) {
    items.push(item);
    heap.remove(item);
  }
  return items;
};

test.each([
  { pushed: [], least: undefined, order: [] },
  { pushed: [3], least: 3, order: [3] },
  { pushed: [5, 1, 4, 2, 3], least: 5, order: [5, 4, 3, 2, 1] },
  { pushed: [0, 2 ** 31 - 2, 63, 64], least: 2 ** 31 - 2, order: [2 ** 31 - 2, 64, 63, 0] },
])('of $pushed the first is $least', ({ pushed, least, order }) => {
  const heap = new Heap('h', new Journal(), backwards);
  for (const item of pushed) heap.push(item);
  expect(heap.peek()).toBe(least);
  expect([...heap].sort((a, b) => b - a)).toEqual(order);
  expect(inOrder(heap)).toEqual(order);
});

test('removing what is not there changes nothing', () => {
  const heap = new Heap('h', new Journal(), backwards);
  heap.push(1);
  heap.remove(2);
  heap.remove(200_000);
  expect([...heap]).toEqual([1]);
  expect(heap.has(1)).toBe(true);
  expect(heap.has(2)).toBe(false);
});

test('undo brings back the very heap', () => {
  const journal = new Journal();
  const heap = new Heap('h', journal, backwards);
  for (const item of [1, 5, 3]) heap.push(item);
  const before = heap.items.digest();
  const mark = journal.mark();
  heap.remove(5);
  heap.push(100);
  heap.push(4);
  journal.rollback(mark);
  expect(heap.items.digest()).toBe(before);
  expect([...heap.flaws()]).toEqual([]);
  expect(inOrder(heap)).toEqual([5, 3, 1]);
});

test('a flaw is seen', () => {
  const heap = new Heap('h', new Journal(), backwards);
  for (const item of [1, 5, 3]) heap.push(item);
  heap.items.of(0)!.item.put(1, 2);
  expect([...heap.flaws()].length).toBeGreaterThan(0);
});

// Few keys, so that equals are common: the item itself decides then.
const keyOf = (item: number): number => item % 7;
const before = (a: number, b: number): boolean => (keyOf(a) !== keyOf(b) ? keyOf(a) < keyOf(b) : a < b);

test('a heap does what a sorted array does', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.boolean(), fc.nat(200)), { maxLength: 100, size: 'max' }),
      fc.func(fc.boolean()),
      (operations, allowed) => {
        const heap = new Heap('h', new Journal(), before);
        let model: number[] = [];
        for (const [push, item] of operations) {
          if (push && !model.includes(item)) {
            heap.push(item);
            model.push(item);
          } else {
            heap.remove(item);
            model = model.filter((other) => other !== item);
          }
          model.sort((a, b) => (before(a, b) ? -1 : 1));
          expect(heap.size).toBe(model.length);
          expect(heap.peek()).toBe(model[0]);
          expect(heap.find(allowed)).toBe(model.find((item) => allowed(item)));
          expect([...heap.flaws()]).toEqual([]);
        }
        expect(inOrder(heap)).toEqual(model);
      },
    ),
  );
});
