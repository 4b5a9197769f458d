// What tools ask of the hypervisor about domains (public/domctl.h and public/arch-x86/xen.h of 4.17); the same at both widths.
import { xenctl_bitmap } from './bitmap.ts';
import { domid_t, int32_t, uint8_t, uint16_t, uint32_t, uint64_aligned_t } from './scalars.ts';
import { array, bytes, struct, union } from './struct.ts';

/** What `interface_version` must be for Xen 4.17. */
export const XEN_DOMCTL_INTERFACE_VERSION = 0x15;

const xen_arch_domainconfig = struct('xen_arch_domainconfig', { emulation_flags: uint32_t, misc_flags: uint32_t });

/** `handle` is the domain's UUID. Grant limits below 0 mean Xen's defaults. */
export const xen_domctl_createdomain = struct('xen_domctl_createdomain', {
  ssidref: uint32_t,
  handle: bytes(16),
  flags: uint32_t,
  iommu_opts: uint32_t,
  max_vcpus: uint32_t,
  max_evtchn_port: uint32_t,
  max_grant_frames: int32_t,
  max_maptrack_frames: int32_t,
  grant_opts: uint32_t,
  vmtrace_size: uint32_t,
  cpupool_id: uint32_t,
  arch: xen_arch_domainconfig,
});

/** `XEN_DOMCTL_CDF_*`: flags of createdomain. */
export const XEN_DOMCTL_CDF = {
  hvm: 1 << 0,
  hap: 1 << 1,
  s3_integrity: 1 << 2,
  oos_off: 1 << 3,
  xs_domain: 1 << 4,
  iommu: 1 << 5,
  nested_virt: 1 << 6,
  vpmu: 1 << 7,
} as const;

/** `XEN_X86_EMU_*` of public/arch-x86/xen.h: what Xen emulates for a domain. */
export const XEN_X86_EMU = {
  LAPIC: 1 << 0,
  HPET: 1 << 1,
  PM: 1 << 2,
  RTC: 1 << 3,
  IOAPIC: 1 << 4,
  PIC: 1 << 5,
  VGA: 1 << 6,
  IOMMU: 1 << 7,
  PIT: 1 << 8,
  USE_PIRQ: 1 << 9,
  VPCI: 1 << 10,
} as const;
export const XEN_X86_EMU_ALL = 0x7ff;
export const XEN_X86_MSR_RELAXED = 1 << 0;

/** What a plain PV domain is created with besides its limits. */
export const pvDomain = {
  hvm: false,
  flags: 0,
  iommu_opts: 0,
  grant_opts: 1,
  vmtrace_size: 0,
  cpupool_id: 0,
  emulation_flags: 0,
  misc_flags: 0,
} as const;
/** dom0 as PVH: Xen emulates its interrupt controllers and its view of PCI. */
export const pvhDom0 = {
  ...pvDomain,
  hvm: true,
  flags: XEN_DOMCTL_CDF.hap,
  emulation_flags: XEN_X86_EMU.LAPIC | XEN_X86_EMU.IOAPIC | XEN_X86_EMU.VPCI,
} as const;
/** And a PVH domain: HAP, and nothing emulated but its local APICs. */
export const pvhDomain = { ...pvDomain, hvm: true, flags: XEN_DOMCTL_CDF.hap, emulation_flags: XEN_X86_EMU.LAPIC } as const;

/** `cpu_time` is ns; the counts of pages are pages. */
export const xen_domctl_getdomaininfo = struct('xen_domctl_getdomaininfo', {
  domain: domid_t,
  pad1: uint16_t,
  flags: uint32_t,
  tot_pages: uint64_aligned_t,
  max_pages: uint64_aligned_t,
  outstanding_pages: uint64_aligned_t,
  shr_pages: uint64_aligned_t,
  paged_pages: uint64_aligned_t,
  shared_info_frame: uint64_aligned_t,
  cpu_time: uint64_aligned_t,
  nr_online_vcpus: uint32_t,
  max_vcpu_id: uint32_t,
  ssidref: uint32_t,
  handle: bytes(16),
  cpupool: uint32_t,
  gpaddr_bits: uint8_t,
  pad2: array(uint8_t, 7),
  arch_config: xen_arch_domainconfig,
});

