// Questions about pCPUs that several schedulers ask.
import type { Ns } from '../../../events/units.ts';
import type { Fact } from '../../../events/vocabulary.ts';
import type { Xen } from '../xen.ts';
import type { Tickled } from './scheduler.ts';
import { domidOf, vcpuId, vcpuOf } from './state.ts';
import { socketOf } from './topology.ts';

/** Whether a pCPU has nothing to do at a moment: nobody runs, and it has not come further than that. */
export function isIdle({ sched }: Xen, cpu: number, now: Ns): boolean {
  const cpus = sched.pcpu.of(0)!;
  return cpus.state.is(cpu) === 'idle' && cpus.local_ns.at(cpu) <= now;
}
/** Whether it has been told to look for work and has not done so yet. */
export function isTickled({ sched }: Xen, cpu: number, tickled: Tickled): boolean {
  if (tickled.has(cpu)) return true;
  const id = sched.pcpu.of(0)!.tickled_for.at(cpu) - 1;
  return id >= 0 && sched.vcpu.of(domidOf(id))?.runstate.is(vcpuOf(id)) === 'runnable';
}
/** Whether a pCPU may take a vCPU that waits: not where another has been told to. */
export function mayTake({ sched }: Xen, cpu: number, id: number): boolean {
  const told = sched.vcpu.of(domidOf(id))!.tickled.at(vcpuOf(id)) - 1;
  return told < 0 || told === cpu || sched.pcpu.of(0)!.tickled_for.at(told) !== id + 1;
}

/** The vCPU that a pCPU runs, as a number; undefined where it runs none. */
export function current({ sched }: Xen, cpu: number): number | undefined {
  const cpus = sched.pcpu.of(0)!;
  return cpus.state.is(cpu) === 'running' ? vcpuId(cpus.domid.at(cpu), cpus.vcpu.at(cpu)) : undefined;
}
/** The vCPU that has just been taken off a pCPU and waits there, as a number. */
export function relieved({ sched }: Xen, cpu: number): number | undefined {
  const cpus = sched.pcpu.of(0)!;
  if (cpus.relieved.at(cpu) === 0) return undefined;
  const domid = cpus.domid.at(cpu);
  const vcpu = cpus.vcpu.at(cpu);
  const rows = sched.vcpu.of(domid);
  const waits = rows !== undefined && rows.runstate.is(vcpu) === 'runnable' && rows.cpu.at(vcpu) === cpu;
  return waits && rows.runqueue.at(vcpu) === cpus.runqueue.at(cpu) ? vcpuId(domid, vcpu) : undefined;
}

/** The first that passes from `from` on, round the host (cpumask_test_or_cycle()). */
export function cycle({ sched }: Xen, from: number, passes: (cpu: number) => boolean): number | undefined {
  for (let i = 0; i < sched.nrCpus; i++) {
    const cpu = (from + i) % sched.nrCpus;
    if (passes(cpu)) return cpu;
  }
  return undefined;
}
/** Whether all threads of a pCPU's core pass. */
export function wholeCore({ sched }: Xen, cpu: number, passes: (cpu: number) => boolean): boolean {
  const { threads_per_core } = sched.topology;
  if (threads_per_core === 1) return true;
  const first = cpu - (cpu % threads_per_core);
  for (let other = first; other < first + threads_per_core; other++) if (sched.isCpu(other) && !passes(other)) return false;
  return true;
}
export const sameSocket = ({ sched }: Xen, a: number, b: number): boolean =>
  socketOf(sched.topology, a) === socketOf(sched.topology, b);

/** Tells a pCPU to look for work because of a vCPU. */
export function tickle(cpu: number, id: number, tickled: Tickled): Fact {
  tickled.add(cpu);
  return { type: 'sched.tickled', cpu, domid: domidOf(id), vcpu: vcpuOf(id) };
}
