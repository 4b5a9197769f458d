// A file in a database: its bytes, cut into pieces, each under its place.
import type { Bytes, Key } from './database.ts';

/** With its head a piece fills a page of LMDB: whoever reads the header of a block reads no more of the disk than of a file. */
const PIECE = 4096 - 16;
const END = Number.MAX_SAFE_INTEGER;

/** What changes something is called within a transaction. A file that is there has a piece, if only an empty one. */
export class Pieces {
  private readonly bytes: Bytes;
  private readonly run: string;
  private readonly file: string;
  constructor(bytes: Bytes, run: string, file: string) {
    this.bytes = bytes;
    this.run = run;
    this.file = file;
  }

  /** Undefined where there is no such file. */
  get size(): number | undefined {
    const [last] = this.bytes.getRange({ start: this.key(END), end: this.key(-1), reverse: true, limit: 1 });
    return last && last.key[2] + last.value.length;
  }
  /** As many bytes as there are of these. */
  read(at: number, length: number): Uint8Array {
    const into = new Uint8Array(Math.max(0, length));
    let done = 0;
    const start = this.startOf(at);
    if (start === undefined || length <= 0) return into.subarray(0, 0);
    for (const { key, value } of this.bytes.getRange({ start: this.key(start), end: this.key(at + length) })) {
      const from = at + done - key[2];
      if (from > value.length) break;
      const part = value.subarray(from, from + length - done);
      into.set(part, done);
      done += part.length;
    }
    return into.subarray(0, done);
  }

  create(): void {
    this.remove();
    this.put(0, new Uint8Array(0));
  }
  append(added: Uint8Array): void {
    const size = this.size ?? 0;
    if (added.length === 0 && size > 0) return;
    for (let at = 0; at === 0 || at < added.length; at += PIECE) this.put(size + at, added.subarray(at, at + PIECE));
  }
  /** In the place of what stands there. */
  write(at: number, bytes: Uint8Array): void {
    const size = this.size ?? 0;
    const behind = this.read(at + bytes.length, Math.max(0, size - at - bytes.length));
    if (size < at) this.append(new Uint8Array(at - size));
    else if (size > at) this.truncate(at);
    this.append(bytes);
    this.append(behind);
  }
  truncate(size: number): void {
    const start = this.startOf(size);
    const kept = start === undefined ? undefined : this.read(start, size - start);
    for (const key of this.keysFrom(start ?? 0)) void this.bytes.remove(key);
    if (kept && (kept.length > 0 || start === 0)) this.put(start!, kept);
  }
  remove(): void {
    for (const key of this.keysFrom(0)) void this.bytes.remove(key);
  }
  copyTo(other: Pieces): void {
    other.remove();
    for (const key of this.keysFrom(0)) other.put(key[2], this.bytes.get(key)!);
  }

  private key(at: number): Key {
    return [this.run, this.file, at];
  }
  private put(at: number, piece: Uint8Array): void {
    void this.bytes.put(this.key(at), piece);
  }
  /** Where the piece begins that has this byte, or that this byte would follow. */
  private startOf(at: number): number | undefined {
    const [key] = this.bytes.getKeys({ start: this.key(at), end: this.key(-1), reverse: true, limit: 1 });
    return key?.[2];
  }
  /** At once: they are about to change. */
  private keysFrom(at: number): Key[] {
    return Array.from(this.bytes.getKeys({ start: this.key(at), end: this.key(END) }));
  }
}
