// null (xen/common/sched/null.c): a vCPU has a pCPU for itself, or waits until one is free. Nobody ever moves.
import type { DomId, Ns } from '../../../events/units.ts';
import { END_OF_TIME } from '../../../events/units.ts';
import type { Fact } from '../../../events/vocabulary.ts';
import type { Xen } from '../xen.ts';
import { hasSoft, isInHard, isInSoft } from './masks.ts';
import { cycle, tickle } from './pcpus.ts';
import { type Candidate, type Charge, type Choice, type Scheduler, sinceWaiting, type Tickled } from './scheduler.ts';
import { domidOf, vcpuId, vcpuOf } from './state.ts';

export const nullScheduler: Scheduler = {
  sched_id: 9,
  candidate(xen: Xen, cpu: number, at: Ns): Candidate | undefined {
    const id = unitOf(xen, cpu);
    if (id === undefined || !isRunnable(xen, id)) return undefined;
    return { id, at: sinceWaiting(xen, domidOf(id), vcpuOf(id), at) };
  },
  choose(xen: Xen, cpu: number, now: Ns): Choice {
    const id = unitOf(xen, cpu);
    // There is nobody else: it runs until it stops. Still it looks up now and then, as a log wants steps.
    return id === undefined || !isRunnable(xen, id)
      ? { facts: [] }
      : { next: { id, until_ns: Math.min(now + SLICE, END_OF_TIME - 1), credit: 0 }, facts: [] };
  },
  /** null_unit_wake(): its own pCPU; or a free one, or the end of the queue. */
  woken(xen: Xen, id: number, now: Ns, tickled: Tickled): Fact[] {
    const own = cpuOf(xen, id);
    if (own !== undefined) return tickled.has(own) ? [] : [tickle(own, id, tickled)];
    if (xen.sched.waitq.has(id)) return [];
    const facts = assign(xen, id, now, tickled);
    const last = facts[0];
    if (last?.type === 'null.assigned' && last.cpu >= 0) facts.push(tickle(last.cpu, id, tickled));
    return facts;
  },
  left: (): Charge => ({ credit: 0, facts: [] }),
  expire: () => [],
};
const SLICE: Ns = 100_000_000;

const unitOf = ({ sched }: Xen, cpu: number): number | undefined => {
  const unit = sched.pcpu.of(0)!.unit.at(cpu);
  return unit === 0 ? undefined : unit - 1;
};
/** The pCPU that a vCPU has for itself, or undefined. */
export function cpuOf({ sched }: Xen, id: number): number | undefined {
  const { unit } = sched.pcpu.of(0)!;
  const last = sched.vcpu.of(domidOf(id))!.cpu.at(vcpuOf(id));
  if (unit.at(last) === id + 1) return last;
  for (let cpu = 0; cpu < sched.nrCpus; cpu++) if (unit.at(cpu) === id + 1) return cpu;
  return undefined;
}
const isRunnable = ({ sched }: Xen, id: number): boolean => sched.vcpu.of(domidOf(id))?.runstate.is(vcpuOf(id)) === 'runnable';

/** A free pCPU that it may have, first where it would rather be (pick_res()); else it waits. */
function assign(xen: Xen, id: number, now: Ns, taken: ReadonlySet<number>): Fact[] {
  const { sched } = xen;
  const domid = domidOf(id);
  const vcpu = vcpuOf(id);
  const pool = xen.poolOf(domid);
  const isFree = (cpu: number): boolean =>
    sched.isIn(cpu, pool) && unitOf(xen, cpu) === undefined && !taken.has(cpu) && isInHard(xen, domid, vcpu, cpu);
  const master = sched.vcpu.of(domid)!.cpu.at(vcpu);
  const soft = hasSoft(xen, domid, vcpu)
    ? cycle(xen, master, (cpu) => isFree(cpu) && isInSoft(xen, domid, vcpu, cpu))
    : undefined;
  const cpu = soft ?? (isFree(master) ? master : cycle(xen, 0, isFree));
  return [{ type: 'null.assigned', domid, vcpu, cpu: cpu ?? -1, since: now }];
}

/** A vCPU goes down, or its domain away: its pCPU is for whoever has waited longest of those that may have it (unit_deassign()). */
export function released(xen: Xen, domid: DomId, vcpu: number, now: Ns, gone: ReadonlySet<number> = new Set()): Fact[] {
  const id = vcpuId(domid, vcpu);
  const cpu = cpuOf(xen, id);
  const facts: Fact[] = [{ type: 'null.unassigned', domid, vcpu }];
  if (cpu !== undefined) facts.push(...handedOn(xen, cpu, xen.poolOf(domid), now, new Set([...gone, id])));
  return facts;
}
/** A pCPU that has become free goes to the first who may have it, of those in the queue that are not `gone`. */
export function handedOn(xen: Xen, cpu: number, pool: number, now: Ns, gone: ReadonlySet<number>): Fact[] {
  const { sched } = xen;
  const fits = (other: number): boolean =>
    !gone.has(other) && xen.poolOf(domidOf(other)) === pool && isInHard(xen, domidOf(other), vcpuOf(other), cpu);
  const soft = sched.waitq.find(
    (other) => fits(other) && hasSoft(xen, domidOf(other), vcpuOf(other)) && isInSoft(xen, domidOf(other), vcpuOf(other), cpu),
  );
  const next = soft ?? sched.waitq.find(fits);
  if (next === undefined) return [];
  return [{ type: 'null.assigned', domid: domidOf(next), vcpu: vcpuOf(next), cpu, since: now }];
}
