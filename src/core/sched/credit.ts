// credit2's arithmetic (xen/common/sched/credit2.c), in integers: credit is nanoseconds at the highest weight.
import { MS, type Ns, US } from '../../../events/units.ts';

/** What everybody starts with, and what a reset adds (CSCHED2_CREDIT_INIT). */
export const CREDIT_INIT = 10 * MS;
/** More than this nobody keeps, however long he slept (CSCHED2_CREDIT_INIT + CSCHED2_CARRYOVER_MAX); and nobody owes more than a fresh start. */
export const MAX_CREDIT = CREDIT_INIT + 500 * US;
export const MIN_CREDIT = -CREDIT_INIT;
/** Nobody runs for less, or longer, than this before the scheduler looks again (CSCHED2_MIN_TIMER, CSCHED2_MAX_TIMER). */
export const MIN_SLICE: Ns = 500 * US;
export const MAX_SLICE: Ns = 10 * MS;
/** A domain's weight when nobody says otherwise (CSCHED2_DEFAULT_WEIGHT). */
export const DEFAULT_WEIGHT = 256;
export const MAX_WEIGHT = 65535;

/** What running for `ran` costs: at the default weight a nanosecond each, at twice the weight half of that. */
export const burn = (ran: Ns, weight: number): number => Math.floor((ran * DEFAULT_WEIGHT) / weight);

/** How long until `lead` of credit is burnt. */
export const timeToBurn = (lead: number, weight: number): Ns =>
  Math.min(MAX_SLICE, Math.max(MIN_SLICE, Math.floor((lead * weight) / DEFAULT_WEIGHT)));
