// A run as a file, or as several: a header, sealed blocks chained by SHA-256, an END block. Synchronous, and the same in a browser.
// header.ts and block.ts have the layout.
import { sha256 } from '@noble/hashes/sha2.js';
import {
  BLOCK_HEADER_SIZE,
  type Blob,
  type BlockHeader,
  chainAfter,
  type Digest,
  END,
  type Hash,
  readBlockHeader,
  START,
  STEPS,
  sealBlock,
} from './block.ts';
import { BlockDecoder } from './block-decoder.ts';
import { BlockEncoder } from './block-encoder.ts';
import { byteString, byteStringToText, crc32, hexOf, sameBytes } from './bytes.ts';
import { encodeHeader, LogError, type Part, type RunHeader, readHeader } from './header.ts';
import type { Shape } from './shape.ts';
import { bytesSource, type Source } from './source.ts';
import { needsUpcast, upcast } from './upcast.ts';
import type { Fact, Step } from './vocabulary.ts';

export type { Hash } from './block.ts';
export * from './header.ts';

/** Blocks hold exactly so many steps; only the last one of a file may hold fewer, so that block boundaries follow from the content. */
export const STEPS_PER_BLOCK = 4096;

/** What a closed file ends with: how far the run had gone, and the state that it had led to. */
export interface RunEnd {
  readonly steps: number;
  readonly state: number;
  readonly memory: number;
  /** The run goes on in a next file. Where it does not, it may have been taken up again all the same. */
  readonly continued?: true;
}

/** Where a next block goes: behind how many steps, and behind which block. */
export interface LogPlace {
  readonly steps: number;
  readonly chain: Uint8Array;
}

/** Writes a run block by block into `sink`. */
export class LogWriter {
  private readonly encoder: BlockEncoder;
  private readonly sink: (bytes: Uint8Array) => void;
  private readonly hash: Hash;
  private chain: Uint8Array;
  private firstSeq: number;
  private digest: Digest | undefined;

  /**
   * `start`: the checkpoint that a file starts from which follows another; `encodeStart` makes it. `shape`: the vocabulary, today's
   * unless the steps are of an older one.
   */
  constructor(header: RunHeader, sink: (bytes: Uint8Array) => void, hash: Hash = sha256, start?: Uint8Array, shape?: Shape) {
    const bytes = encodeHeader(header, shape);
    this.encoder = new BlockEncoder(shape);
    this.sink = sink;
    this.hash = hash;
    this.chain = hash(bytes);
    this.firstSeq = header.part?.first ?? 0;
    sink(bytes);
    if (start) this.block(START, 0, start);
  }
  /** Where the next block will stand. */
  get place(): LogPlace {
    return { steps: this.firstSeq, chain: this.chain };
  }
  append(step: Step): void {
    this.encoder.add(step);
    if (this.digest?.seq === step.seq) this.encoder.addDigest(this.digest);
    if (this.encoder.count === STEPS_PER_BLOCK) this.seal();
  }
  /** A piece of an image that the run has just read for the first time: part of the current block. */
  addBlob(blob: Blob): void {
    this.encoder.addBlob(blob);
  }
  /** The host's digests before the next step. Written with that step: where none follows, the end has them. */
  addDigest(digest: Digest): void {
    this.digest = digest;
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
    const { header, chain } = sealBlock({ kind, count, firstSeq: this.firstSeq }, payload, this.chain, this.hash);
    this.chain = chain;
    this.sink(header);
    this.sink(payload);
  }
}

/** One file of a run, as a log knows it. */
interface File {
  readonly source: Source;
  readonly shape: Shape;
  readonly format: number;
  readonly part: Part | undefined;
  /** The version of the state that its digests are of. */
  readonly state: number;
  readonly decoder: BlockDecoder;
  /** SHA-256 of its header. */
  readonly id: Uint8Array;
  /** The number of its first step. */
  readonly first: number;
  /** The number of its first block, of all blocks of the log. */
  readonly firstBlock: number;
  /** What of it is whole, in bytes. */
  size: number;
}

