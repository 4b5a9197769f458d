// Those domctls that save, restore, limit and debug what a domain is (xen/arch/x86/domctl.c, xen/common/domctl.c).
import { XEN_DOMCTL, XEN_DOMCTL_U, xen_domctl_vcpucontext } from '../abi/domctl.ts';
import * as abi from '../abi/domctl-state.ts';
import { uint32_t } from '../abi/scalars.ts';
import { XEN_DOMCTL_SCHEDOP, XEN_SCHEDULER } from '../abi/scheduler.ts';
import { isPrivileged } from '../core/xsm.ts';
import type { Call } from './call.ts';
import { type Codec, type Codecs, codec, EFAULT, Refusal, type Source, toNumber } from './codec.ts';
import type { Plain } from './guest-memory.ts';
import { policyArgs, putPolicy } from './policy.ts';

/** No state of a domain is larger (src/core/control/hvm-context.ts). */
const LARGEST = 2 ** 20;
/** What tools give lists of: vCPUs, ranges, devices. */
const MAX_LIST = 4096;
const none = new Uint8Array(0);

/** Whether the domain and the caller's rights would be refused before a list is looked at. */
const isRefused = ({ domain }: Plain, { xen, caller }: Call): boolean =>
  !xen.exists(domain as number) || !isPrivileged(caller.domid);

/** A buffer of the caller's, of a size that the structure says. */
const buffer =
  (size: string, at = 'buffer'): Source =>
  (given, call) => {
    const bytes = Number(given[size] as number | bigint);
    if (isRefused(given, call) || bytes > LARGEST) return none;
    return call.guest.bytes(given[at] as bigint, bytes) ?? EFAULT;
  };
/** A list of 32-bit numbers. */
const numbers =
  (at: string, count: (given: Plain) => number): Source =>
  (given, call) => {
    if (isRefused(given, call)) return [];
    const wanted = Math.min(count(given), MAX_LIST);
    const list = call.guest.list(uint32_t, given[at] as bigint, wanted);
    return list.length < wanted ? EFAULT : list;
  };
/** Of how many bytes there is room for; 0 where the size alone is asked for. */
const room = ({ size, buffer: at }: Plain): number => (at === 0n ? 0 : toNumber(size as number | bigint));
const putBuffer = ({ buffer: bytes }: Plain, { buffer: at }: Plain, { guest }: Call): boolean =>
  at === 0n || guest.put(at as bigint, bytes as Uint8Array);

const extFields = {
  sysenter_cs: 'sysenter_callback_cs',
  sysenter_eip: 'sysenter_callback_eip',
  syscall32_cs: 'syscall32_callback_cs',
  syscall32_eip: 'syscall32_callback_eip',
};
/** Where those fields of struct xen_domctl_ext_vcpucontext end that Xen wants at least. */
const EXT_SIZE = 32;

const device = { machine_sbdf: 'u.pci.machine_sbdf' };
const PT_IRQ_TYPE = { ISA: 1, MSI: 2 } as const;
/** The guest's interrupt: its vector, its ISA number, or device and pin as one. */
const guestIrq: Source = ({ irq_type, u }) => {
  const { isa, pci, msi } = u as Readonly<Record<string, Readonly<Record<string, number>>>>;
  if (irq_type === PT_IRQ_TYPE.MSI) return msi!['gvec'];
  return irq_type === PT_IRQ_TYPE.ISA ? isa!['isa_irq'] : pci!['device']! * 4 + pci!['intx']!;
};

/** struct xen_domctl_scheduler_op: the parameters stand in a union, by scheduler. */
const isRtds = ({ sched_id }: Plain): boolean => sched_id === XEN_SCHEDULER.rtds;
const ofVcpus = ({ cmd }: Plain): boolean => cmd === XEN_DOMCTL_SCHEDOP.putvcpuinfo || cmd === XEN_DOMCTL_SCHEDOP.getvcpuinfo;
const param =
  (member: 'credit' | 'rtds', field: string): Source =>
  (given) =>
    ofVcpus(given) || isRtds(given) !== (member === 'rtds') ? 0 : (given['u'] as Readonly<Record<string, Plain>>)[member]![field];
