import { describe, expect, test } from 'vitest';
import { MS, US } from '../../../events/units.ts';
import { build } from '../../../tools/fuzz/arbitraries/domain.ts';
import { bootedHost } from '../../../tools/fuzz/booted-host.ts';
import { type CoreHost, smallMachine } from '../../../tools/fuzz/core-host.ts';
import { XEN_DOMCTL_SCHEDOP, XEN_SCHEDULER, XEN_VCPUAFFINITY } from '../../abi/scheduler.ts';
import { vcpuInfo } from '../evtchn/pending.ts';
import type { CoreCommand } from '../index.ts';
import { burn, CREDIT_INIT, MAX_CREDIT, MIN_CREDIT, MIN_SLICE, timeToBurn } from './credit2-arithmetic.ts';

const schedule = (cpu: number): CoreCommand => ({ type: 'sched.schedule', cpu });
const on = (type: 'sched.block' | 'sched.yield' | 'sched.preempt' | 'sched.detach', domid: number, vcpu = 0): CoreCommand => ({
  type,
  domid,
  vcpu,
});
const affinity = (domain: number, cpus: number[], { domid = 0, vcpu = 0 } = {}): CoreCommand => ({
  type: 'domctl.setvcpuaffinity',
  domid,
  domain,
  vcpu,
  flags: XEN_VCPUAFFINITY.HARD,
  cpumap_hard: cpus,
  cpumap_soft: [],
});
const weight = (domain: number, value: number, domid = 0): CoreCommand => ({
  type: 'domctl.scheduler_op',
  domid,
  domain,
  sched_id: XEN_SCHEDULER.credit2,
  cmd: XEN_DOMCTL_SCHEDOP.putinfo,
  weight: value,
  cap: 0,
  period: 0,
  budget: 0,
  vcpus: [],
});
const params = (some: object) => ({ weight: 0, cap: 0, period: 0, budget: 0, vcpus: [], ...some });
const charge = (domid: number, ran_ns: number, vcpu = 0): CoreCommand => ({ type: 'sched.charge', domid, vcpu, ran_ns });
const pause = (domain: number): CoreCommand => ({ type: 'domctl.pausedomain', domid: 0, domain });

// vCPU 0 of d0, d1 and d2 are runnable, in this order.
test.each<[string, CoreCommand[], CoreCommand, unknown]>([
  ['a pCPU takes who has waited longest', [], schedule(0), { domid: 0, vcpu: 0, until_ns: MS }],
  ['... then the next', [schedule(0)], schedule(1), { domid: 1, vcpu: 0, until_ns: MS }],
  ['... when it is idle', [schedule(0)], schedule(0), 'EBUSY'],
  ['... when it is there', [], schedule(2), 'EBUSY'],
  ['... at all', [], schedule(-1), 'EBUSY'],
  ['... when somebody wants it', [pause(1), pause(2), schedule(0)], schedule(1), 'EAGAIN'],
  ['... when he may have it', [affinity(1, [0]), affinity(2, [0]), schedule(0)], schedule(1), 'EAGAIN'],
  ['who runs alone has all of its credit', [pause(1), pause(2)], schedule(0), { domid: 0, vcpu: 0, until_ns: 10 * MS }],
  ['... however fast it burns', [pause(1), pause(2), weight(0, 128)], schedule(0), { domid: 0, vcpu: 0, until_ns: 5 * MS }],
  ['... but no longer than 10 ms', [pause(1), pause(2), weight(0, 512)], schedule(0), { domid: 0, vcpu: 0, until_ns: 10 * MS }],

  ['who runs may block', [schedule(0)], on('sched.block', 0), { blocked: 1 }],
  ['... no other', [], on('sched.block', 0), 'EINVAL'],
  ['... nor no vCPU', [], on('sched.block', 0, 7), 'EINVAL'],
  ['... nor nobody', [], on('sched.block', 77), 'ESRCH'],
  ['who runs may yield', [schedule(0)], on('sched.yield', 0), {}],
  ['... no other', [schedule(0)], on('sched.yield', 1), 'EINVAL'],
  ['... is preempted', [schedule(0)], on('sched.preempt', 0), {}],
  ['... no other', [], on('sched.preempt', 0), 'EINVAL'],

  ['dom0 runs without a pCPU', [], on('sched.detach', 0), {}],
  ['... not a guest', [], on('sched.detach', 1), 'EPERM'],
  ['... nor no vCPU', [], on('sched.detach', 0, 2), 'ENOENT'],
  ['... and yields to nobody', [on('sched.detach', 0)], on('sched.yield', 0), {}],

  ['work is charged', [], charge(0, 5), {}],
  ['... not less than none', [], charge(0, -5), 'EINVAL'],
  ['... to a vCPU that is there', [], charge(0, 5, 9), 'ENOENT'],

  ['affinity', [], affinity(1, [1]), { cpumap_hard: [1], cpumap_soft: [] }],
  ['... to pCPUs that are there', [], affinity(1, [2]), 'EINVAL'],
  ['... at least one', [], affinity(1, [-1, 1, 99]), { cpumap_hard: [1], cpumap_soft: [] }],
  ['... to some', [], affinity(1, []), 'EINVAL'],
  ['... of a vCPU within the limit', [], affinity(1, [1], { vcpu: 1 }), 'EINVAL'],
  ['... not by a guest', [], affinity(1, [1], { domid: 1 }), 'EPERM'],
  ['... of nobody, said before who asks', [], affinity(77, [1], { domid: 1 }), 'ESRCH'],
  ['weight', [], weight(1, 65535), params({ weight: 65535 })],
  ['... 0 changes nothing', [], weight(1, 0), params({})],
  ['... in 16 bits', [], weight(1, 65536), 'EINVAL'],
  ['... not by a guest', [], weight(1, 5, 1), 'EPERM'],
  ['... of nobody, said before who asks', [], weight(77, 5, 1), 'ESRCH'],
])('%s', (_, before, command, expected) => {
  expect(
    bootedHost()
      .prepare(...before)
      .answer(command),
  ).toEqual(expected);
});

