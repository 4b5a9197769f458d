// platform_op (xen/arch/x86/platform_hypercall.c) and the sysctls about the machine (xen/common/sysctl.c, xen/arch/x86/sysctl.c).
import { accept, type GuestReader, refuse } from '../../../events/step.ts';
import type { Ns } from '../../../events/units.ts';
import type { CommandOf, Outcome, PlatformCommand } from '../../../events/vocabulary.ts';
import { hex64 } from '../../abi/u64.ts';
import { printk } from '../console/printk.ts';
import { leavesOf, msrValuesOf, POLICIES, POLICY_MSRS } from '../cpu-policies.ts';
import { FEATURESETS, FSCAPINTS, featureset } from '../features.ts';
import type { Xen } from '../xen.ts';
import { isPrivileged } from '../xsm.ts';
import { isOnline, lastCpu } from './cpus.ts';
import { availheap, livepatch, pageOffline } from './memory.ts';
import { pmOp, pmstat, setPminfo } from './power.ts';
import { NR_MEMTYPES } from './state.ts';

export function decide(xen: Xen, command: PlatformCommand, now: Ns, guest: GuestReader): Outcome {
  if (!isPrivileged(command.domid)) return refuse('EPERM');
  switch (command.type) {
    case 'platform.settime32':
      return settime(command.secs, command.nsecs, command.system_time);
    case 'platform.settime64':
      return command.mbz === 0 ? settime(command.secs, command.nsecs, command.system_time) : refuse('EINVAL');
    case 'platform.add_memtype':
      return addMemtype(xen, command);
    case 'platform.del_memtype':
      return delMemtype(xen, command);
    case 'platform.read_memtype': {
      const { reg } = command;
      if (reg < 0 || reg >= NR_MEMTYPES) return refuse('EINVAL');
      const { mfn, nr_mfns, memtype } = xen.platform.memtypes.row(0, reg);
      return accept({ mfn, nr_mfns, memtype });
    }
    case 'platform.microcode_update':
      return refuse('EINVAL'); // the machine's processors take none
    case 'platform.platform_quirk':
      return platformQuirk(xen, command, now, guest);
    case 'platform.get_cpu_version': {
      const isThere = isOnline(xen, command.xen_cpuid);
      const version = isThere ? machineCpu : unknownCpu;
      return accept({ max_present: lastCpu(xen), ...version });
    }
    case 'platform.efi_runtime_call':
      return refuse('ENOSYS'); // the machine was not booted by EFI
    case 'platform.firmware_info':
      return firmwareInfo(command);
    case 'platform.enter_acpi_sleep':
      return enterSleep(xen, command, now, guest);
    case 'platform.change_freq':
    case 'platform.getidletime':
      return refuse('ENOSYS'); // frequencies are Xen's own affair, not dom0's (cpufreq=dom0-kernel)
    case 'platform.set_processor_pminfo':
      return setPminfo(xen, command);
    case 'platform.get_cpuinfo': {
      const { xen_cpuid } = command;
      const max_present = lastCpu(xen);
      if (xen_cpuid < 0 || xen_cpuid > max_present) return accept({ max_present, flags: PCPU.INVALID, apic_id: 0, acpi_id: 0 });
      const flags = isOnline(xen, xen_cpuid) ? PCPU.ONLINE : 0;
      return accept({ max_present, flags, apic_id: xen_cpuid, acpi_id: xen_cpuid });
    }
    case 'platform.cpu_online':
    case 'platform.cpu_offline': {
      const online = command.type === 'platform.cpu_online';
      if (!online && command.cpuid === 0) return refuse('EOPNOTSUPP');
      if (command.cpuid < 0 || command.cpuid > lastCpu(xen)) return refuse('EINVAL');
      // What is so already is no work; the rest is the scheduler's (see `hotplugOf`).
      return accept();
    }
    case 'platform.cpu_hotadd': {
      const { apic_id, acpi_id, pxm } = command;
      const isRight = acpi_id >= 0 && acpi_id < 512 && apic_id >= 0 && apic_id < 0x10000 && pxm >= 0 && pxm < 256;
      if (!isRight) return refuse('EINVAL');
      if (acpi_id <= lastCpu(xen)) return refuse(apic_id === acpi_id ? 'EEXIST' : 'EINVAL');
      if (apic_id <= lastCpu(xen) || xen.platform.knowsApic(apic_id)) return refuse('EEXIST');
      return refuse('ENOSPC', undefined, { type: 'platform.apic_noted', apic_id }); // the machine has no more
    }
    case 'platform.mem_hotadd':
      return refuse('EINVAL'); // memory beyond the machine's is no memory (mem_hotadd_check())
    case 'platform.core_parking': {
      // No core is parked here: what asks for more than none is refused.
      const { parking_type } = command;
      const isNone = parking_type === CORE_PARKING.SET && command.idle_nums === 0;
      return parking_type === CORE_PARKING.GET || isNone ? accept({ idle_nums: 0 }) : refuse('EINVAL');
    }
    case 'platform.resource_op':
      return resourceOp(xen, command, now);
    case 'platform.get_symbol':
      // Xen's own symbols: there is no image that would have any.
      return accept({ symnum: command.symnum, symtype: '', address: '0x0', name: '' });

    case 'sysctl.perfc_op': // no performance counters are built in (CONFIG_PERF_COUNTERS)
    case 'sysctl.lockprof_op': // nor profiles of locks (CONFIG_DEBUG_LOCK_PROFILE)
      return refuse('ENOSYS');
    case 'sysctl.coverage_op':
      return refuse('EOPNOTSUPP'); // (CONFIG_COVERAGE)
    case 'sysctl.availheap':
      return availheap(xen, command);
    case 'sysctl.get_pmstat':
      return pmstat(xen, command);
    case 'sysctl.pm_op':
      return pmOp(xen, command);
    case 'sysctl.page_offline_op':
      return pageOffline(xen, command);
    case 'sysctl.psr_cmt_op':
      return refuse('ENODEV'); // the processor does not monitor its caches
    case 'sysctl.psr_alloc':
      return refuse(command.cmd >= 0 && command.cmd <= LAST_PSR_INFO ? 'ENODEV' : 'EOPNOTSUPP');
    case 'sysctl.pcitopoinfo': {
      const nodes = command.sbdfs.map((sbdf) => (xen.physdev.find(sbdf) < 0 ? INVALID_DEV : INVALID_NODE));
      return accept({ nodes });
    }
    case 'sysctl.get_cpu_levelling_caps':
      return accept({ caps: LEVELLING_CAPS });
    case 'sysctl.get_cpu_featureset': {
      const { index, nr_features } = command;
      if (nr_features === 0) return accept({ nr_features: FSCAPINTS, features: [] });
      const name = FEATURESETS[index];
      if (name === undefined || nr_features < 0) return refuse('EINVAL');
      const features = featureset(name).slice(0, nr_features);
      const answer = { nr_features: features.length, features };
      return features.length < FSCAPINTS ? refuse('ENOBUFS', answer) : accept(answer);
    }
    case 'sysctl.livepatch_op':
      return livepatch(command);
    case 'sysctl.get_cpu_policy': {
      const name = POLICIES[command.index];
      if (name === undefined) return refuse('EINVAL');
      return accept({ leaves: leavesOf(name), msr_indices: [...POLICY_MSRS], msr_values: msrValuesOf(name) });
    }
    default:
      return command satisfies never;
  }
}

