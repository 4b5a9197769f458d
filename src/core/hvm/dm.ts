// dm_op (xen/arch/x86/hvm/dm.c, xen/common/ioreq.c): what the device model of an HVM domain asks.
import type { Errno } from '../../../events/errno.ts';
import { accept, type GuestReader, refuse } from '../../../events/step.ts';
import { DOMID_FIRST_RESERVED, type DomId, type Gfn, type Ns } from '../../../events/units.ts';
import type { CommandOf, Fact, HvmCommand, Outcome } from '../../../events/vocabulary.ts';
import { isHex64, wordsOf } from '../../abi/u64.ts';
import { shutdown } from '../domain/decide.ts';
import { letGo } from '../domain/let-go.ts';
import { freePorts } from '../evtchn/decide.ts';
import { relocate } from '../p2m/physmap.ts';
import { add, contains, overlaps, remove } from '../rangeset.ts';
import type { Xen } from '../xen.ts';
import { permits } from '../xsm.ts';
import { HVM_PARAM, type IoreqServer, LINKS, MAX_NR_IOREQ_SERVERS, PCI_LINES } from './state.ts';

export type DmCommand = Extract<HvmCommand, { type: `dm.${string}` }>;

const BUFIOREQ = { OFF: 0, LEGACY: 1, ATOMIC: 2 } as const;
const NO_GFNS = 1;
const RANGE_TYPES = ['port', 'memory', 'pci'] as const;
const GIB_OF_PAGES = 2 ** 18;
const MEM_TYPES = ['ram_rw', 'ram_ro', 'mmio_dm', 'unused', 'ioreq_server'] as const;
const ACCESS_WRITE = 2;
const CACHE_ATTRIBUTES: readonly number[] = [0, 1, 4, 5, 6, 7];
const DELETE_CACHEATTR = 2 ** 32 - 1;
const PADDR_PAGES = 2 ** 34;
/** Ours: entries that a list of ranges may have. */
const MAX_RANGES = 256;

export function decideDm(xen: Xen, command: DmCommand, now: Ns, guest: GuestReader): Outcome {
  const { domid, dom } = command;
  const flaw = dmFlaw(xen, domid, dom);
  if (flaw !== undefined) return refuse(flaw);
  const row = xen.domain.of(0)!;
  switch (command.type) {
    case 'dm.create_ioreq_server':
      return createServer(xen, command, guest);
    case 'dm.get_ioreq_server_info':
      return serverInfo(xen, command);
    case 'dm.map_io_range_to_ioreq_server':
    case 'dm.unmap_io_range_from_ioreq_server':
      return ioRange(xen, command);
    case 'dm.set_ioreq_server_state':
      return ownServer(xen, command, ({ id, enabled }) =>
        accept({}, ...(enabled === command.enabled ? [] : [stateSet(dom, id, command.enabled)])),
      );
    case 'dm.destroy_ioreq_server':
      return ownServer(xen, command, (server) => accept({}, ...destroyed(xen, dom, server)));
    case 'dm.track_dirty_vram': {
      const { nr, size } = command;
      if (nr < 0 || nr > GIB_OF_PAGES) return refuse('EINVAL');
      if (!xen.isAlive(dom)) return refuse('ESRCH');
      if (row.nr_vcpus.at(dom) === 0 || Math.ceil(nr / 8) > size) return refuse('EINVAL');
      // A guest's own stores are seen by nobody: all pages count as dirty, as on the first call of real Xen.
      return accept({ dirty: new Uint8Array(Math.ceil(nr / 8)).fill(0xff) });
    }
    case 'dm.set_pci_intx_level': {
      const { segment, bus, device, intx, level } = command;
      if (segment !== 0 || bus !== 0 || device < 0 || device > 0x1f || intx < 0 || intx > 3) return refuse('EINVAL');
      return lineSet(xen, dom, 'pci', device * 4 + intx, level);
    }
    case 'dm.set_isa_irq_level': {
      const { isa_irq, level } = command;
      return isa_irq < 0 || isa_irq > 15 ? refuse('EINVAL') : lineSet(xen, dom, 'isa', isa_irq, level);
    }
    case 'dm.set_pci_link_route': {
      const { link, isa_irq } = command;
      if (link < 0 || link > 3 || isa_irq < 0 || isa_irq > 15) return refuse('EINVAL');
      const isSame = (xen.hvm.lines.of(dom)?.level.at(LINKS + link) ?? 0) === isa_irq;
      return isSame ? accept() : accept({}, { type: 'dm.link_routed', domid: dom, link, isa_irq });
    }
    case 'dm.modified_memory': {
      if (xen.control.row.log_dirty.at(dom) === 0) return accept();
      const { first_pfn, nr } = command;
      return nr <= 0 || first_pfn < 0 || first_pfn + nr > lastGfn(xen, dom) ? refuse('EINVAL') : accept();
    }
    case 'dm.set_mem_type':
      return setMemType(xen, command);
    case 'dm.inject_event': {
      const { vcpuid, vector } = command;
      if (!xen.hasVcpu(dom, vcpuid)) return refuse('EINVAL');
      if ((xen.control.vcpus.of(dom)?.injected_plus_1.at(vcpuid) ?? 0) !== 0) return refuse('EBUSY');
      return accept({}, { type: 'dm.event_injected', domid: dom, vcpu: vcpuid, vector: vector & 0xff });
    }
    case 'dm.inject_msi': {
      const { data, addr } = command;
      if (!isHex64(addr)) return refuse('EINVAL');
      const vector = data & 0xff;
      const dest = (wordsOf(addr).low >>> 12) & 0xff;
      // Without a vector, a pirq is meant; domains here have none that is emulated.
      if (vector === 0) return refuse(dest === 0 && wordsOf(addr).high === 0 ? 'ERANGE' : 'EINVAL');
      return accept({}, { type: 'dm.msi_injected', domid: dom, vector, dest });
    }
    case 'dm.map_mem_type_to_ioreq_server':
      return mapMemType(xen, command);
    case 'dm.remote_shutdown':
      return shutdown(
        xen,
        dom,
        { type: 'domain.shut_down_with', domid: dom, code: command.reason & 0xff, at_ns: now },
        now,
        guest,
      );
    case 'dm.pin_memory_cacheattr':
      return pinCacheattr(xen, command);
    case 'dm.nr_vcpus':
      return accept({ vcpus: row.max_vcpus.at(dom) });
    case 'dm.relocate_memory':
      return letGo(xen, relocate(xen, command, guest), now, guest);
    case 'dm.set_irq_level':
      return refuse('EOPNOTSUPP'); // Arm's
    default:
      return command satisfies never;
  }
}

