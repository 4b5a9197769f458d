// The table of docs/hypercalls.md: every hypercall and sub-operation of Xen 4.17's public headers, and what becomes of it here.
import { operations } from '../../events/vocabulary.ts';
import { XEN_DOMCTL } from '../../src/abi/domctl.ts';
import { EVTCHNOP } from '../../src/abi/event-channel.ts';
import { GNTTABOP } from '../../src/abi/grant-table.ts';
import { HYPERVISOR } from '../../src/abi/hypercall.ts';
import { XENMEM } from '../../src/abi/memory.ts';
import { SCHEDOP } from '../../src/abi/sched.ts';
import { CALLBACKOP, HVMOP, MMUEXT, PHYSDEVOP, XEN_SYSCTL, XENNMI, XENPF, XENVER } from '../../src/abi/sub-operations.ts';
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
  xenpmu_op: 'not modelled: there are no performance counters',
  hypfs_op: 'not modelled',
};
/** What Xen answers as it was built: an operation of the vocabulary, for the answer's sake. */
const notConfigured: Readonly<Record<string, string>> = {
  'memory.machphys_compat_mfn_list': '-EOPNOTSUPP, as Xen without 32-bit PV guests',
  'memory.paging_op': '-ENOSYS, as Xen when not configured',
  'memory.sharing_op': '-ENOSYS, as Xen when not configured',
};
/** What is done in part: what is missing. */
const parts: Readonly<Record<string, string>> = {
  'memory.machphys_mfn_list': 'the table of a machine of more than 7 GiB says its last frame again; nobody reads the frames',
  'mm.mmu_update': 'guests of 64 bits, one update a step; nothing is preempted',
  'mm.update_va_mapping': 'nothing is left in a TLB to flush',
  'mm.update_va_mapping_otherdomain': 'nothing is left in a TLB to flush',
  'mm.set_segment_base': 'the base behind a selector is not looked up',
  'mm.iret': 'the frame is given: there are no registers to find it by',
  'memory.acquire_resource': 'no pages are made for ioreq servers, and there are no traces',
  'memory.access_op': 'there are no rings for events of memory, which is -ENODEV',
  'gnttab.map_grant_ref': 'the address of a host mapping is kept, and no page table entry written there',
  'gnttab.unmap_grant_ref': 'a host mapping is checked by the address that its handle was made with',
  'gnttab.unmap_and_replace': 'no page table entry takes the place of the mapping',
  'gnttab.dump_table': '-ENOSYS, as in Xen',
  'sysctl.cpu_hotplug': 'one pCPU at a time: SMT as a whole is not switched',
  'physdev.map_pirq': 'a pirq has the number of its interrupt',
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
      const status = left[hypercall] ?? statusOf(single[hypercall] ?? hypercall);
      lines.push(`| ${hypercall} | ${number} | | | ${status} |`);
      continue;
    }
    const [, prefix, names] = group;
    for (const [name, sub] of Object.entries(names).sort(([, a], [, b]) => a - b))
      lines.push(`| ${hypercall} | ${number} | ${name} | ${sub} | ${statusOf(`${prefix}.${name}`)} |`);
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