const PCPU = { ONLINE: 1, INVALID: 2 } as const;
const CORE_PARKING = { SET: 1, GET: 2 } as const;
const LAST_PSR_INFO = 2;
/** XEN_SYSCTL_CPU_LEVELCAP_*: AMD's processors can hide words of features (ecx, edx, extd_ecx, extd_edx, l7s0_eax, l7s0_ebx). */
const LEVELLING_CAPS = 0x19e;
const INVALID_NODE = 2 ** 32 - 1;
const INVALID_DEV = 2 ** 32 - 2;
/** What QEMU's processor `max` calls itself, on which Xen was recorded; no recording has this answer. */
const machineCpu = { vendor_id: 'AuthenticAMD', family: 15, model: 107, stepping: 1 };
const unknownCpu = { vendor_id: '', family: 0, model: 0, stepping: 0 };

/** do_settime(): what the wall clock says at a system time. */
function settime(secs: number, nsecs: number, system_time: Ns): Outcome {
  if (secs < 0 || secs > LAST_SECOND || nsecs < 0 || nsecs >= 2 ** 32 || system_time < 0) return refuse('EINVAL');
  const whole = secs * 1_000 + Math.floor((nsecs - system_time) / 1_000_000);
  const rest = (((nsecs - system_time) % 1_000_000) + 1_000_000) % 1_000_000;
  const sec = Math.floor(whole / 1_000);
  return accept({}, { type: 'time.wallclock_set', sec, nsec: (whole - sec * 1_000) * 1_000_000 + rest });
}
/** Ours: of what 64 bits can say, that which a number of milliseconds holds exactly. */
const LAST_SECOND = 2 ** 42;

/** mtrr_add_page(): a range as it is already is used once more; no other overlaps it. */
function addMemtype(xen: Xen, { mfn, nr_mfns, memtype }: CommandOf<'platform.add_memtype'>): Outcome {
  const isPowerOfTwo = nr_mfns > 0 && nr_mfns < 2 ** 31 && (nr_mfns & (nr_mfns - 1)) === 0;
  if (![0, 1, 4, 5, 6].includes(memtype) || !isPowerOfTwo || mfn < 0 || mfn >= 2 ** 40 || mfn % nr_mfns !== 0)
    return refuse('EINVAL');
  let free = -1;
  for (let reg = 0; reg < NR_MEMTYPES; reg++) {
    const other = xen.platform.memtypes.row(0, reg);
    if (other.nr_mfns === 0) {
      if (free < 0) free = reg;
      continue;
    }
    if (mfn + nr_mfns <= other.mfn || other.mfn + other.nr_mfns <= mfn) continue;
    if (other.mfn !== mfn || other.nr_mfns !== nr_mfns || other.memtype !== memtype) return refuse('EINVAL');
    return accept({ handle: 0, reg }, { type: 'platform.memtype_set', reg, mfn, nr_mfns, memtype });
  }
  if (free < 0) return refuse('ENOSPC');
  return accept({ handle: 0, reg: free }, { type: 'platform.memtype_set', reg: free, mfn, nr_mfns, memtype });
}

