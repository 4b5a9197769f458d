// grant_table_op (xen/common/grant_table.c), version 1 entries.
import type { Errno } from '../../../events/errno.ts';
import { accept, type GuestReader, refuse } from '../../../events/step.ts';
import { DOMID_SELF, type DomId, type Gref, type Mfn, type Ns, PAGE_SIZE } from '../../../events/units.ts';
import type { Fact, GnttabCommand, Outcome } from '../../../events/vocabulary.ts';
import { VIRQ } from '../../abi/virq.ts';
import { raiseVirq } from '../evtchn/decide.ts';
import { allocateFrames } from '../p2m/heap.ts';
import type { Xen } from '../xen.ts';
import { isPrivileged, resolve } from '../xsm.ts';
import {
  ENTRIES_PER_FRAME,
  GRANT_ENTRY_SIZE,
  GTF_permit_access,
  GTF_reading,
  GTF_readonly,
  GTF_sub_page,
  GTF_type_mask,
  GTF_writing,
} from './state.ts';

export function decide(xen: Xen, command: GnttabCommand, now: Ns, guest: GuestReader): Outcome {
  const { domid } = command;
  if (!xen.exists(domid)) return refuse('ESRCH');

  switch (command.type) {
    case 'gnttab.setup_table': {
      const target = resolve(xen, domid, command.dom);
      if (!target.ok) return refuse(target.errno === 'EPERM' ? 'permission_denied' : 'bad_domain');
      return setupTable(xen, target.dom, command.nr_frames);
    }
    case 'gnttab.query_size': {
      const target = resolve(xen, domid, command.dom);
      if (!target.ok) return refuse(target.errno === 'EPERM' ? 'permission_denied' : 'bad_domain');
      const row = xen.domain.of(0)!;
      return accept({ nr_frames: row.nr_grant_frames.at(target.dom), max_nr_frames: row.max_grant_frames.at(target.dom) });
    }
    case 'gnttab.map_grant_ref': {
      const { ref, readonly } = command;
      const { dom } = command;
      // DOMID_SELF is nobody here (rcu_lock_domain_by_id()); who dies still has pages to map.
      if (!xen.exists(dom)) return refuse('bad_domain');
      const handle = freeHandle(xen, domid);
      if (handle < 0) return refuse('no_space');
      const entry = mapEntry(xen, guest, dom, ref, domid, readonly);
      if (!entry.ok) return refuse(entry.errno);
      const { mfn, set_flags } = entry;
      return accept({ handle, mfn }, { type: 'gnttab.ref_mapped', domid, handle, dom, ref, mfn, readonly, set_flags });
    }
    case 'gnttab.unmap_grant_ref': {
      const { handle } = command;
      return xen.gnttab.maptrack.of(domid)!.state.is(handle) === 'free'
        ? refuse('bad_handle')
        : accept({}, ...unmapped(xen, domid, handle, now, guest));
    }
    case 'gnttab.unmap_device_map': {
      const { handle, frame } = command;
      const maps = xen.gnttab.maptrack.of(domid)!;
      if (maps.state.is(handle) === 'free') return refuse('bad_handle');
      if (frame === 0) return accept(); // names no part of the mapping, so all of it stays
      return maps.mfn.at(handle) === frame ? accept({}, ...unmapped(xen, domid, handle, now, guest)) : refuse('bad_dev_addr');
    }
    case 'gnttab.copy': {
      const { source_offset, dest_offset, len } = command;
      const { source_dom, source_ref, source_is_ref, dest_dom, dest_ref, dest_is_ref } = command;
      if (!xen.exists(xen.self(domid, source_dom)) || !xen.exists(xen.self(domid, dest_dom))) return refuse('bad_domain');
      const source = copySide(xen, guest, domid, source_dom, source_ref, source_is_ref, true);
      if (!source.ok) return refuse(source.errno);
      const dest = copySide(xen, guest, domid, dest_dom, dest_ref, dest_is_ref, false);
      if (!dest.ok) return refuse(dest.errno);
      if (source_offset < 0 || dest_offset < 0 || len < 0) return refuse('bad_copy_arg');
      if (source_offset + len > PAGE_SIZE || dest_offset + len > PAGE_SIZE) return refuse('bad_copy_arg');
      return accept({}, { type: 'gnttab.copied', source_mfn: source.mfn, source_offset, dest_mfn: dest.mfn, dest_offset, len });
    }
    case 'gnttab.set_version': {
      const { version } = command;
      const value = { version: GRANT_VERSION };
      if (version !== 1 && version !== 2) return refuse('EINVAL', value);
      // Domains are limited to version 1, as by gnttab=max-ver:1.
      return version === GRANT_VERSION ? accept(value) : refuse('ENOSYS', value);
    }
    case 'gnttab.get_version': {
      const target = resolve(xen, domid, command.dom);
      return target.ok ? accept({ version: GRANT_VERSION }) : refuse(target.errno);
    }
    case 'gnttab.get_status_frames': {
      const target = resolve(xen, domid, command.dom);
      if (!target.ok) return refuse(target.errno === 'EPERM' ? 'permission_denied' : 'bad_domain');
      // Version 1 has its status in the entries.
      return command.nr_frames > 0 ? refuse('general_error') : accept({ frames: [] });
    }
    case 'gnttab.swap_grant_ref': {
      const { ref_a, ref_b } = command;
      if (entryFrame(xen, domid, ref_a) < 0 || entryFrame(xen, domid, ref_b) < 0) return refuse('bad_gntref');
      if (ref_a === ref_b) return accept();
      const { readers, writers } = xen.gnttab.active.of(domid)!;
      const isBusy = (ref: Gref): boolean => readers.at(ref) + writers.at(ref) > 0;
      return isBusy(ref_a) || isBusy(ref_b) ? refuse('eagain') : accept({}, { type: 'gnttab.refs_swapped', domid, ref_a, ref_b });
    }
    case 'gnttab.seed': {
      if (!isPrivileged(domid)) return refuse('EPERM');
      const { dom, ref, gfn, backend } = command;
      if (!xen.exists(dom)) return refuse('ESRCH');
      if (entryFrame(xen, dom, ref) < 0) return refuse('bad_gntref');
      return accept({}, { type: 'gnttab.entry_seeded', domid: dom, ref, gfn, backend });
    }
    default:
      return command satisfies never;
  }
}

