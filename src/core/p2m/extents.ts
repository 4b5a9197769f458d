// Extents: what memory_op gives, takes and sets aside in runs of 2^order pages (xen/common/memory.c).
import { accept, refuse } from '../../../events/step.ts';
import type { DomId, Gfn, Mfn, Pages } from '../../../events/units.ts';
import type { CommandOf, Fact, Outcome } from '../../../events/vocabulary.ts';
import { XENMEMF } from '../../abi/memory.ts';
import type { Xen } from '../xen.ts';
import { isPrivileged } from '../xsm.ts';
import { available, type Frames, FreeFrames, MAX_ORDER, maxOrder, wanted } from './heap.ts';
import { decreaseOnDemand } from './pod.ts';
import { insert, lookup, overlaps, type Ranges, remove, slice } from './ranges.ts';
import { UNPLACED } from './state.ts';

export const nothingDone: { readonly nr_done: 0; readonly frames: readonly Mfn[] } = { nr_done: 0, frames: [] };

/** More pages for a domain, without a place: a PV domain knows them by their frames, and any other may give them one. */
export function increase(xen: Xen, command: CommandOf<'memory.increase_reservation'>, dom: DomId): Outcome {
  const { domid, nr_extents, extent_order, mem_flags } = command;
  const frames = wanted(xen, domid, dom, mem_flags);
  if (frames === undefined || extent_order < 0 || extent_order > maxOrder(domid)) return accept(nothingDone);
  const given = new Given(xen, dom, extent_order, frames);
  while (given.frames.length < nr_extents && given.next()) given.place();
  return given.outcome();
}

/** More pages for a domain, at these places; or only a note that they are to come when they are first touched. */
export function populate(xen: Xen, command: CommandOf<'memory.populate_physmap_extents'>, dom: DomId): Outcome {
  const { domid, gpfns, extent_order, mem_flags } = command;
  const onDemand = (mem_flags & XENMEMF.populate_on_demand) !== 0;
  const frames = wanted(xen, domid, dom, mem_flags);
  if (frames === undefined || extent_order < 0 || extent_order > (onDemand ? MAX_ORDER : maxOrder(domid)))
    return accept(nothingDone);
  if (onDemand) return populateOnDemand(xen, command, dom);
  const isPv = xen.domain.of(0)!.hvm.at(dom) === 0;
  const given = new Given(xen, dom, extent_order, frames);
  for (const gpfn of gpfns) {
    const isPlace = gpfn >= 0 && gpfn + 2 ** extent_order <= UNPLACED;
    // To a PV domain the place is a note about the frame, and no more.
    if (isPv ? !given.next() : !isPlace || given.isForeign(gpfn) || !given.next()) break;
    given.place(isPlace && !(isPv && given.has(gpfn)) ? gpfn : undefined);
  }
  return given.outcome();
}

/** Pages that come when they are first touched: nobody marks his own, and a PV domain has none, which is no error. */
function populateOnDemand(xen: Xen, command: CommandOf<'memory.populate_physmap_extents'>, dom: DomId): Outcome {
  const { gpfns, extent_order } = command;
  if (dom === command.domid) return accept(nothingDone);
  if (xen.domain.of(0)!.hvm.at(dom) === 0) return accept({ nr_done: gpfns.length, frames: [] });
  const nr_pages = 2 ** extent_order;
  const slots = xen.p2m.slotsOf(dom);
  const facts: Fact[] = [];
  let nr_done = 0;
  for (const gfn of gpfns) {
    const inUse = overlaps(xen.p2m.of(dom), gfn, nr_pages) || slots.some((slot) => slot.gfn >= gfn && slot.gfn < gfn + nr_pages);
    if (gfn < 0 || gfn + nr_pages > UNPLACED || inUse) break;
    facts.push({ type: 'p2m.pod_marked', domid: dom, gfn, nr_pages });
    nr_done++;
  }
  return accept({ nr_done, frames: [] }, ...facts);
}

