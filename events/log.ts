// A run as a file: a header, sealed blocks chained by SHA-256, an END block. Synchronous, and the same in a browser.
//
//   header   "XENOLOG\n"  u32 format  u32 length  u32 crc32(everything before and the JSON)  JSON, `length` bytes of UTF-8
//   block    "XBLK"  u32 kind  u32 length  u32 count  u64 first_seq  u32 crc32(payload)  32 bytes chain  u32 crc32(the 60 bytes before)
//            payload, `length` bytes
//
// chain = SHA-256(chain of the block before, or SHA-256(header) at first; bytes 4 to 27 of this header; payload). All little-endian.
import { sha256 } from '@noble/hashes/sha2.js';
import { byteString, byteStringToText, crc32 } from './bytes.ts';
import { type Blob, BlockDecoder, BlockEncoder, currentShape, type Shape } from './codec.ts';
import { FORMAT_VERSION, upcast } from './upcast.ts';
import type { Fact, Step } from './vocabulary.ts';

/** Blocks hold exactly so many steps; only the last one of a run may hold fewer, so that block boundaries follow from the content. */
export const STEPS_PER_BLOCK = 4096;

/** What a run starts from. It holds no wall time, no host name and no path of the recording machine. */
export interface RunHeader {
  readonly xenolog: string;
  readonly seed: number;
  readonly xen_version: string;
  /** The host's configuration, as `src/scenario` defines it. */
  readonly host: unknown;
  /** The immutable images that the run reads, in the order of their numbers in blobs. */
  readonly images: readonly ImageDigest[];
}
export interface ImageDigest {
  readonly path: string;
  readonly sectors: number;
  readonly sha256: string;
}
/** What a closed log ends with: how far it went, and the state that it led to. */
export interface RunEnd {
  readonly steps: number;
  readonly state: number;
  readonly memory: number;
}

export type Hash = (bytes: Uint8Array) => Uint8Array;

const MAGIC = 'XENOLOG\n';
const HEADER_SIZE = 20;
const BLOCK_MAGIC = 0x4b4c4258; // "XBLK"
const BLOCK_HEADER_SIZE = 64;
const STEPS = 1;
const END = 2;

/** Writes a run block by block into `sink`. */
export class LogWriter {
  private readonly encoder = new BlockEncoder();
  private readonly sink: (bytes: Uint8Array) => void;
  private readonly hash: Hash;
  private chain: Uint8Array;
  private firstSeq = 0;

  constructor(header: RunHeader, sink: (bytes: Uint8Array) => void, hash: Hash = sha256) {
    const bytes = encodeHeader(header);
    this.sink = sink;
    this.hash = hash;
    this.chain = hash(bytes);
    sink(bytes);
  }
  append(step: Step): void {
    this.encoder.add(step);
    if (this.encoder.count === STEPS_PER_BLOCK) this.seal();
  }
  /** A piece of an image that the run has just read for the first time: part of the current block. */
  addBlob(blob: Blob): void {
    this.encoder.addBlob(blob);
  }
  /** Closes the log. */
  end(end: RunEnd): void {
    this.cut();
    this.block(END, 0, new TextEncoder().encode(JSON.stringify(end)));
  }
  /** Seals what there is, without an end: the run stopped for a reason of its own, and whoever reads the log is told that it was cut. */
  cut(): void {
    if (!this.encoder.empty) this.seal();
  }
  private seal(): void {
    const { count } = this.encoder;
    this.block(STEPS, count, this.encoder.flush());
    this.firstSeq += count;
  }
  private block(kind: number, count: number, payload: Uint8Array): void {
    const header = new Uint8Array(BLOCK_HEADER_SIZE);
    const view = new DataView(header.buffer);
    view.setUint32(0, BLOCK_MAGIC, true);
    view.setUint32(4, kind, true);
    view.setUint32(8, payload.length, true);
    view.setUint32(12, count, true);
    view.setBigUint64(16, BigInt(this.firstSeq), true);
    view.setUint32(24, crc32(payload), true);
    this.chain = this.hash(concat(this.chain, header.subarray(4, 28), payload));
    header.set(this.chain, 28);
    view.setUint32(60, crc32(header.subarray(0, 60)), true);
    this.sink(header);
    this.sink(payload);
  }
}