/** Where a file of a run is whole up to: what a writer or a repair has to know. */
export interface SealedPart extends LogPlace {
  /** In bytes. */
  readonly size: number;
  /** SHA-256 of the file's header: which file it is. */
  readonly run: Uint8Array;
}

/**
 * A log that was opened: its headers are read and every block has its place. A block's CRC and chain are checked when it is first read;
 * those of bytes in memory at once.
 */
export class Log {
  readonly header: RunHeader;
  readonly format: number;
  /** The number of the first step that is there: 0, unless the first files of a run are missing. */
  readonly first: number;
  /** One more than the number of the last whole step. */
  readonly length: number;
  /** How the log was closed; undefined: it was cut. */
  readonly end: RunEnd | undefined;
  /** What was left out at a torn end, for people; undefined where nothing was. */
  readonly torn: string | undefined;
  /** SHA-256 of the first file's header, as 64 hexadecimal digits: which run it is. */
  readonly run: string;
  private readonly files: File[] = [];
  private readonly hash: Hash;
  // Of every block: its file, where it begins, its kind, its first step and its number of steps.
  private readonly fileOf: number[] = [];
  private readonly at: number[] = [];
  private readonly kind: number[] = [];
  private readonly firstSeq: number[] = [];
  private readonly count: number[] = [];
  private readonly checked = new Set<number>();

  /**
   * @param file the bytes of a run, or its files in their order
   * @throws LogError
   */
  constructor(file: Uint8Array | readonly Source[], hash: Hash = sha256) {
    this.hash = hash;
    const sources = file instanceof Uint8Array ? [bytesSource(file)] : file;
    let place: LogPlace | undefined;
    let end: RunEnd | undefined;
    let torn: string | undefined;
    for (const source of sources) {
      const opened = readHeader(source);
      const id = hash(opened.bytes);
      const { part, state = 1 } = opened.header;
      if (place) this.follow(part, place, torn);
      const first = part?.first ?? 0;
      const { shape, format } = opened;
      const decoder = new BlockDecoder(shape);
      const firstBlock = this.at.length;
      this.files.push({ source, shape, format, part, state, decoder, id, first, firstBlock, size: opened.bytes.length });
      ({ place, end, torn } = this.index(this.files.length - 1, { steps: first, chain: id }));
      this.opened ??= opened.header;
    }
    const [file0] = this.files;
    if (!file0) throw new LogError('a run without a file: name one');
    this.header = this.opened!;
    this.format = file0.format;
    this.first = file0.first;
    this.run = file0.part?.run ?? hexOf(file0.id);
    this.length = place!.steps;
    this.end = end?.continued ? undefined : end;
    this.torn =
      torn ?? (end?.continued ? `the run goes on in a file that is not there, after step ${this.length - 1}` : undefined);
    if (file instanceof Uint8Array) for (let block = 0; block < this.at.length; block++) this.payload(block);
  }
  private readonly opened: RunHeader | undefined;

