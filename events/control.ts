// The toolstack's hold on domains that stand: the domctls (public/domctl.h) beyond making, stopping and ending them.
// `domid` is whoever asks, `domain` the domain concerned. Numbers of 64 bits that need not fit into 53 are texts in hexadecimal.
import { bool, bytes, int, ints, oneOf, operation, text, texts } from './schema.ts';

/** The records of a domain's configuration that are kept as they were set. */
export const SETTINGS = [
  'vnuma',
  'cpu_policy',
  'hvm_context',
  'ext_vcpucontext',
  'xstate',
  'msrs',
  'mmio',
  'ioports',
  'pt_irqs',
  'broken',
  'nodemap',
] as const;

export const operations = {
  /** `flags` are VGCF_*; `context` is struct vcpu_guest_context. Registers beyond those are as they were set. */
  'domctl.getvcpucontext': operation({ domid: int, domain: int, vcpu: int }, { flags: int, context: bytes }),
  /** `op` is XEN_DOMCTL_SHADOW_OP_*. `pages` limits what CLEAN and PEEK look at. */
  'domctl.shadow_op': operation(
    { domid: int, domain: int, op: int, mode: int, mb: int, pages: int },
    { mb: int, pages: int, fault_count: int, dirty_count: int },
  ),
  'domctl.setdomainhandle': operation({ domid: int, domain: int, handle: text }),
  'domctl.setdebugging': operation({ domid: int, domain: int, enable: bool }),
  'domctl.irq_permission': operation({ domid: int, domain: int, pirq: int, allow_access: bool }),
  'domctl.iomem_permission': operation({ domid: int, domain: int, first_mfn: int, nr_mfns: int, allow_access: bool }),
  'domctl.ioport_permission': operation({ domid: int, domain: int, first_port: int, nr_ports: int, allow_access: bool }),
  /** Writes the page of hypercall entry points. */
  'domctl.hypercall_init': operation({ domid: int, domain: int, gmfn: int }),
  /** `trigger` is XEN_DOMCTL_SENDTRIGGER_*. */
  'domctl.sendtrigger': operation({ domid: int, domain: int, trigger: int, vcpu: int }),
  /** The port that is raised when the domain has suspended. */
  'domctl.subscribe': operation({ domid: int, domain: int, port: int }),
  /** `size` 0 asks for the size alone. */
  'domctl.gethvmcontext': operation({ domid: int, domain: int, size: int }, { size: int, buffer: bytes }),
  'domctl.sethvmcontext': operation({ domid: int, domain: int, buffer: bytes }),
  'domctl.gethvmcontext_partial': operation({ domid: int, domain: int, typecode: int, instance: int }, { buffer: bytes }),
  /** `machine_sbdf` as in the header: segment << 16 | bus << 8 | devfn; `dev` is XEN_DOMCTL_DEV_*. */
  'domctl.assign_device': operation({ domid: int, domain: int, dev: int, flags: int, machine_sbdf: int }),
  'domctl.test_assign_device': operation({ domid: int, domain: int, dev: int, flags: int, machine_sbdf: int }),
  'domctl.deassign_device': operation({ domid: int, domain: int, dev: int, flags: int, machine_sbdf: int }),
  'domctl.get_device_group': operation({ domid: int, domain: int, machine_sbdf: int, max_sdevs: int }, { sdevs: ints }),
  /** `irq_type` is PT_IRQ_TYPE_*; `guest_irq` is the guest's GSI, or the MSI vector. */
  'domctl.bind_pt_irq': operation({ domid: int, domain: int, machine_irq: int, irq_type: int, guest_irq: int }),
  'domctl.unbind_pt_irq': operation({ domid: int, domain: int, machine_irq: int, irq_type: int, guest_irq: int }),
  'domctl.memory_mapping': operation({
    domid: int,
    domain: int,
    first_gfn: int,
    first_mfn: int,
    nr_mfns: int,
    add_mapping: bool,
  }),
  'domctl.ioport_mapping': operation({
    domid: int,
    domain: int,
    first_gport: int,
    first_mport: int,
    nr_ports: int,
    add_mapping: bool,
  }),
  /** Where a PV kernel has its SYSENTER and its compatibility SYSCALL: `cs`, `eip` in hexadecimal. */
  'domctl.set_ext_vcpucontext': operation({
    domid: int,
    domain: int,
    vcpu: int,
    sysenter_cs: int,
    sysenter_eip: text,
    sysenter_disables_events: bool,
    syscall32_cs: int,
    syscall32_eip: text,
    syscall32_disables_events: bool,
  }),
  'domctl.get_ext_vcpucontext': operation(
    { domid: int, domain: int, vcpu: int },
    {
      sysenter_cs: int,
      sysenter_eip: text,
      sysenter_disables_events: bool,
      syscall32_cs: int,
      syscall32_eip: text,
      syscall32_disables_events: bool,
    },
  ),
  'domctl.set_target': operation({ domid: int, domain: int, target: int }),
  'domctl.debug_op': operation({ domid: int, domain: int, op: int, vcpu: int }),
  /** `op` is XEN_VM_EVENT_*, `mode` XEN_DOMCTL_VM_EVENT_OP_*. */
  'domctl.vm_event_op': operation({ domid: int, domain: int, op: int, mode: int }, { port: int, version: int }),
  'domctl.mem_sharing_op': operation({ domid: int, domain: int, op: int, enable: bool }),
  'domctl.monitor_op': operation({ domid: int, domain: int, op: int, event: int, sync: bool }, { event: int }),
  /** `buffer`: XCR0, XCR0_ACCUM and the XSAVE area. */
  'domctl.setvcpuextstate': operation({ domid: int, domain: int, vcpu: int, xfeature_mask: text, buffer: bytes }),
  /** `size` 0 asks for the size alone. */
  'domctl.getvcpuextstate': operation(
    { domid: int, domain: int, vcpu: int, size: int },
    { xfeature_mask: text, size: int, buffer: bytes },
  ),
  'domctl.set_access_required': operation({ domid: int, domain: int, access_required: bool }),
  'domctl.audit_p2m': operation({ domid: int, domain: int }, { orphans: int, m2p_bad: int, p2m_bad: int }),
  'domctl.set_virq_handler': operation({ domid: int, domain: int, virq: int }),
  'domctl.set_broken_page_p2m': operation({ domid: int, domain: int, pfn: int }),
  'domctl.cacheflush': operation({ domid: int, domain: int, start_pfn: int, nr_pfns: int }),
  /** `msr_count` 0 asks for the number alone; values in hexadecimal. */
  'domctl.get_vcpu_msrs': operation(
    { domid: int, domain: int, vcpu: int, msr_count: int },
    { msr_count: int, indices: ints, values: texts },
  ),
  'domctl.set_vcpu_msrs': operation({ domid: int, domain: int, vcpu: int, indices: ints, values: texts }, { msr_count: int }),
  /** `vmemranges` are start, end, flags and nid of each; `vdistance` a row for each node. */
  'domctl.setvnumainfo': operation({
    domid: int,
    domain: int,
    nr_vnodes: int,
    vmemranges: ints,
    vdistance: ints,
    vcpu_to_vnode: ints,
    vnode_to_pnode: ints,
  }),
  'domctl.psr_cmt_op': operation({ domid: int, domain: int, cmd: int }, { data: int }),
  'domctl.psr_alloc': operation({ domid: int, domain: int, cmd: int, target: int, data: int }, { data: int }),
  'domctl.soft_reset': operation({ domid: int, domain: int }),
  'domctl.vuart_op': operation({ domid: int, domain: int, cmd: int }),
  'domctl.get_cpu_policy': operation({ domid: int, domain: int }, { leaves: ints, msr_indices: ints, msr_values: texts }),
  /** `leaves` are leaf, subleaf, eax, ebx, ecx and edx of each. */
  'domctl.set_cpu_policy': operation({ domid: int, domain: int, leaves: ints, msr_indices: ints, msr_values: texts }),
  'domctl.vmtrace_op': operation({ domid: int, domain: int, cmd: int, vcpu: int }),
  'domctl.get_paging_mempool_size': operation({ domid: int, domain: int }, { size: int }),
  'domctl.set_paging_mempool_size': operation({ domid: int, domain: int, size: int }),
  /** Reads `len` bytes from page `gfn` at `offset`, or writes `data`. Addresses are physical: page tables are the guest's. */
  'domctl.gdbsx_guestmemio': operation(
    { domid: int, domain: int, gfn: int, offset: int, len: int, gwr: bool, data: bytes },
    { remain: int, data: bytes },
  ),
  'domctl.gdbsx_pausevcpu': operation({ domid: int, domain: int, vcpu: int }),
  'domctl.gdbsx_unpausevcpu': operation({ domid: int, domain: int, vcpu: int }),
  'domctl.gdbsx_domstatus': operation({ domid: int, domain: int }, { paused: bool, vcpu_id: int, vcpu_ev: int }),
  /** A guest kernel hits a breakpoint (vector 3) or a debug trap (1): with a debugger attached, the domain is paused for it. */
  'vcpu.debugger_trap': operation({ domid: int, vcpu: int, vector: int }, { paused: bool }),
  /** The guest has done what Xen does not survive with it: see `domain.crashed`. */
  'vcpu.domain_crash': operation({ domid: int, vcpu: int, why: text }),
} as const;