const scheduling: Codec = codec('domctl.scheduler_op', abi.xen_domctl_scheduler_op, {
  args: {
    weight: param('credit', 'weight'),
    cap: param('credit', 'cap'),
    period: param('rtds', 'period'),
    budget: param('rtds', 'budget'),
    vcpus(given, call) {
      if (!ofVcpus(given) || isRefused(given, call)) return [];
      const { vcpus, nr_vcpus } = (given['u'] as { v: { vcpus: bigint; nr_vcpus: number } }).v;
      const wanted = Math.min(nr_vcpus, MAX_LIST);
      const list = call.guest.list(abi.xen_domctl_schedparam_vcpu, vcpus, wanted);
      return list.length < wanted
        ? EFAULT
        : list.flatMap(({ vcpuid, u: { rtds } }) => [vcpuid, rtds.period, rtds.budget, rtds.flags]);
    },
  },
  out: ({ weight, cap, period, budget }, given) => {
    if (given['cmd'] !== XEN_DOMCTL_SCHEDOP.getinfo) return {};
    return { u: isRtds(given) ? { rtds: { period, budget } } : { credit: { weight, cap } } };
  },
  write({ vcpus: answered }, given, { guest }) {
    if (given['cmd'] !== XEN_DOMCTL_SCHEDOP.getvcpuinfo) return true;
    const { vcpus } = (given['u'] as { v: { vcpus: bigint } }).v;
    const flat = answered as readonly number[];
    const list = Array.from({ length: flat.length / 4 }, (_, i) => {
      const [vcpuid = 0, period = 0, budget = 0, flags = 0] = flat.slice(i * 4, i * 4 + 4);
      return { vcpuid, u: { rtds: { period, budget, flags } } };
    });
    return guest.putList(abi.xen_domctl_schedparam_vcpu, vcpus, list) === list.length;
  },
});

