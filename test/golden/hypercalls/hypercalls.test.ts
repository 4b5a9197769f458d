import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { parseRecording } from '../../../tools/conformance/hypercall-record.ts';
import { judge } from '../../../tools/conformance/hypercalls.ts';

const recording = parseRecording(gunzipSync(readFileSync(join(import.meta.dirname, 'hypercalls.jsonl.gz'))).toString('utf8'));
if (!recording.ok) throw new Error(`line ${recording.line}: ${recording.why}`);
const verdict = judge(recording.sequences);

/** Never lower: what is missing is in known-differences.md. */
const MATCHED = 36_625;

test('as many answers as ever are those of real Xen', () => {
  expect(verdict.total).toBe(36_100 + 3 * 207);
  expect(verdict.matched).toBeGreaterThanOrEqual(MATCHED);
});

test('every kind of call is known', () => {
  expect(verdict.mismatches.filter(({ got }) => got === null)).toEqual([]);
});
