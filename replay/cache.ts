// RUN.xlog-cache: checkpoints of a run, kept beside its log. It may be deleted at any time; what is wrong with it costs time and no more.
//
//   header  "XENOCKP\n"  u32 version  32 bytes run  32 bytes layout  u32 crc32(the 76 bytes before)
//   entry   "XCKP"  u32 length  u32 size of table and state  u32 crc32(table and state)  u64 seq  u64 time  4 x u32 digests
//           32 bytes chain  u32 crc32(the 80 bytes before)  then, `length` bytes: table, state, pieces that no earlier entry has
//
// The table says where the checkpoint's pieces are, and each one's CRC: they may belong to earlier entries. An entry with the magic
// "XSTA" has the state alone (tables, records, XenStore), as a fold leaves it; its chain is that of the log's block with the step before
// it. Others have zeros there: the log has digests for their moment.

import type { Digest } from '../events/block.ts';
import { ByteReader, ByteWriter, byteString, bytesOf, crc32, joined, sameBytes } from '../events/bytes.ts';
import type { Ns } from '../events/units.ts';
import type { Checkpoint } from '../machines/system/dispatcher.ts';
import type { HostSnapshot } from '../src/host.ts';
import { checkpointLayout, writeCheckpoint, writeState } from './checkpoint.ts';
import { type Pieces, ValueReader } from './values.ts';

/** What a cache is kept in: a file, or memory. Calls throw what the system says. */
export interface CacheMedium {
  readonly size: number;
  read(at: number, length: number): Uint8Array;
  /** Replaces everything behind `at`. */
  write(at: number, bytes: Uint8Array): void;
}

/** A checkpoint that is there. */
export interface CachedCheckpoint {
  readonly seq: number;
  readonly time: Ns;
  readonly digest: Digest;
  /** Of a state alone: the chain value of the block with the step before it, `Log.chainWith`. */
  readonly chain?: Uint8Array;
}

interface Entry extends CachedCheckpoint {
  readonly whole: boolean;
  readonly at: number;
  readonly metaSize: number;
  readonly metaCrc: number;
}
interface Place {
  readonly at: number;
  readonly length: number;
  readonly crc: number;
}

const MAGIC = 'XENOCKP\n';
const VERSION = 2;
const HEADER_SIZE = 80;
const ENTRY_MAGIC = 0x504b4358; // "XCKP"
const STATE_MAGIC = 0x41545358; // "XSTA"
const ENTRY_SIZE = 84;
const CHAIN_AT = 48;
const ENTRY_CRC_AT = 80;
/** Beyond this size a cache begins anew. */
const MOST_BYTES = 1 << 30;
/** Pieces with less than this between them are read at once. */
const NEAR = 1 << 16;

export class CheckpointCache {
  /** What was wrong with what was found, for people; undefined where nothing was. */
  readonly problem: string | undefined;
  private readonly medium: CacheMedium;
  private readonly run: Uint8Array;
  private readonly mostBytes: number;
  private entries: Entry[] = [];
  private known = new WeakMap<object, Place>();
  /** Where the next entry goes; 0 where there is no header yet. */
  private end = 0;

