// memory_op (xen/common/memory.c, do_memory_op()). The bits of a command above the sixth are how far a call that goes on has come.
import { errnoNumber } from '../../events/errno.ts';
import type { CommandOf } from '../../events/vocabulary.ts';
import * as abi from '../abi/memory.ts';
import { XENMAPSPACE, XENMEM } from '../abi/memory.ts';
import { int32_t, uint32_t, xen_pfn_t, xen_ulong_t } from '../abi/scalars.ts';
import { type Call, done, goOn, type Result } from './call.ts';
import { type Codec, type Codecs, codec, commandOf, EFAULT, perform, Refusal, toNumber } from './codec.ts';
import type { Plain } from './guest-memory.ts';

const EXTENT_SHIFT = 6n;
const CMD_MASK = (1n << EXTENT_SHIFT) - 1n;
/** What is too much to be gone on with. */
const MAX_EXTENTS = 0xffff_ffff >>> Number(EXTENT_SHIFT);
/** How many extents one step takes, before others get their turn. */
const CHUNK = 256;
/** Lists that must be read whole; no domain here has so many pages. */
const MAX_LIST = 1 << 16;
/** What the structure's `domid` is called everywhere else. */
const dom = 'domid';

/** All that is not a list. */
export const memoryOp: Codecs = {
  [XENMEM.maximum_ram_page]: codec('memory.maximum_ram_page', undefined, { rc: 'page' }),
  [XENMEM.current_reservation]: codec('memory.current_reservation', abi.xen_memory_domain, { args: { dom }, rc: 'nr_pages' }),
  [XENMEM.maximum_reservation]: codec('memory.maximum_reservation', abi.xen_memory_domain, { args: { dom }, rc: 'nr_pages' }),
  [XENMEM.maximum_gpfn]: codec('memory.maximum_gpfn', abi.xen_memory_domain, { args: { dom }, rc: 'gpfn' }),
  [XENMEM.claim_pages]: codec('memory.claim_pages', abi.xen_memory_reservation, {
    args: {
      dom,
      pages: ({ extent_start, mem_flags, nr_extents }) =>
        extent_start !== 0n || mem_flags !== 0 ? new Refusal('EINVAL') : nr_extents,
    },
  }),
  [XENMEM.exchange]: codec('memory.exchange', abi.xen_memory_exchange, {
    args: {
      in_dom: 'in.domid',
      in_order: 'in.extent_order',
      gmfns: ({ in: list }, call) => wholeList(call, list as Plain),
      out_dom: 'out.domid',
      out_order: 'out.extent_order',
      gpfns: ({ out: list }, call) => wholeList(call, list as Plain),
      mem_flags: 'out.mem_flags',
    },
    out: ({ nr_exchanged }) => ({ nr_exchanged: BigInt(nr_exchanged as number) }),
    write({ frames }, { in: from, out: to, nr_exchanged }, { guest }) {
      const [given, wanted] = [from as Plain, to as Plain];
      if ((frames as readonly number[]).length === 0) return true;
      const order = BigInt((given['extent_order'] as number) - (wanted['extent_order'] as number));
      const done = nr_exchanged as bigint;
      const first = order < 0n ? done >> -order : done << order;
      const size = BigInt(xen_pfn_t[guest.width].size);
      const list = (frames as readonly number[]).map((mfn) => BigInt(mfn));
      return guest.putList(xen_pfn_t, (wanted['extent_start'] as bigint) + first * size, list) === list.length;
    },
    always: true,
  }),
  [XENMEM.machphys_mfn_list]: mfnList('memory.machphys_mfn_list'),
  [XENMEM.machphys_compat_mfn_list]: codec('memory.machphys_compat_mfn_list', undefined, { args: { max_extents: { is: 0 } } }),
  [XENMEM.machphys_mapping]: codec('memory.machphys_mapping', abi.xen_machphys_mapping, {
    out: ({ v_start, v_end, max_mfn }) => ({
      v_start: BigInt(v_start as string),
      v_end: BigInt(v_end as string),
      max_mfn: BigInt(max_mfn as number),
    }),
  }),
  [XENMEM.memory_map]: codec('memory.memory_map', abi.xen_memory_map, { out: ['nr_entries'], write: putEntries }),
  [XENMEM.machine_memory_map]: codec('memory.machine_memory_map', abi.xen_memory_map, {
    args: { store: ({ buffer }) => buffer !== 0n },
    out: ['nr_entries'],
    write: putEntries,
  }),
  [XENMEM.set_memory_map]: codec('memory.set_memory_map', abi.xen_foreign_memory_map, {
    args: {
      dom,
      nr_entries: 'map.nr_entries',
      entries({ map }, { guest }) {
        const { nr_entries, buffer } = map as { nr_entries: number; buffer: bigint };
        // More than there can be is refused for that, whatever stands there.
        return guest.bytes(buffer, Math.min(nr_entries, MAX_E820) * abi.E820ENTRY_SIZE) ?? new Uint8Array(0);
      },
    },
  }),
  [XENMEM.set_pod_target]: codec('memory.set_pod_target', abi.xen_pod_target, { args: { dom }, out: podTarget }),
  [XENMEM.get_pod_target]: codec('memory.get_pod_target', abi.xen_pod_target, { args: { dom }, out: podTarget }),
  [XENMEM.remove_from_physmap]: codec('memory.remove_from_physmap', abi.xen_remove_from_physmap, { args: { dom } }),
  [XENMEM.get_sharing_freed_pages]: codec('memory.get_sharing_freed_pages', undefined, { rc: 'nr_pages' }),
  [XENMEM.get_sharing_shared_pages]: codec('memory.get_sharing_shared_pages', undefined, { rc: 'nr_pages' }),
  [XENMEM.access_op]: codec('memory.access_op', abi.xen_mem_access_op, { args: { dom } }),
  [XENMEM.reserved_device_memory_map]: codec('memory.reserved_device_memory_map', abi.xen_reserved_device_memory_map, {
    out: ['nr_entries'],
  }),
  [XENMEM.get_vnumainfo]: codec('memory.get_vnumainfo', abi.xen_vnuma_topology_info, {
    args: { dom: ({ domid, pad }) => (pad === 0 ? domid : new Refusal('EINVAL')) },
    out: ['nr_vnodes', 'nr_vcpus', 'nr_vmemranges'],
    // Who has too little room is told how much it takes.
    always: true,
    write: putVnuma,
  }),
};
const MAX_E820 = 1024;