/** Why a domain is no device model of another, whatever it asks. */
export function dmFlaw(xen: Xen, domid: DomId, dom: DomId): Errno | undefined {
  // rcu_lock_remote_domain_by_id(): nobody is its own device model.
  if (dom === domid) return 'EPERM';
  if (dom < 0 || dom >= DOMID_FIRST_RESERVED || !xen.exists(dom)) return 'ESRCH';
  if (xen.domain.of(0)!.hvm.at(dom) === 0) return 'EINVAL';
  return permits(xen, 'dm_priv', domid, dom) ? undefined : 'EPERM';
}

/** The highest page that a domain has (domain_get_maximum_gpfn()). */
function lastGfn(xen: Xen, domid: DomId): Gfn {
  return xen.p2m.of(domid).reduce((last, { gfn, count }) => Math.max(last, gfn + count - 1), 0);
}

/** What only the server's own emulator may do. */
function ownServer(
  xen: Xen,
  { domid, dom, id }: { readonly domid: DomId; readonly dom: DomId; readonly id: number },
  then: (server: IoreqServer) => Outcome,
): Outcome {
  const server = xen.hvm.server(dom, id);
  if (server === undefined) return refuse('ENOENT');
  return server.emulator === domid ? then(server) : refuse('EPERM');
}

/** ioreq_server_create(): with a channel for each vCPU, and one for the buffered requests where there are to be any. */
function createServer(
  xen: Xen,
  { domid, dom, handle_bufioreq }: CommandOf<'dm.create_ioreq_server'>,
  guest: GuestReader,
): Outcome {
  if (handle_bufioreq < 0 || handle_bufioreq > BUFIOREQ.ATOMIC) return refuse('EINVAL');
  let id = 0;
  while (xen.hvm.server(dom, id) !== undefined) id++;
  if (id >= MAX_NR_IOREQ_SERVERS) return refuse('ENOSPC');
  const vcpus = xen.domain.of(0)!.nr_vcpus.at(dom);
  const isBuffered = handle_bufioreq !== BUFIOREQ.OFF && vcpus > 0;
  const free = freePorts(xen, dom, vcpus + (isBuffered ? 1 : 0), guest);
  if (!free.ok) return refuse(free.errno);
  const ports = free.ports.slice(0, vcpus);
  const bufioreq_port = isBuffered ? free.ports[vcpus]! : 0;
  const facts: Fact[] = free.ports.map((port) => ({ type: 'evtchn.unbound_allocated', domid: dom, port, remote_dom: domid }));
  ports.forEach((port, vcpu) => {
    if (vcpu > 0) facts.push({ type: 'evtchn.vcpu_bound', domid: dom, port, vcpu });
  });
  return accept({ id }, ...facts, {
    type: 'dm.ioreq_server_created',
    domid: dom,
    id,
    emulator: domid,
    handle_bufioreq,
    ports,
    bufioreq_port,
  });
}

