// Bytes in and out: LEB128 integers, byte strings, CRC-32.
import { HypervisorBug } from './step.ts';

const NOTHING = new Uint8Array(0);

/** A buffer that grows. */
export class ByteWriter {
  private buffer: Uint8Array<ArrayBuffer>;
  length = 0;
  constructor(capacity = 256) {
    this.buffer = capacity === 0 ? NOTHING : new Uint8Array(capacity);
  }
  /** Unsigned LEB128 of an integer from 0 to 2^53 - 1; a HypervisorBug for what is none, for the reader would read another. */
  uint(value: number): void {
    if (value >= 0 && value < 128) {
      if (this.length === this.buffer.length) this.reserve(1);
      this.buffer[this.length++] = value;
      return;
    }
    if (!(value >= 0 && value <= Number.MAX_SAFE_INTEGER)) throw new HypervisorBug(`${value} can not be written to a log`);
    if (this.length + 8 > this.buffer.length) this.reserve(8);
    const { buffer } = this;
    let at = this.length;
    let rest = value;
    while (rest > 0x7fffffff) {
      buffer[at++] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
    while (rest > 127) {
      buffer[at++] = (rest & 127) | 128;
      rest >>>= 7;
    }
    buffer[at++] = rest;
    this.length = at;
  }
  /** A signed integer up to 2^53 - 1: the sign and six bits first, then the rest as `uint`. `-0` is a code of its own. */
  int(value: number): void {
    const magnitude = value < 0 ? -value : value;
    const rest = Math.floor(magnitude / 64);
    const first = ((magnitude & 63) << 1) | (value < 0 || Object.is(value, -0) ? 1 : 0);
    if (rest === 0) this.byte(first);
    else {
      this.byte(first | 128);
      this.uint(rest);
    }
  }
  /** A number as its difference to the one before; where that is not exact, `-0` and the number itself. */
  difference(value: number, before: number): void {
    const step = value - before;
    const magnitude = step < 0 ? -step : step;
    if (magnitude < 8192) {
      // Most are small: one or two bytes.
      if (this.length + 2 > this.buffer.length) this.reserve(2);
      const first = ((magnitude & 63) << 1) | (step < 0 ? 1 : 0);
      if (magnitude < 64) this.buffer[this.length++] = first;
      else {
        this.buffer[this.length] = first | 128;
        this.buffer[this.length + 1] = magnitude >>> 6;
        this.length += 2;
      }
    } else if (Number.isSafeInteger(step)) this.int(step);
    else {
      this.int(-0);
      this.int(value);
    }
  }
  /** The numbers from `first` up to (and without) `end`, each as its difference to the one before; answers the last one. */
  differences(values: Float64Array, first: number, end: number, before: number): number {
    // The longest takes ten bytes.
    this.reserve(10 * (end - first));
    let { buffer, length } = this;
    let last = before;
    for (let i = first; i < end; i++) {
      const value = values[i]!;
      const step = value - last;
      const magnitude = step < 0 ? -step : step;
      if (magnitude < 64) buffer[length++] = (magnitude << 1) | (step < 0 ? 1 : 0);
      else if (magnitude < 8192) {
        buffer[length++] = ((magnitude & 63) << 1) | (step < 0 ? 129 : 128);
        buffer[length++] = magnitude >>> 6;
      } else {
        this.length = length;
        this.difference(value, last);
        buffer = this.buffer;
        length = this.length;
      }
      last = value;
    }
    this.length = length;
    return last;
  }
  /** The numbers from `first` up to (and without) `end` as `uint`. */
  uints(values: Int32Array, first: number, end: number): void {
    this.reserve(8 * (end - first));
    let { buffer, length } = this;
    for (let i = first; i < end; i++) {
      const value = values[i]!;
      if (value >= 0 && value < 128) buffer[length++] = value;
      else {
        this.length = length;
        this.uint(value);
        buffer = this.buffer;
        length = this.length;
      }
    }
    this.length = length;
  }
  zeros(count: number): void {
    this.reserve(count);
    this.buffer.fill(0, this.length, this.length + count);
    this.length += count;
  }
  private byte(value: number): void {
    if (this.length === this.buffer.length) this.reserve(1);
    this.buffer[this.length++] = value;
  }
  raw(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.buffer.set(bytes, this.length);
    this.length += bytes.length;
  }
  /** A byte string: its length, then a byte for each char. */
  string(value: string): void {
    this.uint(value.length);
    this.reserve(value.length);
    const { buffer } = this;
    let at = this.length;
    for (let i = 0; i < value.length; i++) buffer[at++] = value.charCodeAt(i);
    this.length = at;
  }
  /** Leaves room for `count` bytes, for `u32` to fill in. */
  skip(count: number): void {
    this.reserve(count);
    this.length += count;
  }
  /** Puts 32 bits, little-endian, where there is room for them. */
  u32(at: number, value: number): void {
    const { buffer } = this;
    buffer[at] = value;
    buffer[at + 1] = value >>> 8;
    buffer[at + 2] = value >>> 16;
    buffer[at + 3] = value >>> 24;
  }
  /** CRC-32 of what was written from `from` up to (and without) `end`; `before` is that of what stands in front of it. */
  crc32(from: number, end: number, before = 0): number {
    return crc32(this.buffer, before, from, end);
  }
  /** What was written so far, as a view that the next write may overwrite. */
  view(): Uint8Array {
    return this.buffer.subarray(0, this.length);
  }
  take(): Uint8Array<ArrayBuffer> {
    return this.buffer.slice(0, this.length);
  }
  clear(): void {
    this.length = 0;
  }
  private reserve(count: number): void {
    if (this.length + count <= this.buffer.length) return;
    // To make a buffer takes far longer than to leave some of it empty: small ones grow fast.
    const { length } = this.buffer;
    const grown = new Uint8Array(Math.max(length * (length < 4096 ? 4 : 2), this.length + count, 64));
    grown.set(this.buffer.subarray(0, this.length));
    this.buffer = grown;
  }
}

/** Reads what `ByteWriter` wrote. Past the end everything is 0 and `overrun` is true: the caller decides what that means. */
export class ByteReader {
  private readonly bytes: Uint8Array;
  at = 0;
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }
  get overrun(): boolean {
    return this.at > this.bytes.length;
  }
  get rest(): number {
    return this.bytes.length - this.at;
  }
  uint(): number {
    const { bytes } = this;
    let byte = bytes[this.at++];
    if (byte === undefined) return 0;
    if (byte < 128) return byte;
    let value = byte & 127;
    for (let scale = 128; ; scale *= 128) {
      byte = bytes[this.at++];
      if (byte === undefined) return 0;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  }
  int(): number {
    const first = this.bytes[this.at++] ?? 0;
    const magnitude = ((first >> 1) & 63) + (first < 128 ? 0 : this.uint() * 64);
    return (first & 1) === 1 ? -magnitude : magnitude;
  }
  raw(count: number): Uint8Array {
    const part = this.bytes.subarray(this.at, this.at + count);
    this.at += count;
    return part;
  }
  string(): string {
    return byteString(this.raw(this.uint()));
  }
}

/** Bytes as a string with one char each. */
export function byteString(bytes: Uint8Array): string {
  let text = '';
  for (let start = 0; start < bytes.length; start += 4096)
    text += String.fromCharCode(...bytes.subarray(start, Math.min(start + 4096, bytes.length)));
  return text;
}
/** The bytes of a byte string; a char above 255 loses its upper bits, so give it byte strings only. */
export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}
/** UTF-8 text, as an editor writes it, as a byte string. */
export const utf8ToByteString = (text: string): string => byteString(new TextEncoder().encode(text));
/** A byte string for people: UTF-8 where it is, with a replacement character where it is not. */
export const byteStringToText = (text: string): string => new TextDecoder().decode(bytesOf(text));

