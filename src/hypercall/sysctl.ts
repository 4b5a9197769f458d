// sysctl (xen/common/sysctl.c, xen/arch/x86/sysctl.c): a structure that says what is asked of the host, in which version of the
// interface; what follows in it is the sub-operation's own.
import { byteString, bytesOf } from '../../events/bytes.ts';
import { errnoNumber } from '../../events/errno.ts';
import * as domctl from '../abi/domctl.ts';
import { physdev_pci_device } from '../abi/physdev.ts';
import { uint32_t, uint64_aligned_t } from '../abi/scalars.ts';
import { XEN_SCHEDULER, XEN_SYSCTL_CPUPOOL_OP, XEN_SYSCTL_SCHEDOP } from '../abi/scheduler.ts';
import { XEN_SYSCTL } from '../abi/sub-operations.ts';
import * as sysctl from '../abi/sysctl.ts';
import { isPrivileged } from '../core/xsm.ts';
import { type Bitmap, bitsOf, putBits } from './bitmap.ts';
import { type Call, done, type Result } from './call.ts';
import { type Codecs, codec, EFAULT, perform, Refusal, toNumber } from './codec.ts';
import { domainInfo } from './domctl.ts';
import type { Plain } from './guest-memory.ts';
import { putPolicy } from './policy.ts';
import { handleBytes, handleText } from './version.ts';

/** More of them at once would say nothing new. */
const MAX_KEYS = 4096;
/** What a tool asks of a list of the machine's parts at most. */
const MAX_LIST = 4096;
const big = (answer: Plain, ...names: string[]): Plain =>
  Object.fromEntries(names.map((name) => [name, BigInt((answer[name] as number | undefined) ?? 0)]));
/** Where a list is to go; nowhere where the tool asks for its length alone. */
const isNull = (pointer: unknown): boolean => pointer === 0n;
const putAll = (call: Call, pointer: unknown, values: unknown): boolean =>
  call.guest.putList(uint32_t, pointer as bigint, values as readonly number[]) === (values as readonly number[]).length;

