import { describe, expect, test } from 'vitest';
import type { Fact, Step } from '../../events/vocabulary.ts';
import { domainList, uptime } from './domain-list.ts';
import { View } from './view.ts';

let seq = 0;
const step = (time: number, ...events: readonly Fact[]): Step => ({
  seq: seq++,
  time,
  origin: 'test',
  cause: null,
  command: { type: 'host.end' },
  reads: [],
  outcome: { ok: true, value: {}, events },
});
const created = (domid: number): Fact => ({
  type: 'domain.created',
  domid,
  ssidref: 0,
  handle: '',
  max_vcpus: 1,
  max_evtchn_port: -1,
  max_grant_frames: 4,
  max_maptrack_frames: 4,
  hvm: false,
  shared_info_mfn: 9,
  pool: 0,
});
const named = (path: string, value: string, tx = 0): Fact => ({ type: 'xenstore.node_written', conn: 0, tx, path, value });
const about = (type: 'domain.paused' | 'domain.unpaused' | 'domain.dying_started', domid = 1): Fact => ({
  type,
  domid,
  at_ns: 0,
});
const down = (reason: 'poweroff' | 'crash'): Fact => ({ type: 'domain.shut_down', domid: 1, reason, at_ns: 0 });

const listAfter = (...facts: readonly Fact[]) => {
  const view = new View(domainList);
  view.see(step(5, created(1)));
  for (const fact of facts) view.see(step(7, fact));
  return view.state;
};
const row = (...facts: readonly Fact[]) => listAfter(...facts).domains[1];

test('a new domain is paused, nameless and without memory', () => {
  expect(row()).toEqual({ domid: 1, name: '', state: 'paused', pauses: 1, vcpus: 0, memory_kib: 0, created_ns: 5 });
  expect(uptime(row()!, 12)).toBe(7);
});

describe('what a fact changes', () => {
  test.each<[string, readonly Fact[], object | undefined]>([
    ['unpaused', [about('domain.unpaused')], { state: 'running', pauses: 0 }],
    ['paused twice, unpaused once', [about('domain.paused'), about('domain.unpaused')], { state: 'paused', pauses: 1 }],
    ['paused again', [about('domain.unpaused'), about('domain.paused')], { state: 'paused' }],
    ['shut down', [about('domain.unpaused'), down('poweroff')], { state: 'shutdown' }],
    [
      'paused after it has shut down',
      [about('domain.unpaused'), down('poweroff'), about('domain.paused')],
      { state: 'shutdown' },
    ],
    ['crashed', [down('crash')], { state: 'crashed' }],
    ['dying', [down('crash'), about('domain.dying_started')], { state: 'dying' }],
    ['dead', [{ type: 'domain.relinquished', domid: 1 }], { state: 'dead' }],
    ['destroyed', [{ type: 'domain.destroyed', domid: 1 }], undefined],
    [
      'a vCPU up and down',
      [
        { type: 'vcpu.brought_up', domid: 1, vcpu: 0, at_ns: 0 },
        { type: 'vcpu.brought_up', domid: 1, vcpu: 1, at_ns: 0 },
        { type: 'vcpu.brought_down', domid: 1, vcpu: 1, at_ns: 0 },
      ],
      { vcpus: 1 },
    ],
    [
      'memory in extents',
      [
        { type: 'p2m.populated', domid: 1, gfn: 0, extents: [100, 3, 500, 2] },
        { type: 'p2m.removed', domid: 1, gfn: 0, nr_pages: 1 },
      ],
      { memory_kib: 16 },
    ],
    ['named', [named('/local/domain/1/name', 'a')], { name: 'a' }],
    ['named in a transaction', [named('/local/domain/1/name', 'a', 3)], { name: '' }],
    [
      'and committed',
      [named('/local/domain/1/name', 'a', 3), { type: 'xenstore.transaction_committed', conn: 0, tx: 3 }],
      { name: 'a' },
    ],
    [
      'or aborted',
      [named('/local/domain/1/name', 'a', 3), { type: 'xenstore.transaction_aborted', conn: 0, tx: 3 }],
      { name: '' },
    ],
    ['another node', [named('/local/domain/1/names', 'a'), named('/vm/x/name', 'b')], { name: '' }],
    ['a name before its domain', [named('/local/domain/2/name', 'b')], { name: '' }],
  ])('%s', (_, facts, expected) => {
    if (expected) expect(row(...facts)).toMatchObject(expected);
    else expect(row(...facts)).toBeUndefined();
  });
  test('nothing is kept of a transaction that has ended', () => {
    const open = named('/local/domain/1/name', 'a', 3);
    expect(listAfter(open).naming).not.toEqual({});
    for (const end of [
      { type: 'xenstore.transaction_committed', conn: 0, tx: 3 },
      { type: 'xenstore.transaction_aborted', conn: 0, tx: 3 },
      { type: 'xenstore.disconnected', conn: 0 },
    ] as const)
      expect(listAfter(open, end).naming).toEqual({});
  });
});

describe('who watches', () => {
  test('is told the new state and the patches that lead to it, until the end of the subscription', () => {
    const view = new View(domainList);
    const told: unknown[] = [];
    const end = view.subscribe((state, patches) => void told.push([Object.keys(state.domains), patches]));
    view.see(step(0, created(0)));
    view.see(step(0, { type: 'console.output', dom: 0, text: 'x' }));
    view.see(step(0, about('domain.dying_started', 0)));
    end();
    view.see(step(0, created(2)));
    expect(told).toEqual([
      [['0'], [expect.objectContaining({ op: 'add', path: ['domains', '0'] })]],
      [['0'], [{ op: 'replace', path: ['domains', '0', 'state'], value: 'dying' }]],
    ]);
  });
  test('a view may start where another one is, and they part', () => {
    const one = new View(domainList);
    one.see(step(0, created(1)));
    const other = new View(domainList, one.state);
    other.see(step(0, created(2)));
    expect([Object.keys(one.state.domains), Object.keys(other.state.domains)]).toEqual([['1'], ['1', '2']]);
  });
});
