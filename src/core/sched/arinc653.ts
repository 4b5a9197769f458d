// arinc653 (xen/common/sched/arinc653.c): a table says which vCPU runs when, again and again in frames of the same length.
import { type DomId, MS, type Ns } from '../../../events/units.ts';
import type { Fact } from '../../../events/vocabulary.ts';
import { formatHandle } from '../handle.ts';
import type { Xen } from '../xen.ts';
import { preempted } from './leave.ts';
import { current, isIdle } from './pcpus.ts';
import type { Candidate, Charge, Choice, Scheduler, Tickled } from './scheduler.ts';
import { domidOf, vcpuOf } from './state.ts';

export const ARINC653_MAX_DOMAINS_PER_SCHEDULE = 64;
export const DEFAULT_TIMESLICE: Ns = 10 * MS;

export const arinc653: Scheduler = {
  sched_id: 7,
  candidate(xen: Xen, cpu: number, at: Ns): Candidate | undefined {
    const pool = xen.sched.pcpu.of(0)!.pool.at(cpu);
    const entries = xen.sched.pools.of(0)!.entries.at(pool);
    // The first turn, from then on, of somebody who can use it here; one frame says it all.
    let from = at;
    for (let i = 0; i <= entries; i++) {
      const turn = turnAt(xen, pool, from);
      if (turn === undefined) return undefined;
      if (turn.id !== undefined && isReady(xen, turn.id, cpu)) {
        const { entry_ns } = xen.sched.vcpu.of(domidOf(turn.id))!;
        const since = Math.max(from, entry_ns.at(vcpuOf(turn.id)));
        if (since < turn.end) return { id: turn.id, at: since };
      }
      from = turn.end;
    }
    return undefined;
  },
  choose(xen: Xen, cpu: number, now: Ns): Choice {
    const turn = turnAt(xen, xen.sched.pcpu.of(0)!.pool.at(cpu), now);
    if (turn?.id === undefined || !isReady(xen, turn.id, cpu)) return { facts: [] };
    return { next: { id: turn.id, until_ns: turn.end, credit: 0 }, facts: [] };
  },
  /** Whoever runs on its pCPU beyond its own turn makes room. */
  woken(xen: Xen, id: number, now: Ns, tickled: Tickled): Fact[] {
    const pool = xen.poolOf(domidOf(id));
    const cpu = xen.sched.vcpu.of(domidOf(id))!.cpu.at(vcpuOf(id));
    const turn = turnAt(xen, pool, now);
    const running = current(xen, cpu);
    if (turn?.id !== id || running === undefined || running === id || tickled.has(cpu) || isIdle(xen, cpu, now)) return [];
    tickled.add(cpu);
    return preempted(arinc653, xen, running, now);
  },
  left: (): Charge => ({ credit: 0, facts: [] }),
  expire: () => [],
};

/** Each of dom0's vCPUs has a turn of its own until somebody sets a schedule (a653sched_alloc_udata()). Their handle is one of zeros. */
export function turnsOfDom0(xen: Xen, domid: DomId, count: number, now: Ns): Fact[] {
  const pool = xen.poolOf(domid);
  if (domid !== 0 || xen.sched.kindOf(pool) !== 'arinc653') return [];
  const turns = Math.min(count, ARINC653_MAX_DOMAINS_PER_SCHEDULE);
  return [
    {
      type: 'arinc653.schedule_set',
      pool,
      major_frame: turns * DEFAULT_TIMESLICE,
      dom_handles: Array<string>(turns).fill(formatHandle([0, 0, 0, 0])),
      vcpu_ids: Array.from({ length: turns }, (_, vcpu) => vcpu),
      runtimes: Array<Ns>(turns).fill(DEFAULT_TIMESLICE),
      at_ns: now,
    },
  ];
}

/** Whether a vCPU waits for a pCPU, and for this one: vCPUs never move here. */
function isReady({ sched }: Xen, id: number, cpu: number): boolean {
  const rows = sched.vcpu.of(domidOf(id));
  return rows !== undefined && rows.runstate.is(vcpuOf(id)) === 'runnable' && rows.cpu.at(vcpuOf(id)) === cpu;
}

/** Whose turn it is at a moment, and until when; without an id it is nobody's. Undefined where there is no schedule. */
export function turnAt({ sched }: Xen, pool: number, now: Ns): { readonly id: number | undefined; readonly end: Ns } | undefined {
  const { major_frame, frame_start, entries } = sched.pools.of(0)!;
  const count = entries.at(pool);
  const frame = major_frame.at(pool);
  if (count === 0 || frame <= 0) return undefined;
  const { runtime, unit } = sched.frames.of(pool)!;
  const start = frame_start.at(pool);
  // Before the schedule was set there was none.
  if (now < start) return { id: undefined, end: start };
  const begun = start + Math.floor((now - start) / frame) * frame;
  let end = begun;
  for (let i = 0; i < count; i++) {
    end += runtime.at(i);
    if (now < end) return { id: unit.at(i) === 0 ? undefined : unit.at(i) - 1, end };
  }
  return { id: undefined, end: begun + frame };
}
