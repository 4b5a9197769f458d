// The page that Xen shares with a domain (public/xen.h, public/arch-x86/xen.h).
import { int8_t, uint8_t, uint32_t, uint64_t, xen_pfn_t, xen_ulong_t } from './scalars.ts';
import { array, struct } from './struct.ts';

/** `system_time` is ns since boot. An odd `version` means that an update is under way. */
export const vcpu_time_info = struct('vcpu_time_info', {
  version: uint32_t,
  pad0: uint32_t,
  tsc_timestamp: uint64_t,
  system_time: uint64_t,
  tsc_to_system_mul: uint32_t,
  tsc_shift: int8_t,
  flags: uint8_t,
  pad1: array(uint8_t, 2),
});

const arch_vcpu_info = struct('arch_vcpu_info', { cr2: xen_ulong_t, pad: array(xen_ulong_t, { x86_64: 1, x86_32: 5 }) });

export const vcpu_info = struct('vcpu_info', {
  evtchn_upcall_pending: uint8_t,
  evtchn_upcall_mask: uint8_t,
  evtchn_pending_sel: xen_ulong_t,
  arch: arch_vcpu_info,
  time: vcpu_time_info,
});

/** vCPUs that have their vcpu_info in the shared page; those above register one of their own. */
export const XEN_LEGACY_MAX_VCPUS = 32;

const arch_shared_info = struct('arch_shared_info', {
  max_pfn: xen_ulong_t,
  pfn_to_mfn_frame_list_list: xen_pfn_t,
  nmi_reason: xen_ulong_t,
  p2m_cr3: xen_ulong_t,
  p2m_vaddr: xen_ulong_t,
  p2m_generation: xen_ulong_t,
});

const common = {
  vcpu_info: array(vcpu_info, XEN_LEGACY_MAX_VCPUS),
  evtchn_pending: array(xen_ulong_t, { x86_64: 64, x86_32: 32 }),
  evtchn_mask: array(xen_ulong_t, { x86_64: 64, x86_32: 32 }),
  wc_version: uint32_t,
  wc_sec: uint32_t,
  wc_nsec: uint32_t,
};

/** The wallclock (`wc_*`) is the Unix time at system time 0. On x86_32 `wc_sec_hi` stands at the end: Xen's header has it inside `arch`. */
export const shared_info = {
  x86_64: struct('shared_info', { ...common, wc_sec_hi: uint32_t, arch: arch_shared_info }).x86_64,
  x86_32: struct('shared_info', { ...common, arch: arch_shared_info, wc_sec_hi: uint32_t }).x86_32,
};

/** Byte offsets in the shared page and in a vcpu_info as plain numbers, for the hot path: `SHARED_INFO.x86_64.evtchn_pending`. */
export const SHARED_INFO = { x86_64: shared_info.x86_64.offset, x86_32: shared_info.x86_32.offset };
export const VCPU_INFO = { x86_64: vcpu_info.x86_64.offset, x86_32: vcpu_info.x86_32.offset };
