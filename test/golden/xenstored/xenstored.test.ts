// The judge of src/xenstore: what a real C xenstored sent, request by request. The README beside the recordings says how they were made.
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { type Corpus, judgeXenstore, readCorpus } from '../../../tools/conformance/xenstore.ts';

const read = (name: string): Corpus => {
  const corpus = readCorpus(gunzipSync(readFileSync(new URL(`${name}.jsonl.gz`, import.meta.url))).toString('utf8'));
  if ('problem' in corpus) throw new Error(`${name}, line ${corpus.line}: ${corpus.problem}`);
  return corpus;
};

test.each([
  ['c417', '4.17'],
  ['c422', '4.22'],
] as const)('%s: xenstored %s answers as recorded', (name, version) => {
  const corpus = read(name);
  expect(corpus.version).toBe(version);
  const { matched, total, mismatches } = judgeXenstore(corpus.scenarios, version);
  expect(mismatches).toEqual([]);
  expect([matched, total]).toEqual([253, 253]);
});

test('the judge tells one version from the other', () => {
  const { mismatches } = judgeXenstore(read('c422').scenarios, '4.17');
  expect(mismatches.map(({ name }) => name)).toContain('feature-get');
  expect(mismatches.find(({ name }) => name === 'feature-get')!.differences[0]).toEqual({
    step: 0,
    asked: 'a GET_FEATURE ""',
    recorded: 'a GET_FEATURE#1 "14|"',
    got: 'a ERROR#1 "ENOSYS|"',
  });
});

test.each([
  ['', 1, 'there is no scenario in it'],
  ['{"server":"c417"}', 1, 'there is no scenario in it'],
  ['{"server":"c417"}\nx', 2, 'it is no JSON object'],
  ['{"server":"c417"}\n{"name":"a"}', 2, 'it is no scenario: a name, a base, connections and steps'],
])('%j is no recording', (text, line, problem) => {
  expect(readCorpus(text)).toEqual({ line, problem });
});
