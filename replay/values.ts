// Plain data as bytes: what a checkpoint is made of. Numbers, strings, arrays, objects, maps, sets and typed arrays; nothing else.
import { ByteReader, ByteWriter } from '../events/bytes.ts';
import { HypervisorBug } from '../events/step.ts';
import type { Packed } from '../src/tables/table.ts';

/** Values that stand beside the others, for they are kept once however many checkpoints have them. */
export interface Pieces {
  /** Answers the number by which it is found again. `value` never changes; `encode` makes its bytes, where they are not known yet. */
  put(value: object, encode: () => Uint8Array): number;
}
/** The bytes of a piece, and what wants to know the value that they were read as. */
export interface FoundPiece {
  readonly bytes: Uint8Array;
  note(value: object): void;
}

const tags = ['undefined', 'null', 'true', 'false', 'int', 'double', 'bigint', 'text', 'wide', 'known'] as const;
const moreTags = ['array', 'object', 'shaped', 'map', 'set', 'bytes', 'packed', 'page', 'piece'] as const;
const tag = Object.fromEntries([...tags, ...moreTags].map((name, number) => [name, number])) as Readonly<
  Record<(typeof tags)[number] | (typeof moreTags)[number], number>
>;

/** Strings up to this length are written once and then by number. */
const SHORT = 24;
const PAGE = 4096;

/** Writes values one after the other. Every page of 4096 bytes, and what `asPiece` answers for, becomes a piece. */
export class ValueWriter {
  private readonly out: ByteWriter;
  private readonly shapes = new Map<string, number>();
  private readonly words = new Map<string, number>();
  private readonly pieces: Pieces | undefined;
  private readonly asPiece: ((value: object) => unknown) | undefined;

  /** `asPiece` answers what is to be written of a value that becomes a piece, and undefined of all others. */
  constructor(pieces?: Pieces, asPiece?: (value: object) => unknown) {
    this.out = new ByteWriter(pieces ? 1 << 16 : 1 << 9);
    this.pieces = pieces;
    this.asPiece = asPiece;
  }

  take(): Uint8Array {
    return this.out.take();
  }

  /** @throws HypervisorBug for what is no plain data */
  write(value: unknown): void {
    const { out } = this;
    switch (typeof value) {
      case 'undefined':
        out.uint(tag.undefined);
        return;
      case 'boolean':
        out.uint(value ? tag.true : tag.false);
        return;
      case 'number':
        this.number(value);
        return;
      case 'bigint':
        out.uint(tag.bigint);
        out.string(String(value));
        return;
      case 'string':
        this.text(value);
        return;
      case 'object':
        if (value === null) out.uint(tag.null);
        else this.object(value);
        return;
      default:
        throw new HypervisorBug(`a checkpoint can not hold a ${typeof value}`);
    }
  }

  private number(value: number): void {
    if (Number.isSafeInteger(value) && !Object.is(value, -0)) {
      this.out.uint(tag.int);
      this.out.int(value);
    } else {
      this.out.uint(tag.double);
      this.out.raw(new Uint8Array(Float64Array.of(value).buffer));
    }
  }

  private text(value: string): void {
    const { out } = this;
    if (value.length <= SHORT) {
      const known = this.words.get(value);
      if (known !== undefined) {
        out.uint(tag.known);
        out.uint(known);
        return;
      }
      this.words.set(value, this.words.size);
    }
    if (isByteString(value)) {
      out.uint(tag.text);
      out.string(value);
    } else {
      out.uint(tag.wide);
      out.uint(value.length);
      for (let i = 0; i < value.length; i++) out.uint(value.charCodeAt(i));
    }
  }

  private object(value: object): void {
    const { out } = this;
    const { pieces } = this;
    if (pieces && value instanceof Uint8Array && value.length === PAGE) {
      out.uint(tag.page);
      out.uint(pieces.put(value, () => packed(value)));
      return;
    }
    const form = pieces && this.asPiece?.(value);
    if (form !== undefined) {
      out.uint(tag.piece);
      out.uint(
        pieces!.put(value, () => {
          const piece = new ValueWriter();
          piece.write(form);
          return piece.take();
        }),
      );
    } else if (Array.isArray(value)) {
      out.uint(tag.array);
      out.uint(value.length);
      for (let i = 0; i < value.length; i++) this.write(value[i]);
    } else if (value instanceof Map) {
      out.uint(tag.map);
      out.uint(value.size);
      for (const [key, item] of value) {
        this.write(key);
        this.write(item);
      }
    } else if (value instanceof Set) {
      out.uint(tag.set);
      out.uint(value.size);
      for (const item of value) this.write(item);
    } else if (value instanceof Uint8Array && !isMostlyZeros(value)) {
      out.uint(tag.bytes);
      out.uint(value.length);
      out.raw(value);
    } else if (ArrayBuffer.isView(value) && !(value instanceof DataView)) {
      const kind = arrays.findIndex((one) => value instanceof one);
      if (kind < 0) throw new HypervisorBug(`a checkpoint can not hold a ${value.constructor.name}`);
      out.uint(tag.packed);
      out.uint(kind);
      this.sparse(value as Packed);
    } else {
      const prototype: unknown = Object.getPrototypeOf(value);
      if (prototype !== Object.prototype && prototype !== null)
        throw new HypervisorBug(`a checkpoint can not hold a ${(value as { constructor: { name: string } }).constructor.name}`);
      this.plain(value as Readonly<Record<string, unknown>>);
    }
  }

