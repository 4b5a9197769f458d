// The five schedulers by name, and the one of a pool, a domain, a pCPU.
import type { DomId } from '../../../events/units.ts';
import type { Xen } from '../xen.ts';
import { arinc653 } from './arinc653.ts';
import { credit } from './credit.ts';
import { credit2 } from './credit2.ts';
import { nullScheduler } from './null.ts';
import { rtds } from './rtds.ts';
import type { Scheduler } from './scheduler.ts';
import type { SchedulerName } from './state.ts';

export const schedulers: Readonly<Record<SchedulerName, Scheduler>> = { credit, credit2, arinc653, rtds, null: nullScheduler };

export function schedulerOf(xen: Xen, pool: number): Scheduler {
  const kind = xen.sched.kindOf(pool);
  return schedulers[kind === 'none' ? 'credit2' : kind];
}
export const schedulerOfDomain = (xen: Xen, domid: DomId): Scheduler => schedulerOf(xen, xen.poolOf(domid));
export const schedulerOfCpu = (xen: Xen, cpu: number): Scheduler => schedulerOf(xen, xen.sched.pcpu.of(0)!.pool.at(cpu));

/** The name of a scheduler by its number, or undefined. */
export const schedulerById = (sched_id: number): SchedulerName | undefined =>
  (Object.keys(schedulers) as SchedulerName[]).find((name) => schedulers[name].sched_id === sched_id);
