// Grant tables: entries, and the arguments of `grant_table_op` (public/grant_table.h).
import { domid_t, grant_ref_t, int16_t, uint16_t, uint32_t, uint64_t, XEN_GUEST_HANDLE, xen_pfn_t } from './scalars.ts';
import { struct, union } from './struct.ts';

/** `GNTTABOP_*`. */
export const GNTTABOP = {
  map_grant_ref: 0,
  unmap_grant_ref: 1,
  setup_table: 2,
  dump_table: 3,
  transfer: 4,
  copy: 5,
  query_size: 6,
  unmap_and_replace: 7,
  set_version: 8,
  get_status_frames: 9,
  get_version: 10,
  swap_grant_ref: 11,
  cache_flush: 12,
} as const;

/** An entry of a version 1 table; 512 to a frame. `frame` is a gfn, also for an x86_64 guest. */
export const grant_entry_v1 = struct('grant_entry_v1', { flags: uint16_t, domid: domid_t, frame: uint32_t });

/** Byte offsets in an entry as plain numbers, for the hot path; the same at both widths. */
export const GRANT_ENTRY_V1 = grant_entry_v1.x86_64.offset;
export const GRANT_ENTRY_V1_SIZE = grant_entry_v1.x86_64.size;

/**
 * An entry of a version 2 table; 256 to a frame. Its first four bytes are those of a version 1 entry. Which of the forms it has follows
 * from its flags: `sub_page` where GTF_sub_page is set, `transitive` where that is the type, otherwise `full_page`.
 */
const grant_entry_header = struct('grant_entry_header', { flags: uint16_t, domid: domid_t });
export const grant_entry_v2 = union('grant_entry_v2', {
  hdr: grant_entry_header,
  full_page: struct('full_page', { hdr: grant_entry_header, pad0: uint32_t, frame: uint64_t }),
  sub_page: struct('sub_page', { hdr: grant_entry_header, page_off: uint16_t, length: uint16_t, frame: uint64_t }),
  transitive: struct('transitive', { hdr: grant_entry_header, trans_domid: domid_t, pad0: uint16_t, gref: grant_ref_t }),
});

/** Byte offsets in a version 2 entry; the same at both widths. */
export const GRANT_ENTRY_V2 = {
  flags: 0,
  domid: 2,
  frame: 8,
  page_off: 4,
  length: 6,
  trans_domid: 4,
  gref: 8,
} as const;
export const GRANT_ENTRY_V2_SIZE = grant_entry_v2.x86_64.size;
/** `grant_status_t`: GTF_reading and GTF_writing of a version 2 entry, in the status frames. */
export const GRANT_STATUS_SIZE = 2;
/** How many entries at the beginning of a table outlast a change of its version. */
export const GNTTAB_NR_RESERVED_ENTRIES = 8;

/** `GTF_*`: the type in the lowest two bits, then flags. */
export const GTF = {
  invalid: 0,
  permit_access: 1,
  accept_transfer: 2,
  transitive: 3,
  type_mask: 3,
  readonly: 1 << 2,
  reading: 1 << 3,
  writing: 1 << 4,
  PWT: 1 << 5,
  PCD: 1 << 6,
  PAT: 1 << 7,
  sub_page: 1 << 8,
  /** These two where the type is accept_transfer. */
  transfer_committed: 1 << 2,
  transfer_completed: 1 << 3,
} as const;

/** `GNTMAP_*`: flags of a mapping. */
export const GNTMAP = {
  device_map: 1 << 0,
  host_map: 1 << 1,
  readonly: 1 << 2,
  application_map: 1 << 3,
  contains_pte: 1 << 4,
} as const;

/** `GNTTAB_CACHE_*`: what cache_flush is to do. */
export const GNTTAB_CACHE = { CLEAN: 1 << 0, INVAL: 1 << 1, SOURCE_GREF: 2 ** 31 } as const;

/** `GNTCOPY_*`: which side of a copy is a grant. */
export const GNTCOPY = { source_gref: 1 << 0, dest_gref: 1 << 1 } as const;

/** `GNTST_okay`; the other statuses are errors, by name in events/errno.ts. */
export const GNTST_okay = 0;

const grant_handle_t = uint32_t;

export const gnttab_map_grant_ref = struct('gnttab_map_grant_ref', {
  host_addr: uint64_t,
  flags: uint32_t,
  ref: grant_ref_t,
  dom: domid_t,
  status: int16_t,
  handle: grant_handle_t,
  dev_bus_addr: uint64_t,
});
export const gnttab_unmap_grant_ref = struct('gnttab_unmap_grant_ref', {
  host_addr: uint64_t,
  dev_bus_addr: uint64_t,
  handle: grant_handle_t,
  status: int16_t,
});
export const gnttab_setup_table = struct('gnttab_setup_table', {
  dom: domid_t,
  nr_frames: uint32_t,
  status: int16_t,
  frame_list: XEN_GUEST_HANDLE,
});

const gnttab_copy_ptr = struct('gnttab_copy_ptr', {
  u: union('u', { ref: grant_ref_t, gmfn: xen_pfn_t }),
  domid: domid_t,
  offset: uint16_t,
});
/** `offset` and `len` are bytes. */
export const gnttab_copy = struct('gnttab_copy', {
  source: gnttab_copy_ptr,
  dest: gnttab_copy_ptr,
  len: uint16_t,
  flags: uint16_t,
  status: int16_t,
});

export const gnttab_query_size = struct('gnttab_query_size', {
  dom: domid_t,
  nr_frames: uint32_t,
  max_nr_frames: uint32_t,
  status: int16_t,
});
export const gnttab_dump_table = struct('gnttab_dump_table', { dom: domid_t, status: int16_t });
export const gnttab_transfer = struct('gnttab_transfer', {
  mfn: xen_pfn_t,
  domid: domid_t,
  ref: grant_ref_t,
  status: int16_t,
});
export const gnttab_unmap_and_replace = struct('gnttab_unmap_and_replace', {
  host_addr: uint64_t,
  new_addr: uint64_t,
  handle: grant_handle_t,
  status: int16_t,
});
export const gnttab_get_status_frames = struct('gnttab_get_status_frames', {
  nr_frames: uint32_t,
  dom: domid_t,
  status: int16_t,
  frame_list: XEN_GUEST_HANDLE,
});
export const gnttab_swap_grant_ref = struct('gnttab_swap_grant_ref', { ref_a: grant_ref_t, ref_b: grant_ref_t, status: int16_t });
/** `offset` and `length` are bytes. */
export const gnttab_cache_flush = struct('gnttab_cache_flush', {
  a: union('a', { dev_bus_addr: uint64_t, ref: grant_ref_t }),
  offset: uint16_t,
  length: uint16_t,
  op: uint32_t,
});
export const gnttab_set_version = struct('gnttab_set_version', { version: uint32_t });
export const gnttab_get_version = struct('gnttab_get_version', { dom: domid_t, pad: uint16_t, version: uint32_t });
