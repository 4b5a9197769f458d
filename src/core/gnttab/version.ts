// Versions of a grant table, and its size in either (gnttab_set_version(), gnttab_grow_table() in xen/common/grant_table.c).
import { accept, type GuestReader, refuse } from '../../../events/step.ts';
import type { DomId } from '../../../events/units.ts';
import type { CommandOf, Fact, Outcome } from '../../../events/vocabulary.ts';
import { GNTTAB_NR_RESERVED_ENTRIES, GRANT_ENTRY_V2 } from '../../abi/grant-table.ts';
import { firstFrames, isV2, statusFramesFor } from '../p2m/grant-frames.ts';
import { allocateFrames } from '../p2m/heap.ts';
import type { Xen } from '../xen.ts';
import { entriesOf, entryFrame, entryOffset } from './entries.ts';
import { GTF_permit_access, GTF_transitive, GTF_type_mask, isPinned } from './state.ts';

/** The version in use is answered whatever came of it. */
export function setVersion(xen: Xen, { domid, version }: CommandOf<'gnttab.set_version'>, guest: GuestReader): Outcome {
  const row = xen.domain.of(0)!;
  const now = isV2(xen, domid) ? 2 : 1;
  if (version !== 1 && version !== 2) return refuse('EINVAL', { version: now });
  if (version === 2 && row.max_grant_version.is(domid) === 'v1') return refuse('ENOSYS', { version: now });
  if (version === now) return accept({ version });
  const active = xen.gnttab.active.of(domid)!;
  const end = Math.min(entriesOf(xen, domid), active.length);
  for (let ref = GNTTAB_NR_RESERVED_ENTRIES; ref < end; ref++)
    if (isPinned(active, ref)) return refuse('EBUSY', { version: now });
  const set: Fact = { type: 'gnttab.version_set', domid, version };
  if (version === 1) {
    if (!isRepresentable(xen, domid, guest)) return refuse('ERANGE', { version: now });
    const unmapped = statusesUnmapped(xen, domid);
    return unmapped === undefined ? refuse('EBUSY', { version: now }) : accept({ version }, ...unmapped, set);
  }
  const wanted = statusFramesFor(row.nr_grant_frames.at(domid));
  const frames = allocateFrames(xen, wanted);
  if (frames.length < wanted) return refuse('ENOMEM', { version: now });
  const facts: Fact[] = [{ type: 'gnttab.status_frames_added', domid, frames }, set];
  return accept({ version }, ...facts);
}

/** Whether what is kept of a table of version 2 can be written in version 1. */
function isRepresentable(xen: Xen, domid: DomId, guest: GuestReader): boolean {
  for (let ref = 0; ref < GNTTAB_NR_RESERVED_ENTRIES; ref++) {
    const table = entryFrame(xen, domid, ref);
    const at = entryOffset(ref, true);
    const type = guest.get16(table, at) & GTF_type_mask;
    if (type === GTF_transitive) return false;
    if (type === GTF_permit_access && guest.get32(table, at + GRANT_ENTRY_V2.frame + 4) !== 0) return false;
  }
  return true;
}

/** The domain's own pages that show its status frames, which go with these; undefined where anybody else has one mapped. */
function statusesUnmapped(xen: Xen, domid: DomId): Fact[] | undefined {
  const frames = new Set([...xen.gnttab.statusFrames.inUse(domid)].map(([, { mfn_plus_1 }]) => mfn_plus_1 - 1));
  for (const mfn of frames) if (xen.mm.frame(mfn).refs > 0) return undefined; // in page tables, its own too
  if (xen.shownBy(domid).some(({ mfn }) => frames.has(mfn))) return undefined;
  const own = xen.p2m.slotsOf(domid).filter(({ mfn, dom }) => dom === domid && frames.has(mfn));
  return own.map(({ gfn }): Fact => ({ type: 'p2m.slot_unmapped', domid, gfn }));
}

export function setupTable(xen: Xen, dom: DomId, nr_frames: number): Outcome {
  const row = xen.domain.of(0)!;
  if (nr_frames < 0 || nr_frames > row.max_grant_frames.at(dom)) return refuse('general_error');
  const table = firstFrames(xen, dom, { count: nr_frames, statuses: false });
  return table === undefined ? refuse('general_error') : accept({ frames: table.frames }, ...table.facts);
}

export function statusFrames(xen: Xen, dom: DomId, nr_frames: number): Outcome {
  if (nr_frames < 0 || nr_frames > xen.domain.of(0)!.nr_status_frames.at(dom)) return refuse('general_error');
  const frames: number[] = [];
  for (let i = 0; i < nr_frames; i++) frames.push(xen.gnttab.statusFrames.of(dom)!.mfn_plus_1.at(i) - 1);
  return accept({ frames });
}
