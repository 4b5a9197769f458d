// The scheduler: sched_op (public/sched.h) as far as it moves vCPUs, and the scheduler's own decisions.
// `credit` in a fact is what the vCPU then has, on the scale of src/core/sched/credit.ts.
import { int, ints, operation } from './schema.ts';

export const operations = {
  'sched.yield': operation({ domid: int, vcpu: int }),
  /** Blocks unless an event is pending and not masked; answers 1 when it did. */
  'sched.block': operation({ domid: int, vcpu: int }, { blocked: int }),
  /** A pCPU chooses what to run next. */
  'sched.schedule': operation({ cpu: int }, { domid: int, vcpu: int, until_ns: int }),
  /** The end of a slice that neither blocked nor yielded. */
  'sched.preempt': operation({ domid: int, vcpu: int }),
  /** dom0's services have worked for so long: charged to its vCPU without waiting for a pCPU. */
  'sched.charge': operation({ domid: int, vcpu: int, ran_ns: int }),
  /** From now on the vCPU runs without a pCPU: its domain's services act at once, and `sched.charge` says what that cost. */
  'sched.detach': operation({ domid: int, vcpu: int }),
  'domctl.setvcpuaffinity': operation({ domid: int, domain: int, vcpu: int, cpus: ints }),
  'domctl.scheduler_op': operation({ domid: int, domain: int, weight: int }),
} as const;

export const facts = {
  /** From blocked to runnable, and onto the run queue. */
  'vcpu.woken': { domid: int, vcpu: int, at_ns: int },
  /** Off its pCPU until it is woken. */
  'vcpu.blocked': { domid: int, vcpu: int, at_ns: int, credit: int },
  /** Off its pCPU and back on the run queue. */
  'vcpu.preempted': { domid: int, vcpu: int, at_ns: int, credit: int },
  /** On a pCPU, until `until_ns` at the latest. */
  'vcpu.scheduled': { domid: int, vcpu: int, cpu: int, at_ns: int, until_ns: int, credit: int },
  /** One more reason not to run: its domain is paused, or shuts down. Off its pCPU and off the run queue. */
  'vcpu.paused': { domid: int, vcpu: int, at_ns: int },
  'vcpu.unpaused': { domid: int, vcpu: int, at_ns: int },
  'vcpu.detached': { domid: int, vcpu: int, at_ns: int },
  /** Worked for `ran_ns` outside the pCPUs' slices. */
  'vcpu.charged': { domid: int, vcpu: int, ran_ns: int },
  /** Every credit in the run queue rises by `added`. */
  'sched.credits_reset': { added: int },
  'vcpu.affinity_set': { domid: int, vcpu: int, cpus: ints },
  'domain.weight_set': { domid: int, weight: int },
  /** A vCPU that blocks in the same step does so for this port, or (0) for any; until it is woken. */
  'vcpu.polling_started': { domid: int, vcpu: int, port: int },
} as const;
