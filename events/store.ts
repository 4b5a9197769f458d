// Where a run goes: one interface for files, memory, and whatever else keeps bytes. The format is that of `log.ts`, everywhere.
import { sha256 } from '@noble/hashes/sha2.js';
import { crc32 } from './bytes.ts';
import { type Blob, BlockEncoder } from './codec.ts';
import { type Hash, Log, LogWriter, type RunEnd, type RunHeader, STEPS_PER_BLOCK } from './log.ts';
import type { Step } from './vocabulary.ts';

/** Takes one run. Nothing in it throws: the first problem stays, what comes after it is not taken, and every answer tells of it. */
export interface RunSink {
  /** Takes the next step. It is safe when `acknowledge` has said so, and not before. */
  append(step: Step): void;
  /** Takes a piece of an image that was read for the first time: before the step that was made with it. */
  addBlob(blob: Blob): void;
  /** Makes every step so far as safe as the store promises. What a step has led to may leave the host when this has answered `ok`. */
  acknowledge(): Acknowledged;
  /** Ends the store without ending the run: what there is gets sealed, and whoever reads it is told that the run was cut. */
  seal(): Acknowledged;
  /** Ends the run. */
  close(end: RunEnd): Acknowledged;
}

/** A `RunSink` that can be read, at any time: at least every acknowledged step is there. */
export interface EventStore extends RunSink {
  /** @throws LogError where what was kept is no whole log any more */
  read(): Log;
}

/** How far a run is safe: steps 0 to `steps` - 1. */
export type Acknowledged =
  | { readonly ok: true; readonly steps: number }
  | { readonly ok: false; readonly steps: number; readonly problem: StoreProblem };

/** What failed: the call of the operating system, the file, and what it answered (`ENOSPC`, `EIO`). */
export interface StoreProblem {
  readonly call: string;
  readonly path: string;
  readonly code: string;
}

/** Hands a log on, block by block, to a function that promises nothing. */
export class StreamSink implements RunSink {
  private readonly writer: LogWriter;
  private steps = 0;
  constructor(header: RunHeader, sink: (bytes: Uint8Array) => void, hash: Hash = sha256) {
    this.writer = new LogWriter(header, sink, hash);
  }
  append(step: Step): void {
    this.writer.append(step);
    this.steps++;
  }
  addBlob(blob: Blob): void {
    this.writer.addBlob(blob);
  }
  acknowledge(): Acknowledged {
    return { ok: true, steps: this.steps };
  }
  seal(): Acknowledged {
    this.writer.cut();
    return this.acknowledge();
  }
  close(end: RunEnd): Acknowledged {
    this.writer.end(end);
    return this.acknowledge();
  }
}

/** A run in memory, for browsers and tests. It is as safe as the process. */
export class MemoryStore implements EventStore {
  private readonly parts: Uint8Array[] = [];
  private readonly stream: StreamSink;
  private readonly hash: Hash;
  /** Since the last sealed block. */
  private open = new OpenBlock();
  private ended = false;
  constructor(header: RunHeader, hash: Hash = sha256) {
    this.hash = hash;
    this.stream = new StreamSink(header, (bytes) => this.parts.push(bytes), hash);
  }
  append(step: Step): void {
    if (this.ended) return;
    this.stream.append(step);
    this.open.append(step);
    if (this.open.full) this.open = new OpenBlock();
  }
  addBlob(blob: Blob): void {
    if (this.ended) return;
    this.stream.addBlob(blob);
    this.open.addBlob(blob);
  }
  acknowledge(): Acknowledged {
    return this.stream.acknowledge();
  }
  seal(): Acknowledged {
    if (this.ended) return this.acknowledge();
    this.ended = true;
    this.open = new OpenBlock();
    return this.stream.seal();
  }
  close(end: RunEnd): Acknowledged {
    if (this.ended) return this.acknowledge();
    this.ended = true;
    this.open = new OpenBlock();
    return this.stream.close(end);
  }
  read(): Log {
    return new Log(this.bytes(), this.hash);
  }
  /** The log as a file has it, with a last block of the steps that are not sealed yet. */
  bytes(): Uint8Array {
    const sealed = joined(this.parts);
    return this.open.empty ? sealed : joined([sealed, ...this.open.block(sealedPart(sealed, this.hash), this.hash)]);
  }
}

/** The steps after the last sealed block and the blobs between them, in their order. */
export class OpenBlock {
  private readonly rows: (Step | Blob)[] = [];
  steps = 0;
  append(step: Step): void {
    this.rows.push(step);
    this.steps++;
  }
  addBlob(blob: Blob): void {
    this.rows.push(blob);
  }
  get full(): boolean {
    return this.steps === STEPS_PER_BLOCK;
  }
  get empty(): boolean {
    return this.rows.length === 0;
  }
  /** The block that they are, as it follows the sealed ones: its header and its payload. */
  block({ steps, chain }: Pick<SealedPart, 'steps' | 'chain'>, hash: Hash): [header: Uint8Array, payload: Uint8Array] {
    const encoder = new BlockEncoder();
    for (const row of this.rows)
      if ('seq' in row) encoder.add(row);
      else encoder.addBlob(row);
    const payload = encoder.flush();
    const header = new Uint8Array(BLOCK_HEADER_SIZE);
    const view = new DataView(header.buffer);
    view.setUint32(0, BLOCK_MAGIC, true);
    view.setUint32(4, STEPS, true);
    view.setUint32(8, payload.length, true);
    view.setUint32(12, this.steps, true);
    view.setBigUint64(16, BigInt(steps), true);
    view.setUint32(24, crc32(payload), true);
    header.set(hash(joined([chain, header.subarray(4, 28), payload])), CHAIN_AT);
    view.setUint32(60, crc32(header.subarray(0, 60)), true);
    return [header, payload];
  }
}

/** What of a log is whole: where it ends, how many steps it has, and the chain that the next block follows. */
export interface SealedPart {
  /** In bytes. */
  readonly size: number;
  readonly steps: number;
  readonly chain: Uint8Array;
  /** SHA-256 of the header: which run it is. */
  readonly run: Uint8Array;
  /** Every chain value that a block followed, and how many steps there were before it. */
  readonly before: readonly { readonly chain: Uint8Array; readonly steps: number }[];
}

/** The sealed blocks of a file that `Log` has taken: only their places and chains are looked at here. */
export function sealedPart(file: Uint8Array, hash: Hash = sha256): SealedPart {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  let size = HEADER_SIZE + view.getUint32(12, true);
  const run = hash(file.subarray(0, size));
  const before: { chain: Uint8Array; steps: number }[] = [];
  let chain = run;
  let steps = 0;
  while (size + BLOCK_HEADER_SIZE <= file.length) {
    const end = size + BLOCK_HEADER_SIZE + view.getUint32(size + 8, true);
    if (end > file.length || view.getUint32(size + 4, true) !== STEPS) break;
    before.push({ chain, steps });
    steps += view.getUint32(size + 12, true);
    chain = chainOf(file.subarray(size));
    size = end;
  }
  return { size, steps, chain, run, before };
}

/** The chain value in the header of a block. */
export const chainOf = (block: Uint8Array): Uint8Array => block.slice(CHAIN_AT, CHAIN_AT + 32);

/** Pieces of bytes as one. */
export function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

// As `log.ts` lays blocks out.
const HEADER_SIZE = 20;
const BLOCK_MAGIC = 0x4b4c4258; // "XBLK"
const BLOCK_HEADER_SIZE = 64;
const CHAIN_AT = 28;
const STEPS = 1;
