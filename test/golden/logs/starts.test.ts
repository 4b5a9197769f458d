// What a later file of a run starts from, of every version of the state: kept for ever, each made once by its own code.
import { readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { fold, follow, reenact, verify } from '../../../replay/index.ts';
import { stateLayout } from '../../../replay/layout.ts';
import { columnsSince, equalDigests, STATE_VERSION, stateChanges } from '../../../replay/state-changes.ts';
import { differences, keptLayout, keptLog, unexplained } from './layouts.ts';

const folder = new URL('.', import.meta.url);
const names = readdirSync(folder).filter((name) => /^state-.*\.xlog$/.test(name));
const versions = Array.from({ length: STATE_VERSION }, (_, i) => i + 1);

const OTHER_DIGEST =
  "a log of an earlier version leads to another digest: a new column that older facts fill too is to be named in filled, in replay/state-changes.ts, and anything else that is meant in digests";
const WHAT_TO_DO = `the state is laid out otherwise than version ${STATE_VERSION} has it, and files that start with that version's checkpoint are kept by people.
Raise STATE_VERSION in events/upcast.ts to ${STATE_VERSION + 1}; where something has gone, has another name or means something else, say in replay/state-changes.ts
what became of it; then keep a log of the new version in test/golden/logs: npx tsc -b && node dist/scripts/keep-state.js`;

test('there is a log of every version of the state up to this one', () => {
  const missing = versions.filter((version) => !names.includes(`state-${version}.xlog`));
  expect(missing, 'keep a log of this version: npx tsc -b && node dist/scripts/keep-state.js').toEqual([]);
});

test('the state is laid out as the log of its version says', () => {
  expect(differences(keptLayout(STATE_VERSION), stateLayout()), WHAT_TO_DO).toEqual([]);
  expect(JSON.stringify(stateLayout()), WHAT_TO_DO).toBe(JSON.stringify(keptLayout(STATE_VERSION)));
});

test.each(versions.slice(0, -1))('what became of version %i is said in state-changes.ts', (version) => {
  expect(unexplained(keptLayout(version), keptLayout(version + 1), stateChanges[version])).toEqual([]);
});

describe.each(names)('%s', (name) => {
  const log = keptLog(name);

  test('goes on without the file before it, to the state that it ended with', () => {
    expect(log.first).toBeGreaterThan(500);
    expect(verify(log)).toBeNull();
    expect(follow(log).divergence).toBeNull();
    const { dispatcher, divergence } = reenact(log);
    expect(divergence, OTHER_DIGEST).toBeNull();
    expect(fold(log).digest()).toBe(dispatcher.host.digest());
    const version = log.stateVersionAt(log.length);
    if (equalDigests(version).includes('state')) expect(fold(log).digest(columnsSince(version)), OTHER_DIGEST).toBe(log.end!.state);
  });
});

describe('a change of the layout', () => {
  const before = stateLayout();
  const [[name, rows, columns], ...others] = before.tables as [(typeof before.tables)[number], ...(typeof before.tables)[number][]];
  const [[column, type], ...rest] = columns as [(typeof columns)[number], ...(typeof columns)[number][]];
  const tables = (...changed: typeof before.tables) => ({ ...before, tables: [...changed, ...others] });

  test('that adds needs no word', () => {
    const after = tables([name, rows, [...columns, ['more', 'u8']]], ['other', 64, [['one', 'u8']]]);
    expect(differences(before, after)).toEqual(['table domain/more is new', 'table other is new', 'table other/one is new']);
    expect(unexplained(before, after)).toEqual([]);
    expect(unexplained(before, tables([name, rows, [[column, [...type, 'more']], ...rest]]))).toEqual([]);
  });
  test('that takes away, or names otherwise, needs one', () => {
    const after = tables([name, rows, [['other', type], ...rest]]);
    expect(unexplained(before, after)).toEqual(['table domain/state has gone']);
    expect(unexplained(before, after, { tables: { domain: { row: (row) => row } } })).toEqual([]);
    const other = tables([name, rows, [[column, [...type].reverse()], ...rest]]);
    expect(unexplained(before, other)).toEqual([expect.stringMatching(/^table domain\/state was \["none",/)]);
    expect(unexplained(before, { ...before, records: before.records.slice(1) })).toEqual(['record memory_map has gone']);
  });
  test('of fields needs one, unless they may be missing', () => {
    const fields = (more: string) => ({ ...before, fields: { ...before.fields, actors: { ...before.fields.actors, pcpu: ['cpu', more] } } });
    expect(unexplained(before, fields('more?'))).toEqual([]);
    expect(unexplained(before, fields('more'))).toEqual(['field actors/pcpu/more is new']);
    expect(unexplained(before, fields('more'), { actors: { pcpu: {} } })).toEqual([]);
  });
});
