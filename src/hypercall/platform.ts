// platform_op (xen/arch/x86/platform_hypercall.c): a structure that says what is asked of the machine, in which version of the interface.
import { bytesOf } from '../../events/bytes.ts';
import * as abi from '../abi/platform.ts';
import { uint32_t } from '../abi/scalars.ts';
import { XENPF } from '../abi/sub-operations.ts';
import { isPrivileged } from '../core/xsm.ts';
import type { Call, Result } from './call.ts';
import { type Codec, type Codecs, codec, EFAULT, perform, toNumber } from './codec.ts';
import type { Plain } from './guest-memory.ts';

/** More entries than these are refused, whatever stands there (RESOURCE_ACCESS_MAX_ENTRIES). */
const MAX_ENTRIES = 3;
/** No processor has so many states. */
const MAX_STATES = 65;
const XEN_PM = { CX: 0, PX: 1, PDC: 3 } as const;
const PDC_WORDS = 3;

/** Those that are refused before a look at what the pointers lead to. */
const unread = { is: [] as unknown as string };

export const platformOp: Codecs = {
  [XENPF.settime32]: codec('platform.settime32', abi.xenpf_settime32),
  [XENPF.settime64]: codec('platform.settime64', abi.xenpf_settime64),
  [XENPF.add_memtype]: codec('platform.add_memtype', abi.xenpf_add_memtype, {
    args: { memtype: 'type' },
    out: ['handle', 'reg'],
  }),
  [XENPF.del_memtype]: codec('platform.del_memtype', abi.xenpf_del_memtype),
  [XENPF.read_memtype]: codec('platform.read_memtype', abi.xenpf_read_memtype, {
    out: ({ mfn, nr_mfns, memtype }) => ({ mfn: BigInt(mfn as number), nr_mfns: BigInt(nr_mfns as number), type: memtype }),
  }),
  [XENPF.microcode_update]: codec('platform.microcode_update', abi.xenpf_microcode_update, {
    args: { data: () => new Uint8Array(0) },
  }),
  [XENPF.platform_quirk]: codec('platform.platform_quirk', abi.xenpf_platform_quirk),
  [XENPF.get_cpu_version]: codec('platform.get_cpu_version', abi.xenpf_pcpu_version, {
    out: ({ vendor_id, ...answer }) => ({ ...answer, vendor_id: bytesOf(vendor_id as string) }),
  }),
  [XENPF.efi_runtime_call]: codec('platform.efi_runtime_call', abi.xenpf_efi_runtime_call),
  [XENPF.firmware_info]: codec('platform.firmware_info', abi.xenpf_firmware_info, {
    args: { fw_type: 'type' },
    out: (u) => ({ u }),
  }),
  [XENPF.enter_acpi_sleep]: codec('platform.enter_acpi_sleep', abi.xenpf_enter_acpi_sleep),
  [XENPF.change_freq]: codec('platform.change_freq', abi.xenpf_change_freq),
  [XENPF.getidletime]: codec('platform.getidletime', abi.xenpf_getidletime, { args: { cpus: unread } }),
  [XENPF.set_processor_pminfo]: codec('platform.set_processor_pminfo', abi.xenpf_set_processor_pminfo, {
    args: { pm_type: 'type', states },
  }),
  [XENPF.get_cpuinfo]: codec('platform.get_cpuinfo', abi.xenpf_pcpuinfo, {
    out: ['max_present', 'flags', 'apic_id', 'acpi_id'],
  }),
  [XENPF.cpu_online]: codec('platform.cpu_online', abi.xenpf_cpu_ol),
  [XENPF.cpu_offline]: codec('platform.cpu_offline', abi.xenpf_cpu_ol),
  [XENPF.cpu_hotadd]: codec('platform.cpu_hotadd', abi.xenpf_cpu_hotadd),
  [XENPF.mem_hotadd]: codec('platform.mem_hotadd', abi.xenpf_mem_hotadd),
  [XENPF.core_parking]: codec('platform.core_parking', abi.xenpf_core_parking, {
    args: { parking_type: 'type' },
    out: ['idle_nums'],
  }),
  [XENPF.resource_op]: codec('platform.resource_op', abi.xenpf_resource_op, {
    args: { cmds: entries('u'), idx: entries('idx'), vals: entries('val') },
    write: putEntries,
    rc: 'nr_done',
  }),
  [XENPF.get_symbol]: codec('platform.get_symbol', abi.xenpf_symdata, {
    out: ({ symnum, symtype, address, name }) => ({
      namelen: (name as string).length + 1,
      symnum,
      address: BigInt(address as string),
      type: bytesOf(symtype as string)[0] ?? 0,
    }),
    write({ name }, { name: at, namelen }, { guest }) {
      const text = bytesOf(`${name as string}\0`);
      return guest.put(at as bigint, text.subarray(0, Math.min(text.length, namelen as number)));
    },
  }),
};

