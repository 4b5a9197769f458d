import type { DomId, Ns } from '../../../events/units.ts';
import type { SchedFact } from '../../../events/vocabulary.ts';
import type { Xen } from '../xen.ts';
import { MAX_CREDIT } from './credit.ts';
import { AFFINITY_BITS, type Vcpus, vcpuId } from './state.ts';

/** Applies a fact to vCPUs, pCPUs and the run queue. Total; the only writer of when a vCPU runs. */
export function evolve(xen: Xen, event: SchedFact, seq: number): void {
  const { sched } = xen;
  switch (event.type) {
    case 'vcpu.woken': {
      const rows = sched.vcpu.of(event.domid)!;
      rows.blocked.put(event.vcpu, 0);
      const polls = sched.polls.of(event.domid);
      polls?.state.become(event.vcpu, 'none');
      polls?.port.put(event.vcpu, 0);
      rows.woken_by.put(event.vcpu, seq);
      settle(xen, event.domid, event.vcpu, event.at_ns);
      return;
    }
    case 'vcpu.scheduled': {
      const { domid, vcpu, cpu, at_ns } = event;
      const rows = sched.vcpu.of(domid)!;
      sched.runqueue.remove(vcpuId(domid, vcpu));
      enter(rows, vcpu, 'running', at_ns);
      rows.cpu.put(vcpu, cpu);
      rows.until_ns.put(vcpu, event.until_ns);
      rows.credit.put(vcpu, event.credit);
      const cpus = sched.pcpu.of(0)!;
      cpus.state.become(cpu, 'running');
      cpus.domid.put(cpu, domid);
      cpus.vcpu.put(cpu, vcpu);
      cpus.local_ns.put(cpu, at_ns);
      return;
    }
    case 'vcpu.blocked': {
      const rows = sched.vcpu.of(event.domid)!;
      rows.blocked.put(event.vcpu, 1);
      rows.credit.put(event.vcpu, event.credit);
      settle(xen, event.domid, event.vcpu, event.at_ns);
      return;
    }
    case 'vcpu.preempted': {
      const rows = sched.vcpu.of(event.domid)!;
      rows.credit.put(event.vcpu, event.credit);
      rows.woken_by.put(event.vcpu, seq);
      leaveCpu(xen, rows, event.vcpu, event.at_ns);
      enter(rows, event.vcpu, 'runnable', event.at_ns);
      sched.runqueue.push(vcpuId(event.domid, event.vcpu));
      return;
    }
    case 'vcpu.paused':
    case 'vcpu.unpaused': {
      const rows = sched.vcpu.of(event.domid)!;
      rows.pauses.add(event.vcpu, event.type === 'vcpu.paused' ? 1 : -1);
      rows.woken_by.put(event.vcpu, seq);
      settle(xen, event.domid, event.vcpu, event.at_ns);
      return;
    }
    case 'vcpu.detached': {
      const rows = sched.vcpu.of(event.domid)!;
      rows.detached.put(event.vcpu, 1);
      settle(xen, event.domid, event.vcpu, event.at_ns);
      return;
    }
    case 'vcpu.charged':
      sched.vcpu.of(event.domid)!.time_running.add(event.vcpu, event.ran_ns);
      return;
    case 'sched.credits_reset':
      sched.scale.of(0)!.base.add(0, event.added);
      return;
    case 'vcpu.affinity_set': {
      let mask = 0;
      for (const cpu of event.cpus) if (cpu >= 0 && cpu < AFFINITY_BITS) mask |= 1 << cpu;
      sched.vcpu.of(event.domid)!.affinity.put(event.vcpu, mask >>> 0);
      return;
    }
    case 'vcpu.polling_started': {
      const polls = sched.polls.of(event.domid) ?? sched.polls.add(event.domid);
      polls.state.become(event.vcpu, 'polling');
      polls.port.put(event.vcpu, event.port);
      return;
    }
    case 'domain.weight_set':
      xen.domain.of(0)!.weight.put(event.domid, event.weight);
      return;
    default:
      event satisfies never;
  }
}

/** Brings the runstate in line with the flags, as vcpu_sleep() and vcpu_wake() do (xen/common/sched/core.c). */
export function settle(xen: Xen, domid: DomId, vcpu: number, at: Ns): void {
  const { sched } = xen;
  const rows = sched.vcpu.of(domid)!;
  const now = rows.runstate.is(vcpu);
  const canRun = rows.up.at(vcpu) === 1 && rows.blocked.at(vcpu) === 0 && rows.pauses.at(vcpu) === 0;
  if (canRun && rows.detached.at(vcpu) === 1) {
    if (now === 'runnable') sched.runqueue.remove(vcpuId(domid, vcpu));
    if (now !== 'running') enter(rows, vcpu, 'running', at);
    return;
  }
  if (canRun) {
    if (now === 'running' || now === 'runnable') return;
    enter(rows, vcpu, 'runnable', at);
    // However often the others started again while it slept, it keeps no more than anybody may.
    rows.credit.put(vcpu, Math.min(rows.credit.at(vcpu), MAX_CREDIT - sched.scale.of(0)!.base.at(0)));
    sched.runqueue.push(vcpuId(domid, vcpu));
    return;
  }
  if (now === 'running' && rows.detached.at(vcpu) === 0) leaveCpu(xen, rows, vcpu, at);
  if (now === 'runnable') sched.runqueue.remove(vcpuId(domid, vcpu));
  const wanted = rows.blocked.at(vcpu) === 1 ? 'blocked' : 'offline';
  if (now !== wanted) enter(rows, vcpu, wanted, at);
}

function leaveCpu(xen: Xen, rows: Vcpus, vcpu: number, at: Ns): void {
  const cpus = xen.sched.pcpu.of(0)!;
  const cpu = rows.cpu.at(vcpu);
  cpus.state.become(cpu, 'idle');
  cpus.local_ns.put(cpu, at);
}

function enter(rows: Vcpus, vcpu: number, runstate: 'running' | 'runnable' | 'blocked' | 'offline', at: Ns): void {
  const spent = Math.max(0, at - rows.entry_ns.at(vcpu));
  switch (rows.runstate.is(vcpu)) {
    case 'running':
      if (rows.detached.at(vcpu) === 0) rows.time_running.add(vcpu, spent); // or `vcpu.charged` has
      break;
    case 'runnable':
      rows.time_runnable.add(vcpu, spent);
      break;
    case 'blocked':
      rows.time_blocked.add(vcpu, spent);
      break;
    case 'offline':
      rows.time_offline.add(vcpu, spent);
      break;
    case 'none':
      break;
  }
  rows.runstate.become(vcpu, runstate);
  // Whoever wakes it may be behind, on a pCPU that has not come so far: a vCPU's own time does not go back.
  rows.entry_ns.put(vcpu, Math.max(at, rows.entry_ns.at(vcpu)));
}
