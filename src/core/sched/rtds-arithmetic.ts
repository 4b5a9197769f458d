// rtds's numbers (xen/common/sched/rt.c).
import { MS, type Ns, US } from '../../../events/units.ts';

export const DEFAULT_PERIOD: Ns = 10 * MS;
export const DEFAULT_BUDGET: Ns = 4 * MS;
export const MIN_PERIOD: Ns = 10 * US;
export const MIN_BUDGET: Ns = 10 * US;
/** What 32 bits of microseconds hold. */
export const MAX_PERIOD: Ns = (2 ** 32 - 1) * US;
/** The level of a vCPU that has used its budget and may have no more: behind everybody. */
export const DEPLETED = 2 ** 32 - 1;

/** The first deadline after `now`, whole periods from the last one (rt_update_deadline()). */
export function nextDeadline(deadline: Ns, period: Ns, now: Ns): Ns {
  if (deadline > now) return deadline;
  return deadline + (Math.floor((now - deadline) / period) + 1) * period;
}
