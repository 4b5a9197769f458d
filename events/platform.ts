// What the machine is asked as a whole: platform_op (public/platform.h), and the sysctls (public/sysctl.h) about processors, memory and patches.
import { bytes, int, ints, operation, text, texts } from './schema.ts';

export const operations = {
  'platform.settime32': operation({ domid: int, secs: int, nsecs: int, system_time: int }),
  /** `system_time` is ns since the host booted. */
  'platform.settime64': operation({ domid: int, secs: int, nsecs: int, mbz: int, system_time: int }),
  /** `memtype` is that of an MTRR. */
  'platform.add_memtype': operation({ domid: int, mfn: int, nr_mfns: int, memtype: int }, { handle: int, reg: int }),
  'platform.del_memtype': operation({ domid: int, handle: int, reg: int }),
  'platform.read_memtype': operation({ domid: int, reg: int }, { mfn: int, nr_mfns: int, memtype: int }),
  'platform.microcode_update': operation({ domid: int, data: bytes }),
  'platform.platform_quirk': operation({ domid: int, quirk_id: int }),
  'platform.get_cpu_version': operation(
    { domid: int, xen_cpuid: int },
    { max_present: int, vendor_id: text, family: int, model: int, stepping: int },
  ),
  'platform.efi_runtime_call': operation({ domid: int, function: int }),
  /** `fw_type` is XEN_FW_*. */
  'platform.firmware_info': operation({ domid: int, fw_type: int, index: int }, { kbd_shift_flags: int }),
  'platform.enter_acpi_sleep': operation({ domid: int, sleep_state: int, flags: int, val_a: int, val_b: int }),
  'platform.change_freq': operation({ domid: int, cpu: int, freq: int, flags: int }),
  'platform.getidletime': operation({ domid: int, cpus: ints }, { cpus: ints, idletime: ints, now: int }),
  /** `pm_type` is XEN_PM_*; `states` are the numbers of the P-states, or C-states, that dom0 has found in ACPI's tables. */
  'platform.set_processor_pminfo': operation({ domid: int, id: int, pm_type: int, states: ints }),
  'platform.get_cpuinfo': operation({ domid: int, xen_cpuid: int }, { max_present: int, flags: int, apic_id: int, acpi_id: int }),
  'platform.cpu_hotadd': operation({ domid: int, apic_id: int, acpi_id: int, pxm: int }),
  'platform.mem_hotadd': operation({ domid: int, spfn: int, epfn: int, pxm: int, flags: int }),
  /** `parking_type` is XEN_CORE_PARKING_*. */
  'platform.core_parking': operation({ domid: int, parking_type: int, idle_nums: int }, { idle_nums: int }),
  /** `cmds` are XEN_RESOURCE_OP_*, `idx` the MSRs, `vals` what is written; answers how many were done, and -errno or values. */
  'platform.resource_op': operation(
    { domid: int, cpu: int, cmds: ints, idx: ints, vals: texts },
    { nr_done: int, ret: ints, vals: texts },
  ),
  'platform.get_symbol': operation({ domid: int, symnum: int }, { symnum: int, symtype: text, address: text, name: text }),

  'sysctl.perfc_op': operation({ domid: int, cmd: int }),
  'sysctl.availheap': operation({ domid: int, min_bitwidth: int, max_bitwidth: int, node: int }, { avail_bytes: int }),
  /** `pm_type` is PMSTAT_*. */
  'sysctl.get_pmstat': operation({ domid: int, cpuid: int, pm_type: int }, { total: int }),
  /** `value` is what is set, and what is answered. */
  'sysctl.pm_op': operation({ domid: int, cmd: int, cpuid: int, value: int }, { value: int }),
  /** `cmd` is sysctl_page_offline and the like; a status for each page. */
  'sysctl.page_offline_op': operation({ domid: int, cmd: int, start: int, end: int }, { status: ints }),
  'sysctl.lockprof_op': operation({ domid: int, cmd: int }),
  'sysctl.coverage_op': operation({ domid: int, cmd: int }),
  'sysctl.psr_cmt_op': operation({ domid: int, cmd: int, flags: int }, { data: int }),
  /** `sbdfs` are segment << 16 | bus << 8 | devfn; a node for each, or XEN_INVALID_DEV. */
  'sysctl.pcitopoinfo': operation({ domid: int, sbdfs: ints }, { nodes: ints }),
  'sysctl.psr_alloc': operation({ domid: int, cmd: int, target: int }, { data: int }),
  'sysctl.get_cpu_levelling_caps': operation({ domid: int }, { caps: int }),
  /** At most `nr_features` words; 0 asks for their number alone. */
  'sysctl.get_cpu_featureset': operation({ domid: int, index: int, nr_features: int }, { nr_features: int, features: ints }),
  'sysctl.livepatch_op': operation(
    { domid: int, cmd: int, pad: int, name: text, idx: int, nr: int, payload: bytes },
    { nr: int, version: int },
  ),
  'sysctl.get_cpu_policy': operation({ domid: int, index: int }, { leaves: ints, msr_indices: ints, msr_values: texts }),
  /** As XEN_SYSCTL_cpu_hotplug, for a dom0 whose ACPI says so. */
  'platform.cpu_online': operation({ domid: int, cpuid: int }),
  'platform.cpu_offline': operation({ domid: int, cpuid: int }),
} as const;

export const facts = {
  /** P- or C-states that dom0 has told of a processor. */
  'platform.pminfo_set': { cpu: int, pm_type: int, states: ints },
  /** A setting of power management, by the number of the operation that sets it. */
  'platform.pm_set': { cmd: int, cpuid: int, value: int },
  /** A variable range of MTRRs: its register, and `nr_mfns` 0 where it is free. */
  'platform.memtype_set': { reg: int, mfn: int, nr_mfns: int, memtype: int },
  /** Frames that nobody gets any more, and (false) those that the heap has again. */
  'platform.pages_offlined': { mfn: int, count: int, offline: int },
  /** The machine goes to sleep, or off. */
  'platform.sleep_entered': { sleep_state: int },
  /** Xen has heard of a local APIC for which it has no place, and remembers its id. */
  'platform.apic_noted': { apic_id: int },
} as const;
