// mmu_update and update_va_mapping (do_mmu_update() and __do_update_va_mapping() in xen/arch/x86/mm.c): one entry of a page table.
import type { Errno } from '../../../events/errno.ts';
import { accept, refuse } from '../../../events/step.ts';
import { DOMID_FIRST_RESERVED, DOMID_IO, DOMID_SELF, DOMID_XEN, type DomId, type Mfn, PAGE_SIZE } from '../../../events/units.ts';
import type { CommandOf, Fact, GuestReader, Outcome } from '../../../events/vocabulary.ts';
import { frameAt } from '../p2m/physmap.ts';
import type { Xen } from '../xen.ts';
import { isPrivileged } from '../xsm.ts';
import { type Page, Pages } from './pages.ts';
import {
  adjusted,
  differsLittle,
  isAllowed,
  isGuestAddress,
  isGuestSlot,
  isPresent,
  type Level,
  mfnOf,
  PAE_ROOT_ENTRIES,
  PAGE,
  PTE_SIZE,
  type Pte,
  slotOf,
  withMfn,
  word,
} from './pte.ts';
import { getMapped, getTable, isGuests, levelOf, mayCache, putEntry, readPte } from './tables.ts';

const MMU = { normal: 0, machphys: 1, preserve_ad: 2, no_translate: 3 } as const;

/** Whose frames are meant, or undefined: nobody names himself by his number (get_pg_owner()). */
export function pgOwner(xen: Xen, caller: DomId, foreigndom: number): DomId | undefined {
  const domid = foreigndom & 0xffff;
  if (domid === caller) return undefined;
  if (domid === DOMID_IO || domid === DOMID_XEN) return domid;
  const owner = domid === DOMID_SELF ? caller : domid;
  return owner < DOMID_FIRST_RESERVED && xen.exists(owner) ? owner : undefined;
}
export const mayAsk = (caller: DomId, about: DomId): boolean => caller === about || isPrivileged(caller);

export function mmuUpdate(xen: Xen, command: CommandOf<'mm.mmu_update'>, guest: GuestReader): Outcome {
  const { domid, foreigndom, ptr } = command;
  const pt_dom = (foreigndom >>> 16) & 0xffff;
  const pt_owner = pt_dom === 0 ? domid : pt_dom - 1;
  if (pt_owner >= DOMID_FIRST_RESERVED || !xen.exists(pt_owner)) return refuse('ESRCH');
  if (pt_owner !== domid && xen.domain.of(0)!.nr_vcpus.at(pt_owner) === 0) return refuse('EINVAL');
  const pg_owner = pgOwner(xen, domid, foreigndom);
  if (pg_owner === undefined) return refuse('ESRCH');
  const cmd = ((ptr % PTE_SIZE) + PTE_SIZE) % PTE_SIZE;
  const value: Pte = { lo: word(command.val_lo), hi: word(command.val_hi) };
  switch (cmd) {
    case MMU.normal:
    case MMU.preserve_ad:
    case MMU.no_translate: {
      if (isTranslated(xen, pt_owner)) return refuse('EOPNOTSUPP');
      if (pg_owner !== DOMID_IO && !mayAsk(domid, pg_owner)) return refuse('EPERM');
      if (!mayAsk(domid, pt_owner)) return refuse('EPERM');
      const address = ptr - cmd;
      const update = { mfn: Math.floor(address / PAGE_SIZE), offset: address % PAGE_SIZE, value, cmd, pt_owner, pg_owner };
      return updateEntry(new Pages(xen, guest), update);
    }
    case MMU.machphys: {
      if (pt_owner !== domid) return refuse('EPERM');
      if (isTranslated(xen, pg_owner)) return refuse('EINVAL');
      if (pg_owner !== DOMID_IO && !mayAsk(domid, pg_owner)) return refuse('EPERM');
      const mfn = Math.floor(ptr / PAGE_SIZE);
      if (pg_owner >= DOMID_FIRST_RESERVED || !new Pages(xen, guest).owner(pg_owner).has(mfn)) return refuse('EINVAL');
      // More than a number holds exactly is no page of anybody's.
      const gpfn = value.hi >= 2 ** 21 ? -1 : value.hi * 2 ** 32 + value.lo;
      return accept({}, { type: 'p2m.machphys_set', domid: pg_owner, mfn, gpfn });
    }
    default:
      return refuse('ENOSYS');
  }
}
const isTranslated = (xen: Xen, domid: DomId): boolean => domid < DOMID_FIRST_RESERVED && xen.domain.of(0)!.hvm.at(domid) === 1;

interface Update {
  /** Where the entry stands. */
  readonly mfn: Mfn;
  readonly offset: number;
  readonly value: Pte;
  readonly cmd: number;
  /** Whose table it is, and whose frames it may map. */
  readonly pt_owner: DomId;
  readonly pg_owner: DomId;
}
const written = ({ mfn, offset }: Update, { lo, hi }: Pte): Fact => ({ type: 'mm.entry_written', mfn, offset, lo, hi });

