// Timers: set_timer_op and the timers of vcpu_op (public/vcpu.h). One singleshot and one periodic timer for each vCPU, one for how
// long it polls, and two watchdogs for each domain: their `vcpu` is the watchdog's slot.
import { bool, int, oneOf, operation } from './schema.ts';

export const timerKind = oneOf('singleshot', 'periodic', 'poll', 'watchdog');

export const operations = {
  /** 0 stops it. */
  'timer.set_timer_op': operation({ domid: int, vcpu: int, timeout_ns: int }),
  /** With `future` (VCPU_SSHOTTMR_future) a time that has passed is refused with ETIME. */
  'vcpu.set_singleshot_timer': operation({ domid: int, vcpu: int, timeout_abs_ns: int, future: bool }),
  'vcpu.stop_singleshot_timer': operation({ domid: int, vcpu: int }),
  'vcpu.set_periodic_timer': operation({ domid: int, vcpu: int, period_ns: int }),
  'vcpu.stop_periodic_timer': operation({ domid: int, vcpu: int }),
  /** The clock has reached the earliest deadline. */
  'timer.expire': operation({ domid: int, vcpu: int, kind: timerKind }),
  /** With `id` 0 arms a watchdog that is free, for `timeout` seconds, and answers its id; else arms that one anew, or with 0 disarms it. */
  'sched.watchdog': operation({ domid: int, id: int, timeout: int }, { id: int }),
} as const;

export const facts = {
  'timer.set': { domid: int, vcpu: int, kind: timerKind, deadline_ns: int, period_ns: int },
  'timer.fired': { domid: int, vcpu: int, kind: timerKind },
  'timer.stopped': { domid: int, vcpu: int, kind: timerKind },
} as const;
