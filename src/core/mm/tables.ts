// Page tables: what an entry may map, and what it holds on to (get_page_from_l1e() to promote_l4_table() of xen/arch/x86/mm.c).
import type { Errno } from '../../../events/errno.ts';
import { DOMID_IO, DOMID_XEN, type DomId, type Mfn } from '../../../events/units.ts';
import type { GuestReader } from '../../../events/vocabulary.ts';
import type { Xen } from '../xen.ts';
import { isPrivileged } from '../xsm.ts';
import type { Page, Pages } from './pages.ts';
import {
  adjusted,
  changesCaching,
  ENTRIES,
  FIRST_PAE_XEN_SLOT,
  isAllowed,
  isGuestSlot,
  isPresent,
  isWritable,
  LAST_MFN,
  type Level,
  mfnOf,
  PAE_ROOT_ENTRIES,
  PAGE,
  PTE_SIZE,
  type Pte,
  uncached,
  word,
} from './pte.ts';
import type { PageType } from './state.ts';

export const tableTypes = ['l1_page_table', 'l2_page_table', 'l3_page_table', 'l4_page_table'] as const;
/** The level of a page table, 0 of anything else. */
export const levelOf = (type: PageType): Level | 0 =>
  type === 'pae_xen_l2_table' ? 2 : ((tableTypes.indexOf(type as (typeof tableTypes)[number]) + 1) as Level | 0);
/** The type of a domain's roots. */
export const rootType = (xen: Xen, domid: DomId): PageType => (xen.is32bit(domid) ? 'l3_page_table' : 'l4_page_table');

/** How many slots of a table there are, without those at its end that are Xen's. */
const slotsOf = (type: PageType, is32bit: boolean): number =>
  type === 'pae_xen_l2_table' ? FIRST_PAE_XEN_SLOT : is32bit && type === 'l3_page_table' ? PAE_ROOT_ENTRIES : ENTRIES;
/** Whether a slot of a table is its guest's: the others are Xen's, or there are none. */
export const isGuests = (type: PageType, is32bit: boolean, slot: number): boolean =>
  slot < slotsOf(type, is32bit) && isGuestSlot(levelOf(type) as Level, slot);

export function readPte(guest: GuestReader, mfn: Mfn, slot: number): Pte {
  return { lo: guest.get32(mfn, slot * PTE_SIZE), hi: guest.get32(mfn, slot * PTE_SIZE + 4) };
}

/** The entries of a table that map something: those in Xen's slots are Xen's. */
export function* entriesOf(
  guest: Pick<GuestReader, 'get32'>,
  mfn: Mfn,
  type: PageType,
  is32bit: boolean,
): Generator<[number, Pte]> {
  const level = levelOf(type) as Level;
  const end = slotsOf(type, is32bit);
  for (let slot = 0; slot < end; slot++) {
    if (!isGuestSlot(level, slot)) continue;
    const lo = guest.get32(mfn, slot * PTE_SIZE);
    if ((lo & 1) !== 0) yield [slot, { lo, hi: guest.get32(mfn, slot * PTE_SIZE + 4) }];
  }
}

/** Takes a frame as a page table: all that its entries map is held. What is wrong stops it. */
export function promote(pages: Pages, table: Page): Errno | undefined {
  const level = levelOf(table.type) as Level;
  const { mfn, domid } = table;
  const is32bit = pages.xen.is32bit(domid);
  if (is32bit && level === 4) return 'EINVAL';
  const writes: { slot: number; pte: Pte }[] = [];
  for (const [slot, pte] of entriesOf(pages.guest, mfn, table.type, is32bit)) {
    if (level > 1) {
      const wrong = getTable(pages, pte, table, slot);
      if (wrong !== undefined) return wrong;
      continue;
    }
    const mapped = getMapped(pages, pte, domid, domid);
    if (!mapped.ok) return mapped.errno;
    if (mapped.pte !== pte) writes.push({ slot, pte: adjusted(mapped.pte, 1, is32bit) });
  }
  if (is32bit && level === 3 && !hasLastTable(pages, mfn)) return 'EINVAL';
  if (!is32bit) pages.writes.push({ type: 'mm.table_adjusted', mfn, level });
  else if (level === 3 || table.type === 'pae_xen_l2_table') pages.writes.push({ type: 'mm.pae_table_adjusted', mfn, level });
  for (const { slot, pte } of writes)
    pages.writes.push({ type: 'mm.entry_written', mfn, offset: slot * PTE_SIZE, lo: pte.lo, hi: pte.hi });
  return undefined;
}

/** The table of the last gigabyte must be there, and no other root's: Xen's own entries stand in it (pae_xen_mappings_check()). */
function hasLastTable(pages: Pages, root: Mfn): boolean {
  const pte = readPte(pages.guest, root, PAE_ROOT_ENTRIES - 1);
  return isPresent(pte) && pages.known(mfnOf(pte))?.type_count === 1;
}

/** Lets go of all that a table maps. */
export function demote(pages: Pages, table: Page): void {
  const level = levelOf(table.type);
  if (level === 0) return;
  const is32bit = pages.xen.is32bit(table.domid);
  for (const [slot, pte] of entriesOf(pages.guest, table.mfn, table.type, is32bit)) {
    putEntry(pages, pte, table, level);
    // A root's entries are as a processor of 32 bits wants them again (unadjust_guest_l3e()).
    if (is32bit && level === 3) {
      const lo = word(pte.lo & ~(PAGE.user | PAGE.rw | PAGE.accessed));
      pages.writes.push({ type: 'mm.entry_written', mfn: table.mfn, offset: slot * PTE_SIZE, lo, hi: pte.hi });
    }
  }
}