function updateEntry(pages: Pages, update: Update): Outcome {
  const { mfn, offset, pt_owner, pg_owner } = update;
  const table = pages.page(mfn, pt_owner);
  if (table === undefined) return refuse('EINVAL');
  const level = levelOf(table.type);
  if (level === 0) {
    // Memory that is written to as memory; descriptors are not.
    if (table.type === 'seg_desc_page') return refuse('EINVAL');
    return accept({}, written(update, update.value));
  }
  if (level > 1 && pg_owner !== pt_owner) return refuse('EINVAL');
  const slot = offset / PTE_SIZE;
  const is32bit = pages.xen.is32bit(pt_owner);
  if (!isGuests(table.type, is32bit, slot)) return refuse('EINVAL');
  // The last entry of a root of three levels leads to what is Xen's, and stays.
  if (is32bit && level === 3 && slot === PAE_ROOT_ENTRIES - 1) return refuse('EINVAL');
  const wrong = level === 1 ? modL1Entry(pages, table, update) : modEntry(pages, table, update, level);
  return wrong === undefined ? accept({}, ...pages.facts()) : refuse(wrong);
}

/** With the bits that the processor has set in the meantime, where they are to stay. */
const kept = (old: Pte, now: Pte, cmd: number): Pte =>
  cmd === MMU.preserve_ad ? { lo: word(now.lo | (old.lo & (PAGE.accessed | PAGE.dirty))), hi: now.hi } : now;

function modL1Entry(pages: Pages, table: Page, update: Update): Errno | undefined {
  const { xen, guest } = pages;
  const { mfn, offset, cmd, pt_owner, pg_owner } = update;
  const old = readPte(guest, mfn, offset / PTE_SIZE);
  let now = update.value;
  if (isPresent(now)) {
    if (!isAllowed(now, 1, mayCache(xen, pt_owner))) return 'EINVAL';
    if (cmd !== MMU.no_translate && isTranslated(xen, pg_owner)) {
      const found = translate(xen, pg_owner, mfnOf(now), guest);
      if (found.mfn < 0) return 'EINVAL';
      pages.writes.push(...found.facts);
      now = withMfn(now, found.mfn);
    }
    now = adjusted(now, 1, xen.is32bit(pt_owner));
    if (isPresent(old) && differsLittle(old, now)) {
      pages.writes.push(written(update, kept(old, now, cmd)));
      return undefined;
    }
    const mapped = getMapped(pages, now, pt_owner, pg_owner);
    if (!mapped.ok) return mapped.errno;
    now = mapped.pte;
  }
  putEntry(pages, old, table, 1);
  pages.writes.push(written(update, kept(old, now, cmd)));
  return undefined;
}

/** A page of a domain that Xen translates for: its frame, populated where that was left for later. */
function translate(
  xen: Xen,
  dom: DomId,
  gfn: number,
  guest: GuestReader,
): { readonly mfn: Mfn; readonly facts: readonly Fact[] } {
  const slot = xen.p2m.slot(dom, gfn);
  return slot === undefined ? frameAt(xen, dom, gfn, guest) : { mfn: slot.dom === dom ? slot.mfn : -1, facts: [] };
}

function modEntry(pages: Pages, table: Page, update: Update, level: Level): Errno | undefined {
  const { mfn, offset, cmd, pt_owner } = update;
  const old = readPte(pages.guest, mfn, offset / PTE_SIZE);
  const is32bit = pages.xen.is32bit(pt_owner);
  let now = update.value;
  if (isPresent(now)) {
    if (!isAllowed(now, level, false, is32bit)) return 'EINVAL';
    now = adjusted(now, level, is32bit);
    if (isPresent(old) && differsLittle(old, now)) {
      pages.writes.push(written(update, kept(old, now, cmd)));
      return undefined;
    }
    const wrong = getTable(pages, now, table, offset / PTE_SIZE);
    if (wrong !== undefined) return wrong;
  }
  putEntry(pages, old, table, level);
  pages.writes.push(written(update, kept(old, now, cmd)));
  return undefined;
}

export function updateVaMapping(
  xen: Xen,
  command: CommandOf<'mm.update_va_mapping' | 'mm.update_va_mapping_otherdomain'>,
  guest: GuestReader,
): Outcome {
  const { domid, vcpu, va } = command;
  const pg_owner = command.type === 'mm.update_va_mapping' ? domid : pgOwner(xen, domid, command.dom);
  if (pg_owner === undefined) return refuse('ESRCH');
  if (!mayAsk(domid, pg_owner)) return refuse('EPERM');
  const pages = new Pages(xen, guest);
  const mfn = tableOf(pages, domid, vcpu, va);
  if (mfn < 0 || pages.page(mfn, domid)?.type !== 'l1_page_table') return refuse('EINVAL');
  const value: Pte = { lo: word(command.val_lo), hi: word(command.val_hi) };
  const offset = slotOf(va, 1) * PTE_SIZE;
  return updateEntry(pages, { mfn, offset, value, cmd: MMU.normal, pt_owner: domid, pg_owner });
}

/** What three levels reach, without what is Xen's. */
const PAE_END = 0xf5800000;

/** The table with the entry of an address, as the processor finds it; -1 where it finds none (map_guest_l1e()). */
export function tableOf(pages: Pages, domid: DomId, vcpu: number, va: number): Mfn {
  const is32bit = pages.xen.is32bit(domid);
  if (is32bit ? va < 0 || va >= PAE_END : !isGuestAddress(va)) return -1;
  let mfn = pages.xen.mm.baseptr(domid, vcpu, false);
  for (const level of is32bit ? ([3, 2] as const) : ([4, 3, 2] as const)) {
    const slot = slotOf(va, level);
    if (mfn < 0 || !isGuestSlot(level, slot)) return -1;
    const pte = readPte(pages.guest, mfn, slot);
    if (!isPresent(pte)) return -1;
    mfn = mfnOf(pte);
  }
  return mfn;
}
