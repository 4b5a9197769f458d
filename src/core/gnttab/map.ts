// Mapping grants and letting go of them (map_grant_ref() and unmap_common() in xen/common/grant_table.c).

import { IN_TABLES } from '../../../events/gnttab.ts';
import { accept, type GuestReader, refuse } from '../../../events/step.ts';
import { type DomId, type Gref, type Mfn, type Ns, PAGE_SIZE } from '../../../events/units.ts';
import type { Fact, Outcome } from '../../../events/vocabulary.ts';
import { GNTMAP } from '../../abi/grant-table.ts';
import { VIRQ } from '../../abi/virq.ts';
import { raiseGlobalVirq } from '../evtchn/decide.ts';
import { createEntry, replaceEntry, runsOnTables } from '../mm/grant-entry.ts';
import { Pages } from '../mm/pages.ts';
import type { Xen } from '../xen.ts';
import { entryAt, fail, leftovers, pageNumberOf, permission, type Refusal } from './entries.ts';
import { flagsOf, freeHandle } from './maptrack.ts';
import { type Active, GTF_reading, GTF_writing, isPinned, isPinnedToWrite, UNTOLD_ADDRESS } from './state.ts';

/** GNTMAP flags that say where a mapping is; one without either is none. */
export const PARTS = GNTMAP.device_map | GNTMAP.host_map;
/** Those that a domain whose memory Xen translates can not ask for. */
const PV_ONLY = GNTMAP.device_map | GNTMAP.application_map | GNTMAP.contains_pte;
/** What is kept of the flags. */
const KEPT_FLAGS = GNTMAP.device_map | GNTMAP.host_map | GNTMAP.readonly | GNTMAP.application_map | GNTMAP.contains_pte;
/** How often an entry can be mapped in one way (GNTPIN_incr2oflow_mask()). */
const MAX_PINS = 128;

export interface MapRequest {
  readonly domid: DomId;
  readonly dom: DomId;
  readonly ref: Gref;
  readonly flags: number;
  readonly host_addr: number;
  readonly vcpu: number;
}

export function map(xen: Xen, request: MapRequest, guest: GuestReader): Outcome {
  const { domid, dom, ref, flags, host_addr } = request;
  if ((flags & PARTS) === 0) return refuse('bad_gntref');
  const isExternal = xen.domain.of(0)!.hvm.at(domid) === 1;
  if (isExternal && (flags & PV_ONLY) !== 0) return refuse('general_error');
  // DOMID_SELF is nobody here (rcu_lock_domain_by_id()); who dies still has pages to map.
  if (!xen.exists(dom)) return refuse('bad_domain');
  const handle = freeHandle(xen, domid);
  if (handle < 0) return refuse('no_space');
  const entry = pin(xen, guest, request);
  let errno = !entry.ok ? entry.errno : canStand(request, isExternal) ? undefined : 'general_error';
  const isInTables = (flags & GNTMAP.host_map) !== 0 && host_addr !== UNTOLD_ADDRESS && runsOnTables(xen, domid, request.vcpu);
  let tables: readonly Fact[] = [];
  if (entry.ok && errno === undefined && isInTables) {
    const pages = new Pages(xen, guest);
    if (createEntry(pages, request, entry.mfn, dom)) tables = pages.facts();
    else errno = 'general_error';
  }
  if (errno !== undefined) {
    return refuse(errno, undefined, { type: 'gnttab.handle_put_back', domid, handle }, ...entry.left);
  }
  const { mfn, set_flags } = entry as Pinned;
  const kept = (flags & KEPT_FLAGS) | (isInTables ? IN_TABLES : 0);
  const mapped: Fact = { type: 'gnttab.mapped', domid, handle, dom, ref, mfn, flags: kept, host_addr, set_flags };
  return tables.length === 0 ? accept({ handle, mfn }, mapped) : accept({ handle, mfn }, ...tables, mapped);
}

interface Pinned {
  readonly ok: true;
  readonly mfn: Mfn;
  readonly set_flags: number;
  /** What would be left of it if nothing came of the mapping. */
  readonly left: readonly Fact[];
}

