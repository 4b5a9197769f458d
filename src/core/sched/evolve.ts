import type { DomId, Ns } from '../../../events/units.ts';
import type { SchedFact } from '../../../events/vocabulary.ts';
import type { Xen } from '../xen.ts';
import { loadAt, MAX_CREDIT } from './credit2-arithmetic.ts';
import { evolveDomain } from './evolve-domain.ts';
import { isInHard, savedMask, writeMask } from './masks.ts';
import { dequeue, enqueue, whileOut } from './queues.ts';
import { placeOfTimer, timerItem, type Vcpus, vcpuId } from './state.ts';

/** Applies a fact to vCPUs, pCPUs and the run queues. Total; with the files beside it the only writer of when a vCPU runs. */
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
      dequeue(xen, vcpuId(domid, vcpu));
      enter(xen, rows, vcpu, 'running', at_ns);
      rows.cpu.put(vcpu, cpu);
      rows.until_ns.put(vcpu, event.until_ns);
      rows.credit.put(vcpu, event.credit);
      rows.tickled.put(vcpu, 0);
      const cpus = sched.pcpu.of(0)!;
      cpus.state.become(cpu, 'running');
      cpus.domid.put(cpu, domid);
      cpus.vcpu.put(cpu, vcpu);
      cpus.local_ns.put(cpu, at_ns);
      cpus.tickled_for.put(cpu, 0);
      cpus.relieved.put(cpu, 0);
      return;
    }
    case 'vcpu.blocked': {
      const rows = sched.vcpu.of(event.domid)!;
      rows.blocked.put(event.vcpu, 1);
      rows.credit.put(event.vcpu, event.credit);
      busy(xen, rows, event);
      settle(xen, event.domid, event.vcpu, event.at_ns);
      return;
    }
    case 'vcpu.preempted': {
      const rows = sched.vcpu.of(event.domid)!;
      rows.credit.put(event.vcpu, event.credit);
      rows.woken_by.put(event.vcpu, seq);
      busy(xen, rows, event);
      leaveCpu(xen, rows, event.vcpu, event.at_ns);
      // Logs from before there were tickles say nothing of that.
      if (event.yielded !== undefined) sched.pcpu.of(0)!.relieved.put(rows.cpu.at(event.vcpu), 1 + event.yielded);
      enter(xen, rows, event.vcpu, 'runnable', event.at_ns);
      enqueue(xen, vcpuId(event.domid, event.vcpu));
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
    case 'vcpu.parked':
    case 'vcpu.unparked': {
      const rows = sched.vcpu.of(event.domid)!;
      rows.parked.put(event.vcpu, event.type === 'vcpu.parked' ? 1 : 0);
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
      sched.scale.of(0)!.base.add(event.runqueue ?? 0, event.added);
      return;
    case 'sched.tickled':
      sched.pcpu.of(0)!.tickled_for.put(event.cpu, vcpuId(event.domid, event.vcpu) + 1);
      sched.vcpu.of(event.domid)!.tickled.put(event.vcpu, event.cpu + 1);
      return;
    case 'vcpu.moved': {
      const { domid, vcpu } = event;
      const rows = sched.vcpu.of(domid)!;
      whileOut(xen, domid, vcpu, () => {
        load(xen, rows, vcpu, -1, event.at_ns);
        rows.cpu.put(vcpu, event.cpu);
        rows.runqueue.put(vcpu, event.runqueue);
        rows.credit.put(vcpu, event.credit);
        rows.tickled.put(vcpu, 0);
        load(xen, rows, vcpu, 1, event.at_ns);
      });
      return;
    }
    case 'vcpu.affinity_set': {
      const { domid, vcpu, cpus } = event;
      whileOut(xen, domid, vcpu, () => {
        sched.vcpu.of(domid)!.hard.put(vcpu, writeMask(sched, domid, vcpu, 'hard', cpus) ? 1 : 0);
      });
      return;
    }
    case 'vcpu.soft_affinity_set':
      sched.vcpu.of(event.domid)!.soft.put(event.vcpu, writeMask(sched, event.domid, event.vcpu, 'soft', event.cpus) ? 1 : 0);
      return;
    case 'vcpu.affinity_overridden': {
      const { domid, vcpu, cpu } = event;
      const rows = sched.vcpu.of(domid)!;
      whileOut(xen, domid, vcpu, () => {
        const before = Array.from({ length: sched.nrCpus }, (_, one) => one).filter((one) => isInHard(xen, domid, vcpu, one));
        writeMask(sched, domid, vcpu, 'saved', rows.hard.at(vcpu) === 1 ? before : []);
        rows.hard.put(vcpu, writeMask(sched, domid, vcpu, 'hard', [cpu]) ? 1 : 0);
        rows.overridden.put(vcpu, 1);
      });
      return;
    }
    case 'vcpu.affinity_restored': {
      const { domid, vcpu } = event;
      const rows = sched.vcpu.of(domid)!;
      whileOut(xen, domid, vcpu, () => {
        const saved = savedMask(sched, domid, vcpu);
        rows.hard.put(vcpu, saved.length > 0 ? 1 : 0);
        writeMask(sched, domid, vcpu, 'hard', saved.length > 0 ? saved : everyCpu(xen));
        writeMask(sched, domid, vcpu, 'saved', everyCpu(xen));
        rows.overridden.put(vcpu, 0);
      });
      return;
    }
    case 'vcpu.polling_started': {
      const polls = sched.polls.of(event.domid) ?? sched.polls.add(event.domid);
      polls.state.become(event.vcpu, 'polling');
      polls.port.put(event.vcpu, event.port);
      return;
    }
    case 'sched.timer_set':
    case 'sched.timer_stopped': {
      const item = timerItem(event.kind, event.id);
      const { owner, row } = placeOfTimer(item);
      const rows = sched.timers.of(owner) ?? sched.timers.add(owner);
      sched.due.remove(item);
      const isSet = event.type === 'sched.timer_set';
      rows.state.become(row, isSet ? 'armed' : 'off');
      rows.deadline_ns.put(row, isSet ? event.deadline_ns : 0);
      rows.armed_by.put(row, isSet ? seq : 0);
      if (isSet) sched.due.push(item);
      return;
    }
    default:
      evolveDomain(xen, event);
  }
}

