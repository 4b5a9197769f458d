import type { Invariant } from '../invariants.ts';
import { rangesOf } from '../rangeset.ts';
import { overlaps, type Ranges } from './ranges.ts';
import { FIRST_FREE_MFN, POD_CACHE } from './state.ts';

export const invariants: Readonly<Record<string, Invariant>> = {
  *'p2m.frameHasOneOwner'(xen) {
    const extents: { mfn: number; count: number; owner: string }[] = [];
    const add = (owner: string, mfn: number, count: number): void => {
      extents.push({ mfn, count, owner });
    };
    for (const { mfn, count } of xen.p2m.free) add('the heap', mfn, count);
    for (const [domid, ranges] of xen.p2m.snapshot().domains) for (const { mfn, count } of ranges) add(`d${domid}`, mfn, count);
    for (const extents of [xen.trace.buffers?.info ?? [], xen.trace.buffers?.buffers ?? []])
      for (let i = 0; i < extents.length; i += 2) add('the trace buffers', extents[i]!, extents[i + 1]!);
    for (const [first, last] of rangesOf(xen.platform.offlineFrames)) add('nobody: it is offline', first, last - first + 1);
    for (const domid of xen.domids()) {
      add(`d${domid}'s shared info`, xen.sharedInfo(domid), 1);
      for (const [i, { mfn_plus_1 }] of xen.gnttab.frames.inUse(domid)) add(`d${domid}'s grant table ${i}`, mfn_plus_1 - 1, 1);
      for (const [i, { mfn_plus_1 }] of xen.gnttab.statusFrames.inUse(domid))
        add(`d${domid}'s status frame ${i}`, mfn_plus_1 - 1, 1);
      for (const mfn of xen.hvm.ioreqFrames(domid)) add(`d${domid}'s ioreq servers`, mfn, 1);
      for (const [first, last] of rangesOf(xen.control.pool(domid))) add(`d${domid}'s paging pool`, first, last - first + 1);
    }
    extents.sort((a, b) => a.mfn - b.mfn);
    let end = FIRST_FREE_MFN;
    let before = 'Xen';
    for (const { mfn, count, owner } of extents) {
      if (mfn < end) yield `frame ${mfn} belongs to ${before} and to ${owner}`;
      if (mfn > end) yield `frames ${end} to ${mfn - 1} belong to nobody`;
      end = Math.max(end, mfn + count);
      before = owner;
    }
    const last = Math.max(xen.p2m.totalPages, FIRST_FREE_MFN);
    if (end !== last) yield `frames end at ${end}, the machine at ${last}`;
  },

  *'p2m.rangesAreSortedAndMerged'(xen) {
    yield* flaws('the heap', xen.p2m.free);
    for (const [domid, ranges] of xen.p2m.snapshot().domains) yield* flaws(`d${domid}`, ranges);
    for (const [domid, ranges] of xen.p2m.snapshot().pod) yield* flaws(`d${domid}, on demand,`, ranges);
  },

  *'p2m.claimsFitIntoTheHeap'(xen) {
    for (const domid of xen.p2m.claims.ids())
      if (xen.p2m.claimed(domid) < 0) yield `d${domid} has ${xen.p2m.claimed(domid)} pages set aside`;
    // Who gives pages back has them set aside again, and they are in the heap then.
    if (xen.p2m.allClaimed > xen.p2m.freePages)
      yield `${xen.p2m.allClaimed} pages are set aside, and ${xen.p2m.freePages} are free`;
  },

  *'p2m.releasedIsMapped'(xen) {
    for (const domid of xen.p2m.released.ids())
      for (const [, { mfn_plus_1 }] of xen.p2m.released.inUse(domid)) {
        const mfn = mfn_plus_1 - 1;
        if (xen.p2m.gfn(domid, mfn) < 0 || (!xen.isHeld(domid, mfn) && !xen.isUsedByXen(domid, mfn)))
          yield `d${domid} gave frame ${mfn} back, and it waits for nobody who holds it`;
      }
  },

  *'p2m.pageIsOneThing'(xen) {
    for (const domid of xen.domids()) {
      const slots = xen.p2m.slotsOf(domid);
      const ranges = xen.p2m.of(domid);
      for (const { gfn } of slots) {
        if (overlaps(ranges, gfn, 1)) yield `d${domid} gfn ${gfn} is memory, and shows another frame`;
        if (slots.filter((slot) => slot.gfn === gfn).length > 1) yield `d${domid} gfn ${gfn} shows two frames`;
        if (xen.p2m.isOnDemand(domid, gfn)) yield `d${domid} gfn ${gfn} shows a frame, and is to be populated`;
      }
      for (const { gfn, count } of xen.p2m.pod(domid))
        if (overlaps(ranges, gfn, count)) yield `d${domid} gfn ${gfn} to ${gfn + count - 1} is to be populated, and is in part`;
    }
  },

  *'p2m.slotShowsAFrameOfItsOwner'(xen) {
    for (const domid of xen.p2m.slots.ids())
      for (const { gfn, mfn, dom } of xen.p2m.slotsOf(domid)) {
        const isSpecial = xen.specialFrames(dom).has(mfn);
        const isOwn = domid === dom;
        if (!xen.exists(dom) || !(isSpecial || (!isOwn && xen.p2m.gfn(dom, mfn) >= 0)))
          yield `d${domid} gfn ${gfn} shows frame ${mfn}, which is not d${dom}'s to show`;
        if (isOwn && xen.p2m.slotsOf(domid).filter((slot) => slot.dom === dom && slot.mfn === mfn).length > 1)
          yield `d${domid} shows its frame ${mfn} twice`;
        if (xen.domain.of(0)!.hvm.at(domid) === 0) yield `d${domid} shows a frame, and has no physmap`;
      }
  },

  *'p2m.shownSlotsAreCounted'(xen) {
    const { shown_slots } = xen.domain.of(0)!;
    for (const domid of xen.domids()) {
      const slots = xen.p2m.shownBy(domid).length;
      if (shown_slots.at(domid) !== slots)
        yield `d${domid} counts ${shown_slots.at(domid)} pages that show its frames, there are ${slots}`;
    }
  },

  *'p2m.machphysIsOfAPage'(xen) {
    for (const run of xen.p2m.m2p.ids())
      for (const [row] of xen.p2m.m2p.inUse(run)) {
        const mfn = run * 64 + row;
        if (xen.ownerOf(mfn) < 0) yield `frame ${mfn} is nobody's, and is said to be page ${xen.p2m.machphys(mfn)}`;
      }
  },

  *'p2m.podCacheIsOwed'(xen) {
    for (const domid of xen.domids()) {
      const cached = xen.p2m.podCache(domid).reduce((sum, { count }) => sum + count, 0);
      const entries = xen.p2m.podEntries(domid);
      const isHvm = xen.domain.of(0)!.hvm.at(domid) === 1;
      if (!isHvm && cached + entries > 0) yield `d${domid} is PV and has ${entries} pages to populate from ${cached}`;
      for (const { gfn, mfn } of xen.p2m.podCache(domid))
        if (gfn !== POD_CACHE + mfn) yield `d${domid} has frame ${mfn} in its cache at ${gfn}`;
    }
  },

  *'p2m.totPagesCountsThePages'(xen) {
    const { tot_pages } = xen.domain.of(0)!;
    for (const domid of xen.domids()) {
      const pages = xen.p2m.of(domid).reduce((sum, { count }) => sum + count, 0);
      if (pages !== tot_pages.at(domid)) yield `d${domid} has ${pages} pages, counted ${tot_pages.at(domid)}`;
    }
  },
};

function* flaws(owner: string, ranges: Ranges): Generator<string> {
  for (const [i, { gfn, mfn, count }] of ranges.entries()) {
    if (count <= 0) yield `${owner} has ${count} pages from gfn ${gfn} on`;
    const after = ranges[i + 1];
    if (after === undefined) continue;
    if (after.gfn < gfn + count) yield `${owner}: gfn ${after.gfn} stands after ${gfn + count - 1}`;
    if (after.gfn === gfn + count && after.mfn === mfn + count)
      yield `${owner}: two ranges continue each other at gfn ${after.gfn}`;
  }
}