/** ioreq_server_get_info(): the pages are the guest's own, of those that its builder has set aside. */
function serverInfo(xen: Xen, command: CommandOf<'dm.get_ioreq_server_info'>): Outcome {
  const { dom, id, flags } = command;
  if ((flags & ~NO_GFNS) !== 0) return refuse('EINVAL');
  return ownServer(xen, command, (server) => {
    const { bufioreq_port, handle_bufioreq } = server;
    if ((flags & NO_GFNS) !== 0) return accept({ ioreq_gfn: 0, bufioreq_gfn: 0, bufioreq_port });
    // Who has Xen's own pages does not get the guest's.
    if (server.ioreq_mfn >= 0) return refuse('EPERM');
    if (server.ioreq_gfn >= 0)
      return accept({ ioreq_gfn: server.ioreq_gfn, bufioreq_gfn: Math.max(0, server.bufioreq_gfn), bufioreq_port });
    if (!xen.isAlive(dom)) return refuse('EINVAL');
    const free = freeGfns(xen, dom);
    const isBuffered = handle_bufioreq !== BUFIOREQ.OFF;
    const ioreq_gfn = free[0];
    const bufioreq_gfn = isBuffered ? free[1] : -1;
    if (ioreq_gfn === undefined || bufioreq_gfn === undefined) return refuse('ENOMEM');
    if ([ioreq_gfn, bufioreq_gfn].some((gfn) => gfn >= 0 && xen.p2m.mfn(dom, gfn) < 0)) return refuse('EINVAL');
    return accept(
      { ioreq_gfn, bufioreq_gfn: Math.max(0, bufioreq_gfn), bufioreq_port },
      { type: 'dm.ioreq_pages_mapped', domid: dom, id, ioreq_gfn, bufioreq_gfn },
    );
  });
}

/** hvm_alloc_ioreq_gfn(): the pages of IOREQ_SERVER_PFN, then the two of old, in their order and unless a server has them. */
function freeGfns(xen: Xen, domid: DomId): Gfn[] {
  const param = (index: number): number => wordsOf(xen.hvm.param(domid, index)).low;
  const base = param(HVM_PARAM.IOREQ_SERVER_PFN);
  const pages = Array.from({ length: Math.min(64, param(HVM_PARAM.NR_IOREQ_SERVER_PAGES)) }, (_, i) => base + i);
  const legacy = [HVM_PARAM.IOREQ_PFN, HVM_PARAM.BUFIOREQ_PFN].map(param).filter((gfn) => gfn !== 0);
  const taken = new Set(xen.hvm.serversOf(domid).flatMap(({ ioreq_gfn, bufioreq_gfn }) => [ioreq_gfn, bufioreq_gfn]));
  return [...pages, ...legacy].filter((gfn) => !taken.has(gfn));
}

const stateSet = (domid: DomId, id: number, enabled: boolean): Fact => ({
  type: 'dm.ioreq_server_state_set',
  domid,
  id,
  enabled,
});

/** The channels go with the server, as far as they are still its own. */
function destroyed(xen: Xen, domid: DomId, server: IoreqServer): Fact[] {
  const ports = xen.evtchn.ports.of(domid)!;
  const own = [...server.ports, server.bufioreq_port].filter((port) => {
    const state = ports.state.is(port);
    return port !== 0 && (state === 'unbound' || state === 'interdomain') && ports.remote_dom.at(port) === server.emulator;
  });
  const isMapped = xen.hvm.typesOf(domid).mapped_to === server.id;
  const frames = [server.ioreq_mfn, server.bufioreq_mfn].filter((mfn) => mfn >= 0 && !xen.isHeldElsewhere(domid, mfn));
  return [
    ...own.map((port): Fact => ({ type: 'evtchn.closed', domid, port })),
    ...(isMapped ? [{ type: 'dm.mem_type_mapped', domid, id: -1 } satisfies Fact] : []),
    { type: 'dm.ioreq_server_destroyed', domid, id: server.id },
    ...(frames.length > 0 ? [{ type: 'dm.ioreq_pages_freed', domid, frames } satisfies Fact] : []),
  ];
}

