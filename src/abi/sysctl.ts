// What tools ask of the hypervisor about the host (public/sysctl.h of 4.17); the same at both widths.
import { domid_t, uint8_t, uint32_t, uint64_aligned_t } from './scalars.ts';
import { array, struct } from './struct.ts';

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
