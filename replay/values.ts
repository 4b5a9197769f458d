// Plain data as bytes: what a checkpoint is made of. Numbers, strings, arrays, objects, maps, sets and typed arrays; nothing else.
import { ByteReader, ByteWriter, byteString } from '../events/bytes.ts';
import { HypervisorBug } from '../events/step.ts';
import type { Packed } from '../src/tables/table.ts';
import type { SavedNode } from '../src/xenstore/tree.ts';
import { nodesFromBytes, nodesToBytes } from './nodes.ts';

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
const moreTags = ['array', 'object', 'shaped', 'map', 'set', 'bytes', 'packed', 'page', 'piece', 'nodes'] as const;
const tag = Object.fromEntries([...tags, ...moreTags].map((name, number) => [name, number])) as Readonly<
  Record<(typeof tags)[number] | (typeof moreTags)[number], number>
>;

/** How a value is written that becomes a piece: as what `form` makes of it, or a part of XenStore. */
export type PieceForm = ((value: object) => unknown) | 'nodes';

/** Keys of what there is most of. */
const knownShapes: readonly (readonly string[])[] = [
  ['chunks', 'owners', 'used', 'spare'],
  ['rows', 'columns'],
  ['kind', 'snapshot'],
  ['status', 'value', 'context', 'output', 'error', 'historyValue', 'children'],
];

/** Strings up to this length are written once and then by number. */
const SHORT = 24;
const PAGE = 4096;

/** Writes values one after the other. Every page of 4096 bytes, and what `forms` has, becomes a piece. */
export class ValueWriter {
  private readonly out: ByteWriter;
  /** Lists of keys, each of which has a number: those that both sides know, and those that were written. */
  private shapes: (readonly string[])[] = [...knownShapes];
  private readonly words = new Map<string, number>();
  private readonly pieces: Pieces | undefined;
  private readonly forms: ReadonlyMap<object, PieceForm> | undefined;
  /** Writes one piece after the other. */
  private inner: ValueWriter | undefined;

