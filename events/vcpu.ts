// vcpu_op (public/vcpu.h): the life of a vCPU. Its timers are in timer.ts, its running in sched.ts.
import { int, ints, oneOf, operation } from './schema.ts';

/** public/vcpu.h, RUNSTATE_*, in Xen's order. */
export const runstate = oneOf('running', 'runnable', 'blocked', 'offline');

export const operations = {
  /** Gives the vCPU its first state; an actor guest has no registers, so only the fact matters. */
  'vcpu.initialise': operation({ domid: int, vcpu: int }),
  'vcpu.up': operation({ domid: int, vcpu: int }),
  'vcpu.down': operation({ domid: int, vcpu: int }),
  'vcpu.is_up': operation({ domid: int, vcpu: int }, { up: int }),
  'vcpu.get_runstate_info': operation({ domid: int, vcpu: int }, { state: runstate, state_entry_time: int, time: ints }),
  /** The domain builder's word for it (XEN_DOMCTL_setvcpucontext): vCPU 0 is initialised and comes up. */
  'domctl.setvcpucontext': operation({ domid: int, domain: int, vcpu: int }),
  'domctl.getvcpuinfo': operation(
    { domid: int, domain: int, vcpu: int },
    { online: int, blocked: int, running: int, cpu_time: int, cpu: int },
  ),
} as const;

export const facts = {
  'vcpu.initialised': { domid: int, vcpu: int },
  'vcpu.brought_up': { domid: int, vcpu: int, at_ns: int },
  'vcpu.brought_down': { domid: int, vcpu: int, at_ns: int },
} as const;