export const sysctlOp: Codecs = {
  [XEN_SYSCTL.physinfo]: codec('sysctl.physinfo', sysctl.xen_sysctl_physinfo, {
    out: (answer) => ({
      nr_cpus: answer['nr_cpus'],
      max_cpu_id: answer['max_cpu_id'],
      ...big(answer, 'total_pages', 'free_pages', 'scrub_pages', 'outstanding_pages'),
    }),
  }),
  [XEN_SYSCTL.readconsole]: codec('sysctl.readconsole', sysctl.xen_sysctl_readconsole, {
    out: ['count', 'index'],
    write: ({ buffer: said }, { buffer }, { guest }) => guest.put(buffer as bigint, bytesOf(said as string)),
  }),
  [XEN_SYSCTL.debug_keys]: codec('sysctl.debug_keys', sysctl.xen_sysctl_debug_keys, {
    args: {
      keys({ keys, nr_keys }, { guest }) {
        const pressed = guest.bytes(keys as bigint, Math.min(nr_keys as number, MAX_KEYS));
        return pressed === undefined ? EFAULT : byteString(pressed);
      },
    },
  }),
  [XEN_SYSCTL.sched_id]: codec('sysctl.sched_id', sysctl.xen_sysctl_sched_id, { out: ['sched_id'] }),
  [XEN_SYSCTL.tbuf_op]: codec('sysctl.tbuf_op', sysctl.xen_sysctl_tbuf_op, {
    args: {
      cpus: ({ cmd, cpu_mask }, { guest }) => (cmd === TBUFOP_SET_CPU_MASK ? (bitsOf(cpu_mask as Bitmap, guest) ?? EFAULT) : []),
    },
    out: ['evt_mask', 'buffer_mfn', 'size'],
  }),
  [XEN_SYSCTL.perfc_op]: codec('sysctl.perfc_op', sysctl.xen_sysctl_perfc_op),
  [XEN_SYSCTL.getcpuinfo]: codec('sysctl.getcpuinfo', sysctl.xen_sysctl_getcpuinfo, {
    out: ({ idletime }) => ({ nr_cpus: (idletime as readonly number[]).length }),
    write({ idletime }, { info }, { guest }) {
      const list = (idletime as readonly number[]).map((ns) => BigInt(ns));
      return guest.putList(uint64_aligned_t, info as bigint, list) === list.length;
    },
  }),
  [XEN_SYSCTL.availheap]: codec('sysctl.availheap', sysctl.xen_sysctl_availheap, { out: ['avail_bytes'] }),
  [XEN_SYSCTL.get_pmstat]: codec('sysctl.get_pmstat', sysctl.xen_sysctl_get_pmstat, {
    args: { pm_type: 'type' },
    out: ({ total: nr }) => ({ u: { getcx: { nr } } }),
  }),
  [XEN_SYSCTL.cpu_hotplug]: codec('sysctl.cpu_hotplug', sysctl.xen_sysctl_cpu_hotplug),
  [XEN_SYSCTL.pm_op]: codec('sysctl.pm_op', sysctl.xen_sysctl_pm_op, {
    args: { value: 'u.get_max_cstate' },
    out: ({ value }) => ({ u: { get_max_cstate: value } }),
  }),
  [XEN_SYSCTL.page_offline_op]: codec('sysctl.page_offline_op', sysctl.xen_sysctl_page_offline_op, {
    always: true,
    write: ({ status }, given, call) => putAll(call, given['status'], status),
  }),
  [XEN_SYSCTL.lockprof_op]: codec('sysctl.lockprof_op', sysctl.xen_sysctl_lockprof_op),
  [XEN_SYSCTL.cputopoinfo]: codec('sysctl.cputopoinfo', sysctl.xen_sysctl_cputopoinfo, {
    out: ({ total, core }, { cputopo }) => ({ num_cpus: isNull(cputopo) ? total : (core as readonly number[]).length }),
    write({ core, socket, node }, { cputopo }, { guest }) {
      const [cores, sockets, nodes] = [core, socket, node] as readonly number[][];
      const list = cores!.map((one, cpu) => ({ core: one, socket: sockets![cpu]!, node: nodes![cpu]! }));
      return isNull(cputopo) || guest.putList(sysctl.xen_sysctl_cputopo, cputopo as bigint, list) === list.length;
    },
  }),
  [XEN_SYSCTL.numainfo]: codec('sysctl.numainfo', sysctl.xen_sysctl_numainfo, {
    out: ({ total, memsize }, { meminfo, distance }) => ({
      num_nodes: isNull(meminfo) && isNull(distance) ? total : (memsize as readonly number[]).length,
    }),
    write({ memsize, memfree, distance: distances }, { meminfo, distance }, call) {
      const [sizes, free] = [memsize, memfree] as readonly number[][];
      const list = sizes!.map((size, node) => ({ memsize: BigInt(size), memfree: BigInt(free![node]!) }));
      if (!isNull(meminfo) && call.guest.putList(sysctl.xen_sysctl_meminfo, meminfo as bigint, list) < list.length) return false;
      return isNull(distance) || putAll(call, distance, distances);
    },
  }),
  [XEN_SYSCTL.cpupool_op]: codec('sysctl.cpupool_op', sysctl.xen_sysctl_cpupool_op, {
    args: { domain: ({ domid }) => domid },
    out: ({ cpupool_id, sched_id, n_dom }, { op }) => {
      if (op === XEN_SYSCTL_CPUPOOL_OP.INFO) return { cpupool_id, sched_id, n_dom };
      return op === XEN_SYSCTL_CPUPOOL_OP.CREATE ? { cpupool_id } : {};
    },
    write: ({ cpumap: cpus }, { op, cpumap }, { guest }) =>
      (op !== XEN_SYSCTL_CPUPOOL_OP.INFO && op !== XEN_SYSCTL_CPUPOOL_OP.FREEINFO) ||
      putBits(cpus as readonly number[], cpumap as Bitmap, guest),
  }),
  [XEN_SYSCTL.scheduler_op]: codec('sysctl.scheduler_op', sysctl.xen_sysctl_scheduler_op, {
    args: {
      tslice_ms: 'u.sched_credit.tslice_ms',
      // credit2's stands where credit has its slice.
      ratelimit_us: ({ sched_id, u }) => {
        const { sched_credit, sched_credit2 } = u as { sched_credit: Plain; sched_credit2: Plain };
        return (sched_id === XEN_SCHEDULER.credit2 ? sched_credit2 : sched_credit)['ratelimit_us'];
      },
      vcpu_migr_delay_us: 'u.sched_credit.vcpu_migr_delay_us',
      major_frame: (given, call) => schedule(given, call, ({ major_frame }) => toNumber(major_frame as bigint)) ?? 0,
      dom_handles: (given, call) => ofEntries(given, call, ({ dom_handle }) => handleText(dom_handle as Uint8Array)),
      vcpu_ids: (given, call) => ofEntries(given, call, ({ vcpu_id }) => vcpu_id),
      runtimes: (given, call) => ofEntries(given, call, ({ runtime }) => toNumber(runtime as bigint)),
    },
    out: ({ tslice_ms, ratelimit_us, vcpu_migr_delay_us }, { sched_id }) => {
      if (sched_id === XEN_SCHEDULER.credit) return { u: { sched_credit: { tslice_ms, ratelimit_us, vcpu_migr_delay_us } } };
      return sched_id === XEN_SCHEDULER.credit2 ? { u: { sched_credit2: { ratelimit_us } } } : {};
    },
    write: putSchedule,
  }),
  [XEN_SYSCTL.coverage_op]: codec('sysctl.coverage_op', sysctl.xen_sysctl_coverage_op),
  [XEN_SYSCTL.psr_cmt_op]: codec('sysctl.psr_cmt_op', sysctl.xen_sysctl_psr_cmt_op),
  [XEN_SYSCTL.pcitopoinfo]: codec('sysctl.pcitopoinfo', sysctl.xen_sysctl_pcitopoinfo, {
    args: {
      sbdfs({ num_devs, devs, nodes }, { guest }) {
        if (isNull(devs) || isNull(nodes)) return new Refusal('EINVAL');
        const wanted = Math.min(num_devs as number, MAX_LIST);
        const list = guest.list(physdev_pci_device, devs as bigint, wanted);
        return list.length < wanted ? EFAULT : list.map(({ seg, bus, devfn }) => seg * 65_536 + bus * 256 + devfn);
      },
    },
    out: ({ nodes }) => ({ num_devs: (nodes as readonly number[]).length }),
    write: ({ nodes }, given, call) => putAll(call, given['nodes'], nodes),
  }),
  [XEN_SYSCTL.psr_alloc]: codec('sysctl.psr_alloc', sysctl.xen_sysctl_psr_alloc),
  [XEN_SYSCTL.get_cpu_levelling_caps]: codec('sysctl.get_cpu_levelling_caps', sysctl.xen_sysctl_cpu_levelling_caps, {
    out: ['caps'],
  }),
  [XEN_SYSCTL.get_cpu_featureset]: codec('sysctl.get_cpu_featureset', sysctl.xen_sysctl_cpu_featureset, {
    args: { nr_features: ({ nr_features, features }) => (isNull(features) ? 0 : nr_features) },
    out: ['nr_features'],
    always: true,
    write: ({ features }, given, call) => isNull(given['features']) || putAll(call, given['features'], features),
  }),
  [XEN_SYSCTL.livepatch_op]: codec('sysctl.livepatch_op', sysctl.xen_sysctl_livepatch_op, {
    args: { name: patchName, idx: 'u.list.idx', nr: 'u.list.nr', payload: patchPayload },
    out: ({ nr, version }, { cmd }) => (cmd === LIVEPATCH_LIST ? { u: { list: { nr, version } } } : {}),
  }),
  [XEN_SYSCTL.get_cpu_policy]: codec('sysctl.get_cpu_policy', sysctl.xen_sysctl_cpu_policy, {
    args: { index: ({ index, _rsvd }) => (_rsvd === 0 ? index : new Refusal('EINVAL')) },
    write: putPolicy(sysctl.xen_sysctl_cpu_policy, sysctl.XEN_SYSCTL_U),
  }),
};
const TBUFOP_SET_CPU_MASK = 1;

