// The arguments of `physdev_op` (public/physdev.h).
import { domid_t, int32_t, uint8_t, uint16_t, uint32_t, uint64_t, XEN_GUEST_HANDLE, xen_pfn_t, xen_ulong_t } from './scalars.ts';
import { struct, union } from './struct.ts';

export const physdev_eoi = struct('physdev_eoi', { irq: uint32_t });
export const physdev_pirq_eoi_gmfn = struct('physdev_pirq_eoi_gmfn', { gmfn: xen_pfn_t });
export const physdev_irq_status_query = struct('physdev_irq_status_query', { irq: uint32_t, flags: uint32_t });
export const physdev_set_iopl = struct('physdev_set_iopl', { iopl: uint32_t });
/** A bit for each port. */
export const physdev_set_iobitmap = struct('physdev_set_iobitmap', { bitmap: XEN_GUEST_HANDLE, nr_ports: uint32_t });
export const physdev_apic = struct('physdev_apic', { apic_physbase: xen_ulong_t, reg: uint32_t, value: uint32_t });
export const physdev_irq = struct('physdev_irq', { irq: uint32_t, vector: uint32_t });
export const physdev_map_pirq = struct('physdev_map_pirq', {
  domid: domid_t,
  type: int32_t,
  index: int32_t,
  pirq: int32_t,
  bus: int32_t,
  devfn: int32_t,
  entry_nr: int32_t,
  table_base: uint64_t,
});
export const physdev_unmap_pirq = struct('physdev_unmap_pirq', { domid: domid_t, pirq: int32_t });
export const physdev_manage_pci = struct('physdev_manage_pci', { bus: uint8_t, devfn: uint8_t });
export const physdev_restore_msi = struct('physdev_restore_msi', { bus: uint8_t, devfn: uint8_t });
const physfn = struct('physfn', { bus: uint8_t, devfn: uint8_t });
export const physdev_manage_pci_ext = struct('physdev_manage_pci_ext', {
  bus: uint8_t,
  devfn: uint8_t,
  is_extfn: uint32_t,
  is_virtfn: uint32_t,
  physfn,
});
export const physdev_setup_gsi = struct('physdev_setup_gsi', { gsi: int32_t, triggering: uint8_t, polarity: uint8_t });
export const physdev_get_free_pirq = struct('physdev_get_free_pirq', { type: int32_t, pirq: uint32_t });
export const physdev_pci_mmcfg_reserved = struct('physdev_pci_mmcfg_reserved', {
  address: uint64_t,
  segment: uint16_t,
  start_bus: uint8_t,
  end_bus: uint8_t,
  flags: uint32_t,
});
/** Without the words that may follow. */
export const physdev_pci_device_add = struct('physdev_pci_device_add', {
  seg: uint16_t,
  bus: uint8_t,
  devfn: uint8_t,
  flags: uint32_t,
  physfn,
});
export const physdev_pci_device = struct('physdev_pci_device', { seg: uint16_t, bus: uint8_t, devfn: uint8_t });
export const physdev_dbgp_op = struct('physdev_dbgp_op', {
  op: uint8_t,
  bus: uint8_t,
  u: union('u', { pci: physdev_pci_device }),
});