  /** @param run SHA-256 of the header of the run's first file, as 64 hexadecimal digits: `Log.run` */
  constructor(medium: CacheMedium, run: string, mostBytes = MOST_BYTES) {
    this.medium = medium;
    this.run = Uint8Array.from(run.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16));
    this.mostBytes = mostBytes;
    this.problem = this.open();
  }

  /** Oldest first. */
  list(): readonly CachedCheckpoint[] {
    return this.entries.filter(({ whole }) => whole).sort((a, b) => a.seq - b.seq);
  }

  /** Adds a checkpoint. What it has in common with earlier ones is not written again. */
  write(checkpoint: Checkpoint, digest: Digest): void {
    const { seq, now } = checkpoint;
    if (this.entries.some((entry) => entry.whole && entry.seq === seq)) return;
    if (this.end > this.mostBytes) this.end = 0;
    this.add(ENTRY_MAGIC, { seq, time: now, digest }, (pieces) => writeCheckpoint(checkpoint, pieces));
  }
  /**
   * Adds a state as it was before step `seq`, unless there is one, or no room. `digest` is that of the host that has it, `chain` what
   * `Log.chainWith` says of the step before.
   */
  writeState(seq: number, state: HostSnapshot, digest: number, chain: Uint8Array): void {
    if (this.end > this.mostBytes || this.entries.some((entry) => entry.seq === seq)) return;
    const digests = { seq, state: digest, memory: 0, actors: 0, executors: 0 };
    this.add(STATE_MAGIC, { seq, time: 0, digest: digests, chain }, (pieces) => writeState(state, pieces));
  }

  private add(magic: number, { seq, time, digest, chain }: CachedCheckpoint, write: (pieces: Pieces) => Uint8Array): void {
    if (this.end === 0) this.begin();
    const places: (Place | number)[] = [];
    const fresh: Uint8Array[] = [];
    const numbers = new Map<object, number>();
    const values: object[] = [];
    const state = write({
      put: (value, encode) => {
        let number = numbers.get(value);
        if (number !== undefined) return number;
        const place = this.known.get(value);
        if (place) number = places.push(place) - 1;
        else {
          number = places.push(fresh.push(encode()) - 1) - 1;
          values.push(value);
        }
        numbers.set(value, number);
        return number;
      },
    });
    // Where new pieces will stand depends on the size of the table, which has the places of new pieces counted from its own end.
    const crcs = fresh.map((piece) => crc32(piece));
    const table = new ByteWriter(1024);
    table.uint(places.length);
    for (const place of places) {
      if (typeof place === 'number') {
        table.uint(0);
        table.uint(fresh[place]!.length);
        table.uint(crcs[place]!);
      } else {
        table.uint(place.at);
        table.uint(place.length);
        table.uint(place.crc);
      }
    }
    const meta = joined([table.view(), state]);
    const head = new Uint8Array(ENTRY_SIZE);
    const view = new DataView(head.buffer);
    view.setUint32(0, magic, true);
    view.setUint32(4, meta.length + fresh.reduce((sum, { length }) => sum + length, 0), true);
    view.setUint32(8, meta.length, true);
    view.setUint32(12, crc32(meta), true);
    view.setBigUint64(16, BigInt(seq), true);
    view.setBigUint64(24, BigInt(time), true);
    for (const [i, number] of [digest.state, digest.memory, digest.actors, digest.executors].entries())
      view.setUint32(32 + 4 * i, number, true);
    if (chain) head.set(chain, CHAIN_AT);
    view.setUint32(ENTRY_CRC_AT, crc32(head.subarray(0, ENTRY_CRC_AT)), true);
    const at = this.end;
    this.medium.write(at, joined([head, meta, ...fresh]));
    let place = at + ENTRY_SIZE + meta.length;
    for (const [i, { length }] of fresh.entries()) {
      this.known.set(values[i]!, { at: place, length, crc: crcs[i]! });
      place += length;
    }
    this.end = place;
    const whole = magic === ENTRY_MAGIC;
    this.entries.push({ seq, time, digest, ...(chain && { chain }), whole, at, metaSize: meta.length, metaCrc: crc32(meta) });
  }

  /** A checkpoint as it was written; undefined where it is not there, or damaged. */
  read(seq: number): Checkpoint | undefined {
    const entry = this.entries.find((one) => one.whole && one.seq === seq);
    return entry && (this.readEntry(entry) as Checkpoint | undefined);
  }

  /** The newest state at or before step `seq` that is whole and `fits`, and the digest that the host has to have with it. */
  stateBefore(
    seq: number,
    fits: (found: CachedCheckpoint) => boolean,
  ): { readonly seq: number; readonly digest: number; readonly state: HostSnapshot } | undefined {
    for (const entry of this.entries.filter((one) => one.seq <= seq).sort((a, b) => b.seq - a.seq)) {
      if (!fits(entry)) continue;
      const value = this.readEntry(entry);
      const state = entry.whole ? (value as Checkpoint | undefined)?.host : (value as HostSnapshot | undefined);
      if (state) return { seq: entry.seq, digest: entry.digest.state, state };
    }
    return undefined;
  }
  /** What is at `seq` is not what it says: nobody is to use it again. */
  forget(seq: number): void {
    this.entries = this.entries.filter((entry) => entry.seq !== seq);
  }

  private readEntry(entry: Entry): unknown {
    try {
      return this.readValue(entry);
    } catch {
      // Bytes whose checksums are right and that are no checkpoint: damaged all the same.
      return undefined;
    }
  }

  private readValue({ at, metaSize, metaCrc }: Entry): unknown {
    const meta = this.medium.read(at + ENTRY_SIZE, metaSize);
    if (meta.length !== metaSize || crc32(meta) !== metaCrc) return undefined;
    const table = new ByteReader(meta);
    let own = at + ENTRY_SIZE + metaSize;
    const places = Array.from({ length: table.uint() }, () => {
      const place = { at: table.uint(), length: table.uint(), crc: table.uint() };
      if (place.at !== 0) return place;
      own += place.length;
      return { ...place, at: own - place.length };
    });
    const pieces = this.readPieces(places);
    if (!pieces) return undefined;
    const reader = new ValueReader(table.raw(table.rest), (number) => ({
      bytes: pieces[number]!,
      note: (value) => {
        this.known.set(value, places[number]!);
      },
    }));
    return reader.read();
  }

  /** All pieces, in few reads; undefined where one is damaged. */
  private readPieces(places: readonly Place[]): Uint8Array[] | undefined {
    const pieces: Uint8Array[] = new Array(places.length);
    const order = places.map((_, number) => number).sort((a, b) => places[a]!.at - places[b]!.at);
    for (let i = 0; i < order.length; ) {
      const first = places[order[i]!]!;
      let end = first.at + first.length;
      let next = i + 1;
      for (; next < order.length && places[order[next]!]!.at - end < NEAR; next++)
        end = Math.max(end, places[order[next]!]!.at + places[order[next]!]!.length);
      const bytes = this.medium.read(first.at, end - first.at);
      for (; i < next; i++) {
        const { at, length, crc } = places[order[i]!]!;
        const piece = bytes.subarray(at - first.at, at - first.at + length);
        if (piece.length !== length || crc32(piece) !== crc) return undefined;
        pieces[order[i]!] = piece;
      }
    }
    return pieces;
  }

  private begin(): void {
    const header = new Uint8Array(HEADER_SIZE);
    const view = new DataView(header.buffer);
    header.set(bytesOf(MAGIC));
    view.setUint32(8, VERSION, true);
    header.set(this.run, 12);
    header.set(checkpointLayout(), 44);
    view.setUint32(76, crc32(header.subarray(0, 76)), true);
    this.medium.write(0, header);
    this.end = HEADER_SIZE;
    this.entries = [];
    this.known = new WeakMap();
  }

  /** Looks what is there; what is wrong with it is written over. */
  private open(): string | undefined {
    const { medium } = this;
    if (medium.size === 0) return undefined;
    const header = medium.read(0, HEADER_SIZE);
    const view = new DataView(header.buffer, header.byteOffset, header.byteLength);
    if (
      header.length < HEADER_SIZE ||
      byteString(header.subarray(0, MAGIC.length)) !== MAGIC ||
      view.getUint32(76, true) !== crc32(header.subarray(0, 76))
    )
      return 'its header is damaged';
    if (!sameBytes(header.subarray(12, 44), this.run)) return 'it belongs to another run';
    if (view.getUint32(8, true) !== VERSION || !sameBytes(header.subarray(44, 76), checkpointLayout()))
      return 'another version of xenolog has made it';
    this.end = HEADER_SIZE;
    while (this.end < medium.size) {
      const entry = entryAt(medium, this.end);
      if (!entry) return `it is damaged after ${this.entries.length} checkpoints`;
      this.entries.push(entry.entry);
      this.end = entry.end;
    }
    return undefined;
  }
}

