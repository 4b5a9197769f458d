import { describe, expect, test } from 'vitest';
import { DOMID_XEN, MS } from '../../../events/units.ts';
import { bootedHost } from '../../../tools/fuzz/booted-host.ts';
import { CoreHost, smallMachine } from '../../../tools/fuzz/core-host.ts';
import { pvDomain, XEN_DOMINF } from '../../abi/domctl.ts';
import { VIRQ } from '../../abi/virq.ts';
import type { CoreCommand } from '../index.ts';
import { INITIAL_POOL } from './pool.ts';
import { formatHandle, parseHandle } from './state.ts';

const HANDLE = '00112233-4455-6677-8899-aabbccddeeff';
const create = (over: Partial<Extract<CoreCommand, { type: 'domctl.createdomain' }>> = {}): CoreCommand => ({
  type: 'domctl.createdomain',
  domid: 0,
  domain: 0,
  ssidref: 0,
  handle: HANDLE,
  max_vcpus: 1,
  max_evtchn_port: -1,
  max_grant_frames: 4,
  max_maptrack_frames: 1,
  ...pvDomain,
  ...over,
});
const on = (
  type: 'domctl.pausedomain' | 'domctl.unpausedomain' | 'domctl.destroydomain' | 'domctl.getdomaininfo',
  domain: number,
  domid = 0,
): CoreCommand => ({ type, domid, domain });
const pause = (domain: number, domid = 0) => on('domctl.pausedomain', domain, domid);
const unpause = (domain: number, domid = 0) => on('domctl.unpausedomain', domain, domid);
const destroy = (domain: number, domid = 0) => on('domctl.destroydomain', domain, domid);
const info = (domain: number, domid = 0) => on('domctl.getdomaininfo', domain, domid);
const vcpus = (domain: number, max: number, domid = 0): CoreCommand => ({ type: 'domctl.max_vcpus', domid, domain, max });
const memory = (domain: number, max_memkb: number, domid = 0): CoreCommand => ({
  type: 'domctl.max_mem',
  domid,
  domain,
  max_memkb,
});
const shutdown = (domid: number, reason: 'poweroff' | 'crash' = 'poweroff'): CoreCommand => ({
  type: 'sched.shutdown',
  domid,
  reason,
});

const schedule = (cpu: number): CoreCommand => ({ type: 'sched.schedule', cpu });
/** vCPU 0 of d3 gets its first state, and comes up. */
const context: CoreCommand = { type: 'domctl.setvcpucontext', domid: 0, domain: 3, vcpu: 0 };

