// Which pCPUs there are, as the platform sees them.
import type { Xen } from '../xen.ts';

/** The highest number that a pCPU has. */
export function lastCpu(xen: Xen): number {
  let last = -1;
  for (const [cpu] of xen.sched.pcpu.inUse(0)) last = cpu;
  return last;
}
export function isOnline(xen: Xen, cpu: number): boolean {
  const state: string = cpu < 0 ? 'none' : xen.sched.pcpu.of(0)!.state.is(cpu);
  return state !== 'none' && state !== 'offline' && state !== undefined;
}