/** The version of every grant table. */
const GRANT_VERSION = 1;

/** The frame of the grant table in which an entry stands, or -1 where the table does not reach so far. */
export function entryFrame(xen: Xen, dom: DomId, ref: Gref): Mfn {
  if (ref < 0 || ref >= xen.domain.of(0)!.nr_grant_frames.at(dom) * ENTRIES_PER_FRAME) return -1;
  return xen.gnttab.frames.of(dom)!.mfn_plus_1.at(Math.floor(ref / ENTRIES_PER_FRAME)) - 1;
}
export const entryOffset = (ref: Gref): number => (ref % ENTRIES_PER_FRAME) * GRANT_ENTRY_SIZE;

/**
 * The facts of one unmapping; flags go down with the last mapping that needed them. What a zombie kept only for this mapping, or its
 * domain had given back, goes to the heap, and with the last mapping the zombie itself.
 */
export function unmapped(xen: Xen, domid: DomId, handle: number, now: Ns, guest: GuestReader): Fact[] {
  const maps = xen.gnttab.maptrack.of(domid)!;
  const dom = maps.dom.at(handle);
  const ref = maps.ref.at(handle);
  const active = xen.gnttab.active.of(dom)!;
  const readonly = maps.readonly.at(handle) === 1;
  const writers = active.writers.at(ref) - (readonly ? 0 : 1);
  const readers = active.readers.at(ref) - (readonly ? 1 : 0);
  const clear_flags = (readonly || writers > 0 ? 0 : GTF_writing) | (readers + writers > 0 ? 0 : GTF_reading);
  const unmap: Fact = { type: 'gnttab.ref_unmapped', domid, handle, dom, ref, clear_flags };
  const mfn = maps.mfn.at(handle);
  const isZombie = xen.isZombie(dom);
  if (!isZombie && !xen.p2m.isReleased(dom, mfn)) return [unmap];
  if (isZombie && xen.holdsOn(dom) === 1)
    return [unmap, { type: 'domain.destroyed', domid: dom }, ...raiseVirq(xen, 0, 0, VIRQ.DOM_EXC, now, guest)];
  if (readers + writers > 0) return [unmap];
  for (let other = 0; other < active.length; other++) if (other !== ref && active.mfn.at(other) === mfn) return [unmap];
  if (xen.isHeldElsewhere(dom, mfn)) return [unmap];
  const gfn = xen.p2m.gfn(dom, mfn);
  return gfn < 0 ? [unmap] : [unmap, { type: 'p2m.removed', domid: dom, gfn, nr_pages: 1 }];
}

function setupTable(xen: Xen, dom: DomId, nr_frames: number): Outcome {
  const row = xen.domain.of(0)!;
  if (nr_frames < 0 || nr_frames > row.max_grant_frames.at(dom)) return refuse('general_error');
  const have = row.nr_grant_frames.at(dom);
  const frames: number[] = [];
  const table = xen.gnttab.frames.of(dom)!;
  for (let i = 0; i < Math.min(have, nr_frames); i++) frames.push(table.mfn_plus_1.at(i) - 1);
  const added = allocateFrames(xen, nr_frames - have);
  if (added.length < nr_frames - have) return refuse('general_error');
  return added.length === 0
    ? accept({ frames })
    : accept({ frames: [...frames, ...added] }, { type: 'gnttab.table_grown', domid: dom, frames: added });
}

type Pinned = { ok: true; mfn: Mfn; set_flags: number } | { ok: false; errno: Errno };
const fail = (errno: Errno): { ok: false; errno: Errno } => ({ ok: false, errno });

/** How often an entry can be mapped for reading, and how often for writing (GNTPIN_incr2oflow_mask()). */
const MAX_PINS = 128;

