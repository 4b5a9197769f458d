import type { PhysdevFact } from '../../../events/vocabulary.ts';
import type { Xen } from '../xen.ts';
import { MASKED } from './state.ts';

/** Applies a fact to what domains may do with the machine's interrupts, and to its devices. Total. */
export function evolve(xen: Xen, event: PhysdevFact): void {
  const pci = xen.physdev.pci.of(0)!;
  switch (event.type) {
    case 'physdev.pirq_mapped':
      pirqs(xen, event.domid).state.become(event.pirq, 'mapped');
      return;
    case 'physdev.pirq_unmapped':
      pirqs(xen, event.domid).state.become(event.pirq, 'none');
      return;
    case 'physdev.pirq_allocated':
      pirqs(xen, event.domid).state.become(event.pirq, 'allocated');
      return;
    case 'physdev.iopl_set':
      vcpus(xen, event.domid).iopl.put(event.vcpu, event.iopl);
      return;
    case 'physdev.iobitmap_set':
      vcpus(xen, event.domid).iobmp_limit.put(event.vcpu, event.nr_ports);
      return;
    case 'physdev.device_added': {
      let row = 0;
      while (pci.state.at(row) !== 0) row++;
      pci.state.become(row, 'assigned');
      pci.sbdf.put(row, event.sbdf);
      pci.is_extfn.put(row, event.is_extfn ? 1 : 0);
      pci.is_virtfn.put(row, event.is_virtfn ? 1 : 0);
      pci.physfn.put(row, event.physfn);
      return;
    }
    case 'physdev.device_removed': {
      const row = xen.physdev.find(event.sbdf);
      for (const cell of [pci.state, pci.sbdf, pci.domid, pci.is_extfn, pci.is_virtfn, pci.physfn, pci.msix_prepared])
        cell.put(row, 0);
      return;
    }
    case 'physdev.device_assigned': {
      const row = xen.physdev.find(event.sbdf);
      pci.state.become(row, event.quarantined ? 'quarantined' : 'assigned');
      pci.domid.put(row, event.domid);
      return;
    }
    case 'physdev.msix_prepared':
      pci.msix_prepared.put(xen.physdev.find(event.sbdf), event.prepared ? 1 : 0);
      return;
    case 'physdev.gsi_registered':
      xen.physdev.gsi.of(0)!.state.become(event.gsi, 'registered');
      xen.physdev.gsi.of(0)!.mode.put(event.gsi, event.triggering | (event.polarity << 1));
      return;
    case 'physdev.eoi_map_set':
      xen.control.row.pirq_eoi_mfn_plus_1.put(event.domid, event.mfn + 1);
      if (event.auto_unmask) xen.control.row.auto_unmask.put(event.domid, 1);
      return;
    case 'physdev.apic_written':
      xen.physdev.ioapic.of(0)!.unmasked.put(event.reg, (event.value ^ MASKED) >>> 0);
      return;
    default:
      event satisfies never;
  }
}

const pirqs = (xen: Xen, domid: number) => xen.evtchn.pirqs.of(domid) ?? xen.evtchn.pirqs.add(domid);
const vcpus = (xen: Xen, domid: number) => xen.control.vcpus.of(domid) ?? xen.control.vcpus.add(domid);
