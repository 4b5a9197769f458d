// What stands where in the physmap of a domain whose memory Xen translates (xenmem_add_to_physmap_one() in xen/arch/x86/mm.c).
import { type Errno, errnoNumber } from '../../../events/errno.ts';
import { accept, refuse } from '../../../events/step.ts';
import { DOMID_XEN, type DomId, type Gfn, type Mfn } from '../../../events/units.ts';
import type { CommandOf, Fact, GuestReader, Outcome } from '../../../events/vocabulary.ts';
import { XENMAPSPACE } from '../../abi/memory.ts';
import type { Xen } from '../xen.ts';
import { isPrivileged } from '../xsm.ts';
import { Left } from './extents.ts';
import { firstFrames, isV2 } from './grant-frames.ts';
import { populateAt } from './pod.ts';
import { lookup, overlaps } from './ranges.ts';
import { UNPLACED } from './state.ts';

/** Whose physmap it is, and whether the caller may change it (xatp_permission_check()). */
export function physmapOf(xen: Xen, domid: DomId, dom: DomId, space: number): DomId | Errno {
  const target = xen.self(domid, dom);
  if (!xen.exists(target)) return 'ESRCH';
  if (xen.domain.of(0)!.hvm.at(target) === 0) return 'EACCES';
  // Only dom0 maps devices' memory, and only for itself.
  if (space === XENMAPSPACE.dev_mmio && (target !== 0 || target !== domid)) return 'EACCES';
  if (target !== domid && !isPrivileged(domid)) return 'EPERM';
  // The dead have given back what physmaps are made of.
  return xen.isZombie(target) ? 'ENOMEM' : target;
}

export function addToPhysmap(xen: Xen, command: CommandOf<'memory.add_to_physmap'>, guest: GuestReader): Outcome {
  const { domid, space, idx, gpfn } = command;
  if (space === XENMAPSPACE.gmfn_foreign) return refuse('ENOSYS');
  const dom = physmapOf(xen, domid, command.dom, space);
  if (typeof dom === 'string') return refuse(dom);
  if (gpfn === INVALID_GFN) return refuse('EINVAL');
  // A range is of no pages here: its own operation has a size.
  if (space === XENMAPSPACE.gmfn_range) return accept();
  return outcomeOf(addOne(xen, dom, { caller: domid, space, idx, gpfn, foreign: 0 }, guest));
}

/** gmfn_range: each page on the state that the one before has left. */
export function addRange(xen: Xen, command: CommandOf<'memory.add_to_physmap_range'>, guest: GuestReader): Outcome {
  const { domid, idx, gpfn, size, start } = command;
  if (start < 0 || start > MAX_SIZE) return refuse('EDOM');
  const dom = physmapOf(xen, domid, command.dom, XENMAPSPACE.gmfn_range);
  if (typeof dom === 'string') return refuse(dom);
  if (gpfn === INVALID_GFN) return refuse('EINVAL');
  if (size < start || size > MAX_SIZE) return refuse('EILSEQ');
  // Page numbers are 64 bits without a sign: a negative one is next to the last there is.
  if (wraps(gpfn, size) || wraps(idx, size)) return refuse('EOVERFLOW');
  if (size === start) return accept({ done: size });
  const space = XENMAPSPACE.gmfn;
  const added = addOne(xen, dom, { caller: domid, space, idx: idx + start, gpfn: gpfn + start, foreign: 0 }, guest);
  if (!added.ok) return refuse(added.errno);
  const done = start + 1;
  return done < size ? refuse('ERESTART', { done }, ...added.facts) : accept({ done }, ...added.facts);
}

/**
 * The first page of a range goes to another place (XEN_DMOP_relocate_memory): as gmfn_range has it, of a size of which Xen looks at 16
 * bits at a time.
 */
export function relocate(
  xen: Xen,
  { domid, dom, size, src_gfn, dst_gfn }: CommandOf<'dm.relocate_memory'>,
  guest: GuestReader,
): Outcome {
  if (xen.isZombie(dom)) return refuse('ENOMEM');
  if (dst_gfn === INVALID_GFN || size < 0) return refuse('EINVAL');
  const count = size % (MAX_SIZE + 1);
  if (wraps(dst_gfn, count) || wraps(src_gfn, count)) return refuse('EOVERFLOW');
  if (count === 0) return accept({ size, src_gfn, dst_gfn });
  const moved = addOne(xen, dom, { caller: domid, space: XENMAPSPACE.gmfn, idx: src_gfn, gpfn: dst_gfn, foreign: 0 }, guest);
  if (!moved.ok) return refuse(moved.errno);
  const left = { size: size - 1, src_gfn: src_gfn + 1, dst_gfn: dst_gfn + 1 };
  return count > 1 ? refuse('ERESTART', left, ...moved.facts) : accept(left, ...moved.facts);
}

