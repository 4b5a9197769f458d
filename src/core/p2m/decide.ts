// memory_op (xen/common/memory.c): populate_physmap, decrease_reservation and the two queries.
import { accept, refuse } from '../../../events/step.ts';
import type { Mfn, Pages } from '../../../events/units.ts';
import type { MemoryCommand, Outcome } from '../../../events/vocabulary.ts';
import type { Xen } from '../xen.ts';
import { resolve } from '../xsm.ts';
import { covered, overlaps } from './ranges.ts';

export function decide(xen: Xen, command: MemoryCommand): Outcome {
  const target = resolve(xen, command.domid, command.dom);
  if (!target.ok) return refuse(target.errno);
  const { dom } = target;
  const row = xen.domain.of(0)!;

  switch (command.type) {
    case 'memory.populate_physmap': {
      const { gfn, nr_pages } = command;
      // As Xen does, stops where it can not go on, and answers how far it came: that is no error.
      if (nr_pages <= 0 || gfn < 0 || overlaps(xen.p2m.of(dom), gfn, nr_pages)) return accept({ nr_done: 0 });
      const room = row.max_pages.at(dom) - row.tot_pages.at(dom);
      const extents = allocate(xen, Math.min(nr_pages, room));
      if (extents.length === 0) return accept({ nr_done: 0 });
      const done = pagesIn(extents);
      return accept({ nr_done: done }, { type: 'p2m.populated', domid: dom, gfn, extents });
    }
    case 'memory.decrease_reservation': {
      const { gfn, nr_pages } = command;
      if (nr_pages <= 0 || covered(xen.p2m.of(dom), gfn, nr_pages) !== nr_pages) return accept({ nr_done: 0 });
      return accept({ nr_done: nr_pages }, { type: 'p2m.removed', domid: dom, gfn, nr_pages });
    }
    case 'memory.current_reservation':
      return accept({ nr_pages: row.tot_pages.at(dom) });
    case 'memory.maximum_reservation':
      return accept({ nr_pages: row.max_pages.at(dom) });
    default:
      return command satisfies never;
  }
}

/** Frames for `pages` pages, lowest first, as [mfn, count, ...]; fewer when the heap has no more. */
export function allocate(xen: Xen, pages: Pages): number[] {
  const extents: number[] = [];
  let wanted = pages;
  for (const { mfn, count } of xen.p2m.free) {
    if (wanted <= 0) break;
    const taken = Math.min(count, wanted);
    extents.push(mfn, taken);
    wanted -= taken;
  }
  return extents;
}

/** One frame, or -1 when the machine has none left. */
export const allocateFrame = (xen: Xen): Mfn => allocate(xen, 1)[0] ?? -1;

export const pagesIn = (extents: readonly number[]): Pages => {
  let pages = 0;
  for (let i = 1; i < extents.length; i += 2) pages += extents[i]!;
  return pages;
};
