// The pages below a domain: log-dirty mode and the pool of page table pages (xen/arch/x86/mm/paging.c), the hypercall page,
// what gdbsx reads and writes.
import { accept, type GuestReader, refuse } from '../../../events/step.ts';
import { type DomId, PAGE_SIZE } from '../../../events/units.ts';
import type { CommandOf, Fact, Outcome } from '../../../events/vocabulary.ts';
import { XEN_DOMCTL_CDF } from '../../abi/domctl.ts';
import { resized } from '../domain/pool.ts';
import type { Xen } from '../xen.ts';

/** XEN_DOMCTL_SHADOW_*. */
const OP = { OFF: 0, ENABLE_LOGDIRTY: 2, CLEAN: 11, PEEK: 12, GET_ALLOCATION: 30, SET_ALLOCATION: 31, ENABLE: 32 } as const;
const ENABLE_LOG_DIRTY = 4;
const LOGDIRTY_FINAL = 1;
const PAGES_PER_MB = 256;
const hasHap = (xen: Xen, domid: DomId): boolean => (xen.control.row.cdf.at(domid) & XEN_DOMCTL_CDF.hap) !== 0;

/** paging_domctl(), then hap_domctl() or what there is instead where nothing is shadowed. */
export function shadowOp(xen: Xen, command: CommandOf<'domctl.shadow_op'>): Outcome {
  const { domid, domain, op, mode, mb, pages } = command;
  const { control } = xen;
  const allocation = (): number => Math.ceil(control.poolPages(domain) / PAGES_PER_MB);
  const answer = { mb, pages, fault_count: 0, dirty_count: 0 };
  if (domain === domid) return refuse('EINVAL');
  if (!xen.isAlive(domain)) return accept(answer); // nobody minds what is not done to the dying
  if (xen.domain.of(0)!.nr_vcpus.at(domain) === 0) return refuse('EINVAL');
  const isOn = control.row.log_dirty.at(domain) === 1;
  const switched = (enabled: boolean): Fact => ({ type: 'domain.log_dirty_set', domid: domain, enabled });
  if (op === OP.ENABLE_LOGDIRTY || (op === OP.ENABLE && (mode & ENABLE_LOG_DIRTY) !== 0)) {
    if (isOn || (xen.iommu && [...xen.physdev.of(domain)].length > 0 && domain !== 0)) return refuse('EINVAL');
    return hasHap(xen, domain) ? accept(answer, switched(true)) : refuse('EOPNOTSUPP');
  }
  if (op === OP.CLEAN || op === OP.PEEK) {
    if ((mode & ~LOGDIRTY_FINAL) !== 0 || pages < 0) return refuse('EINVAL');
    // A guest's own stores are seen by nobody here: no page is ever found dirty.
    return accept(answer);
  }
  if (!hasHap(xen, domain)) return refuse('EINVAL');
  switch (op) {
    case OP.OFF:
      return isOn ? accept(answer, switched(false)) : accept(answer);
    case OP.GET_ALLOCATION:
      return accept({ ...answer, mb: allocation() });
    case OP.SET_ALLOCATION: {
      if (mb < 0 || mb >= 2 ** 32) return refuse('EINVAL');
      const facts = resized(xen, domain, mb * PAGES_PER_MB);
      return facts === undefined ? refuse('ENOMEM', { ...answer, mb: allocation() }) : accept({ ...answer, mb }, ...facts);
    }
    default:
      return refuse('EINVAL');
  }
}

export function mempoolSize(xen: Xen, { domain }: CommandOf<'domctl.get_paging_mempool_size'>): Outcome {
  if (xen.domain.of(0)!.hvm.at(domain) === 0) return refuse('EOPNOTSUPP');
  return accept({ size: xen.control.poolPages(domain) * PAGE_SIZE });
}

export function setMempoolSize(xen: Xen, { domain, size }: CommandOf<'domctl.set_paging_mempool_size'>): Outcome {
  if (xen.domain.of(0)!.hvm.at(domain) === 0) return refuse('EOPNOTSUPP');
  if (size < 0 || size % PAGE_SIZE !== 0 || size / PAGE_SIZE >= 2 ** 32) return refuse('EINVAL');
  const facts = resized(xen, domain, size / PAGE_SIZE);
  return facts === undefined ? refuse('ENOMEM') : accept({}, ...facts);
}

export function hypercallInit(xen: Xen, { domain, gmfn }: CommandOf<'domctl.hypercall_init'>): Outcome {
  const mfn = xen.grantedFrame(domain, gmfn);
  if (mfn < 0) return refuse('EINVAL');
  // What is a page table, or a descriptor table, is nobody's to write into.
  return xen.mm.isProtected(mfn) ? refuse('EPERM') : accept({}, { type: 'domain.hypercall_page_written', domid: domain, mfn });
}

/** Only a debug build audits (P2M_AUDIT). */
export const auditP2m = (): Outcome => refuse('ENOSYS');

/** Pages of a domain that hardware has given up. */
export const brokenPages = (xen: Xen, domid: DomId): readonly number[] =>
  xen.control.setting<readonly number[]>(domid, 'broken') ?? [];

export function setBrokenPage(xen: Xen, { domain, pfn }: CommandOf<'domctl.set_broken_page_p2m'>): Outcome {
  if (xen.domain.of(0)!.hvm.at(domain) === 0 || xen.p2m.mfn(domain, pfn) < 0) return refuse('EINVAL');
  if (brokenPages(xen, domain).includes(pfn)) return refuse('EINVAL');
  const broken = [...brokenPages(xen, domain), pfn].sort((a, b) => a - b);
  return accept({}, { type: 'domain.setting_set', domid: domain, setting: 'broken', json: JSON.stringify(broken) });
}

/** A matter of Arm's caches: on x86 nobody handles it. */
export const cacheflush = (): Outcome => refuse('ENOSYS');

/** gdbsx_guest_mem_io(): whatever can be reached is done, and `remain` says what could not. */
export function gdbsxMemory(xen: Xen, command: CommandOf<'domctl.gdbsx_guestmemio'>, guest: GuestReader): Outcome {
  const { domain, gfn, offset, len, gwr, data } = command;
  if (offset < 0 || offset >= PAGE_SIZE || len < 0) return refuse('EINVAL');
  const mfn = xen.p2m.mfn(domain, gfn);
  const isOut = mfn < 0 || (gwr && xen.mm.isProtected(mfn));
  const length = isOut ? 0 : Math.min(len, PAGE_SIZE - offset, ...(gwr ? [data.length] : []));
  const nothing = new Uint8Array(0);
  if (gwr)
    return length === 0
      ? accept({ remain: len, data: nothing })
      : accept(
          { remain: len - length, data: nothing },
          { type: 'gdbsx.memory_written', domid: domain, mfn, offset, data: data.slice(0, length) },
        );
  const read = new Uint8Array(length);
  for (let i = 0; i < length; i++) read[i] = guest.get8(mfn, offset + i);
  return accept({ remain: len - length, data: read });
}
