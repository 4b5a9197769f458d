// credit2, reduced to one run queue: who runs next, for how long, and what it costs.
import { accept, refuse } from '../../../events/step.ts';
import type { DomId, Ns } from '../../../events/units.ts';
import type { Fact, GuestReader, Outcome, SchedCommand } from '../../../events/vocabulary.ts';
import type { Xen } from '../xen.ts';
import { isPrivileged } from '../xsm.ts';
import { burn, CREDIT_INIT, MAX_WEIGHT, timeToBurn } from './credit.ts';
import { domidOf, vcpuOf } from './state.ts';

export function decide(xen: Xen, command: SchedCommand, now: Ns, guest: GuestReader): Outcome {
  switch (command.type) {
    case 'sched.schedule':
      return schedule(xen, command.cpu, now);
    case 'sched.block': {
      const { domid, vcpu } = command;
      if (xen.sched.vcpu.of(domid)?.runstate.is(vcpu) !== 'running') return refuse('EINVAL');
      // An event that came in the meantime: as in Xen, the vCPU goes on (vcpu_block() in xen/common/sched/core.c).
      if (xen.upcallPending(domid, vcpu, guest)) return accept({ blocked: 0 });
      return accept({ blocked: 1 }, { type: 'vcpu.blocked', domid, vcpu, at_ns: now, credit: creditAfter(xen, domid, vcpu, now) });
    }
    case 'sched.yield':
    case 'sched.preempt': {
      const { domid, vcpu } = command;
      if (xen.sched.vcpu.of(domid)?.runstate.is(vcpu) !== 'running') return refuse('EINVAL');
      return accept({}, { type: 'vcpu.preempted', domid, vcpu, at_ns: now, credit: creditAfter(xen, domid, vcpu, now) });
    }
    case 'sched.charge': {
      const { domid, vcpu, ran_ns } = command;
      if (xen.sched.vcpu.of(domid) === undefined) return refuse('ESRCH');
      return accept({}, { type: 'vcpu.charged', domid, vcpu, ran_ns });
    }
    case 'sched.detach': {
      const { domid, vcpu } = command;
      if (!isPrivileged(domid)) return refuse('EPERM');
      if (!xen.hasVcpu(domid, vcpu)) return refuse('ENOENT');
      return accept({}, { type: 'vcpu.detached', domid, vcpu, at_ns: now });
    }
    case 'domctl.setvcpuaffinity': {
      if (!isPrivileged(command.domid)) return refuse('EPERM');
      const rows = xen.sched.vcpu.of(command.domain);
      if (!rows) return refuse('ESRCH');
      const { domain, vcpu, cpus } = command;
      const { state } = xen.sched.pcpu.of(0)!;
      if (rows.runstate.is(vcpu) === 'none' || !cpus.some((cpu) => state.is(cpu) !== 'none')) return refuse('EINVAL');
      return accept({}, { type: 'vcpu.affinity_set', domid: domain, vcpu, cpus });
    }
    case 'domctl.scheduler_op': {
      if (!isPrivileged(command.domid)) return refuse('EPERM');
      if (!xen.exists(command.domain)) return refuse('ESRCH');
      if (command.weight < 1 || command.weight > MAX_WEIGHT) return refuse('EINVAL');
      return accept({}, { type: 'domain.weight_set', domid: command.domain, weight: command.weight });
    }
    default:
      return command satisfies never;
  }
}

/** What an event to a blocked vCPU leads to besides the event itself. */
export function wake(xen: Xen, domid: DomId, vcpu: number, now: Ns): Fact[] {
  return xen.sched.vcpu.of(domid)?.blocked.at(vcpu) === 1 ? [{ type: 'vcpu.woken', domid, vcpu, at_ns: now }] : [];
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
  const base = scale.of(0)!.base.at(0);
  const stored = vcpus.of(domid)!.credit.at(vcpu);
  // Out of credit means that everybody is, for the richest runs first: all start again.
  const resets = stored + base <= 0 ? Math.floor(-(stored + base) / CREDIT_INIT) + 1 : 0;
  const rival = runqueue.find((id) => id !== next && allowed(xen, id, cpu));
  const lead = rival === undefined ? CREDIT_INIT : stored - vcpus.of(domidOf(rival))!.credit.at(vcpuOf(rival));
  const until_ns = now + timeToBurn(lead, xen.weight(domid));
  const scheduled: Fact = { type: 'vcpu.scheduled', domid, vcpu, cpu, at_ns: now, until_ns, credit: stored };
  const reset: Fact[] = resets > 0 ? [{ type: 'sched.credits_reset', added: resets * CREDIT_INIT }] : [];
  return accept({ domid, vcpu, until_ns }, ...reset, scheduled);
}

/** What it has left after running until now; never more than a fresh start, however long the others slept. */
function creditAfter(xen: Xen, domid: DomId, vcpu: number, now: Ns): number {
  const rows = xen.sched.vcpu.of(domid)!;
  const left = rows.credit.at(vcpu) - burn(now - rows.entry_ns.at(vcpu), xen.weight(domid));
  return Math.min(left, CREDIT_INIT - xen.sched.scale.of(0)!.base.at(0));
}

function allowed(xen: Xen, id: number, cpu: number): boolean {
  const mask = xen.sched.vcpu.of(domidOf(id))!.affinity.at(vcpuOf(id));
  return mask === 0 || ((mask >>> cpu) & 1) === 1;
}
