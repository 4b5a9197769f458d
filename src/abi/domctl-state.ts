// The structures of those domctls that save, restore, limit and debug what a domain is (public/domctl.h of 4.17); the same at both widths.
import { domid_t, evtchn_port_t, uint8_t, uint16_t, uint32_t, uint64_aligned_t } from './scalars.ts';
import { array, struct, union } from './struct.ts';

export const xen_domctl_shadow_op = struct('xen_domctl_shadow_op', {
  op: uint32_t,
  mode: uint32_t,
  mb: uint32_t,
  dirty_bitmap: uint64_aligned_t,
  pages: uint64_aligned_t,
  stats: struct('xen_domctl_shadow_op_stats', { fault_count: uint32_t, dirty_count: uint32_t }),
});

const sched_credit = struct('xen_domctl_sched_credit', { weight: uint16_t, cap: uint16_t });
/** Microseconds. */
const sched_rtds = struct('xen_domctl_sched_rtds', { period: uint32_t, budget: uint32_t, flags: uint32_t });
export const xen_domctl_schedparam_vcpu = struct('xen_domctl_schedparam_vcpu', {
  u: union('u', { credit: sched_credit, rtds: sched_rtds }),
  vcpuid: uint32_t,
});
export const xen_domctl_scheduler_op = struct('xen_domctl_scheduler_op', {
  sched_id: uint32_t,
  cmd: uint32_t,
  u: union('u', {
    credit: sched_credit,
    credit2: sched_credit,
    rtds: sched_rtds,
    v: struct('v', { vcpus: uint64_aligned_t, nr_vcpus: uint32_t, padding: uint32_t }),
  }),
});

export const xen_domctl_hvmcontext = struct('xen_domctl_hvmcontext', { size: uint32_t, buffer: uint64_aligned_t });
export const xen_domctl_hvmcontext_partial = struct('xen_domctl_hvmcontext_partial', {
  type: uint32_t,
  instance: uint32_t,
  bufsz: uint64_aligned_t,
  buffer: uint64_aligned_t,
});
export const xen_domctl_ext_vcpucontext = struct('xen_domctl_ext_vcpucontext', {
  vcpu: uint32_t,
  size: uint32_t,
  syscall32_callback_eip: uint64_aligned_t,
  sysenter_callback_eip: uint64_aligned_t,
  syscall32_callback_cs: uint16_t,
  sysenter_callback_cs: uint16_t,
  syscall32_disables_events: uint8_t,
  sysenter_disables_events: uint8_t,
  vmce: array(uint64_aligned_t, 4),
});
export const xen_domctl_debug_op = struct('xen_domctl_debug_op', { op: uint32_t, vcpu: uint32_t });
export const xen_domctl_vcpuextstate = struct('xen_domctl_vcpuextstate', {
  vcpu: uint32_t,
  xfeature_mask: uint64_aligned_t,
  size: uint64_aligned_t,
  buffer: uint64_aligned_t,
});
export const xen_domctl_vcpu_msr = struct('xen_domctl_vcpu_msr', {
  index: uint32_t,
  reserved: uint32_t,
  value: uint64_aligned_t,
});
export const xen_domctl_vcpu_msrs = struct('xen_domctl_vcpu_msrs', {
  vcpu: uint32_t,
  msr_count: uint32_t,
  msrs: uint64_aligned_t,
});
export const xen_domctl_cpu_policy = struct('xen_domctl_cpu_policy', {
  nr_leaves: uint32_t,
  nr_msrs: uint32_t,
  leaves: uint64_aligned_t,
  msrs: uint64_aligned_t,
  err_leaf: uint32_t,
  err_subleaf: uint32_t,
  err_msr: uint32_t,
});
export const xen_domctl_vnuma = struct('xen_domctl_vnuma', {
  nr_vnodes: uint32_t,
  nr_vmemranges: uint32_t,
  nr_vcpus: uint32_t,
  pad: uint32_t,
  vdistance: uint64_aligned_t,
  vcpu_to_vnode: uint64_aligned_t,
  vnode_to_pnode: uint64_aligned_t,
  vmemrange: uint64_aligned_t,
});
/** public/memory.h: addresses, both ends of the range. */
export const xen_vmemrange = struct('xen_vmemrange', {
  start: uint64_aligned_t,
  end: uint64_aligned_t,
  flags: uint32_t,
  nid: uint32_t,
});

