// vcpu_op (public/vcpu.h): the life of a vCPU. Its timers are in timer.ts, its running in sched.ts.
import { bool, int, ints, oneOf, operation } from './schema.ts';

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
  /**
   * Moves a vCPU's vcpu_info to `offset` bytes in the frame `mfn` (a page number where Xen translates), which must be its domain's.
   * `current` is the vCPU that asks: for itself, or for one that is down.
   */
  'vcpu.register_vcpu_info': operation({ domid: int, vcpu: int, current: int, mfn: int, offset: int }),
  /** From now on the runstate is written to `addr`, a byte address in the domain's own pages (its page number times 4096, and so on). */
  'vcpu.register_runstate_memory_area': operation({ domid: int, vcpu: int, addr: int }),
  /** The same for a second vcpu_time_info. */
  'vcpu.register_vcpu_time_memory_area': operation({ domid: int, vcpu: int, addr: int }),
  /** It stays pending until the vCPU's kernel takes it. */
  'vcpu.send_nmi': operation({ domid: int, vcpu: int }),
} as const;

export const facts = {
  'vcpu.initialised': { domid: int, vcpu: int },
  'vcpu.brought_up': { domid: int, vcpu: int, at_ns: int },
  'vcpu.brought_down': { domid: int, vcpu: int, at_ns: int },
  'vcpu.info_registered': { domid: int, vcpu: int, mfn: int, offset: int, at_ns: int },
  /** Back in the shared info page: its domain dies. */
  'vcpu.info_unmapped': { domid: int, vcpu: int },
  'vcpu.runstate_area_registered': { domid: int, vcpu: int, addr: int, at_ns: int },
  'vcpu.time_area_registered': { domid: int, vcpu: int, addr: int, at_ns: int },
  'vcpu.nmi_sent': { domid: int, vcpu: int },
  /** Its runstate is written nowhere any more; nor is its time, where that is said. */
  'vcpu.areas_forgotten': { domid: int, vcpu: int, time: bool },
} as const;
