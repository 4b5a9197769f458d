// What a scheduler is: the decisions that Xen's struct scheduler (xen/common/sched/private.h) leaves to it.
import type { Ns } from '../../../events/units.ts';
import type { Fact } from '../../../events/vocabulary.ts';
import type { Xen } from '../xen.ts';
import type { SchedTimerKind } from './state.ts';

/** pCPUs that have been told to look for work in this step: nobody takes the same one twice. */
export type Tickled = Set<number>;

export interface Scheduler {
  /** XEN_SCHEDULER_* of public/domctl.h. */
  readonly sched_id: number;
  /** Whom an idle pCPU would run if it were to choose at `at`, or later: the vCPU as a number, and from when. Undefined: nobody. */
  candidate(xen: Xen, cpu: number, at: Ns): Candidate | undefined;
  /** The choice itself; without `next` nobody runs, and the facts are what was found out. */
  choose(xen: Xen, cpu: number, now: Ns): Choice;
  /** What a vCPU that becomes runnable in this step leads to: who makes room, which pCPU looks for work. */
  woken(xen: Xen, id: number, now: Ns, tickled: Tickled): Fact[];
  /** What a vCPU that leaves its pCPU now has used up. */
  left(xen: Xen, id: number, now: Ns): Charge;
  /** A timer of this scheduler is due. */
  expire(xen: Xen, kind: SchedTimerKind, id: number, now: Ns): Fact[];
}
export interface Candidate {
  readonly id: number;
  readonly at: Ns;
}
export interface Choice {
  readonly next?: { readonly id: number; readonly until_ns: Ns; readonly credit: number };
  readonly facts: readonly Fact[];
}
export interface Charge {
  /** As `vcpu.preempted` has it; 0 where the scheduler is not credit2. */
  readonly credit: number;
  readonly facts: readonly Fact[];
}

/** Who comes next has waited since then, on a pCPU that has come so far. */
export function sinceWaiting(xen: Xen, domid: number, vcpu: number, at: Ns): Ns {
  return Math.max(at, xen.sched.vcpu.of(domid)!.entry_ns.at(vcpu));
}
