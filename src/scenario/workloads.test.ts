import { describe, expect, test } from 'vitest';
import { parseConfig } from '../toolstack/cfg/parse.ts';
import { addWorkload, type Workload, workloadWord } from './workloads.ts';

test.each<[string, readonly Workload[]]>([
  ['workload=cpu', [{ program: 'cpu' }]],
  [
    'workload=cpu:50,disk:256:100',
    [
      { program: 'cpu', percent: 50 },
      { program: 'disk', sectors: 256, every_ns: 100_000_000 },
    ],
  ],
  ['workload=disk::20', [{ program: 'disk', every_ns: 20_000_000 }]],
  ['workload=disk::1', [{ program: 'disk', every_ns: 1 }]],
  ['workload=ping:10.0.0.1', [{ program: 'ping', address: '10.0.0.1' }]],
  ['workload=ping:10.0.0.1:1000', [{ program: 'ping', address: '10.0.0.1', every_ns: 1_000_000_000 }]],
])('%s', (word, workloads) => {
  expect(workloadWord(workloads)).toBe(word);
});

describe('a workload is joined to the command line of its domain', () => {
  const workloads = new Map([['a', [{ program: 'cpu' }] as const]]);
  test.each([
    ['name = "a"', 'extra', ' workload=cpu'],
    ['name = "a"\nextra = "quiet"\n', 'extra', 'quiet workload=cpu'],
    ['name = "a"\ncmdline = "quiet"\nextra = "no"', 'cmdline', 'quiet workload=cpu'],
  ])('%j', (text, key, expected) => {
    const added = addWorkload(text, workloads);
    expect(added.used).toBe('a');
    const parsed = parseConfig(added.text, 'a.cfg');
    expect(parsed.ok && parsed.settings.getString(key)).toMatchObject({ ok: true, value: expected });
  });
  test.each(['name = "b"\n', 'memory = 64', 'name = "a', ''])('%j is left alone', (text) => {
    expect(addWorkload(text, workloads)).toEqual({ text });
  });
});