export const xen_domctl_assign_device = struct('xen_domctl_assign_device', {
  dev: uint32_t,
  flags: uint32_t,
  u: union('u', {
    pci: struct('pci', { machine_sbdf: uint32_t }),
    dt: struct('dt', { size: uint32_t, path: uint64_aligned_t }),
  }),
});
export const xen_domctl_get_device_group = struct('xen_domctl_get_device_group', {
  machine_sbdf: uint32_t,
  max_sdevs: uint32_t,
  num_sdevs: uint32_t,
  sdev_array: uint64_aligned_t,
});
export const xen_domctl_bind_pt_irq = struct('xen_domctl_bind_pt_irq', {
  machine_irq: uint32_t,
  irq_type: uint32_t,
  u: union('u', {
    isa: struct('isa', { isa_irq: uint8_t }),
    pci: struct('pci', { bus: uint8_t, device: uint8_t, intx: uint8_t }),
    msi: struct('msi', { gvec: uint8_t, gflags: uint32_t, gtable: uint64_aligned_t }),
  }),
});

export const xen_domctl_gdbsx_memio = struct('xen_domctl_gdbsx_memio', {
  pgd3val: uint64_aligned_t,
  gva: uint64_aligned_t,
  uva: uint64_aligned_t,
  len: uint32_t,
  gwr: uint8_t,
  remain: uint32_t,
});
export const xen_domctl_vm_event_op = struct('xen_domctl_vm_event_op', {
  op: uint32_t,
  mode: uint32_t,
  u: union('u', { port: uint32_t, version: uint32_t }),
});
export const xen_domctl_mem_sharing_op = struct('xen_domctl_mem_sharing_op', { op: uint8_t, enable: uint8_t });
export const xen_domctl_monitor_op = struct('xen_domctl_monitor_op', {
  op: uint32_t,
  event: uint32_t,
  u: union('u', {
    mov_to_cr: struct('mov_to_cr', {
      index: uint8_t,
      sync: uint8_t,
      onchangeonly: uint8_t,
      pad1: uint8_t,
      pad2: uint32_t,
      bitmask: uint64_aligned_t,
    }),
    guest_request: struct('guest_request', { sync: uint8_t, allow_userspace: uint8_t }),
  }),
});
export const xen_domctl_audit_p2m = struct('xen_domctl_audit_p2m', {
  orphans: uint64_aligned_t,
  m2p_bad: uint64_aligned_t,
  p2m_bad: uint64_aligned_t,
});
/** Pointers of Xen's own width, whoever asks. */
export const xen_domctl_cacheflush = struct('xen_domctl_cacheflush', {
  start_pfn: uint64_aligned_t,
  nr_pfns: uint64_aligned_t,
});
export const xen_domctl_psr_cmt_op = struct('xen_domctl_psr_cmt_op', { cmd: uint32_t, data: uint32_t });
export const xen_domctl_psr_alloc = struct('xen_domctl_psr_alloc', { cmd: uint32_t, target: uint32_t, data: uint64_aligned_t });
export const xen_domctl_vuart_op = struct('xen_domctl_vuart_op', {
  cmd: uint32_t,
  type: uint32_t,
  gfn: uint64_aligned_t,
  console_domid: domid_t,
  pad: array(uint8_t, 2),
  evtchn: evtchn_port_t,
});
export const xen_domctl_vmtrace_op = struct('xen_domctl_vmtrace_op', {
  cmd: uint32_t,
  vcpu: uint32_t,
  key: uint64_aligned_t,
  value: uint64_aligned_t,
});
