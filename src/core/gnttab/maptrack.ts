// Handles as Xen gives them out (get_maptrack_handle() and put_maptrack_handle() in xen/common/grant_table.c): a list of free ones, taken
// at its head, put back at its tail, to which whole frames of them are added. There is one list for a domain, where Xen has one for each
// vCPU: the same numbers for whoever maps on one of them.
import { type DomId, PAGE_SIZE } from '../../../events/units.ts';
import { GNTMAP } from '../../abi/grant-table.ts';
import type { Xen } from '../xen.ts';
import type { Maptrack } from './state.ts';

/** struct grant_mapping is 16 bytes. */
export const MAPTRACK_PER_FRAME = PAGE_SIZE / 16;

/** `next` of the last handle that is free. 0 stands for the handle after this one, which is how a frame begins; others are one more. */
const TAIL = -1;

/** The handle that is free after this one, or -1. */
export function nextFree({ next }: Maptrack, handle: number): number {
  const link = next.at(handle);
  return link === TAIL ? -1 : link === 0 ? handle + 1 : link - 1;
}

/** The handle that the next mapping gets, or -1. The last free one is never given out: it holds the list's end. */
export function freeHandle(xen: Xen, domid: DomId): number {
  const row = xen.domain.of(0)!;
  const limit = row.maptrack_limit.at(domid);
  if (limit > 0) {
    const head = row.maptrack_head.at(domid);
    if (nextFree(xen.gnttab.maptrack.of(domid)!, head) >= 0) return head;
  }
  return limit < row.max_maptrack_frames.at(domid) * MAPTRACK_PER_FRAME ? limit : -1;
}

/** Takes a handle off the list; the first of a new frame brings the others with it. Only `evolve` calls this, and what follows. */
export function takeHandle(xen: Xen, domid: DomId, handle: number): void {
  const { maptrack_limit, maptrack_head, maptrack_tail } = xen.domain.of(0)!;
  const maps = xen.gnttab.maptrack.of(domid)!;
  const limit = maptrack_limit.at(domid);
  if (handle < limit) {
    maptrack_head.put(domid, nextFree(maps, handle));
    maps.next.put(handle, 0);
    return;
  }
  const last = handle + MAPTRACK_PER_FRAME - 1;
  if (limit === 0) {
    maptrack_tail.put(domid, last);
    maps.next.put(last, TAIL);
  } else maps.next.put(last, maptrack_head.at(domid) + 1);
  maptrack_head.put(domid, handle + 1);
  maptrack_limit.put(domid, handle + MAPTRACK_PER_FRAME);
}

export function putHandle(xen: Xen, domid: DomId, handle: number): void {
  const { maptrack_limit, maptrack_tail } = xen.domain.of(0)!;
  if (handle >= maptrack_limit.at(domid)) return; // of an old log: it was on no list
  if (!xen.isAlive(domid)) {
    // Its mappings go from the last to the first, and it will never make another (gnttab_release_mappings()).
    maptrack_limit.put(domid, handle);
    return;
  }
  const { next } = xen.gnttab.maptrack.of(domid)!;
  next.put(handle, TAIL);
  next.put(maptrack_tail.at(domid), handle + 1);
  maptrack_tail.put(domid, handle);
}

/** The GNTMAP flags of a mapping; those of an old log are of a kernel's own. */
export function flagsOf(maps: Maptrack, handle: number): number {
  return maps.flags.at(handle) || GNTMAP.host_map | (maps.readonly.at(handle) === 1 ? GNTMAP.readonly : 0);
}