  /** `forms`: the values that become pieces. */
  constructor(pieces?: Pieces, forms?: ReadonlyMap<object, PieceForm>) {
    this.out = new ByteWriter(pieces ? 1 << 16 : 1 << 9);
    this.pieces = pieces;
    this.forms = forms;
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
    const form = this.forms?.get(value);
    if (form !== undefined) {
      out.uint(form === 'nodes' ? tag.nodes : tag.piece);
      out.uint(pieces!.put(value, () => (form === 'nodes' ? nodesToBytes(value as SavedNode) : this.piece(form(value)))));
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

  private piece(form: unknown): Uint8Array {
    this.inner ??= new ValueWriter();
    const { inner } = this;
    inner.out.clear();
    inner.shapes.length = knownShapes.length;
    inner.words.clear();
    inner.write(form);
    return inner.take();
  }

  private plain(value: Readonly<Record<string, unknown>>): void {
    const { out } = this;
    const keys = Object.keys(value);
    const { shapes } = this;
    let shape = shapes.length - 1;
    while (shape >= 0 && !sameKeys(shapes[shape]!, keys)) shape--;
    if (shape < 0) {
      shapes.push(keys);
      out.uint(tag.object);
      out.uint(keys.length);
      for (const key of keys) this.text(key);
    } else {
      out.uint(tag.shaped);
      out.uint(shape);
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

/** Bytes that are no plain data as it is written here. */
export class NoValue extends Error {
  override readonly name = 'NoValue';
}

/** How much memory some bytes may come to be: much more than they are themselves, but not without end. */
class Room {
  private left = 2 ** 24;
  /** A page or a part of a column that has one number in it takes some ten bytes. */
  grow(bytes: number): void {
    this.left += bytes * 4096;
  }
  take(bytes: number): void {
    this.left -= bytes;
    if (!(this.left >= 0)) throw new NoValue('too much memory for so few bytes');
  }
}

/** Deeper than this, nothing of ours is nested: XenStore is, in objects and lists of them, as deep as a path of 3072 bytes can be. */
const MOST_DEPTH = 2 * 1536 + 64;
/** Longer than this, in digits, no number is. */
const MOST_DIGITS = 1024;

/** Reads what `ValueWriter` wrote, and of anything else either plain data or a `NoValue`. */
export class ValueReader {
  private readonly from: ByteReader;
  private readonly shapes: (readonly string[])[] = [...knownShapes];
  private readonly words: string[] = [];
  private readonly find: (number: number) => FoundPiece;
  private readonly room: Room;
  /** What was read of pieces: whoever had one twice has it twice again. */
  private readonly made = new Map<string, object>();
  private depth = 0;
  constructor(bytes: Uint8Array, find: (number: number) => FoundPiece, room = new Room()) {
    this.from = new ByteReader(bytes);
    this.find = find;
    this.room = room;
    room.grow(bytes.length);
  }

  /** @throws NoValue */
  read(): unknown {
    if (++this.depth > MOST_DEPTH) throw new NoValue('too deep');
    const value = this.value();
    if (this.from.overrun) throw new NoValue('too short');
    this.depth--;
    return value;
  }

  private value(): unknown {
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
      case tag.bigint: {
        const digits = byteString(from.raw(this.count(MOST_DIGITS)));
        if (!/^-?\d+$/.test(digits)) throw new NoValue('no number');
        return BigInt(digits);
      }
      case tag.text:
        return this.learnt(byteString(from.raw(this.count())));
      case tag.wide: {
        let text = '';
        for (let n = this.count(); n > 0; n--) text += String.fromCharCode(from.uint());
        return this.learnt(text);
      }
      case tag.known:
        return this.known(this.words, from.uint());
      case tag.array:
        return Array.from({ length: this.count() }, () => this.read());
      case tag.object: {
        const keys: string[] = [];
        const shape = this.shapes.length;
        this.shapes.push(keys);
        for (let n = this.count(); n > 0; n--) {
          const key = this.read();
          if (typeof key !== 'string') throw new NoValue('no key');
          keys.push(key);
        }
        return this.plain(shape);
      }
      case tag.shaped:
        return this.plain(from.uint());
      case tag.map: {
        const map = new Map<unknown, unknown>();
        for (let n = this.count(); n > 0; n--) {
          const key = this.read();
          map.set(key, this.read());
        }
        return map;
      }
      case tag.set: {
        const set = new Set<unknown>();
        for (let n = this.count(); n > 0; n--) set.add(this.read());
        return set;
      }
      case tag.bytes:
        return from.raw(this.count()).slice();
      case tag.packed: {
        const kind = this.known(arrays, from.uint());
        const length = from.uint();
        this.room.take(length * kind.BYTES_PER_ELEMENT);
        return this.sparse(new kind(length));
      }
      case tag.page:
        return this.piece('page', (bytes) => {
          this.room.take(PAGE);
          return unpacked(bytes);
        });
      case tag.piece:
        return this.piece('piece', (bytes) => {
          const value = new ValueReader(bytes, noPieces, this.room).read();
          if (typeof value !== 'object' || value === null) throw new NoValue('no piece');
          return value;
        });
      case tag.nodes:
        return this.piece('nodes', nodesFromBytes);
      default:
        throw new NoValue('no such value');
    }
  }

  /** How many follow: no more than there are bytes. */
  private count(most = this.from.rest): number {
    const count = this.from.uint();
    if (!(count <= Math.min(most, this.from.rest))) throw new NoValue('too short');
    return count;
  }
  private known<T>(all: readonly T[], number: number): T {
    const one = all[number];
    if (one === undefined) throw new NoValue('nothing of this number');
    return one;
  }
  private piece(form: string, read: (bytes: Uint8Array) => object): object {
    const number = this.from.uint();
    const key = `${form} ${number}`;
    const known = this.made.get(key);
    if (known) return known;
    const found = this.find(number);
    const value = read(found.bytes);
    found.note(value);
    this.made.set(key, value);
    return value;
  }
  private plain(shape: number): object {
    const value: Record<string, unknown> = {};
    for (const key of this.known(this.shapes, shape)) {
      if (key === '__proto__') Object.defineProperty(value, key, { ...own, value: this.read() });
      else value[key] = this.read();
    }
    return value;
  }
  private learnt(text: string): string {
    if (text.length <= SHORT) this.words.push(text);
    return text;
  }
  private double(): number {
    const bytes = this.from.raw(8);
    if (bytes.length < 8) throw new NoValue('too short');
    return new Float64Array(bytes.slice().buffer)[0]!;
  }
  private sparse<A extends Packed>(array: A): A {
    const { from } = this;
    for (let at = 0; at < array.length; ) {
      at += from.uint();
      if (!(at < array.length)) break;
      if (from.overrun) throw new NoValue('too short');
      for (let n = from.uint(); n > 0; n--) {
        if (at === array.length) throw new NoValue('too long');
        const value = from.int();
        array[at++] = Object.is(value, -0) ? this.double() : value;
      }
    }
    return array;
  }
}
const own = { enumerable: true, configurable: true, writable: true } as const;
const noPieces = (): never => {
  throw new NoValue('a piece in a piece');
};

const arrays = [Uint8Array, Uint16Array, Int32Array, Float64Array] as const;

function sameKeys(a: readonly string[], b: readonly string[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

function isMostlyZeros(bytes: Uint8Array): boolean {
  let zeros = 0;
  for (let i = 0; i < bytes.length; i++) if (bytes[i] === 0) zeros++;
  return zeros * 2 > bytes.length;
}

function isByteString(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 255) return false;
  return true;
}

// One writer for all pages.
const packedPage = new ByteWriter(2 * PAGE);

/** A page without its runs of zero words: how many words are zeros, how many are not, and these. */
function packed(page: Uint8Array): Uint8Array {
  const aligned = (page.byteOffset & 3) === 0 ? page : page.slice();
  const words = new Int32Array(aligned.buffer, aligned.byteOffset, PAGE >> 2);
  const count = words.length;
  packedPage.clear();
  for (let at = 0; at < count; ) {
    const start = at;
    while (at < count && words[at] === 0) at++;
    packedPage.uint(at - start);
    if (at === count) break;
    const first = at;
    while (at < count && words[at] !== 0) at++;
    packedPage.uint(at - first);
    packedPage.raw(page.subarray(first << 2, at << 2));
  }
  return packedPage.take();
}

function unpacked(bytes: Uint8Array): Uint8Array {
  const from = new ByteReader(bytes);
  const page = new Uint8Array(PAGE);
  for (let at = 0; at < PAGE; ) {
    at += from.uint() * 4;
    if (at >= PAGE) break;
    const words = from.raw(from.uint() * 4);
    if (from.overrun || words.length === 0 || !(at + words.length <= PAGE)) throw new NoValue('no page');
    page.set(words, at);
    at += words.length;
  }
  return page;
}
