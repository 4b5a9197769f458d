// The arguments of `dm_op` (public/hvm/dm_op.h); the same at both widths but for the list of buffers.
import {
  domid_t,
  evtchn_port_t,
  uint8_t,
  uint16_t,
  uint32_t,
  uint64_aligned_t,
  uint64_t,
  XEN_GUEST_HANDLE,
  xen_ulong_t,
} from './scalars.ts';
import { array, struct } from './struct.ts';

/** One of the hypercall's buffers. The first holds what is asked. */
export const xen_dm_op_buf = struct('xen_dm_op_buf', { h: XEN_GUEST_HANDLE, size: xen_ulong_t });
/** What the first buffer begins with; the structure of `op` stands at byte 8. */
export const xen_dm_op_head = struct('xen_dm_op_head', { op: uint32_t, pad: uint32_t });
export const XEN_DM_OP_U = 8;

const ioservid_t = uint16_t;

export const xen_dm_op_create_ioreq_server = struct('xen_dm_op_create_ioreq_server', {
  handle_bufioreq: uint8_t,
  pad: array(uint8_t, 3),
  id: ioservid_t,
});
export const xen_dm_op_get_ioreq_server_info = struct('xen_dm_op_get_ioreq_server_info', {
  id: ioservid_t,
  flags: uint16_t,
  bufioreq_port: evtchn_port_t,
  ioreq_gfn: uint64_aligned_t,
  bufioreq_gfn: uint64_aligned_t,
});
export const xen_dm_op_ioreq_server_range = struct('xen_dm_op_ioreq_server_range', {
  id: ioservid_t,
  pad: uint16_t,
  type: uint32_t,
  start: uint64_aligned_t,
  end: uint64_aligned_t,
});
export const xen_dm_op_set_ioreq_server_state = struct('xen_dm_op_set_ioreq_server_state', {
  id: ioservid_t,
  enabled: uint8_t,
  pad: uint8_t,
});
export const xen_dm_op_destroy_ioreq_server = struct('xen_dm_op_destroy_ioreq_server', { id: ioservid_t, pad: uint16_t });
export const xen_dm_op_track_dirty_vram = struct('xen_dm_op_track_dirty_vram', {
  nr: uint32_t,
  pad: uint32_t,
  first_pfn: uint64_aligned_t,
});
export const xen_dm_op_set_pci_intx_level = struct('xen_dm_op_set_pci_intx_level', {
  domain: domid_t,
  bus: uint8_t,
  device: uint8_t,
  intx: uint8_t,
  level: uint8_t,
});
export const xen_dm_op_set_isa_irq_level = struct('xen_dm_op_set_isa_irq_level', { isa_irq: uint8_t, level: uint8_t });
export const xen_dm_op_set_pci_link_route = struct('xen_dm_op_set_pci_link_route', { link: uint8_t, isa_irq: uint8_t });
/** How many of the second buffer's extents there are. */
export const xen_dm_op_modified_memory = struct('xen_dm_op_modified_memory', { nr_extents: uint32_t, opaque: uint32_t });
export const xen_dm_op_modified_memory_extent = struct('xen_dm_op_modified_memory_extent', {
  nr: uint32_t,
  pad: uint32_t,
  first_pfn: uint64_aligned_t,
});
export const xen_dm_op_set_mem_type = struct('xen_dm_op_set_mem_type', {
  nr: uint32_t,
  mem_type: uint16_t,
  pad: uint16_t,
  first_pfn: uint64_aligned_t,
});
export const xen_dm_op_inject_event = struct('xen_dm_op_inject_event', {
  vcpuid: uint32_t,
  vector: uint8_t,
  type: uint8_t,
  insn_len: uint8_t,
  pad0: uint8_t,
  error_code: uint32_t,
  pad1: uint32_t,
  cr2: uint64_aligned_t,
});
export const xen_dm_op_inject_msi = struct('xen_dm_op_inject_msi', { data: uint32_t, pad: uint32_t, addr: uint64_aligned_t });
export const xen_dm_op_map_mem_type_to_ioreq_server = struct('xen_dm_op_map_mem_type_to_ioreq_server', {
  id: ioservid_t,
  type: uint16_t,
  flags: uint32_t,
  opaque: uint64_t,
});
export const xen_dm_op_remote_shutdown = struct('xen_dm_op_remote_shutdown', { reason: uint32_t });
export const xen_dm_op_relocate_memory = struct('xen_dm_op_relocate_memory', {
  size: uint32_t,
  pad: uint32_t,
  src_gfn: uint64_aligned_t,
  dst_gfn: uint64_aligned_t,
});
export const xen_dm_op_pin_memory_cacheattr = struct('xen_dm_op_pin_memory_cacheattr', {
  start: uint64_aligned_t,
  end: uint64_aligned_t,
  type: uint32_t,
  pad: uint32_t,
});
export const xen_dm_op_nr_vcpus = struct('xen_dm_op_nr_vcpus', { vcpus: uint32_t });
