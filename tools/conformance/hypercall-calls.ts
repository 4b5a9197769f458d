// A recorded hypercall as the commands that it stands for: what its bytes would be decoded to, and what they are refused for before that.

import { errnoNumber } from '../../events/errno.ts';
import type { Field, FieldKind } from '../../events/schema.ts';
import { PAGE_SIZE } from '../../events/units.ts';
import { type CommandType, type Outcome, operations } from '../../events/vocabulary.ts';
import { pvDomain } from '../../src/abi/domctl.ts';
import { GNTCOPY } from '../../src/abi/grant-table.ts';
import { takeQueues, takeUntil } from '../../src/core/evtchn/fifo-memory.ts';
import { vcpuInfo } from '../../src/core/evtchn/pending.ts';
import { entryFrame, entryOffset } from '../../src/core/gnttab/decide.ts';
import type { CoreCommand } from '../../src/core/index.ts';
import { completeHypercall, type Port, pseudoPhysical } from '../../src/hypercall/index.ts';
import type { CoreHost } from '../fuzz/core-host.ts';
import type { Arguments, CallRecord, DomainRecord } from './hypercall-record.ts';

/** What a call returned, and the fields of `out` that mean something. */
export interface Answer {
  readonly rc: number;
  readonly out: Readonly<Record<string, unknown>>;
}

/** What the recording program knew of its own: pages and mappings by their numbers. */
export interface Caller {
  readonly host: CoreHost;
  /** The frames that a domain began with, in the program's order. */
  readonly initial: ReadonlyMap<number, readonly number[]>;
  /** How many of these the program still counts as the domain's. */
  readonly left: Map<number, number>;
  /** Our handles of the mappings in the order in which they succeeded, and which of them the recording still has. */
  readonly handles: number[];
  readonly live: Set<number>;
  readonly upcalls: Upcalls;
  /** How many answers have told that events had been taken. */
  told: number;
}

/**
 * When dom0's kernel takes events off the queue of a vCPU other than the program's, which a recording does not say: before the next call;
 * or as late as the recorded answers allow: when one of them gives out a port that could not have been given out before.
 */
export type Upcalls = 'at-once' | 'as-told';

export function callerOf(host: CoreHost, domains: readonly DomainRecord[], upcalls: Upcalls): Caller {
  const frames = ({ domid, tot_pages }: DomainRecord): number[] =>
    Array.from({ length: tot_pages }, (_, gfn) => host.xen.p2m.mfn(domid, gfn));
  return {
    host,
    initial: new Map(domains.map((domain) => [domain.domid, frames(domain)])),
    left: new Map(domains.map(({ domid, tot_pages }) => [domid, tot_pages])),
    handles: [],
    live: new Set(),
    upcalls,
    told: 0,
  };
}

/** Makes the call. Undefined where this kind of call is not known. */
export function perform(caller: Caller, { op, args, out }: CallRecord): Answer | undefined {
  const call = Object.hasOwn(calls, op) ? calls[op] : Object.hasOwn(operations, op) ? asItIs(op as CommandType, out) : undefined;
  if (call === undefined) return undefined;
  // Upcalls are dom0's kernel's to take before its program runs on.
  const { host, upcalls } = caller;
  for (let vcpu = 0; vcpu < host.xen.domain.of(0)!.nr_vcpus.at(0); vcpu++) {
    host.memory.put8(host.xen.sharedInfo(0), vcpuInfo(vcpu), 0);
    if (vcpu === PROGRAM_VCPU || upcalls === 'at-once') takeQueues(host.xen, host.memory, 0, vcpu);
  }
  const given = out['port'] ?? out['local_port'];
  if (upcalls === 'as-told' && Number.isSafeInteger(given) && takeUntil(host.xen, host.memory, 0, given as number)) caller.told++;
  return call(caller, args);
}
const PROGRAM_VCPU = 0;

type Call = (caller: Caller, args: Arguments) => Answer;

const number = (args: Arguments, name: string): number => (Number.isSafeInteger(args[name]) ? (args[name] as number) : 0);
const list = (args: Arguments, name: string): readonly unknown[] => (Array.isArray(args[name]) ? args[name] : []);
const fields = (args: Arguments, name: string): Arguments =>
  typeof args[name] === 'object' && args[name] !== null ? (args[name] as Arguments) : {};
