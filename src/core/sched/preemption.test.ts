// Who is taken off a pCPU, and where a vCPU goes: what credit2 decides when somebody wakes, and when a slice ends.
import { describe, expect, test } from 'vitest';
import { DOMID_XEN, MS, US } from '../../../events/units.ts';
import { build } from '../../../tools/fuzz/arbitraries/domain.ts';
import { CoreHost, smallMachine } from '../../../tools/fuzz/core-host.ts';
import { spin } from '../../../tools/fuzz/spin.ts';
import { XEN_VCPUAFFINITY } from '../../abi/scheduler.ts';
import { takePending } from '../evtchn/pending.ts';
import type { CoreCommand } from '../index.ts';
import { MIGRATE_COMPENSATION } from './credit2-arithmetic.ts';

/** Domains from 1 on with a vCPU each, which listens to its port 1; dom0 needs no pCPU. */
function hostOf(nrCpus: number, domains: number, scheduler: 'credit' | 'credit2' = 'credit2'): CoreHost {
  const host = new CoreHost({ ...smallMachine, nrCpus, scheduler });
  host.prepare(...build(0, { vcpus: 1, pages: 1, hvm: false, caller: DOMID_XEN }), { type: 'sched.detach', domid: 0, vcpu: 0 });
  for (let domid = 1; domid <= domains; domid++)
    host.prepare(...build(domid, { vcpus: 1, pages: 1, hvm: false }), { type: 'evtchn.bind_ipi', domid, vcpu: 0 });
  return host;
}
const schedule = (cpu: number): CoreCommand => ({ type: 'sched.schedule', cpu });
const block = (domid: number): CoreCommand => ({ type: 'sched.block', domid, vcpu: 0 });
const preempt = (domid: number): CoreCommand => ({ type: 'sched.preempt', domid, vcpu: 0 });
const wake = (domid: number): CoreCommand => ({ type: 'evtchn.send', domid, port: 1 });
const soft = (domain: number, cpus: readonly number[]): CoreCommand => ({
  ...{ type: 'domctl.setvcpuaffinity', domid: 0, domain, vcpu: 0, flags: XEN_VCPUAFFINITY.SOFT, cpumap_hard: [] },
  cpumap_soft: cpus,
});
/** Puts all of them to sleep, before anybody has run for any time. */
function asleep(host: CoreHost, domains: number): CoreHost {
  for (let awake = domains; awake > 0; )
    for (let cpu = 0; cpu < host.xen.sched.nrCpus; cpu++) {
      const chosen = host.answer(schedule(cpu));
      if (typeof chosen === 'string') continue;
      host.prepare(block((chosen as { domid: number }).domid));
      awake--;
    }
  return host;
}
/** It has seen to what was pending, and sleeps again. */
function sleep(host: CoreHost, domid: number): void {
  takePending(host.xen, host.memory, domid, 0);
  expect(host.answer(block(domid))).toEqual({ blocked: 1 });
}
const runs = (host: CoreHost, cpu: number): number | undefined => {
  const { state, domid } = host.xen.sched.pcpu.row(0, cpu);
  return state === 'running' ? domid : undefined;
};

describe.each(['credit2', 'credit'] as const)('%s: who wakes', (scheduler) => {
  test('takes the pCPU from whoever has less, in the step that wakes it', () => {
    const host = asleep(hostOf(1, 2, scheduler), 2).prepare(wake(1), schedule(0));
    // Under credit whoever woke is ahead of the others until the next tick.
    const ran = scheduler === 'credit' ? 12 * MS : 3 * MS;
    host.now = ran;
    expect(host.types(wake(2))).toEqual(expect.arrayContaining(['vcpu.woken', 'vcpu.preempted', 'sched.tickled']));
    expect(runs(host, 0)).toBeUndefined();
    expect(host.answer(schedule(0))).toMatchObject({ domid: 2 });
    expect(host.xen.sched.vcpu.row(1, 0)).toMatchObject({ runstate: 'runnable', time_running: ran });
  });
  test('disturbs nobody who has not run for as long as the rate limit says', () => {
    const host = asleep(hostOf(1, 2, scheduler), 2).prepare(wake(1), schedule(0));
    host.now = 500 * US;
    expect(host.types(wake(2))).not.toContain('vcpu.preempted');
    expect(runs(host, 0)).toBe(1);
  });
});
test('credit2: who wakes with less than whoever runs waits', () => {
  const host = asleep(hostOf(1, 2), 2).prepare(wake(2), schedule(0));
  // d2 has run for long, and sleeps; d1 has not.
  host.now = 8 * MS;
  sleep(host, 2);
  host.prepare(wake(1), schedule(0));
  host.now = 10 * MS;
  const types = host.types(wake(2));
  expect(types).toContain('vcpu.woken');
  expect(types).not.toContain('vcpu.preempted');
  expect(runs(host, 0)).toBe(1);
});

