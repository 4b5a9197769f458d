// The judge of src/xenstore: what a real C xenstored sent, request by request. The README beside the recordings says how they were made.
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { profiles, type XenstoreVersion } from '../../../src/xenstore/index.ts';
import { play, type Scenario } from './scenario.ts';
import { Server } from './server.ts';

const read = (corpus: string): Scenario[] =>
  gunzipSync(readFileSync(new URL(`${corpus}.jsonl.gz`, import.meta.url)))
    .toString('utf8')
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => JSON.parse(line) as Scenario);

const corpora: readonly { version: XenstoreVersion; corpus: string; differs: readonly string[] }[] = [
  { version: '4.17', corpus: 'c417', differs: [] },
  { version: '4.22', corpus: 'c422', differs: ['control-log', 'feature-get', 'feature-set', 'quota-get', 'quota-set-dom'] },
];

test.each(corpora)('xenstored $version: answers as recorded', ({ version, corpus, differs }) => {
  const server = new Server(profiles[version]);
  const scenarios = read(corpus);
  const failed = new Map<string, string[]>();
  for (const scenario of scenarios) {
    const differences = play(scenario, server);
    if (differences.length > 0) failed.set(scenario.name, differences);
    expect([...server.violations()], `after ${scenario.name}`).toEqual([]);
  }
  console.log(`${corpus}: ${scenarios.length - failed.size} of ${scenarios.length} scenarios match`);
  const news = [...failed].filter(([name]) => !differs.includes(name)).flatMap(([, lines]) => lines.slice(0, 1));
  expect(news.join('\n')).toBe('');
  expect([...failed.keys()].sort(), 'scenarios that match now have to leave the list').toEqual([...differs].sort());
});