/** A count from a recording, no larger than what can make a difference: no domain has so many pages. */
const count = (args: Arguments, name: string): number => Math.min(Math.max(0, Math.trunc(number(args, name)) || 0), 2 ** 17);

const refused = (errno: Parameters<typeof errnoNumber>[0]): Answer => ({ rc: errnoNumber(errno), out: {} });
type Value = Readonly<Record<string, unknown>>;

/** A hypercall that answers an errno, or 0 and a structure. */
function plain(
  { host }: Caller,
  command: CoreCommand,
  out: (value: Value) => Value = () => ({}),
  rc = (_: Value): number => 0,
): Answer {
  const outcome = host.submit(command) as Outcome;
  const value = (outcome.value ?? {}) as Value;
  if (!outcome.ok) return { rc: errnoNumber(outcome.errno), out: outcome.value === undefined ? {} : out(value) };
  return { rc: rc(value), out: out(value) };
}

/** A grant operation that answers a status of its own, or an errno. */
function granted({ host }: Caller, command: CoreCommand, out: (value: Value, status: number) => Value = () => ({})): Answer {
  const outcome = host.submit(command) as Outcome;
  const status = outcome.ok ? 0 : errnoNumber(outcome.errno);
  return { rc: 0, out: { status, ...out((outcome.value ?? {}) as Value, status) } };
}

/** The flags of a grant entry, by a name; nothing where the program could not look. */
function entryFlags({ host, initial }: Caller, name: string, dom: unknown, ref: unknown): Value {
  if (!Number.isSafeInteger(dom) || !Number.isSafeInteger(ref) || !initial.has(dom as number)) return {};
  return (ref as number) < ENTRIES_SEEN ? flagsOf(host, name, dom as number, ref as number) : {};
}
function flagsOf(host: CoreHost, name: string, dom: number, ref: number): Value {
  const table = entryFrame(host.xen, dom, ref);
  return table < 0 ? {} : { [name]: host.memory.get16(table, entryOffset(ref)) };
}
/** The program has mapped the first frame of each table. */
const ENTRIES_SEEN = 512;
const NOWHERE = 0xffffff;

const statuses = ['closed', 'unbound', 'interdomain', 'pirq', 'virq', 'ipi'];
/** EVTCHNOP_status as the recording shows it. */
export function portStatus({ status, vcpu, remote_dom, remote_port, virq }: Value): Value {
  const code = statuses.indexOf(status as string);
  return {
    status: code,
    vcpu,
    ...(code === 1 ? { u_dom: remote_dom } : {}),
    ...(code === 2 ? { u_dom: remote_dom, u_port: remote_port } : {}),
    ...(code === 3 ? { u_pirq: virq } : {}),
    ...(code === 4 ? { u_virq: virq } : {}),
  };
}

const port = ({ port }: Value): Value => ({ port });
const domid = 0;

/**
 * A call that is recorded with the fields of the vocabulary's operation, and answers fields of its answer: those that the recording has.
 * "A:3" is the frame of page 3 of those that domain A began with.
 */
function asItIs(type: CommandType, recorded: Value): Call {
  return (caller, args) => {
    const domains = [...caller.initial.keys()];
    const plainly = (value: unknown): unknown => {
      if (Array.isArray(value)) return value.map(plainly);
      const page = typeof value === 'string' ? /^([AB]):(\d+)$/.exec(value) : null;
      return page ? (caller.initial.get(domains[page[1] === 'A' ? 0 : 1]!)?.[Number(page[2])] ?? NOWHERE) : value;
    };
    const command: Record<string, unknown> = { type };
    for (const [name, field] of Object.entries(operations[type].args as Readonly<Record<string, Field<unknown>>>))
      command[name] = name === 'domid' ? domid : plainly(args[name] ?? (name === 'handle' ? HANDLE : NOTHING_GIVEN[field.kind]));
    const picked = (value: Value): Value =>
      Object.fromEntries(Object.keys(recorded).flatMap((name) => (name in value ? [[name, value[name]]] : [])));
    // Xen goes on with what is preempted until it is done.
    const whole = type === 'domctl.destroydomain' ? untilDone : plain;
    const status = 'status' in recorded && type.startsWith('gnttab.');
    const made = command as unknown as CoreCommand;
    return status ? granted(caller, made, picked) : whole(caller, made, picked, (value) => resultOf(type, value));
  };
}
const untilDone: typeof plain = (...call) => {
  for (let i = 0; i < MOST_ROUNDS; i++) {
    const answer = plain(...call);
    if (answer.rc !== errnoNumber('ERESTART')) return answer;
  }
  return refused('ERESTART');
};
const MOST_ROUNDS = 10_000;
const NOTHING_GIVEN: Readonly<Record<FieldKind, unknown>> = {
  int: 0,
  bool: false,
  text: '',
  texts: [],
  ints: [],
  bytes: new Uint8Array(),
  name: '',
};
/** What the hypercall returns when it is done. */
function resultOf(type: CommandType, value: Value): number {
  if (type === 'xen_version.build_id') return (value['build_id'] as string).length / 2;
  const field = RESULTS[type];
  return field === undefined ? 0 : Number(value[field]);
}
const RESULTS: Readonly<Partial<Record<CommandType, string>>> = {
  'memory.maximum_ram_page': 'page',
  'platform.resource_op': 'nr_done',
  'vcpu.is_up': 'up',
  'xen_version.pagesize': 'pagesize',
};

