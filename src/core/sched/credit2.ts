// credit2 (xen/common/sched/credit2.c): who has most credit runs; a pCPU that has nothing to do, or runs somebody with less, makes room.
import { type Ns, US } from '../../../events/units.ts';
import type { Fact } from '../../../events/vocabulary.ts';
import type { Xen } from '../xen.ts';
import {
  burn,
  CREDIT_INIT,
  MAX_CREDIT,
  MIGRATE_COMPENSATION,
  MIGRATE_RESIST,
  MIN_CREDIT,
  MIN_SLICE,
  TICKLE_TOLERANCE,
  timeToBurn,
} from './credit2-arithmetic.ts';
import { balanced } from './credit2-balance.ts';
import { afterRun, grab, replenished } from './credit2-cap.ts';
import { preempted, ranFor } from './leave.ts';
import { hasSoft, isInHard, isInSoft } from './masks.ts';
import { current, cycle, isIdle, isTickled, mayTake, relieved, tickle, wholeCore } from './pcpus.ts';
import { bestOf } from './queues.ts';
import { type Candidate, type Charge, type Choice, type Scheduler, sinceWaiting, type Tickled } from './scheduler.ts';
import { domidOf, vcpuOf } from './state.ts';

const DEFAULT_RATELIMIT: Ns = 1000 * US;
/** How many vCPUs out of budget one choice passes over, before the next choice goes on. */
const PARKED_AT_ONCE = 8;

export const credit2: Scheduler = {
  sched_id: 6,
  candidate(xen: Xen, cpu: number, at: Ns): Candidate | undefined {
    const id = bestOf(xen, cpu, (other) => mayTake(xen, cpu, other));
    return id === undefined ? undefined : { id, at: sinceWaiting(xen, domidOf(id), vcpuOf(id), at) };
  },
  choose,
  woken,
  left(xen: Xen, id: number, now: Ns): Charge {
    const domid = domidOf(id);
    const rows = xen.sched.vcpu.of(domid)!;
    const base = xen.sched.scale.of(0)!.base.at(rows.runqueue.at(vcpuOf(id)));
    const facts = xen.domain.of(0)!.cap.at(domid) === 0 ? [] : afterRun(xen, id, now);
    return { credit: creditNow(xen, id, now) - base, facts };
  },
  expire: (xen, kind, id, now) => (kind === 'cap' ? replenished(xen, id, now) : []),
};

export const ratelimitOf = ({ sched }: Xen, pool: number): Ns => {
  const set = sched.pools.of(0)!.ratelimit_plus_1.at(pool);
  return set === 0 ? DEFAULT_RATELIMIT : (set - 1) * US;
};

/** What a vCPU has: on the scale of its run queue. */
export function creditOf({ sched }: Xen, id: number): number {
  const rows = sched.vcpu.of(domidOf(id))!;
  return rows.credit.at(vcpuOf(id)) + sched.scale.of(0)!.base.at(rows.runqueue.at(vcpuOf(id)));
}
/** What one that runs will have when it has paid until now, within what anybody may have or owe. */
function creditNow(xen: Xen, id: number, now: Ns): number {
  const domid = domidOf(id);
  const cost = burn(ranFor(xen, id, now), xen.weight(domid), xen.maxWeight(xen.poolOf(domid)));
  return Math.min(Math.max(creditOf(xen, id) - cost, MIN_CREDIT), MAX_CREDIT);
}

/** csched2_schedule() and runq_candidate(). */
function choose(xen: Xen, cpu: number, now: Ns): Choice {
  const { sched } = xen;
  const cpus = sched.pcpu.of(0)!;
  const before = relieved(xen, cpu);
  const yields = cpus.relieved.at(cpu) === 2;
  const passed = new Set<number>();
  const facts: Fact[] = [];
  for (;;) {
    const top = bestOf(xen, cpu, (id) => id !== before && !passed.has(id) && mayTake(xen, cpu, id));
    let next = top;
    if (before !== undefined && !passed.has(before)) {
      const elsewhere = betterPlace(xen, before, cpu, now);
      if (elsewhere !== undefined) {
        facts.push(tickle(elsewhere, before, new Set()));
        passed.add(before);
      } else if (top === undefined || !(yields || beats(xen, top, before, cpu))) next = before;
    }
    if (next === undefined) return { facts };
    const grabbed = grab(xen, next, now);
    facts.push(...grabbed.facts);
    if (!grabbed.ok) {
      // The others of its domain have nothing either, and will find that out in the next choice.
      passed.add(next);
      if (passed.size >= PARKED_AT_ONCE || sameDomain(xen, cpu, next, passed)) return { facts };
      continue;
    }
    return chosen(xen, cpu, next, now, grabbed.budget, facts);
  }
}
/** Whether the next in line is of the same domain, whose budget this step has already looked at. */
function sameDomain(xen: Xen, cpu: number, id: number, passed: ReadonlySet<number>): boolean {
  const other = bestOf(xen, cpu, (next) => !passed.has(next) && mayTake(xen, cpu, next));
  return other !== undefined && domidOf(other) === domidOf(id);
}

