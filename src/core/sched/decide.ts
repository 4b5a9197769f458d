// The scheduler's operations: who runs next, who stops, and the domctls that steer that (xen/common/sched/core.c).
import { accept, refuse } from '../../../events/step.ts';
import type { DomId, Ns, Port } from '../../../events/units.ts';
import type { Fact, GuestReader, Outcome, SchedCommand } from '../../../events/vocabulary.ts';
import type { Xen } from '../xen.ts';
import { isPrivileged } from '../xsm.ts';
import { getAffinity, getPhysid, nodeAffinity, pinOverride, setAffinity } from './affinity.ts';
import { preempted, ranFor } from './leave.ts';
import { adjust } from './params.ts';
import { schedulerOf, schedulerOfCpu, schedulerOfDomain } from './schedulers.ts';
import { domidOf, timerItem, vcpuId, vcpuOf } from './state.ts';

export function decide(xen: Xen, command: SchedCommand, now: Ns, guest: GuestReader): Outcome {
  switch (command.type) {
    case 'sched.schedule':
      return schedule(xen, command.cpu, now);
    case 'sched.block': {
      const { domid, vcpu } = command;
      if (xen.sched.vcpu.of(domid)?.runstate.is(vcpu) !== 'running') return refuse('EINVAL');
      // An event that came in the meantime: as in Xen, the vCPU goes on (vcpu_block() in xen/common/sched/core.c).
      if (xen.upcallPending(domid, vcpu, guest)) return accept({ blocked: 0 });
      return accept({ blocked: 1 }, ...block(xen, domid, vcpu, now));
    }
    case 'sched.yield':
    case 'sched.preempt': {
      const { domid, vcpu } = command;
      if (xen.sched.vcpu.of(domid)?.runstate.is(vcpu) !== 'running') return refuse('EINVAL');
      return accept({}, ...offCpu(xen, domid, vcpu, now, command.type === 'sched.yield'));
    }
    case 'sched.charge': {
      const { domid, vcpu, ran_ns } = command;
      if (!xen.hasVcpu(domid, vcpu)) return refuse('ENOENT');
      return ran_ns < 0 ? refuse('EINVAL') : accept({}, { type: 'vcpu.charged', domid, vcpu, ran_ns });
    }
    case 'sched.detach': {
      const { domid, vcpu } = command;
      if (!isPrivileged(domid)) return refuse('EPERM');
      if (!xen.hasVcpu(domid, vcpu)) return refuse('ENOENT');
      return accept({}, ...offCpu(xen, domid, vcpu, now), { type: 'vcpu.detached', domid, vcpu, at_ns: now });
    }
    case 'sched.expire': {
      const { kind, id } = command;
      const due = xen.sched.nextTimer();
      if (due === undefined || due.kind !== kind || due.id !== id || due.deadline_ns > now) return refuse('EINVAL');
      const pool = kind === 'accounting' || kind === 'frame' ? id : xen.poolOf(kind === 'rtds' ? domidOf(id) : id);
      const facts = schedulerOf(xen, pool).expire(xen, kind, id, now);
      // Whatever it was for is no more.
      return accept({}, ...(facts.length > 0 ? facts : [{ type: 'sched.timer_stopped', kind, id } as const]));
    }
    case 'domctl.setvcpuaffinity':
      return setAffinity(xen, command, now);
    case 'domctl.getvcpuaffinity':
      return getAffinity(xen, command);
    case 'domctl.setnodeaffinity':
    case 'domctl.getnodeaffinity':
      return nodeAffinity(xen, command);
    case 'sched.pin_override':
      return pinOverride(xen, command, now);
    case 'vcpu.get_physid':
      return getPhysid(xen, command);
    case 'domctl.scheduler_op':
      return adjust(xen, command, now);
    default:
      return command satisfies never;
  }
}