function entryAt(medium: CacheMedium, at: number): { entry: Entry; end: number } | undefined {
  const head = medium.read(at, ENTRY_SIZE);
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  if (head.length < ENTRY_SIZE || view.getUint32(ENTRY_CRC_AT, true) !== crc32(head.subarray(0, ENTRY_CRC_AT))) return undefined;
  const magic = view.getUint32(0, true);
  if (magic !== ENTRY_MAGIC && magic !== STATE_MAGIC) return undefined;
  const end = at + ENTRY_SIZE + view.getUint32(4, true);
  if (end > medium.size) return undefined;
  const seq = Number(view.getBigUint64(16, true));
  const [state, memory, actors, executors] = [32, 36, 40, 44].map((offset) => view.getUint32(offset, true)) as [
    number,
    number,
    number,
    number,
  ];
  const whole = magic === ENTRY_MAGIC;
  const entry = {
    seq,
    time: Number(view.getBigUint64(24, true)),
    digest: { seq, state, memory, actors, executors },
    ...(!whole && { chain: head.slice(CHAIN_AT, CHAIN_AT + 32) }),
  };
  return {
    entry: { ...entry, whole, at, metaSize: view.getUint32(8, true), metaCrc: view.getUint32(12, true) },
    end,
  };
}

/** A cache in memory. */
export class MemoryMedium implements CacheMedium {
  private bytes: Uint8Array;
  constructor(bytes: Uint8Array = new Uint8Array(0)) {
    this.bytes = bytes;
  }
  get size(): number {
    return this.bytes.length;
  }
  read(at: number, length: number): Uint8Array {
    return this.bytes.slice(at, at + length);
  }
  write(at: number, bytes: Uint8Array): void {
    this.bytes = joined([this.bytes.subarray(0, at), bytes]);
  }
}
