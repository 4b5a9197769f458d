import type { TraceFact } from '../../../events/vocabulary.ts';
import type { Xen } from '../xen.ts';
import { TRC_ALL } from './state.ts';

/** Applies a fact to the trace buffers. Total. */
export function evolve(xen: Xen, event: TraceFact): void {
  const row = xen.trace.row.of(0)!;
  switch (event.type) {
    case 'trace.buffers_allocated': {
      const { pages, cpus, info, buffers } = event;
      for (const extents of [info, buffers])
        for (let i = 0; i < extents.length; i += 2) xen.p2m.take(extents[i]!, extents[i + 1]!);
      const without = xen.trace.placed.get(0)?.without ?? [];
      xen.trace.placed.set(0, { cpus, info: [...info], buffers: [...buffers], without });
      row.pages.put(0, pages);
      row.enabled.put(0, 1);
      return;
    }
    case 'trace.mask_set':
      row.mask.put(0, (event.evt_mask ^ TRC_ALL) >>> 0);
      return;
    case 'trace.cpus_set': {
      const without: number[] = [];
      for (const [cpu] of xen.sched.pcpu.inUse(0)) if (!event.cpus.includes(cpu)) without.push(cpu);
      const { cpus, info, buffers } = xen.trace.placed.get(0) ?? { cpus: 0, info: [], buffers: [] };
      xen.trace.placed.set(0, { cpus, info, buffers, without });
      return;
    }
    case 'trace.enabled':
      row.enabled.put(0, event.enabled ? 1 : 0);
      return;
    case 'trace.highwater_passed':
      xen.trace.levels.of(0)!.above.put(event.cpu, event.above ? 1 : 0);
      return;
    case 'trace.hypercall_made':
    case 'trace.guest_recorded':
    case 'trace.reservation_decreased':
      return; // records, and nothing else
    default:
      event satisfies never;
  }
}
