import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { parseRecording } from '../../../tools/conformance/hypercall-record.ts';
import { judge } from '../../../tools/conformance/hypercalls.ts';

const recording = parseRecording(gunzipSync(readFileSync(join(import.meta.dirname, 'hypercalls.jsonl.gz'))).toString('utf8'));
if (!recording.ok) throw new Error(`line ${recording.line}: ${recording.why}`);
const TOTAL = 36_100 + 3 * 207;
const verdict = judge(recording.sequences);

test('every answer is that of real Xen', () => {
  expect(verdict.total).toBe(TOTAL);
  expect(verdict.mismatches).toEqual([]);
});

test('where nothing is asked of the answers about dom0, only what follows from that differs', () => {
  const { matched, mismatches } = judge(recording.sequences, 'at-once');
  // known-differences.md says what these are.
  expect(TOTAL - matched).toBe(96);
  expect([...new Set(mismatches.map(({ mix }) => mix))]).toEqual(['evtchn']);
});
