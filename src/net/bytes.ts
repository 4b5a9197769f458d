// Bytes in network order, and bytes as text where they have to live in plain state.

/** Big-endian reads. What lies beyond the end reads as zeros: a parser checks the length of what it needs first. */
export const get16 = (bytes: Uint8Array, at: number): number => ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
export const get32 = (bytes: Uint8Array, at: number): number => get16(bytes, at) * 0x1_0000 + get16(bytes, at + 2);
export const get48 = (bytes: Uint8Array, at: number): number => get16(bytes, at) * 0x1_0000_0000 + get32(bytes, at + 2);

/** Big-endian writes of the low bits of `value`; what would lie beyond the end is lost. */
export function put16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value;
}
export function put32(bytes: Uint8Array, at: number, value: number): void {
  put16(bytes, at, value >>> 16);
  put16(bytes, at + 2, value);
}
export function put48(bytes: Uint8Array, at: number, value: number): void {
  put16(bytes, at, Math.floor(value / 0x1_0000_0000));
  put32(bytes, at + 2, value);
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** One character for each byte, U+0000 to U+00FF: equal bytes are equal text, and JSON keeps them. */
export function toByteString(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

/** The inverse; of a character above U+00FF the low byte is taken. */
export function fromByteString(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}
