// credit (xen/common/sched/credit.c): a queue for each pCPU, slices of 30 ms, credits handed out by weight every 30 ms, work stolen from
// pCPUs that have too much.
import { MS, type Ns, US } from '../../../events/units.ts';
import type { Fact } from '../../../events/vocabulary.ts';
import type { Xen } from '../xen.ts';
import { accounting, armAccounting, BOOST, burntBy, OVER, tsliceOf, UNDER } from './credit-accounting.ts';
import { preempted, ranFor } from './leave.ts';
import { hasSoft, isInHard, isInSoft } from './masks.ts';
import { current, cycle, isIdle, isTickled, mayTake, relieved, tickle } from './pcpus.ts';
import { bestOf, better } from './queues.ts';
import { type Candidate, type Charge, type Choice, type Scheduler, sinceWaiting, type Tickled } from './scheduler.ts';
import { domidOf, vcpuOf } from './state.ts';

const DEFAULT_RATELIMIT: Ns = 1000 * US;
/** A tick (a third of a slice, by default) ends a boost and makes a vCPU take part in the accounting. */
const TICKS_PER_TSLICE = 3;

export const credit: Scheduler = {
  sched_id: 5,
  candidate(xen: Xen, cpu: number, at: Ns): Candidate | undefined {
    const id = pick(xen, cpu, at);
    return id === undefined ? undefined : { id, at: sinceWaiting(xen, domidOf(id), vcpuOf(id), at) };
  },
  choose(xen: Xen, cpu: number, now: Ns): Choice {
    const { sched } = xen;
    const id = pick(xen, cpu, now);
    if (id === undefined) return { facts: [] };
    return { next: { id, until_ns: now + tsliceOf(xen, sched.pcpu.of(0)!.pool.at(cpu)), credit: 0 }, facts: [] };
  },
  woken,
  left,
  expire: (xen, kind, id, now) => (kind === 'accounting' ? accounting(credit, xen, id, now) : []),
};

export const ratelimitOf = ({ sched }: Xen, pool: number): Ns => {
  const set = sched.pools.of(0)!.ratelimit_plus_1.at(pool);
  return set === 0 ? DEFAULT_RATELIMIT : (set - 1) * US;
};
const rankOf = ({ sched }: Xen, id: number): number => sched.vcpu.of(domidOf(id))!.rank.at(vcpuOf(id));

/** Whether a tick has found a vCPU running, within so long before now. */
function ticked(xen: Xen, pool: number, ran: Ns, now: Ns): boolean {
  const tick = Math.floor(tsliceOf(xen, pool) / (tsliceOf(xen, pool) < TICKS_PER_TSLICE * MS ? 1 : TICKS_PER_TSLICE));
  return Math.floor(now / tick) > Math.floor((now - ran) / tick);
}
/** The rank of one that runs: a boost is over with the first tick (csched_unit_acct()). */
function rankNow(xen: Xen, id: number, now: Ns): number {
  const rank = rankOf(xen, id);
  return rank === BOOST && ticked(xen, xen.poolOf(domidOf(id)), ranFor(xen, id, now), now) ? UNDER : rank;
}

/** Its own queue's first; where that has used its credits up, or there is none, one of another pCPU's that has not (csched_load_balance()). */
function pick(xen: Xen, cpu: number, now: Ns): number | undefined {
  const { sched } = xen;
  const cpus = sched.pcpu.of(0)!;
  const isHere = (id: number): boolean => sched.vcpu.of(domidOf(id))!.runqueue.at(vcpuOf(id)) === cpus.runqueue.at(cpu);
  const before = relieved(xen, cpu);
  // A vCPU that yields goes behind one other of its priority (CSCHED_FLAG_UNIT_YIELD).
  const yields = cpus.relieved.at(cpu) === 2 ? before : undefined;
  const own = bestOf(xen, cpu, (id) => id !== yields && isHere(id) && mayTake(xen, cpu, id)) ?? yields;
  if (own !== undefined && rankOf(xen, own) < OVER) return own;
  return stolen(xen, cpu, now, own === undefined ? OVER + 1 : rankOf(xen, own)) ?? own;
}
/** What waits at another pCPU that is busy, goes before `rank`, may run here and has not run there a moment ago (csched_runq_steal()). */
function stolen(xen: Xen, cpu: number, now: Ns, rank: number): number | undefined {
  const { sched } = xen;
  const cpus = sched.pcpu.of(0)!;
  const pool = cpus.pool.at(cpu);
  const isCold = (id: number): boolean => {
    const delay = sched.pools.of(0)!.migration_delay_us.at(pool) * US;
    return delay === 0 || now - (sched.credits.of(domidOf(id))?.last_ns.at(vcpuOf(id)) ?? 0) >= delay;
  };
  const fits = (id: number): boolean => rankOf(xen, id) < rank && isCold(id);
  let best: number | undefined;
  for (let i = 1; i < sched.nrCpus; i++) {
    const peer = (cpu + i) % sched.nrCpus;
    // An idle peer takes its own work.
    if (!sched.isIn(peer, pool) || isIdle(xen, peer, now)) continue;
    const waiting = sched.shared[cpus.runqueue.at(peer)]!.peek();
    if (waiting !== undefined && fits(waiting)) best = better(xen, best, waiting);
  }
  const bound = sched.away[cpu]!.find((id) => fits(id) && !isIdle(xen, sched.vcpu.of(domidOf(id))!.cpu.at(vcpuOf(id)), now));
  return better(xen, best, bound);
}

