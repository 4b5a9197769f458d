// Memory: memory_op (public/memory.h) as far as it gives and takes pages. Facts carry extents, never single frames.
import { int, ints, operation } from './schema.ts';

export const operations = {
  /** Gives `dom` the pages `gfn` .. `gfn + nr_pages - 1`. Answers how many it could. */
  'memory.populate_physmap': operation({ domid: int, dom: int, gfn: int, nr_pages: int }, { nr_done: int }),
  'memory.decrease_reservation': operation({ domid: int, dom: int, gfn: int, nr_pages: int }, { nr_done: int }),
  'memory.current_reservation': operation({ domid: int, dom: int }, { nr_pages: int }),
  'memory.maximum_reservation': operation({ domid: int, dom: int }, { nr_pages: int }),
} as const;

export const facts = {
  /** `extents` is [mfn, count, mfn, count, ...]; together they back the pages from `gfn` on. */
  'p2m.populated': { domid: int, gfn: int, extents: ints },
  'p2m.removed': { domid: int, gfn: int, nr_pages: int },
} as const;
