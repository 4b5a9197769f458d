// physdev_op (public/physdev.h): interrupts and devices of the machine, for those domains that may use them.
import { bool, int, operation, text } from './schema.ts';

export const operations = {
  /** Gives a domain the right to bind a physical interrupt (public/physdev.h); here the two have one number. */
  'physdev.map_pirq': operation({ domid: int, dom: int, pirq: int }, { pirq: int }),
  'physdev.unmap_pirq': operation({ domid: int, dom: int, pirq: int }),
  'physdev.eoi': operation({ domid: int, irq: int }),
  /** `flags` are XENIRQSTAT_*. */
  'physdev.irq_status_query': operation({ domid: int, irq: int }, { flags: int }),
  'physdev.set_iopl': operation({ domid: int, vcpu: int, iopl: int }),
  /** `mapped` says whether all of the bitmap could be there: its address is the kernel's own. */
  'physdev.set_iobitmap': operation({ domid: int, vcpu: int, nr_ports: int, mapped: bool }),
  /** `apic_physbase` in hexadecimal; `reg` is the number of a register of the IO-APIC. */
  'physdev.apic_read': operation({ domid: int, apic_physbase: text, reg: int }, { value: int }),
  'physdev.apic_write': operation({ domid: int, apic_physbase: text, reg: int, value: int }),
  'physdev.alloc_irq_vector': operation({ domid: int, irq: int }, { vector: int }),
  'physdev.free_irq_vector': operation({ domid: int, irq: int }),
  'physdev.manage_pci_add': operation({ domid: int, bus: int, devfn: int }),
  'physdev.manage_pci_remove': operation({ domid: int, bus: int, devfn: int }),
  'physdev.pirq_eoi_gmfn_v1': operation({ domid: int, gmfn: int }),
  'physdev.restore_msi': operation({ domid: int, bus: int, devfn: int }),
  'physdev.manage_pci_add_ext': operation({
    domid: int,
    bus: int,
    devfn: int,
    is_extfn: int,
    is_virtfn: int,
    physfn_bus: int,
    physfn_devfn: int,
  }),
  /** `triggering` 0 edge, 1 level; `polarity` 0 high, 1 low. */
  'physdev.setup_gsi': operation({ domid: int, gsi: int, triggering: int, polarity: int }),
  /** `type` is MAP_PIRQ_TYPE_*. */
  'physdev.get_free_pirq': operation({ domid: int, pirq_type: int }, { pirq: int }),
  'physdev.pci_mmcfg_reserved': operation({ domid: int, address: text, segment: int, start_bus: int, end_bus: int, flags: int }),
  /** `flags` are XEN_PCI_DEV_*. */
  'physdev.pci_device_add': operation({
    domid: int,
    seg: int,
    bus: int,
    devfn: int,
    flags: int,
    physfn_bus: int,
    physfn_devfn: int,
  }),
  'physdev.pci_device_remove': operation({ domid: int, seg: int, bus: int, devfn: int }),
  'physdev.restore_msi_ext': operation({ domid: int, seg: int, bus: int, devfn: int }),
  'physdev.pirq_eoi_gmfn_v2': operation({ domid: int, gmfn: int }),
  /** `op` is PHYSDEVOP_DBGP_*, `bus` what kind of bus the port is on. */
  'physdev.dbgp_op': operation({ domid: int, op: int, bus: int }),
  'physdev.prepare_msix': operation({ domid: int, seg: int, bus: int, devfn: int }),
  'physdev.release_msix': operation({ domid: int, seg: int, bus: int, devfn: int }),
} as const;

export const facts = {
  'physdev.pirq_mapped': { domid: int, pirq: int },
  'physdev.pirq_unmapped': { domid: int, pirq: int },
  'physdev.iopl_set': { domid: int, vcpu: int, iopl: int },
  'physdev.iobitmap_set': { domid: int, vcpu: int, nr_ports: int },
  /** `sbdf` is segment << 16 | bus << 8 | devfn; `physfn` that of the device of which this is a virtual function. */
  'physdev.device_added': { sbdf: int, is_extfn: bool, is_virtfn: bool, physfn: int },
  'physdev.device_removed': { sbdf: int },
  /** It belongs to this domain from now on, or to nobody while `quarantined`. */
  'physdev.device_assigned': { domid: int, sbdf: int, quarantined: bool },
  'physdev.msix_prepared': { sbdf: int, prepared: bool },
  'physdev.gsi_registered': { gsi: int, triggering: int, polarity: int },
  'physdev.pirq_allocated': { domid: int, pirq: int },
  'physdev.eoi_map_set': { domid: int, mfn: int, auto_unmask: bool },
  /** The lower half of a redirection entry of the IO-APIC. */
  'physdev.apic_written': { reg: int, value: int },
} as const;
