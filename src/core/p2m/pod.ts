// Populate on demand (xen/arch/x86/mm/p2m-pod.c): an HVM domain whose pages come when it first touches them, from a cache that its builder filled.
import { accept, refuse } from '../../../events/step.ts';
import { type DomId, type Gfn, type Mfn, PAGE_SIZE, type Pages } from '../../../events/units.ts';
import type { CommandOf, Fact, GuestReader, Outcome } from '../../../events/vocabulary.ts';
import type { Xen } from '../xen.ts';
import { isPrivileged } from '../xsm.ts';
import type { Left } from './extents.ts';
import { allocate, available, pagesIn } from './heap.ts';
import { insert, lookup, overlaps, type Range, type Ranges, remove, slice } from './ranges.ts';
import { POD_CACHE, UNPLACED } from './state.ts';

const countOf = (ranges: readonly Range[]): Pages => ranges.reduce((sum, { count }) => sum + count, 0);

/** XENMEM_get_pod_target and what XENMEM_set_pod_target answers. */
function podTarget(xen: Xen, dom: DomId, added: Pages): object {
  return {
    tot_pages: xen.domain.of(0)!.tot_pages.at(dom) + added,
    pod_cache_pages: countOf(xen.p2m.podCache(dom)) + added,
    pod_entries: xen.p2m.podEntries(dom),
  };
}

export function getPodTarget(xen: Xen, { domid, dom }: CommandOf<'memory.get_pod_target'>): Outcome {
  const target = xen.self(domid, dom);
  if (!xen.exists(target)) return refuse('ESRCH');
  if (xen.domain.of(0)!.hvm.at(target) === 0) return refuse('EINVAL');
  return isPrivileged(domid) ? accept(podTarget(xen, target, 0)) : refuse('EPERM');
}

/**
 * How many pages the domain shall have, populated or in the cache (p2m_pod_set_mem_target()). The cache never holds more than there are
 * pages to populate, and does not shrink here: that is the balloon driver's.
 */
export function setPodTarget(xen: Xen, command: CommandOf<'memory.set_pod_target'>): Outcome {
  const { domid, target_pages } = command;
  const dom = xen.self(domid, command.dom);
  const row = xen.domain.of(0)!;
  if (!xen.exists(dom)) return refuse('ESRCH');
  if (row.hvm.at(dom) === 0) return refuse('EINVAL');
  if (!isPrivileged(domid)) return refuse('EPERM');
  const isHuge = target_pages < 0; // 64 bits without a sign
  if (isHuge || target_pages > row.max_pages.at(dom)) return refuse('EINVAL');

  const tot_pages = row.tot_pages.at(dom);
  const cached = countOf(xen.p2m.podCache(dom));
  const entries = xen.p2m.podEntries(dom);
  const populated = tot_pages - cached;
  if ((populated > 0 && entries === 0) || !xen.isAlive(dom) || target_pages < tot_pages) return accept(podTarget(xen, dom, 0));
  const goal = populated > 0 ? Math.min(target_pages - populated, entries) : target_pages - populated;
  const facts: Fact[] = [];
  if (goal < cached) {
    facts.push(...leaveCache(dom, xen.p2m.podCache(dom), cached - goal));
    return accept(podTarget(xen, dom, goal - cached), ...facts);
  }
  const room = Math.min(goal - cached, row.max_pages.at(dom) - tot_pages, available(xen, dom));
  const extents = allocate(xen, room);
  for (let i = 0; i < extents.length; i += 2)
    facts.push({ type: 'p2m.populated', domid: dom, gfn: POD_CACHE + extents[i]!, extents: extents.slice(i, i + 2) });
  const added = pagesIn(extents);
  return added < goal - cached ? refuse('ENOMEM', undefined, ...facts) : accept(podTarget(xen, dom, added), ...facts);
}

/** Pages of the cache go back to the heap, from its upper end. */
function leaveCache(domid: DomId, cache: readonly Range[], pages: Pages): Fact[] {
  const facts: Fact[] = [];
  let left = pages;
  for (const { gfn, count } of cache.toReversed()) {
    if (left <= 0) break;
    const nr_pages = Math.min(count, left);
    facts.push({ type: 'p2m.removed', domid, gfn: gfn + count - nr_pages, nr_pages });
    left -= nr_pages;
  }
  return facts;
}

/**
 * What a balloon driver gives back of pages that were to be populated, or of others while the cache is short: the first are forgotten, the
 * second go to the cache. Answers the pages for which nothing is left to do (p2m_pod_decrease_reservation()).
 */
export function decreaseOnDemand(left: Left, first: Gfn, pages: Pages): ReadonlySet<Gfn> {
  const { xen, dom } = left;
  const done = new Set<Gfn>();
  let entries = countOf(left.pod);
  if (entries === 0 || !xen.isAlive(dom) || first < 0 || first + pages > UNPLACED) return done;
  let cached = countOf(slice(left.ranges, POD_CACHE, UNPLACED));
  let pod = countOf(slice(left.pod, first, pages));
  if (pod === 0 && entries <= cached) return done;
  for (let gfn = first; gfn < first + pages && (pod > 0 || entries > cached); gfn++) {
    const mfn = lookup(left.ranges, gfn);
    if (overlaps(left.pod, gfn, 1)) {
      left.pod = remove(left.pod, gfn, 1);
      left.facts.push({ type: 'p2m.pod_cleared', domid: dom, gfn, nr_pages: 1 });
      pod--;
      entries--;
    } else if (entries > cached && mfn >= 0 && !xen.isKept(dom, mfn)) {
      left.ranges = insert(remove(left.ranges, gfn, 1), { gfn: POD_CACHE + mfn, mfn, count: 1 });
      left.facts.push({ type: 'p2m.moved', domid: dom, gfn, nr_pages: 1, to: POD_CACHE + mfn });
      cached++;
    } else continue;
    done.add(gfn);
  }
  // More pages than there are places for them: the rest is free.
  if (entries < cached) {
    const freed = leaveCache(dom, slice(left.ranges, POD_CACHE, UNPLACED), cached - entries);
    for (const fact of freed) if (fact.type === 'p2m.removed') left.ranges = remove(left.ranges, fact.gfn, fact.nr_pages);
    left.facts.push(...freed);
  }
  return done;
}