function chosen(xen: Xen, cpu: number, id: number, now: Ns, budget: number, facts: Fact[]): Choice {
  const { sched } = xen;
  const domid = domidOf(id);
  const rows = sched.vcpu.of(domid)!;
  const pool = xen.poolOf(domid);
  const runqueue = rows.runqueue.at(vcpuOf(id));
  const rival = bestOf(xen, cpu, (other) => other !== id);
  const had = creditOf(xen, id);
  const top = rival === undefined ? had : Math.max(had, creditOf(xen, rival));
  // Out of credit means that everybody is: all start again, whoever owes much by twice as much (reset_credit()).
  const added = top > 0 ? 0 : had === MIN_CREDIT ? 2 * CREDIT_INIT : CREDIT_INIT;
  if (added > 0) {
    facts.push({ type: 'sched.credits_reset', added, runqueue });
    facts.push(...balanced(xen, pool, runqueue, id, now));
  }
  const base = sched.scale.of(0)!.base.at(runqueue) + added;
  const moved = rows.cpu.at(vcpuOf(id)) === cpu ? 0 : MIGRATE_COMPENSATION;
  const credit = Math.min(had + added + moved, MAX_CREDIT);
  // Until its own credit is spent, or no more than that of whoever waits and has some (csched2_runtime()).
  const waiting = rival === undefined ? 0 : Math.min(creditOf(xen, rival) + added, MAX_CREDIT);
  const least = Math.max(MIN_SLICE, ratelimitOf(xen, pool));
  const lasts = timeToBurn(credit - Math.max(0, waiting), xen.weight(domid), xen.maxWeight(pool), least);
  const until_ns = now + (budget > 0 ? Math.max(least, Math.min(lasts, budget)) : lasts);
  return { next: { id, until_ns, credit: credit - base }, facts };
}

/** Whether a vCPU that waits goes before the one that this pCPU has just run. */
function beats(xen: Xen, top: number, before: number, cpu: number): boolean {
  const isHere = xen.sched.vcpu.of(domidOf(top))!.cpu.at(vcpuOf(top)) === cpu;
  return creditOf(xen, top) > creditOf(xen, before) + (isHere ? 0 : MIGRATE_RESIST);
}

/** A pCPU that has nothing to do and that a vCPU would rather run on than on this one. */
function betterPlace(xen: Xen, id: number, cpu: number, now: Ns): number | undefined {
  const domid = domidOf(id);
  const vcpu = vcpuOf(id);
  if (!hasSoft(xen, domid, vcpu) || isInSoft(xen, domid, vcpu, cpu)) return undefined;
  const { runqueue } = xen.sched.pcpu.of(0)!;
  const free = (other: number): boolean =>
    runqueue.at(other) === runqueue.at(cpu) &&
    xen.sched.isIn(other, xen.poolOf(domid)) &&
    isInHard(xen, domid, vcpu, other) &&
    isInSoft(xen, domid, vcpu, other) &&
    isIdle(xen, other, now) &&
    !isTickled(xen, other, new Set());
  return cycle(xen, cpu, free);
}

/** runq_tickle(): a pCPU with nothing to do, first where it would rather run; or the one whose vCPU has least, and less. */
function woken(xen: Xen, id: number, now: Ns, tickled: Tickled): Fact[] {
  const { sched } = xen;
  const domid = domidOf(id);
  const vcpu = vcpuOf(id);
  const rows = sched.vcpu.of(domid)!;
  const master = rows.cpu.at(vcpu);
  const pool = xen.poolOf(domid);
  const { runqueue } = sched.pcpu.of(0)!;
  const isOurs = (cpu: number): boolean =>
    runqueue.at(cpu) === rows.runqueue.at(vcpu) &&
    sched.isIn(cpu, pool) &&
    !isTickled(xen, cpu, tickled) &&
    isInHard(xen, domid, vcpu, cpu);
  const isFree = (cpu: number): boolean => isIdle(xen, cpu, now) && isOurs(cpu);
  const isQuiet = (cpu: number): boolean =>
    isFree(cpu) && wholeCore(xen, cpu, (other) => isIdle(xen, other, now) && !isTickled(xen, other, tickled));
  const soft = hasSoft(xen, domid, vcpu) ? (cpu: number): boolean => isInSoft(xen, domid, vcpu, cpu) : undefined;
  const free =
    (soft && (cycle(xen, master, (cpu) => soft(cpu) && isQuiet(cpu)) ?? cycle(xen, master, (cpu) => soft(cpu) && isFree(cpu)))) ??
    cycle(xen, master, isQuiet) ??
    cycle(xen, master, isFree);
  if (free !== undefined) return [tickle(free, id, tickled)];

  const credit = Math.min(creditOf(xen, id), MAX_CREDIT);
  let best = 0;
  let victim: number | undefined;
  for (let i = 0; i < sched.nrCpus; i++) {
    const cpu = (master + i) % sched.nrCpus;
    const running = current(xen, cpu);
    if (running === undefined || !isOurs(cpu)) continue;
    const score = tickleScore(xen, { id, credit, cpu, running, master, now });
    if (score <= best) continue;
    best = score;
    victim = cpu;
    // Its own pCPU, where it likes to be, is as good as any.
    if (cpu === master && isInSoft(xen, domid, vcpu, cpu)) break;
  }
  if (victim === undefined) return [];
  return [...preempted(credit2, xen, current(xen, victim)!, now), tickle(victim, id, tickled)];
}

function tickleScore(
  xen: Xen,
  {
    id,
    credit,
    cpu,
    running,
    master,
    now,
  }: { id: number; credit: number; cpu: number; running: number; master: number; now: Ns },
): number {
  const limit = ratelimitOf(xen, xen.poolOf(domidOf(id)));
  if (limit > TICKLE_TOLERANCE && ranFor(xen, running, now) <= limit - TICKLE_TOLERANCE) return -1;
  let score = credit - creditNow(xen, running, now);
  if (master !== cpu) score -= MIGRATE_RESIST;
  if (score <= 0) return score;
  if (isInSoft(xen, domidOf(id), vcpuOf(id), cpu)) score += CREDIT_INIT;
  if (!isInSoft(xen, domidOf(running), vcpuOf(running), cpu)) score += CREDIT_INIT;
  return score;
}
