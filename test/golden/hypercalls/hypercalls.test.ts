import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { parseRecording } from '../../../tools/conformance/hypercall-record.ts';
import { judge } from '../../../tools/conformance/hypercalls.ts';

// `untold`: how many answers differ where nothing is asked of the answers about dom0, and in which mixes; known-differences.md says why.
describe.each([
  { file: 'hypercalls.jsonl.gz', total: 36_100 + 3 * 207, untold: 96, mixes: ['evtchn'] },
  { file: 'other-seeds.jsonl.gz', total: 22_400 + 3 * 132, untold: 17, mixes: ['evtchn'] },
  { file: 'wider.jsonl.gz', total: 20_583 + 3 * 43, untold: 0, mixes: [] },
])('$file', ({ file, total, untold, mixes }) => {
  const recording = parseRecording(gunzipSync(readFileSync(join(import.meta.dirname, file))).toString('utf8'));
  if (!recording.ok) throw new Error(`line ${recording.line}: ${recording.why}`);

  test('every answer is that of real Xen', () => {
    const verdict = judge(recording.sequences);
    expect(verdict.total).toBe(total);
    expect(verdict.mismatches).toEqual([]);
  });

  test('where nothing is asked of the answers about dom0, only what follows from that differs', () => {
    const { matched, mismatches } = judge(recording.sequences, 'at-once');
    expect(total - matched).toBe(untold);
    expect([...new Set(mismatches.map(({ mix }) => mix))]).toEqual(mixes);
  });
});
