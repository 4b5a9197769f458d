// The schedulers: sched_op (public/sched.h) as far as it moves vCPUs, the schedulers' own decisions, and the domctls that steer them.
// `credit` in a fact is what the vCPU then has under credit2, on the scale of src/core/sched/credit2-arithmetic.ts.
import { int, ints, oneOf, operation, texts } from './schema.ts';

/** What a scheduler's timer is for, and whose: a domain's cap, a vCPU's budget, a pool's accounting, a pool's schedule. */
export const schedTimerKind = oneOf('cap', 'rtds', 'accounting', 'frame');

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
  /**
   * `flags` are XEN_VCPUAFFINITY_*: which of the masks is meant. A mask is a list of pCPUs; those that the host does not have count for
   * nothing. Answers what is then in force: within the pool's pCPUs, and of the soft mask within the hard one.
   */
  'domctl.setvcpuaffinity': operation(
    { domid: int, domain: int, vcpu: int, flags: int, cpumap_hard: ints, cpumap_soft: ints },
    { cpumap_hard: ints, cpumap_soft: ints },
  ),
  /**
   * `cmd` is XEN_DOMCTL_SCHEDOP_*; weight and cap are those of credit and credit2, period and budget (microseconds) those of rtds.
   * `vcpus` lists struct xen_domctl_schedparam_vcpu: vcpuid, period, budget, flags for each vCPU that is meant.
   */
  'domctl.scheduler_op': operation(
    { domid: int, domain: int, sched_id: int, cmd: int, weight: int, cap: int, period: int, budget: int, vcpus: ints },
    { weight: int, cap: int, period: int, budget: int, vcpus: ints },
  ),
  /** The clock has reached the earliest deadline of a scheduler; `id` is the domain, the vCPU (domid * 256 + vcpu) or the pool's place. */
  'sched.expire': operation({ kind: schedTimerKind, id: int }),
  /** Answers the masks as they were set. */
  'domctl.getvcpuaffinity': operation(
    { domid: int, domain: int, vcpu: int, flags: int },
    { cpumap_hard: ints, cpumap_soft: ints },
  ),
  /** Nodes by number. A host has one. */
  'domctl.setnodeaffinity': operation({ domid: int, domain: int, nodemap: ints }),
  'domctl.getnodeaffinity': operation({ domid: int, domain: int }, { nodemap: ints }),
  /** Keeps the calling vCPU on one pCPU, whatever its affinity; a negative `pcpu` undoes that. */
  'sched.pin_override': operation({ domid: int, vcpu: int, pcpu: int }),
  /** Answers the APIC id and, above 32 bits, the ACPI id; only dom0's vCPUs that are pinned have one. */
  'vcpu.get_physid': operation({ domid: int, vcpu: int }, { phys_id: int }),
} as const;

export const facts = {
  /** From blocked to runnable, and onto the run queue. */
  'vcpu.woken': { domid: int, vcpu: int, at_ns: int },
  /** Off its pCPU until it is woken. `ran_ns` is how long the pCPU was busy with it. */
  'vcpu.blocked': { domid: int, vcpu: int, at_ns: int, credit: int, ran_ns: int },
  /** Off its pCPU and back on the run queue; `yielded` is 1 where it asked for that. */
  'vcpu.preempted': { domid: int, vcpu: int, at_ns: int, credit: int, ran_ns: int, yielded: int },
  /** On a pCPU, until `until_ns` at the latest. */
  'vcpu.scheduled': { domid: int, vcpu: int, cpu: int, at_ns: int, until_ns: int, credit: int },
  /** One more reason not to run: its domain is paused, or shuts down. Off its pCPU and off the run queue. */
  'vcpu.paused': { domid: int, vcpu: int, at_ns: int },
  'vcpu.unpaused': { domid: int, vcpu: int, at_ns: int },
  'vcpu.detached': { domid: int, vcpu: int, at_ns: int },
  /** Worked for `ran_ns` outside the pCPUs' slices. */
  'vcpu.charged': { domid: int, vcpu: int, ran_ns: int },
  /** Every credit in the run queue rises by `added`. */
  'sched.credits_reset': { added: int, runqueue: int },
  /** Hard affinity: the pCPUs that it may run on, of those that the host has. */
  'vcpu.affinity_set': { domid: int, vcpu: int, cpus: ints },
  'domain.weight_set': { domid: int, weight: int },
  /** A vCPU that blocks in the same step does so for this port, or (0) for any; until it is woken. */
  'vcpu.polling_started': { domid: int, vcpu: int, port: int },
  /** The pCPUs that it would rather run on. */
  'vcpu.soft_affinity_set': { domid: int, vcpu: int, cpus: ints },
  /** SCHEDOP_pin_override: kept on one pCPU until that is undone. */
  'vcpu.affinity_overridden': { domid: int, vcpu: int, cpu: int },
  'vcpu.affinity_restored': { domid: int, vcpu: int },
  /** A pCPU is to look for work, because of this vCPU: no other takes it meanwhile. */
  'sched.tickled': { cpu: int, domid: int, vcpu: int },
  /** A vCPU that does not run belongs to another pCPU from now on, and waits in that one's run queue. */
  'vcpu.moved': { domid: int, vcpu: int, cpu: int, runqueue: int, credit: int, at_ns: int },
  /** It has used what its cap allows, and does not run until there is more. */
  'vcpu.parked': { domid: int, vcpu: int, at_ns: int },
  'vcpu.unparked': { domid: int, vcpu: int, at_ns: int },
  'domain.cap_set': { domid: int, cap: int },
  /** What is left of a capped domain's budget until `next_repl_ns`, and what one of its vCPUs has taken of it. */
  'credit2.budget_set': { domid: int, budget: int, next_repl_ns: int },
  'credit2.vcpu_budget_set': { domid: int, vcpu: int, budget: int },
  'sched.timer_set': { kind: schedTimerKind, id: int, deadline_ns: int },
  'sched.timer_stopped': { kind: schedTimerKind, id: int },
  /** The scheduler of the pool at this place. */
  'sched.params_set': { pool: int, tslice_ms: int, ratelimit_us: int, migration_delay_us: int },
  /** A vCPU under credit: its credits, its priority (0 boost, 1 under, 2 over), whether it takes part in the accounting, when it last ran. */
  'credit.vcpu_set': { domid: int, vcpu: int, credit: int, priority: int, active: int, last_ns: int },
  /** The pool's sum of credits after an accounting. */
  'credit.accounted': { pool: int, balance: int },
  'rtds.params_set': { domid: int, vcpu: int, period_ns: int, budget_ns: int, extratime: int },
  /** What an rtds vCPU has left until its deadline; `level` is how often it has had more than its budget since it got it. */
  'rtds.vcpu_set': { domid: int, vcpu: int, deadline_ns: int, budget_ns: int, level: int },
  /** Runtimes and frame in nanoseconds; the first frame starts at `at_ns`. */
  'arinc653.schedule_set': { pool: int, major_frame: int, dom_handles: texts, vcpu_ids: ints, runtimes: ints, at_ns: int },
  /** Under null: a vCPU has a pCPU for itself, or (-1) waits for one since a time. */
  'null.assigned': { domid: int, vcpu: int, cpu: int, since: int },
  'null.unassigned': { domid: int, vcpu: int },
  /** So much of a capped domain's budget is a vCPU's now, or (negative) is the domain's again. */
  'credit2.budget_taken': { domid: int, taken: int, next_repl_ns: int },
} as const;