/** Which of a domain's range sets. */
export const rangeset = oneOf('irqs', 'iomem', 'ioports');

export const facts = {
  'domain.handle_set': { domid: int, handle: text },
  'domain.debugger_attached': { domid: int, attached: bool },
  /** What a domain may use from now on: first and last of each range, ascending. */
  'domain.access_set': { domid: int, rangeset, ranges: ints },
  'domain.hypercall_page_written': { domid: int, mfn: int },
  'domain.suspend_port_set': { domid: int, port: int },
  'domain.target_set': { domid: int, target: int },
  'domain.access_required_set': { domid: int, required: bool },
  /** First frame and count of each extent that its pool of page table pages gets, or gives back. */
  'domain.paging_pool_grown': { domid: int, extents: ints },
  'domain.paging_pool_shrunk': { domid: int, extents: ints },
  'domain.log_dirty_set': { domid: int, enabled: bool },
  /** A record of the domain's configuration, as JSON. */
  'domain.setting_set': {
    domid: int,
    setting: oneOf(...SETTINGS),
    json: text,
  },
  'domain.monitor_set': { domid: int, events: int },
  'domain.button_pressed': { domid: int, button: oneOf('power', 'sleep') },
  /** It has been unpaused for the first time: what it is can not be changed any more. */
  'domain.creation_finished': { domid: int },
  'domain.configured': { domid: int, flags: int, emulation_flags: int, misc_flags: int },
  /** How often the toolstack has paused this vCPU alone. */
  'vcpu.controller_paused': { domid: int, vcpu: int, count: int },
  'vcpu.debug_event_set': { domid: int, vcpu: int, vector: int },
  /** Which domain hears of a VIRQ of the whole host. */
  'evtchn.virq_handler_set': { domid: int, virq: int },
  'gdbsx.memory_written': { domid: int, mfn: int, offset: int, data: bytes },
} as const;