export type Populated = { readonly mfn: Mfn; readonly facts: readonly Fact[] };
const SUPERPAGE = 512;

/**
 * The frame that a page to be populated gets, and what makes it so: a superpage where 2 MiB are wanted and the cache has them, else one
 * page. An empty cache is filled by a search for pages that the guest left empty. The frame is -1 where there is none: the domain crashes.
 */
export function populateAt(xen: Xen, domid: DomId, gfn: Gfn, guest: GuestReader): Populated {
  const facts: Fact[] = [];
  let cache: readonly Range[] = xen.p2m.podCache(domid);
  let pod = xen.p2m.pod(domid);
  const state = xen.p2m.sweeps.of(domid);
  let reclaim_single = state?.reclaim_single.at(0) ?? 0;
  const highest = state?.max_guest.at(0) ?? 0;
  if (cache.length === 0) {
    const swept = sweep(xen, domid, reclaim_single === 0 ? highest : reclaim_single, guest);
    facts.push(...swept.facts);
    ({ cache, reclaim_single } = swept);
    for (const { gfn: page } of swept.found) pod = insert(pod, { gfn: page, mfn: page, count: 1 });
    if (cache.length === 0) return { mfn: -1, facts: [] };
  }
  const start = Math.floor(gfn / SUPERPAGE) * SUPERPAGE;
  const whole = countOf(slice(pod, start, SUPERPAGE)) === SUPERPAGE ? superpage(cache) : undefined;
  const from = whole ?? smallest(cache).mfn;
  const place = whole === undefined ? gfn : start;
  const nr_pages = whole === undefined ? 1 : SUPERPAGE;
  facts.push(
    { type: 'p2m.pod_swept', domid, reclaim_single, max_guest: Math.max(highest, gfn) },
    { type: 'p2m.pod_cleared', domid, gfn: place, nr_pages },
    { type: 'p2m.moved', domid, gfn: POD_CACHE + from, nr_pages, to: place },
  );
  return { mfn: from + (gfn - place), facts };
}

/** The first frame of 2 MiB in the cache. */
function superpage(cache: readonly Range[]): Mfn | undefined {
  for (const { mfn, count } of cache) {
    const aligned = Math.ceil(mfn / SUPERPAGE) * SUPERPAGE;
    if (aligned + SUPERPAGE <= mfn + count) return aligned;
  }
  return undefined;
}
/** Single pages come from where they break up least. */
const smallest = (cache: readonly Range[]): Range => cache.reduce((least, range) => (range.count < least.count ? range : least));

const POD_SWEEP_LIMIT = 1024;
const POD_SWEEP_STRIDE = 16;

interface Swept {
  readonly facts: Fact[];
  readonly cache: Ranges;
  readonly found: { gfn: Gfn; mfn: Mfn }[];
  readonly reclaim_single: Gfn;
}

/** Looks for pages full of zeros, downwards; they are to be populated again, and their frames go to the cache (p2m_pod_emergency_sweep()). */
function sweep(xen: Xen, domid: DomId, start: Gfn, guest: GuestReader): Swept {
  const limit = Math.max(0, start - POD_SWEEP_LIMIT);
  const found: { gfn: Gfn; mfn: Mfn }[] = [];
  let batch: { gfn: Gfn; mfn: Mfn }[] = [];
  const check = (): void => {
    found.push(...batch.filter(({ mfn }) => !xen.isKept(domid, mfn) && isZero(guest, mfn)));
    batch = [];
  };
  let gfn = start;
  for (const range of slice(xen.p2m.of(domid), 0, start + 1).toReversed()) {
    const last = Math.min(start, range.gfn + range.count - 1);
    if (last < limit && found.length > 0) break;
    for (gfn = last; gfn >= Math.max(1, range.gfn); gfn--) {
      batch.push({ gfn, mfn: range.mfn + (gfn - range.gfn) });
      if (batch.length === POD_SWEEP_STRIDE) check();
      if (gfn < limit && found.length > 0) break;
    }
    if (gfn < limit && found.length > 0) break;
  }
  check();
  let cache: Ranges = [];
  const facts: Fact[] = [];
  for (const { gfn: page, mfn } of found) {
    cache = insert(cache, { gfn: POD_CACHE + mfn, mfn, count: 1 });
    facts.push(
      { type: 'p2m.moved', domid, gfn: page, nr_pages: 1, to: POD_CACHE + mfn },
      { type: 'p2m.pod_marked', domid, gfn: page, nr_pages: 1 },
    );
  }
  return { facts, cache, found, reclaim_single: Math.max(0, gfn - 1) };
}

function isZero(guest: GuestReader, mfn: Mfn): boolean {
  for (let offset = 0; offset < PAGE_SIZE; offset += 4) if (guest.get32(mfn, offset) !== 0) return false;
  return true;
}