/** One element of a batch: what is wrong with it is for its place in `errs`; what is wrong with the batch, for the caller. */
export function addBatch(xen: Xen, command: CommandOf<'memory.add_to_physmap_batch'>, guest: GuestReader): Outcome {
  const { domid, space, u, idx, gpfn } = command;
  if (space === XENMAPSPACE.gmfn_range) return refuse('EOPNOTSUPP');
  const dom = physmapOf(xen, domid, command.dom, space);
  if (typeof dom === 'string') return refuse(dom);
  if (space === XENMAPSPACE.dev_mmio && u !== 0) return refuse('EOPNOTSUPP');
  if (gpfn === INVALID_GFN) return refuse('EINVAL');
  const added = addOne(xen, dom, { caller: domid, space, idx, gpfn, foreign: u }, guest);
  return added.ok ? accept({ err: 0 }, ...added.facts) : accept({ err: errnoNumber(added.errno) });
}

/** A page loses its place; what was there stays the domain's, or whoever's it is. */
export function removeFromPhysmap(xen: Xen, command: CommandOf<'memory.remove_from_physmap'>, guest: GuestReader): Outcome {
  const { domid, gpfn } = command;
  const dom = physmapOf(xen, domid, command.dom, XENMAPSPACE.gmfn);
  if (typeof dom === 'string') return refuse(dom);
  if (xen.p2m.slot(dom, gpfn) !== undefined) return accept({}, { type: 'p2m.slot_unmapped', domid: dom, gfn: gpfn });
  const { mfn, facts } = frameAt(xen, dom, gpfn, guest);
  if (mfn < 0) return refuse('ENOENT');
  return accept({}, ...facts, { type: 'p2m.moved', domid: dom, gfn: gpfn, nr_pages: 1, to: UNPLACED + mfn });
}

type Done = { readonly ok: true; readonly facts: readonly Fact[] } | { readonly ok: false; readonly errno: Errno };
const failed = (errno: Errno): Done => ({ ok: false, errno });
const outcomeOf = (done: Done): Outcome => (done.ok ? accept({}, ...done.facts) : refuse(done.errno));

/** What is to stand at `gpfn`: `idx` says what, in its space. */
interface Addition {
  readonly caller: DomId;
  readonly space: number;
  readonly idx: number;
  readonly gpfn: Gfn;
  readonly foreign: DomId;
}

function addOne(xen: Xen, dom: DomId, addition: Addition, guest: GuestReader): Done {
  const { space, idx, gpfn } = addition;
  if (gpfn < 0 || gpfn >= UNPLACED) return failed('EINVAL');
  switch (space) {
    case XENMAPSPACE.shared_info:
      return idx === 0 ? addSpecial(xen, dom, gpfn, xen.sharedInfo(dom), []) : failed('EINVAL');
    case XENMAPSPACE.grant_table:
      return addGrantFrame(xen, dom, gpfn, idx);
    case XENMAPSPACE.gmfn:
      return moveFrame(xen, dom, idx, gpfn, guest);
    case XENMAPSPACE.gmfn_foreign:
      return addForeign(xen, dom, addition, guest);
    default:
      return failed('EINVAL'); // dev_mmio is Arm's
  }
}

/** public/grant_table.h: the index is that of a status frame. */
const XENMAPIDX_grant_table_status = 2 ** 31;

/** A frame of the grant table, which grows where it does not reach so far (gnttab_get_shared_frame_mfn()). */
function addGrantFrame(xen: Xen, dom: DomId, gpfn: Gfn, idx: number): Done {
  const statuses = idx >= XENMAPIDX_grant_table_status && isV2(xen, dom);
  const at = statuses ? idx - XENMAPIDX_grant_table_status : idx;
  const table = at < 0 || at >= MAX_SIZE ? undefined : firstFrames(xen, dom, { count: at + 1, statuses });
  return table === undefined ? failed('EINVAL') : addSpecial(xen, dom, gpfn, table.frames.at(-1)!, table.facts);
}

/** A special page stands at one place only, and takes it from whatever is there. */
function addSpecial(xen: Xen, dom: DomId, gfn: Gfn, mfn: Mfn, before: readonly Fact[]): Done {
  const old = xen.p2m.slotsOf(dom).find((slot) => slot.mfn === mfn && slot.dom === dom);
  if (old?.gfn === gfn) return { ok: true, facts: before };
  const cleared = clear(xen, dom, gfn);
  if (!cleared.ok) return cleared;
  const moved: Fact[] = old === undefined ? [] : [{ type: 'p2m.slot_unmapped', domid: dom, gfn: old.gfn }];
  return { ok: true, facts: [...before, ...cleared.facts, ...moved, { type: 'p2m.slot_mapped', domid: dom, gfn, mfn, dom }] };
}