const evtchn: Readonly<Record<string, Call>> = {
  'evtchn.alloc_unbound': (caller, args) =>
    plain(
      caller,
      { type: 'evtchn.alloc_unbound', domid, dom: number(args, 'dom'), remote_dom: number(args, 'remote_dom') },
      port,
    ),
  'evtchn.bind_interdomain': (caller, args) =>
    plain(
      caller,
      {
        type: 'evtchn.bind_interdomain',
        domid,
        remote_dom: number(args, 'remote_dom'),
        remote_port: number(args, 'remote_port'),
      },
      ({ local_port }) => ({ local_port }),
    ),
  'evtchn.bind_virq': (caller, args) =>
    plain(caller, { type: 'evtchn.bind_virq', domid, virq: number(args, 'virq'), vcpu: number(args, 'vcpu') }, port),
  'evtchn.bind_ipi': (caller, args) => plain(caller, { type: 'evtchn.bind_ipi', domid, vcpu: number(args, 'vcpu') }, port),
  'evtchn.bind_pirq': (caller, args) =>
    plain(caller, { type: 'evtchn.bind_pirq', domid, pirq: number(args, 'pirq'), flags: number(args, 'flags') }, port),
  'evtchn.bind_vcpu': (caller, args) =>
    plain(caller, { type: 'evtchn.bind_vcpu', domid, port: number(args, 'port'), vcpu: number(args, 'vcpu') }),
  'evtchn.close': (caller, args) => plain(caller, { type: 'evtchn.close', domid, port: number(args, 'port') }),
  'evtchn.send': (caller, args) => plain(caller, { type: 'evtchn.send', domid, port: number(args, 'port') }),
  'evtchn.unmask': (caller, args) => plain(caller, { type: 'evtchn.unmask', domid, port: number(args, 'port') }),
  'evtchn.reset': (caller, args) => plain(caller, { type: 'evtchn.reset', domid, dom: number(args, 'dom') }),
  'evtchn.status': (caller, args) =>
    plain(caller, { type: 'evtchn.status', domid, dom: number(args, 'dom'), port: number(args, 'port') }, portStatus),
  'evtchn.set_priority': (caller, args) =>
    plain(caller, { type: 'evtchn.set_priority', domid, port: number(args, 'port'), priority: number(args, 'priority') }),
  'evtchn.unknown_cmd': (caller, args) =>
    number(args, 'cmd') === EVTCHNOP_reset_cont
      ? plain(caller, { type: 'evtchn.reset_cont', domid, dom: DOMID_SELF })
      : refused('ENOSYS'),
};
/** Xen's own, which is in no public header. */
const EVTCHNOP_reset_cont = 14;
const DOMID_SELF = 0x7ff0;

