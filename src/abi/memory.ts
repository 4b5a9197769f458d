// The arguments of `memory_op` (public/memory.h).
import { physdev_pci_device } from './physdev.ts';
import { domid_t, uint8_t, uint16_t, uint32_t, uint64_t, XEN_GUEST_HANDLE, xen_pfn_t, xen_ulong_t } from './scalars.ts';
import { struct, union } from './struct.ts';

/** `XENMEM_*`. */
export const XENMEM = {
  increase_reservation: 0,
  decrease_reservation: 1,
  maximum_ram_page: 2,
  current_reservation: 3,
  maximum_reservation: 4,
  machphys_mfn_list: 5,
  populate_physmap: 6,
  add_to_physmap: 7,
  memory_map: 9,
  machine_memory_map: 10,
  exchange: 11,
  machphys_mapping: 12,
  set_memory_map: 13,
  maximum_gpfn: 14,
  remove_from_physmap: 15,
  set_pod_target: 16,
  get_pod_target: 17,
  get_sharing_freed_pages: 18,
  get_sharing_shared_pages: 19,
  paging_op: 20,
  access_op: 21,
  sharing_op: 22,
  add_to_physmap_batch: 23,
  claim_pages: 24,
  machphys_compat_mfn_list: 25,
  get_vnumainfo: 26,
  reserved_device_memory_map: 27,
  acquire_resource: 28,
} as const;

/** `XENMEMF_*`: what an extent shall be like. */
export const XENMEMF = {
  address_bits: 0xff,
  node: 0xff00,
  populate_on_demand: 1 << 16,
  exact_node_request: 1 << 17,
  vnode: 1 << 18,
} as const;

/** `XENMEM_resource_*`, and the tables of the grant table. */
export const XENMEM_resource = { ioreq_server: 0, grant_table: 1, vmtrace_buf: 2 } as const;
export const XENMEM_resource_grant_table_id = { shared: 0, status: 1 } as const;
/** A flag of `xen_reserved_device_memory_map`. */
export const XENMEM_RDM_ALL = 1;

/** Each of the `nr_extents` at `extent_start` is 2^extent_order pages. */
export const xen_memory_reservation = struct('xen_memory_reservation', {
  extent_start: XEN_GUEST_HANDLE,
  nr_extents: xen_ulong_t,
  extent_order: uint32_t,
  mem_flags: uint32_t,
  domid: domid_t,
});

/** Whom a query is about. */
export const xen_memory_domain = struct('xen_memory_domain', { domid: domid_t });

export const xen_memory_exchange = struct('xen_memory_exchange', {
  in: xen_memory_reservation,
  out: xen_memory_reservation,
  nr_exchanged: xen_ulong_t,
});

/** `XENMAPSPACE_*`. */
export const XENMAPSPACE = { shared_info: 0, grant_table: 1, gmfn: 2, gmfn_range: 3, gmfn_foreign: 4, dev_mmio: 5 } as const;
/** A bit of `idx` in the space `grant_table`: the status frames of a version 2 table. */
export const XENMAPIDX_grant_table_status = 0x80000000;

/** `size` is pages, in the space `gmfn_range` only. */
export const xen_add_to_physmap = struct('xen_add_to_physmap', {
  domid: domid_t,
  size: uint16_t,
  space: uint32_t,
  idx: xen_ulong_t,
  gpfn: xen_pfn_t,
});
export const xen_add_to_physmap_batch = struct('xen_add_to_physmap_batch', {
  domid: domid_t,
  space: uint16_t,
  size: uint16_t,
  u: union('u', { foreign_domid: domid_t, res0: uint16_t }),
  idxs: XEN_GUEST_HANDLE,
  gpfns: XEN_GUEST_HANDLE,
  errs: XEN_GUEST_HANDLE,
});
export const xen_remove_from_physmap = struct('xen_remove_from_physmap', { domid: domid_t, gpfn: xen_pfn_t });
export const xen_memory_map = struct('xen_memory_map', { nr_entries: uint32_t, buffer: XEN_GUEST_HANDLE });
/** All counts are pages. */
export const xen_pod_target = struct('xen_pod_target', {
  target_pages: uint64_t,
  tot_pages: uint64_t,
  pod_cache_pages: uint64_t,
  pod_entries: uint64_t,
  domid: domid_t,
});

/** `nr_extents` is an answer. */
export const xen_machphys_mfn_list = struct('xen_machphys_mfn_list', {
  max_extents: uint32_t,
  extent_start: XEN_GUEST_HANDLE,
  nr_extents: uint32_t,
});
export const xen_machphys_mapping = struct('xen_machphys_mapping', {
  v_start: xen_ulong_t,
  v_end: xen_ulong_t,
  max_mfn: xen_ulong_t,
});
export const xen_foreign_memory_map = struct('xen_foreign_memory_map', { domid: domid_t, map: xen_memory_map });
export const E820ENTRY_SIZE = 20;
export const xen_mem_acquire_resource = struct('xen_mem_acquire_resource', {
  domid: domid_t,
  type: uint16_t,
  id: uint32_t,
  nr_frames: uint32_t,
  pad: uint32_t,
  frame: uint64_t,
  frame_list: XEN_GUEST_HANDLE,
});
export const xen_mem_access_op = struct('xen_mem_access_op', {
  op: uint8_t,
  access: uint8_t,
  domid: domid_t,
  nr: uint32_t,
  pfn: uint64_t,
  pfn_list: XEN_GUEST_HANDLE,
  access_list: XEN_GUEST_HANDLE,
});
export const xen_reserved_device_memory_map = struct('xen_reserved_device_memory_map', {
  flags: uint32_t,
  nr_entries: uint32_t,
  buffer: XEN_GUEST_HANDLE,
  dev: union('dev', { pci: physdev_pci_device }),
});
const handle = union('handle', { h: XEN_GUEST_HANDLE, pad: uint64_t });
export const xen_vnuma_topology_info = struct('xen_vnuma_topology_info', {
  domid: domid_t,
  pad: uint16_t,
  nr_vnodes: uint32_t,
  nr_vcpus: uint32_t,
  nr_vmemranges: uint32_t,
  vdistance: handle,
  vcpu_to_vnode: handle,
  vmemrange: handle,
});