/** Table 0 is that of a byte; table k that of a byte which k zeros follow. */
const crcTables = Array.from({ length: 8 }, () => new Int32Array(256));
for (let i = 0; i < 256; i++) {
  let c = i;
  for (let k = 0; k < 8; k++) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
  crcTables[0]![i] = c;
}
for (let k = 1; k < 8; k++)
  for (let i = 0; i < 256; i++) {
    const before = crcTables[k - 1]![i]!;
    crcTables[k]![i] = crcTables[0]![before & 255]! ^ (before >>> 8);
  }
const [t0, t1, t2, t3, t4, t5, t6, t7] = crcTables as [
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
];
/** CRC-32 (ISO 3309), as in zip and PNG, of the bytes from `from` up to (and without) `end`. `before` is that of what stands in front of them. */
export function crc32(bytes: Uint8Array, before = 0, from = 0, end = bytes.length): number {
  let c = ~before;
  let i = from;
  for (const last = end - 8; i <= last; i += 8) {
    c ^= bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
    c =
      t7[c & 255]! ^
      t6[(c >>> 8) & 255]! ^
      t5[(c >>> 16) & 255]! ^
      t4[c >>> 24]! ^
      t3[bytes[i + 4]!]! ^
      t2[bytes[i + 5]!]! ^
      t1[bytes[i + 6]!]! ^
      t0[bytes[i + 7]!]!;
  }
  for (; i < end; i++) c = t0[(c ^ bytes[i]!) & 255]! ^ (c >>> 8);
  return ~c >>> 0;
}
/** Pieces of bytes as one. */
export function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
/** As people and JSON have a digest. */
export const hexOf = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