const gnttab: Readonly<Record<string, Call>> = {
  'gnttab.setup_table': (caller, args) =>
    granted(caller, { type: 'gnttab.setup_table', domid, dom: number(args, 'dom'), nr_frames: number(args, 'nr_frames') }),
  'gnttab.query_size': (caller, args) =>
    granted(caller, { type: 'gnttab.query_size', domid, dom: number(args, 'dom') }, (value) => value),
  'gnttab.get_version': (caller, args) =>
    plain(caller, { type: 'gnttab.get_version', domid, dom: number(args, 'dom') }, ({ version }) =>
      version === undefined ? {} : { version },
    ),
  'gnttab.set_version': (caller, args) =>
    plain(caller, { type: 'gnttab.set_version', domid, version: number(args, 'version') }, (value) => value),
  'gnttab.get_status_frames': (caller, args) =>
    granted(caller, { type: 'gnttab.get_status_frames', domid, dom: number(args, 'dom'), nr_frames: number(args, 'nr_frames') }),
  'gnttab.swap_grant_ref': (caller, args) =>
    granted(caller, { type: 'gnttab.swap_grant_ref', domid, ref_a: number(args, 'ref_a'), ref_b: number(args, 'ref_b') }),
  'gnttab.map_grant_ref': (caller, args) => {
    const dom = number(args, 'dom');
    const ref = number(args, 'ref');
    const flags = number(args, 'flags');
    const seen = (): Value => entryFlags(caller, 'entry_flags', dom, ref);
    return granted(
      caller,
      { type: 'gnttab.map_grant_ref_at', domid, dom, ref, flags, host_addr: 0, vcpu: 0 },
      ({ handle }, status) => {
        if (status !== 0) return seen();
        caller.live.add(caller.handles.length);
        caller.handles.push(handle as number);
        return { h: caller.handles.length - 1, ...seen() };
      },
    );
  },
  'gnttab.unmap_grant_ref': (caller, args) => {
    const { host, handles, live } = caller;
    const h = Number.isSafeInteger(args['h']) ? (args['h'] as number) : -1;
    // A stale handle is one that nothing has any more: Xen gives numbers out again in another order than we do.
    const isStale = args['addr_kind'] === 'stale_handle' && !live.has(h);
    const handle = isStale || h < 0 ? number(args, 'handle') + 2 ** 31 : (handles[h] ?? 2 ** 31);
    const maps = host.xen.gnttab.maptrack.of(domid)!;
    const [dom, ref] = [maps.dom.at(handle), maps.ref.at(handle)];
    const given: Readonly<Record<string, number>> = { zero_addrs: 0, wrong_dev_bus_addr: NOWHERE };
    const frame = given[String(args['addr_kind'])] ?? maps.mfn.at(handle);
    const dev_bus_addr = frame * PAGE_SIZE;
    return granted(
      caller,
      { type: 'gnttab.unmap_grant_ref_at', domid, handle, host_addr: 0, dev_bus_addr, vcpu: 0 },
      (_, status) => {
        if (status === 0 && frame !== 0) live.delete(h);
        return entryFlags(caller, 'entry_flags', h < 0 || isStale ? -1 : dom, ref);
      },
    );
  },
  'gnttab.copy': (caller, args) => {
    const src = fields(args, 'src');
    const dst = fields(args, 'dst');
    const flags = number(args, 'flags');
    return granted(
      caller,
      {
        type: 'gnttab.copy',
        domid,
        source_dom: number(src, 'dom'),
        source_ref: number(src, 'ref' in src ? 'ref' : 'badgmfn'),
        source_is_ref: (flags & GNTCOPY.source_gref) !== 0,
        source_offset: number(src, 'offset'),
        dest_dom: number(dst, 'dom'),
        dest_ref: number(dst, 'ref' in dst ? 'ref' : 'badgmfn'),
        dest_is_ref: (flags & GNTCOPY.dest_gref) !== 0,
        dest_offset: number(dst, 'offset'),
        len: number(args, 'len'),
      },
      () => ({
        ...entryFlags(caller, 'srcentry_flags', src['dom'], src['ref']),
        ...entryFlags(caller, 'dstentry_flags', dst['dom'], dst['ref']),
      }),
    );
  },
  'gnttab.count': (_, args) => (number(args, 'count') > 0x7fffffff ? refused('EINVAL') : { rc: 0, out: {} }),
  // The bits above the command belong to a continuation.
  'gnttab.unknown_cmd': (_, args) => refused(number(args, 'cmd') > GNTTABOP_CMD_MASK ? 'EINVAL' : 'ENOSYS'),
  'grant.write_entry': ({ host, initial }, args) => {
    const dom = number(args, 'dom');
    const ref = number(args, 'ref');
    const table = entryFrame(host.xen, dom, ref);
    const frame = typeof args['page'] === 'number' ? initial.get(dom)?.[args['page']] : args['badframe'];
    if (table < 0) return { rc: 0, out: {} };
    const at = entryOffset(ref);
    host.memory.put16(table, at + 2, number(args, 'to'));
    host.memory.put32(table, at + 4, Number.isSafeInteger(frame) ? (frame as number) : NOWHERE);
    host.memory.put16(table, at, number(args, 'flags'));
    return { rc: 0, out: {} };
  },
  'grant.entry_busy': (caller, args) => ({ rc: 0, out: entryFlags(caller, 'entry_flags', args['dom'], args['ref']) }),
};
const GNTTABOP_CMD_MASK = 0xfff;

