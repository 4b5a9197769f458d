// Sets of pCPUs and nodes as tools give them (struct xenctl_bitmap).
import type { GuestMemory } from './guest-memory.ts';

export interface Bitmap {
  readonly bitmap: bigint;
  readonly nr_bits: number;
}
/** No host has more pCPUs, nor nodes: what stands behind is not looked at. */
const MAX_BITS = 4096;

/** The numbers of the bits that are set; undefined where the mask is not there. */
export function bitsOf({ bitmap, nr_bits }: Bitmap, guest: GuestMemory): number[] | undefined {
  const count = Math.min(nr_bits, MAX_BITS);
  const bytes = guest.bytes(bitmap, Math.ceil(count / 8));
  return bytes && Array.from({ length: count }, (_, bit) => bit).filter((bit) => ((bytes[bit >> 3]! >> (bit & 7)) & 1) === 1);
}

export function putBits(bits: readonly number[], { bitmap, nr_bits }: Bitmap, guest: GuestMemory): boolean {
  const bytes = new Uint8Array(Math.ceil(Math.min(nr_bits, MAX_BITS) / 8));
  for (const bit of bits) if (bit < nr_bits && bit >> 3 < bytes.length) bytes[bit >> 3]! |= 1 << (bit & 7);
  return guest.put(bitmap, bytes);
}