/** gmfn: a page of the domain's goes from one place to another. */
function moveFrame(xen: Xen, dom: DomId, from: Gfn, to: Gfn, guest: GuestReader): Done {
  const slot = xen.p2m.slot(dom, from);
  if (slot !== undefined) return slot.dom === dom ? addSpecial(xen, dom, to, slot.mfn, []) : failed('EINVAL');
  const { mfn, facts } = frameAt(xen, dom, from, guest);
  if (mfn < 0) return failed('EINVAL');
  if (from === to) return { ok: true, facts };
  const cleared = clear(xen, dom, to, facts);
  if (!cleared.ok) return cleared;
  return { ok: true, facts: [...facts, ...cleared.facts, { type: 'p2m.moved', domid: dom, gfn: from, nr_pages: 1, to }] };
}

/** A frame of another domain, in dom0's physmap alone: nobody else's would let go of it in time (p2m_add_foreign()). */
function addForeign(xen: Xen, dom: DomId, { caller, idx, gpfn, foreign }: Addition, guest: GuestReader): Done {
  if (dom !== 0) return failed('EPERM');
  if (foreign === DOMID_XEN) return failed('EINVAL'); // Xen shares no frame with anybody
  if (!xen.exists(foreign)) return failed('ESRCH');
  if (foreign === caller) return failed('EPERM');
  if (foreign === dom) return failed('EINVAL');
  const isPv = xen.domain.of(0)!.hvm.at(foreign) === 0;
  if (isPv) return addFrame(xen, dom, gpfn, xen.p2m.gfn(foreign, idx) < 0 ? -1 : idx, foreign, []);
  const slot = xen.p2m.slot(foreign, idx);
  if (slot !== undefined) return addFrame(xen, dom, gpfn, slot.dom === foreign ? slot.mfn : -1, foreign, []);
  const { mfn, facts } = frameAt(xen, foreign, idx, guest);
  return addFrame(xen, dom, gpfn, mfn, foreign, facts);
}
function addFrame(xen: Xen, dom: DomId, gfn: Gfn, mfn: Mfn, foreign: DomId, before: readonly Fact[]): Done {
  if (mfn < 0) return failed('EINVAL');
  const cleared = clear(xen, dom, gfn);
  if (!cleared.ok) return cleared;
  const mapped: Fact = { type: 'p2m.slot_mapped', domid: dom, gfn, mfn, dom: foreign };
  return { ok: true, facts: [...before, ...cleared.facts, mapped] };
}

/**
 * Makes room at a page: memory that stood there is given back, a special page only loses its place. `before`: what populating another
 * page has changed by then, which may have taken the memory there for the cache.
 */
function clear(xen: Xen, dom: DomId, gfn: Gfn, before: readonly Fact[] = []): Done {
  const slot = xen.p2m.slot(dom, gfn);
  if (slot !== undefined)
    return slot.dom === dom || isSpecial(xen, slot.dom, slot.mfn)
      ? { ok: true, facts: [{ type: 'p2m.slot_unmapped', domid: dom, gfn }] }
      : failed('ENXIO');
  const left = new Left(xen, dom, before);
  if (overlaps(left.pod, gfn, 1)) return { ok: true, facts: [{ type: 'p2m.pod_cleared', domid: dom, gfn, nr_pages: 1 }] };
  if (lookup(left.ranges, gfn) < 0) return { ok: true, facts: [] };
  return left.take(gfn) ? { ok: true, facts: left.facts } : failed('EINVAL');
}
/** Whether a frame is not of a domain's memory, though it is the domain's: is_special_page(). */
const isSpecial = (xen: Xen, dom: DomId, mfn: Mfn): boolean => xen.p2m.gfn(dom, mfn) < 0;

/** The frame of the domain's own behind one of its pages, populated where that was left for later; -1 where there is none. */
export function frameAt(
  xen: Xen,
  dom: DomId,
  gfn: Gfn,
  guest: GuestReader,
): { readonly mfn: Mfn; readonly facts: readonly Fact[] } {
  if (gfn < 0 || gfn >= UNPLACED) return nowhere;
  return xen.p2m.isOnDemand(dom, gfn) ? populateAt(xen, dom, gfn, guest) : { mfn: xen.p2m.mfn(dom, gfn), facts: [] };
}
const nowhere = { mfn: -1, facts: [] };

/** ~0, as a number with a sign. */
const INVALID_GFN = -1;
/** `size` is 16 bits. */
const MAX_SIZE = 0xffff;
const wraps = (first: number, size: number): boolean => first < 0 && first + size >= 0;