/** What an event to a blocked vCPU leads to besides the event itself. */
export function wake(xen: Xen, domid: DomId, vcpu: number, now: Ns): Fact[] {
  return xen.sched.vcpu.of(domid)?.blocked.at(vcpu) === 1 ? [{ type: 'vcpu.woken', domid, vcpu, at_ns: now }] : [];
}

/** Who polls for a port that has become pending, and does not hear of it otherwise: it is masked, or another vCPU's. */
export function wakePollers(xen: Xen, domid: DomId, port: Port, now: Ns): Fact[] {
  const polls = xen.sched.polls.of(domid);
  if (!polls) return [];
  const facts: Fact[] = [];
  for (const [vcpu, poll] of xen.sched.polls.inUse(domid))
    if (poll.port === 0 || poll.port === port) facts.push(...wake(xen, domid, vcpu, now));
  return facts;
}

/** What takes a running vCPU off its pCPU, and charges it for its slice; nothing where it has none. */
export function offCpu(xen: Xen, domid: DomId, vcpu: number, now: Ns, yielded = false): Fact[] {
  const rows = xen.sched.vcpu.of(domid)!;
  if (rows.runstate.is(vcpu) !== 'running' || rows.detached.at(vcpu) === 1) return [];
  return preempted(schedulerOfDomain(xen, domid), xen, vcpuId(domid, vcpu), now, yielded);
}

/** The vCPU that `cpu` would run next, and from when, if it has come as far as `at`; or undefined. */
export function candidate(xen: Xen, cpu: number, at: Ns): { readonly id: number; readonly at: Ns } | undefined {
  const cpus = xen.sched.pcpu.of(0)!;
  if (cpus.state.is(cpu) !== 'idle' || cpus.free.at(cpu) === 1) return undefined;
  return schedulerOfCpu(xen, cpu).candidate(xen, cpu, at);
}

function schedule(xen: Xen, cpu: number, now: Ns): Outcome {
  const cpus = xen.sched.pcpu.of(0)!;
  if (cpus.state.is(cpu) !== 'idle') return refuse('EBUSY');
  if (cpus.free.at(cpu) === 1) return refuse('EAGAIN');
  const { next, facts } = schedulerOfCpu(xen, cpu).choose(xen, cpu, now);
  if (next === undefined) return refuse('EAGAIN', undefined, ...facts);
  const domid = domidOf(next.id);
  const vcpu = vcpuOf(next.id);
  const { until_ns, credit } = next;
  return accept({ domid, vcpu, until_ns }, ...facts, { type: 'vcpu.scheduled', domid, vcpu, cpu, at_ns: now, until_ns, credit });
}

/** What blocks a running vCPU. */
export function block(xen: Xen, domid: DomId, vcpu: number, now: Ns): Fact[] {
  const id = vcpuId(domid, vcpu);
  // Without a pCPU it is charged for what it does, not for time.
  if (xen.sched.vcpu.of(domid)!.detached.at(vcpu) === 1) {
    return [{ type: 'vcpu.blocked', domid, vcpu, at_ns: now, credit: xen.sched.vcpu.of(domid)!.credit.at(vcpu), ran_ns: 0 }];
  }
  const { credit, facts } = schedulerOfDomain(xen, domid).left(xen, id, now);
  return [{ type: 'vcpu.blocked', domid, vcpu, at_ns: now, credit, ran_ns: ranFor(xen, id, now) }, ...facts];
}

/** The scheduler timers of a domain that will not run again. */
export function stoppedSchedTimers(xen: Xen, domid: DomId): Fact[] {
  const { due } = xen.sched;
  const facts: Fact[] = [];
  if (due.has(timerItem('cap', domid))) facts.push({ type: 'sched.timer_stopped', kind: 'cap', id: domid });
  for (let vcpu = 0; vcpu < xen.domain.of(0)!.nr_vcpus.at(domid); vcpu++)
    if (due.has(vcpuId(domid, vcpu))) facts.push({ type: 'sched.timer_stopped', kind: 'rtds', id: vcpuId(domid, vcpu) });
  return facts;
}
