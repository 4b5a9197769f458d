// Where a run goes: one interface for files, memory, and whatever else keeps bytes. The format is that of `log.ts`, everywhere.
import { sha256 } from '@noble/hashes/sha2.js';
import { type Blob, type Digest, STEPS, sealBlock } from './block.ts';
import { BlockEncoder } from './block-encoder.ts';
import { hexOf, joined } from './bytes.ts';
import { type Hash, Log, type LogPlace, LogWriter, type RunEnd, type RunHeader, STEPS_PER_BLOCK } from './log.ts';
import { mergeLog } from './merge.ts';
import type { Shape } from './shape.ts';
import { bytesSource } from './source.ts';
import type { Step } from './vocabulary.ts';

/** Takes one run. Nothing in it throws: the first problem stays, what comes after it is not taken, and every answer tells of it. */
export interface RunSink {
  /** Takes the next step. It is safe when `acknowledge` has said so, and not before. */
  append(step: Step): void;
  /** Takes a piece of an image that was read for the first time: before the step that was made with it. */
  addBlob(blob: Blob): void;
  /** Takes the host's digests before the next step. */
  addDigest(digest: Digest): void;
  /** Makes every step so far as safe as the store promises. What a step has led to may leave the host when this has answered `ok`. */
  acknowledge(): Acknowledged;
  /**
   * Ends what it has, and goes on in a next file of the same run, which starts from a checkpoint of the host as it is now. `end` is how far
   * the run is, with its digests; `checkpoint` is made by `encodeStart`. Every store can; what only hands bytes on has one piece.
   */
  rotate?(end: RunEnd, checkpoint: Uint8Array): Acknowledged;
  /** Ends the store without ending the run: what there is gets sealed, and whoever reads it is told that the run was cut. */
  seal(): Acknowledged;
  /** Ends the run. */
  close(end: RunEnd): Acknowledged;
}

/** A `RunSink` that can be read, at any time: at least every acknowledged step is there. */
export interface EventStore extends RunSink {
  rotate(end: RunEnd, checkpoint: Uint8Array): Acknowledged;
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
  private steps: number;
  /** `start`: the checkpoint that it starts from, where it follows another file. */
  constructor(header: RunHeader, sink: (bytes: Uint8Array) => void, hash: Hash = sha256, start?: Uint8Array) {
    this.writer = new LogWriter(header, sink, hash, start);
    this.steps = this.writer.place.steps;
  }
  append(step: Step): void {
    this.writer.append(step);
    this.steps++;
  }
  addBlob(blob: Blob): void {
    this.writer.addBlob(blob);
  }
  addDigest(digest: Digest): void {
    this.writer.addDigest(digest);
  }
  /** Where the next block will stand. */
  get place(): LogPlace {
    return this.writer.place;
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

/** A run in memory, for browsers and tests: in parts where it was rotated. It is as safe as the process. */
export class MemoryStore implements EventStore {
  private readonly header: RunHeader;
  private readonly hash: Hash;
  /** What the files before this one would be. */
  private readonly before: Uint8Array[] = [];
  /** Of the part that is written now. */
  private made: Uint8Array[] = [];
  private stream: StreamSink;
  private readonly run: string;
  /** Since the last sealed block. */
  private open = new OpenBlock();
  private ended = false;
  constructor(header: RunHeader, hash: Hash = sha256) {
    this.header = header;
    this.hash = hash;
    this.stream = this.begin(header);
    this.run = header.part?.run ?? hexOf(this.stream.place.chain);
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
  addDigest(digest: Digest): void {
    if (this.ended) return;
    this.stream.addDigest(digest);
    this.open.addDigest(digest);
  }
  acknowledge(): Acknowledged {
    return this.stream.acknowledge();
  }
  rotate(end: RunEnd, checkpoint: Uint8Array): Acknowledged {
    if (this.ended) return this.acknowledge();
    this.stream.close({ ...end, continued: true });
    this.before.push(joined(this.made));
    this.made = [];
    this.open = new OpenBlock();
    const { steps, chain } = this.stream.place;
    const number = this.before.length + (this.header.part?.number ?? 1);
    const part = { number, first: steps, run: this.run, follows: hexOf(chain) };
    this.stream = this.begin({ ...this.header, part }, checkpoint);
    return this.acknowledge();
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
    return new Log(this.files().map(bytesSource), this.hash);
  }
  /** The files that the run would be, in their order: the last one with a last block of the steps that are not sealed yet. */
  files(): readonly Uint8Array[] {
    const tail = this.open.empty ? [] : this.open.block(this.stream.place, this.hash);
    return [...this.before, joined([...this.made, ...tail])];
  }
  /** The log as one file, also where the run was rotated. */
  bytes(): Uint8Array {
    const [first, ...later] = this.files();
    if (later.length === 0) return first!;
    const merged: Uint8Array[] = [];
    mergeLog(this.read(), (bytes) => merged.push(bytes), this.hash);
    return joined(merged);
  }
  private begin(header: RunHeader, start?: Uint8Array): StreamSink {
    return new StreamSink(header, (bytes) => this.made.push(bytes), this.hash, start);
  }
}

/** The steps after the last sealed block, and what stands between them, in their order. */
export class OpenBlock {
  private readonly rows: (Step | Blob | Digest)[] = [];
  steps = 0;
  append(step: Step): void {
    this.rows.push(step);
    this.steps++;
  }
  addBlob(blob: Blob): void {
    this.rows.push(blob);
  }
  addDigest(digest: Digest): void {
    this.rows.push(digest);
  }
  get full(): boolean {
    return this.steps === STEPS_PER_BLOCK;
  }
  get empty(): boolean {
    return this.steps === 0 && !this.rows.some((row) => 'chunk' in row);
  }
  /**
   * The block that they are, as it follows the sealed ones: its header and its payload.
   *
   * @param shape the vocabulary of the file that it is for, `Log.shape`: another version of this program may have begun it
   */
  block({ steps, chain }: LogPlace, hash: Hash, shape?: Shape): [header: Uint8Array, payload: Uint8Array] {
    const encoder = new BlockEncoder(shape);
    let digest: Digest | undefined;
    for (const row of this.rows)
      if ('command' in row) {
        encoder.add(row);
        if (digest?.seq === row.seq) encoder.addDigest(digest);
      } else if ('chunk' in row) encoder.addBlob(row);
      else digest = row;
    const payload = encoder.flush();
    return [sealBlock({ kind: STEPS, count: this.steps, firstSeq: steps }, payload, chain, hash).header, payload];
  }
}
