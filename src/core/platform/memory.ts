// The heap as a tool sees it, frames that are taken out of service, and live patches.
import { accept, refuse } from '../../../events/step.ts';
import { type Mfn, PAGE_SHIFT, PAGE_SIZE } from '../../../events/units.ts';
import type { CommandOf, Fact, Outcome } from '../../../events/vocabulary.ts';
import type { Xen } from '../xen.ts';

/** Zones are powers of two: zone z has the frames whose number has z bits (xen/common/page_alloc.c). */
const NR_ZONES = 46;
const ANY_NODE = 0xffffffff;

/** avail_domheap_pages_region(): free memory whose addresses have more bits than the one width, and at most those of the other. */
export function availheap(xen: Xen, { min_bitwidth, max_bitwidth, node }: CommandOf<'sysctl.availheap'>): Outcome {
  if (node > 0 && node < ANY_NODE) return accept({ avail_bytes: 0 });
  const zone = (bits: number): number => Math.max(0, Math.min(NR_ZONES - 1, bits - PAGE_SHIFT));
  const low = min_bitwidth > 0 ? zone(min_bitwidth + 1) : 1;
  const high = max_bitwidth > 0 ? zone(max_bitwidth) : NR_ZONES - 1;
  const first: Mfn = low === 0 ? 0 : 2 ** (low - 1);
  const end: Mfn = 2 ** high;
  let pages = 0;
  for (const { mfn, count } of xen.p2m.free) pages += Math.max(0, Math.min(mfn + count, end) - Math.max(mfn, first));
  return accept({ avail_bytes: pages * PAGE_SIZE });
}

const CMD = { OFFLINE: 1, ONLINE: 2, QUERY: 3 } as const;
const PG = { INVALID: 1, OFFLINED: 2, PENDING: 4, FAILED: 8, XENPAGE: 0x100, ANONYMOUS: 0x400, OWNED: 0x1000 } as const;
const OWNER_SHIFT = 2 ** 16;
const DOMID_XEN = 0x7ff2;
const DOMID_INVALID = 0x7ff4;
/** What query says of a page that is out of service. */
const STATUS_OFFLINED = 2;
/** Ours: tools ask for one page, or for as many as a broken module has chips. */
const MAX_PAGES = 4096;

/** Page by page, until one can not be. What is free goes at once; what a domain has stays its own here. */
export function pageOffline(xen: Xen, { cmd, start, end }: CommandOf<'sysctl.page_offline_op'>): Outcome {
  if (start < 0 || end < start) return refuse('EINVAL');
  if (end - start >= MAX_PAGES) return refuse('ENOMEM');
  if (cmd !== CMD.OFFLINE && cmd !== CMD.ONLINE && cmd !== CMD.QUERY) return refuse('EINVAL');
  const status: number[] = Array(end - start + 1).fill(PG.INVALID);
  const facts: Fact[] = [];
  for (let mfn = start; mfn <= end; mfn++) {
    if (mfn > xen.p2m.maxMfn) return refuse('EINVAL', { status }, ...facts);
    const at = mfn - start;
    const isOff = xen.platform.isOffline(mfn);
    if (cmd === CMD.QUERY) status[at] = isOff ? STATUS_OFFLINED : 0;
    else if (cmd === CMD.ONLINE) {
      status[at] = isOff ? PG.OFFLINED : 0;
      if (isOff) facts.push({ type: 'platform.pages_offlined', mfn, count: 1, offline: 0 });
    } else if (isOff) status[at] = PG.OFFLINED;
    else if (xen.p2m.free.some((range) => range.mfn <= mfn && mfn < range.mfn + range.count)) {
      // What is set aside for domains must still fit into what is left.
      const offlined = facts.length;
      if (xen.p2m.freePages - offlined <= xen.p2m.allClaimed) {
        status[at] = PG.ANONYMOUS | PG.FAILED | (DOMID_INVALID * OWNER_SHIFT);
        continue;
      }
      status[at] = PG.OFFLINED;
      facts.push({ type: 'platform.pages_offlined', mfn, count: 1, offline: 1 });
    } else {
      const owner = xen.ownerOf(mfn);
      if (owner < 0) {
        status[at] = PG.XENPAGE | PG.FAILED | (DOMID_XEN * OWNER_SHIFT);
        return refuse('EPERM', { status }, ...facts);
      }
      status[at] = PG.OWNED | PG.FAILED | (owner * OWNER_SHIFT);
    }
  }
  return accept({ status }, ...facts);
}

const LIVEPATCH = { UPLOAD: 0, GET: 1, LIST: 2, ACTION: 3 } as const;
const NAME_SIZE = 128;
const MAX_LIST = 1024;

/** No patch fits a hypervisor that has no code of Xen's: none is ever loaded, and everything else is said about none. */
export function livepatch({ cmd, pad, name, nr, payload }: CommandOf<'sysctl.livepatch_op'>): Outcome {
  if (pad !== 0) return refuse('EINVAL');
  const isName = name.length > 0 && name.length <= NAME_SIZE && name.indexOf('\0') === name.length - 1;
  switch (cmd) {
    case LIVEPATCH.UPLOAD:
      if (!isName) return refuse('EINVAL');
      return refuse(payload.length === 0 ? 'EINVAL' : 'EOPNOTSUPP');
    case LIVEPATCH.GET:
    case LIVEPATCH.ACTION:
      return refuse(isName ? 'ENOENT' : 'EINVAL');
    case LIVEPATCH.LIST:
      return nr > MAX_LIST ? refuse('E2BIG') : accept({ nr: 0, version: 0 });
    default:
      return refuse('EOPNOTSUPP');
  }
}