function mfnList(command: 'memory.machphys_mfn_list'): Codec {
  return codec(command, abi.xen_machphys_mfn_list, {
    out: ({ frames }) => ({ nr_extents: (frames as readonly number[]).length }),
    write({ frames }, { extent_start }, { guest }) {
      const list = (frames as readonly number[]).map((mfn) => BigInt(mfn));
      return guest.putList(xen_pfn_t, extent_start as bigint, list) === list.length;
    },
  });
}
function putEntries({ entries }: Plain, { buffer, map }: Plain, { guest }: Call): boolean {
  const to = (buffer ?? (map as Plain)['buffer']) as bigint;
  return (entries as Uint8Array).length === 0 || to === 0n || guest.put(to, entries as Uint8Array);
}
/** struct xen_vmemrange: two addresses of 64 bits, flags, a node. */
function putVnuma({ vmemranges, vdistance, vcpu_to_vnode }: Plain, given: Plain, { guest }: Call): boolean {
  const to = (name: string): bigint => (given[name] as { h: bigint }).h;
  const words = (vmemranges as readonly number[]).flatMap((value, i) =>
    i % 4 < 2 ? [value % 2 ** 32, Math.floor(value / 2 ** 32)] : [value],
  );
  const put = (at: string, list: readonly number[]): boolean => guest.putList(uint32_t, to(at), list) === list.length;
  return put('vmemrange', words) && put('vdistance', vdistance as number[]) && put('vcpu_to_vnode', vcpu_to_vnode as number[]);
}
function podTarget({ tot_pages, pod_cache_pages, pod_entries }: Plain): Plain {
  const pages = { tot_pages, pod_cache_pages, pod_entries };
  return Object.fromEntries(Object.entries(pages).map(([name, count]) => [name, BigInt((count as number | undefined) ?? 0)]));
}
/** A list of a reservation, which must be there as a whole. */
function wholeList({ guest }: Call, { extent_start, nr_extents }: Plain): unknown {
  if ((nr_extents as bigint) > BigInt(MAX_LIST)) return new Refusal('ENOMEM');
  const count = Number(nr_extents as bigint);
  const list = guest.list(xen_pfn_t, extent_start as bigint, count).map((frame) => toNumber(frame));
  return list.length === count ? list : EFAULT;
}

