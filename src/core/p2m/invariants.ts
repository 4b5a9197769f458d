import type { Invariant } from '../invariants.ts';
import type { Ranges } from './ranges.ts';
import { FIRST_FREE_MFN } from './state.ts';

export const invariants: Readonly<Record<string, Invariant>> = {
  *'p2m.frameHasOneOwner'(xen) {
    const extents: { mfn: number; count: number; owner: string }[] = [];
    const add = (owner: string, mfn: number, count: number): void => {
      extents.push({ mfn, count, owner });
    };
    for (const { mfn, count } of xen.p2m.free) add('the heap', mfn, count);
    for (const [domid, ranges] of xen.p2m.snapshot().domains) for (const { mfn, count } of ranges) add(`d${domid}`, mfn, count);
    for (const domid of xen.domids()) {
      add(`d${domid}'s shared info`, xen.sharedInfo(domid), 1);
      for (const [i, { mfn_plus_1 }] of xen.gnttab.frames.inUse(domid)) add(`d${domid}'s grant table ${i}`, mfn_plus_1 - 1, 1);
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
        if (xen.p2m.gfn(domid, mfn) < 0 || !xen.isGrantMapped(domid, mfn))
          yield `d${domid} gave frame ${mfn} back, and it waits for no mapping`;
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
