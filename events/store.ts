// Where a run goes: one interface for files, memory, and whatever else keeps bytes. The format is that of `log.ts`, everywhere.
import { sha256 } from '@noble/hashes/sha2.js';
import { type Blob, type Digest, STEPS, sealBlock } from './block.ts';
import { BlockEncoder } from './block-encoder.ts';
import { joined } from './bytes.ts';
import { type Hash, Log, type LogPlace, LogWriter, type RunEnd, type RunHeader, STEPS_PER_BLOCK } from './log.ts';
import type { Shape } from './shape.ts';
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
   * Where a store can: ends what it has, and goes on in a next file of the same run, which starts from a checkpoint of the host as it is
   * now. `end` is how far the run is, with its digests; `checkpoint` is made by `encodeStart`.
   */
  rotate?(end: RunEnd, checkpoint: Uint8Array): Acknowledged;
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
  addDigest(digest: Digest): void {
    if (this.ended) return;
    this.stream.addDigest(digest);
    this.open.addDigest(digest);
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
    return this.open.empty ? sealed : joined([sealed, ...this.open.block(this.stream.place, this.hash)]);
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