/** Pages go back, an extent at a time, up to the first page that is not the domain's to give. */
export function decrease(xen: Xen, command: CommandOf<'memory.decrease_reservation_extents'>, dom: DomId): Outcome {
  const { domid, gmfns, extent_order } = command;
  if (extent_order < 0 || extent_order > maxOrder(domid)) return accept({ nr_done: 0 });
  const left = new Left(xen, dom);
  let nr_done = 0;
  for (const first of gmfns) {
    if (xen.trace.isOn) left.facts.push({ type: 'trace.reservation_decreased', domid: dom, gmfn: first, extent_order });
    if (!left.takeExtent(first, 2 ** extent_order)) break;
    nr_done++;
  }
  return accept({ nr_done }, ...left.facts);
}

/** What a domain has while pages of it go, one after the other, within one hypercall. */
export class Left {
  readonly facts: Fact[] = [];
  ranges: Ranges;
  pod: Ranges;
  readonly xen: Xen;
  readonly dom: DomId;
  private readonly isPv: boolean;
  private readonly slots: Map<Gfn, DomId>;

  /** @param before facts that hold by then: what populating a page has changed */
  constructor(xen: Xen, dom: DomId, before: readonly Fact[] = []) {
    this.xen = xen;
    this.dom = dom;
    this.ranges = xen.p2m.of(dom);
    this.pod = xen.p2m.pod(dom);
    this.isPv = xen.domain.of(0)!.hvm.at(dom) === 0;
    this.slots = new Map(xen.p2m.slotsOf(dom).map((slot) => [slot.gfn, slot.dom]));
    for (const fact of before) if ('domid' in fact && fact.domid === dom) this.follow(fact);
  }
  private follow(fact: Fact): void {
    switch (fact.type) {
      case 'p2m.moved': {
        const mfn = lookup(this.ranges, fact.gfn);
        this.ranges = insert(remove(this.ranges, fact.gfn, fact.nr_pages), { gfn: fact.to, mfn, count: fact.nr_pages });
        return;
      }
      case 'p2m.pod_marked':
        this.pod = insert(this.pod, { gfn: fact.gfn, mfn: fact.gfn, count: fact.nr_pages });
        return;
      case 'p2m.pod_cleared':
        this.pod = remove(this.pod, fact.gfn, fact.nr_pages);
        return;
    }
  }
  takeExtent(first: number, pages: Pages): boolean {
    const handled = this.isPv ? none : decreaseOnDemand(this, first, pages);
    for (let i = 0; i < pages; i++) if (!handled.has(first + i) && !this.take(first + i)) return false;
    return true;
  }
  /** A page goes back (guest_remove_page()); false where it can not. `gmfn` is a frame of a PV domain, a page of any other. */
  take(gmfn: number): boolean {
    const { xen, dom } = this;
    const gfn = this.isPv ? xen.p2m.gfn(dom, gmfn) : gmfn;
    if (gfn < 0 || (!this.isPv && gfn >= UNPLACED)) return false;
    const slot = this.slots.get(gfn);
    if (slot !== undefined) {
      // What others own is not the domain's to give; its special pages only lose their place.
      if (slot !== dom) return false;
      this.slots.delete(gfn);
      this.facts.push({ type: 'p2m.slot_unmapped', domid: dom, gfn });
      return true;
    }
    const mfn = lookup(this.ranges, gfn);
    if (mfn < 0) return false;
    if (!xen.isKept(dom, mfn)) {
      this.ranges = remove(this.ranges, gfn, 1);
      this.facts.push({ type: 'p2m.removed', domid: dom, gfn, nr_pages: 1 });
      return true;
    }
    // The domain lets go of it, and others keep it until they let go as well. What Xen itself uses stays where it is.
    if (!xen.isHeld(dom, mfn) || xen.isUsedByXen(dom, mfn)) return false;
    if (!xen.p2m.isReleased(dom, mfn)) this.facts.push({ type: 'p2m.released', domid: dom, mfn });
    if (!this.isPv) this.unplace(gfn, mfn);
    return true;
  }
  private unplace(gfn: Gfn, mfn: Mfn): void {
    this.ranges = insert(remove(this.ranges, gfn, 1), { gfn: UNPLACED + mfn, mfn, count: 1 });
    this.facts.push({ type: 'p2m.moved', domid: this.dom, gfn, nr_pages: 1, to: UNPLACED + mfn });
  }
}
const none: ReadonlySet<Gfn> = new Set();

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