/** csched_unit_wake() and __runq_tickle(): one that has credits left is boosted, and takes an idle pCPU or its own from whoever has less. */
function woken(xen: Xen, id: number, now: Ns, tickled: Tickled): Fact[] {
  const { sched } = xen;
  const domid = domidOf(id);
  const vcpu = vcpuOf(id);
  const rows = sched.vcpu.of(domid)!;
  const own = sched.credits.of(domid);
  const facts: Fact[] = [];
  let rank = rows.rank.at(vcpu);
  // A vCPU that has never run has the priority of one with credits.
  if (rank !== OVER) {
    rank = BOOST;
    const { credit: has, active, last_ns } = own ?? {};
    const kept = { credit: has?.at(vcpu) ?? 0, active: active?.at(vcpu) ?? 0, last_ns: last_ns?.at(vcpu) ?? 0 };
    facts.push({ type: 'credit.vcpu_set', domid, vcpu, ...kept, priority: BOOST });
  }
  const pool = xen.poolOf(domid);
  const master = rows.cpu.at(vcpu);
  const isFree = (cpu: number): boolean =>
    sched.isIn(cpu, pool) && isIdle(xen, cpu, now) && !isTickled(xen, cpu, tickled) && isInHard(xen, domid, vcpu, cpu);
  const soft = hasSoft(xen, domid, vcpu)
    ? cycle(xen, master, (cpu) => isFree(cpu) && isInSoft(xen, domid, vcpu, cpu))
    : undefined;
  const free = soft ?? cycle(xen, master, isFree);
  if (free !== undefined) {
    if (free !== master) facts.push(movedTo(xen, id, free, now));
    facts.push(tickle(free, id, tickled));
    return facts;
  }
  const running = current(xen, master);
  if (
    running !== undefined &&
    !isTickled(xen, master, tickled) &&
    rank < rankNow(xen, running, now) &&
    sched.isIn(master, pool)
  ) {
    const limit = ratelimitOf(xen, pool);
    if (limit === 0 || ranFor(xen, running, now) >= limit)
      facts.push(...preempted(credit, xen, running, now), tickle(master, id, tickled));
  }
  return facts;
}

const movedTo = ({ sched }: Xen, id: number, cpu: number, now: Ns): Fact => ({
  type: 'vcpu.moved',
  domid: domidOf(id),
  vcpu: vcpuOf(id),
  cpu,
  runqueue: sched.pcpu.of(0)!.runqueue.at(cpu),
  credit: 0,
  at_ns: now,
});

/** What it has burnt; where ticks passed meanwhile, its boost is over and it is accounted for. */
function left(xen: Xen, id: number, now: Ns): Charge {
  const { sched } = xen;
  const domid = domidOf(id);
  const vcpu = vcpuOf(id);
  const pool = xen.poolOf(domid);
  const own = sched.credits.of(domid);
  const ran = ranFor(xen, id, now);
  const isTicked = ticked(xen, pool, ran, now);
  const rank = sched.vcpu.of(domid)!.rank.at(vcpu);
  const active = (own?.active.at(vcpu) ?? 0) === 1 || isTicked;
  const facts: Fact[] = [
    {
      type: 'credit.vcpu_set',
      domid,
      vcpu,
      credit: (own?.credit.at(vcpu) ?? 0) - burntBy(ran),
      priority: rank === BOOST && isTicked ? UNDER : rank,
      active: active ? 1 : 0,
      last_ns: now,
    },
  ];
  if (active) facts.push(...armAccounting(xen, pool, now));
  return { credit: 0, facts };
}
