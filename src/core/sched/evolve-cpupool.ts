import type { CpupoolFact } from '../../../events/vocabulary.ts';
import type { Xen } from '../xen.ts';
import { changePool } from './evolve-domain.ts';
import { dequeue, enqueue, requeue } from './queues.ts';
import type { SchedulerName } from './state.ts';
import { vcpuId } from './state.ts';

/** Applies a fact to pools and pCPUs. Total. */
export function evolveCpupool(xen: Xen, event: CpupoolFact): void {
  const { sched } = xen;
  const pools = sched.pools.of(0)!;
  const cpus = sched.pcpu.of(0)!;
  switch (event.type) {
    case 'cpupool.created':
      pools.state.become(event.pool, 'present');
      pools.cpupool_id.put(event.pool, event.cpupool_id);
      pools.sched.become(event.pool, event.sched as SchedulerName);
      return;
    case 'cpupool.destroyed': {
      const rows = pools as unknown as Record<string, { put(row: number, value: number): void }>;
      for (const column of Object.keys(sched.pools.schema)) rows[column]!.put(event.pool, 0);
      sched.frames.remove(event.pool);
      sched.weights.remove(event.pool);
      return;
    }
    case 'cpupool.cpu_added':
      requeue(xen, event.pool, () => {
        cpus.pool.put(event.cpu, event.pool);
        cpus.free.put(event.cpu, 0);
        cpus.runqueue.put(event.cpu, event.runqueue);
      });
      cpus.local_ns.put(event.cpu, Math.max(event.at_ns, cpus.local_ns.at(event.cpu)));
      return;
    case 'cpupool.cpu_removed':
      requeue(xen, event.pool, () => {
        cpus.free.put(event.cpu, 1);
      });
      cpus.pool.put(event.cpu, 0);
      cpus.runqueue.put(event.cpu, 0);
      cpus.relieved.put(event.cpu, 0);
      cpus.tickled_for.put(event.cpu, 0);
      return;
    case 'cpupool.domain_moved': {
      const { domid } = event;
      const rows = sched.vcpu.of(domid)!;
      const waiting = [...sched.vcpu.inUse(domid)].filter(([, { runstate }]) => runstate === 'runnable').map(([vcpu]) => vcpu);
      for (const vcpu of waiting) dequeue(xen, vcpuId(domid, vcpu));
      changePool(xen, domid, event.pool);
      for (const [vcpu] of sched.vcpu.inUse(domid))
        for (const cell of [rows.rank, rows.deadline_ns, rows.tickled, rows.budget, rows.overridden]) cell.put(vcpu, 0);
      for (const vcpu of waiting) enqueue(xen, vcpuId(domid, vcpu));
      return;
    }
    case 'pcpu.brought_down':
      cpus.state.become(event.cpu, 'offline');
      cpus.free.put(event.cpu, 1);
      cpus.away_since.put(event.cpu, event.at_ns);
      return;
    case 'pcpu.brought_up':
      cpus.state.become(event.cpu, 'idle');
      cpus.away_ns.add(event.cpu, Math.max(0, event.at_ns - cpus.away_since.at(event.cpu)));
      cpus.away_since.put(event.cpu, 0);
      cpus.local_ns.put(event.cpu, Math.max(event.at_ns, cpus.local_ns.at(event.cpu)));
      return;
    default:
      event satisfies never;
  }
}
