// credit2's caps: a domain's budget for a period, pieces of which its vCPUs take before they run and give back when they stop.
import type { DomId, Ns } from '../../../events/units.ts';
import type { Fact } from '../../../events/vocabulary.ts';
import type { Xen } from '../xen.ts';
import { budgetQuota, REPLENISH_PERIOD, totalBudget } from './credit2-arithmetic.ts';
import { ranFor } from './leave.ts';
import { domidOf, timerItem, vcpuOf } from './state.ts';

/** What a vCPU that is about to run gets of its domain's budget; not ok where there is none, and it is parked (unit_grab_budget()). */
export function grab(xen: Xen, id: number, now: Ns): { ok: boolean; budget: number; facts: Fact[] } {
  const domid = domidOf(id);
  const vcpu = vcpuOf(id);
  const { cap, budget: budgets, nr_vcpus } = xen.domain.of(0)!;
  const had = xen.sched.vcpu.of(domid)!.budget.at(vcpu);
  if (cap.at(domid) === 0) return { ok: true, budget: 0, facts: [] };
  if (had > 0) return { ok: true, budget: had, facts: [] };
  const left = budgets.at(domid);
  if (left <= 0) return { ok: false, budget: 0, facts: [{ type: 'vcpu.parked', domid, vcpu, at_ns: now }] };
  const budget = Math.min(left, budgetQuota(cap.at(domid), nr_vcpus.at(domid)));
  return {
    ok: true,
    budget,
    facts: [...taken(xen, domid, budget, now), { type: 'credit2.vcpu_budget_set', domid, vcpu, budget }],
  };
}

/** What is left of it goes back, or what it has overdrawn is the domain's debt; with nothing left in the domain, it is parked. */
export function afterRun(xen: Xen, id: number, now: Ns): Fact[] {
  const domid = domidOf(id);
  const vcpu = vcpuOf(id);
  const rows = xen.sched.vcpu.of(domid)!;
  const used = ranFor(xen, id, now);
  const left = xen.domain.of(0)!.budget.at(domid) + rows.budget.at(vcpu) - used;
  const facts: Fact[] = [
    ...taken(xen, domid, used - rows.budget.at(vcpu), now),
    { type: 'credit2.vcpu_budget_set', domid, vcpu, budget: 0 },
  ];
  if (left > 0) facts.push(...unparked(xen, domid, now));
  return facts;
}

/** The period is over (replenish_domain_budget()). A domain that has all of its budget needs no timer until it takes some. */
export function replenished(xen: Xen, domid: DomId, now: Ns): Fact[] {
  const { cap, budget: budgets, next_repl_ns } = xen.domain.of(0)!;
  const total = totalBudget(cap.at(domid));
  const periods = Math.floor(Math.max(0, now - next_repl_ns.at(domid)) / REPLENISH_PERIOD) + 1;
  const next = next_repl_ns.at(domid) + periods * REPLENISH_PERIOD;
  const budget = Math.min(budgets.at(domid) + periods * total, total);
  return [
    { type: 'credit2.budget_set', domid, budget, next_repl_ns: next },
    timer(domid, budget < total ? next : undefined),
    ...(budget > 0 ? unparked(xen, domid, now) : []),
  ];
}

/** A cap that there was not before: everybody starts with a full budget. */
export const capStarted = (domid: DomId, cap: number, now: Ns): Fact[] => [
  { type: 'credit2.budget_set', domid, budget: totalBudget(cap), next_repl_ns: now + REPLENISH_PERIOD },
];
/** No cap any more: those that it has parked go on. */
export const capEnded = (xen: Xen, domid: DomId, now: Ns): Fact[] => [
  { type: 'credit2.budget_set', domid, budget: 0, next_repl_ns: 0 },
  timer(domid, undefined),
  ...unparked(xen, domid, now),
];

export function unparked(xen: Xen, domid: DomId, now: Ns): Fact[] {
  const { parked } = xen.sched.vcpu.of(domid)!;
  const facts: Fact[] = [];
  for (let vcpu = 0; vcpu < xen.domain.of(0)!.nr_vcpus.at(domid); vcpu++)
    if (parked.at(vcpu) === 1) facts.push({ type: 'vcpu.unparked', domid, vcpu, at_ns: now });
  return facts;
}

/** Others of its domain may take some in the same step, so the fact says how much, not how much is left. */
function taken(xen: Xen, domid: DomId, ns: Ns, now: Ns): Fact[] {
  const { cap, budget, next_repl_ns } = xen.domain.of(0)!;
  const isArmed = xen.sched.due.has(timerItem('cap', domid));
  const due = next_repl_ns.at(domid);
  // Without a timer nothing was missing: the periods since then went by unnoticed.
  const missed = isArmed || now < due ? 0 : Math.floor((now - due) / REPLENISH_PERIOD) + 1;
  const next = due + missed * REPLENISH_PERIOD;
  const facts: Fact[] = [{ type: 'credit2.budget_taken', domid, taken: ns, next_repl_ns: next }];
  if (!isArmed && budget.at(domid) - ns < totalBudget(cap.at(domid))) facts.push(timer(domid, next));
  return facts;
}
const timer = (domid: DomId, deadline_ns: Ns | undefined): Fact =>
  deadline_ns === undefined
    ? { type: 'sched.timer_stopped', kind: 'cap', id: domid }
    : { type: 'sched.timer_set', kind: 'cap', id: domid, deadline_ns };
