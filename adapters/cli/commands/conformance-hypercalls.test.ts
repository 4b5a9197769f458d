import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { afterAll, expect, test } from 'vitest';
import { Failure } from '../../failure.ts';
import { Output } from '../output.ts';
import { hypercallConformance } from './conformance-hypercalls.ts';

const folder = mkdtempSync(join(tmpdir(), 'conformance-'));
afterAll(() => rmSync(folder, { recursive: true }));

const domain = { max_vcpus: 1, max_evtchn_port: 20, max_grant_frames: 4, gnttab_frames: 1, tot_pages: 2, max_pages: 4 };
const header = {
  mix: 'all',
  header: 1,
  seed: 7,
  caller: { domid: 0, vcpus: 2, vcpu: 0 },
  A: { domid: 1002, ...domain },
  B: { domid: 1003, ...domain },
  dom0_ports: [],
  A_ports: [],
  B_ports: [],
};
const call = (rc: number) => ({ mix: 'all', seed: 7, seq: 3, op: 'evtchn.close', args: { port: 5 }, rc, out: {} });

function run(name: string, content: string | Uint8Array, json = false): { status: number; text: string } {
  const path = join(folder, name);
  writeFileSync(path, content);
  let text = '';
  const output = new Output(
    new Writable({
      write(chunk, _, done) {
        text += String(chunk);
        done();
      },
    }),
  );
  const status = hypercallConformance(path, { json }, output);
  output.flush();
  return { status, text };
}
const lines = (...records: object[]): string => records.map((record) => `${JSON.stringify(record)}\n`).join('');

test('all that is as recorded ends with 0, compressed or not', () => {
  const recording = lines(header, call(-22));
  expect(run('same.jsonl', recording)).toMatchObject({ status: 0, text: expect.stringContaining('1 of 1 answers match') });
  expect(run('same.jsonl.gz', gzipSync(recording))).toMatchObject({ status: 0 });
});

test('what differs is told in words, and ends with 1', () => {
  const { status, text } = run('other.jsonl', lines(header, call(0)));
  expect(status).toBe(1);
  expect(text.split('\n')).toEqual([
    '0 of 1 answers match',
    `  ${'evtchn.close'.padEnd(32)}      0 of      1`,
    'all, seed 7, call 3: evtchn.close {"port":5}',
    '  recorded: {"rc":0,"out":{}}',
    '  here:     {"rc":-22,"out":{}}',
    '',
  ]);
});

test('--json has all of it', () => {
  const { text } = run('json.jsonl', lines(header, call(0)), true);
  expect(JSON.parse(text)).toMatchObject({
    matched: 0,
    total: 1,
    byOp: { 'evtchn.close': { matched: 0, total: 1 } },
    mismatches: [{ seq: 3, got: { rc: -22 } }],
  });
});

test.each([
  ['nonsense.jsonl', 'nonsense'],
  ['empty.jsonl', ''],
  ['broken.jsonl.gz', 'not compressed'],
])('%s is unusable', (name, content) => {
  expect(() => run(name, content)).toThrow(Failure);
});
