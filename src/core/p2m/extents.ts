// Extents: what memory_op gives, takes and sets aside in runs of 2^order pages (xen/common/memory.c).
import { accept, refuse } from '../../../events/step.ts';
import { type DomId, type Mfn, PAGE_SHIFT, type Pages } from '../../../events/units.ts';
import type { CommandOf, Fact, Outcome } from '../../../events/vocabulary.ts';
import type { Xen } from '../xen.ts';
import { isPrivileged } from '../xsm.ts';
import { insert, overlaps, type Ranges, remove } from './ranges.ts';
import { UNPLACED } from './state.ts';

export const nothingDone: { readonly nr_done: 0; readonly frames: readonly Mfn[] } = { nr_done: 0, frames: [] };

/** More pages for a domain; a PV domain knows them by their frames. */
export function increase(xen: Xen, command: CommandOf<'memory.increase_reservation'>, dom: DomId): Outcome {
  const { domid, nr_extents, extent_order, mem_flags } = command;
  // Where Xen translates, pages come without a place, and that is not modelled: populate_physmap gives them one.
  if (xen.domain.of(0)!.hvm.at(dom) === 1 || !mayAllocate(xen, domid, extent_order, mem_flags)) return accept(nothingDone);
  const given = new Given(xen, dom, extent_order);
  while (given.frames.length < nr_extents && given.next()) given.place();
  return given.outcome();
}

/** More pages for a domain, at these places. */
export function populate(xen: Xen, command: CommandOf<'memory.populate_physmap_extents'>, dom: DomId): Outcome {
  const { domid, gpfns, extent_order, mem_flags } = command;
  if (!mayAllocate(xen, domid, extent_order, mem_flags)) return accept(nothingDone);
  const isPv = xen.domain.of(0)!.hvm.at(dom) === 0;
  const given = new Given(xen, dom, extent_order);
  for (const gpfn of gpfns) {
    const isFree = gpfn >= 0 && gpfn < UNPLACED && !given.has(gpfn);
    // To a PV domain the place is a note about the frame, and no more.
    if ((!isFree && !isPv) || !given.next()) break;
    given.place(isFree ? gpfn : undefined);
  }
  return given.outcome();
}

/** Pages go back, an extent at a time, up to the first page that is not the domain's to give. */
export function decrease(xen: Xen, command: CommandOf<'memory.decrease_reservation_extents'>, dom: DomId): Outcome {
  const { domid, gmfns, extent_order } = command;
  if (extent_order < 0 || extent_order > maxOrder(domid)) return accept({ nr_done: 0 });
  const isPv = xen.domain.of(0)!.hvm.at(dom) === 0;
  const kept = xen.mappedFrames(dom);
  const facts: Fact[] = [];
  const gone = new Set<number>();
  let nr_done = 0;
  for (const first of gmfns) {
    for (let i = 0; i < 2 ** extent_order; i++) {
      const gfn = isPv ? xen.p2m.gfn(dom, first + i) : first + i;
      const mfn = xen.p2m.mfn(dom, gfn);
      if (gfn < 0 || mfn < 0 || gone.has(gfn)) return accept({ nr_done }, ...facts);
      if (kept.has(mfn)) {
        // A PV domain lets go of it, and others keep it until they unmap it. Any other has no place to keep it in.
        if (!isPv || !xen.isGrantMapped(dom, mfn)) return accept({ nr_done }, ...facts);
        if (!xen.p2m.isReleased(dom, mfn)) facts.push({ type: 'p2m.released', domid: dom, mfn });
        continue;
      }
      gone.add(gfn);
      facts.push({ type: 'p2m.removed', domid: dom, gfn, nr_pages: 1 });
    }
    nr_done++;
  }
  return accept({ nr_done }, ...facts);
}