/** Whether an entry may be mapped so, and what that gives. */
function pin(xen: Xen, guest: GuestReader, request: MapRequest): Pinned | (Refusal & { readonly left: readonly Fact[] }) {
  const { domid, dom, ref, flags } = request;
  const entry = entryAt(xen, dom, ref);
  if (entry === undefined) return { ...fail('bad_gntref'), left: [] };
  const active = xen.gnttab.active.of(dom)!;
  const pinned = isPinned(active, ref);
  if (pinned && (active.domid.at(ref) !== domid || isFull(active, ref, flags))) return { ...fail('general_error'), left: [] };
  const readonly = (flags & GNTMAP.readonly) !== 0;
  if (pinned && (readonly || isPinnedToWrite(active, ref))) return { ok: true, mfn: active.mfn.at(ref), set_flags: 0, left: [] };
  const allowed = permission(xen, guest, entry, { user: domid, readonly, mapping: true }, pinned);
  if (!allowed.ok) return { ...allowed, left: [] };
  const left = leftovers(dom, ref, allowed, pinned);
  const mfn = pinned ? active.mfn.at(ref) : xen.grantedFrame(dom, pageNumberOf(guest, entry));
  if (mfn < 0) return { ...fail('bad_page'), left };
  // A page table is nobody's to write to (get_page_type()).
  if (!readonly && xen.mm.isProtected(mfn)) return { ...fail('general_error'), left };
  return { ok: true, mfn, set_flags: allowed.set_flags, left };
}

/** Whether an entry is mapped as often in one of these ways as can be counted. */
function isFull({ readers, writers, devr, devw }: Active, ref: Gref, flags: number): boolean {
  const isReadonly = (flags & GNTMAP.readonly) !== 0;
  return (
    ((flags & GNTMAP.host_map) !== 0 && (isReadonly ? readers : writers).at(ref) >= MAX_PINS) ||
    ((flags & GNTMAP.device_map) !== 0 && (isReadonly ? devr : devw).at(ref) >= MAX_PINS)
  );
}

/** Whether a mapping for the CPU can stand where it shall: create_grant_pv_mapping(), create_grant_p2m_mapping(). */
function canStand({ flags, host_addr }: MapRequest, isExternal: boolean): boolean {
  if ((flags & GNTMAP.host_map) === 0) return true;
  if (isExternal) return (flags & ~GNTMAP.readonly) === GNTMAP.host_map && (host_addr >= 0 || host_addr === UNTOLD_ADDRESS);
  return (flags & GNTMAP.contains_pte) === 0 || host_addr % PTE_SIZE === 0;
}
const PTE_SIZE = 8;

export interface UnmapRequest {
  readonly domid: DomId;
  readonly handle: number;
  /** 0 where the mapping for the CPU stays. */
  readonly host_addr: number;
  /** 0 where the mapping for devices stays. */
  readonly dev_bus_addr: number;
  /** Where the page table entry is taken from that comes in the mapping's place; 0 where none does. */
  readonly new_addr: number;
  readonly vcpu: number;
}

/** Takes away those parts of a mapping that are named by their addresses. */
export function unmap(xen: Xen, request: UnmapRequest, now: Ns, guest: GuestReader): Outcome {
  const { domid, handle, host_addr, dev_bus_addr } = request;
  const maps = xen.gnttab.maptrack.of(domid)!;
  if (maps.state.is(handle) === 'free') return refuse('bad_handle');
  const flags = flagsOf(maps, handle);
  const device = dev_bus_addr !== 0 ? flags & GNTMAP.device_map : 0;
  const host = host_addr !== 0 ? flags & GNTMAP.host_map : 0;
  if (device !== 0 && dev_bus_addr !== maps.mfn.at(handle) * PAGE_SIZE) return refuse('bad_dev_addr');
  if (host !== 0 && (flags & IN_TABLES) !== 0) {
    const pages = new Pages(xen, guest);
    const mfn = maps.mfn.at(handle);
    const isReplaced = replaceEntry(pages, { ...request, flags }, mfn, request.new_addr);
    if (!isReplaced) return refuse('general_error', undefined, ...pages.facts());
    const { refs } = xen.mm.frame(mfn);
    const dropped = refs - (pages.page(mfn, maps.dom.at(handle))?.refs ?? refs);
    return accept({}, ...pages.facts(), ...unmapped(xen, domid, handle, device | host, now, guest, dropped));
  }
  if (host !== 0 && !stands(xen, request, flags)) return refuse('general_error');
  return (device | host) === 0 ? accept() : accept({}, ...unmapped(xen, domid, handle, device | host, now, guest));
}