// d0, d1 and d2 are running.
test.each<[string, CoreCommand[], CoreCommand, unknown]>([
  ['the next id after the last is given', [], create(), { domain: 3 }],
  ['... after the last, not the lowest', [create(), destroy(3), destroy(3)], create(), { domain: 4 }],
  ['... or the one asked for', [], create({ domain: 9 }), { domain: 9 }],
  ['... if it is free', [], create({ domain: 2 }), 'EEXIST'],
  ['... whatever else is wrong', [], create({ domain: 2, max_vcpus: 0 }), 'EEXIST'],
  ['... no reserved one', [], create({ domain: 0x7ff0 }), { domain: 3 }],
  ['a domain has a vCPU', [], create({ max_vcpus: 0 }), 'EINVAL'],
  ['... or 128', [], create({ max_vcpus: 128 }), { domain: 3 }],
  ['... not more', [], create({ max_vcpus: 129 }), 'EINVAL'],
  ['... a handle', [], create({ handle: 'abc' }), 'EINVAL'],
  ['... a frame of grants', [], create({ max_grant_frames: 0 }), 'EINVAL'],
  ["... by default the host's 64", [], create({ max_grant_frames: -1 }), { domain: 3 }],
  ['... not more', [], create({ max_grant_frames: 65 }), 'EINVAL'],
  ['... frames of handles, or none', [], create({ max_maptrack_frames: 0 }), { domain: 3 }],
  ['... 1024 by default', [], create({ max_maptrack_frames: -1 }), { domain: 3 }],
  ['... not more', [], create({ max_maptrack_frames: 1025 }), 'EINVAL'],
  ['no guest makes one', [], create({ domid: 1 }), 'EPERM'],

  ['vCPUs are allocated', [create()], vcpus(3, 1), {}],
  ['... again', [], vcpus(2, 3), {}],
  ['... as many as was said', [create()], vcpus(3, 2), 'EINVAL'],
  ["... not one's own", [], vcpus(0, 2), 'EINVAL'],
  ['... not by a guest', [], vcpus(2, 3, 1), 'EPERM'],
  ['... not of nobody', [], vcpus(77, 1, 1), 'ESRCH'],
  ['memory is limited', [], memory(1, 4096), {}],
  ['... not by a guest', [], memory(1, 4096, 1), 'EPERM'],
  ['... not of nobody', [], memory(77, 4096), 'ESRCH'],

  ['a domain is paused', [], pause(1), {}],
  ['... again', [pause(1)], pause(1), {}],
  ['... 255 times', Array(255).fill(pause(1)), pause(1), 'EOVERFLOW'],
  ['... not oneself', [], pause(0), 'EINVAL'],
  ['... not by a guest', [], pause(2, 1), 'EPERM'],
  ['... not nobody', [], pause(77), 'ESRCH'],
  ['a paused domain is unpaused', [pause(1)], unpause(1), {}],
  ['... as often as it was paused', [pause(1), pause(1), unpause(1), unpause(1)], unpause(1), 'EINVAL'],
  ['... from the first', [create()], unpause(3), {}],
  ['... what runs is not', [], unpause(1), 'EINVAL'],
  ['... not by a guest', [pause(2)], unpause(2, 1), 'EPERM'],
  ['... not nobody', [], unpause(77), 'ESRCH'],

  ['a domain is destroyed, step by step', [], destroy(1), 'ERESTART'],
  ['... until it is done', [destroy(1), destroy(1)], destroy(1), {}],
  ['... then it is not there', [destroy(1), destroy(1), destroy(1)], destroy(1), 'ESRCH'],
  ['... not oneself', [], destroy(0), 'EINVAL'],
  ['... not by a guest', [], destroy(2, 1), 'EPERM'],
  ['... not nobody', [], destroy(77), 'ESRCH'],

  ['a domain shuts down', [], shutdown(1), {}],
  ['... again is no error', [shutdown(1)], shutdown(1, 'crash'), {}],
  ['... not nobody', [], shutdown(77), 'ESRCH'],
  ['... not the dying', [destroy(1)], shutdown(1), 'ESRCH'],

  ['nobody asks about reserved ids', [], info(0x7ff0), 'EINVAL'],
  ['... nor beyond the last', [], info(3), 'ESRCH'],
  ['... nor as a guest', [], info(1, 1), 'EPERM'],
  ['... said after whether anybody is there', [], info(9, 1), 'ESRCH'],
  ['the machine is no affair of guests', [], { type: 'sysctl.physinfo', domid: 1 }, 'EPERM'],
])('%s', (_, before, command, expected) => {
  expect(
    bootedHost()
      .prepare(...before)
      .answer(command),
  ).toEqual(expected);
});

test('what Xen builds for itself is dom0, once', () => {
  const host = new CoreHost();
  expect(host.answer(create())).toBe('ESRCH');
  expect(host.answer(create({ domid: DOMID_XEN }))).toEqual({ domain: 0 });
  expect(host.answer(create({ domid: DOMID_XEN }))).toBe('ENOMEM');
  expect(host.answer(create())).toEqual({ domain: 1 });
});

test('ids go round, past what is taken', () => {
  const host = bootedHost({ ...smallMachine, invariants: {} });
  host.xen.domains.rover.of(0)!.domid.put(0, 0x7fee);
  expect(host.answer(create())).toEqual({ domain: 0x7fef });
  expect(host.answer(create())).toEqual({ domain: 3 });
});

test('a domain has a shared page and a frame of grants, or is not made', () => {
  const host = bootedHost({ nrCpus: 1, totalPages: 0x1000 + 8 + 6 + 6 + 6 + 3 + INITIAL_POOL });
  expect(host.xen.p2m.freePages).toBe(3);
  expect(host.types(create())).toEqual(['domain.created', 'gnttab.table_grown']);
  expect(host.answer(create())).toBe('ENOMEM');
});

