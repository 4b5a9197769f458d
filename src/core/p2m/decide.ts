// memory_op (xen/common/memory.c): populate_physmap, decrease_reservation and the two queries.
import { accept, refuse } from '../../../events/step.ts';
import type { DomId, Gfn, Mfn, Pages } from '../../../events/units.ts';
import type { MemoryCommand, Outcome } from '../../../events/vocabulary.ts';
import type { Xen } from '../xen.ts';
import { resolve } from '../xsm.ts';
import { available, claim, decrease, increase, nothingDone, populate } from './extents.ts';
import { overlaps, slice } from './ranges.ts';

export function decide(xen: Xen, command: MemoryCommand): Outcome {
  if (command.type === 'memory.maximum_ram_page') return accept({ page: xen.p2m.totalPages });
  if (command.type === 'memory.claim_pages') return claim(xen, command);
  const target = resolve(xen, command.domid, command.dom);
  if (!target.ok) {
    switch (command.type) {
      // These answer how far they came, whatever stopped them (do_memory_op()).
      case 'memory.populate_physmap':
      case 'memory.decrease_reservation':
      case 'memory.decrease_reservation_extents':
        return accept({ nr_done: 0 });
      case 'memory.increase_reservation':
      case 'memory.populate_physmap_extents':
        return accept(nothingDone);
      default:
        return refuse(target.errno);
    }
  }
  const { dom } = target;
  const row = xen.domain.of(0)!;

  switch (command.type) {
    case 'memory.populate_physmap': {
      const { gfn, nr_pages } = command;
      // Stops where it can not go on: nobody who dies gets anything.
      if (nr_pages <= 0 || gfn < 0 || gfn + nr_pages > MAX_GFN || !xen.isAlive(dom)) return accept({ nr_done: 0 });
      if (overlaps(xen.p2m.of(dom), gfn, nr_pages)) return accept({ nr_done: 0 });
      const room = row.max_pages.at(dom) - row.tot_pages.at(dom);
      const extents = allocate(xen, Math.min(nr_pages, room, available(xen, dom)));
      if (extents.length === 0) return accept({ nr_done: 0 });
      const done = pagesIn(extents);
      return accept({ nr_done: done }, { type: 'p2m.populated', domid: dom, gfn, extents });
    }
    case 'memory.decrease_reservation': {
      const { gfn, nr_pages } = command;
      const nr_done = removable(xen, dom, gfn, nr_pages);
      return nr_done === 0
        ? accept({ nr_done })
        : accept({ nr_done }, { type: 'p2m.removed', domid: dom, gfn, nr_pages: nr_done });
    }
    case 'memory.current_reservation':
      return accept({ nr_pages: row.tot_pages.at(dom) });
    case 'memory.maximum_reservation':
      return accept({ nr_pages: row.max_pages.at(dom) });
    case 'memory.increase_reservation':
      return increase(xen, command, dom);
    case 'memory.populate_physmap_extents':
      return populate(xen, command, dom);
    case 'memory.decrease_reservation_extents':
      return decrease(xen, command, dom);
    case 'memory.maximum_gpfn': {
      // A PV domain says in its shared info page how far its pages go; none of ours does (domain_get_maximum_gpfn()).
      const last = row.hvm.at(dom) === 1 ? xen.p2m.of(dom).at(-1) : undefined;
      return accept({ gpfn: last === undefined ? 0 : last.gfn + last.count - 1 });
    }
    case 'memory.add_to_physmap':
      if (command.space === XENMAPSPACE_gmfn_foreign) return refuse('ENOSYS');
      return refuse(row.hvm.at(dom) === 1 ? 'EINVAL' : 'EACCES');
    case 'memory.set_pod_target':
      return refuse('EINVAL');
    default:
      return command satisfies never;
  }
}

/** How many pages from `gfn` on can be given back: up to a hole, or to a frame that another domain has mapped. */
function removable(xen: Xen, dom: DomId, gfn: Gfn, nr_pages: Pages): Pages {
  const mapped = [...xen.mappedFrames(dom)];
  let next = gfn;
  for (const range of slice(xen.p2m.of(dom), gfn, nr_pages)) {
    if (range.gfn !== next) break;
    const end = range.mfn + range.count;
    const stop = mapped.reduce((least, mfn) => (mfn >= range.mfn && mfn < least ? mfn : least), end);
    next += stop - range.mfn;
    if (stop !== end) break;
  }
  return next - gfn;
}

/** public/memory.h: such pages are added by the batch alone. */
const XENMAPSPACE_gmfn_foreign = 4;

/** No page number reaches so far, whatever the processor (xen/arch/x86/include/asm/page.h). */
const MAX_GFN = 2 ** 40;

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

/** The same frames, one by one. */
export function allocateFrames(xen: Xen, pages: Pages): Mfn[] {
  const extents = allocate(xen, pages);
  const frames: Mfn[] = [];
  for (let i = 0; i < extents.length; i += 2) for (let k = 0; k < extents[i + 1]!; k++) frames.push(extents[i]! + k);
  return frames;
}

export const pagesIn = (extents: readonly number[]): Pages => {
  let pages = 0;
  for (let i = 1; i < extents.length; i += 2) pages += extents[i]!;
  return pages;
};