const nrDone = ({ nr_done }: Value): number => nr_done as number;
const nothing = (): Value => ({});
const memory: Readonly<Record<string, Call>> = {
  'memory.increase_reservation': (caller, args) =>
    plain(
      caller,
      {
        type: 'memory.increase_reservation',
        domid,
        dom: number(args, 'dom'),
        nr_extents: count(args, 'nr_extents'),
        extent_order: number(args, 'order'),
        mem_flags: number(args, 'mem_flags'),
      },
      nothing,
      nrDone,
    ),
  'memory.populate_physmap': (caller, args) => {
    const extent_order = number(args, 'order');
    const gpfns = Array.from({ length: count(args, 'nr_extents') }, (_, i) => number(args, 'start_pfn') + i * 2 ** extent_order);
    const mem_flags = number(args, 'mem_flags');
    return plain(
      caller,
      { type: 'memory.populate_physmap_extents', domid, dom: number(args, 'dom'), gpfns, extent_order, mem_flags },
      nothing,
      nrDone,
    );
  },
  'memory.decrease_reservation': (caller, args) => {
    const dom = number(args, 'dom');
    const gmfns = list(args, 'frames').map((kind) => {
      if (kind !== 'own') return kind === 'bad' ? 0xfffff0 : Number.MAX_SAFE_INTEGER;
      const last = (caller.left.get(dom) ?? 0) - 1;
      caller.left.set(dom, last);
      return caller.initial.get(dom)?.[last] ?? NOWHERE;
    });
    return plain(
      caller,
      { type: 'memory.decrease_reservation_extents', domid, dom, gmfns, extent_order: number(args, 'order') },
      nothing,
      nrDone,
    );
  },
  'memory.current_reservation': (caller, args) =>
    plain(caller, { type: 'memory.current_reservation', domid, dom: number(args, 'dom') }, nothing, ({ nr_pages }) =>
      Number(nr_pages),
    ),
  'memory.maximum_reservation': (caller, args) =>
    // The hypercall's result is an int, as the recording has it.
    plain(
      caller,
      { type: 'memory.maximum_reservation', domid, dom: number(args, 'dom') },
      nothing,
      ({ nr_pages }) => Number(nr_pages) | 0,
    ),
  'memory.maximum_gpfn': (caller, args) =>
    plain(caller, { type: 'memory.maximum_gpfn', domid, dom: number(args, 'dom') }, nothing, ({ gpfn }) => Number(gpfn)),
  'memory.claim_pages': (caller, args) =>
    plain(caller, {
      type: 'memory.claim_pages',
      domid,
      dom: number(args, 'dom'),
      pages: number(args, 'nr'),
      extent_order: number(args, 'order'),
    }),
  'memory.add_to_physmap': (caller, args) =>
    plain(caller, {
      type: 'memory.add_to_physmap',
      domid,
      dom: number(args, 'dom'),
      space: number(args, 'space'),
      idx: number(args, 'idx'),
      gpfn: number(args, 'gpfn'),
    }),
  'memory.set_pod_target': (caller, args) =>
    plain(caller, { type: 'memory.set_pod_target', domid, dom: number(args, 'dom'), target_pages: number(args, 'target_pages') }),
  'memory.unknown_cmd': () => refused('ENOSYS'),
};

/** XEN_DOMCTL_INTERFACE_VERSION and XEN_SYSCTL_INTERFACE_VERSION of Xen 4.17 (public/domctl.h, public/sysctl.h). */
const INTERFACE_VERSION = 0x15;
const HANDLE = '00000000-0000-0000-0000-000000000000';
const MAX_PAGES_KIB = 2 ** 34;

