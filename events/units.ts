// Quantities and identifiers. All are plain numbers at run time; the names say which unit and which space a number lives in.

/** Virtual nanoseconds since the host booted. A run ends with an error at 2^53 ns, 104 days. */
export type Ns = number;
/** A count of 4 KiB pages. */
export type Pages = number;
/** A domain id, 0 to 0x7fef; 0x7ff0 and above are Xen's reserved ids (public/xen.h, DOMID_*). */
export type DomId = number;
/** A guest's page number. */
export type Gfn = number;
/** A machine's page number. */
export type Mfn = number;
/** An event channel of one domain. */
export type Port = number;
/** An entry of a domain's grant table. */
export type Gref = number;

export const PAGE_SHIFT = 12;
export const PAGE_SIZE = 1 << PAGE_SHIFT;

export const US = 1_000;
export const MS = 1_000_000;
export const SECOND = 1_000_000_000;
/** The first instant that a run can not represent: see `Ns`. */
export const END_OF_TIME: Ns = Number.MAX_SAFE_INTEGER;

/** public/xen.h: ids with a meaning of their own. */
export const DOMID_FIRST_RESERVED = 0x7ff0;
export const DOMID_SELF = 0x7ff0;
export const DOMID_IO = 0x7ff1;
export const DOMID_XEN = 0x7ff2;
export const DOMID_COW = 0x7ff3;
export const DOMID_INVALID = 0x7ff4;
export const DOMID_IDLE = 0x7fff;

export const kibToPages = (kib: number): Pages => Math.floor(kib / 4);
export const pagesToKib = (pages: Pages): number => pages * 4;
export const mibToPages = (mib: number): Pages => mib * 256;
export const pagesToMib = (pages: Pages): number => Math.floor(pages / 256);