/** Takes away all of a mapping, where it is. */
export function unmapWhole(xen: Xen, domid: DomId, handle: number, now: Ns, guest: GuestReader): Outcome {
  const maps = xen.gnttab.maptrack.of(domid)!;
  if ((flagsOf(maps, handle) & IN_TABLES) === 0) return accept({}, ...unmapped(xen, domid, handle, PARTS, now, guest));
  const dev_bus_addr = maps.mfn.at(handle) * PAGE_SIZE;
  return unmap(xen, { domid, handle, host_addr: maps.host_addr.at(handle), dev_bus_addr, new_addr: 0, vcpu: 0 }, now, guest);
}

/** Whether a mapping for the CPU is where its owner says, and may be replaced as it wants (replace_grant_host_mapping()). */
function stands(xen: Xen, { domid, handle, host_addr, new_addr }: UnmapRequest, flags: number): boolean {
  const isExternal = xen.domain.of(0)!.hvm.at(domid) === 1;
  if (new_addr !== 0 && (isExternal || (flags & GNTMAP.contains_pte) !== 0)) return false;
  const is = xen.gnttab.maptrack.of(domid)!.host_addr.at(handle);
  if (is === UNTOLD_ADDRESS || is === host_addr) return true;
  return isExternal && Math.floor(is / PAGE_SIZE) === Math.floor(host_addr / PAGE_SIZE);
}

/**
 * The facts of one unmapping; flags go down with the last mapping that needed them. What a zombie kept only for this mapping, or its
 * domain had given back, goes to the heap, and with the last mapping the zombie itself. `dropped` is how many references of page tables go
 * with it.
 */
export function unmapped(
  xen: Xen,
  domid: DomId,
  handle: number,
  wanted: number,
  now: Ns,
  guest: GuestReader,
  dropped = 0,
): Fact[] {
  const maps = xen.gnttab.maptrack.of(domid)!;
  const dom = maps.dom.at(handle);
  const ref = maps.ref.at(handle);
  const flags = flagsOf(maps, handle);
  const parts = flags & wanted & PARTS;
  const { readers, writers, devr, devw } = xen.gnttab.active.of(dom)!;
  const readonly = (flags & GNTMAP.readonly) !== 0;
  const fewer = (parts & GNTMAP.host_map ? 1 : 0) + (parts & GNTMAP.device_map ? 1 : 0);
  const writing = writers.at(ref) + devw.at(ref) - (readonly ? 0 : fewer);
  const pins = writing + readers.at(ref) + devr.at(ref) - (readonly ? fewer : 0);
  const clear_flags = (readonly || writing > 0 ? 0 : GTF_writing) | (pins > 0 ? 0 : GTF_reading);
  const unmap: Fact = { type: 'gnttab.unmapped', domid, handle, dom, ref, parts, clear_flags };
  const mfn = maps.mfn.at(handle);
  const isZombie = xen.isZombie(dom);
  if (!isZombie && !xen.p2m.isReleased(dom, mfn)) return [unmap];
  const isLast = parts === (flags & PARTS) && xen.holdsOn(dom) === 1 + (dom === domid ? 0 : dropped);
  if (isZombie && isLast)
    return [unmap, { type: 'domain.destroyed', domid: dom }, ...raiseGlobalVirq(xen, VIRQ.DOM_EXC, now, guest)];
  if (pins > 0 || xen.gnttab.usesOf(mfn) > 1) return [unmap];
  if (xen.isHeldElsewhere(dom, mfn, dropped) || xen.isUsedByXen(dom, mfn)) return [unmap];
  const gfn = xen.p2m.gfn(dom, mfn);
  return gfn < 0 ? [unmap] : [unmap, { type: 'p2m.removed', domid: dom, gfn, nr_pages: 1 }];
}
