import type { PhysdevFact } from '../../../events/vocabulary.ts';
import type { Xen } from '../xen.ts';

/** Applies a fact to what domains may do with the machine's interrupts. Total. */
export function evolve(xen: Xen, event: PhysdevFact): void {
  const { domid } = event;
  switch (event.type) {
    case 'physdev.pirq_mapped':
    case 'physdev.pirq_unmapped': {
      const pirqs = xen.evtchn.pirqs.of(domid) ?? xen.evtchn.pirqs.add(domid);
      pirqs.state.become(event.pirq, event.type === 'physdev.pirq_mapped' ? 'mapped' : 'none');
      return;
    }
    default:
      event satisfies never;
  }
}
