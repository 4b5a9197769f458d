import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { knownCalls } from './hypercall-calls.ts';
import { parseRecording } from './hypercall-record.ts';
import { judge } from './hypercalls.ts';

const A = {
  domid: 1002,
  max_vcpus: 2,
  max_evtchn_port: 20,
  max_grant_frames: 4,
  gnttab_frames: 1,
  tot_pages: 12,
  max_pages: 28,
};
const dom0_ports = [
  { port: 2, status: 5, vcpu: 1 },
  { port: 3, status: 2, vcpu: 1, u_dom: 0, u_port: 6 },
  { port: 4, status: 3, vcpu: 1, u_pirq: 9 },
  { port: 5, status: 4, vcpu: 1, u_virq: 0 },
  { port: 6, status: 2, vcpu: 0, u_dom: 0, u_port: 3 },
];
const ports = { dom0_ports, A_ports: [], B_ports: [{ port: 1, status: 1, vcpu: 0, u_dom: 0 }] };
const header = {
  mix: 'all',
  header: 1,
  seed: 7,
  caller: { domid: 0, vcpus: 2, vcpu: 0 },
  A,
  B: { ...A, domid: 1003, max_vcpus: 1 },
  ...ports,
};
const call = (op: string, args: object, rc: number, out: object = {}) => ({ mix: 'all', seed: 7, seq: 1, op, args, rc, out });
const text = (...records: object[]): string => records.map((record) => `${JSON.stringify(record)}\n`).join('');

function verdict(...records: object[]) {
  const recording = parseRecording(text(...records));
  return recording.ok ? judge(recording.sequences) : recording;
}

test('the start has the ports of the header, and no others', () => {
  expect(verdict(header, { final: 1, ...ports })).toMatchObject({ matched: 3, total: 3, mismatches: [] });
});

test.each<[string, object, number]>([
  ['the lowest free port', call('evtchn.bind_ipi', { vcpu: 0 }, 0, { port: 1 }), 1],
  ['another return value', call('evtchn.bind_ipi', { vcpu: 0 }, -22), 0],
  ['another answer', call('evtchn.bind_ipi', { vcpu: 0 }, 0, { port: 9 }), 0],
  ['an answer with less', call('evtchn.bind_ipi', { vcpu: 0 }, 0), 0],
  ['an answer with more', call('evtchn.close', { port: 2 }, 0, { port: 2 }), 0],
  ['a call that nobody knows', call('evtchn.nonsense', {}, 0), 0],
  ['a raw handle says nothing', call('gnttab.unmap_grant_ref', { handle: 9 }, 0, { status: -4, handle: 77 }), 1],
])('%s', (_, record, matched) => {
  expect(verdict(header, record)).toMatchObject({ matched, total: 1 });
});

test.each([
  ['{"mix"', 'not a JSON object'],
  ['[]', 'not a JSON object'],
  ['{"header": 1}', 'a header without its domains'],
  [text(call('evtchn.close', {}, 0)), 'a record before the first header'],
  [text(header, { op: 'evtchn.close' }), 'neither a header nor a hypercall'],
])('%s is no recording', (content, why) => {
  expect(parseRecording(content)).toMatchObject({ ok: false, why });
});

test('no text is too much for it', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.json(), fc.string(), fc.constant(JSON.stringify(header)))), (lines) => {
      const recording = parseRecording(lines.join('\n'));
      if (!recording.ok) expect(recording.line).toBeLessThanOrEqual(lines.join('\n').split('\n').length);
    }),
  );
});

test('a start that can not be is a mismatch', () => {
  expect(verdict({ ...header, A: { ...A, max_vcpus: 0 } })).toMatchObject({
    matched: 0,
    total: 1,
    mismatches: [{ op: 'start' }],
  });
});

test('no arguments are too much for the judge', () => {
  const value = fc.oneof(fc.jsonValue(), fc.integer(), fc.constantFrom(1002, 1003, 0x7ff0, -1, 2 ** 32 - 1, 2 ** 53));
  const names = [
    'dom',
    'port',
    'ref',
    'vcpu',
    'cmd',
    'src',
    'dst',
    'page',
    'frames',
    'nr_extents',
    'order',
    'ports',
    'nr_ports',
    'h',
  ];
  const args = fc.record(Object.fromEntries(names.map((name) => [name, value])), { requiredKeys: [] });
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.constantFrom(...knownCalls), args), { maxLength: 12 }), (calls) => {
      const records = calls.map(([op, args]) => call(op, args, 0));
      expect(verdict(header, ...records)).toMatchObject({ total: records.length });
    }),
    { numRuns: 60 },
  );
});
