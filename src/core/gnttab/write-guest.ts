import type { DomId } from '../../../events/units.ts';
import type { FactOf, GnttabFact } from '../../../events/vocabulary.ts';
import { GNTTAB_NR_RESERVED_ENTRIES, GRANT_ENTRY_V2, GRANT_ENTRY_V2_SIZE, GRANT_STATUS_SIZE } from '../../abi/grant-table.ts';
import type { Memory } from '../../memory/memory.ts';
import { isV2 } from '../p2m/grant-frames.ts';
import type { Xen } from '../xen.ts';
import { entryFrame, entryOffset, type Place, statusPlace } from './entries.ts';
import {
  GRANT_ENTRY_SIZE,
  GTF_accept_transfer,
  GTF_permit_access,
  GTF_reading,
  GTF_transfer_committed,
  GTF_transfer_completed,
  GTF_type_mask,
  GTF_writing,
} from './state.ts';

/** What a fact writes into grant tables and granted frames. Live and in re-enactment only, before `evolve`. */
export function writeGuest(xen: Xen, frames: Memory, event: GnttabFact): void {
  switch (event.type) {
    case 'gnttab.mapped':
    case 'gnttab.ref_mapped':
      if (event.set_flags !== 0) raise(frames, statusPlace(xen, event.dom, event.ref), event.set_flags);
      return;
    case 'gnttab.unmapped':
    case 'gnttab.ref_unmapped':
      if (event.clear_flags !== 0) clear(frames, statusPlace(xen, event.dom, event.ref), event.clear_flags);
      return;
    case 'gnttab.flags_cleared':
      clear(frames, statusPlace(xen, event.dom, event.ref), event.flags);
      return;
    case 'gnttab.flags_raised':
      raise(frames, statusPlace(xen, event.dom, event.ref), event.flags);
      return;
    case 'gnttab.copied': {
      const bytes = frames.read(event.source_mfn, event.source_offset, event.len).slice();
      frames.write(event.dest_mfn, event.dest_offset, bytes);
      return;
    }
    case 'gnttab.refs_swapped': {
      const { domid, ref_a, ref_b } = event;
      const v2 = isV2(xen, domid);
      const [a, b] = [ref_a, ref_b].map((ref) => ({ mfn: entryFrame(xen, domid, ref), at: entryOffset(ref, v2) }));
      swap(frames, a!, b!, v2 ? GRANT_ENTRY_V2_SIZE : GRANT_ENTRY_SIZE);
      if (v2) swap(frames, statusPlace(xen, domid, ref_a), statusPlace(xen, domid, ref_b), GRANT_STATUS_SIZE);
      return;
    }
    case 'gnttab.entry_seeded': {
      const table = entryFrame(xen, event.domid, event.ref);
      const at = entryOffset(event.ref);
      frames.put16(table, at + 2, event.backend);
      frames.put32(table, at + 4, xen.grantFrameNumber(event.domid, event.gfn));
      frames.put16(table, at, GTF_permit_access);
      return;
    }
    case 'gnttab.version_set':
      if (event.version === 2) rewriteAsV2(xen, frames, event.domid);
      else rewriteAsV1(xen, frames, event.domid);
      return;
    case 'gnttab.page_transferred':
      completeTransfer(xen, frames, event);
      return;
  }
}

function raise(frames: Memory, { mfn, at }: Place, flags: number): void {
  const before = frames.get16(mfn, at);
  if ((before | flags) !== before) frames.put16(mfn, at, before | flags);
}
function clear(frames: Memory, { mfn, at }: Place, flags: number): void {
  const before = frames.get16(mfn, at);
  if ((before & ~flags) !== before) frames.put16(mfn, at, before & ~flags);
}
function swap(frames: Memory, a: Place, b: Place, size: number): void {
  const first = frames.read(a.mfn, a.at, size).slice();
  frames.write(a.mfn, a.at, frames.read(b.mfn, b.at, size).slice());
  frames.write(b.mfn, b.at, first);
}

