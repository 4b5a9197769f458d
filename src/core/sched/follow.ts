// What a step's facts lead to in the schedulers: whoever becomes runnable is given a pCPU, or takes one from somebody.
import type { DomId, Ns } from '../../../events/units.ts';
import type { Fact, Outcome } from '../../../events/vocabulary.ts';
import type { Xen } from '../xen.ts';
import { turnsOfDom0 } from './arinc653.ts';
import { stoppedSchedTimers } from './decide.ts';
import { released } from './null.ts';
import { placed } from './place.ts';
import type { Tickled } from './scheduler.ts';
import { schedulerOfDomain } from './schedulers.ts';
import { vcpuId } from './state.ts';

/** The outcome with the schedulers' facts after its own. Most outcomes wake nobody, and are answered as they are. */
export function follow(xen: Xen, outcome: Outcome, now: Ns): Outcome {
  const { events } = outcome;
  if (events === undefined) return outcome;
  let tickled: Tickled | undefined;
  let more: Fact[] | undefined;
  for (let i = 0; i < events.length; i++) {
    const event = events[i]!;
    if (!isFollowed(xen, event)) continue;
    tickled ??= tickledBy(xen, events);
    const facts = followed(xen, event, now, tickled);
    if (facts.length > 0) more = more === undefined ? facts : [...more, ...facts];
  }
  return more === undefined ? outcome : { ...outcome, events: [...events, ...more] };
}

/** Whether a fact can concern a scheduler. */
function isFollowed(xen: Xen, event: Fact): boolean {
  switch (event.type) {
    case 'vcpu.woken':
    case 'vcpu.unpaused':
    case 'vcpu.brought_up':
    case 'vcpu.unparked':
      return becomesRunnable(xen, event);
    case 'vcpu.brought_down':
    case 'vcpu.detached':
    case 'domain.dying_started':
    case 'domain.vcpus_allocated':
      return true;
    default:
      return false;
  }
}

function followed(xen: Xen, event: Fact, now: Ns, tickled: Tickled): Fact[] {
  switch (event.type) {
    case 'vcpu.woken':
    case 'vcpu.unpaused':
    case 'vcpu.brought_up':
    case 'vcpu.unparked':
      return schedulerOfDomain(xen, event.domid).woken(xen, vcpuId(event.domid, event.vcpu), now, tickled);
    case 'vcpu.brought_down':
    case 'vcpu.detached':
      return xen.sched.kindOf(xen.poolOf(event.domid)) === 'null' ? released(xen, event.domid, event.vcpu, now) : [];
    case 'domain.dying_started':
      return gone(xen, event.domid, now);
    case 'domain.vcpus_allocated':
      return [...placed(xen, event.domid, event.count, now), ...turnsOfDom0(xen, event.domid, event.count, now)];
    default:
      return [];
  }
}

/** A domain that will not run again: its timers stop, and its pCPUs, under null, are others'. */
function gone(xen: Xen, domid: DomId, now: Ns): Fact[] {
  const facts = stoppedSchedTimers(xen, domid);
  if (xen.sched.kindOf(xen.poolOf(domid)) !== 'null') return facts;
  const count = xen.domain.of(0)!.nr_vcpus.at(domid);
  const own = new Set(Array.from({ length: count }, (_, vcpu) => vcpuId(domid, vcpu)));
  const given = new Set(own);
  for (let vcpu = 0; vcpu < count; vcpu++) {
    const freed = released(xen, domid, vcpu, now, given);
    for (const fact of freed) if (fact.type === 'null.assigned') given.add(vcpuId(fact.domid, fact.vcpu));
    facts.push(...freed);
  }
  return facts;
}

/** pCPUs that this step has told to look for work already, or that it takes somebody off. */
function tickledBy(xen: Xen, events: readonly Fact[]): Tickled {
  const tickled: Tickled = new Set();
  for (const event of events)
    switch (event.type) {
      case 'sched.tickled':
        tickled.add(event.cpu);
        break;
      case 'vcpu.blocked':
      case 'vcpu.preempted': {
        const rows = xen.sched.vcpu.of(event.domid);
        if (rows !== undefined && rows.detached.at(event.vcpu) === 0) tickled.add(rows.cpu.at(event.vcpu));
        break;
      }
    }
  return tickled;
}

/** Whether nothing else keeps a vCPU from running once the fact has happened. */
function becomesRunnable(
  xen: Xen,
  { type, domid, vcpu }: { readonly type: string; readonly domid: number; readonly vcpu: number },
): boolean {
  const rows = xen.sched.vcpu.of(domid);
  if (rows === undefined || rows.detached.at(vcpu) === 1) return false;
  const runs = rows.runstate.is(vcpu);
  if (runs === 'running' || runs === 'runnable') return false;
  return (
    (rows.up.at(vcpu) === 1 || type === 'vcpu.brought_up') &&
    (rows.blocked.at(vcpu) === 0 || type === 'vcpu.woken') &&
    (rows.parked.at(vcpu) === 0 || type === 'vcpu.unparked') &&
    rows.pauses.at(vcpu) - (type === 'vcpu.unpaused' ? 1 : 0) === 0
  );
}
