// The table of docs/hypercalls.md: every hypercall and sub-operation of Xen 4.17's public headers, and what becomes of it here.
import { operations } from '../../events/vocabulary.ts';
import { XEN_DOMCTL } from '../../src/abi/domctl.ts';
import { EVTCHNOP } from '../../src/abi/event-channel.ts';
import { GNTTABOP } from '../../src/abi/grant-table.ts';
import { HYPERVISOR } from '../../src/abi/hypercall.ts';
import { XENMEM } from '../../src/abi/memory.ts';
import { SCHEDOP } from '../../src/abi/sched.ts';
import {
  CALLBACKOP,
  CONSOLEIO,
  DMOP,
  HVMOP,
  MMUEXT,
  PHYSDEVOP,
  XEN_SYSCTL,
  XENNMI,
  XENPF,
  XENVER,
} from '../../src/abi/sub-operations.ts';
import { VCPUOP } from '../../src/abi/vcpu.ts';

/** Where a hypercall's sub-operations stand in the vocabulary: `<prefix>.<name>`. */
const groups: readonly (readonly [
  hypercall: keyof typeof HYPERVISOR,
  prefix: string,
  names: Readonly<Record<string, number>>,
])[] = [
  ['event_channel_op', 'evtchn', EVTCHNOP],
  ['grant_table_op', 'gnttab', GNTTABOP],
  ['memory_op', 'memory', XENMEM],
  ['sched_op', 'sched', SCHEDOP],
  ['vcpu_op', 'vcpu', VCPUOP],
  ['xen_version', 'xen_version', XENVER],
  ['domctl', 'domctl', XEN_DOMCTL],
  ['sysctl', 'sysctl', XEN_SYSCTL],
  ['physdev_op', 'physdev', PHYSDEVOP],
  ['hvm_op', 'hvm', HVMOP],
  ['platform_op', 'platform', XENPF],
  ['mmuext_op', 'mmuext', MMUEXT],
  ['dm_op', 'dm', DMOP],
  ['console_io', 'console_io', CONSOLEIO],
  ['callback_op', 'callback', CALLBACKOP],
  ['nmi_op', 'nmi', XENNMI],
];

