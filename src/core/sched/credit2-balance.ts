// credit2's run queues among each other: how loaded they are, where a vCPU goes, and what moves from one to another.
import type { Ns } from '../../../events/units.ts';
import type { Fact } from '../../../events/vocabulary.ts';
import type { Xen } from '../xen.ts';
import { loadAt, ONE_LOAD } from './credit2-arithmetic.ts';
import { allowedCpus, isInSoft } from './masks.ts';
import { domidOf, vcpuOf } from './state.ts';

/** Exchanges are looked for among this many of each queue: a balance may not take longer where more wait. */
const LOOKED_AT = 16;
/** How far apart loads may be: one vCPU where there are pCPUs to spare, else an eighth of one (credit2_balance_under, _over). */
const UNDERLOAD = ONE_LOAD;
const OVERLOAD = ONE_LOAD / 8;

/** The run queues of a pool, ascending, each with its pCPUs. */
export function runqueuesIn(xen: Xen, pool: number): Map<number, number[]> {
  const { runqueue } = xen.sched.pcpu.of(0)!;
  const found = new Map<number, number[]>();
  for (const cpu of xen.sched.cpusOf(pool)) {
    const queue = runqueue.at(cpu);
    found.set(queue, [...(found.get(queue) ?? []), cpu]);
  }
  return new Map([...found].sort(([a], [b]) => a - b));
}

export function loadOf({ sched }: Xen, queue: number, now: Ns): number {
  const { avgload, load, load_ns } = sched.scale.of(0)!;
  return loadAt(avgload.at(queue), load.at(queue), load_ns.at(queue), now);
}
export function vcpuLoad({ sched }: Xen, id: number, now: Ns): number {
  const rows = sched.vcpu.of(domidOf(id))!;
  const vcpu = vcpuOf(id);
  const runs = rows.runstate.is(vcpu) === 'running' || rows.runstate.is(vcpu) === 'runnable';
  return loadAt(rows.avgload.at(vcpu), runs ? 1 : 0, rows.load_ns.at(vcpu), now);
}

/** The least loaded run queue for a vCPU, first of those where it would rather be (csched2_res_pick()). */
export function pickQueue(
  xen: Xen,
  id: number,
  pool: number,
  now: Ns,
  more: ReadonlyMap<number, number>,
): { queue: number; cpus: number[] } | undefined {
  const domid = domidOf(id);
  const allowed = new Set(allowedCpus(xen, domid, vcpuOf(id), pool));
  const likes = (cpus: readonly number[]): boolean => cpus.some((cpu) => isInSoft(xen, domid, vcpuOf(id), cpu));
  let best: { queue: number; cpus: number[]; load: number; liked: boolean } | undefined;
  for (const [queue, all] of runqueuesIn(xen, pool)) {
    const cpus = all.filter((cpu) => allowed.has(cpu));
    if (cpus.length === 0) continue;
    const load = loadOf(xen, queue, now) + (more.get(queue) ?? 0);
    const liked = likes(cpus);
    if (best === undefined || (liked && !best.liked) || (liked === best.liked && load < best.load))
      best = { queue, cpus, load, liked };
  }
  if (best === undefined) return undefined;
  const preferred = best.cpus.filter((cpu) => isInSoft(xen, domid, vcpuOf(id), cpu));
  return { queue: best.queue, cpus: preferred.length > 0 ? preferred : best.cpus };
}

/** balance_load(): with the queue that is most unlike this one, the push, pull or exchange that makes them most alike. */
export function balanced(xen: Xen, pool: number, queue: number, running: number, now: Ns): Fact[] {
  const queues = runqueuesIn(xen, pool);
  if (queues.size < 2) return [];
  const here = loadOf(xen, queue, now);
  let other: number | undefined;
  let there = here;
  for (const one of queues.keys()) {
    if (one === queue) continue;
    const load = loadOf(xen, one, now);
    if (Math.abs(here - load) > Math.abs(here - there)) {
      other = one;
      there = load;
    }
  }
  if (other === undefined) return [];
  const cpusMost = Math.max(queues.get(queue)!.length, queues.get(other)!.length);
  const tolerance = Math.max(here, there) < cpusMost * ONE_LOAD ? UNDERLOAD : OVERLOAD;
  if (Math.abs(here - there) < tolerance) return [];

  const pushes = movable(xen, queue, queues.get(other)!, running, now);
  const pulls = movable(xen, other, queues.get(queue)!, running, now);
  let best = Math.abs(here - there);
  let push: number | undefined;
  let pull: number | undefined;
  for (const [pushed, pushedLoad] of [...pushes, [undefined, 0] as const])
    for (const [pulled, pulledLoad] of [...pulls, [undefined, 0] as const]) {
      const apart = Math.abs(here - there - 2 * pushedLoad + 2 * pulledLoad);
      if (apart >= best) continue;
      best = apart;
      push = pushed;
      pull = pulled;
    }
  const facts: Fact[] = [];
  if (push !== undefined) facts.push(...moved(xen, push, pool, other, queues.get(other)!, now));
  if (pull !== undefined) facts.push(...moved(xen, pull, pool, queue, queues.get(queue)!, now));
  return facts;
}

function movable(xen: Xen, queue: number, to: readonly number[], running: number, now: Ns): (readonly [number, number])[] {
  const { shared, pinned, pcpu } = xen.sched;
  const found: (readonly [number, number])[] = [];
  const seen = new Set<number>();
  const heaps = [shared[queue]!, ...pinned.filter((_, cpu) => pcpu.of(0)!.runqueue.at(cpu) === queue)];
  for (const heap of heaps)
    for (const id of heap) {
      if (seen.size >= LOOKED_AT) return found;
      if (id === running || seen.has(id)) continue;
      seen.add(id);
      const pool = xen.poolOf(domidOf(id));
      if (allowedCpus(xen, domidOf(id), vcpuOf(id), pool).some((cpu) => to.includes(cpu)))
        found.push([id, vcpuLoad(xen, id, now)]);
    }
  return found;
}

/** A vCPU that does not run goes to another run queue, with the credit that it has. */
export function moved(xen: Xen, id: number, pool: number, queue: number, cpus: readonly number[], now: Ns): Fact[] {
  const { sched } = xen;
  const domid = domidOf(id);
  const vcpu = vcpuOf(id);
  const rows = sched.vcpu.of(domid)!;
  const allowed = allowedCpus(xen, domid, vcpu, pool).filter((cpu) => cpus.includes(cpu));
  // Not always the same one: as many as belong there, round (pick_bias).
  const cpu = allowed[id % Math.max(1, allowed.length)];
  if (cpu === undefined) return [];
  const { base } = sched.scale.of(0)!;
  const credit = rows.credit.at(vcpu) + base.at(rows.runqueue.at(vcpu)) - base.at(queue);
  return [{ type: 'vcpu.moved', domid, vcpu, cpu, runqueue: queue, credit, at_ns: now }];
}
