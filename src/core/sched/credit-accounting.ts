// credit's accounting (xen/common/sched/credit.c, csched_acct()), in integers: credits are ten a millisecond, times 100,000 to count nanoseconds.
import { MS, type Ns } from '../../../events/units.ts';
import type { Fact } from '../../../events/vocabulary.ts';
import type { Xen } from '../xen.ts';
import { preempted, ranFor } from './leave.ts';
import type { Scheduler } from './scheduler.ts';
import { timerItem } from './state.ts';

/** Priorities, the first first (CSCHED_PRI_TS_*). A vCPU starts with BOOST's number and loses it like one. */
export const BOOST = 0;
export const UNDER = 1;
export const OVER = 2;

const DEFAULT_TSLICE_MS = 30;
export const tsliceOf = ({ sched }: Xen, pool: number): Ns => {
  const set = sched.pools.of(0)!.tslice_plus_1.at(pool);
  return (set === 0 ? DEFAULT_TSLICE_MS : set - 1) * MS;
};
/** A credit here is a nanosecond: Xen's ten a millisecond, without its rounding. */
export const burntBy = (ran: Ns): number => ran;

/** Whoever takes part in the accounting keeps the pool's timer going; a pool in which nobody does needs none. */
export function armAccounting(xen: Xen, pool: number, now: Ns): Fact[] {
  if (xen.sched.due.has(timerItem('accounting', pool))) return [];
  const tslice = tsliceOf(xen, pool);
  // On the beat of one that never stopped.
  const deadline_ns = (Math.floor(now / tslice) + 1) * tslice;
  return [{ type: 'sched.timer_set', kind: 'accounting', id: pool, deadline_ns }];
}

interface Active {
  readonly domid: number;
  readonly weight: number;
  readonly cap: number;
  readonly vcpus: readonly number[];
}

/** Hands the credits of a slice of every pCPU out to the active vCPUs by weight, within caps; sets priorities; parks and unparks. */
export function accounting(scheduler: Scheduler, xen: Xen, pool: number, now: Ns): Fact[] {
  const { sched } = xen;
  const tslice = tsliceOf(xen, pool);
  const domains = active(xen, pool);
  const weightTotal = domains.reduce((sum, { weight, vcpus }) => sum + weight * vcpus.length, 0);
  if (weightTotal === 0) return [{ type: 'credit.accounted', pool, balance: 0 }, stopped(pool)];
  const debt = Math.max(0, -sched.pools.of(0)!.balance.at(pool));
  let total = sched.cpusOf(pool).length * tslice + debt;
  let weightLeft = weightTotal;
  let balance = 0;
  const facts: Fact[] = [];
  // Those with a limit first: what they may not have goes to the others, as Xen reaches by turning its list.
  const inOrder = [...domains.filter(({ cap }) => cap > 0), ...domains.filter(({ cap }) => cap === 0)];
  for (const { domid, weight, cap, vcpus } of inOrder) {
    const share = weight * vcpus.length;
    weightLeft -= share;
    const limit = cap === 0 ? Number.POSITIVE_INFINITY : Math.ceil((cap * tslice) / 100);
    const peak = Math.min(vcpus.length * tslice + part(debt, share, weightTotal), limit);
    let fair = part(total, share, weightTotal);
    if (fair >= peak) {
      if (weightLeft > 0) total += part(fair - peak, weightTotal, weightLeft);
      fair = peak;
    }
    const each = Math.ceil(fair / vcpus.length);
    const capEach = cap === 0 ? 0 : Math.ceil(limit / vcpus.length);
    for (const vcpu of vcpus) balance += credited(scheduler, xen, { domid, vcpu, each, cap, capEach, tslice, now }, facts);
  }
  const deadline_ns = (Math.floor(now / tslice) + 1) * tslice;
  facts.push({ type: 'credit.accounted', pool, balance }, { type: 'sched.timer_set', kind: 'accounting', id: pool, deadline_ns });
  return facts;
}

/** amount * share / whole, upwards, without leaving 2^53. */
function part(amount: number, share: number, whole: number): number {
  const whole_ = Math.floor(amount / whole);
  return whole_ * share + Math.ceil(((amount - whole_ * whole) * share) / whole);
}

interface Share {
  readonly domid: number;
  readonly vcpu: number;
  readonly each: number;
  readonly cap: number;
  readonly capEach: number;
  readonly tslice: Ns;
  readonly now: Ns;
}
function credited(
  scheduler: Scheduler,
  xen: Xen,
  { domid, vcpu, each, cap, capEach, tslice, now }: Share,
  facts: Fact[],
): number {
  const rows = xen.sched.vcpu.of(domid)!;
  const own = xen.sched.credits.of(domid)!;
  const runs = rows.runstate.is(vcpu) === 'running' && rows.detached.at(vcpu) === 0;
  // One that runs pays when it stops; what it owes by now counts already.
  const owes = runs ? burntBy(ranFor(xen, domid * 256 + vcpu, now)) : 0;
  let credit = own.credit.at(vcpu) - owes + each;
  let priority = UNDER;
  let isActive = 1;
  let parks = false;
  const isParked = rows.parked.at(vcpu) === 1;
  if (credit < 0) {
    priority = OVER;
    parks = cap > 0 && credit < -capEach && !isParked;
    credit = Math.max(credit, -tslice);
  } else if (credit > tslice) {
    isActive = 0;
    credit = Math.floor(credit / 2);
  }
  const at = { domid, vcpu, at_ns: now };
  const set = { type: 'credit.vcpu_set', domid, vcpu, priority, active: isActive, last_ns: own.last_ns.at(vcpu) } as const;
  if (parks && runs) {
    const off = preempted(scheduler, xen, domid * 256 + vcpu, now);
    facts.push(...off.filter(({ type }) => type === 'vcpu.preempted'));
    facts.push({ ...set, credit }, { type: 'vcpu.parked', ...at });
    return credit;
  }
  facts.push({ ...set, credit: credit + owes });
  if (parks) facts.push({ type: 'vcpu.parked', ...at });
  if (isParked && credit >= 0) facts.push({ type: 'vcpu.unparked', ...at });
  return credit;
}

/** The domains of a pool with vCPUs that take part, ascending. */
function active(xen: Xen, pool: number): Active[] {
  const { weight, cap } = xen.domain.of(0)!;
  const found: Active[] = [];
  for (const domid of xen.sched.credits.ids()) {
    if (!xen.exists(domid) || xen.poolOf(domid) !== pool) continue;
    const vcpus = [...xen.sched.credits.inUse(domid)].map(([vcpu]) => vcpu);
    if (vcpus.length > 0) found.push({ domid, weight: weight.at(domid), cap: cap.at(domid), vcpus });
  }
  return found;
}
const stopped = (pool: number): Fact => ({ type: 'sched.timer_stopped', kind: 'accounting', id: pool });
