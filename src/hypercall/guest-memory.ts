// A guest's memory by its own pointers. Nothing here is remembered in a step: what is read becomes the fields of a command.
import { type DomId, type Mfn, PAGE_SHIFT, PAGE_SIZE } from '../../events/units.ts';
import type { Part, Struct, Type, Width } from '../abi/struct.ts';
import type { Xen } from '../core/xen.ts';
import type { Frames } from '../memory/memory.ts';

export interface Place {
  readonly mfn: Mfn;
  readonly offset: number;
}

/**
 * What a guest's pointers mean. The place of one byte, valid for all of its page; undefined where nothing is there, or may not be written.
 * A processor walks the guest's page tables; the kernels of actor guests have none.
 */
export interface AddressSpace {
  translate(pointer: bigint, write: boolean): Place | undefined;
  /** The byte address in the domain's pages that a pointer stands for, for what outlives the call; undefined where there is none. */
  physical(pointer: bigint): bigint | undefined;
}

/** Pointers are byte addresses in the domain's pages: the page number times 4096, and so on. */
export function pseudoPhysical(xen: Xen, domid: DomId): AddressSpace {
  return {
    translate(pointer, write) {
      const gfn = pointer >> BigInt(PAGE_SHIFT);
      const mfn = gfn < LAST_GFN ? xen.p2m.mfn(domid, Number(gfn)) : -1;
      // No guest maps its page tables to write to them.
      return mfn < 0 || (write && xen.mm.isProtected(mfn)) ? undefined : { mfn, offset: Number(pointer & BigInt(PAGE_SIZE - 1)) };
    },
    physical: (pointer) => (pointer >> BigInt(PAGE_SHIFT) < LAST_GFN ? pointer : undefined),
  };
}
/** No page number reaches so far; those from here on are Xen's own notes (src/core/p2m/state.ts, UNPLACED). */
const LAST_GFN = 2n ** 40n;

/** A structure's value: what the fields are is known to whoever declares how it is read. */
export type Plain = Readonly<Record<string, unknown>>;

export class GuestMemory {
  readonly width: Width;
  private readonly frames: Frames;
  private readonly space: AddressSpace;
  constructor(frames: Frames, space: AddressSpace, width: Width) {
    this.frames = frames;
    this.space = space;
    this.width = width;
  }

  /** Bytes from a pointer on, or undefined where not all of them are there. */
  bytes(pointer: bigint, length: number): Uint8Array | undefined {
    const bytes = new Uint8Array(length);
    const isThere = this.pieces(pointer, length, false, (mfn, offset, at, size) => {
      bytes.set(this.frames.read(mfn, offset, size), at);
    });
    return isThere ? bytes : undefined;
  }
  /** Whether all of a range can be read. */
  isBacked(pointer: bigint, length: number): boolean {
    return this.pieces(pointer, length, false, () => {});
  }
  /** Writes all, or (false) nothing. */
  put(pointer: bigint, bytes: Uint8Array): boolean {
    if (!this.pieces(pointer, bytes.length, true, () => {})) return false;
    return this.pieces(pointer, bytes.length, true, (mfn, offset, at, size) => {
      this.frames.write(mfn, offset, bytes.subarray(at, at + size));
    });
  }

  read(struct: Struct<unknown>, pointer: bigint): Plain | undefined {
    const layout = struct[this.width];
    const bytes = this.bytes(pointer, layout.size);
    return bytes && (layout.read(bytes) as Plain);
  }
  /** Writes the given fields of a structure and leaves the others. */
  write(struct: Struct<unknown>, pointer: bigint, fields: Plain): boolean {
    const layout = struct[this.width];
    const bytes = this.bytes(pointer, layout.size);
    if (bytes === undefined) return false;
    layout.write(bytes, fields as Part<unknown>);
    return this.put(pointer, bytes);
  }

  /** Elements of an array, from the first on, as far as they are there. */
  list<T>(type: Type<T>, pointer: bigint, count: number): T[] {
    const layout = type[this.width];
    const values: T[] = [];
    for (let i = 0; i < count; i++) {
      const bytes = this.bytes(pointer + BigInt(i * layout.size), layout.size);
      if (bytes === undefined) break;
      values.push(layout.get(new DataView(bytes.buffer), 0));
    }
    return values;
  }
  /** Writes elements of an array; how many could be. */
  putList<T>(type: Type<T>, pointer: bigint, values: readonly Part<T>[]): number {
    const layout = type[this.width];
    const bytes = new Uint8Array(layout.size);
    const view = new DataView(bytes.buffer);
    for (const [i, value] of values.entries()) {
      layout.put(view, 0, value);
      if (!this.put(pointer + BigInt(i * layout.size), bytes)) return i;
    }
    return values.length;
  }
  physical(pointer: bigint): bigint | undefined {
    return this.space.physical(pointer);
  }

  /** Page by page; false where a page is not there, and then those before it have been visited. */
  private pieces(
    pointer: bigint,
    length: number,
    write: boolean,
    visit: (mfn: Mfn, offset: number, at: number, size: number) => void,
  ): boolean {
    for (let at = 0; at < length; ) {
      const place = this.space.translate(this.wrap(pointer + BigInt(at)), write);
      if (place === undefined) return false;
      const size = Math.min(length - at, PAGE_SIZE - place.offset);
      visit(place.mfn, place.offset, at, size);
      at += size;
    }
    return true;
  }
  private wrap(pointer: bigint): bigint {
    return BigInt.asUintN(this.width === 'x86_64' ? 64 : 32, pointer);
  }
}
