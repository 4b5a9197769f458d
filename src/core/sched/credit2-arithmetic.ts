// credit2's arithmetic (xen/common/sched/credit2.c), in integers: credit is nanoseconds at the highest weight of the pool.
import { MS, type Ns, US } from '../../../events/units.ts';

/** What everybody starts with, and what a reset adds (CSCHED2_CREDIT_INIT). */
export const CREDIT_INIT = 10 * MS;
/** More than this nobody keeps, however long he slept (CSCHED2_CREDIT_INIT + CSCHED2_CARRYOVER_MAX); and nobody owes more than a fresh start. */
export const MAX_CREDIT = CREDIT_INIT + 500 * US;
export const MIN_CREDIT = -CREDIT_INIT;
/** Nobody runs for less, or longer, than this before the scheduler looks again (CSCHED2_MIN_TIMER, CSCHED2_MAX_TIMER). */
export const MIN_SLICE: Ns = 500 * US;
export const MAX_SLICE: Ns = 10 * MS;
/** How much more credit it takes to bring a vCPU to another pCPU, and what one that was brought gets for it. */
export const MIGRATE_RESIST = 500 * US;
export const MIGRATE_COMPENSATION = 50 * US;
/** Whoever has run for nearly as long as it may not be disturbed is disturbed (CSCHED2_RATELIMIT_TICKLE_TOLERANCE). */
export const TICKLE_TOLERANCE: Ns = 50 * US;
/** Caps count in periods of this length (credit2_cap_period_ms). */
export const REPLENISH_PERIOD: Ns = 10 * MS;
/** A domain's weight when nobody says otherwise (CSCHED2_DEFAULT_WEIGHT). */
export const DEFAULT_WEIGHT = 256;
export const MAX_WEIGHT = 65535;

/** After this long everybody owes all that anybody may owe: keeps products within 2^53. */
const LONG: Ns = 100 * MS;

/** What running for `ran` costs: at the highest weight a nanosecond each, at half of that two (t2c_update()). */
export const burn = (ran: Ns, weight: number, maxWeight: number): number =>
  Math.floor((Math.min(ran, LONG) * maxWeight) / weight);

/** How long until `lead` of credit is burnt, within what a slice may last (csched2_runtime()). */
export const timeToBurn = (lead: number, weight: number, maxWeight: number, least: Ns): Ns =>
  Math.min(Math.max(MAX_SLICE, least), Math.max(least, lead > 0 ? Math.floor((lead * weight) / maxWeight) : 0));

/** What a capped domain may use in a period, and the piece of it that a vCPU takes at a time. */
export const totalBudget = (cap: number): Ns => (REPLENISH_PERIOD * cap) / 100;
export const budgetQuota = (cap: number, vcpus: number): Ns => Math.max(Math.floor(totalBudget(cap) / vcpus), MIN_SLICE);

/** Loads: a window of about 1.1 s in units of 1,024 ns, 18 bits after the point (LOADAVG_*). */
const GRANULARITY = 2 ** 10;
const WINDOW = 2 ** 30;
export const ONE_LOAD = 2 ** 18;
/** The decaying average of a load that was `load` since `since` (update_runq_load()). */
export function loadAt(average: number, load: number, since: Ns, now: Ns): number {
  const delta = Math.floor(Math.max(0, now - since) / GRANULARITY);
  if (delta > WINDOW) return load * ONE_LOAD;
  // Whole parts first, so that products stay within 2^53.
  const share = (value: number): number => Math.floor((Math.floor(delta / 2 ** 10) * value) / 2 ** 20);
  return average + share(load * ONE_LOAD) - share(average);
}