const control: Readonly<Record<string, Call>> = {
  'domctl.getdomaininfo': (caller, args) =>
    plain(caller, { type: 'domctl.getdomaininfo', domid, domain: number(args, 'dom') }, (value) => {
      if (value['domain'] === undefined) return {};
      if (value['domain'] === 0) return { domain: 0 };
      const { domain, flags, tot_pages, max_pages, outstanding_pages, nr_online_vcpus, max_vcpu_id } = value;
      const bit = (n: number): number => ((flags as number) >>> n) & 1;
      const counts = { tot_pages, max_pages, outstanding_pages, nr_online_vcpus, max_vcpu_id };
      return { domain, flags, shutdown: bit(2), paused: bit(3), dying: bit(0), ...counts };
    }),
  'domctl.getvcpuinfo': (caller, args) =>
    plain(
      caller,
      { type: 'domctl.getvcpuinfo', domid, domain: number(args, 'dom'), vcpu: number(args, 'vcpu') },
      ({ online, blocked, running }) => (online === undefined ? {} : { online, blocked, running }),
    ),
  'domctl.max_mem': (caller, args) =>
    plain(caller, {
      type: 'domctl.max_mem',
      domid,
      domain: number(args, 'dom'),
      max_memkb: Math.min(number(args, 'max_memkb'), MAX_PAGES_KIB),
    }),
  'domctl.max_vcpus': (caller, args) =>
    plain(caller, { type: 'domctl.max_vcpus', domid, domain: number(args, 'dom'), max: number(args, 'max') }),
  'domctl.pausedomain': (caller, args) => plain(caller, { type: 'domctl.pausedomain', domid, domain: number(args, 'dom') }),
  'domctl.unpausedomain': (caller, args) => plain(caller, { type: 'domctl.unpausedomain', domid, domain: number(args, 'dom') }),
  'domctl.resumedomain': (caller, args) => plain(caller, { type: 'domctl.resumedomain', domid, domain: number(args, 'dom') }),
  'domctl.destroydomain_bad': (caller, args) =>
    plain(caller, { type: 'domctl.destroydomain', domid, domain: number(args, 'dom') }),
  'domctl.createdomain_existing': (caller, args) =>
    plain(caller, {
      type: 'domctl.createdomain',
      domid,
      domain: number(args, 'dom'),
      ssidref: 0,
      handle: HANDLE,
      max_vcpus: number(args, 'max_vcpus'),
      max_evtchn_port: number(args, 'max_evtchn_port'),
      max_grant_frames: -1,
      max_maptrack_frames: -1,
      ...pvDomain,
    }),
  'domctl.bad_interface_version': (_, args) =>
    refused(number(args, 'interface_version') === INTERFACE_VERSION ? 'ENOSYS' : 'EACCES'),
  'domctl.unknown_cmd': (caller, args) => {
    const domain = number(args, 'dom');
    if (number(args, 'cmd') === XEN_DOMCTL_getvcpuinfo)
      return plain(caller, { type: 'domctl.getvcpuinfo', domid, domain, vcpu: 0 });
    return refused(caller.host.xen.exists(domain) ? 'ENOSYS' : 'ESRCH');
  },
  sysctl: (caller, args) => {
    if (number(args, 'interface_version') !== INTERFACE_VERSION) return refused('EACCES');
    switch (number(args, 'cmd')) {
      case XEN_SYSCTL_sched_id:
        return plain(caller, { type: 'sysctl.sched_id', domid }, (value) => value);
      case XEN_SYSCTL_getdomaininfolist: {
        const [first_domain, max_domains] = [number(args, 'first'), number(args, 'max')];
        return plain(caller, { type: 'sysctl.getdomaininfolist', domid, first_domain, max_domains }, ({ domains }) => ({
          num_domains: (domains as number[]).length,
          domains,
        }));
      }
      default:
        return refused('ENOSYS');
    }
  },
};
const XEN_DOMCTL_getvcpuinfo = 14;
const XEN_SYSCTL_sched_id = 4;
const XEN_SYSCTL_getdomaininfolist = 6;