  private plain(value: Readonly<Record<string, unknown>>): void {
    const { out } = this;
    const keys = Object.keys(value);
    const shape = keys.join('\0');
    const known = this.shapes.get(shape);
    if (known === undefined) {
      this.shapes.set(shape, this.shapes.size);
      out.uint(tag.object);
      out.uint(keys.length);
      for (const key of keys) this.text(key);
    } else {
      out.uint(tag.shaped);
      out.uint(known);
    }
    for (const key of keys) this.write(value[key]);
  }

  /** Most of a table's columns are zeros: how many of them, how many others, and these. */
  private sparse(array: Packed): void {
    const { out } = this;
    const { length } = array;
    out.uint(length);
    for (let at = 0; at < length; ) {
      const start = at;
      while (at < length && array[at] === 0) at++;
      out.uint(at - start);
      if (at === length) return;
      const first = at;
      while (at < length && array[at] !== 0) at++;
      out.uint(at - first);
      for (let i = first; i < at; i++) {
        const value = array[i]!;
        if (Number.isSafeInteger(value)) out.int(value);
        else {
          out.int(-0);
          out.raw(new Uint8Array(Float64Array.of(value).buffer));
        }
      }
    }
  }
}

/** Reads what `ValueWriter` wrote. Total on bytes whose checksum is right; of others it may throw anything. */
export class ValueReader {
  private readonly from: ByteReader;
  private readonly shapes: (readonly string[])[] = [];
  private readonly words: string[] = [];
  private readonly find: (number: number) => FoundPiece;
  constructor(bytes: Uint8Array, find: (number: number) => FoundPiece) {
    this.from = new ByteReader(bytes);
    this.find = find;
  }

  read(): unknown {
    const { from } = this;
    switch (from.uint()) {
      case tag.undefined:
        return undefined;
      case tag.null:
        return null;
      case tag.true:
        return true;
      case tag.false:
        return false;
      case tag.int:
        return from.int();
      case tag.double:
        return this.double();
      case tag.bigint:
        return BigInt(from.string());
      case tag.text:
        return this.learnt(from.string());
      case tag.wide: {
        let text = '';
        for (let n = from.uint(); n > 0; n--) text += String.fromCharCode(from.uint());
        return this.learnt(text);
      }
      case tag.known:
        return this.words[from.uint()];
      case tag.array: {
        const array = new Array<unknown>(from.uint());
        for (let i = 0; i < array.length; i++) array[i] = this.read();
        return array;
      }
      case tag.object: {
        const keys: string[] = [];
        const shape = this.shapes.length;
        this.shapes.push(keys);
        for (let n = from.uint(); n > 0; n--) keys.push(this.read() as string);
        return this.plain(shape);
      }
      case tag.shaped:
        return this.plain(from.uint());
      case tag.map: {
        const map = new Map<unknown, unknown>();
        for (let n = from.uint(); n > 0; n--) {
          const key = this.read();
          map.set(key, this.read());
        }
        return map;
      }
      case tag.set: {
        const set = new Set<unknown>();
        for (let n = from.uint(); n > 0; n--) set.add(this.read());
        return set;
      }
      case tag.bytes:
        return from.raw(from.uint()).slice();
      case tag.packed: {
        const kind = arrays[from.uint()]!;
        return this.sparse(new kind(from.uint()));
      }
      case tag.page: {
        const found = this.find(from.uint());
        const page = unpacked(found.bytes);
        found.note(page);
        return page;
      }
      case tag.piece: {
        const found = this.find(from.uint());
        const value = new ValueReader(found.bytes, this.find).read() as object;
        found.note(value);
        return value;
      }
      default:
        throw new Error('no such value');
    }
  }

  private plain(shape: number): object {
    const value: Record<string, unknown> = {};
    for (const key of this.shapes[shape]!) value[key] = this.read();
    return value;
  }
  private learnt(text: string): string {
    if (text.length <= SHORT) this.words.push(text);
    return text;
  }
  private double(): number {
    return new Float64Array(this.from.raw(8).slice().buffer)[0]!;
  }
  private sparse<A extends Packed>(array: A): A {
    const { from } = this;
    for (let at = 0; at < array.length; ) {
      at += from.uint();
      if (at >= array.length) break;
      for (let n = from.uint(); n > 0; n--) {
        const value = from.int();
        array[at++] = Object.is(value, -0) ? this.double() : value;
      }
    }
    return array;
  }
}

const arrays = [Uint8Array, Uint16Array, Int32Array, Float64Array] as const;

function isMostlyZeros(bytes: Uint8Array): boolean {
  let zeros = 0;
  for (let i = 0; i < bytes.length; i++) if (bytes[i] === 0) zeros++;
  return zeros * 2 > bytes.length;
}

function isByteString(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 255) return false;
  return true;
}

/** A page without its runs of zero words: how many words are zeros, how many are not, and these. */
function packed(page: Uint8Array): Uint8Array {
  const words = new DataView(page.buffer, page.byteOffset, PAGE);
  const out = new ByteWriter(256);
  for (let at = 0; at < PAGE; ) {
    const start = at;
    while (at < PAGE && words.getUint32(at, true) === 0) at += 4;
    out.uint((at - start) >> 2);
    if (at === PAGE) break;
    const first = at;
    while (at < PAGE && words.getUint32(at, true) !== 0) at += 4;
    out.uint((at - first) >> 2);
    out.raw(page.subarray(first, at));
  }
  return out.take();
}

function unpacked(bytes: Uint8Array): Uint8Array {
  const from = new ByteReader(bytes);
  const page = new Uint8Array(PAGE);
  for (let at = 0; at < PAGE; ) {
    at += from.uint() * 4;
    if (at >= PAGE) break;
    const words = from.raw(from.uint() * 4);
    page.set(words, at);
    at += words.length;
  }
  return page;
}
