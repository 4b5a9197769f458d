// grant_table_op (xen/common/grant_table.c), version 1 entries.
import type { Errno } from '../../../events/errno.ts';
import { accept, type GuestReader, refuse } from '../../../events/step.ts';
import { DOMID_FIRST_RESERVED, type DomId, type Gref, type Mfn, PAGE_SIZE } from '../../../events/units.ts';
import type { Fact, GnttabCommand, Outcome } from '../../../events/vocabulary.ts';
import { allocate } from '../p2m/decide.ts';
import type { Xen } from '../xen.ts';
import { isPrivileged, resolve } from '../xsm.ts';
import {
  ENTRIES_PER_FRAME,
  GRANT_ENTRY_SIZE,
  GTF_permit_access,
  GTF_readonly,
  GTF_reading,
  GTF_type_mask,
  GTF_writing,
} from './state.ts';

export function decide(xen: Xen, command: GnttabCommand, guest: GuestReader): Outcome {
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
      const dom = xen.self(domid, command.dom);
      if (dom >= DOMID_FIRST_RESERVED || !xen.isAlive(dom)) return refuse('bad_domain');
      const handle = freeHandle(xen, domid);
      if (handle < 0) return refuse('no_space');
      const entry = readEntry(xen, guest, dom, ref, domid, readonly);
      if (!entry.ok) return refuse(entry.errno);
      const { mfn, flags } = entry;
      const set_flags = (GTF_reading | (readonly ? 0 : GTF_writing)) & ~flags;
      return accept({ handle, mfn }, { type: 'gnttab.ref_mapped', domid, handle, dom, ref, mfn, readonly, set_flags });
    }
    case 'gnttab.unmap_grant_ref': {
      const { handle } = command;
      return xen.gnttab.maptrack.of(domid)!.state.is(handle) === 'free'
        ? refuse('bad_handle')
        : accept({}, ...unmapped(xen, domid, handle));
    }
    case 'gnttab.copy': {
      const { source_offset, dest_offset, len } = command;
      if (source_offset < 0 || dest_offset < 0 || len < 0) return refuse('bad_copy_arg');
      if (source_offset + len > PAGE_SIZE || dest_offset + len > PAGE_SIZE) return refuse('bad_copy_arg');
      const source = copySide(xen, guest, domid, command.source_dom, command.source_ref, command.source_is_ref, true);
      if (!source.ok) return refuse(source.errno);
      const dest = copySide(xen, guest, domid, command.dest_dom, command.dest_ref, command.dest_is_ref, false);
      if (!dest.ok) return refuse(dest.errno);
      return accept(
        {},
        { type: 'gnttab.copied', source_mfn: source.mfn, source_offset, dest_mfn: dest.mfn, dest_offset, len },
      );
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

/** The frame of the grant table in which an entry stands, or -1 where the table does not reach so far. */
export function entryFrame(xen: Xen, dom: DomId, ref: Gref): Mfn {
  if (ref < 0 || ref >= xen.domain.of(0)!.nr_grant_frames.at(dom) * ENTRIES_PER_FRAME) return -1;
  return xen.gnttab.frames.of(dom)!.mfn_plus_1.at(Math.floor(ref / ENTRIES_PER_FRAME)) - 1;
}
export const entryOffset = (ref: Gref): number => (ref % ENTRIES_PER_FRAME) * GRANT_ENTRY_SIZE;

/** The facts of one unmapping; flags go down with the last mapping that needed them. */
export function unmapped(xen: Xen, domid: DomId, handle: number): Fact[] {
  const maps = xen.gnttab.maptrack.of(domid)!;
  const dom = maps.dom.at(handle);
  const ref = maps.ref.at(handle);
  const active = xen.gnttab.active.of(dom)!;
  const readonly = maps.readonly.at(handle) === 1;
  const writers = active.writers.at(ref) - (readonly ? 0 : 1);
  const readers = active.readers.at(ref) - (readonly ? 1 : 0);
  const clear_flags = (readonly || writers > 0 ? 0 : GTF_writing) | (readers + writers > 0 ? 0 : GTF_reading);
  const unmap: Fact = { type: 'gnttab.ref_unmapped', domid, handle, dom, ref, clear_flags };
  return xen.isLastReference(dom) ? [unmap, { type: 'domain.destroyed', domid: dom }] : [unmap];
}

function setupTable(xen: Xen, dom: DomId, nr_frames: number): Outcome {
  const row = xen.domain.of(0)!;
  if (nr_frames > row.max_grant_frames.at(dom)) return refuse('general_error');
  const have = row.nr_grant_frames.at(dom);
  const frames: number[] = [];
  const table = xen.gnttab.frames.of(dom)!;
  for (let i = 0; i < Math.min(have, nr_frames); i++) frames.push(table.mfn_plus_1.at(i) - 1);
  const added = framesFromHeap(xen, nr_frames - have);
  if (added.length < nr_frames - have) return refuse('general_error');
  return added.length === 0
    ? accept({ frames })
    : accept({ frames: [...frames, ...added] }, { type: 'gnttab.table_grown', domid: dom, frames: added });
}

function framesFromHeap(xen: Xen, wanted: number): Mfn[] {
  const frames: Mfn[] = [];
  const extents = allocate(xen, wanted);
  for (let i = 0; i < extents.length; i += 2) for (let k = 0; k < extents[i + 1]!; k++) frames.push(extents[i]! + k);
  return frames;
}

/** Checks an entry of version 1 as _set_status_v1() does, for use by `user`. */
function readEntry(
  xen: Xen,
  guest: GuestReader,
  dom: DomId,
  ref: Gref,
  user: DomId,
  readonly: boolean,
): { ok: true; mfn: Mfn; flags: number } | { ok: false; errno: Errno } {
  const table = entryFrame(xen, dom, ref);
  if (table < 0) return { ok: false, errno: 'bad_gntref' };
  const at = entryOffset(ref);
  const flags = guest.get16(table, at);
  if ((flags & GTF_type_mask) !== GTF_permit_access || guest.get16(table, at + 2) !== user)
    return { ok: false, errno: 'general_error' };
  if (!readonly && (flags & GTF_readonly) !== 0) return { ok: false, errno: 'general_error' };
  const active = xen.gnttab.active.of(dom)!;
  // While an entry is in use its frame is what it was at first, whatever the guest writes there now.
  const mfn =
    active.readers.at(ref) + active.writers.at(ref) > 0 ? active.mfn.at(ref) : xen.grantedFrame(dom, guest.get32(table, at + 4));
  return mfn < 0 ? { ok: false, errno: 'bad_page' } : { ok: true, mfn, flags };
}

function copySide(
  xen: Xen,
  guest: GuestReader,
  caller: DomId,
  dom: DomId,
  ref: number,
  isRef: boolean,
  readonly: boolean,
): { ok: true; mfn: Mfn } | { ok: false; errno: Errno } {
  const owner = xen.self(caller, dom);
  if (owner >= DOMID_FIRST_RESERVED || !xen.isAlive(owner)) return { ok: false, errno: 'bad_domain' };
  if (isRef) return readEntry(xen, guest, owner, ref, caller, readonly);
  if (owner !== caller) return { ok: false, errno: 'permission_denied' };
  const mfn = xen.p2m.mfn(owner, ref);
  return mfn < 0 ? { ok: false, errno: 'bad_page' } : { ok: true, mfn };
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
