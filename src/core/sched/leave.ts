// How a vCPU leaves its pCPU: the same under every scheduler, but for what it has used up.
import type { Ns } from '../../../events/units.ts';
import type { Fact } from '../../../events/vocabulary.ts';
import type { Xen } from '../xen.ts';
import type { Scheduler } from './scheduler.ts';
import { domidOf, vcpuOf } from './state.ts';

/** How long a pCPU has been busy with a vCPU. Another pCPU's clock may be behind the one that the slice began by. */
export const ranFor = ({ sched }: Xen, id: number, now: Ns): Ns =>
  Math.max(0, now - sched.vcpu.of(domidOf(id))!.entry_ns.at(vcpuOf(id)));

/** Off its pCPU, and back where the runnable wait. */
export function preempted(scheduler: Scheduler, xen: Xen, id: number, now: Ns, yielded = false): Fact[] {
  const { credit, facts } = scheduler.left(xen, id, now);
  const ran_ns = ranFor(xen, id, now);
  return [
    {
      type: 'vcpu.preempted',
      domid: domidOf(id),
      vcpu: vcpuOf(id),
      at_ns: now,
      credit,
      ran_ns,
      yielded: yielded ? 1 : 0,
    },
    ...facts,
  ];
}
