// rtds (xen/common/sched/rt.c): each vCPU has a budget in each period; of those that have some, the one with the earliest deadline runs.
import type { DomId, Ns } from '../../../events/units.ts';
import type { Fact } from '../../../events/vocabulary.ts';
import type { Xen } from '../xen.ts';
import { preempted, ranFor } from './leave.ts';
import { isInHard } from './masks.ts';
import { current, cycle, isIdle, isTickled, mayTake, tickle } from './pcpus.ts';
import { bestOf } from './queues.ts';
import { DEFAULT_BUDGET, DEFAULT_PERIOD, DEPLETED, nextDeadline } from './rtds-arithmetic.ts';
import { type Candidate, type Charge, type Choice, type Scheduler, sinceWaiting, type Tickled } from './scheduler.ts';
import { domidOf, vcpuOf } from './state.ts';

export const rtds: Scheduler = {
  sched_id: 8,
  candidate(xen: Xen, cpu: number, at: Ns): Candidate | undefined {
    const id = pick(xen, cpu);
    return id === undefined ? undefined : { id, at: sinceWaiting(xen, domidOf(id), vcpuOf(id), at) };
  },
  choose(xen: Xen, cpu: number, now: Ns): Choice {
    const id = pick(xen, cpu);
    if (id === undefined) return { facts: [] };
    const { deadline_ns } = xen.sched.vcpu.of(domidOf(id))!;
    // A deadline that has passed unnoticed gives it a new period first.
    const late = deadline_ns.at(vcpuOf(id)) <= now ? replenish(xen, id, now) : undefined;
    const budget = late?.budget_ns ?? leftOf(xen, id);
    // Whoever gets a new budget meanwhile may go before it: it looks again then.
    const due = xen.sched.due.peek();
    const soon = due === undefined ? Number.POSITIVE_INFINITY : xen.sched.nextTimer()!.deadline_ns;
    const until_ns = Math.max(now + 1, Math.min(now + budget, soon));
    return { next: { id, until_ns, credit: 0 }, facts: late ? renewed(late, id) : [] };
  },
  woken,
  left(xen: Xen, id: number, now: Ns): Charge {
    const domid = domidOf(id);
    const vcpu = vcpuOf(id);
    const rows = xen.sched.vcpu.of(domid)!;
    const left = leftOf(xen, id) - ranFor(xen, id, now);
    const level = rows.rank.at(vcpu);
    const deadline_ns = rows.deadline_ns.at(vcpu);
    const set = { type: 'rtds.vcpu_set', domid, vcpu, deadline_ns } as const;
    if (left > 0) return { credit: 0, facts: [{ ...set, budget_ns: left, level }] };
    // With extratime it goes on behind all that have budget; without, not before the next period (burn_budget()).
    const { budget_ns, extratime } = paramsOf(xen, domid, vcpu);
    const spent: Fact = extratime
      ? { ...set, budget_ns, level: Math.min(level + 1, DEPLETED - 1) }
      : { ...set, budget_ns: 0, level: DEPLETED };
    return { credit: 0, facts: [spent] };
  },
  expire(xen: Xen, kind, id: number, now: Ns): Fact[] {
    return kind === 'rtds' ? replenished(xen, id, now) : [];
  },
};

export interface RtdsParams {
  readonly period_ns: Ns;
  readonly budget_ns: Ns;
  readonly extratime: boolean;
}
export function paramsOf({ sched }: Xen, domid: DomId, vcpu: number): RtdsParams {
  const rows = sched.rtds.of(domid);
  return {
    period_ns: (rows?.period_ns.at(vcpu) ?? 0) + DEFAULT_PERIOD,
    budget_ns: (rows?.budget_ns.at(vcpu) ?? 0) + DEFAULT_BUDGET,
    extratime: (rows?.strict.at(vcpu) ?? 0) === 0,
  };
}
const leftOf = ({ sched }: Xen, id: number): Ns => sched.rtds.of(domidOf(id))?.left.at(vcpuOf(id)) ?? 0;

/** The earliest deadline of those with a budget (runq_pick()). */
function pick(xen: Xen, cpu: number): number | undefined {
  // A yield means nothing here: whoever has the earliest deadline still has it.
  const id = bestOf(xen, cpu, (other) => mayTake(xen, cpu, other));
  return id === undefined || xen.sched.vcpu.of(domidOf(id))!.rank.at(vcpuOf(id)) === DEPLETED ? undefined : id;
}

