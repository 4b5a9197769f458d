// Machine memory as bytes: 4 KiB frames, copied on the first write after a mark or a snapshot.
import { type Mfn, PAGE_SIZE } from '../../events/units.ts';
import type { Journal } from '../tables/journal.ts';
import { mix } from '../tables/table.ts';

/** What rings and drivers need of memory. `mfn` is a machine frame, `offset` a byte offset in it (0 to 4095); all values little-endian. */
export interface Frames {
  get8(mfn: Mfn, offset: number): number;
  get16(mfn: Mfn, offset: number): number;
  get32(mfn: Mfn, offset: number): number;
  get64(mfn: Mfn, offset: number): bigint;
  put8(mfn: Mfn, offset: number, value: number): void;
  put16(mfn: Mfn, offset: number, value: number): void;
  put32(mfn: Mfn, offset: number, value: number): void;
  put64(mfn: Mfn, offset: number, value: bigint): void;
  /** A view of the bytes as they are now; read-only by contract, and not to be kept across a write. */
  read(mfn: Mfn, offset: number, length: number): Uint8Array;
  write(mfn: Mfn, offset: number, bytes: Uint8Array): void;
}

/** A frame's bytes as words, and whose copy they are. */
class Frame extends DataView<ArrayBufferLike> {
  readonly epoch: number;
  readonly bytes: Uint8Array;
  /** Of the content, where it was asked for and nothing was written since. */
  hash: number | undefined;
  constructor(epoch: number, bytes: Uint8Array) {
    super(bytes.buffer, bytes.byteOffset, PAGE_SIZE);
    this.epoch = epoch;
    this.bytes = bytes;
  }
}
const zero = new Frame(-1, new Uint8Array(PAGE_SIZE));
/** No number that anybody asks for: -1 is what a lookup answers that found nothing. */
const NO_MFN = Number.NaN;

export type MemorySnapshot = ReadonlyMap<Mfn, Uint8Array>;

/** All frames of the machine. A frame that was never written reads as zeros and takes no room. */
export class Memory implements Frames {
  private frames = new Map<Mfn, Frame>();
  private readonly journal: Journal;
  private version = 0;
  /** The frame that was looked up last: one operation reads and writes the same few words of one page. */
  private latestMfn: Mfn = NO_MFN;
  private latest: Frame = zero;
  constructor(journal: Journal) {
    this.journal = journal;
  }

  get8(mfn: Mfn, offset: number): number {
    return this.frame(mfn).getUint8(offset);
  }
  get16(mfn: Mfn, offset: number): number {
    return this.frame(mfn).getUint16(offset, true);
  }
  get32(mfn: Mfn, offset: number): number {
    return this.frame(mfn).getUint32(offset, true);
  }
  get64(mfn: Mfn, offset: number): bigint {
    return this.frame(mfn).getBigUint64(offset, true);
  }
  put8(mfn: Mfn, offset: number, value: number): void {
    this.own(mfn).setUint8(offset, value);
  }
  put16(mfn: Mfn, offset: number, value: number): void {
    this.own(mfn).setUint16(offset, value, true);
  }
  put32(mfn: Mfn, offset: number, value: number): void {
    this.own(mfn).setUint32(offset, value, true);
  }
  put64(mfn: Mfn, offset: number, value: bigint): void {
    this.own(mfn).setBigUint64(offset, value, true);
  }
  read(mfn: Mfn, offset: number, length: number): Uint8Array {
    return this.frame(mfn).bytes.subarray(offset, offset + length);
  }
  write(mfn: Mfn, offset: number, bytes: Uint8Array): void {
    this.own(mfn).bytes.set(bytes, offset);
  }

  /** Gives frames back to the machine: from now on they read as zeros. */
  scrub(mfn: Mfn, count: number): void {
    if (count > this.frames.size) {
      for (const held of [...this.frames.keys()]) if (held >= mfn && held < mfn + count) this.drop(held);
    } else for (let i = 0; i < count; i++) this.drop(mfn + i);
  }

  /** Frames that were written since they were last scrubbed, lowest first. */
  resident(): Mfn[] {
    return [...this.frames.keys()].sort((a, b) => a - b);
  }

  digest(): number {
    let hash = 17;
    for (const mfn of this.resident()) {
      const frame = this.frames.get(mfn)!;
      frame.hash ??= contentOf(frame);
      const content = frame.hash;
      if (content !== 0) hash = mix(mix(hash, mfn), content);
    }
    return hash >>> 0;
  }

  /** The frames as they are now. Constant work per frame: later writes copy. */
  snapshot(): MemorySnapshot {
    this.version++;
    return new Map(this.resident().map((mfn) => [mfn, this.frames.get(mfn)!.bytes]));
  }

  restore(snapshot: MemorySnapshot): void {
    this.version++;
    this.latestMfn = NO_MFN;
    this.frames = new Map([...snapshot].map(([mfn, bytes]) => [mfn, new Frame(-1, bytes)]));
  }

  private frame(mfn: Mfn): Frame {
    if (mfn === this.latestMfn) return this.latest;
    const frame = this.frames.get(mfn) ?? zero;
    this.latestMfn = mfn;
    this.latest = frame;
    return frame;
  }

  private own(mfn: Mfn): Frame {
    const epoch = this.journal.epoch + this.version;
    const frame = this.frame(mfn);
    if (frame.epoch === epoch) {
      frame.hash = undefined;
      return frame;
    }
    const owned = new Frame(epoch, frame === zero ? new Uint8Array(PAGE_SIZE) : frame.bytes.slice());
    this.replace(mfn, owned);
    return owned;
  }

  private drop(mfn: Mfn): void {
    if (this.frames.has(mfn)) this.replace(mfn, undefined);
  }

  private replace(mfn: Mfn, frame: Frame | undefined): void {
    const old = this.frames.get(mfn);
    if (this.journal.depth > 0) this.journal.recordUndo(() => this.put(mfn, old));
    this.put(mfn, frame);
  }
  private put(mfn: Mfn, frame: Frame | undefined): void {
    this.latestMfn = NO_MFN;
    if (frame === undefined) this.frames.delete(mfn);
    else this.frames.set(mfn, frame);
  }
}

function contentOf(view: DataView): number {
  let hash = 0;
  for (let offset = 0; offset < PAGE_SIZE; offset += 4) {
    const word = view.getInt32(offset, true);
    if (word !== 0) hash = mix(mix(hash, offset), word);
  }
  return hash;
}
