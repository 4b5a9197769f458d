import { expect, test } from 'vitest';
import { parseCpus } from './affinity.ts';

const host = {
  max_cpus: 8,
  nodes: [
    [0, 1, 2, 3],
    [4, 5, 6, 7],
  ],
};

test.each([
  ['0', [0]],
  ['0-2,^1', [0, 2]],
  ['^1,0-2', [0, 1, 2]],
  ['nodes:1,^5', [4, 6, 7]],
  ['all,^node:0', [4, 5, 6, 7]],
  ['node:0-1', [0, 1, 2, 3, 4, 5, 6, 7]],
  ['', []],
  ['9-99999999999', [0, 1, 2, 3, 4, 5, 6, 7]], // As C's int: from 2^32 on it starts again.
  ['99', []],
  ['4294967297', [1]],
])('%s', (text, cpus) => {
  expect(parseCpus(text, host)).toEqual({ ok: true, cpus });
});

test.each(['1-0', 'x', '1-', '0-2x', '^all', '-1', '18446744073709551615'])('%s is refused', (text) => {
  expect(parseCpus(text, host).ok).toBe(false);
});

test('all is as wide as the bitmap, whole bytes', () => {
  expect(parseCpus('all', { max_cpus: 2, nodes: [[0, 1]] })).toEqual({ ok: true, cpus: [0, 1, 2, 3, 4, 5, 6, 7] });
});