/** Why a log can not be used: what is wrong, where, and what to do. */
export class LogError extends Error {
  override readonly name = 'LogError';
}

interface Block {
  readonly number: number;
  readonly count: number;
  readonly firstSeq: number;
  readonly payload: Uint8Array;
}

/** A log that was opened: its header is read, every block's place, CRC and chain are checked; steps are decoded when asked for. */
export class Log {
  readonly header: RunHeader;
  readonly format: number;
  /** How many whole steps there are. */
  readonly length: number;
  /** How the log was closed; undefined: it was cut. */
  readonly end: RunEnd | undefined;
  /** What was left out at a torn end, for people; undefined where nothing was. */
  readonly torn: string | undefined;
  private readonly blocks: readonly Block[];
  private readonly decoder: BlockDecoder;

  constructor(file: Uint8Array, hash: Hash = sha256) {
    const { header, shape, format, size } = decodeHeader(file);
    this.header = header;
    this.format = format;
    this.decoder = new BlockDecoder(shape);
    const { blocks, end, torn } = readBlocks(file, size, hash);
    this.blocks = blocks;
    this.end = end;
    this.torn = torn;
    const last = blocks[blocks.length - 1];
    this.length = last ? last.firstSeq + last.count : 0;
    if (end && end.steps !== this.length)
      throw new LogError(`the log ends after ${this.length} steps but says it has ${end.steps}`);
  }

  /** Steps from `from` on, block by block. */
  *steps(from = 0): Generator<Step> {
    for (const block of this.blocks) {
      if (block.firstSeq + block.count <= from) continue;
      const steps = this.decoder.steps(block.payload, block.firstSeq);
      if (typeof steps === 'string') throw new LogError(`block ${block.number}: ${steps}`);
      for (const step of steps) if (step.seq >= from) yield this.format < FORMAT_VERSION ? upcast(step, this.format) : step;
    }
  }
  /** Applies the facts of the steps from `from` up to (and without) `to` in order, reading nothing else. */
  facts(apply: (fact: Fact, seq: number) => void, from = 0, to = this.length): void {
    const within = (fact: Fact, seq: number): void => {
      if (seq >= from && seq < to) apply(fact, seq);
    };
    if (this.format < FORMAT_VERSION) {
      for (const step of this.steps(from)) for (const fact of step.outcome.events ?? []) within(fact, step.seq);
      return;
    }
    for (const { number, firstSeq, count, payload } of this.blocks) {
      if (firstSeq + count <= from || firstSeq >= to) continue;
      const whole = firstSeq >= from && firstSeq + count <= to;
      const problem = this.decoder.facts(payload, firstSeq, whole ? apply : within);
      if (problem !== undefined) throw new LogError(`block ${number}: ${problem}`);
    }
  }
  /** The pieces of images that the log carries. */
  *blobs(): Generator<Blob> {
    for (const block of this.blocks) yield* this.decoder.blobs(block.payload);
  }
}

function encodeHeader(header: RunHeader): Uint8Array {
  const json = new TextEncoder().encode(JSON.stringify({ ...header, vocabulary: currentShape }));
  const bytes = new Uint8Array(HEADER_SIZE + json.length);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < MAGIC.length; i++) bytes[i] = MAGIC.charCodeAt(i);
  view.setUint32(8, FORMAT_VERSION, true);
  view.setUint32(12, json.length, true);
  bytes.set(json, HEADER_SIZE);
  view.setUint32(16, headerCrc(bytes), true);
  return bytes;
}

/** Over everything but the CRC's own four bytes. */
const headerCrc = (bytes: Uint8Array): number => crc32(concat(bytes.subarray(0, 16), bytes.subarray(HEADER_SIZE)));