export const stateDomctls: Codecs = {
  [XEN_DOMCTL.scheduler_op]: scheduling,
  [XEN_DOMCTL.getvcpucontext]: codec('domctl.getvcpucontext', xen_domctl_vcpucontext, {
    write: ({ context }, { ctxt }, { guest }) => guest.put(ctxt as bigint, context as Uint8Array),
  }),
  [XEN_DOMCTL.shadow_op]: codec('domctl.shadow_op', abi.xen_domctl_shadow_op, {
    out: ({ mb, pages, fault_count, dirty_count }) => ({
      mb,
      pages: BigInt(pages as number),
      stats: { fault_count, dirty_count },
    }),
    // Nothing is dirty.
    write: ({ pages }, { op, dirty_bitmap }, { guest }) =>
      (op !== SHADOW_OP.CLEAN && op !== SHADOW_OP.PEEK) ||
      dirty_bitmap === 0n ||
      guest.put(dirty_bitmap as bigint, new Uint8Array(Math.min(Math.ceil((pages as number) / 8), LARGEST))),
  }),
  [XEN_DOMCTL.gethvmcontext]: codec('domctl.gethvmcontext', abi.xen_domctl_hvmcontext, {
    args: { size: room },
    out: ['size'],
    write: putBuffer,
  }),
  [XEN_DOMCTL.sethvmcontext]: codec('domctl.sethvmcontext', abi.xen_domctl_hvmcontext, { args: { buffer: buffer('size') } }),
  [XEN_DOMCTL.gethvmcontext_partial]: codec('domctl.gethvmcontext_partial', abi.xen_domctl_hvmcontext_partial, {
    args: { typecode: 'type' },
    out: ({ buffer: bytes }) => ({ bufsz: BigInt((bytes as Uint8Array).length) }),
    write(answer, given, call) {
      const isEnough = given['buffer'] === 0n || BigInt((answer['buffer'] as Uint8Array).length) <= (given['bufsz'] as bigint);
      return isEnough ? putBuffer(answer, given, call) : 'ENOSPC';
    },
  }),
  [XEN_DOMCTL.assign_device]: codec('domctl.assign_device', abi.xen_domctl_assign_device, { args: device }),
  [XEN_DOMCTL.test_assign_device]: codec('domctl.test_assign_device', abi.xen_domctl_assign_device, { args: device }),
  [XEN_DOMCTL.deassign_device]: codec('domctl.deassign_device', abi.xen_domctl_assign_device, { args: device }),
  [XEN_DOMCTL.get_device_group]: codec('domctl.get_device_group', abi.xen_domctl_get_device_group, {
    out: ({ sdevs }) => ({ num_sdevs: (sdevs as readonly number[]).length }),
    write: ({ sdevs }, { sdev_array }, { guest }) =>
      guest.putList(uint32_t, sdev_array as bigint, sdevs as readonly number[]) === (sdevs as readonly number[]).length,
  }),
  [XEN_DOMCTL.bind_pt_irq]: codec('domctl.bind_pt_irq', abi.xen_domctl_bind_pt_irq, { args: { guest_irq: guestIrq } }),
  [XEN_DOMCTL.unbind_pt_irq]: codec('domctl.unbind_pt_irq', abi.xen_domctl_bind_pt_irq, { args: { guest_irq: guestIrq } }),
  [XEN_DOMCTL.set_ext_vcpucontext]: codec('domctl.set_ext_vcpucontext', abi.xen_domctl_ext_vcpucontext, {
    args: {
      ...extFields,
      vcpu(given, call) {
        const { vcpu, size, domain } = given;
        const isTheirs =
          !isRefused(given, call) && domain !== call.caller.domid && call.xen.hasVcpu(domain as number, vcpu as number);
        return isTheirs && (size as number) < EXT_SIZE ? new Refusal('EINVAL') : vcpu;
      },
    },
  }),
  [XEN_DOMCTL.get_ext_vcpucontext]: codec('domctl.get_ext_vcpucontext', abi.xen_domctl_ext_vcpucontext, {
    out: (answer) => ({
      size: abi.xen_domctl_ext_vcpucontext.x86_64.size,
      sysenter_callback_cs: answer['sysenter_cs'],
      sysenter_callback_eip: BigInt(answer['sysenter_eip'] as string),
      sysenter_disables_events: Number(answer['sysenter_disables_events']),
      syscall32_callback_cs: answer['syscall32_cs'],
      syscall32_callback_eip: BigInt(answer['syscall32_eip'] as string),
      syscall32_disables_events: Number(answer['syscall32_disables_events']),
      vmce: [0n, 0n, 0n, 0n],
    }),
  }),
  [XEN_DOMCTL.debug_op]: codec('domctl.debug_op', abi.xen_domctl_debug_op),
  [XEN_DOMCTL.vm_event_op]: codec('domctl.vm_event_op', abi.xen_domctl_vm_event_op, {
    out: ({ version }, { op }) => (op === VM_EVENT_GET_VERSION ? { u: { version } } : {}),
  }),
  [XEN_DOMCTL.mem_sharing_op]: codec('domctl.mem_sharing_op', abi.xen_domctl_mem_sharing_op),
  [XEN_DOMCTL.monitor_op]: codec('domctl.monitor_op', abi.xen_domctl_monitor_op, {
    args: { sync: 'u.guest_request.sync' },
    out: ['event'],
  }),
  [XEN_DOMCTL.setvcpuextstate]: codec('domctl.setvcpuextstate', abi.xen_domctl_vcpuextstate, {
    args: { buffer: buffer('size') },
  }),
  [XEN_DOMCTL.getvcpuextstate]: codec('domctl.getvcpuextstate', abi.xen_domctl_vcpuextstate, {
    args: { size: ({ xfeature_mask, ...given }) => (xfeature_mask === 0n && given['size'] === 0n ? 0 : room(given)) },
    out: ['xfeature_mask', 'size'],
    write: putBuffer,
  }),
  [XEN_DOMCTL.audit_p2m]: codec('domctl.audit_p2m', abi.xen_domctl_audit_p2m),
  [XEN_DOMCTL.cacheflush]: codec('domctl.cacheflush', abi.xen_domctl_cacheflush),
  [XEN_DOMCTL.get_vcpu_msrs]: codec('domctl.get_vcpu_msrs', abi.xen_domctl_vcpu_msrs, {
    args: { msr_count: ({ msr_count, msrs }) => (msrs === 0n ? 0 : msr_count) },
    out: ['msr_count'],
    always: true,
    write({ indices, values }, { msrs }, { guest }) {
      const list = (indices as readonly number[]).map((index, i) => ({
        index,
        reserved: 0,
        value: BigInt((values as readonly string[])[i]!),
      }));
      return guest.putList(abi.xen_domctl_vcpu_msr, msrs as bigint, list) === list.length;
    },
  }),
  [XEN_DOMCTL.set_vcpu_msrs]: codec('domctl.set_vcpu_msrs', abi.xen_domctl_vcpu_msrs, {
    args: { indices: msrs('index'), values: msrs('value') },
    out: ['msr_count'],
    always: true,
  }),
  [XEN_DOMCTL.setvnumainfo]: codec('domctl.setvnumainfo', abi.xen_domctl_vnuma, {
    args: {
      nr_vnodes: ({ nr_vnodes, pad }) => (pad === 0 ? nr_vnodes : new Refusal('EINVAL')),
      vmemranges(given, call) {
        if (isRefused(given, call)) return [];
        const wanted = Math.min(given['nr_vmemranges'] as number, MAX_LIST);
        const list = call.guest.list(abi.xen_vmemrange, given['vmemrange'] as bigint, wanted);
        return list.flatMap(({ start, end, flags, nid }) => [toNumber(start), toNumber(end), flags, nid]);
      },
      // What can not be read is refused when its turn comes (vnuma_init()).
      vdistance: part('vdistance', ({ nr_vnodes }) => Math.min(nr_vnodes as number, 64) ** 2),
      vcpu_to_vnode: numbers('vcpu_to_vnode', ({ nr_vcpus }) => nr_vcpus as number),
      vnode_to_pnode: part('vnode_to_pnode', ({ nr_vnodes }) => nr_vnodes as number),
    },
  }),
  [XEN_DOMCTL.psr_cmt_op]: codec('domctl.psr_cmt_op', abi.xen_domctl_psr_cmt_op),
  [XEN_DOMCTL.psr_alloc]: codec('domctl.psr_alloc', abi.xen_domctl_psr_alloc),
  [XEN_DOMCTL.vuart_op]: codec('domctl.vuart_op', abi.xen_domctl_vuart_op),
  [XEN_DOMCTL.get_cpu_policy]: codec('domctl.get_cpu_policy', abi.xen_domctl_cpu_policy, {
    write: putPolicy(abi.xen_domctl_cpu_policy, XEN_DOMCTL_U),
  }),
  [XEN_DOMCTL.set_cpu_policy]: codec('domctl.set_cpu_policy', abi.xen_domctl_cpu_policy, { args: policyArgs }),
  [XEN_DOMCTL.vmtrace_op]: codec('domctl.vmtrace_op', abi.xen_domctl_vmtrace_op),
  [XEN_DOMCTL.gdbsx_guestmemio]: codec('domctl.gdbsx_guestmemio', abi.xen_domctl_gdbsx_memio, {
    args: {
      gfn: ({ gva }) => Number((gva as bigint) >> 12n),
      offset: ({ gva }) => Number((gva as bigint) & 0xfffn),
      data(given, call) {
        if (given['gwr'] === 0 || isRefused(given, call)) return none;
        // A step reaches to the end of the page.
        const length = Math.min(given['len'] as number, 4096 - Number((given['gva'] as bigint) & 0xfffn));
        return call.guest.bytes(given['uva'] as bigint, length) ?? EFAULT;
      },
    },
    out: ['remain'],
    write: ({ data }, { uva, gwr }, { guest }) => gwr !== 0 || guest.put(uva as bigint, data as Uint8Array),
  }),
};
const SHADOW_OP = { CLEAN: 11, PEEK: 12 } as const;
const VM_EVENT_GET_VERSION = 3;

/** As much of a list as is there. */
function part(at: string, count: (given: Plain) => number): Source {
  return (given, call) =>
    isRefused(given, call) ? [] : call.guest.list(uint32_t, given[at] as bigint, Math.min(count(given), MAX_LIST));
}

function msrs(field: 'index' | 'value'): Source {
  return (given, call) => {
    if (isRefused(given, call)) return [];
    const wanted = Math.min(given['msr_count'] as number, MAX_LIST);
    const list = call.guest.list(abi.xen_domctl_vcpu_msr, given['msrs'] as bigint, wanted);
    if (list.length < wanted) return EFAULT;
    return list.map((msr) => (field === 'index' ? msr.index : `0x${msr.value.toString(16)}`));
  };
}
