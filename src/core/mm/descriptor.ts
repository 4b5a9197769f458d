// Segment descriptors that a guest may have: none that leads into Xen (xen/arch/x86/pv/descriptor-tables.c).
import type { Mfn } from '../../../events/units.ts';
import type { GuestReader } from '../../../events/vocabulary.ts';

/** A descriptor's two words. */
export interface Descriptor {
  readonly a: number;
  readonly b: number;
}
const SEGMENT = { type: 0xf00, s: 1 << 12, p: 1 << 15, dpl: 3 << 13 } as const;
const CALL_GATE = 0xc00;
/** Entries from here on are Xen's: 14 pages of 512. */
export const FIRST_RESERVED_GDT_ENTRY = 14 * 512;
const FLAT_KERNEL_CS = 0xe033;
export const DESCRIPTORS = 512;

/** A selector as the kernel of a 64-bit guest may have it: in ring 3, as all of the guest is. */
export const ringThree = (selector: number): number => ((selector & 3) === 3 ? selector & 0xffff : (selector & 0xfffc) | 3);

/** The descriptor as Xen lets it stand, or undefined where it does not (check_descriptor()). */
export function checkDescriptor({ a, b }: Descriptor): Descriptor | undefined {
  if ((b & SEGMENT.p) === 0) return { a, b };
  const dpl = 3;
  const high = ((b & ~SEGMENT.dpl) | (dpl << 13)) >>> 0;
  if ((b & SEGMENT.s) !== 0) return { a, b: high };
  const type = b & SEGMENT.type;
  if (type === 0) return { a, b }; // the second half of a gate
  if (type !== CALL_GATE) return undefined;
  const cs = a >>> 16;
  const isOkay = cs >> 3 < FIRST_RESERVED_GDT_ENTRY || cs === FLAT_KERNEL_CS || (cs & 4) !== 0;
  const gate = (b & ~SEGMENT.dpl) >>> 0;
  if (!isOkay || (gate & 0xff) !== 0) return undefined;
  return { a: ((a & 0xffff) | (((cs & ~3) | dpl) << 16)) >>> 0, b: gate };
}

/** Whether a page holds nothing but descriptors that a guest may have. */
export function validateDescriptors(guest: GuestReader, mfn: Mfn): boolean {
  for (let i = 0; i < DESCRIPTORS; i++) {
    const b = guest.get32(mfn, i * 8 + 4);
    if ((b & SEGMENT.p) !== 0 && checkDescriptor({ a: guest.get32(mfn, i * 8), b }) === undefined) return false;
  }
  return true;
}