const others: Readonly<Record<string, Call>> = {
  vcpu_op: (caller, args) => {
    const vcpu = number(args, 'vcpu');
    const commands: Readonly<Record<number, CoreCommand>> = {
      0: { type: 'vcpu.initialise', domid, vcpu },
      1: { type: 'vcpu.up', domid, vcpu },
      3: { type: 'vcpu.is_up', domid, vcpu },
      4: { type: 'vcpu.get_runstate_info', domid, vcpu },
    };
    const command = commands[number(args, 'cmd')];
    if (command !== undefined) return plain(caller, command, nothing, ({ up }) => Number(up ?? 0));
    return refused(caller.host.xen.hasVcpu(domid, vcpu) ? 'ENOSYS' : 'ENOENT');
  },
  'sched.poll': (caller, args) => {
    const given = list(args, 'ports').map(Number);
    const ports = Array.from({ length: count(args, 'nr_ports') }, (_, i) => given[i] || 0);
    return plain(caller, { type: 'sched.poll', domid, vcpu: 0, ports, timeout_ns: number(args, 'timeout') });
  },
  'sched.watchdog': (caller, args) =>
    plain(
      caller,
      { type: 'sched.watchdog', domid, id: number(args, 'id'), timeout: number(args, 'timeout') },
      nothing,
      ({ id }) => Number(id),
    ),
  'sched.yield': () => ({ rc: 0, out: {} }),
  'sched.remote_shutdown': (caller, args) =>
    plain(caller, { type: 'sched.remote_shutdown', domid, domain: number(args, 'dom'), code: number(args, 'reason') }),
  'sched.unknown_cmd': () => refused('ENOSYS'),
  'hypercall.unknown': () => refused('ENOSYS'),
  // In bytes: the structure is all zero, and stands where the argument `buf` says.
  'hypercall.raw': ({ host }, args) => {
    const { xen, memory } = host;
    const space = pseudoPhysical(xen, domid);
    const port: Port = {
      xen,
      memory,
      space: { ...space, translate: (pointer, write) => (pointer < PAGE_SIZE ? undefined : space.translate(pointer, write)) },
      step: (command, batch) => host.submit(command as CoreCommand, batch),
      preempt: () => false,
    };
    memory.scrub(xen.p2m.mfn(domid, BUFFER_GFN), 1);
    const buf = number(args, 'buf');
    const registers = ['a0', 'a1', 'a2', 'a3', 'a4'].map((name, i) =>
      BigInt(i === buf && buf > 0 ? BUFFER_GFN * PAGE_SIZE : number(args, name)),
    );
    return { rc: completeHypercall(port, { domid, vcpu: 0, width: 64 }, number(args, 'nr'), registers), out: {} };
  },
  xen_version: (caller, args) => {
    const text = (name: string) => (value: Value) => ({ str: value[name] });
    switch (number(args, 'cmd')) {
      case 0:
        return plain(caller, { type: 'xen_version.version', domid }, nothing, ({ version }) => Number(version));
      case 1:
        return plain(caller, { type: 'xen_version.extraversion', domid }, text('extraversion'));
      case 2:
        return plain(caller, { type: 'xen_version.compile_info', domid });
      case 3:
        return plain(caller, { type: 'xen_version.capabilities', domid }, text('capabilities'));
      case 4:
        return plain(caller, { type: 'xen_version.changeset', domid }, text('changeset'));
      case 5:
        return plain(caller, { type: 'xen_version.platform_parameters', domid }, (value) => value);
      case 6:
        return plain(
          caller,
          { type: 'xen_version.get_features', domid, submap_idx: number(args, 'submap_idx') },
          (value) => value,
        );
      case 7:
        return refused('EINVAL'); // it takes no pointer, and the program gave one
      case 8:
        return plain(caller, { type: 'xen_version.guest_handle', domid });
      case 9:
        return plain(caller, { type: 'xen_version.commandline', domid }, text('commandline'));
      case 10:
        return plain(caller, { type: 'xen_version.build_id', domid });
      default:
        return refused('ENOSYS');
    }
  },
};

const BUFFER_GFN = 16;

const calls: Readonly<Record<string, Call>> = { ...evtchn, ...gnttab, ...memory, ...control, ...others };

/** The kinds of calls that can be made. */
export const knownCalls: readonly string[] = Object.keys(calls);