function ioRange(
  xen: Xen,
  command: CommandOf<'dm.map_io_range_to_ioreq_server'> | CommandOf<'dm.unmap_io_range_from_ioreq_server'>,
): Outcome {
  const { dom, range_type, start, end } = command;
  if (start < 0 || start > end) return refuse('EINVAL');
  return ownServer(xen, command, (server) => {
    const io_range = RANGE_TYPES[range_type];
    if (io_range === undefined) return refuse('EINVAL');
    const before = server[io_range];
    if (command.type === 'dm.map_io_range_to_ioreq_server') {
      if (overlaps(before, start, end)) return refuse('EEXIST');
      if (before.length >= 2 * MAX_RANGES) return refuse('ENOMEM'); // MAX_NR_IO_RANGES of Xen's own
      return accept({}, { type: 'dm.io_ranges_set', domid: dom, id: server.id, io_range, ranges: add(before, start, end) });
    }
    if (!contains(before, start, end)) return refuse('ENOENT');
    return accept({}, { type: 'dm.io_ranges_set', domid: dom, id: server.id, io_range, ranges: remove(before, start, end) });
  });
}

function lineSet(xen: Xen, domid: DomId, line: 'pci' | 'isa', number: number, level: number): Outcome {
  if (level !== 0 && level !== 1) return refuse('EINVAL');
  const row = line === 'pci' ? PCI_LINES + number : number;
  const isSame = (xen.hvm.lines.of(domid)?.level.at(row) ?? 0) === level;
  return isSame ? accept() : accept({}, { type: 'dm.interrupt_line_set', domid, line, number, asserted: level === 1 });
}

function setMemType(xen: Xen, { dom, mem_type, first_pfn, nr }: CommandOf<'dm.set_mem_type'>): Outcome {
  const last = first_pfn + nr - 1;
  if (first_pfn < 0 || nr < 1 || last > lastGfn(xen, dom)) return refuse('EINVAL');
  const type = MEM_TYPES[mem_type];
  if (type === undefined || type === 'unused') return refuse('EINVAL');
  const types = xen.hvm.typesOf(dom);
  if (type === 'ioreq_server' && types.mapped_to < 0) return refuse('EINVAL');
  // Memory becomes anything; what a server sees only memory again, and a hole only a device.
  const isRam = xen.p2m.of(dom).some(({ gfn, count }) => gfn <= first_pfn && last < gfn + count);
  const isServers = overlaps(types.ioreq_server, first_pfn, last);
  const isOther = overlaps(types.mmio_dm, first_pfn, last) || overlaps(types.ram_ro, first_pfn, last);
  if (type === 'ioreq_server' ? !isRam || isOther : isServers ? type !== 'ram_rw' : !isRam && type !== 'mmio_dm')
    return refuse('EINVAL');
  if (types.ram_ro.length + types.mmio_dm.length + types.ioreq_server.length >= 2 * MAX_RANGES) return refuse('ENOMEM');
  return accept({}, { type: 'dm.mem_type_set', domid: dom, mem_type: type, first_pfn, nr });
}

/** ioreq_server_map_mem_type(): without flags, its pages are memory again. */
function mapMemType(xen: Xen, command: CommandOf<'dm.map_mem_type_to_ioreq_server'>): Outcome {
  const { dom, mem_type, flags } = command;
  if (MEM_TYPES[mem_type] !== 'ioreq_server' || (flags & ~ACCESS_WRITE) !== 0) return refuse('EINVAL');
  return ownServer(xen, command, ({ id }) => {
    const { mapped_to } = xen.hvm.typesOf(dom);
    if (flags === 0) return mapped_to === id ? accept({}, { type: 'dm.mem_type_mapped', domid: dom, id: -1 }) : refuse('EBUSY');
    return mapped_to >= 0 ? refuse('EBUSY') : accept({}, { type: 'dm.mem_type_mapped', domid: dom, id });
  });
}

function pinCacheattr(xen: Xen, { dom, start, end, attribute }: CommandOf<'dm.pin_memory_cacheattr'>): Outcome {
  if (start < 0 || end < start || end >= PADDR_PAGES) return refuse('EINVAL');
  const { pinned } = xen.hvm.typesOf(dom);
  let found = -1;
  let isOverlapping = false;
  for (let i = 0; i < pinned.length; i += 3) {
    if (pinned[i] === start && pinned[i + 1] === end) found = pinned[i + 2]!;
    else if (pinned[i]! <= end && start <= pinned[i + 1]!) isOverlapping = true;
  }
  const set: Fact = { type: 'dm.cacheattr_pinned', domid: dom, start, end, attribute };
  if (attribute === DELETE_CACHEATTR) return found < 0 ? refuse('ENOENT') : accept({}, set);
  if (!CACHE_ATTRIBUTES.includes(attribute)) return refuse('EINVAL');
  if (found === attribute) return accept();
  if (isOverlapping && found < 0) return refuse('EPERM');
  return pinned.length >= 3 * 64 && found < 0 ? refuse('ENOSPC') : accept({}, set);
}
