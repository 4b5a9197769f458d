import type { DomId, Pages } from '../../../events/units.ts';
import type { P2mFact } from '../../../events/vocabulary.ts';
import type { Xen } from '../xen.ts';
import { pagesIn } from './decide.ts';
import { slice } from './ranges.ts';

/** Applies a fact to the p2m and to the domain's page count. Total; the only writer of this slice. */
export function evolve(xen: Xen, event: P2mFact): void {
  const { tot_pages } = xen.domain.of(0)!;
  switch (event.type) {
    case 'p2m.populated': {
      let gfn = event.gfn;
      for (let i = 0; i < event.extents.length; i += 2) {
        const count = event.extents[i + 1]!;
        xen.p2m.populate(event.domid, { gfn, mfn: event.extents[i]!, count });
        gfn += count;
      }
      tot_pages.add(event.domid, pagesIn(event.extents));
      useClaim(xen, event.domid, pagesIn(event.extents));
      return;
    }
    case 'p2m.removed': {
      const parts = slice(xen.p2m.of(event.domid), event.gfn, event.nr_pages);
      if (parts.length === 0) return;
      if (xen.p2m.released.of(event.domid) !== undefined)
        for (const { mfn, count } of parts) for (let i = 0; i < count; i++) xen.p2m.release(event.domid, mfn + i, false);
      xen.p2m.unpopulate(event.domid, event.gfn, parts);
      const pages = parts.reduce((sum, part) => sum + part.count, 0);
      tot_pages.add(event.domid, -pages);
      useClaim(xen, event.domid, -pages);
      return;
    }
    case 'p2m.released':
      xen.p2m.release(event.domid, event.mfn, true);
      return;
    case 'p2m.claimed':
      (xen.p2m.claims.of(event.domid) ?? xen.p2m.claims.add(event.domid)).pages.put(0, event.outstanding_pages);
      return;
    default:
      event satisfies never;
  }
}

/** What a domain gets comes out of what was set aside for it, and what it gives back goes there (domain_adjust_tot_pages()). */
function useClaim(xen: Xen, domid: DomId, pages: Pages): void {
  const claimed = xen.p2m.claimed(domid);
  if (claimed > 0) xen.p2m.claims.of(domid)!.pages.put(0, Math.max(0, claimed - pages));
}