/** Hypercalls without sub-operations that are operations of another name here. */
const single: Readonly<Record<string, string>> = {
  set_timer_op: 'timer.set_timer_op',
  ...Object.fromEntries(
    [
      'set_trap_table',
      'mmu_update',
      'set_gdt',
      'stack_switch',
      'set_callbacks',
      'fpu_taskswitch',
      'set_debugreg',
      'get_debugreg',
      'update_descriptor',
      'update_va_mapping',
      'vm_assist',
      'update_va_mapping_otherdomain',
      'iret',
      'set_segment_base',
    ].map((name) => [name, `mm.${name}`]),
  ),
};
/** Hypercalls that no operation stands for: what a guest gets by calling in bytes. */
const inBytes: Readonly<Record<string, string>> = {
  'hvm.altp2m': "-EOPNOTSUPP, as Xen on AMD's processors",
  multicall: 'done: of a guest that calls in bytes (`src/hypercall`); each of its calls is a step',
};
/** Those that stay out, and why. */
const left: Readonly<Record<string, string>> = {
  sched_op_compat: 'not modelled: for kernels before 3.1',
  event_channel_op_compat: 'not modelled: for kernels before 3.1',
  physdev_op_compat: 'not modelled: for kernels before 3.1',
  xsm_op: '-ENOSYS, as Xen without FLASK',
  xenoprof_op: 'not modelled: there is no profiler',
  kexec_op: 'not modelled: there is no second kernel to boot',
  tmem_op: '-ENOSYS, as Xen since 4.13',
  argo_op: '-ENOSYS, as Xen when not configured',
  xenpmu_op: '-EOPNOTSUPP, as Xen without vpmu',
  hypfs_op: 'not modelled: there is no tree of settings',
};
/** What Xen answers as it was built: an operation of the vocabulary, for the answer's sake. */
const notConfigured: Readonly<Record<string, string>> = {
  'memory.machphys_compat_mfn_list': '-EOPNOTSUPP, as Xen without 32-bit PV guests',
  'memory.paging_op': '-ENOSYS, as Xen when not configured',
  'memory.sharing_op': '-ENOSYS, as Xen when not configured',
  'domctl.mem_sharing_op': '-ENOSYS, as Xen when not configured',
  'domctl.vuart_op': '-ENOSYS, as Xen on x86',
  'domctl.cacheflush': '-ENOSYS, as Xen on x86',
  'domctl.audit_p2m': '-ENOSYS, as a release of Xen',
  'domctl.psr_cmt_op': '-ENODEV, as Xen on the recorded machine',
  'domctl.psr_alloc': '-ENODEV, as Xen on the recorded machine',
  'domctl.vmtrace_op': '-EINVAL, as Xen on the recorded machine',
  'sysctl.perfc_op': '-ENOSYS, as Xen when not configured',
  'sysctl.lockprof_op': '-ENOSYS, as Xen when not configured',
  'sysctl.coverage_op': '-EOPNOTSUPP, as Xen when not configured',
  'sysctl.psr_cmt_op': '-ENODEV, as Xen on the recorded machine',
  'sysctl.psr_alloc': '-ENODEV, as Xen on the recorded machine',
  'platform.microcode_update': '-EINVAL, as Xen on a processor that takes none',
  'platform.efi_runtime_call': '-ENOSYS, as Xen that no EFI booted',
  'platform.change_freq': "-ENOSYS, as Xen whose frequencies are not dom0's",
  'platform.getidletime': "-ENOSYS, as Xen whose frequencies are not dom0's",
  'platform.mem_hotadd': '-EINVAL, as Xen on a machine without more memory',
  'physdev.free_irq_vector': '-ENOSYS, as in Xen',
  'physdev.pci_mmcfg_reserved': '-ENODEV, as Xen on a machine without such a window',
  'dm.set_irq_level': '-EOPNOTSUPP, as Xen on x86',
  'hvm.pagetable_dying': '-EINVAL, as Xen where no domain is shadowed',
  'hvm.set_pci_intx_level': '-ENOSYS, as in Xen: moved to dm_op',
  'hvm.set_isa_irq_level': '-ENOSYS, as in Xen: moved to dm_op',
  'hvm.set_pci_link_route': '-ENOSYS, as in Xen: moved to dm_op',
  'hvm.set_mem_access': '-ENOSYS, as in Xen: moved to memory_op',
  'hvm.get_mem_access': '-ENOSYS, as in Xen: moved to memory_op',
  'hvm.altp2m': "-EOPNOTSUPP, as Xen on AMD's processors",
};
/** What is done in part: what is missing. */
const parts: Readonly<Record<string, string>> = {
  'memory.machphys_mfn_list': 'the table of a machine of more than 7 GiB says its last frame again; nobody reads the frames',
  'platform.get_cpu_version': 'of the processor that Xen was recorded on',
  'mm.mmu_update': 'one update a step; nothing is preempted',
  'mm.update_va_mapping': 'nothing is left in a TLB to flush',
  'mm.update_va_mapping_otherdomain': 'nothing is left in a TLB to flush',
  'mm.set_segment_base': 'the base behind a selector is not looked up',
  'mm.iret': 'whoever executes the guest says where its stack is; a kernel of 32 bits does not come into VM86 mode',
  'memory.acquire_resource': 'there are no traces of processors',
  'memory.access_op': "-EINVAL, as Xen on AMD's processors",
  'gnttab.map_grant_ref': 'a domain that runs on no page tables that Xen knows of has no entry for it',
  'gnttab.dump_table': '-ENOSYS, as in Xen',
  'sysctl.cpu_hotplug': 'one pCPU at a time: SMT as a whole is not switched',
  'physdev.map_pirq': 'a pirq has the number of its interrupt',
  'physdev.pirq_eoi_gmfn_v1': 'the page is kept, and no bit set in it: interrupts of the machine do not come',
  'physdev.pirq_eoi_gmfn_v2': 'the page is kept, and no bit set in it: interrupts of the machine do not come',
  'domctl.setvcpucontext': 'the state itself as `domctl.setvcpucontext_from`, and its page tables with it',
  'domctl.getvcpucontext': "what was set; what changes in registers is whoever executes the guest's",
  'domctl.shadow_op': "no page is ever found dirty: a guest's own stores are not seen",
  'domctl.gethvmcontext': 'the records that were set',
  'domctl.sethvmcontext': 'records are kept, and not looked into; vCPUs are initialised',
  'domctl.get_cpu_policy': 'what the recorded Xen begins with, and what was set',
  'domctl.set_cpu_policy': "leaves and MSRs are kept, and not compared with the host's",
  'domctl.setvcpuextstate': 'x87, SSE and AVX',
  'domctl.memory_mapping': 'the ranges are kept beside the physmap',
  'domctl.vm_event_op': 'nobody can listen',
  'domctl.monitor_op': 'what is enabled is kept, and nothing reported',
  'domctl.gdbsx_guestmemio': 'physical addresses; -ENOSYS, as the other three, where Xen is not built for gdbsx, as by default',
  'domctl.set_target': "a target that is gone is nobody's: it does not wait for its device model",
  'domctl.soft_reset': 'in one go',
  'sysctl.get_cpu_featureset': 'of the recorded processor',
  'sysctl.get_cpu_policy': 'of the recorded processor',
  'sysctl.page_offline_op': 'what a domain has stays its own',
  'sysctl.livepatch_op': 'no patch fits',
  'sysctl.tbuf_op':
    'records of the scheduler, of domains, grants, memory given back or populated on demand, hypercalls, and of guests themselves',
  'sysctl.get_pmstat': 'the number of C-states',
  'platform.get_symbol': 'there are none',
  'platform.enter_acpi_sleep': 'S5, which whoever runs the host has to obey',
  'dm.create_ioreq_server': 'its channels are ordinary ones: the guest could close them',
  'dm.set_ioreq_server_state': 'its pages stay in the physmap',
  'dm.track_dirty_vram': 'all pages count as dirty',
};