/** Sets free memory aside for a domain (domain_set_outstanding_pages() in xen/common/page_alloc.c). */
export function claim(xen: Xen, command: CommandOf<'memory.claim_pages'>): Outcome {
  const { dom, pages } = command;
  const row = xen.domain.of(0)!;
  if (command.extent_order !== 0 || !xen.exists(dom)) return refuse('EINVAL');
  if (!isPrivileged(command.domid)) return refuse('EPERM');
  const claimed = (outstanding_pages: Pages): Outcome =>
    outstanding_pages === xen.p2m.claimed(dom) ? accept() : accept({}, { type: 'p2m.claimed', domid: dom, outstanding_pages });
  if (pages === 0) return claimed(0);
  const more = pages - row.tot_pages.at(dom);
  if (xen.p2m.claimed(dom) > 0 || more <= 0 || pages > row.max_pages.at(dom)) return refuse('EINVAL');
  return more > xen.p2m.freePages - xen.p2m.allClaimed ? refuse('ENOMEM') : claimed(more);
}

/** What a domain can get from the heap: not what is set aside for others, unless it has a claim itself (alloc_heap_pages()). */
export function available(xen: Xen, dom: DomId): Pages {
  return xen.p2m.freePages - xen.p2m.allClaimed + xen.p2m.claimed(dom);
}

/** The largest extent that a domain may ask for (max_order()): dom0 owns the hardware. */
const maxOrder = (domid: DomId): number => (isPrivileged(domid) ? 12 : 9);

function mayAllocate(xen: Xen, domid: DomId, extent_order: number, mem_flags: number): boolean {
  if (extent_order < 0 || extent_order > maxOrder(domid)) return false;
  // XENMEMF_address_bits: the frame's address shall have no more bits than that; too few for a single page is an error.
  const bits = mem_flags & 0xff;
  return bits === 0 || bits > PAGE_SHIFT || 2 ** (bits - PAGE_SHIFT) >= xen.p2m.totalPages;
}

/** What one hypercall gives, from the top of the heap down, as Xen looks in the highest zone first: each extent is taken from what the last one left. */
class Given {
  readonly frames: Mfn[] = [];
  private readonly facts: Fact[] = [];
  private readonly xen: Xen;
  private readonly dom: DomId;
  private readonly pages: Pages;
  private free: Ranges;
  private placed: Ranges = [];
  private room: Pages;
  private mfn: Mfn = 0;

  constructor(xen: Xen, dom: DomId, order: number) {
    const row = xen.domain.of(0)!;
    this.xen = xen;
    this.dom = dom;
    this.pages = 2 ** order;
    this.free = xen.p2m.free;
    this.room = xen.isAlive(dom) ? Math.min(row.max_pages.at(dom) - row.tot_pages.at(dom), available(xen, dom)) : 0;
  }
  /** Whether a page of the next extent would stand where one stands already. */
  has(gpfn: number): boolean {
    return overlaps(this.xen.p2m.of(this.dom), gpfn, this.pages) || overlaps(this.placed, gpfn, this.pages);
  }
  /** Takes an extent from the heap, aligned to its size; answers false where there is none, or no room for it. */
  next(): boolean {
    if (this.pages > this.room) return false;
    for (let i = this.free.length - 1; i >= 0; i--) {
      const { mfn, count } = this.free[i]!;
      const aligned = Math.floor((mfn + count) / this.pages) * this.pages - this.pages;
      if (aligned < mfn) continue;
      this.mfn = aligned;
      this.free = remove(this.free, aligned, this.pages);
      this.room -= this.pages;
      this.frames.push(aligned);
      return true;
    }
    return false;
  }
  place(gpfn: number = UNPLACED + this.mfn): void {
    this.placed = insert(this.placed, { gfn: gpfn, mfn: this.mfn, count: this.pages });
    this.facts.push({ type: 'p2m.populated', domid: this.dom, gfn: gpfn, extents: [this.mfn, this.pages] });
  }
  outcome(): Outcome {
    return accept({ nr_done: this.frames.length, frames: this.frames }, ...this.facts);
  }
}