test('affinity of a vCPU that is not allocated yet', () => {
  const host = bootedHost().prepare(build(5, { vcpus: 1, pages: 1, hvm: false })[0]!);
  expect(host.answer(affinity(5, [0]))).toBe('ESRCH');
});

test.each([
  { ran: 1000, weight: 256, maxWeight: 256, costs: 1000 },
  { ran: 1000, weight: 512, maxWeight: 512, costs: 1000 },
  { ran: 1000, weight: 256, maxWeight: 512, costs: 2000 },
  { ran: 1000, weight: 1, maxWeight: 256, costs: 256_000 },
])('$ran ns at weight $weight of at most $maxWeight cost $costs', ({ ran, weight, maxWeight, costs }) => {
  expect(burn(ran, weight, maxWeight)).toBe(costs);
});

test.each([
  { lead: 3 * MS, weight: 256, lasts: 3 * MS },
  { lead: 3 * MS, weight: 512, lasts: 6 * MS },
  { lead: 0, weight: 256, lasts: 500 * US },
  { lead: -MS, weight: 256, lasts: 500 * US },
  { lead: 30 * MS, weight: 256, lasts: 10 * MS },
])('a lead of $lead at weight $weight lasts $lasts', ({ lead, weight, lasts }) => {
  expect(timeToBurn(lead, weight, 256, MIN_SLICE)).toBe(lasts);
});

const vcpu = (host: CoreHost, domid: number) => host.xen.sched.vcpu.row(domid, 0);
const credit = (host: CoreHost, domid: number): number => vcpu(host, domid).credit + host.xen.sched.scale.of(0)!.base.at(0);
/** Runs whoever is chosen on pCPU 0 for its slice, `slices` times. */
function run(host: CoreHost, slices: number): void {
  for (let i = 0; i < slices; i++) {
    const outcome = host.submit(schedule(0));
    if (!outcome.ok) throw new Error(outcome.errno);
    const { domid, vcpu, until_ns } = outcome.value as { domid: number; vcpu: number; until_ns: number };
    host.now = until_ns;
    host.submit({ type: 'sched.preempt', domid, vcpu });
  }
}

const onePcpu = (): CoreHost => bootedHost({ ...smallMachine, nrCpus: 1 });

describe('credit', () => {
  test('who runs pays, and is overtaken', () => {
    const host = onePcpu().prepare(schedule(0));
    host.now = 500 * US;
    host.prepare(on('sched.preempt', 0));
    expect(credit(host, 0)).toBe(CREDIT_INIT - 500 * US);
    expect(host.answer(schedule(0))).toMatchObject({ domid: 1 });
  });

  test('all share by their weight', () => {
    const host = onePcpu().prepare(weight(1, 512), weight(2, 128));
    run(host, 4000);
    const shares = [0, 1, 2].map((domid) => Math.round((vcpu(host, domid).time_running / host.now) * 100));
    expect(shares).toEqual([29, 57, 14]);
  });

  test('when the richest has none, all start again', () => {
    const host = onePcpu().prepare(pause(1), pause(2));
    run(host, 1);
    expect(credit(host, 0)).toBe(0);
    expect(host.types(schedule(0))).toEqual(['sched.credits_reset', 'vcpu.scheduled']);
    expect(credit(host, 0)).toBe(CREDIT_INIT);
  });

  test('nobody owes more than a fresh start, and who owes that starts again twice', () => {
    const host = onePcpu().prepare(pause(1), pause(2), schedule(0));
    host.now = 1000 * MS;
    host.prepare(on('sched.preempt', 0));
    expect(credit(host, 0)).toBe(MIN_CREDIT);
    host.prepare(schedule(0));
    expect(credit(host, 0)).toBe(CREDIT_INIT);
  });

  test('who sleeps through many starts keeps little more than one', () => {
    const host = onePcpu().prepare(pause(1), pause(2));
    run(host, 50);
    host.prepare({ type: 'domctl.unpausedomain', domid: 0, domain: 1 });
    expect(credit(host, 1)).toBe(MAX_CREDIT);
  });

  test('who may run nowhere free keeps no more when it runs at last', () => {
    const host = bootedHost().prepare(pause(2), affinity(1, [1]), schedule(0));
    host.prepare(on('sched.preempt', 0));
    run(host, 50);
    host.prepare(schedule(1));
    expect(credit(host, 1)).toBe(MAX_CREDIT);
  });

  test('a slice lasts until the lead over whoever waits is burnt', () => {
    const host = onePcpu().prepare(pause(2), schedule(0));
    host.now = 3 * MS;
    host.prepare(on('sched.preempt', 0));
    expect(host.answer(schedule(0))).toEqual({ domid: 1, vcpu: 0, until_ns: 6 * MS });
  });

  test('a paused vCPU has paid for what it ran', () => {
    const host = bootedHost().prepare(schedule(0), schedule(1));
    host.now = 2 * MS;
    expect(host.types(pause(1))).toEqual(['domain.paused', 'vcpu.preempted', 'vcpu.paused']);
    expect(credit(host, 1)).toBe(CREDIT_INIT - 2 * MS + 50 * US); // it came from another pCPU
    expect(vcpu(host, 1)).toMatchObject({ runstate: 'offline', time_running: 2 * MS });
  });

  test('a clock behind that of the slice gives no credit', () => {
    const host = onePcpu();
    host.now = 5 * MS;
    host.prepare(schedule(0));
    host.now = 2 * MS;
    host.prepare(on('sched.preempt', 0));
    expect(credit(host, 0)).toBe(CREDIT_INIT);
  });
});