/** Whether an entry in use is in use by somebody else, or as often as can be counted. */
function mayNotPin(xen: Xen, dom: DomId, ref: Gref, user: DomId, readonly: boolean): boolean {
  const { readers, writers, domid } = xen.gnttab.active.of(dom)!;
  if (readers.at(ref) + writers.at(ref) === 0) return false;
  return domid.at(ref) !== user || (readonly ? readers : writers).at(ref) >= MAX_PINS;
}

/**
 * Whether `user` may map an entry, as map_grant_ref() checks it. What an entry in use gives was settled when it was first mapped,
 * whatever the guest has written there since; only whether it may be written to is looked at again, with the first writer.
 */
function mapEntry(xen: Xen, guest: GuestReader, dom: DomId, ref: Gref, user: DomId, readonly: boolean): Pinned {
  const table = entryFrame(xen, dom, ref);
  if (table < 0) return fail('bad_gntref');
  if (mayNotPin(xen, dom, ref, user, readonly)) return fail('general_error');
  const { readers, writers, mfn } = xen.gnttab.active.of(dom)!;
  const pinned = readers.at(ref) + writers.at(ref) > 0;
  if (pinned && (readonly || writers.at(ref) > 0)) return { ok: true, mfn: mfn.at(ref), set_flags: 0 };
  const status = setStatus(guest, table, ref, { pinned, user, readonly, mask: GTF_type_mask | GTF_sub_page });
  if (!status.ok) return status;
  const frame = pinned ? mfn.at(ref) : xen.grantedFrame(dom, guest.get32(table, entryOffset(ref) + 4));
  return frame < 0 ? fail('bad_page') : { ok: true, mfn: frame, set_flags: status.set_flags };
}

/** Whether `user` may copy by an entry, as acquire_grant_for_copy() checks it. */
function copyEntry(xen: Xen, guest: GuestReader, dom: DomId, ref: Gref, user: DomId, readonly: boolean): Pinned {
  const table = entryFrame(xen, dom, ref);
  if (table < 0) return fail('bad_gntref');
  if (mayNotPin(xen, dom, ref, user, readonly)) return fail('general_error');
  const { readers, writers, mfn } = xen.gnttab.active.of(dom)!;
  const pinned = readers.at(ref) + writers.at(ref) > 0;
  if (pinned && (readonly || writers.at(ref) > 0))
    return xen.isAlive(dom) ? { ok: true, mfn: mfn.at(ref), set_flags: 0 } : fail('bad_domain');
  const status = setStatus(guest, table, ref, { pinned, user, readonly, mask: GTF_type_mask });
  if (!status.ok) return status;
  const frame = xen.grantedFrame(dom, guest.get32(table, entryOffset(ref) + 4));
  if (frame < 0) return fail('bad_page');
  return pinned && frame !== mfn.at(ref) ? fail('general_error') : { ok: true, mfn: frame, set_flags: 0 };
}

/** What _set_status_v1() checks in the guest's entry, and the flags that it would raise there. */
function setStatus(
  guest: GuestReader,
  table: Mfn,
  ref: Gref,
  { pinned, user, readonly, mask }: { pinned: boolean; user: DomId; readonly: boolean; mask: number },
): { ok: true; set_flags: number } | { ok: false; errno: Errno } {
  const at = entryOffset(ref);
  const flags = guest.get16(table, at);
  if (!pinned && ((flags & mask) !== GTF_permit_access || guest.get16(table, at + 2) !== user)) return fail('general_error');
  if (!readonly && (flags & GTF_readonly) !== 0) return fail('general_error');
  return { ok: true, set_flags: (GTF_reading | (readonly ? 0 : GTF_writing)) & ~flags };
}

/** One side of a copy: a grant, or a frame, which can only be one's own. The recordings ask for the other side's grant before that. */
function copySide(
  xen: Xen,
  guest: GuestReader,
  caller: DomId,
  dom: DomId,
  ref: number,
  isRef: boolean,
  readonly: boolean,
): { ok: true; mfn: Mfn } | { ok: false; errno: Errno } {
  if (dom !== DOMID_SELF && !isRef) return fail('permission_denied');
  const owner = xen.self(caller, dom);
  if (isRef) return copyEntry(xen, guest, owner, ref, caller, readonly);
  const mfn = xen.p2m.mfn(owner, ref);
  return mfn < 0 ? fail('bad_page') : { ok: true, mfn };
}

/** The lowest free handle, or -1 at the domain's limit. */
function freeHandle(xen: Xen, domid: DomId): number {
  const maps = xen.gnttab.maptrack.of(domid)!;
  const { free_handle_hint, max_maptrack_frames } = xen.domain.of(0)!;
  const limit = max_maptrack_frames.at(domid) * MAPTRACK_PER_FRAME;
  for (let handle = free_handle_hint.at(domid); handle < limit; handle++) if (maps.state.at(handle) === 0) return handle;
  return -1;
}
/** struct grant_mapping is 16 bytes (xen/common/grant_table.c, MAPTRACK_PER_PAGE). */
const MAPTRACK_PER_FRAME = PAGE_SIZE / 16;