/** What one hypercall gives: each extent is taken from what the last one left. */
class Given {
  readonly frames: Mfn[] = [];
  private readonly facts: Fact[] = [];
  private readonly dom: DomId;
  private readonly order: number;
  private readonly pages: Pages;
  private readonly heap: FreeFrames;
  private readonly slots: Map<Gfn, DomId>;
  private ranges: Ranges;
  private pod: Ranges;
  private room: Pages;
  private mfn: Mfn = 0;

  constructor(xen: Xen, dom: DomId, order: number, frames: Frames) {
    const row = xen.domain.of(0)!;
    this.dom = dom;
    this.order = order;
    this.pages = 2 ** order;
    this.heap = new FreeFrames(xen, frames);
    this.slots = new Map(xen.p2m.slotsOf(dom).map((slot) => [slot.gfn, slot.dom]));
    this.ranges = xen.p2m.of(dom);
    this.pod = xen.p2m.pod(dom);
    this.room = xen.isAlive(dom) ? Math.min(row.max_pages.at(dom) - row.tot_pages.at(dom), available(xen, dom)) : 0;
  }
  /** Whether a page of the next extent would stand where one stands already. */
  has(gpfn: Gfn): boolean {
    return overlaps(this.ranges, gpfn, this.pages);
  }
  /** Whether it would stand where another domain's frame is shown: Xen does not let that go this way. */
  isForeign(gpfn: Gfn): boolean {
    return [...this.slots].some(([gfn, dom]) => dom !== this.dom && gfn >= gpfn && gfn < gpfn + this.pages);
  }
  /** Takes an extent from the heap; answers false where there is none, or no room for it. */
  next(): boolean {
    if (this.pages > this.room) return false;
    const mfn = this.heap.take(this.order);
    if (mfn < 0) return false;
    this.mfn = mfn;
    this.room -= this.pages;
    this.frames.push(mfn);
    return true;
  }
  /** What stood in the place stays the domain's, without one. */
  place(gpfn: Gfn = UNPLACED + this.mfn): void {
    const { dom, pages } = this;
    for (const { gfn, mfn, count } of slice(this.ranges, gpfn, pages)) {
      this.ranges = insert(remove(this.ranges, gfn, count), { gfn: UNPLACED + mfn, mfn, count });
      this.facts.push({ type: 'p2m.moved', domid: dom, gfn, nr_pages: count, to: UNPLACED + mfn });
    }
    for (const gfn of [...this.slots.keys()].filter((gfn) => gfn >= gpfn && gfn < gpfn + pages)) {
      this.slots.delete(gfn);
      this.facts.push({ type: 'p2m.slot_unmapped', domid: dom, gfn });
    }
    if (overlaps(this.pod, gpfn, pages)) {
      this.pod = remove(this.pod, gpfn, pages);
      this.facts.push({ type: 'p2m.pod_cleared', domid: dom, gfn: gpfn, nr_pages: pages });
    }
    this.ranges = insert(this.ranges, { gfn: gpfn, mfn: this.mfn, count: pages });
    this.facts.push({ type: 'p2m.populated', domid: dom, gfn: gpfn, extents: [this.mfn, pages] });
  }
  outcome(): Outcome {
    return accept({ nr_done: this.frames.length, frames: this.frames }, ...this.facts);
  }
}