/** What stands in the schedule of arinc653 that a tool sets; undefined where it sets none. */
function schedule<T>({ sched_id, cmd, u }: Plain, { guest }: Call, of: (given: Plain) => T): T | Refusal | undefined {
  if (sched_id !== XEN_SCHEDULER.arinc653 || cmd !== XEN_SYSCTL_SCHEDOP.putinfo) return undefined;
  const { schedule: at } = (u as { sched_arinc653: { schedule: bigint } }).sched_arinc653;
  const given = guest.read(sysctl.xen_sysctl_arinc653_schedule, at);
  return given === undefined ? EFAULT : of(given);
}
const ofEntries = (given: Plain, call: Call, of: (entry: Plain) => unknown): unknown =>
  schedule(given, call, ({ sched_entries, num_sched_entries }) => {
    // Too many are refused, whatever stands there.
    const all = (sched_entries as readonly Plain[]).slice(0, num_sched_entries as number);
    const missing = (num_sched_entries as number) - all.length;
    return [...all, ...Array<Plain>(missing).fill(all[0] ?? {})].map(of);
  }) ?? [];
/** Entries that the schedule does not have are all ones. */
function putSchedule(
  { major_frame, dom_handles, vcpu_ids, runtimes }: Plain,
  { sched_id, cmd, u }: Plain,
  { guest }: Call,
): boolean {
  if (sched_id !== XEN_SCHEDULER.arinc653 || cmd !== XEN_SYSCTL_SCHEDOP.getinfo) return true;
  const layout = sysctl.xen_sysctl_arinc653_schedule[guest.width];
  const bytes = new Uint8Array(layout.size).fill(0xff);
  layout.write(bytes, {
    major_frame: BigInt(major_frame as number),
    num_sched_entries: (vcpu_ids as readonly number[]).length,
    sched_entries: (vcpu_ids as readonly number[]).map((vcpu_id, i) => ({
      dom_handle: handleBytes((dom_handles as readonly string[])[i]!),
      vcpu_id,
      runtime: BigInt((runtimes as readonly number[])[i]!),
    })),
  });
  return guest.put((u as { sched_arinc653: { schedule: bigint } }).sched_arinc653.schedule, bytes);
}

