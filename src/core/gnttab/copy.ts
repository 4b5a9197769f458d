// Copying by grants (gnttab_copy() in xen/common/grant_table.c): a copy pins its entries only while it lasts.
import type { Errno } from '../../../events/errno.ts';
import { accept, type GuestReader, refuse } from '../../../events/step.ts';
import { DOMID_SELF, type DomId, type Gref, type Mfn, PAGE_SIZE } from '../../../events/units.ts';
import type { CommandOf, Fact, Outcome } from '../../../events/vocabulary.ts';
import { GRANT_ENTRY_V2 } from '../../abi/grant-table.ts';
import type { Xen } from '../xen.ts';
import { type Entry, entryAt, get64, leftovers, pageNumberOf, permission } from './entries.ts';
import { GTF_sub_page, GTF_transitive, GTF_type_mask, isPinned, isPinnedToWrite } from './state.ts';

export function copy(xen: Xen, command: CommandOf<'gnttab.copy'>, guest: GuestReader): Outcome {
  const { domid, source_offset, dest_offset, len } = command;
  const { source_dom, source_ref, source_is_ref, dest_dom, dest_ref, dest_is_ref } = command;
  if (!xen.exists(xen.self(domid, source_dom)) || !xen.exists(xen.self(domid, dest_dom))) return refuse('bad_domain');
  const source = side(xen, guest, domid, source_dom, source_ref, source_is_ref, true);
  if (!source.ok) return refusal(source.errno, source.facts);
  const dest = side(xen, guest, domid, dest_dom, dest_ref, dest_is_ref, false);
  const facts = [...source.facts, ...dest.facts];
  if (!dest.ok) return refusal(dest.errno, facts);
  if (xen.mm.isProtected(dest.mfn)) return refusal('general_error', facts); // a page table is nobody's to write to
  if (source_offset < 0 || dest_offset < 0 || len < 0) return refusal('bad_copy_arg', facts);
  if (source_offset + len > PAGE_SIZE || dest_offset + len > PAGE_SIZE) return refusal('bad_copy_arg', facts);
  if (!holds(source, source_offset, len) || !holds(dest, dest_offset, len)) return refusal('general_error', facts);
  return accept(
    {},
    { type: 'gnttab.copied', source_mfn: source.mfn, source_offset, dest_mfn: dest.mfn, dest_offset, len },
    ...facts,
  );
}

const refusal = (errno: Errno, facts: readonly Fact[]): Outcome =>
  facts.length === 0 ? refuse(errno) : refuse(errno, undefined, ...facts);

/** The bytes that one side of a copy may touch. `facts` is what the copy leaves in the entries' statuses. */
interface Area {
  readonly ok: true;
  readonly mfn: Mfn;
  readonly start: number;
  readonly length: number;
  readonly facts: readonly Fact[];
}
interface NoArea {
  readonly ok: false;
  readonly errno: Errno;
  readonly facts: readonly Fact[];
}

const holds = ({ start, length }: Area, offset: number, len: number): boolean =>
  offset >= start && offset + len <= start + length;
const nothing: readonly Fact[] = [];
const none = (errno: Errno, facts = nothing): NoArea => ({ ok: false, errno, facts });
const page = (mfn: Mfn, facts = nothing): Area => ({ ok: true, mfn, start: 0, length: PAGE_SIZE, facts });

/** One side of a copy: a grant, or a page, which can only be one's own. The recordings ask for the other side's grant before that. */
function side(
  xen: Xen,
  guest: GuestReader,
  caller: DomId,
  dom: DomId,
  ref: number,
  isRef: boolean,
  readonly: boolean,
): Area | NoArea {
  if (dom !== DOMID_SELF && !isRef) return none('permission_denied');
  const owner = xen.self(caller, dom);
  if (isRef) return acquire(xen, guest, { dom: owner, ref, user: caller, readonly }, true);
  const mfn = xen.grantedFrame(owner, ref);
  return mfn < 0 ? none('bad_page') : page(mfn);
}