  /** How many files it is read from. */
  get parts(): number {
    return this.files.length;
  }
  /** The number of the last file: 1 where there is but one. */
  get lastPart(): number {
    return this.files.at(-1)!.part?.number ?? 1;
  }
  /** In bytes, of all files. */
  get size(): number {
    return this.files.reduce((sum, { source }) => sum + source.size, 0);
  }
  /** The vocabulary of the last file. */
  get shape(): Shape {
    return this.shapes.at(-1)!;
  }
  /** The vocabularies of its files, in their order. */
  get shapes(): readonly Shape[] {
    return this.files.map(({ shape }) => shape);
  }
  /** The last file's bytes from a place on. */
  tail(at: number): Uint8Array {
    const { source } = this.files.at(-1)!;
    return source.read(at, source.size - at);
  }
  /** The version of the state whose digests the log has before step `seq`, or at its end: that of whoever wrote the file (STATE_VERSION). */
  stateVersionAt(seq: number): number {
    let version = 1;
    for (const { first, state } of this.files) if (first <= Math.min(seq, this.length)) version = state;
    return version;
  }
  /** The checkpoint that the first file here starts from, as `encodeStart` made it: where `first` is not 0. */
  get start(): Uint8Array | undefined {
    return this.first > 0 && this.kind[0] === START ? this.payload(0) : undefined;
  }
  /** The last file: where its whole blocks end. */
  get sealed(): SealedPart {
    const number = this.files.length - 1;
    const { size, id } = this.files[number]!;
    return { size, run: id, steps: this.length, chain: this.chainBefore(this.at.length, number) };
  }
  /** Whether there is a block in the last file that follows the one with this chain value, and how many steps stand before it. */
  followerOf(chain: Uint8Array): { readonly block: number; readonly steps: number } | undefined {
    const number = this.files.length - 1;
    for (let block = this.at.length - 1; block >= 0 && this.fileOf[block] === number; block--)
      if (sameBytes(this.chainBefore(block, number), chain)) return { block, steps: this.firstSeq[block]! };
    return undefined;
  }

  /** Steps from `from` on, block by block. */
  *steps(from = 0): Generator<Step> {
    for (let block = this.blockOf(from); block < this.at.length; block++)
      if (this.kind[block] === STEPS) for (const step of this.stepsOf(block)) if (step.seq >= from) yield step;
  }
  /** All steps of the block that has step `seq`; none where there is no such step. For reading here and there. */
  around(seq: number): readonly Step[] {
    const block = seq < this.first ? this.at.length : this.blockOf(seq);
    return this.kind[block] === STEPS ? this.stepsOf(block) : [];
  }
  private stepsOf(block: number): readonly Step[] {
    const { decoder, format } = this.fileAt(block);
    const steps = decoder.steps(this.payload(block), this.firstSeq[block]!);
    if (typeof steps === 'string') throw new LogError(this.unreadable(block, steps), this.placeOf(block));
    if (steps.length !== this.count[block])
      throw new LogError(this.unreadable(block, `it has ${steps.length} steps`), this.placeOf(block));
    return needsUpcast(format) ? steps.map((step) => upcast(step, format)) : steps;
  }
  /** Applies the facts of the steps from `from` up to (and without) `to` in order, reading nothing else. */
  facts(apply: (fact: Fact, seq: number) => void, from = 0, to = this.length): void {
    const within = (fact: Fact, seq: number): void => {
      if (seq >= from && seq < to) apply(fact, seq);
    };
    for (let block = this.blockOf(from); block < this.at.length && this.firstSeq[block]! < to; block++) {
      if (this.kind[block] !== STEPS) continue;
      const { decoder, format } = this.fileAt(block);
      const firstSeq = this.firstSeq[block]!;
      if (needsUpcast(format)) {
        for (const step of this.stepsOf(block)) for (const fact of step.outcome.events ?? []) within(fact, step.seq);
        continue;
      }
      const problem = decoder.facts(this.payload(block), firstSeq, firstSeq >= from ? apply : within, to);
      if (problem !== undefined) throw new LogError(this.unreadable(block, problem), this.placeOf(block));
    }
  }
  /** The pieces of images that the log carries. */
  *blobs(): Generator<Blob> {
    for (const { blobs } of this.blobBlocks()) yield* blobs;
  }
  /** The same, block by block, each with the number by which `blobsIn` finds it again. */
  *blobBlocks(): Generator<{ readonly block: number; readonly blobs: readonly Blob[] }> {
    for (let block = 0; block < this.at.length; block++)
      if (this.kind[block] === STEPS) yield { block, blobs: this.blobsIn(block) };
  }
  blobsIn(block: number): readonly Blob[] {
    return this.fileAt(block).decoder.blobs(this.payload(block));
  }
  /** The host's digests that the log carries, from step `from` on. */
  *digests(from = 0): Generator<Digest> {
    for (let block = this.blockOf(from); block < this.at.length; block++) {
      if (this.kind[block] !== STEPS) continue;
      for (const digest of this.fileAt(block).decoder.digests(this.payload(block), this.firstSeq[block]!))
        if (digest.seq >= from) yield digest;
    }
  }
  /** All that the blocks hold, one after the other. */
  *contents(): Generator<{
    readonly steps: readonly Step[];
    readonly blobs: readonly Blob[];
    readonly digests: readonly Digest[];
  }> {
    for (let block = 0; block < this.at.length; block++) {
      if (this.kind[block] !== STEPS) continue;
      const { decoder } = this.fileAt(block);
      const payload = this.payload(block);
      const digests = decoder.digests(payload, this.firstSeq[block]!);
      yield { steps: this.stepsOf(block), blobs: decoder.blobs(payload), digests };
    }
  }
  /** The chain value behind so many whole blocks of steps: equal in two runs of one header that are equal up to there. */
  chainBehind(steps: number): Uint8Array | undefined {
    const block = this.blockOf(steps - 1);
    const header = this.kind[block] === STEPS ? this.blockHeader(block) : undefined;
    return header && header.firstSeq + header.count === steps ? header.chain : undefined;
  }
  /** The chain value of the block that has step `seq`: it commits to that step and to all before it. */
  chainWith(seq: number): Uint8Array | undefined {
    const block = this.blockOf(seq);
    return seq >= this.first && this.kind[block] === STEPS ? this.blockHeader(block).chain : undefined;
  }
  /** Every block of steps: its first step and how many it has. */
  *blocks(): Generator<{ readonly firstSeq: number; readonly count: number }> {
    for (let block = 0; block < this.at.length; block++)
      if (this.kind[block] === STEPS) yield { firstSeq: this.firstSeq[block]!, count: this.count[block]! };
  }

