// The pages that Xen keeps for a domain's own page tables (xen/arch/x86/mm/hap/hap.c, hap_set_allocation()).
import type { DomId, Mfn, Pages } from '../../../events/units.ts';
import type { Fact } from '../../../events/vocabulary.ts';
import { type RangeSet, rangesOf, remove } from '../rangeset.ts';
import type { Xen } from '../xen.ts';

/** What a HAP domain's pool has from the start (hap_enable()). */
export const INITIAL_POOL: Pages = 256;

/** What makes a pool that large; undefined where the heap has not as much. */
export function resized(xen: Xen, domid: DomId, pages: Pages): Fact[] | undefined {
  const now = xen.control.poolPages(domid);
  if (pages === now) return [];
  if (pages < now) return [{ type: 'domain.paging_pool_shrunk', domid, extents: firstOf(xen.control.pool(domid), now - pages) }];
  const extents = lastFree(xen, pages - now);
  return extents === undefined ? undefined : [{ type: 'domain.paging_pool_grown', domid, extents }];
}

/** The first so many frames of a set, as extents. */
function firstOf(set: RangeSet, wanted: Pages): number[] {
  const extents: number[] = [];
  let left = wanted;
  for (const [first, last] of rangesOf(set)) {
    if (left === 0) break;
    const count = Math.min(left, last - first + 1);
    extents.push(first, count);
    left -= count;
  }
  return extents;
}

/** Frames from the end of the heap, as extents; none of what is set aside for domains, nor of what the step takes besides. */
export function lastFree(xen: Xen, wanted: Pages, besides: readonly Mfn[] = []): number[] | undefined {
  if (wanted + besides.length > xen.p2m.freePages - xen.p2m.allClaimed) return undefined;
  let free: RangeSet = xen.p2m.free.flatMap(({ mfn, count }) => [mfn, mfn + count - 1]);
  for (const mfn of besides) free = remove(free, mfn, mfn);
  const extents: number[] = [];
  let left = wanted;
  for (const [first, last] of [...rangesOf(free)].reverse()) {
    if (left === 0) break;
    const taken = Math.min(left, last - first + 1);
    extents.push(last - taken + 1, taken);
    left -= taken;
  }
  return extents;
}

/** All that a dying domain's pool gives back. */
export function drained(xen: Xen, domid: DomId): Fact[] {
  return resized(xen, domid, 0) ?? [];
}