function decodeHeader(file: Uint8Array): { header: RunHeader; shape: Shape; format: number; size: number } {
  if (byteString(file.subarray(0, MAGIC.length)) !== MAGIC.slice(0, file.length) || file.length === 0)
    throw new LogError('not a Xenolog run: it does not start with "XENOLOG"');
  if (file.length < HEADER_SIZE) throw new LogError(`the header is cut off after ${file.length} bytes; record the run again`);
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const format = view.getUint32(8, true);
  const length = view.getUint32(12, true);
  const whole = file.length >= HEADER_SIZE + length;
  const intact = whole && headerCrc(file.subarray(0, HEADER_SIZE + length)) === view.getUint32(16, true);
  if (intact && format > FORMAT_VERSION)
    throw new LogError(`the log has format ${format}; this xenolog reads up to ${FORMAT_VERSION}: use a newer xenolog`);
  if (!whole && length < file.length + 1e6) throw new LogError('the header is cut off; record the run again');
  if (!intact || format < 1) throw new LogError('the header is damaged: its checksum differs; take another copy of the log');
  const json = JSON.parse(byteStringToText(byteString(file.subarray(HEADER_SIZE, HEADER_SIZE + length))));
  const { vocabulary, ...header } = json as RunHeader & { vocabulary: Shape };
  const shape = JSON.stringify(vocabulary) === JSON.stringify(currentShape) ? currentShape : vocabulary;
  return { header, shape, format, size: HEADER_SIZE + length };
}

function readBlocks(
  file: Uint8Array,
  start: number,
  hash: Hash,
): { blocks: Block[]; end: RunEnd | undefined; torn: string | undefined } {
  const blocks: Block[] = [];
  let chain = hash(file.subarray(0, start));
  let at = start;
  let firstSeq = 0;
  for (let number = 0; at < file.length; number++) {
    const rest = file.length - at;
    if (rest < BLOCK_HEADER_SIZE) return { blocks, end: undefined, torn: cut(number, firstSeq, rest) };
    const header = file.subarray(at, at + BLOCK_HEADER_SIZE);
    const view = new DataView(file.buffer, file.byteOffset + at, BLOCK_HEADER_SIZE);
    const damaged = (what: string): LogError =>
      new LogError(`block ${number} (from step ${firstSeq}) is damaged: ${what}; take another copy of the log`);
    if (view.getUint32(0, true) !== BLOCK_MAGIC || view.getUint32(60, true) !== crc32(header.subarray(0, 60)))
      throw damaged('the checksum of its header differs');
    const length = view.getUint32(8, true);
    if (rest - BLOCK_HEADER_SIZE < length) return { blocks, end: undefined, torn: cut(number, firstSeq, rest) };
    const payload = file.subarray(at + BLOCK_HEADER_SIZE, at + BLOCK_HEADER_SIZE + length);
    if (crc32(payload) !== view.getUint32(24, true)) throw damaged('its checksum differs');
    chain = hash(concat(chain, header.subarray(4, 28), payload));
    if (!chain.every((byte, i) => byte === header[28 + i])) throw damaged('it does not follow the block before (hash chain)');
    at += BLOCK_HEADER_SIZE + length;
    const kind = view.getUint32(4, true);
    if (kind === END) {
      if (at < file.length) throw new LogError(`${file.length - at} bytes follow the end of the log; take another copy of it`);
      return { blocks, end: JSON.parse(byteStringToText(byteString(payload))) as RunEnd, torn: undefined };
    }
    const count = view.getUint32(12, true);
    if (kind !== STEPS || Number(view.getBigUint64(16, true)) !== firstSeq)
      throw damaged('it is not the block that should stand here');
    blocks.push({ number, count, firstSeq, payload });
    firstSeq += count;
  }
  return { blocks, end: undefined, torn: `the log was not closed: it stops after step ${firstSeq - 1}` };
}

const cut = (block: number, firstSeq: number, bytes: number): string =>
  `the log is cut off in block ${block}: ${bytes} bytes are left out, it stops ${firstSeq === 0 ? 'before its first step' : `after step ${firstSeq - 1}`}`;

function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