  /**
   * Checks the last block as if it had been read.
   *
   * @throws LogError
   */
  checkLast(): void {
    if (this.at.length > 0) this.payload(this.at.length - 1);
  }

  /** Gives its files back to the system; nothing can be read of it any more. */
  close(): void {
    for (const { source } of this.files) source.close?.();
  }

  /** The block that has this step, or the first one behind it. */
  private blockOf(seq: number): number {
    let low = 0;
    let high = this.at.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.firstSeq[middle]! + this.count[middle]! <= seq) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  private fileAt(block: number): File {
    return this.files[this.fileOf[block]!]!;
  }

  /** @throws LogError where a file is not the one that should stand behind the last */
  private follow(part: Part | undefined, { steps, chain }: LogPlace, torn: string | undefined): void {
    const number = this.lastPart + 1;
    const wrong = (what: string): string => `file ${number} of the run ${what}; bring the files of one run together`;
    if (!part) throw new LogError(wrong('is a run of its own'));
    const [file] = this.files;
    if (part.run !== (file!.part?.run ?? hexOf(file!.id))) throw new LogError(wrong('belongs to another run'));
    if (part.number !== number) throw new LogError(wrong(`says that it is file ${part.number}`));
    if (part.first !== steps || part.follows !== hexOf(chain))
      throw new LogError(
        wrong(`goes on from step ${part.first}, but the one before has ${steps} steps${torn === undefined ? '' : ` (${torn})`}`),
      );
  }

