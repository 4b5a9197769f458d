// What tools ask of the hypervisor about the host (public/sysctl.h of 4.17); the same at both widths.
import { xenctl_bitmap } from './bitmap.ts';
import { domid_t, int32_t, uint8_t, uint16_t, uint32_t, uint64_aligned_t } from './scalars.ts';
import { array, bytes, struct, union } from './struct.ts';

/** What `interface_version` must be for Xen 4.17. */
export const XEN_SYSCTL_INTERFACE_VERSION = 0x15;

/** The argument of `sysctl`, without what follows at byte 8: the structure of `cmd`. */
export const xen_sysctl_head = struct('xen_sysctl_head', { cmd: uint32_t, interface_version: uint32_t });
export const XEN_SYSCTL_U = 8;

/** All counts are pages. */
export const xen_sysctl_physinfo = struct('xen_sysctl_physinfo', {
  threads_per_core: uint32_t,
  cores_per_socket: uint32_t,
  nr_cpus: uint32_t,
  max_cpu_id: uint32_t,
  nr_nodes: uint32_t,
  max_node_id: uint32_t,
  cpu_khz: uint32_t,
  capabilities: uint32_t,
  arch_capabilities: uint32_t,
  pad: uint32_t,
  total_pages: uint64_aligned_t,
  free_pages: uint64_aligned_t,
  scrub_pages: uint64_aligned_t,
  outstanding_pages: uint64_aligned_t,
  max_mfn: uint64_aligned_t,
  hw_cap: array(uint32_t, 8),
});
export const xen_sysctl_sched_id = struct('xen_sysctl_sched_id', { sched_id: uint32_t });
/** `buffer` has room for `max_domains` times struct xen_domctl_getdomaininfo. */
export const xen_sysctl_getdomaininfolist = struct('xen_sysctl_getdomaininfolist', {
  first_domain: domid_t,
  max_domains: uint32_t,
  buffer: uint64_aligned_t,
  num_domains: uint32_t,
});
export const xen_sysctl_readconsole = struct('xen_sysctl_readconsole', {
  clear: uint8_t,
  incremental: uint8_t,
  pad0: uint8_t,
  pad1: uint8_t,
  index: uint32_t,
  buffer: uint64_aligned_t,
  count: uint32_t,
});
export const xen_sysctl_debug_keys = struct('xen_sysctl_debug_keys', { keys: uint64_aligned_t, nr_keys: uint32_t });
export const xen_sysctl_tbuf_op = struct('xen_sysctl_tbuf_op', {
  cmd: uint32_t,
  cpu_mask: xenctl_bitmap,
  evt_mask: uint32_t,
  buffer_mfn: uint64_aligned_t,
  size: uint32_t,
});
export const xen_sysctl_perfc_op = struct('xen_sysctl_perfc_op', {
  cmd: uint32_t,
  nr_counters: uint32_t,
  nr_vals: uint32_t,
  desc: uint64_aligned_t,
  val: uint64_aligned_t,
});
/** `info` has room for `max_cpus` times 64 bits. */
export const xen_sysctl_getcpuinfo = struct('xen_sysctl_getcpuinfo', {
  max_cpus: uint32_t,
  info: uint64_aligned_t,
  nr_cpus: uint32_t,
});
export const xen_sysctl_availheap = struct('xen_sysctl_availheap', {
  min_bitwidth: uint32_t,
  max_bitwidth: uint32_t,
  node: int32_t,
  avail_bytes: uint64_aligned_t,
});
const pm_px_stat = struct('pm_px_stat', {
  total: uint8_t,
  usable: uint8_t,
  last: uint8_t,
  cur: uint8_t,
  trans_pt: uint64_aligned_t,
  pt: uint64_aligned_t,
});
const pm_cx_stat = struct('pm_cx_stat', {
  nr: uint32_t,
  last: uint32_t,
  idle_time: uint64_aligned_t,
  triggers: uint64_aligned_t,
  residencies: uint64_aligned_t,
  nr_pc: uint32_t,
  nr_cc: uint32_t,
  pc: uint64_aligned_t,
  cc: uint64_aligned_t,
});
export const xen_sysctl_get_pmstat = struct('xen_sysctl_get_pmstat', {
  type: uint32_t,
  cpuid: uint32_t,
  u: union('u', { getpx: pm_px_stat, getcx: pm_cx_stat }),
});
export const xen_sysctl_cpu_hotplug = struct('xen_sysctl_cpu_hotplug', { cpu: uint32_t, op: uint32_t });
/** Of `u`, what is no matter of frequencies is one number. */
export const xen_sysctl_pm_op = struct('xen_sysctl_pm_op', {
  cmd: uint32_t,
  cpuid: uint32_t,
  u: union('u', { set_sched_opt_smt: uint32_t, get_max_cstate: uint32_t, pad: array(uint64_aligned_t, 15) }),
});
/** `status` is a pointer of Xen's own width, whoever asks. */
export const xen_sysctl_page_offline_op = struct('xen_sysctl_page_offline_op', {
  cmd: uint32_t,
  start: uint32_t,
  end: uint32_t,
  status: uint64_aligned_t,
});
export const xen_sysctl_lockprof_op = struct('xen_sysctl_lockprof_op', {
  cmd: uint32_t,
  max_elem: uint32_t,
  nr_elem: uint32_t,
  time: uint64_aligned_t,
  data: uint64_aligned_t,
});
export const xen_sysctl_cputopo = struct('xen_sysctl_cputopo', { core: uint32_t, socket: uint32_t, node: uint32_t });
export const xen_sysctl_cputopoinfo = struct('xen_sysctl_cputopoinfo', { num_cpus: uint32_t, cputopo: uint64_aligned_t });
/** In bytes. */
export const xen_sysctl_meminfo = struct('xen_sysctl_meminfo', { memsize: uint64_aligned_t, memfree: uint64_aligned_t });
export const xen_sysctl_numainfo = struct('xen_sysctl_numainfo', {
  num_nodes: uint32_t,
  meminfo: uint64_aligned_t,
  distance: uint64_aligned_t,
});
export const xen_sysctl_cpupool_op = struct('xen_sysctl_cpupool_op', {
  op: uint32_t,
  cpupool_id: uint32_t,
  sched_id: uint32_t,
  domid: uint32_t,
  cpu: uint32_t,
  n_dom: uint32_t,
  cpumap: xenctl_bitmap,
});
const arinc653_entry = struct('sched_entries', { dom_handle: bytes(16), vcpu_id: uint32_t, runtime: uint64_aligned_t });
export const xen_sysctl_arinc653_schedule = struct('xen_sysctl_arinc653_schedule', {
  major_frame: uint64_aligned_t,
  num_sched_entries: uint8_t,
  sched_entries: array(arinc653_entry, 64),
});
const xen_sysctl_credit_schedule = struct('xen_sysctl_credit_schedule', {
  tslice_ms: uint32_t,
  ratelimit_us: uint32_t,
  vcpu_migr_delay_us: uint32_t,
});
export const xen_sysctl_scheduler_op = struct('xen_sysctl_scheduler_op', {
  cpupool_id: uint32_t,
  sched_id: uint32_t,
  cmd: uint32_t,
  u: union('u', {
    sched_arinc653: struct('xen_sysctl_sched_arinc653', { schedule: uint64_aligned_t }),
    sched_credit: xen_sysctl_credit_schedule,
    sched_credit2: struct('xen_sysctl_credit2_schedule', { ratelimit_us: uint32_t }),
  }),
});
export const xen_sysctl_coverage_op = struct('xen_sysctl_coverage_op', {
  cmd: uint32_t,
  size: uint32_t,
  buffer: uint64_aligned_t,
});
export const xen_sysctl_psr_cmt_op = struct('xen_sysctl_psr_cmt_op', {
  cmd: uint32_t,
  flags: uint32_t,
  u: union('u', { data: uint64_aligned_t }),
});
export const xen_sysctl_pcitopoinfo = struct('xen_sysctl_pcitopoinfo', {
  num_devs: uint32_t,
  devs: uint64_aligned_t,
  nodes: uint64_aligned_t,
});
export const xen_sysctl_psr_alloc = struct('xen_sysctl_psr_alloc', {
  cmd: uint32_t,
  target: uint32_t,
  u: array(uint32_t, 3),
});
export const xen_sysctl_cpu_levelling_caps = struct('xen_sysctl_cpu_levelling_caps', { caps: uint32_t });
export const xen_sysctl_cpu_featureset = struct('xen_sysctl_cpu_featureset', {
  index: uint32_t,
  nr_features: uint32_t,
  features: uint64_aligned_t,
});
const xen_livepatch_name = struct('xen_livepatch_name', {
  name: uint64_aligned_t,
  size: uint16_t,
  pad: array(uint16_t, 3),
});
export const xen_sysctl_livepatch_op = struct('xen_sysctl_livepatch_op', {
  cmd: uint32_t,
  pad: uint32_t,
  u: union('u', {
    upload: struct('xen_sysctl_livepatch_upload', {
      name: xen_livepatch_name,
      size: uint64_aligned_t,
      payload: uint64_aligned_t,
    }),
    list: struct('xen_sysctl_livepatch_list', {
      version: uint32_t,
      idx: uint32_t,
      nr: uint32_t,
      pad: uint32_t,
      name_total_size: uint32_t,
      metadata_total_size: uint32_t,
      status: uint64_aligned_t,
      name: uint64_aligned_t,
      len: uint64_aligned_t,
      metadata: uint64_aligned_t,
      metadata_len: uint64_aligned_t,
    }),
  }),
});
export const xen_sysctl_cpu_policy = struct('xen_sysctl_cpu_policy', {
  index: uint32_t,
  nr_leaves: uint32_t,
  nr_msrs: uint32_t,
  _rsvd: uint32_t,
  leaves: uint64_aligned_t,
  msrs: uint64_aligned_t,
});
/** A leaf of a policy, and an MSR (public/arch-x86/xen.h). */
export const xen_cpuid_leaf = struct('xen_cpuid_leaf', {
  leaf: uint32_t,
  subleaf: uint32_t,
  a: uint32_t,
  b: uint32_t,
  c: uint32_t,
  d: uint32_t,
});
export const xen_msr_entry = struct('xen_msr_entry', { idx: uint32_t, flags: uint32_t, val: uint64_aligned_t });

/** `XEN_SYSCTL_PHYSCAP_*`: what physinfo says that the host can do. */
export const XEN_SYSCTL_PHYSCAP = {
  hvm: 1 << 0,
  pv: 1 << 1,
  directio: 1 << 2,
  hap: 1 << 3,
  shadow: 1 << 4,
  iommu_hap_pt_share: 1 << 5,
  vmtrace: 1 << 6,
  vpmu: 1 << 7,
  gnttab_v1: 1 << 8,
  gnttab_v2: 1 << 9,
} as const;