/** The page as Markdown; it changes with the code alone. */
export function hypercallsPage(): string {
  const lines = [
    '# Hypercalls',
    '',
    "Every hypercall and sub-operation of Xen 4.17's public headers. *done*: an operation of the vocabulary (`events/`) decides it, with",
    "Xen's errors in Xen's order. *open*: it is not there yet.",
    '',
    'This page is made from the code: `npx vitest run tools/conformance/hypercalls-table.test.ts -u`.',
    '',
    '| hypercall | number | sub-operation | number | status |',
    '| --- | --- | --- | --- | --- |',
  ];
  for (const [hypercall, number] of Object.entries(HYPERVISOR)) {
    if (hypercall.startsWith('arch_')) continue;
    const group = groups.find(([name]) => name === hypercall);
    if (group === undefined) {
      const status = left[hypercall] ?? inBytes[hypercall] ?? statusOf(single[hypercall] ?? hypercall);
      lines.push(`| ${hypercall} | ${number} | | | ${status} |`);
      continue;
    }
    const [, prefix, names] = group;
    for (const [name, sub] of Object.entries(names).sort(([, a], [, b]) => a - b))
      lines.push(
        `| ${hypercall} | ${number} | ${name} | ${sub} | ${inBytes[`${prefix}.${name}`] ?? statusOf(`${prefix}.${name}`)} |`,
      );
  }
  return `${lines.join('\n')}\n`;
}

function statusOf(operation: string): string {
  if (!Object.hasOwn(operations, operation)) return 'open';
  const answer = notConfigured[operation];
  if (answer !== undefined) return answer;
  const part = parts[operation];
  return part === undefined ? 'done' : `done: ${part}`;
}
