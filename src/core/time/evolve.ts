import type { TimeFact } from '../../../events/vocabulary.ts';
import type { Xen } from '../xen.ts';

/** Applies a fact to the clocks. Total. */
export function evolve(xen: Xen, event: TimeFact): void {
  const row = xen.domain.of(0)!;
  switch (event.type) {
    case 'domain.time_offset_set':
      row.time_offset_s.put(event.domid, event.seconds);
      return;
    case 'domain.tsc_set':
      row.tsc_mode.become(event.domid, event.mode);
      row.vtsc.put(event.domid, event.vtsc ? 1 : 0);
      row.tsc_offset_ns.put(event.domid, event.offset_ns);
      row.tsc_khz.put(event.domid, event.khz);
      row.tsc_incarnation_plus_1.put(event.domid, event.incarnation + 1);
      return;
    case 'time.wallclock_set': {
      const wallclock = xen.clock.wallclock.of(0)!;
      wallclock.sec.put(0, event.sec);
      wallclock.nsec.put(0, event.nsec);
      return;
    }
    default:
      event satisfies never;
  }
}
