// Where vCPUs belong when they are made, when their domain changes its pool, or when what they may run on changes.
import type { DomId, Ns } from '../../../events/units.ts';
import type { Fact } from '../../../events/vocabulary.ts';
import type { Xen } from '../xen.ts';
import { ONE_LOAD } from './credit2-arithmetic.ts';
import { moved, pickQueue, runqueuesIn } from './credit2-balance.ts';
import { vcpuId } from './state.ts';

/** The run queues of a domain's new vCPUs, each the emptiest when its turn comes. Nothing where there is no choice. */
export function placed(xen: Xen, domid: DomId, count: number, now: Ns): Fact[] {
  const pool = xen.poolOf(domid);
  const { scale } = xen.sched;
  const queues = runqueuesIn(xen, pool);
  if (queues.size === 0 || (queues.size === 1 && queues.has(0))) return [];
  const facts: Fact[] = [];
  const more = new Map<number, number>();
  for (let vcpu = 0; vcpu < count; vcpu++) {
    const picked = pickQueue(xen, vcpuId(domid, vcpu), pool, now, more);
    if (picked === undefined) continue;
    const { queue, cpus } = picked;
    // It is made with what everybody starts with, on the scale of queue 0.
    const made = moved(xen, vcpuId(domid, vcpu), pool, queue, cpus, now);
    for (const fact of made) if (fact.type === 'vcpu.moved') facts.push({ ...fact, credit: START - scale.of(0)!.base.at(queue) });
    more.set(queue, (more.get(queue) ?? 0) + ONE_LOAD / 2);
  }
  return facts;
}
const START = 10_000_000;

/** The place in a pool for a vCPU that is not running: where it is, if it may be there, else the emptiest run queue. */
export function replaced(xen: Xen, id: number, pool: number, now: Ns, allowed: (cpu: number) => boolean): Fact[] {
  const domid = Math.floor(id / 256);
  const vcpu = id % 256;
  const rows = xen.sched.vcpu.of(domid)!;
  const cpu = rows.cpu.at(vcpu);
  const { runqueue } = xen.sched.pcpu.of(0)!;
  const { base } = xen.sched.scale.of(0)!;
  const cpus = xen.sched.cpusOf(pool).filter(allowed);
  if (cpus.includes(cpu) && runqueue.at(cpu) === rows.runqueue.at(vcpu)) return [];
  if (cpus.length === 0) return [];
  const here = cpus.filter((other) => runqueue.at(other) === rows.runqueue.at(vcpu));
  const to = here.length > 0 ? here : cpus;
  const target = to[id % to.length]!;
  const queue = runqueue.at(target);
  const credit = rows.credit.at(vcpu) + base.at(rows.runqueue.at(vcpu)) - base.at(queue);
  return [{ type: 'vcpu.moved', domid, vcpu, cpu: target, runqueue: queue, credit, at_ns: now }];
}
