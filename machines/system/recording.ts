// A live run with its log: the header, every step, every piece of an image when it is first read, and the end.
import { sha256 } from '@noble/hashes/sha2.js';
import type { Digest } from '../../events/block.ts';
import { bytesOf } from '../../events/bytes.ts';
import { type Embed, type Hash, type RunEnd, type RunHeader, STEPS_PER_BLOCK } from '../../events/log.ts';
import { type Acknowledged, type RunSink, StreamSink } from '../../events/store.ts';
import type { HostConfig } from '../../src/host-config.ts';
import { type Image, SECTOR_SIZE } from '../../src/storage/image.ts';
import { Dispatcher, type DispatcherOptions } from './dispatcher.ts';

/** Images are logged in pieces of this many sectors. */
export const CHUNK_SECTORS = 8;

/** Of the disks, a log carries what was read up to so many bytes; of what is read beyond that, digests. */
export const MOST_EMBEDDED = 256 * 2 ** 20;

/** The host's digests go into the log at the first quiet moment after so many steps, and there checkpoints are taken. */
export const PAUSE_EVERY = 4 * STEPS_PER_BLOCK;

export type RecordingOptions = Omit<DispatcherOptions, 'config' | 'seed' | 'onStep' | 'pause'> & {
  readonly header: RunHeader;
  /** Called at every quiet moment whose digests are in the log. */
  readonly onPause?: (dispatcher: Dispatcher, digest: Digest) => void;
  /** SHA-256: for the chain, where there is a `sink`, and for pieces of images that the log does not carry. */
  readonly hash?: Hash;
} & (
    | { /** Where the run goes; it was made with the same header. */ readonly store: RunSink }
    | { /** Where the log goes, block by block. */ readonly sink: (bytes: Uint8Array) => void }
  );

/** A host that is being recorded. */
export class Recording {
  readonly dispatcher: Dispatcher;
  private readonly store: RunSink;
  /** Which pieces of each image the file has. */
  private readonly chunks = new Map<number, Set<number>>();
  private readonly embed: Embed;
  private readonly hash: Hash;
  /** Bytes of images that the log carries. */
  private embedded = 0;
  constructor(options: RecordingOptions) {
    const { header, hash, images, onPause, ...others } = options;
    this.embed = header.embed ?? 'reads';
    this.hash = hash ?? sha256;
    this.store = 'store' in options ? options.store : new StreamSink(header, options.sink, hash);
    this.dispatcher = new Dispatcher({
      ...others,
      config: header.host as HostConfig,
      seed: header.seed,
      images: images.map((image, number) => this.recorded(image, number)),
      onStep: (step) => {
        this.store.append(step);
      },
      pause: {
        every: PAUSE_EVERY,
        at: (dispatcher) => {
          const digest = dispatcher.digest();
          this.store.addDigest(digest);
          onPause?.(dispatcher, digest);
        },
      },
    });
  }

  /** Makes every step so far as safe as the store promises: before anything that came of them leaves the host. */
  acknowledge(): Acknowledged {
    return this.store.acknowledge();
  }

  /**
   * Ends the store's file, and goes on in a next one that starts from a checkpoint of the host as it is now, and that needs nothing of
   * the files before it. Only at a quiet moment; whether it could be done is what `acknowledge` answers from then on. Answers false, and
   * does nothing, where the log goes block by block into a `sink`: that has it in one piece.
   *
   * @param encode `encodeStart`
   */
  rotate(encode: (dispatcher: Dispatcher) => Uint8Array): boolean {
    if (!this.store.rotate) return false;
    this.store.rotate(endOf(this.dispatcher), encode(this.dispatcher));
    this.chunks.clear();
    this.embedded = 0;
    return true;
  }

  /** Closes the log with the state that the run has led to. Whether it could be kept is what `acknowledge` answers from then on. */
  finish(): RunEnd {
    const end = endOf(this.dispatcher);
    this.store.close(end);
    return end;
  }

  /** Keeps what was recorded until something went wrong: the log up to there is the report of the bug. */
  abandon(): void {
    this.store.seal();
  }

  /** What the log says of a piece: nothing of zeros, otherwise its bytes, or its digest where it does not carry them. */
  private carried(bytes: Uint8Array): Uint8Array {
    if (bytes.every((byte) => byte === 0)) return nothing;
    this.embedded += bytes.length;
    return this.embed === 'hashes' || this.embedded > MOST_EMBEDDED ? this.hash(bytes) : bytes;
  }
  private isFirst(image: number, chunk: number): boolean {
    if (this.embed === 'none') return false;
    let chunks = this.chunks.get(image);
    if (!chunks) {
      chunks = new Set();
      this.chunks.set(image, chunks);
    }
    return chunks.size < chunks.add(chunk).size;
  }
  /** The same image, whose pieces are logged when they are first read. Pieces of zeros are logged without their bytes. */
  private recorded(image: Image, number: number): Image {
    return {
      sectors: image.sectors,
      read: (sector, into) => {
        const last = sector + into.length / SECTOR_SIZE - 1;
        let missing = false;
        for (let chunk = Math.floor(sector / CHUNK_SECTORS); chunk <= Math.floor(last / CHUNK_SECTORS); chunk++) {
          if (!this.isFirst(number, chunk)) {
            missing = true;
            continue;
          }
          const first = chunk * CHUNK_SECTORS;
          const bytes = new Uint8Array(Math.min(CHUNK_SECTORS, image.sectors - first) * SECTOR_SIZE);
          image.read(first, bytes);
          this.store.addBlob({ image: number, chunk, bytes: this.carried(bytes) });
          const before = (first - sector) * SECTOR_SIZE;
          into.set(bytes.subarray(Math.max(0, -before), into.length - before), Math.max(0, before));
        }
        if (missing) image.read(sector, into);
      },
    };
  }
}
const nothing = bytesOf('');

export const endOf = (dispatcher: Dispatcher, without?: ReadonlySet<string>): RunEnd => ({
  steps: dispatcher.seq,
  state: dispatcher.host.digest(without),
  memory: dispatcher.memory.digest(),
});