export function performMemoryOp(call: Call): Result {
  const start = call.arg(0) >> EXTENT_SHIFT;
  const cmd = Number(call.arg(0) & CMD_MASK);
  const at = call.arg(1);
  switch (cmd) {
    case XENMEM.increase_reservation:
    case XENMEM.decrease_reservation:
    case XENMEM.populate_physmap:
      return reserve(call, cmd, toNumber(start));
    case XENMEM.add_to_physmap:
      return start > MAX_SIZE ? call.refuse('EDOM', cmd) : addToPhysmap(call, Number(start));
    case XENMEM.add_to_physmap_batch:
      return start > MAX_SIZE ? call.refuse('EDOM', cmd) : addBatch(call, Number(start));
    case XENMEM.acquire_resource:
      return acquire(call);
  }
  const codec = memoryOp[cmd];
  if (codec === undefined) return call.refuse('ENOSYS', cmd);
  return start === 0n ? perform(call, codec, at, cmd) : call.refuse('EINVAL', cmd);
}
const MAX_SIZE = 0xffffn;

/** The reservations: a list of extents, as far as it goes. What stops it is no error but how far it came. */
function reserve(call: Call, cmd: number, start: number): Result {
  const given = call.guest.read(abi.xen_memory_reservation, call.arg(1));
  const nr_extents = given && toNumber(given['nr_extents'] as bigint);
  if (given === undefined || nr_extents === undefined || nr_extents < 0 || nr_extents > MAX_EXTENTS || start >= nr_extents)
    return done(start);
  const { domid } = call.caller;
  const extent_order = given['extent_order'] as number;
  const mem_flags = given['mem_flags'] as number;
  const dom = given['domid'] as number;
  const list = given['extent_start'] as bigint;
  const size = BigInt(xen_pfn_t[call.guest.width].size);
  const steps = nr_extents - start > CHUNK ? call.asList() : call;
  let nr_done = start;
  while (nr_done < nr_extents) {
    if (nr_done > start && call.port.preempt())
      return goOn(call.number, [(BigInt(nr_done) << EXTENT_SHIFT) | BigInt(cmd), call.arg(1)]);
    const count = Math.min(CHUNK, nr_extents - nr_done);
    const at = list + BigInt(nr_done) * size;
    const extents =
      cmd === XENMEM.increase_reservation ? [] : call.guest.list(xen_pfn_t, at, count).map((extent) => toNumber(extent));
    // Nothing of the list is there: it ends here.
    if (cmd !== XENMEM.increase_reservation && extents.length === 0) break;
    const outcome = steps.step(
      cmd === XENMEM.increase_reservation
        ? { type: 'memory.increase_reservation', domid, dom, nr_extents: count, extent_order, mem_flags }
        : cmd === XENMEM.populate_physmap
          ? { type: 'memory.populate_physmap_extents', domid, dom, gpfns: extents, extent_order, mem_flags }
          : { type: 'memory.decrease_reservation_extents', domid, dom, gmfns: extents, extent_order },
    );
    const answer = (outcome.value ?? {}) as { nr_done?: number; frames?: readonly number[] };
    const isPv = call.xen.domain.of(0)!.hvm.at(dom === DOMID_SELF ? domid : dom) === 0;
    if (isPv && list !== 0n)
      call.guest.putList(
        xen_pfn_t,
        at,
        (answer.frames ?? []).map((mfn) => BigInt(mfn)),
      );
    nr_done += answer.nr_done ?? 0;
    if ((answer.nr_done ?? 0) < count) break;
  }
  return done(nr_done);
}
const DOMID_SELF = 0x7ff0;