  /** Finds the blocks of a file by their headers alone. */
  private index(number: number, from: LogPlace): { place: LogPlace; end: RunEnd | undefined; torn: string | undefined } {
    const file = this.files[number]!;
    const { source } = file;
    let { steps, chain } = from;
    let at = file.size;
    let end: RunEnd | undefined;
    while (at < source.size) {
      const block = this.at.length;
      const rest = source.size - at;
      if (rest < BLOCK_HEADER_SIZE)
        return { place: { steps, chain }, end: undefined, torn: cut(this.numberOf(block), steps, rest) };
      const header = readBlockHeader(source.read(at, BLOCK_HEADER_SIZE));
      const damaged = (what: string): LogError => this.damaged(this.numberOf(block), steps, what, { file: number, at });
      if (!header) throw damaged('the checksum of its header differs');
      if (rest - BLOCK_HEADER_SIZE < header.length)
        return { place: { steps, chain }, end: undefined, torn: cut(this.numberOf(block), steps, rest) };
      const { kind } = header;
      if (header.firstSeq !== steps && kind !== END) throw damaged('it is not the block that should stand here');
      if (kind !== STEPS && kind !== END && !(kind === START && file.part && at === file.size && file.format > 1))
        throw damaged('it is not the block that should stand here');
      this.fileOf.push(number);
      this.at.push(at);
      this.kind.push(kind);
      this.firstSeq.push(steps);
      this.count.push(kind === STEPS ? header.count : 0);
      at += BLOCK_HEADER_SIZE + header.length;
      file.size = at;
      chain = header.chain;
      if (kind === STEPS) steps += header.count;
      if (kind === END) {
        end = JSON.parse(byteStringToText(byteString(this.payload(block)))) as RunEnd;
        if (at < source.size)
          throw new LogError(`${source.size - at} bytes follow the end of the log; take another copy of it`, {
            file: number,
            at,
          });
        if (end.steps !== steps) throw new LogError(`the log ends after ${steps} steps but says it has ${end.steps}`);
      }
    }
    const torn = end
      ? undefined
      : steps === 0
        ? 'the log was not closed: it stops before its first step'
        : `the log was not closed: it stops after step ${steps - 1}`;
    return { place: { steps, chain }, end, torn };
  }

  /** The payload of a block, whose CRC and chain are right. */
  private payload(block: number): Uint8Array {
    const { source } = this.fileAt(block);
    const at = this.at[block]!;
    const next = this.fileOf[block + 1] === this.fileOf[block] ? this.at[block + 1]! : this.fileAt(block).size;
    const bytes = source.read(at, next - at);
    const payload = bytes.subarray(BLOCK_HEADER_SIZE);
    if (this.checked.has(block)) return payload;
    const damaged = (what: string): LogError =>
      this.damaged(this.numberOf(block), this.firstSeq[block]!, what, { file: this.fileOf[block]!, at });
    const header = readBlockHeader(bytes);
    if (!header || bytes.length !== next - at) throw damaged('the checksum of its header differs');
    if (crc32(payload) !== header.crc) throw damaged('its checksum differs');
    const chain = chainAfter(this.chainBefore(block, this.fileOf[block]!), bytes, payload, this.hash);
    if (!sameBytes(chain, header.chain)) throw damaged('it does not follow the block before (hash chain)');
    this.checked.add(block);
    return payload;
  }

  private blockHeader(block: number): BlockHeader {
    return readBlockHeader(this.fileAt(block).source.read(this.at[block]!, BLOCK_HEADER_SIZE))!;
  }
  /** What a block of this file has to follow; of one that is not there yet, too. */
  private chainBefore(block: number, file: number): Uint8Array {
    return block > 0 && this.fileOf[block - 1] === file ? this.blockHeader(block - 1).chain : this.files[file]!.id;
  }
  /** Blocks are numbered in each file. */
  private numberOf(block: number): number {
    return block - this.files[this.fileOf[block] ?? this.files.length - 1]!.firstBlock;
  }
  private unreadable(block: number, what: string): string {
    return `block ${this.numberOf(block)}: ${what}`;
  }
  private placeOf(block: number): LogError['place'] {
    return { file: this.fileOf[block]!, at: this.at[block]! };
  }
  private damaged(number: number, steps: number, what: string, place: { readonly file: number; readonly at: number }): LogError {
    const where = this.files.length > 1 || place.file > 0 ? ` of file ${place.file + 1}` : '';
    return new LogError(`block ${number}${where} (from step ${steps}) is damaged: ${what}; take another copy of the log`, place);
  }
}

const cut = (block: number, steps: number, bytes: number): string =>
  `the log is cut off in block ${block}: ${bytes} bytes are left out, it stops ${steps === 0 ? 'before its first step' : `after step ${steps - 1}`}`;
