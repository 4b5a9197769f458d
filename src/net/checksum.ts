/**
 * The Internet checksum (RFC 1071): the complement of the one's complement sum of big-endian 16-bit words, an odd last byte
 * filled up with zero. Over data that carries its own right checksum it is 0. `partial` is a sum of further words, such as `sum` gives.
 */
export const checksum = (bytes: Uint8Array, partial = 0): number => ~fold(sum(bytes) + partial) & 0xffff;

/** The plain sum of the words: exact, for a frame has fewer than 2^16 of them. */
export function sum(bytes: Uint8Array): number {
  let total = 0;
  for (let i = 0; i < bytes.length; i += 2) total += (bytes[i]! << 8) | (bytes[i + 1] ?? 0);
  return total;
}

function fold(total: number): number {
  let folded = total;
  while (folded > 0xffff) folded = (folded & 0xffff) + Math.floor(folded / 0x1_0000);
  return folded;
}