/** `XEN_DOMINF_*`: flags of getdomaininfo; the shutdown reason stands in bits 16 to 23. */
export const XEN_DOMINF = {
  dying: 1 << 0,
  hvm_guest: 1 << 1,
  shutdown: 1 << 2,
  paused: 1 << 3,
  blocked: 1 << 4,
  running: 1 << 5,
  debugged: 1 << 6,
  xs_domain: 1 << 7,
  hap: 1 << 8,
  shutdownmask: 255,
  shutdownshift: 16,
} as const;

/** The argument of `domctl`. */
export const xen_domctl = struct('xen_domctl', {
  cmd: uint32_t,
  interface_version: uint32_t,
  domain: domid_t,
  _pad: array(uint16_t, 3),
  u: union('u', { createdomain: xen_domctl_createdomain, getdomaininfo: xen_domctl_getdomaininfo, pad: bytes(128) }),
});

/** `XEN_DOMCTL_*`. */
export const XEN_DOMCTL = {
  createdomain: 1,
  destroydomain: 2,
  pausedomain: 3,
  unpausedomain: 4,
  getdomaininfo: 5,
  setvcpuaffinity: 9,
  shadow_op: 10,
  max_mem: 11,
  setvcpucontext: 12,
  getvcpucontext: 13,
  getvcpuinfo: 14,
  max_vcpus: 15,
  scheduler_op: 16,
  setdomainhandle: 17,
  setdebugging: 18,
  irq_permission: 19,
  iomem_permission: 20,
  ioport_permission: 21,
  hypercall_init: 22,
  settimeoffset: 24,
  getvcpuaffinity: 25,
  resumedomain: 27,
  sendtrigger: 28,
  subscribe: 29,
  gethvmcontext: 33,
  sethvmcontext: 34,
  set_address_size: 35,
  get_address_size: 36,
  assign_device: 37,
  bind_pt_irq: 38,
  memory_mapping: 39,
  ioport_mapping: 40,
  set_ext_vcpucontext: 42,
  get_ext_vcpucontext: 43,
  test_assign_device: 45,
  set_target: 46,
  deassign_device: 47,
  unbind_pt_irq: 48,
  get_device_group: 50,
  debug_op: 54,
  gethvmcontext_partial: 55,
  vm_event_op: 56,
  mem_sharing_op: 57,
  gettscinfo: 59,
  settscinfo: 60,
  getpageframeinfo3: 61,
  setvcpuextstate: 62,
  getvcpuextstate: 63,
  set_access_required: 64,
  audit_p2m: 65,
  set_virq_handler: 66,
  set_broken_page_p2m: 67,
  setnodeaffinity: 68,
  getnodeaffinity: 69,
  cacheflush: 71,
  get_vcpu_msrs: 72,
  set_vcpu_msrs: 73,
  setvnumainfo: 74,
  psr_cmt_op: 75,
  monitor_op: 77,
  psr_alloc: 78,
  soft_reset: 79,
  vuart_op: 81,
  get_cpu_policy: 82,
  set_cpu_policy: 83,
  vmtrace_op: 84,
  get_paging_mempool_size: 85,
  set_paging_mempool_size: 86,
  gdbsx_guestmemio: 1000,
  gdbsx_pausevcpu: 1001,
  gdbsx_unpausevcpu: 1002,
  gdbsx_domstatus: 1003,
} as const;

/** Where the structure of `cmd` begins in struct xen_domctl. */
export const XEN_DOMCTL_U = xen_domctl.x86_64.offset.u;

