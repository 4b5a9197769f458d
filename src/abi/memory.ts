// The arguments of `memory_op` (public/memory.h).
import { domid_t, uint16_t, uint32_t, uint64_t, XEN_GUEST_HANDLE, xen_pfn_t, xen_ulong_t } from './scalars.ts';
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
  add_to_physmap_batch: 23,
  claim_pages: 24,
} as const;

/** Each of the `nr_extents` at `extent_start` is 2^extent_order pages. */
export const xen_memory_reservation = struct('xen_memory_reservation', {
  extent_start: XEN_GUEST_HANDLE,
  nr_extents: xen_ulong_t,
  extent_order: uint32_t,
  mem_flags: uint32_t,
  domid: domid_t,
});

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