/** Brings the runstate in line with the flags, as vcpu_sleep() and vcpu_wake() do (xen/common/sched/core.c). */
export function settle(xen: Xen, domid: DomId, vcpu: number, at: Ns): void {
  const { sched } = xen;
  const rows = sched.vcpu.of(domid)!;
  const now = rows.runstate.is(vcpu);
  const canRun =
    rows.up.at(vcpu) === 1 && rows.blocked.at(vcpu) === 0 && rows.pauses.at(vcpu) === 0 && rows.parked.at(vcpu) === 0;
  if (canRun && rows.detached.at(vcpu) === 1) {
    if (now === 'runnable') dequeue(xen, vcpuId(domid, vcpu));
    if (now !== 'running') enter(xen, rows, vcpu, 'running', at);
    return;
  }
  if (canRun) {
    if (now === 'running' || now === 'runnable') return;
    enter(xen, rows, vcpu, 'runnable', at);
    // However often the others started again while it slept, it keeps no more than anybody may.
    rows.credit.put(vcpu, Math.min(rows.credit.at(vcpu), MAX_CREDIT - sched.scale.of(0)!.base.at(rows.runqueue.at(vcpu))));
    enqueue(xen, vcpuId(domid, vcpu));
    return;
  }
  if (now === 'running' && rows.detached.at(vcpu) === 0) leaveCpu(xen, rows, vcpu, at);
  if (now === 'runnable') dequeue(xen, vcpuId(domid, vcpu));
  const wanted = rows.blocked.at(vcpu) === 1 ? 'blocked' : 'offline';
  if (now !== wanted) enter(xen, rows, vcpu, wanted, at);
}

function leaveCpu(xen: Xen, rows: Vcpus, vcpu: number, at: Ns): void {
  const cpus = xen.sched.pcpu.of(0)!;
  const cpu = rows.cpu.at(vcpu);
  cpus.state.become(cpu, 'idle');
  cpus.local_ns.put(cpu, at);
}
/** A detached vCPU keeps no pCPU busy, and logs from before said nothing of that. */
function busy({ sched }: Xen, rows: Vcpus, { vcpu, ran_ns }: { readonly vcpu: number; readonly ran_ns: number }): void {
  if (ran_ns > 0 && rows.detached.at(vcpu) === 0) sched.pcpu.of(0)!.busy_ns.add(rows.cpu.at(vcpu), ran_ns);
}

type Runstate = 'running' | 'runnable' | 'blocked' | 'offline';
const isActive = (runstate: string): boolean => runstate === 'running' || runstate === 'runnable';

function enter(xen: Xen, rows: Vcpus, vcpu: number, runstate: Runstate, at: Ns): void {
  const spent = Math.max(0, at - rows.entry_ns.at(vcpu));
  const before = rows.runstate.is(vcpu);
  switch (before) {
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
  const change = (isActive(runstate) ? 1 : 0) - (isActive(before) ? 1 : 0);
  if (change > 0) {
    rows.runstate.become(vcpu, runstate);
    load(xen, rows, vcpu, change, at);
  } else {
    if (change < 0) load(xen, rows, vcpu, change, at);
    rows.runstate.become(vcpu, runstate);
  }
  // Whoever wakes it may be behind, on a pCPU that has not come so far: a vCPU's own time does not go back.
  rows.entry_ns.put(vcpu, Math.max(at, rows.entry_ns.at(vcpu)));
}

/** One more vCPU that runs or wants to in a run queue, or one less, where that matters: under credit2, with more queues than one. */
function load({ sched }: Xen, rows: Vcpus, vcpu: number, change: number, at: Ns): void {
  if (!sched.hasManyQueues || rows.detached.at(vcpu) === 1 || !isActive(rows.runstate.is(vcpu))) return;
  const queues = sched.scale.of(0)!;
  const queue = rows.runqueue.at(vcpu);
  queues.avgload.put(queue, loadAt(queues.avgload.at(queue), queues.load.at(queue), queues.load_ns.at(queue), at));
  queues.load_ns.put(queue, Math.max(at, queues.load_ns.at(queue)));
  queues.load.add(queue, change);
  rows.avgload.put(vcpu, loadAt(rows.avgload.at(vcpu), change > 0 ? 0 : 1, rows.load_ns.at(vcpu), at));
  rows.load_ns.put(vcpu, Math.max(at, rows.load_ns.at(vcpu)));
}

const everyCpu = ({ sched }: Xen): number[] => Array.from({ length: sched.nrCpus }, (_, cpu) => cpu);
