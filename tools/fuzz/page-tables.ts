// Page tables as a guest's kernel makes them: bytes in its own pages.
import type { DomId, Mfn } from '../../events/units.ts';
import { PAGE, PTE_SIZE } from '../../src/core/mm/pte.ts';
import type { CoreHost } from './core-host.ts';

export const { present, rw, user } = PAGE;
/** What a kernel puts into the entries of its tables. */
export const TABLE = present | rw | user | PAGE.accessed;

/** An entry as a number of 64 bits. */
export const pte = (mfn: Mfn, flags: number): bigint => (BigInt(mfn) << 12n) | BigInt(flags);
export const words = (value: bigint): { val_lo: number; val_hi: number } => ({
  val_lo: Number(value & 0xffffffffn),
  val_hi: Number(value >> 32n),
});

/** Writes an entry into memory, as a guest may while the page is none of its page tables. */
export function putPte(host: CoreHost, table: Mfn, slot: number, value: bigint): void {
  host.memory.put64(table, slot * PTE_SIZE, value);
}
export const getPte = (host: CoreHost, table: Mfn, slot: number): bigint => host.memory.get64(table, slot * PTE_SIZE);

/** The first pages of a domain: 0 to 3 are page tables, and what the last of these maps, themselves for reading alone. */
export interface Tables {
  readonly tables: Mfn[];
  readonly frame: (page: number) => Mfn;
}
function mapPages(host: CoreHost, domid: DomId, pages: number): Tables {
  const frame = (page: number): Mfn => host.xen.p2m.mfn(domid, page);
  const tables = [0, 1, 2, 3].map(frame);
  for (let page = 0; page < pages; page++)
    putPte(host, tables[3]!, page, pte(frame(page), page < 4 ? present | user : present | rw | user));
  return { tables, frame };
}

/** A small address space: page 0 is the root, 1 to 3 the tables of the first addresses, from 0 on. Nothing is pinned yet. */
export function writeTables(host: CoreHost, domid: DomId, pages: number): Tables {
  const made = mapPages(host, domid, pages);
  const { tables } = made;
  for (const [i, table] of tables.slice(0, 3).entries()) putPte(host, table, 0, pte(tables[i + 1]!, TABLE));
  return made;
}

/** The same for a domain of 32 bits: page 0 is the root, 1 the table of the first gigabyte, 2 that of the last, 3 the lowest. */
export function writePaeTables(host: CoreHost, domid: DomId, pages: number): Tables {
  const made = mapPages(host, domid, pages);
  const { tables } = made;
  putPte(host, tables[0]!, 0, pte(tables[1]!, present));
  putPte(host, tables[0]!, 3, pte(tables[2]!, present));
  putPte(host, tables[1]!, 0, pte(tables[3]!, TABLE));
  return made;
}