describe('soft affinity', () => {
  test.each(['credit2', 'credit'] as const)(
    '%s: who wakes goes where it would rather run, as long as that is free',
    (scheduler) => {
      const host = asleep(hostOf(2, 2, scheduler), 2).prepare(soft(1, [1]), soft(2, [1]));
      expect(host.submit(wake(1)).events).toContainEqual({ type: 'sched.tickled', cpu: 1, domid: 1, vcpu: 0 });
      expect(host.answer(schedule(1))).toMatchObject({ domid: 1 });
      expect(host.submit(wake(2)).events).toContainEqual({ type: 'sched.tickled', cpu: 0, domid: 2, vcpu: 0 });
      expect(host.answer(schedule(0))).toMatchObject({ domid: 2 });
    },
  );
  test('credit2: it goes over at the end of its slice, when its place is free', () => {
    const host = asleep(hostOf(2, 2), 2).prepare(soft(1, [1]), soft(2, [1]), wake(1), schedule(1), wake(2), schedule(0));
    host.now = 2 * MS;
    sleep(host, 1);
    host.prepare(preempt(2));
    expect(host.answer(schedule(0))).toBe('EAGAIN');
    expect(host.answer(schedule(1))).toMatchObject({ domid: 2 });
  });
  test('is a wish: with more vCPUs than there is room for, nobody waits beside an idle pCPU', () => {
    const host = hostOf(2, 3).prepare(soft(1, [1]), soft(2, [1]), soft(3, [1]));
    const busy = [0, 0];
    spin(host, 100 * MS, (cpu) => busy[cpu]!++);
    const ran = [1, 2, 3].map((domid) => host.xen.sched.vcpu.of(domid)!.time_running.at(0));
    expect(ran.reduce((sum, ns) => sum + ns, 0)).toBeGreaterThan(195 * MS);
  });
});

test.each([
  ['stays with a little less', 300 * US, 1],
  ['goes with half a millisecond less and more', 600 * US, 3],
])('credit2: whoever has run here %s than one who would have to come from another pCPU', (_, lead, expected) => {
  const host = asleep(hostOf(2, 3), 3).prepare(wake(1), schedule(0), wake(2), schedule(1));
  host.now = 3 * MS;
  host.prepare(preempt(1));
  const { credit, runqueue } = host.xen.sched.vcpu.row(1, 0);
  host.prepare({ type: 'domctl.pausedomain', domid: 0, domain: 3 });
  host.apply({ type: 'vcpu.moved', domid: 3, vcpu: 0, cpu: 1, runqueue, credit: credit + lead, at_ns: host.now });
  // It becomes runnable without a pCPU being looked for.
  host.apply({ type: 'vcpu.woken', domid: 3, vcpu: 0, at_ns: host.now });
  host.apply({ type: 'vcpu.unpaused', domid: 3, vcpu: 0, at_ns: host.now });
  host.apply({ type: 'domain.unpaused', domid: 3, at_ns: host.now });
  const outcome = host.submit(schedule(0));
  expect(outcome.value).toMatchObject({ domid: expected });
  // Who comes has something for the way.
  if (expected === 3)
    expect(outcome.events).toContainEqual(
      expect.objectContaining({ type: 'vcpu.scheduled', credit: credit + lead + MIGRATE_COMPENSATION }),
    );
});

test("arinc653: dom0's vCPUs have ten milliseconds each, one after the other, until a schedule is set", () => {
  const host = new CoreHost({ ...smallMachine, nrCpus: 1, scheduler: 'arinc653' });
  const [create, ...rest] = build(0, { vcpus: 2, pages: 1, hvm: false, caller: DOMID_XEN });
  host.prepare({ ...create, handle: '0'.repeat(32) } as CoreCommand, ...rest);
  host.prepare({ type: 'vcpu.initialise', domid: 0, vcpu: 1 }, { type: 'vcpu.up', domid: 0, vcpu: 1 });
  host.prepare(...build(1, { vcpus: 1, pages: 1, hvm: false }));
  const seen: string[] = [];
  spin(host, 45 * MS, (_, domid, vcpu) => seen.push(`d${domid}v${vcpu} at ${host.now / MS}`));
  expect(seen).toEqual(['d0v0 at 0', 'd0v1 at 10', 'd0v0 at 20', 'd0v1 at 30', 'd0v0 at 40']);
  const get: CoreCommand = {
    ...{ type: 'sysctl.scheduler_op', domid: 0, cpupool_id: 0, sched_id: 7, cmd: 1, tslice_ms: 0, ratelimit_us: 0 },
    ...{ vcpu_migr_delay_us: 0, major_frame: 0, dom_handles: [], vcpu_ids: [], runtimes: [] },
  };
  expect(host.answer(get)).toMatchObject({ major_frame: 20 * MS, vcpu_ids: [0, 1], runtimes: [10 * MS, 10 * MS] });
});