interface Renewal {
  readonly deadline_ns: Ns;
  readonly budget_ns: Ns;
}
function replenish(xen: Xen, id: number, now: Ns): Renewal {
  const { period_ns, budget_ns } = paramsOf(xen, domidOf(id), vcpuOf(id));
  return { deadline_ns: nextDeadline(xen.sched.vcpu.of(domidOf(id))!.deadline_ns.at(vcpuOf(id)), period_ns, now), budget_ns };
}
const renewed = ({ deadline_ns, budget_ns }: Renewal, id: number): Fact[] => [
  { type: 'rtds.vcpu_set', domid: domidOf(id), vcpu: vcpuOf(id), deadline_ns, budget_ns, level: 0 },
  { type: 'sched.timer_set', kind: 'rtds', id, deadline_ns },
];

/** rt_unit_wake(): a deadline missed while it slept begins a new period. */
function woken(xen: Xen, id: number, now: Ns, tickled: Tickled): Fact[] {
  const rows = xen.sched.vcpu.of(domidOf(id))!;
  const deadline = rows.deadline_ns.at(vcpuOf(id));
  if (now >= deadline) {
    const late = replenish(xen, id, now);
    return [...renewed(late, id), ...makeRoom(xen, id, { level: 0, deadline: late.deadline_ns }, now, tickled)];
  }
  const level = rows.rank.at(vcpuOf(id));
  return [
    { type: 'sched.timer_set', kind: 'rtds', id, deadline_ns: deadline },
    ...(level === DEPLETED ? [] : makeRoom(xen, id, { level, deadline }, now, tickled)),
  ];
}

interface Standing {
  readonly level: number;
  readonly deadline: Ns;
}
const goesBefore = (a: Standing, b: Standing): boolean => (a.level !== b.level ? a.level < b.level : a.deadline < b.deadline);
function standing({ sched }: Xen, id: number): Standing {
  const rows = sched.vcpu.of(domidOf(id))!;
  return { level: rows.rank.at(vcpuOf(id)), deadline: rows.deadline_ns.at(vcpuOf(id)) };
}

/** runq_tickle(): an idle pCPU, or the one whose vCPU has the latest deadline, if that is later. */
function makeRoom(xen: Xen, id: number, own: Standing, now: Ns, tickled: Tickled): Fact[] {
  const { sched } = xen;
  const domid = domidOf(id);
  const vcpu = vcpuOf(id);
  const pool = xen.poolOf(domid);
  const master = sched.vcpu.of(domid)!.cpu.at(vcpu);
  const mayUse = (cpu: number): boolean =>
    sched.isIn(cpu, pool) && isInHard(xen, domid, vcpu, cpu) && !isTickled(xen, cpu, tickled);
  const free = cycle(xen, master, (cpu) => isIdle(xen, cpu, now) && mayUse(cpu));
  if (free !== undefined) return [tickle(free, id, tickled)];
  let latest: { cpu: number; at: Standing; running: number } | undefined;
  for (let i = 0; i < sched.nrCpus; i++) {
    const cpu = (master + i) % sched.nrCpus;
    const running = current(xen, cpu);
    if (running === undefined || !mayUse(cpu)) continue;
    const at = standing(xen, running);
    if (latest === undefined || goesBefore(latest.at, at)) latest = { cpu, at, running };
  }
  if (latest === undefined || !goesBefore(own, latest.at)) return [];
  return [...preempted(rtds, xen, latest.running, now), tickle(latest.cpu, id, tickled)];
}

/** A vCPU's period is over (repl_timer_handler()). One that sleeps needs no timer: its wake begins a new period. */
function replenished(xen: Xen, id: number, now: Ns): Fact[] {
  const { sched } = xen;
  const rows = sched.vcpu.of(domidOf(id));
  const runstate = rows?.runstate.is(vcpuOf(id));
  const stop: Fact = { type: 'sched.timer_stopped', kind: 'rtds', id };
  if (rows === undefined || rows.detached.at(vcpuOf(id)) === 1 || (runstate !== 'running' && runstate !== 'runnable'))
    return [stop];
  const late = replenish(xen, id, now);
  const own = { level: 0, deadline: late.deadline_ns };
  const tickled: Tickled = new Set();
  if (runstate === 'runnable') return [...renewed(late, id), ...makeRoom(xen, id, own, now, tickled)];
  // It runs, with a later deadline than before: somebody who waits may go first now.
  const cpu = rows.cpu.at(vcpuOf(id));
  const first = bestOf(xen, cpu, () => true);
  const yieldsTo = first !== undefined && goesBefore(standing(xen, first), own) && standing(xen, first).level !== DEPLETED;
  if (!yieldsTo) {
    // What it has run of the old budget is paid for; the new one counts from now.
    return [
      { ...(renewed(late, id)[0] as Extract<Fact, { type: 'rtds.vcpu_set' }>), budget_ns: late.budget_ns + ranFor(xen, id, now) },
      renewed(late, id)[1]!,
    ];
  }
  const off = preempted(rtds, xen, id, now).filter(({ type }) => type === 'vcpu.preempted');
  return [...off, ...renewed(late, id), tickle(cpu, first, tickled)];
}