interface Wanted {
  readonly dom: DomId;
  readonly ref: Gref;
  readonly user: DomId;
  readonly readonly: boolean;
}
/** How often an entry can be used in one way (GNTPIN_incr2oflow_mask()). */
const MAX_PINS = 128;

/** Whether `user` may copy by an entry, as acquire_grant_for_copy() checks it; by a grant of a grant only where that is not one again. */
function acquire(xen: Xen, guest: GuestReader, wanted: Wanted, allowTransitive: boolean): Area | NoArea {
  const { dom, ref, user, readonly } = wanted;
  const entry = entryAt(xen, dom, ref);
  if (entry === undefined) return none('bad_gntref');
  const active = xen.gnttab.active.of(dom)!;
  const pinned = isPinned(active, ref);
  if (pinned && (active.domid.at(ref) !== user || (readonly ? active.readers : active.writers).at(ref) >= MAX_PINS))
    return none('general_error');

  const asks = !pinned || (!readonly && !isPinnedToWrite(active, ref));
  const isTransitive = entry.v2 && (guest.get16(entry.mfn, entry.at) & GTF_type_mask) === GTF_transitive;
  // What is mapped already stays what it was, but for the pages of those who die.
  if (!asks && !isTransitive) return xen.isAlive(dom) ? page(active.mfn.at(ref)) : none('bad_domain');

  let facts = nothing;
  if (asks) {
    const allowed = permission(xen, guest, entry, { user, readonly, mapping: false }, pinned);
    if (!allowed.ok) return none(allowed.errno);
    facts = leftovers(dom, ref, allowed, pinned);
  }
  if (isTransitive) return allowTransitive ? acquireBehind(xen, guest, wanted, entry, facts) : none('general_error', facts);

  const part = entry.v2 ? partOf(guest, entry) : undefined;
  const mfn = xen.grantedFrame(dom, part?.frame ?? pageNumberOf(guest, entry));
  if (mfn < 0) return none('bad_page', facts);
  if (!pinned) return { ok: true, mfn, start: part?.page_off ?? 0, length: part?.length ?? PAGE_SIZE, facts };
  return mfn === active.mfn.at(ref) ? page(mfn, facts) : none('general_error', facts);
}

/** What an entry for a part of a page says; nothing where it is for a whole one. */
function partOf(guest: GuestReader, { mfn, at }: Entry): { frame: number; page_off: number; length: number } | undefined {
  if ((guest.get16(mfn, at + GRANT_ENTRY_V2.flags) & GTF_sub_page) === 0) return undefined;
  return {
    frame: get64(guest, mfn, at + GRANT_ENTRY_V2.frame),
    page_off: guest.get16(mfn, at + GRANT_ENTRY_V2.page_off),
    length: guest.get16(mfn, at + GRANT_ENTRY_V2.length),
  };
}

/** What an entry hands on of another domain's grant to its own. */
function acquireBehind(xen: Xen, guest: GuestReader, wanted: Wanted, { mfn, at }: Entry, facts: readonly Fact[]): Area | NoArea {
  const { dom, ref, readonly } = wanted;
  const trans_domid = guest.get16(mfn, at + GRANT_ENTRY_V2.trans_domid);
  const gref = guest.get32(mfn, at + GRANT_ENTRY_V2.gref);
  if (trans_domid === dom || !xen.exists(trans_domid)) return none('general_error', facts);
  const behind = acquire(xen, guest, { dom: trans_domid, ref: gref, user: dom, readonly }, false);
  const all = [...behind.facts, ...facts];
  if (!behind.ok) return { ...behind, facts: all };
  // In use as something else: Xen has the guest try again, for as long as that lasts.
  if (isPinned(xen.gnttab.active.of(dom)!, ref)) return none('ERESTART', all);
  return { ...behind, facts: all };
}