function delMemtype(xen: Xen, { handle, reg }: CommandOf<'platform.del_memtype'>): Outcome {
  if (handle !== 0 || reg < 0 || reg >= NR_MEMTYPES || xen.platform.memtypes.of(0)!.uses.at(reg) === 0) return refuse('EINVAL');
  return accept({}, { type: 'platform.memtype_set', reg, mfn: 0, nr_mfns: 0, memtype: 0 });
}

function platformQuirk(xen: Xen, { quirk_id }: CommandOf<'platform.platform_quirk'>, now: Ns, guest: GuestReader): Outcome {
  if (quirk_id === 1) return accept({}, ...printk(xen, now, guest, [{ text: 'Platform quirk: interrupts are not balanced' }]));
  return quirk_id === 2 || quirk_id === 3 ? accept() : refuse('EINVAL');
}

const FW = { DISK_INFO: 1, DISK_MBR_SIGNATURE: 2, VBEDDC_INFO: 3, EFI_INFO: 4, KBD_SHIFT_FLAGS: 5 } as const;
/** The machine has no BIOS whose discs or screens could be asked for. */
function firmwareInfo({ fw_type, index }: CommandOf<'platform.firmware_info'>): Outcome {
  switch (fw_type) {
    case FW.DISK_INFO:
    case FW.DISK_MBR_SIGNATURE:
    case FW.VBEDDC_INFO:
      return refuse('ESRCH');
    case FW.EFI_INFO:
      return refuse('ENOSYS');
    case FW.KBD_SHIFT_FLAGS:
      return index === 0 ? accept({ kbd_shift_flags: 0 }) : refuse('ESRCH');
    default:
      return refuse('EINVAL');
  }
}

/** ACPI S1 to S5; without a wake-up vector, nobody wakes from S3. */
function enterSleep(xen: Xen, command: CommandOf<'platform.enter_acpi_sleep'>, now: Ns, guest: GuestReader): Outcome {
  const { sleep_state, flags } = command;
  if (sleep_state === 3) return refuse('EOPNOTSUPP');
  if ((flags & 1) !== 0) return refuse('EPERM'); // no hardware-reduced ACPI
  if (flags !== 0) return refuse('EINVAL');
  if (sleep_state !== 5) return refuse('EINVAL');
  const says = printk(xen, now, guest, [{ level: 'info', text: 'Entering ACPI S5 state.' }]);
  return accept({}, { type: 'platform.sleep_entered', sleep_state }, ...says);
}

const MSR_IA32_TSC = 0x10;
const MAX_ENTRIES = 3;
/** Only the time stamp counter may be read by everybody's processor. */
function resourceOp(xen: Xen, { cpu, cmds, idx }: CommandOf<'platform.resource_op'>, now: Ns): Outcome {
  if (cmds.length === 0) return accept({ nr_done: 0, ret: [], vals: [] });
  if (cmds.length > MAX_ENTRIES || idx.length < cmds.length) return refuse(cmds.length > MAX_ENTRIES ? 'EINVAL' : 'EFAULT');
  const ret: number[] = [];
  const vals: string[] = [];
  for (const [i, cmd] of cmds.entries()) {
    const index = idx[i]!;
    const errno =
      cmd !== 0 && cmd !== 1 ? -95 : index < 0 || index >= 2 ** 32 ? -22 : cmd === 0 && index === MSR_IA32_TSC ? 0 : -1;
    if (errno !== 0) {
      ret.push(errno);
      break;
    }
    ret.push(0);
    vals.push(hex64({ low: now % 2 ** 32, high: Math.floor(now / 2 ** 32) }));
  }
  const nr_done = vals.length;
  if (nr_done > 0 && !isOnline(xen, cpu)) return refuse('ENODEV');
  return accept({ nr_done, ret, vals });
}

/** The hotplug operation that an accepted cpu_online or cpu_offline asks for; undefined where the pCPU is so already. */
export function hotplugOf(
  xen: Xen,
  { type, domid, cpuid }: CommandOf<'platform.cpu_online'> | CommandOf<'platform.cpu_offline'>,
): CommandOf<'sysctl.cpu_hotplug'> | undefined {
  const online = type === 'platform.cpu_online';
  if (isOnline(xen, cpuid) === online) return undefined;
  return { type: 'sysctl.cpu_hotplug', domid, cpu: cpuid, op: online ? 0 : 1 };
}
