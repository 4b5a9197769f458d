// Entries as they stand in guest memory, in either version: where, what they grant, and to whom.
import type { Errno } from '../../../events/errno.ts';
import type { GuestReader } from '../../../events/step.ts';
import type { DomId, Gref, Mfn } from '../../../events/units.ts';
import type { Fact } from '../../../events/vocabulary.ts';
import { GRANT_ENTRY_V2, GRANT_ENTRY_V2_SIZE, GRANT_STATUS_SIZE } from '../../abi/grant-table.ts';
import { isV2 } from '../p2m/grant-frames.ts';
import type { Xen } from '../xen.ts';
import {
  ENTRIES_PER_FRAME,
  GRANT_ENTRY_SIZE,
  GTF_permit_access,
  GTF_reading,
  GTF_readonly,
  GTF_sub_page,
  GTF_transitive,
  GTF_type_mask,
  GTF_writing,
} from './state.ts';

const V1_SHIFT = Math.log2(ENTRIES_PER_FRAME);
export const ENTRIES_PER_FRAME_V2 = ENTRIES_PER_FRAME / 2;
export const STATUSES_PER_FRAME = 2048;

/** How many entries a table has. */
export const entriesOf = (xen: Xen, dom: DomId): number =>
  xen.domain.of(0)!.nr_grant_frames.at(dom) * (isV2(xen, dom) ? ENTRIES_PER_FRAME_V2 : ENTRIES_PER_FRAME);

/** The frame of the grant table in which an entry stands, or -1 where the table does not reach so far. */
export function entryFrame(xen: Xen, dom: DomId, ref: Gref): Mfn {
  const { nr_grant_frames, grant_version } = xen.domain.of(0)!;
  const shift = V1_SHIFT - grant_version.at(dom);
  if (ref < 0 || ref >= nr_grant_frames.at(dom) << shift) return -1;
  return xen.gnttab.frames.of(dom)!.mfn_plus_1.at(ref >>> shift) - 1;
}

/** The byte of its frame at which an entry begins. */
export const entryOffset = (ref: Gref, v2 = false): number =>
  v2 ? (ref % ENTRIES_PER_FRAME_V2) * GRANT_ENTRY_V2_SIZE : (ref % ENTRIES_PER_FRAME) * GRANT_ENTRY_SIZE;

export interface Place {
  readonly mfn: Mfn;
  readonly at: number;
}

/** Where Xen says that an entry is being read or written: in version 1 in the entry itself. The entry is within the table. */
export function statusPlace(xen: Xen, dom: DomId, ref: Gref): Place {
  if (!isV2(xen, dom)) return { mfn: entryFrame(xen, dom, ref), at: entryOffset(ref) };
  const frame = Math.floor(ref / STATUSES_PER_FRAME);
  return {
    mfn: xen.gnttab.statusFrames.of(dom)!.mfn_plus_1.at(frame) - 1,
    at: (ref % STATUSES_PER_FRAME) * GRANT_STATUS_SIZE,
  };
}

/** A number of 64 bits in guest memory; beyond 2^53 it is as large as that, and no page has that number. */
export const get64 = (guest: GuestReader, mfn: Mfn, at: number): number =>
  Math.min(guest.get32(mfn, at) + guest.get32(mfn, at + 4) * 2 ** 32, Number.MAX_SAFE_INTEGER);

/** An entry of a table: its frame, where it begins there, and in which version. */
export interface Entry extends Place {
  readonly dom: DomId;
  readonly ref: Gref;
  readonly v2: boolean;
}

/** Where an entry is, or undefined where the table does not reach so far. */
export function entryAt(xen: Xen, dom: DomId, ref: Gref): Entry | undefined {
  const mfn = entryFrame(xen, dom, ref);
  if (mfn < 0) return undefined;
  const v2 = isV2(xen, dom);
  return { mfn, at: entryOffset(ref, v2), dom, ref, v2 };
}

/** The page number that an entry for a whole page names: a frame of a PV domain, a page of any other. */
export const pageNumberOf = (guest: GuestReader, { mfn, at, v2 }: Entry): number =>
  v2 ? get64(guest, mfn, at + GRANT_ENTRY_V2.frame) : guest.get32(mfn, at + 4);

/** Who wants what of an entry. `mapping` where it shall stay. */
export interface Use {
  readonly user: DomId;
  readonly readonly: boolean;
  readonly mapping: boolean;
}
export interface Refusal {
  readonly ok: false;
  readonly errno: Errno;
}
export const fail = (errno: Errno): Refusal => ({ ok: false, errno });

/** What an entry lets its user do: the flags that go up, and those of them that were up before, raised by the guest itself. */
export interface Permission {
  readonly ok: true;
  readonly set_flags: number;
  readonly before: number;
}

/**
 * What is left in an entry's status of a use that is over, or came to nothing (reduce_status_for_pin()): a flag stays up, or comes up
 * where the guest has written over it, for as long as others use the entry so.
 */
export function leftovers(dom: DomId, ref: Gref, { set_flags, before }: Permission, pinned: boolean): readonly Fact[] {
  const cleared = before & (pinned ? GTF_writing : GTF_reading | GTF_writing);
  const raised = pinned ? set_flags & GTF_reading : 0;
  if (cleared === 0 && raised === 0) return noFacts;
  return [
    ...(cleared === 0 ? [] : [{ type: 'gnttab.flags_cleared', dom, ref, flags: cleared } as const]),
    ...(raised === 0 ? [] : [{ type: 'gnttab.flags_raised', dom, ref, flags: raised } as const]),
  ];
}
const noFacts: readonly Fact[] = [];

/**
 * What _set_status_v1() and _set_status_v2() check in the guest's entry. What an entry in use grants was settled when it was first
 * used, whatever the guest has written there since; only whether it may be written to is looked at again, with the first writer.
 */
export function permission(
  xen: Xen,
  guest: GuestReader,
  { mfn, at, dom, ref, v2 }: Entry,
  { user, readonly, mapping }: Use,
  pinned: boolean,
): Permission | Refusal {
  const flags = guest.get16(mfn, at);
  if (!pinned) {
    const type = flags & (mapping ? GTF_type_mask | GTF_sub_page : GTF_type_mask);
    const fits = type === GTF_permit_access || (v2 && !mapping && type === GTF_transitive);
    if (!fits || guest.get16(mfn, at + 2) !== user) return fail('general_error');
  }
  if (!readonly && (flags & GTF_readonly) !== 0) return fail('general_error');
  const wanted = GTF_reading | (readonly ? 0 : GTF_writing);
  const status = v2 ? statusOf(xen, guest, dom, ref) : flags;
  return { ok: true, set_flags: wanted & ~status, before: wanted & status };
}

function statusOf(xen: Xen, guest: GuestReader, dom: DomId, ref: Gref): number {
  const { mfn, at } = statusPlace(xen, dom, ref);
  return guest.get16(mfn, at);
}