export const xen_domctl_max_mem = struct('xen_domctl_max_mem', { max_memkb: uint64_aligned_t });
export const xen_domctl_vcpucontext = struct('xen_domctl_vcpucontext', { vcpu: uint32_t, ctxt: uint64_aligned_t });
export const xen_domctl_getvcpuinfo = struct('xen_domctl_getvcpuinfo', {
  vcpu: uint32_t,
  online: uint8_t,
  blocked: uint8_t,
  running: uint8_t,
  cpu_time: uint64_aligned_t,
  cpu: uint32_t,
});
export const xen_domctl_max_vcpus = struct('xen_domctl_max_vcpus', { max: uint32_t });
/** A signed number. */
export const xen_domctl_settimeoffset = struct('xen_domctl_settimeoffset', { time_offset_seconds: uint64_aligned_t });
export const xen_domctl_address_size = struct('xen_domctl_address_size', { size: uint32_t });
export const xen_domctl_tsc_info = struct('xen_domctl_tsc_info', {
  tsc_mode: uint32_t,
  gtsc_khz: uint32_t,
  incarnation: uint32_t,
  pad: uint32_t,
  elapsed_nsec: uint64_aligned_t,
});
/** `XEN_DOMCTL_PFINFO_*`: what a page is, as getpageframeinfo3 answers; tables count up from L1TAB, and LPINTAB is a flag. */
export const XEN_DOMCTL_PFINFO = { NOTAB: 0, L1TAB: 2 ** 28, LPINTAB: 2 ** 31, XTAB: 0xf0000000 } as const;
export const xen_domctl_setdomainhandle = struct('xen_domctl_setdomainhandle', { handle: bytes(16) });
/** `array` is a list of page numbers, of the caller's width, in whose places the answers go. */
export const xen_domctl_getpageframeinfo3 = struct('xen_domctl_getpageframeinfo3', {
  num: uint64_aligned_t,
  array: uint64_aligned_t,
});
export const xen_domctl_setdebugging = struct('xen_domctl_setdebugging', { enable: uint8_t });
export const xen_domctl_irq_permission = struct('xen_domctl_irq_permission', {
  pirq: uint32_t,
  allow_access: uint8_t,
  pad: bytes(3),
});
export const xen_domctl_iomem_permission = struct('xen_domctl_iomem_permission', {
  first_mfn: uint64_aligned_t,
  nr_mfns: uint64_aligned_t,
  allow_access: uint8_t,
});
export const xen_domctl_ioport_permission = struct('xen_domctl_ioport_permission', {
  first_port: uint32_t,
  nr_ports: uint32_t,
  allow_access: uint8_t,
});
export const xen_domctl_hypercall_init = struct('xen_domctl_hypercall_init', { gmfn: uint64_aligned_t });
export const xen_domctl_sendtrigger = struct('xen_domctl_sendtrigger', { trigger: uint32_t, vcpu: uint32_t });
export const xen_domctl_subscribe = struct('xen_domctl_subscribe', { port: uint32_t });
export const xen_domctl_set_target = struct('xen_domctl_set_target', { target: domid_t });
export const xen_domctl_set_access_required = struct('xen_domctl_set_access_required', { access_required: uint8_t });
export const xen_domctl_set_virq_handler = struct('xen_domctl_set_virq_handler', { virq: uint32_t });
/** In bytes. */
export const xen_domctl_paging_mempool = struct('xen_domctl_paging_mempool', { size: uint64_aligned_t });
export const xen_domctl_memory_mapping = struct('xen_domctl_memory_mapping', {
  first_gfn: uint64_aligned_t,
  first_mfn: uint64_aligned_t,
  nr_mfns: uint64_aligned_t,
  add_mapping: uint32_t,
  padding: uint32_t,
});
export const xen_domctl_ioport_mapping = struct('xen_domctl_ioport_mapping', {
  first_gport: uint32_t,
  first_mport: uint32_t,
  nr_ports: uint32_t,
  add_mapping: uint32_t,
});
export const xen_domctl_gdbsx_pauseunp_vcpu = struct('xen_domctl_gdbsx_pauseunp_vcpu', { vcpu: uint32_t });
export const xen_domctl_gdbsx_domstatus = struct('xen_domctl_gdbsx_domstatus', {
  paused: uint8_t,
  vcpu_id: uint32_t,
  vcpu_ev: uint32_t,
});
export const xen_domctl_set_broken_page_p2m = struct('xen_domctl_set_broken_page_p2m', { pfn: uint64_aligned_t });
export const xen_domctl_vcpuaffinity = struct('xen_domctl_vcpuaffinity', {
  vcpu: uint32_t,
  flags: uint32_t,
  cpumap_hard: xenctl_bitmap,
  cpumap_soft: xenctl_bitmap,
});
export const xen_domctl_nodeaffinity = struct('xen_domctl_nodeaffinity', { nodemap: xenctl_bitmap });