export function putEntry(pages: Pages, pte: Pte, table: Page, level: Level): void {
  if (!isPresent(pte)) return;
  if (level === 1) putMapped(pages, pte, table.domid);
  else putTable(pages, pte, table);
}

/** Who uses devices chooses how its pages are cached (cache_flush_permitted()). */
export function mayCache(xen: Xen, domid: DomId): boolean {
  const { iomem, ioports } = xen.control.access(domid);
  return iomem.length > 0 || ioports.length > 0;
}

type Mapped = { readonly ok: true; readonly pte: Pte } | { readonly ok: false; readonly errno: Errno };
const failed = (errno: Errno): Mapped => ({ ok: false, errno });

/** What an entry of the lowest level maps, in a table of `owner`'s: a frame of `pg_owner`'s. Answers the entry as it is to be written. */
export function getMapped(pages: Pages, pte: Pte, owner: DomId, pg_owner: DomId): Mapped {
  if (!isAllowed(pte, 1, mayCache(pages.xen, owner))) return failed('EINVAL');
  const mfn = mfnOf(pte);
  const real = pages.ownerOf(mfn, pg_owner);
  if (real === DOMID_IO) {
    // DOMID_IO is whoever asks: Xen has no other name for the memory of devices.
    const user = pg_owner === DOMID_IO ? owner : pg_owner;
    if (!pages.mayMapDevice(user, mfn) || !pages.mayMapDevice(owner, mfn)) return failed(mfn === LAST_MFN ? 'EINVAL' : 'EPERM');
    return { ok: true, pte: uncached(pte) };
  }
  if (real === DOMID_XEN)
    // What Xen shares is for reading, and for those who may look into everything.
    return pg_owner === DOMID_XEN && isTableOfFrames(pages, mfn) && !isWritable(pte) ? { ok: true, pte } : failed('EBUSY');
  const mayTransfer = pg_owner !== owner && isPrivileged(pg_owner);
  if (real < 0 || (real !== pg_owner && !mayTransfer)) return failed('EBUSY');
  const page = pages.page(mfn, real)!;
  const writes = isWritable(pte) && countsWriting(pages, owner, real);
  if (changesCaching(pte) && pages.owner(real).isSpecial(mfn)) return failed('EACCES');
  if (writes && pages.getType(page, 'writable_page') !== undefined) return failed('EBUSY');
  pages.get(page, owner);
  return { ok: true, pte };
}

export function putMapped(pages: Pages, pte: Pte, owner: DomId): void {
  const mfn = mfnOf(pte);
  const real = pages.ownerOf(mfn, owner);
  if (real < 0 || real === DOMID_IO || real === DOMID_XEN) return;
  const page = pages.page(mfn, real)!;
  if (isWritable(pte) && countsWriting(pages, owner, real)) pages.putType(page);
  pages.put(page, owner);
}

/** A frame of a guest for which Xen translates is never a page table, so that others' writing to it counts for nothing. */
const countsWriting = (pages: Pages, owner: DomId, real: DomId): boolean =>
  owner === real || pages.xen.domain.of(0)!.hvm.at(real) === 0;

/** The frames of the machine-to-physical table are among Xen's, from 2 MiB on. */
const isTableOfFrames = (pages: Pages, mfn: Mfn): boolean =>
  mfn >= 512 && mfn < 512 * (1 + Math.min(7, Math.ceil(pages.xen.p2m.totalPages / 2 ** 18)));

/** What an entry above the lowest level maps: a table of the next level, or another of its own (get_page_from_l2e() and so on). */
export function getTable(pages: Pages, pte: Pte, table: Page, slot: number): Errno | undefined {
  const level = levelOf(table.type) as Level;
  const isPaeRoot = level === 3 && pages.xen.is32bit(table.domid);
  if (!isAllowed(pte, level, false, isPaeRoot)) return 'EINVAL';
  const isLast = isPaeRoot && slot === PAE_ROOT_ENTRIES - 1;
  const wrong = pages.getBoth(mfnOf(pte), table.domid, isLast ? 'pae_xen_l2_table' : tableTypes[level - 2]!);
  return wrong === 'EINVAL' && !isPaeRoot && getLinear(pages, pte, table) ? undefined : wrong;
}

/**
 * Tables of one level that map each other, so that a guest sees its tables in its memory: for reading, one deep, and only one that has been
 * looked through. A table that maps itself holds nothing.
 */
function getLinear(pages: Pages, pte: Pte, table: Page): boolean {
  if (isWritable(pte)) return false;
  const mfn = mfnOf(pte);
  if (mfn === table.mfn) return true;
  const page = pages.page(mfn, table.domid);
  if (page === undefined || table.linear < 0 || page.linear > 0) return false;
  if (page.type !== table.type || !page.validated) return false;
  table.linear++;
  page.linear--;
  page.type_count++;
  pages.get(page, table.domid);
  return true;
}

function putTable(pages: Pages, pte: Pte, table: Page): void {
  const mfn = mfnOf(pte);
  if (mfn === table.mfn) return;
  const page = pages.page(mfn, table.domid);
  if (page === undefined) return;
  pages.putType(page, table);
  pages.put(page, table.domid);
}