/** What dom0 tells of a processor's power: its C-states by number, its P-states by frequency, or what its driver can do. */
function states({ type, u }: Plain, { guest }: Call): unknown {
  const { power, perf, pdc } = u as { power: Plain; perf: Plain; pdc: bigint };
  const list = (struct: Parameters<typeof guest.list>[0], at: unknown, count: unknown, field: string): unknown => {
    const wanted = Math.min(count as number, MAX_STATES);
    const all = guest.list(struct, at as bigint, wanted) as readonly Plain[];
    return all.length < wanted ? EFAULT : all.map((one) => toNumber(one[field] as number | bigint));
  };
  switch (type) {
    case XEN_PM.CX:
      return list(abi.xen_processor_cx, power['states'], power['count'], 'type');
    case XEN_PM.PX:
      return list(abi.xen_processor_px, perf['states'], perf['state_count'], 'core_frequency');
    case XEN_PM.PDC: {
      const words = guest.list(uint32_t, pdc, PDC_WORDS);
      return words.length < PDC_WORDS ? EFAULT : words;
    }
    default:
      return [];
  }
}

/** One column of the entries of a resource_op. Too many are as many words without a meaning. */
function entries(field: 'u' | 'idx' | 'val') {
  return ({ nr_entries, entries: at }: Plain, { guest }: Call): unknown => {
    const count = nr_entries as number;
    if (count > MAX_ENTRIES) return Array(MAX_ENTRIES + 1).fill(field === 'val' ? '0x0' : 0);
    const list = guest.list(abi.xenpf_resource_entry, at as bigint, count);
    if (list.length < count) return EFAULT;
    return list.map((one) => (field === 'val' ? `0x${one.val.toString(16)}` : toNumber(one[field])));
  };
}
/** What came of each, up to the first that was not done. */
function putEntries({ ret, vals }: Plain, { entries: at }: Plain, { guest }: Call): boolean {
  const size = BigInt(abi.xenpf_resource_entry[guest.width].size);
  return (ret as readonly number[]).every((u, i) => {
    const val = (vals as readonly string[])[i];
    return guest.write(abi.xenpf_resource_entry, (at as bigint) + BigInt(i) * size, {
      u: u >>> 0,
      ...(val === undefined ? {} : { val: BigInt(val) }),
    });
  });
}

export function performPlatformOp(call: Call): Result {
  const at = call.arg(0);
  const head = call.guest.read(abi.xen_platform_op, at);
  if (head === undefined) return call.refuse('EFAULT');
  const cmd = head['cmd'] as number;
  if (head['interface_version'] !== abi.XENPF_INTERFACE_VERSION) return call.refuse('EACCES', cmd);
  if (!isPrivileged(call.caller.domid)) return call.refuse('EPERM', cmd);
  const known: Codec | undefined = platformOp[cmd];
  return known ? perform(call, known, at + BigInt(abi.XENPF_U), cmd) : call.refuse('ENOSYS', cmd);
}
