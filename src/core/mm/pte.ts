// Entries of page tables as the processor has them, and what a guest may have in them (xen/arch/x86/mm.c, xen/arch/x86/pv/mm.h).

/** An entry as two unsigned words. */
export interface Pte {
  readonly lo: number;
  readonly hi: number;
}
/** 1 for a table of pages to 4 for the root. */
export type Level = 1 | 2 | 3 | 4;

export const PTE_SIZE = 8;
export const ENTRIES = 512;

/** Bits of the lower word. */
export const PAGE = {
  present: 0x001,
  rw: 0x002,
  user: 0x004,
  pwt: 0x008,
  pcd: 0x010,
  accessed: 0x020,
  dirty: 0x040,
  /** In a table of pages this bit chooses a kind of caching (PAT); above it, a large page. */
  pse: 0x080,
  global: 0x100,
  avail: 0xe00,
} as const;
const CACHE_ATTRS = PAGE.pse | PAGE.pcd | PAGE.pwt;
/** Bit 52: Xen notes there that an entry is for the guest's kernel alone. */
const GUEST_KERNEL_HI = 1 << 20;
/** Bits 52 to 63: no translation, no caching. */
const FLAGS_HI = 0xfff00000;

export const word = (value: number): number => value >>> 0;
export const isPresent = ({ lo }: Pte): boolean => (lo & PAGE.present) !== 0;
export const isWritable = ({ lo }: Pte): boolean => (lo & PAGE.rw) !== 0;
export const mfnOf = ({ lo, hi }: Pte): number => (lo >>> 12) + (hi & ~FLAGS_HI) * 2 ** 20;
export const withMfn = ({ lo, hi }: Pte, mfn: number): Pte => ({
  lo: word((mfn % 2 ** 20) * 4096 + (lo & 0xfff)),
  hi: word((hi & FLAGS_HI) | Math.floor(mfn / 2 ** 20)),
});
/** A frame number that no memory has: INVALID_MFN, as far as an entry can hold it. */
export const LAST_MFN = 2 ** 40 - 1;

/** The four entries of a root of three levels have no flags but these: how they are cached, large, global. */
const PAE_DISALLOWED = PAGE.pwt | PAGE.pcd | PAGE.pse | PAGE.global;
/** Flags that no guest may set: those that would change how memory is cached or how much an entry maps. */
const BASE_DISALLOWED = CACHE_ATTRS | PAGE.global;
/** Who may touch devices chooses how its own pages are cached. */
export const isAllowed = ({ lo, hi }: Pte, level: Level, mayCache: boolean, is32bit = false): boolean =>
  is32bit && level === 3
    ? (lo & PAE_DISALLOWED) === 0 && (hi & FLAGS_HI) === 0
    : level > 1
      ? (lo & BASE_DISALLOWED) === 0
      : mayCache || (lo & CACHE_ATTRS) === 0;

export const changesCaching = ({ lo }: Pte): boolean => (lo & CACHE_ATTRS) !== 0;

/** An entry as Xen has it: user bits, for the kernel of a 64-bit guest runs as its users do (adjust_guest_l1e() and so on). */
export function adjusted(pte: Pte, level: Level, is32bit = false): Pte {
  const { lo, hi } = pte;
  if (!isPresent(pte)) return pte;
  // A kernel of 32 bits has a ring of its own: its entries are as it has them, but for the root's.
  if (is32bit) return level === 3 ? { lo: word(lo | PAGE.user | PAGE.rw), hi } : pte;
  if (level === 4) return { lo: word(lo | PAGE.accessed | PAGE.user), hi };
  if (level > 1) return { lo: word(lo | PAGE.user), hi };
  const high = (lo & PAGE.user) === 0 ? word(hi | GUEST_KERNEL_HI) : hi;
  const global = (high & GUEST_KERNEL_HI) === 0 ? PAGE.global : 0;
  return { lo: word(lo | PAGE.user | global), hi: high };
}

/** Memory of a device is never cached: the flags with which it is mapped instead of those that the guest gave (get_page_from_l1e()). */
export function uncached(pte: Pte): Pte {
  const { lo, hi } = pte;
  switch (lo & CACHE_ATTRS) {
    case 0:
      return { lo: word(lo ^ (PAGE.pwt | PAGE.pcd)), hi };
    case PAGE.pwt:
    case PAGE.pwt | PAGE.pse:
      return { lo: word(lo ^ (PAGE.pcd | (lo & PAGE.pse))), hi };
    default:
      return pte;
  }
}

/** What may change in an entry without another look at it. */
const FASTPATH_LO = PAGE.avail | PAGE.global | PAGE.dirty | PAGE.accessed | PAGE.user;
export const differsLittle = (old: Pte, now: Pte): boolean =>
  ((old.lo ^ now.lo) & ~FASTPATH_LO) === 0 && ((old.hi ^ now.hi) & ~FLAGS_HI) === 0;

export const samePte = (a: Pte, b: Pte): boolean => a.lo === b.lo && a.hi === b.hi;

/** Slots of a root table that are Xen's own (ROOT_PAGETABLE_FIRST_XEN_SLOT to ROOT_PAGETABLE_LAST_XEN_SLOT). */
export const isGuestSlot = (level: Level, slot: number): boolean => level < 4 || slot < 256 || slot > 271;
export const FIRST_XEN_SLOT = 256;
export const LAST_XEN_SLOT = 271;

/** HYPERVISOR_VIRT_START of a 32-bit domain, 0xf5800000: its slot in the table of the last gigabyte. */
export const FIRST_PAE_XEN_SLOT = 428;
export const PAE_ROOT_ENTRIES = 4;

const CANONICAL = 2 ** 47;
export const isCanonical = (va: number): boolean => va >= -CANONICAL && va < CANONICAL;
/** HYPERVISOR_VIRT_END, 0xffff880000000000: below it, down to the first of the upper half, is Xen. */
const XEN_END = -(2 ** 47) + 16 * 2 ** 39;
/** Whether an address is the guest's own (__addr_ok()). */
export const isGuestAddress = (va: number): boolean => (va >= 0 && va < CANONICAL) || (va >= XEN_END && va < 0);
/** The slot of an address in the table of a level. */
export function slotOf(va: number, level: Level): number {
  const unsigned = va < 0 ? va + 2 ** 48 : va;
  return Math.floor(unsigned / 2 ** (12 + 9 * (level - 1))) % ENTRIES;
}
