// The arguments of `hvm_op` (public/hvm/hvm_op.h).
import { domid_t, uint8_t, uint16_t, uint32_t, uint64_t } from './scalars.ts';
import { array, struct } from './struct.ts';

export const xen_hvm_param = struct('xen_hvm_param', { domid: domid_t, pad: uint16_t, index: uint32_t, value: uint64_t });
export const xen_hvm_pagetable_dying = struct('xen_hvm_pagetable_dying', {
  domid: domid_t,
  pad: array(uint16_t, 3),
  gpa: uint64_t,
});
export const xen_hvm_get_time = struct('xen_hvm_get_time', { now: uint64_t });
export const xen_hvm_xentrace = struct('xen_hvm_xentrace', { event: uint16_t, extra_bytes: uint16_t, extra: array(uint8_t, 28) });
export const xen_hvm_get_mem_type = struct('xen_hvm_get_mem_type', {
  domid: domid_t,
  mem_type: uint16_t,
  pad: array(uint16_t, 2),
  pfn: uint64_t,
});
export const xen_hvm_evtchn_upcall_vector = struct('xen_hvm_evtchn_upcall_vector', { vcpu: uint32_t, vector: uint8_t });