const addOne = codec('memory.add_to_physmap', abi.xen_add_to_physmap, { args: { dom } });
/** In the space gmfn_range a page each step, and the command says where the next begins. */
function addToPhysmap(call: Call, start: number): Result {
  const cmd = XENMEM.add_to_physmap;
  const given = call.guest.read(abi.xen_add_to_physmap, call.arg(1));
  if (given === undefined) return call.refuse('EFAULT', cmd);
  if (given['space'] !== XENMAPSPACE.gmfn_range) return perform(call, addOne, call.arg(1), cmd);
  const steps = (given['size'] as number) - start > 1 ? call.asList() : call;
  for (let at = start; ; ) {
    const range = commandOf(
      call,
      codec('memory.add_to_physmap_range', abi.xen_add_to_physmap, { args: { dom, start: { is: at } } }),
      given,
    );
    if (range instanceof Refusal) return call.refuse(range.errno, cmd);
    const outcome = steps.step(range);
    if (outcome.ok) return done(0);
    if (outcome.errno !== 'ERESTART') return done(errnoNumber(outcome.errno));
    at = (outcome.value as { done: number }).done;
    if (call.port.preempt()) return goOn(call.number, [(BigInt(at) << EXTENT_SHIFT) | BigInt(cmd), call.arg(1)]);
  }
}

/** xenmem_add_to_physmap_batch(): each element's error goes into its place. */
function addBatch(call: Call, start: number): Result {
  const cmd = XENMEM.add_to_physmap_batch;
  const given = call.guest.read(abi.xen_add_to_physmap_batch, call.arg(1));
  if (given === undefined) return call.refuse('EFAULT', cmd);
  const size = given['size'] as number;
  const steps = call.asList();
  const { guest } = call;
  const width = BigInt(xen_ulong_t[guest.width].size);
  if (size < start) return call.refuse('EILSEQ', cmd);
  for (let i = start; i < size; i++) {
    if (i > start && call.port.preempt()) return goOn(call.number, [(BigInt(i) << EXTENT_SHIFT) | BigInt(cmd), call.arg(1)]);
    const [idx] = guest.list(xen_ulong_t, (given['idxs'] as bigint) + BigInt(i) * width, 1);
    const [gpfn] = guest.list(xen_pfn_t, (given['gpfns'] as bigint) + BigInt(i) * width, 1);
    if (idx === undefined || gpfn === undefined) return steps.refuse('EFAULT', cmd);
    const command: CommandOf<'memory.add_to_physmap_batch'> = {
      type: 'memory.add_to_physmap_batch',
      domid: call.caller.domid,
      dom: given['domid'] as number,
      space: given['space'] as number,
      u: (given['u'] as { foreign_domid: number }).foreign_domid,
      idx: toNumber(idx),
      gpfn: toNumber(gpfn),
    };
    const outcome = steps.step(command);
    if (!outcome.ok) return done(errnoNumber(outcome.errno));
    const { err } = outcome.value as { err: number };
    if (guest.putList(int32_t, (given['errs'] as bigint) + BigInt(i * 4), [err]) === 0) return done(errnoNumber('EFAULT'));
  }
  return done(0);
}

const resource = codec('memory.acquire_resource', abi.xen_mem_acquire_resource, {
  args: {
    dom,
    resource: 'type',
    size: ({ frame_list }) => frame_list === 0n,
    gfns({ nr_frames, frame_list }, { guest, xen, caller }) {
      const count = nr_frames as number;
      if (frame_list === 0n || xen.domain.of(0)!.hvm.at(caller.domid) === 0) return [];
      const list = guest.list(xen_pfn_t, frame_list as bigint, Math.min(count, MAX_LIST));
      return list.length < count ? EFAULT : list.map((gfn) => toNumber(gfn));
    },
  },
  out: ({ nr_frames }, given) => (given['frame_list'] === 0n ? { nr_frames } : {}),
  write({ frames }, { frame_list }, { guest, xen, caller }) {
    if (frame_list === 0n || xen.domain.of(0)!.hvm.at(caller.domid) === 1) return true;
    const list = (frames as readonly number[]).map((mfn) => BigInt(mfn));
    return guest.putList(xen_pfn_t, frame_list as bigint, list) === list.length;
  },
});
/** acquire_resource(): one step, for Xen's limit of frames is small. */
function acquire(call: Call): Result {
  const cmd = XENMEM.acquire_resource;
  if (call.arg(0) >> EXTENT_SHIFT !== 0n) return call.refuse('EINVAL', cmd);
  const given = call.guest.read(abi.xen_mem_acquire_resource, call.arg(1));
  if (given === undefined) return call.refuse('EFAULT', cmd);
  const frame = given['frame'] as bigint;
  if (given['pad'] !== 0 || (frame + BigInt(given['nr_frames'] as number)) >> 32n !== 0n) return call.refuse('EINVAL', cmd);
  return perform(call, resource, call.arg(1), cmd);
}
