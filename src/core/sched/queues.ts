// Where the runnable vCPUs wait. One that any pCPU of its run queue may take stands in the queue's own heap; one with a hard affinity stands
// once for each pCPU that may take it. So a pCPU finds its best in two looks, however many wait and whatever their affinities are.
import type { DomId } from '../../../events/units.ts';
import type { Heap } from '../../tables/heap.ts';
import type { Xen } from '../xen.ts';
import { isInHard } from './masks.ts';
import { domidOf, vcpuId, vcpuOf } from './state.ts';

/** Puts a vCPU where those wait that could run. */
export function enqueue(xen: Xen, id: number): void {
  const { vcpu: vcpus, shared } = xen.sched;
  const rows = vcpus.of(domidOf(id))!;
  if (rows.hard.at(vcpuOf(id)) === 0) shared[rows.runqueue.at(vcpuOf(id))]!.push(id);
  else for (const heap of homes(xen, id)) heap.push(id);
}
/** Takes it away, before anything changes that its place depends on. */
export function dequeue(xen: Xen, id: number): void {
  const { vcpu: vcpus, shared } = xen.sched;
  const rows = vcpus.of(domidOf(id))!;
  if (rows.hard.at(vcpuOf(id)) === 0) shared[rows.runqueue.at(vcpuOf(id))]!.remove(id);
  else for (const heap of homes(xen, id)) heap.remove(id);
}
/** Out of the run queues while something changes that its place there depends on. */
export function whileOut(xen: Xen, domid: DomId, vcpu: number, change: () => void): void {
  const isIn = xen.sched.vcpu.of(domid)!.runstate.is(vcpu) === 'runnable';
  if (isIn) dequeue(xen, vcpuId(domid, vcpu));
  change();
  if (isIn) enqueue(xen, vcpuId(domid, vcpu));
}

/** The heaps that a vCPU stands in while it is runnable. */
export function homes(xen: Xen, id: number): readonly Heap[] {
  const { sched } = xen;
  const domid = domidOf(id);
  const vcpu = vcpuOf(id);
  const rows = sched.vcpu.of(domid)!;
  const queue = rows.runqueue.at(vcpu);
  if (rows.hard.at(vcpu) === 0) return [sched.shared[queue]!];
  const pool = xen.poolOf(domid);
  const steals = sched.kindOf(pool) === 'credit';
  const { runqueue } = sched.pcpu.of(0)!;
  const found: Heap[] = [];
  for (let cpu = 0; cpu < sched.nrCpus; cpu++) {
    if (!sched.isIn(cpu, pool) || !isInHard(xen, domid, vcpu, cpu)) continue;
    if (runqueue.at(cpu) === queue) found.push(sched.pinned[cpu]!);
    else if (steals) found.push(sched.away[cpu]!);
  }
  return found;
}

/** The first of a pCPU's own run queue that passes, or undefined. */
export function bestOf(xen: Xen, cpu: number, passes: (id: number) => boolean): number | undefined {
  const { sched } = xen;
  return better(xen, sched.shared[sched.pcpu.of(0)!.runqueue.at(cpu)]!.find(passes), sched.pinned[cpu]!.find(passes));
}
/** The one that comes first in the order of run queues; undefined is nobody. */
export function better(xen: Xen, a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return xen.sched.before(a, b) ? a : b;
}

/** Every runnable vCPU of a pool leaves its place and, when `change` is done, takes the place that it then has. For rare changes. */
export function requeue(xen: Xen, pool: number, change: () => void): void {
  const waiting: number[] = [];
  for (const domid of xen.domids()) {
    if (xen.poolOf(domid) !== pool) continue;
    for (const [vcpu, { runstate }] of xen.sched.vcpu.inUse(domid))
      if (runstate === 'runnable') waiting.push(vcpuId(domid, vcpu));
  }
  for (const id of waiting) dequeue(xen, id);
  change();
  for (const id of waiting) enqueue(xen, id);
}
