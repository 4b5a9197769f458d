// credit2, reduced to one run queue: who runs next, for how long, and what it costs.
import { accept, refuse } from '../../../events/step.ts';
import type { DomId, Ns, Port } from '../../../events/units.ts';
import type { Fact, GuestReader, Outcome, SchedCommand } from '../../../events/vocabulary.ts';
import type { Xen } from '../xen.ts';
import { isPrivileged } from '../xsm.ts';
import { burn, CREDIT_INIT, MAX_CREDIT, MAX_WEIGHT, MIN_CREDIT, timeToBurn } from './credit.ts';
import { AFFINITY_BITS, domidOf, vcpuOf } from './state.ts';

export function decide(xen: Xen, command: SchedCommand, now: Ns, guest: GuestReader): Outcome {
  switch (command.type) {
    case 'sched.schedule':
      return schedule(xen, command.cpu, now);
    case 'sched.block': {
      const { domid, vcpu } = command;
      if (xen.sched.vcpu.of(domid)?.runstate.is(vcpu) !== 'running') return refuse('EINVAL');
      // An event that came in the meantime: as in Xen, the vCPU goes on (vcpu_block() in xen/common/sched/core.c).
      if (xen.upcallPending(domid, vcpu, guest)) return accept({ blocked: 0 });
      return accept({ blocked: 1 }, block(xen, domid, vcpu, now));
    }
    case 'sched.yield':
    case 'sched.preempt': {
      const { domid, vcpu } = command;
      if (xen.sched.vcpu.of(domid)?.runstate.is(vcpu) !== 'running') return refuse('EINVAL');
      return accept({}, ...offCpu(xen, domid, vcpu, now));
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
    case 'domctl.setvcpuaffinity': {
      const { domain, vcpu } = command;
      if (!xen.exists(domain)) return refuse('ESRCH');
      if (!isPrivileged(command.domid)) return refuse('EPERM');
      if (vcpu < 0 || vcpu >= xen.domain.of(0)!.max_vcpus.at(domain)) return refuse('EINVAL');
      if (!xen.hasVcpu(domain, vcpu)) return refuse('ESRCH');
      // Only pCPUs that there are count (vcpu_set_hard_affinity() in xen/common/sched/core.c).
      const cpus = command.cpus.filter((cpu) => cpu < AFFINITY_BITS && xen.sched.pcpu.of(0)!.state.is(cpu) !== 'none');
      return cpus.length === 0 ? refuse('EINVAL') : accept({}, { type: 'vcpu.affinity_set', domid: domain, vcpu, cpus });
    }
    case 'domctl.scheduler_op': {
      const { domain, weight } = command;
      if (!xen.exists(domain)) return refuse('ESRCH');
      if (!isPrivileged(command.domid)) return refuse('EPERM');
      if (weight < 0 || weight > MAX_WEIGHT) return refuse('EINVAL');
      // 0 leaves the weight as it is (csched2_dom_cntl() in xen/common/sched/credit2.c).
      return weight === 0 ? accept() : accept({}, { type: 'domain.weight_set', domid: domain, weight });
    }
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
export function offCpu(xen: Xen, domid: DomId, vcpu: number, now: Ns): Fact[] {
  const rows = xen.sched.vcpu.of(domid)!;
  if (rows.runstate.is(vcpu) !== 'running' || rows.detached.at(vcpu) === 1) return [];
  return [{ type: 'vcpu.preempted', domid, vcpu, at_ns: now, credit: creditAfter(xen, domid, vcpu, now) }];
}

/** The vCPU that `cpu` would run next, or undefined. */
export function candidate(xen: Xen, cpu: number): number | undefined {
  return xen.sched.runqueue.find((id) => allowed(xen, id, cpu));
}

function schedule(xen: Xen, cpu: number, now: Ns): Outcome {
  const { vcpu: vcpus, pcpu, runqueue, scale } = xen.sched;
  if (pcpu.of(0)!.state.is(cpu) !== 'idle') return refuse('EBUSY');
  const next = candidate(xen, cpu);
  if (next === undefined) return refuse('EAGAIN');
  const domid = domidOf(next);
  const vcpu = vcpuOf(next);
  const stored = vcpus.of(domid)!.credit.at(vcpu);
  const had = stored + scale.of(0)!.base.at(0);
  // Out of credit means that everybody is, for the richest runs first: all start again, whoever owes much by twice as much.
  const added = had > 0 ? 0 : Math.floor(-had / CREDIT_INIT + 1) * CREDIT_INIT;
  const base = scale.of(0)!.base.at(0) + added;
  const credit = Math.min(stored, MAX_CREDIT - base);
  // Until its own credit is spent, or no more than that of whoever waits and has some (csched2_runtime()).
  const rival = runqueue.find((id) => id !== next && allowed(xen, id, cpu));
  const waiting = rival === undefined ? 0 : vcpus.of(domidOf(rival))!.credit.at(vcpuOf(rival)) + base;
  const until_ns = now + timeToBurn(credit + base - Math.max(0, waiting), xen.weight(domid));
  const scheduled: Fact = { type: 'vcpu.scheduled', domid, vcpu, cpu, at_ns: now, until_ns, credit };
  const reset: Fact[] = added > 0 ? [{ type: 'sched.credits_reset', added }] : [];
  return accept({ domid, vcpu, until_ns }, ...reset, scheduled);
}

/** What blocks a running vCPU. */
export function block(xen: Xen, domid: DomId, vcpu: number, now: Ns): Fact {
  return { type: 'vcpu.blocked', domid, vcpu, at_ns: now, credit: creditAfter(xen, domid, vcpu, now) };
}

/** What it has left after running until now, within what anybody may have or owe. */
function creditAfter(xen: Xen, domid: DomId, vcpu: number, now: Ns): number {
  const rows = xen.sched.vcpu.of(domid)!;
  const base = xen.sched.scale.of(0)!.base.at(0);
  // Another pCPU's clock may be behind the one that this slice began by.
  const left = rows.credit.at(vcpu) + base - burn(Math.max(0, now - rows.entry_ns.at(vcpu)), xen.weight(domid));
  return Math.min(Math.max(left, MIN_CREDIT), MAX_CREDIT) - base;
}

function allowed(xen: Xen, id: number, cpu: number): boolean {
  const mask = xen.sched.vcpu.of(domidOf(id))!.affinity.at(vcpuOf(id));
  return mask === 0 || (cpu < AFFINITY_BITS && ((mask >>> cpu) & 1) === 1);
}
