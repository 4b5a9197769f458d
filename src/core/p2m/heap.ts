// Machine memory as a heap: which frames an extent may come from, and which it gets (xen/common/page_alloc.c).
import { type DomId, type Mfn, PAGE_SHIFT, type Pages } from '../../../events/units.ts';
import { XENMEMF } from '../../abi/memory.ts';
import type { Xen } from '../xen.ts';
import { isPrivileged } from '../xsm.ts';
import { insert, type Ranges, remove } from './ranges.ts';

/** The largest extent that there is at all (CONFIG_PAGEALLOC_MAX_ORDER of xen/arch/x86). */
export const MAX_ORDER = 18;
/** The largest extent that a domain may ask for (max_order()): dom0 owns the hardware. */
export const maxOrder = (domid: DomId): number => (isPrivileged(domid) ? 12 : 9);
/** All nodes that Xen is built for, and the one that this machine has. */
const MAX_NUMNODES = 64;
const NUMA_NO_NODE = 0xff;

/** What a domain can get from the heap: not what is set aside for others, unless it has a claim itself (alloc_heap_pages()). */
export function available(xen: Xen, dom: DomId): Pages {
  return xen.p2m.freePages - xen.p2m.allClaimed + xen.p2m.claimed(dom);
}

/** Which frames will do: those below `limit`. */
export interface Frames {
  readonly limit: Mfn;
}

/**
 * What XENMEMF_* flags ask for, or undefined where they are an error: an address of fewer bits than a page has, a node that cannot be
 * (construct_memop_from_reservation(), propagate_node()).
 */
export function wanted(xen: Xen, domid: DomId, dom: DomId, mem_flags: number): Frames | undefined {
  const bits = mem_flags & XENMEMF.address_bits;
  const isLimited = bits !== 0 && 2 ** (bits - PAGE_SHIFT) < xen.p2m.totalPages;
  if (isLimited && bits <= PAGE_SHIFT) return undefined;
  const limit = isLimited ? 2 ** (bits - PAGE_SHIFT) : xen.p2m.totalPages;
  return (mem_flags & XENMEMF.vnode) === 0 ? onNode(domid, mem_flags, limit) : onVnode(xen, dom, mem_flags, limit);
}

/** A virtual node: the one of the machine's that the toolstack has given for it. */
function onVnode(xen: Xen, dom: DomId, mem_flags: number, limit: Mfn): Frames | undefined {
  const vnuma = xen.control.setting<{ readonly vnode_to_pnode: readonly number[] }>(dom, 'vnuma');
  if (vnuma === undefined) return { limit };
  const pnode = vnuma.vnode_to_pnode[nodeOf(mem_flags)];
  if (pnode === undefined) return undefined;
  const isElsewhere = (mem_flags & XENMEMF.exact_node_request) !== 0 && pnode !== 0 && pnode !== NUMA_NO_NODE;
  return isElsewhere ? { limit: 0 } : { limit };
}
const nodeOf = (mem_flags: number): number => (((mem_flags & XENMEMF.node) >> 8) - 1) & 0xff;

/** As `wanted`, for an exchange: there, too few bits are a request that nothing fits. */
export function wantedInExchange(domid: DomId, mem_flags: number): Frames | undefined {
  const bits = mem_flags & XENMEMF.address_bits;
  return onNode(domid, mem_flags, bits === 0 ? Number.POSITIVE_INFINITY : bits <= PAGE_SHIFT ? 0 : 2 ** (bits - PAGE_SHIFT));
}

function onNode(domid: DomId, mem_flags: number, limit: Mfn): Frames | undefined {
  const node = nodeOf(mem_flags);
  const isExact = (mem_flags & XENMEMF.exact_node_request) !== 0;
  if (node === NUMA_NO_NODE) return { limit };
  if (!isPrivileged(domid)) return isExact ? undefined : { limit };
  if (node >= MAX_NUMNODES) return undefined;
  return isExact && node !== 0 ? { limit: 0 } : { limit };
}

/** The free frames while one hypercall takes some: from the top of the heap down, as Xen looks in the highest zone first. */
export class FreeFrames {
  private free: Ranges;
  private readonly limit: Mfn;
  constructor(xen: Xen, { limit }: Frames) {
    this.free = xen.p2m.free;
    this.limit = limit;
  }
  /** The first frame of 2^order, aligned to their number; -1 where there are no such frames. */
  take(order: number): Mfn {
    const pages = 2 ** order;
    for (let i = this.free.length - 1; i >= 0; i--) {
      const { mfn, count } = this.free[i]!;
      const end = Math.min(mfn + count, this.limit);
      const aligned = Math.floor(end / pages) * pages - pages;
      if (aligned < mfn) continue;
      this.free = remove(this.free, aligned, pages);
      return aligned;
    }
    return -1;
  }
  giveBack(mfn: Mfn): void {
    this.free = insert(this.free, { gfn: mfn, mfn, count: 1 });
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
