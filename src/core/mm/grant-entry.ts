// Page table entries of grants: made, replaced and taken away with the mapping (xen/arch/x86/pv/grant_table.c). A domain that runs on no
// page tables that Xen knows of has none: where its mappings are is its own affair.
import { type DomId, type Mfn, PAGE_SIZE } from '../../../events/units.ts';
import { GNTMAP } from '../../abi/grant-table.ts';
import type { Xen } from '../xen.ts';
import type { Page, Pages } from './pages.ts';
import { adjusted, isPresent, isWritable, mfnOf, PAGE, PTE_SIZE, type Pte, withMfn, word } from './pte.ts';
import { getMapped, putEntry, putMapped, readPte } from './tables.ts';
import { tableOf } from './update.ts';

/** Whether a vCPU runs on page tables that Xen has looked through. */
export const runsOnTables = (xen: Xen, domid: DomId, vcpu: number): boolean => xen.mm.baseptr(domid, vcpu, false) >= 0;

/** Where the entry of a mapping is to be, or is: GNTMAP_contains_pte says that `host_addr` is the entry's own machine address. */
export interface EntryAddress {
  readonly domid: DomId;
  readonly vcpu: number;
  readonly flags: number;
  readonly host_addr: number;
}
interface Place {
  readonly table: Page;
  readonly offset: number;
}

const NO_EXECUTE_HI = 0x80000000;
const none: Pte = { lo: 0, hi: 0 };

/** grant_to_pte_flags(), as the guest then sees them. */
function entryFor(mfn: Mfn, flags: number, is32bit: boolean): Pte {
  const lo =
    PAGE.present |
    PAGE.accessed |
    PAGE.dirty |
    ((flags & GNTMAP.application_map) !== 0 ? PAGE.user : 0) |
    ((flags & GNTMAP.readonly) === 0 ? PAGE.rw : 0) |
    (((flags >>> GUEST_AVAIL) & 7) << 9);
  return adjusted(withMfn({ lo: word(lo), hi: NO_EXECUTE_HI }, mfn), 1, is32bit);
}
/** Three bits of the flags are for the guest, and go where the entry has three for it. */
const GUEST_AVAIL = 16;

/** An entry of a table of pages that is the domain's own; undefined where there is none. */
function placeOf(pages: Pages, { domid, vcpu, flags, host_addr }: EntryAddress): Place | undefined {
  const isEntry = (flags & GNTMAP.contains_pte) !== 0;
  if (isEntry && (host_addr < 0 || host_addr % PTE_SIZE !== 0)) return undefined;
  const mfn = isEntry ? Math.floor(host_addr / PAGE_SIZE) : tableOf(pages, domid, vcpu, host_addr);
  const table = mfn < 0 ? undefined : pages.page(mfn, domid);
  if (table?.type !== 'l1_page_table') return undefined;
  const within = ((host_addr % 2 ** 21) + 2 ** 21) % 2 ** 21;
  return { table, offset: isEntry ? host_addr % PAGE_SIZE : Math.floor(within / PAGE_SIZE) * PTE_SIZE };
}
const entryAt = (pages: Pages, { table, offset }: Place): Pte => readPte(pages.guest, table.mfn, offset / PTE_SIZE);
function write(pages: Pages, { table, offset }: Place, { lo, hi }: Pte): void {
  pages.writes.push({ type: 'mm.entry_written', mfn: table.mfn, offset, lo, hi });
}

/** create_grant_pv_mapping(): maps `dom`'s frame there, in place of what was there. False, with nothing done, where it can not. */
export function createEntry(pages: Pages, address: EntryAddress, mfn: Mfn, dom: DomId): boolean {
  const place = placeOf(pages, address);
  if (place === undefined) return false;
  const entry = entryFor(mfn, address.flags, pages.xen.is32bit(address.domid));
  if (!getMapped(pages, entry, address.domid, dom).ok) return false;
  putEntry(pages, entryAt(pages, place), place.table, 1);
  write(pages, place, entry);
  return true;
}

/**
 * replace_grant_pv_mapping(): takes the entry of a mapping away, and puts the one of `new_addr` there, unless that is 0. False where the
 * entry is not this mapping's; then the one of `new_addr` is gone all the same.
 */
export function replaceEntry(pages: Pages, address: EntryAddress, mfn: Mfn, new_addr: number): boolean {
  const isEntry = (address.flags & GNTMAP.contains_pte) !== 0;
  if (isEntry && new_addr !== 0) return false;
  let moved = none;
  let from: Place | undefined;
  if (new_addr !== 0) {
    from = placeOf(pages, { ...address, host_addr: new_addr });
    if (from === undefined) return false;
    moved = entryAt(pages, from);
    write(pages, from, none);
  }
  const place = placeOf(pages, address);
  // What was taken from there is there no more.
  const isFrom = from !== undefined && place?.table.mfn === from.table.mfn && place.offset === from.offset;
  const old = place === undefined || isFrom ? none : entryAt(pages, place);
  const writes = (address.flags & GNTMAP.readonly) === 0;
  if (place === undefined || !isPresent(old) || mfnOf(old) !== mfn || isWritable(old) !== writes) {
    if (isPresent(moved)) putMapped(pages, moved, address.domid);
    return false;
  }
  putEntry(pages, old, place.table, 1);
  write(pages, place, moved);
  return true;
}