const LIVEPATCH_UPLOAD = 0;
const LIVEPATCH_LIST = 2;
/** A name is no longer than this, with the zero at its end (XEN_LIVEPATCH_NAME_SIZE). */
const MAX_PATCH_NAME = 128;
/** The name that an upload, a question or an action begins with; its padding must be 0. */
function patchName({ cmd, pad, u }: Plain, { guest }: Call): unknown {
  if (pad !== 0 || cmd === LIVEPATCH_LIST) return '';
  const {
    name,
    size,
    pad: pads,
  } = (u as { upload: { name: Plain } }).upload.name as { name: bigint; size: number; pad: number[] };
  if (size > MAX_PATCH_NAME || pads.some((word) => word !== 0) || name === 0n) return '';
  const bytes = guest.bytes(name, size);
  return bytes === undefined ? EFAULT : byteString(bytes);
}
/** No patch fits: whether there is one at all is what counts. */
function patchPayload({ cmd, u }: Plain): Uint8Array {
  const { size } = (u as { upload: { size: bigint } }).upload;
  return new Uint8Array(cmd === LIVEPATCH_UPLOAD && size > 0n ? 1 : 0);
}

export function performSysctl(call: Call): Result {
  const at = call.arg(0);
  const head = call.guest.read(sysctl.xen_sysctl_head, at);
  if (head === undefined || !call.guest.isBacked(at, XEN_SYSCTL_SIZE)) return call.refuse('EFAULT');
  const cmd = head['cmd'] as number;
  if (head['interface_version'] !== sysctl.XEN_SYSCTL_INTERFACE_VERSION) return call.refuse('EACCES', cmd);
  if (!isPrivileged(call.caller.domid)) return call.refuse('EPERM', cmd);
  const payload = at + BigInt(sysctl.XEN_SYSCTL_U);
  if (cmd === XEN_SYSCTL.getdomaininfolist) return domainList(call, payload);
  const known = sysctlOp[cmd];
  return known ? perform(call, known, payload, cmd) : call.refuse('ENOSYS', cmd);
}
/** struct xen_sysctl: its head and 128 bytes of union. */
const XEN_SYSCTL_SIZE = 136;

/** Who is there, and then what each of them is like: a step for each. */
function domainList(call: Call, at: bigint): Result {
  const cmd = XEN_SYSCTL.getdomaininfolist;
  const given = call.guest.read(sysctl.xen_sysctl_getdomaininfolist, at);
  if (given === undefined) return call.refuse('EFAULT', cmd);
  const { domid } = call.caller;
  const steps = call.asList();
  const first_domain = given['first_domain'] as number;
  const max_domains = given['max_domains'] as number;
  const asked = steps.step({ type: 'sysctl.getdomaininfolist', domid, first_domain, max_domains });
  if (!asked.ok) return done(errnoNumber(asked.errno));
  const { domains } = asked.value as { domains: readonly number[] };
  const size = BigInt(domctl.xen_domctl_getdomaininfo[call.guest.width].size);
  let num_domains = 0;
  for (const domain of domains) {
    const info = steps.step({ type: 'domctl.getdomaininfo', domid, domain });
    if (!info.ok) continue;
    const place = (given['buffer'] as bigint) + BigInt(num_domains) * size;
    const bytes = new Uint8Array(Number(size));
    domctl.xen_domctl_getdomaininfo[call.guest.width].write(bytes, domainInfo(info.value as Plain));
    if (!call.guest.put(place, bytes)) return done(errnoNumber('EFAULT'));
    num_domains++;
  }
  return done(call.guest.write(sysctl.xen_sysctl_getdomaininfolist, at, { num_domains }) ? 0 : errnoNumber('EFAULT'));
}
