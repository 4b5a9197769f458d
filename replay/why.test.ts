import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { accept } from '../events/step.ts';
import type { Step } from '../events/vocabulary.ts';
import { describeCauses } from './divergence.ts';
import { shortened } from './why.ts';

/** A chain of causes, the last step first, from a list of who asked. */
const chainOf = (origins: readonly string[]): Step[] =>
  origins.map((origin, i) => ({
    seq: origins.length - 1 - i,
    time: 0,
    origin,
    cause: i === origins.length - 1 ? null : origins.length - 2 - i,
    command: { type: 'host.boot' },
    reads: [],
    outcome: accept(),
  }));
const lines = (...origins: string[]): string[] => [...describeCauses(shortened(chainOf(origins)))];

describe('a chain of causes for people', () => {
  test('says how often two steps alternate, and where that came from', () => {
    const slices = Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? 'p0' : 'p1'));
    expect(lines('d1', ...slices, 'operator')).toEqual([
      '#21 0s d1: host.boot {}',
      'because of #20 0s p0: host.boot {}',
      'because of #19 0s p1: host.boot {}',
      'and of 17 more like these',
      'because of #1 0s p1: host.boot {}',
      'because of #0 0s operator: host.boot {}',
    ]);
  });
  test('leaves a few of them as they are', () => {
    expect(lines('a', 'b', 'a', 'b', 'a', 'b')).toHaveLength(6);
  });
  test('loses no step, and keeps the first and the last', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 40 }), (origins) => {
        const chain = chainOf(origins);
        let at = 0;
        for (const link of shortened(chain)) {
          if (typeof link === 'number') at += link;
          else expect(link).toBe(chain[at++]);
        }
        expect(at).toBe(chain.length);
      }),
    );
  });
});
