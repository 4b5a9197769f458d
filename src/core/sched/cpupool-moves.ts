// What happens to vCPUs when a pCPU leaves their pool, or their domain goes to another (sched_move_domain(), cpu_disable_scheduler()).
import type { DomId, Ns } from '../../../events/units.ts';
import type { Fact } from '../../../events/vocabulary.ts';
import type { Xen } from '../xen.ts';
import { CREDIT_INIT, ONE_LOAD } from './credit2-arithmetic.ts';
import { runqueuesIn } from './credit2-balance.ts';
import { stoppedSchedTimers } from './decide.ts';
import { preempted } from './leave.ts';
import { cpusIn } from './masks.ts';
import { released } from './null.ts';
import { schedulerOf } from './schedulers.ts';
import { vcpuId } from './state.ts';

/** A domain leaves its pool: its vCPUs stop, lose affinity and parameters, and get places in the other. */
export function movedDomain(xen: Xen, domid: DomId, pool: number, now: Ns): Fact[] {
  const { sched } = xen;
  const rows = sched.vcpu.of(domid)!;
  const from = xen.poolOf(domid);
  const count = xen.domain.of(0)!.nr_vcpus.at(domid);
  const facts: Fact[] = [];
  const everyCpu = Array.from({ length: sched.nrCpus }, (_, cpu) => cpu);
  const own = new Set(Array.from({ length: count }, (_, vcpu) => vcpuId(domid, vcpu)));
  for (let vcpu = 0; vcpu < count; vcpu++) {
    if (rows.runstate.is(vcpu) === 'running' && rows.detached.at(vcpu) === 0)
      facts.push(...preempted(schedulerOf(xen, from), xen, vcpuId(domid, vcpu), now));
    if (sched.kindOf(from) === 'null') facts.push(...released(xen, domid, vcpu, now, own));
    if (rows.hard.at(vcpu) === 1) facts.push({ type: 'vcpu.affinity_set', domid, vcpu, cpus: everyCpu });
    if (rows.soft.at(vcpu) === 1) facts.push({ type: 'vcpu.soft_affinity_set', domid, vcpu, cpus: everyCpu });
  }
  facts.push(...stoppedSchedTimers(xen, domid), { type: 'cpupool.domain_moved', domid, pool, at_ns: now });
  const queues = [...runqueuesIn(xen, pool)];
  const given = new Map<number, number>();
  const { unit } = sched.pcpu.of(0)!;
  const taken = new Set<number>();
  for (let vcpu = 0; vcpu < count; vcpu++) {
    // The queue with the fewest of them.
    const least = [...queues].sort(([a], [b]) => (given.get(a) ?? 0) - (given.get(b) ?? 0) || a - b)[0];
    if (least === undefined) break;
    const [queue, cpus] = least;
    const cpu = cpus[vcpu % cpus.length]!;
    given.set(queue, (given.get(queue) ?? 0) + ONE_LOAD);
    const credit = CREDIT_INIT - sched.scale.of(0)!.base.at(queue);
    facts.push({ type: 'vcpu.moved', domid, vcpu, cpu, runqueue: queue, credit, at_ns: now });
    if (sched.kindOf(pool) === 'null' && rows.up.at(vcpu) === 1) {
      const free = sched.cpusOf(pool).find((one) => unit.at(one) === 0 && !taken.has(one));
      if (free !== undefined) taken.add(free);
      facts.push({ type: 'null.assigned', domid, vcpu, cpu: free ?? -1, since: now });
    }
    if (rows.parked.at(vcpu) === 1) facts.push({ type: 'vcpu.unparked', domid, vcpu, at_ns: now });
  }
  return facts;
}

/** A pCPU leaves a pool that has others: undefined where a vCPU that may run nowhere else is kept there by an override. */
export function poolStops(xen: Xen, pool: number, cpu: number, rest: readonly number[], now: Ns): Fact[] | undefined {
  const { sched } = xen;
  const facts: Fact[] = [];
  const after: Fact[] = [];
  const { base } = sched.scale.of(0)!;
  const { runqueue, unit } = sched.pcpu.of(0)!;
  const everyCpu = Array.from({ length: sched.nrCpus }, (_, one) => one);
  for (const domid of xen.domids()) {
    if (xen.poolOf(domid) !== pool) continue;
    const rows = sched.vcpu.of(domid)!;
    for (let vcpu = 0; vcpu < xen.domain.of(0)!.nr_vcpus.at(domid); vcpu++) {
      const id = vcpuId(domid, vcpu);
      const hard = cpusIn(xen, domid, vcpu, 'hard');
      let allowed = rest.filter((one) => hard.includes(one));
      if (rows.cpu.at(vcpu) === cpu && rows.runstate.is(vcpu) === 'running' && rows.detached.at(vcpu) === 0)
        facts.push(...preempted(schedulerOf(xen, pool), xen, id, now));
      if (allowed.length === 0) {
        if (rows.overridden.at(vcpu) === 1) return undefined;
        // Xen lets it run anywhere then.
        facts.push({ type: 'vcpu.affinity_set', domid, vcpu, cpus: everyCpu });
        allowed = [...rest];
      }
      const here = allowed.filter((one) => runqueue.at(one) === rows.runqueue.at(vcpu));
      if (rows.cpu.at(vcpu) === cpu || here.length === 0) {
        const to = here.length > 0 ? here : allowed;
        const target = to[id % to.length]!;
        const credit = rows.credit.at(vcpu) + base.at(rows.runqueue.at(vcpu)) - base.at(runqueue.at(target));
        after.push({ type: 'vcpu.moved', domid, vcpu, cpu: target, runqueue: runqueue.at(target), credit, at_ns: now });
      }
      if (sched.kindOf(pool) === 'null' && unit.at(cpu) === id + 1) {
        const free = allowed.find((one) => unit.at(one) === 0);
        after.push({ type: 'null.unassigned', domid, vcpu }, { type: 'null.assigned', domid, vcpu, cpu: free ?? -1, since: now });
      }
    }
  }
  return [...facts, { type: 'cpupool.cpu_removed', pool, cpu, at_ns: now }, ...after];
}