describe('pausing', () => {
  const runstate = (host: CoreHost, domid: number): string => host.xen.sched.vcpu.of(domid)!.runstate.is(0);
  test.each<[string, CoreCommand[], string]>([
    ['a domain begins paused', [create(), vcpus(3, 1), context], 'offline'],
    ['... and runs when unpaused', [create(), vcpus(3, 1), context, unpause(3)], 'runnable'],
    ['... also unpaused before it had vCPUs', [create(), unpause(3), vcpus(3, 1), context], 'runnable'],
    ['what is dying gets no vCPU that runs', [create(), unpause(3), destroy(3), vcpus(3, 1), context], 'offline'],
    ['nor what is shut down', [create(), unpause(3), shutdown(3), vcpus(3, 1), context], 'offline'],
    ['a shut down domain does not run when unpaused', [create(), vcpus(3, 1), context, shutdown(3), unpause(3)], 'offline'],
  ])('%s', (_, commands, expected) => {
    expect(runstate(bootedHost().prepare(...commands), 3)).toBe(expected);
  });

  test('vCPUs run when the last pause is taken back', () => {
    const host = bootedHost().prepare(pause(2), pause(2), unpause(2));
    expect(runstate(host, 2)).toBe('offline');
    host.prepare(unpause(2));
    expect(runstate(host, 2)).toBe('runnable');
  });
});

describe('what dom0 is told', () => {
  const listening = () => bootedHost().prepare({ type: 'evtchn.bind_virq', domid: 0, virq: VIRQ.DOM_EXC, vcpu: 0 });
  test('that a domain shut down', () => {
    expect(listening().types(shutdown(1)).at(-1)).toBe('evtchn.pending_raised');
  });
  test('that a domain is gone', () => {
    expect(listening().prepare(destroy(1), destroy(1)).types(destroy(1))).toEqual(['domain.destroyed', 'evtchn.pending_raised']);
  });
  test('that a domain would be gone but for its mapped pages', () => {
    const host = listening().prepare(
      { type: 'gnttab.seed', domid: 0, dom: 1, ref: 0, gfn: 1, backend: 0 },
      { type: 'gnttab.map_grant_ref', domid: 0, dom: 1, ref: 0, readonly: true },
      destroy(1),
      destroy(1),
    );
    expect(host.types(destroy(1))).toEqual(['domain.relinquished', 'evtchn.pending_raised']);
    expect(host.answer(destroy(1))).toEqual({});
    expect(host.answer(info(1))).toMatchObject({ domain: 1, tot_pages: 1 });
  });
});

describe('getdomaininfo', () => {
  const flags = (host: CoreHost, domain: number): number => (host.answer(info(domain)) as { flags: number }).flags;
  const { dying, hvm_guest, paused, blocked, running, hap, shutdown: isShutdown } = XEN_DOMINF;
  const none = 0xffff0000;

  test.each<[string, number, CoreCommand[], number]>([
    ['runnable', 1, [], none],
    ['HVM', 2, [], none | hvm_guest | hap],
    ['its own', 0, [], none | running],
    ['running', 1, [schedule(0), schedule(1)], none | running],
    ['paused', 1, [pause(1)], none | paused],
    ['new, without vCPUs: not blocked', 3, [create()], none | paused],
    ['blocked', 1, [schedule(0), schedule(1), { type: 'sched.block', domid: 1, vcpu: 0 }], none | blocked],
    ['shut down', 1, [shutdown(1)], isShutdown],
    ['crashed', 1, [shutdown(1, 'crash')], isShutdown | (3 << 16)],
    ['on its way out: not yet', 1, [destroy(1)], none],
    [
      'a zombie',
      1,
      [
        { type: 'gnttab.seed', domid: 0, dom: 1, ref: 0, gfn: 1, backend: 0 },
        { type: 'gnttab.map_grant_ref', domid: 0, dom: 1, ref: 0, readonly: true },
        destroy(1),
        destroy(1),
        destroy(1),
      ],
      none | dying,
    ],
  ])('%s', (_, domain, before, expected) => {
    expect(flags(bootedHost().prepare(...before), domain)).toBe(expected >>> 0);
  });

  test('is about the next domain above', () => {
    const host = bootedHost().prepare(create({ domain: 9 }));
    expect([0, 1, 3, 9, -5].map((domain) => (host.answer(info(domain)) as { domain: number }).domain)).toEqual([0, 1, 9, 9, 0]);
  });

  test('counts', () => {
    const host = bootedHost().prepare(schedule(0), schedule(1), memory(1, -1));
    host.now = 3 * MS;
    expect(host.answer(info(1))).toMatchObject({
      tot_pages: 6,
      max_pages: 2 ** 32 - 1,
      cpu_time_ns: 3 * MS,
      nr_online_vcpus: 1,
      max_vcpu_id: 0,
      handle: HANDLE,
    });
    expect(host.answer(info(2))).toMatchObject({ nr_online_vcpus: 1, max_vcpu_id: 2 });
    host.prepare(create({ ssidref: 7 }));
    expect(host.answer(info(3))).toMatchObject({
      nr_online_vcpus: 0,
      max_vcpu_id: 2 ** 32 - 1,
      ssidref: 7,
      shared_info_frame: host.xen.sharedInfo(3),
    });
  });
});

