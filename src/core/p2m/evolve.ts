import type { DomId, Pages } from '../../../events/units.ts';
import type { P2mFact } from '../../../events/vocabulary.ts';
import type { Xen } from '../xen.ts';
import { pagesIn } from './heap.ts';
import { slice } from './ranges.ts';

/** Applies a fact to the p2m and to the domain's page count. Total; the only writer of this slice. */
export function evolve(xen: Xen, event: P2mFact): void {
  switch (event.type) {
    case 'p2m.populated': {
      let gfn = event.gfn;
      for (let i = 0; i < event.extents.length; i += 2) {
        const count = event.extents[i + 1]!;
        xen.p2m.populate(event.domid, { gfn, mfn: event.extents[i]!, count });
        gfn += count;
      }
      countPages(xen, event.domid, pagesIn(event.extents));
      return;
    }
    case 'p2m.removed': {
      const parts = slice(xen.p2m.of(event.domid), event.gfn, event.nr_pages);
      if (parts.length === 0) return;
      if (xen.p2m.released.of(event.domid) !== undefined)
        for (const { mfn, count } of parts) for (let i = 0; i < count; i++) xen.p2m.release(event.domid, mfn + i, false);
      xen.p2m.unpopulate(event.domid, event.gfn, parts);
      const pages = parts.reduce((sum, part) => sum + part.count, 0);
      countPages(xen, event.domid, -pages);
      return;
    }
    case 'p2m.released':
      xen.p2m.release(event.domid, event.mfn, true);
      return;
    case 'p2m.moved':
      xen.p2m.move(event.domid, event.gfn, event.nr_pages, event.to);
      return;
    case 'p2m.slot_mapped': {
      const slots = xen.p2m.slots.of(event.domid) ?? xen.p2m.slots.add(event.domid);
      let row = 0;
      while (slots.mfn_plus_1.at(row) !== 0) row++;
      slots.mfn_plus_1.put(row, event.mfn + 1);
      slots.gfn.put(row, event.gfn);
      slots.dom.put(row, event.dom);
      if (event.dom !== event.domid) xen.domain.of(0)!.shown_slots.add(event.dom, 1);
      return;
    }
    case 'p2m.slot_unmapped': {
      const slots = xen.p2m.slots.of(event.domid);
      const slot = xen.p2m.slot(event.domid, event.gfn);
      if (slots === undefined || slot === undefined) return;
      if (slot.dom !== event.domid) xen.domain.of(0)!.shown_slots.add(slot.dom, -1);
      slots.mfn_plus_1.put(slot.row, 0);
      slots.gfn.put(slot.row, 0);
      slots.dom.put(slot.row, 0);
      return;
    }
    case 'p2m.pod_marked':
      xen.p2m.markOnDemand(event.domid, event.gfn, event.nr_pages);
      return;
    case 'p2m.pod_cleared':
      xen.p2m.clearOnDemand(event.domid, event.gfn, event.nr_pages);
      return;
    case 'p2m.pod_swept': {
      const sweep = xen.p2m.sweeps.of(event.domid) ?? xen.p2m.sweeps.add(event.domid);
      sweep.reclaim_single.put(0, event.reclaim_single);
      sweep.max_guest.put(0, event.max_guest);
      return;
    }
    case 'p2m.machphys_set':
      xen.p2m.setMachphys(event.mfn, event.gpfn);
      return;
    case 'p2m.memory_map_set':
      xen.p2m.memoryMaps.set(event.domid, { entries: String.fromCharCode(...event.entries) });
      return;
    case 'p2m.claimed':
      (xen.p2m.claims.of(event.domid) ?? xen.p2m.claims.add(event.domid)).pages.put(0, event.outstanding_pages);
      return;
    default:
      event satisfies never;
  }
}

/** What a domain gets comes out of what was set aside for it, and what it gives back goes there (domain_adjust_tot_pages()). */
export function countPages(xen: Xen, domid: DomId, pages: Pages): void {
  xen.domain.of(0)!.tot_pages.add(domid, pages);
  const claimed = xen.p2m.claimed(domid);
  if (claimed > 0) xen.p2m.claims.of(domid)!.pages.put(0, Math.max(0, claimed - pages));
}