interface Entry {
  readonly flags: number;
  readonly domid: number;
  readonly frame: number;
}
const noEntry: Entry = { flags: 0, domid: 0, frame: 0 };

/** Every frame of the table as it was when it was new. The reserved entries are in the first. Answers that one. */
function clearTable(xen: Xen, frames: Memory, domid: DomId): number {
  const { mfn_plus_1 } = xen.gnttab.frames.of(domid)!;
  for (let i = 0; i < xen.domain.of(0)!.nr_grant_frames.at(domid); i++) frames.scrub(mfn_plus_1.at(i) - 1, 1);
  return mfn_plus_1.at(0) - 1;
}
const reserved = Array.from({ length: GNTTAB_NR_RESERVED_ENTRIES }, (_, ref) => ref);

/** The status frames are there by now. */
function rewriteAsV2(xen: Xen, frames: Memory, domid: DomId): void {
  const table = xen.gnttab.frames.of(domid)!.mfn_plus_1.at(0) - 1;
  const kept = reserved.map((ref): Entry => {
    const at = entryOffset(ref);
    return { flags: frames.get16(table, at), domid: frames.get16(table, at + 2), frame: frames.get32(table, at + 4) };
  });
  clearTable(xen, frames, domid);
  const status = xen.gnttab.statusFrames.of(domid)!.mfn_plus_1.at(0) - 1;
  for (const [ref, { flags, domid: user, frame }] of kept.entries()) {
    const at = entryOffset(ref, true);
    frames.put16(status, ref * GRANT_STATUS_SIZE, flags & (GTF_reading | GTF_writing));
    frames.put16(table, at + GRANT_ENTRY_V2.flags, flags & ~(GTF_reading | GTF_writing));
    frames.put16(table, at + GRANT_ENTRY_V2.domid, user);
    frames.put32(table, at + GRANT_ENTRY_V2.frame, frame);
  }
}

/** Of the reserved entries only those that permit access have a form in version 1 to be kept in. */
function rewriteAsV1(xen: Xen, frames: Memory, domid: DomId): void {
  const table = xen.gnttab.frames.of(domid)!.mfn_plus_1.at(0) - 1;
  const statuses = xen.gnttab.statusFrames.of(domid)!;
  const status = statuses.mfn_plus_1.at(0) - 1;
  const kept = reserved.map((ref): Entry => {
    const at = entryOffset(ref, true);
    const flags = frames.get16(table, at + GRANT_ENTRY_V2.flags);
    if ((flags & GTF_type_mask) !== GTF_permit_access) return noEntry;
    return {
      flags: flags | frames.get16(status, ref * GRANT_STATUS_SIZE),
      domid: frames.get16(table, at + GRANT_ENTRY_V2.domid),
      frame: frames.get32(table, at + GRANT_ENTRY_V2.frame),
    };
  });
  for (let i = 0; i < xen.domain.of(0)!.nr_status_frames.at(domid); i++) frames.scrub(statuses.mfn_plus_1.at(i) - 1, 1);
  clearTable(xen, frames, domid);
  for (const [ref, { flags, domid: user, frame }] of kept.entries()) {
    const at = entryOffset(ref);
    frames.put16(table, at, flags);
    frames.put16(table, at + 2, user);
    frames.put32(table, at + 4, frame);
  }
}

/** The entry says that it is done, and to a PV domain, which frame it has been given. */
function completeTransfer(xen: Xen, frames: Memory, { dom, ref, mfn }: FactOf<'gnttab.page_transferred'>): void {
  const v2 = isV2(xen, dom);
  const table = entryFrame(xen, dom, ref);
  const at = entryOffset(ref, v2);
  if (xen.domain.of(0)!.hvm.at(dom) === 0) {
    frames.put32(table, at + (v2 ? GRANT_ENTRY_V2.frame : 4), mfn);
    if (v2) frames.put32(table, at + GRANT_ENTRY_V2.frame + 4, Math.floor(mfn / 2 ** 32));
  }
  frames.put16(table, at, GTF_accept_transfer | GTF_transfer_committed | GTF_transfer_completed);
}
