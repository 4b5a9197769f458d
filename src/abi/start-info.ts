// What a PV kernel finds at its start (public/xen.h, struct start_info).
import { evtchn_port_t, uint32_t, xen_pfn_t, xen_ulong_t } from './scalars.ts';
import { bytes, struct, union } from './struct.ts';

export const MAX_GUEST_CMDLINE = 1024;

/** `magic` and `cmd_line` end with a NUL; `nr_pages` is pages, `shared_info` a machine address, `mod_len` bytes. */
export const start_info = struct('start_info', {
  magic: bytes(32),
  nr_pages: xen_ulong_t,
  shared_info: xen_ulong_t,
  flags: uint32_t,
  store_mfn: xen_pfn_t,
  store_evtchn: evtchn_port_t,
  console: union('console', {
    domU: struct('domU', { mfn: xen_pfn_t, evtchn: evtchn_port_t }),
    dom0: struct('dom0', { info_off: uint32_t, info_size: uint32_t }),
  }),
  pt_base: xen_ulong_t,
  nr_pt_frames: xen_ulong_t,
  mfn_list: xen_ulong_t,
  mod_start: xen_ulong_t,
  mod_len: xen_ulong_t,
  cmd_line: bytes(MAX_GUEST_CMDLINE),
  first_p2m_pfn: xen_ulong_t,
  nr_p2m_frames: xen_ulong_t,
});

/** Bits of `flags`. */
export const SIF = {
  PRIVILEGED: 1 << 0,
  INITDOMAIN: 1 << 1,
  MULTIBOOT_MOD: 1 << 2,
  MOD_START_PFN: 1 << 3,
  VIRT_P2M_4TOOLS: 1 << 4,
  PM_MASK: 0xff << 8,
} as const;