describe('blocking', () => {
  test.each([
    { flag: 0, mask: 0, blocked: 1 },
    { flag: 1, mask: 0, blocked: 0 },
    { flag: 1, mask: 1, blocked: 0 },
    { flag: 0, mask: 1, blocked: 1 },
  ])('with upcall pending $flag and masked $mask it blocks: $blocked', ({ flag, mask, blocked }) => {
    const host = bootedHost().prepare(schedule(0), schedule(1));
    host.memory.put8(host.xen.sharedInfo(1), vcpuInfo(0), flag);
    host.memory.put8(host.xen.sharedInfo(1), vcpuInfo(0) + 1, mask);
    expect(host.answer(on('sched.block', 1))).toEqual({ blocked });
    expect(vcpu(host, 1).runstate).toBe(blocked ? 'blocked' : 'running');
    expect(host.xen.sched.pcpu.row(0, 1).state).toBe(blocked ? 'idle' : 'running');
  });
});

describe('without a pCPU', () => {
  test('it gives up the one it had', () => {
    const host = onePcpu().prepare(schedule(0), on('sched.detach', 0));
    expect(host.xen.sched.pcpu.row(0, 0).state).toBe('idle');
    expect(vcpu(host, 0)).toMatchObject({ runstate: 'running', detached: 1 });
    expect(host.answer(schedule(0))).toMatchObject({ domid: 1 });
  });
  test('it leaves the others theirs', () => {
    const host = onePcpu().prepare(on('sched.detach', 0), schedule(0), on('sched.preempt', 0), on('sched.block', 0));
    expect(host.xen.sched.pcpu.row(0, 0)).toMatchObject({ state: 'running', domid: 1 });
  });
  test('it has run for what it was charged, and slept for what it slept', () => {
    const host = bootedHost().prepare(on('sched.detach', 0));
    host.now = 5 * MS;
    host.prepare(charge(0, 2 * MS), on('sched.block', 0));
    host.now = 9 * MS;
    const time = [2 * MS, 0, 4 * MS, 0];
    expect(host.answer({ type: 'vcpu.get_runstate_info', domid: 0, vcpu: 0 })).toMatchObject({ state: 'blocked', time });
  });
  test('it wakes to running', () => {
    const host = bootedHost().prepare(
      on('sched.detach', 0),
      { type: 'evtchn.bind_ipi', domid: 0, vcpu: 0 },
      on('sched.block', 0),
    );
    expect(vcpu(host, 0).runstate).toBe('blocked');
    host.prepare({ type: 'evtchn.send', domid: 0, port: 1 });
    expect(vcpu(host, 0).runstate).toBe('running');
  });
});

test('the times of all runstates are all the time there was', () => {
  const host = onePcpu().prepare(schedule(0));
  host.now = 2 * MS;
  host.prepare(on('sched.block', 0), schedule(0));
  host.now = 5 * MS;
  host.prepare(on('sched.yield', 1), pause(1));
  host.now = 9 * MS;
  expect(host.answer({ type: 'vcpu.get_runstate_info', domid: 0, vcpu: 0 })).toEqual({
    state: 'blocked',
    state_entry_time: 2 * MS,
    time: [2 * MS, 0, 7 * MS, 0],
  });
  expect(host.answer({ type: 'vcpu.get_runstate_info', domid: 1, vcpu: 0 })).toEqual({
    state: 'offline',
    state_entry_time: 5 * MS,
    time: [3 * MS, 2 * MS, 0, 4 * MS],
  });
});
