// Memory: memory_op (public/memory.h) as far as it gives and takes pages. Facts carry extents, never single frames.
import { int, ints, operation } from './schema.ts';

export const operations = {
  /** Gives `dom` the pages `gfn` .. `gfn + nr_pages - 1`. Answers how many it could. */
  'memory.populate_physmap': operation({ domid: int, dom: int, gfn: int, nr_pages: int }, { nr_done: int }),
  'memory.decrease_reservation': operation({ domid: int, dom: int, gfn: int, nr_pages: int }, { nr_done: int }),
  'memory.current_reservation': operation({ domid: int, dom: int }, { nr_pages: int }),
  'memory.maximum_reservation': operation({ domid: int, dom: int }, { nr_pages: int }),
  /**
   * As struct xen_memory_reservation has it: `nr_extents` extents of 2^`extent_order` pages each, all of an extent or nothing of it.
   * Answers how many extents it could, and where they are. `mem_flags` are XENMEMF_*.
   */
  'memory.increase_reservation': operation(
    { domid: int, dom: int, nr_extents: int, extent_order: int, mem_flags: int },
    { nr_done: int, frames: ints },
  ),
  /** populate_physmap by extents: those of `gpfns` begin at one page each. */
  'memory.populate_physmap_extents': operation(
    { domid: int, dom: int, gpfns: ints, extent_order: int, mem_flags: int },
    { nr_done: int, frames: ints },
  ),
  /** decrease_reservation by extents, each of which begins at one of `gmfns`: a frame of a PV domain, a page of any other. */
  'memory.decrease_reservation_extents': operation({ domid: int, dom: int, gmfns: ints, extent_order: int }, { nr_done: int }),
  'memory.maximum_gpfn': operation({ domid: int, dom: int }, { gpfn: int }),
  'memory.maximum_ram_page': operation({ domid: int }, { page: int }),
  /** `pages` is what the domain will have in all; 0 gives the claim up. */
  'memory.claim_pages': operation({ domid: int, dom: int, pages: int, extent_order: int }),
  /** Only domains whose memory Xen translates have a physmap to add to; there are none of these with populate on demand. */
  'memory.add_to_physmap': operation({ domid: int, dom: int, space: int, idx: int, gpfn: int }),
  'memory.set_pod_target': operation({ domid: int, dom: int, target_pages: int }),
} as const;

export const facts = {
  /** `extents` is [mfn, count, mfn, count, ...]; together they back the pages from `gfn` on. */
  'p2m.populated': { domid: int, gfn: int, extents: ints },
  'p2m.removed': { domid: int, gfn: int, nr_pages: int },
  /** How many pages are set aside for the domain from now on, beyond those that it has. */
  /** Given back while others have it mapped: the frame goes to the heap with the last mapping. */
  'p2m.released': { domid: int, mfn: int },
  'p2m.claimed': { domid: int, outstanding_pages: int },
} as const;
