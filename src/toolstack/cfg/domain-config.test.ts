import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { domainConfig, domainConfigJson } from './domain-config.ts';
import { formatJson } from './json.ts';
import { parseConfig } from './parse.ts';

interface Recording {
  readonly name: string;
  readonly rc: number;
  readonly config: string;
  readonly stdout: string;
}
const file = new URL('../../../test/golden/xl-cfg/create-n.jsonl.gz', import.meta.url);
const recordings = gunzipSync(readFileSync(file))
  .toString('utf8')
  .trimEnd()
  .split('\n')
  .map((line) => JSON.parse(line) as Recording);

/** Recordings that we do not repeat, each with the reason. One that does come out the same must leave this list. */
const different: Readonly<Record<string, string>> = {};

const bytes = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');

/** What `xl create -n` ends with and prints; where the file has no uuid, the recorded one. */
function createDryRun(config: string, uuid: string): { rc: number; stdout: string } {
  const parsed = parseConfig(config, 'a.cfg');
  if (!parsed.ok) return { rc: parsed.rc, stdout: '' };
  const read = domainConfig(parsed.settings);
  if (!read.ok) return { rc: read.rc, stdout: '' };
  if (read.draw.includes('uuid')) read.config.c_info.uuid = uuid;
  return { rc: 0, stdout: formatJson(domainConfigJson(read.config)) };
}

test('there are 257 recordings, and every listed difference is one of them', () => {
  expect(recordings.length).toBe(257);
  expect(recordings.map(({ name }) => name)).toEqual(expect.arrayContaining(Object.keys(different)));
});

test.each(recordings)('$name', ({ name, rc, config, stdout }) => {
  const uuid = /"uuid": "([^"]*)"/.exec(stdout)?.[1] ?? '';
  const ours = createDryRun(config, uuid);
  if (Object.hasOwn(different, name)) expect(ours).not.toEqual({ rc, stdout: bytes(stdout) });
  else expect(ours).toEqual({ rc, stdout: bytes(stdout) });
});