test('physinfo counts what is free', () => {
  const host = bootedHost();
  const physinfo = { type: 'sysctl.physinfo', domid: 0 } as const;
  expect(host.answer(physinfo)).toMatchObject({
    nr_cpus: 2,
    max_cpu_id: 1,
    total_pages: 0x4000,
    free_pages: host.xen.p2m.freePages,
  });
  const before = host.xen.p2m.freePages;
  host.prepare(destroy(1), destroy(1), destroy(1));
  expect(host.answer(physinfo)).toMatchObject({ free_pages: before + 6 + 2 });
});

describe('an end', () => {
  test('takes everything along, and leaves nothing to the next of its id', () => {
    const host = bootedHost();
    const before = host.xen.p2m.freePages;
    const page = host.xen.p2m.mfn(1, 0);
    host.memory.put32(page, 0, 7);
    host.prepare(
      { type: 'evtchn.alloc_unbound', domid: 1, dom: 1, remote_dom: 0 },
      { type: 'evtchn.bind_interdomain', domid: 0, remote_dom: 1, remote_port: 1 },
      { type: 'timer.set_timer_op', domid: 1, vcpu: 0, timeout_ns: 5 },
      { type: 'gnttab.seed', domid: 0, dom: 2, ref: 0, gfn: 1, backend: 1 },
      { type: 'gnttab.map_grant_ref', domid: 1, dom: 2, ref: 0, readonly: false },
      schedule(0),
      schedule(1),
    );
    while (host.answer(destroy(1)) === 'ERESTART');
    expect([...host.xen.domids()]).toEqual([0, 2]);
    expect(host.xen.p2m.freePages).toBe(before + 6 + 2);
    expect(host.memory.get32(page, 0)).toBe(0);
    expect(host.xen.sched.pcpu.row(0, 1).state).toBe('idle');
    expect(host.xen.evtchn.ports.row(0, 1)).toMatchObject({ state: 'unbound', remote_dom: 1 });
    expect(host.answer(create({ domain: 1 }))).toEqual({ domain: 1 });
    expect(host.answer(info(1))).toMatchObject({ tot_pages: 0, nr_online_vcpus: 0 });
  });

  test('of many ports and mappings takes many steps', () => {
    const host = bootedHost().prepare(
      ...Array.from({ length: 100 }, (): CoreCommand => ({ type: 'evtchn.bind_ipi', domid: 1, vcpu: 0 })),
      { type: 'gnttab.seed', domid: 0, dom: 2, ref: 0, gfn: 1, backend: 1 },
      ...Array.from(
        { length: 3 },
        (): CoreCommand => ({ type: 'gnttab.map_grant_ref', domid: 1, dom: 2, ref: 0, readonly: true }),
      ),
    );
    const steps: number[] = [];
    for (let more = true; more; ) {
      const outcome = host.submit(destroy(1));
      steps.push(outcome.events?.length ?? 0);
      more = !outcome.ok;
    }
    // Dying, with its vCPU paused; 64 and 36 ports; one mapping at a time, as all are of one entry; its pages; the end.
    expect(steps).toEqual([2, 64, 36, 1, 1, 1, 1, 1]);
  });
});

test.each([
  { text: HANDLE, words: [0x00112233, 0x44556677, 0x8899aabb, 0xccddeeff] },
  { text: HANDLE.replaceAll('-', '').toUpperCase(), words: [0x00112233, 0x44556677, 0x8899aabb, 0xccddeeff] },
  { text: `${HANDLE}0`, words: undefined },
  { text: HANDLE.replace('f', 'g'), words: undefined },
  { text: '', words: undefined },
])('the handle $text is $words', ({ text, words }) => {
  expect(parseHandle(text)).toEqual(words);
  if (words) expect(formatHandle(parseHandle(text)!)).toBe(HANDLE);
});
