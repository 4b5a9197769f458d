// XENMEM_exchange (memory_exchange() in xen/common/memory.c): a PV domain's frames for as many others, by chunks of the larger extent.
import type { Errno } from '../../../events/errno.ts';
import { accept, refuse } from '../../../events/step.ts';
import type { DomId, Gfn, Mfn } from '../../../events/units.ts';
import type { CommandOf, Fact, Outcome } from '../../../events/vocabulary.ts';
import type { Xen } from '../xen.ts';
import { resolve } from '../xsm.ts';
import { type Frames, FreeFrames, maxOrder, wantedInExchange } from './heap.ts';
import { insert, overlaps, type Ranges, remove } from './ranges.ts';
import { UNPLACED } from './state.ts';

export function exchange(xen: Xen, command: CommandOf<'memory.exchange'>): Outcome {
  const { domid, in_dom, in_order, gmfns, out_dom, out_order, gpfns, mem_flags, nr_exchanged } = command;
  const early = (errno: Errno): Outcome => refuse(errno, { nr_exchanged, frames: [] });
  const limit = maxOrder(domid);
  // Orders have no sign: below zero is far above.
  if (in_order < 0 || out_order < 0 || in_order > limit || out_order > limit) return early('EPERM');
  if (nr_exchanged < 0 || nr_exchanged > gmfns.length || in_dom !== out_dom) return early('EINVAL');
  if (gmfns.length * 2 ** in_order !== gpfns.length * 2 ** out_order) return early('EINVAL');
  if (nr_exchanged === gmfns.length) return accept({ nr_exchanged, frames: [] });
  const wanted = wantedInExchange(domid, mem_flags);
  if (wanted === undefined) return early('EINVAL');
  const target = resolve(xen, domid, in_dom);
  if (!target.ok) return early(target.errno);

  const inPerChunk = 2 ** Math.max(0, out_order - in_order);
  const outPerChunk = 2 ** Math.max(0, in_order - out_order);
  const exchanging = new Exchanging(xen, target.dom, wanted);
  for (let chunk = Math.floor(nr_exchanged / inPerChunk); chunk < Math.floor(gmfns.length / inPerChunk); chunk++) {
    const given = gmfns
      .slice(chunk * inPerChunk, (chunk + 1) * inPerChunk)
      .flatMap((gmfn) => Array.from({ length: 2 ** in_order }, (_, i) => gmfn + i));
    const places = gpfns.slice(chunk * outPerChunk, (chunk + 1) * outPerChunk);
    const errno = exchanging.chunk(given, places, out_order);
    const { frames, facts } = exchanging;
    if (errno !== undefined) return refuse(errno, { nr_exchanged: chunk * inPerChunk, frames }, ...facts);
  }
  return accept({ nr_exchanged: gmfns.length, frames: exchanging.frames }, ...exchanging.facts);
}

class Exchanging {
  readonly frames: Mfn[] = [];
  readonly facts: Fact[] = [];
  private readonly xen: Xen;
  private readonly dom: DomId;
  private readonly heap: FreeFrames;
  private ranges: Ranges;

  constructor(xen: Xen, dom: DomId, wanted: Frames) {
    this.xen = xen;
    this.dom = dom;
    this.heap = new FreeFrames(xen, wanted);
    this.ranges = xen.p2m.of(dom);
  }
  /** One chunk, or what stops it: then nothing of it has happened. */
  chunk(given: readonly Mfn[], places: readonly Gfn[], order: number): Errno | undefined {
    const { xen, dom } = this;
    const stolen = new Map<Mfn, Gfn>();
    for (const mfn of given) {
      // As in Xen: no such frame before no such page, and no page of those that Xen translates.
      if (mfn < 0 || mfn >= xen.p2m.totalPages) return 'EINVAL';
      if (xen.domain.of(0)!.hvm.at(dom) === 1) return xen.p2m.mfn(dom, mfn) < 0 ? 'EINVAL' : 'EOPNOTSUPP';
      const range = this.ranges.find((range) => mfn >= range.mfn && mfn < range.mfn + range.count);
      if (range === undefined || stolen.has(mfn) || xen.isKept(dom, mfn)) return 'EINVAL';
      stolen.set(mfn, range.gfn + (mfn - range.mfn));
    }
    // The new frames are taken before the old ones are free.
    const taken = places.map(() => this.heap.take(order));
    if (!xen.isAlive(dom) || taken.includes(-1)) {
      for (const mfn of taken) if (mfn >= 0) for (let i = 0; i < 2 ** order; i++) this.heap.giveBack(mfn + i);
      return 'ENOMEM';
    }
    for (const [mfn, gfn] of stolen) {
      this.ranges = remove(this.ranges, gfn, 1);
      this.facts.push({ type: 'p2m.removed', domid: dom, gfn, nr_pages: 1 });
      this.heap.giveBack(mfn);
    }
    for (const [i, place] of places.entries()) this.assign(place, taken[i]!, 2 ** order);
    return undefined;
  }
  private assign(place: Gfn, mfn: Mfn, count: number): void {
    const isFree = place >= 0 && place + count <= UNPLACED && !overlaps(this.ranges, place, count);
    const gfn = isFree ? place : UNPLACED + mfn;
    this.ranges = insert(this.ranges, { gfn, mfn, count });
    this.frames.push(mfn);
    this.facts.push({ type: 'p2m.populated', domid: this.dom, gfn, extents: [mfn, count] });
  }
}
