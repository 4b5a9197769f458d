import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { Log } from '../../../events/log.ts';
import { Cursor, columnsSince, equalDigests, fold } from '../../../replay/index.ts';

// A log of every past version, kept for ever: made once, never again. Each was a run of the Live CD's first five seconds.
const folder = new URL('.', import.meta.url);
const logs = readdirSync(folder).filter((name) => /^v\d+\.xlog$/.test(name));

test('there is a log of every version up to this one', () => {
  expect(logs.map((name) => Number(/^v(\d+)\.xlog$/.exec(name)?.[1])).sort()).toEqual([1, 2]);
});

describe.each(logs)('%s', (name) => {
  const log = new Log(new Uint8Array(readFileSync(new URL(name, folder))));
  const without = columnsSince(log.stateVersionAt(0));
  const isComparable = equalDigests(log.stateVersionAt(0)).includes('state');

  test('is read whole', () => {
    expect(log.torn).toBeUndefined();
    expect([...log.steps()]).toHaveLength(log.end!.steps);
    expect(log.end!.steps).toBeGreaterThan(1000);
  });

  test.runIf(isComparable)('had the state that it says at every moment of which it says so', () => {
    const cursor = new Cursor(log);
    const digests = [...log.digests()];
    expect(digests.length).toBeGreaterThan(log.format > 1 ? 3 : -1);
    for (const { seq, state } of digests) expect([seq, cursor.stateAt(seq).digest(without)]).toEqual([seq, state]);
  });

  test.runIf(isComparable)('folds to the state that it ended with', () => {
    expect(fold(log).digest(without)).toBe(log.end!.state);
  });
});
