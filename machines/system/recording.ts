// A live run with its log: the header, every step, every piece of an image when it is first read, and the end.
import { bytesOf } from '../../events/bytes.ts';
import { type Hash, LogWriter, type RunEnd, type RunHeader } from '../../events/log.ts';
import type { HostConfig } from '../../src/host-config.ts';
import { type Image, SECTOR_SIZE } from '../../src/storage/image.ts';
import { Dispatcher, type DispatcherOptions } from './dispatcher.ts';

/** Images are logged in pieces of this many sectors. */
export const CHUNK_SECTORS = 8;

export interface RecordingOptions extends Omit<DispatcherOptions, 'config' | 'seed' | 'onStep'> {
  readonly header: RunHeader;
  /** Where the log goes, block by block. */
  readonly sink: (bytes: Uint8Array) => void;
  readonly hash?: Hash;
}

/** A host that is being recorded. */
export class Recording {
  readonly dispatcher: Dispatcher;
  private readonly writer: LogWriter;
  constructor(options: RecordingOptions) {
    const { header, sink, hash, images, ...others } = options;
    this.writer = new LogWriter(header, sink, hash);
    this.dispatcher = new Dispatcher({
      ...others,
      config: header.host as HostConfig,
      seed: header.seed,
      images: images.map((image, number) => this.recorded(image, number)),
      onStep: (step) => {
        this.writer.append(step);
      },
    });
  }

  /** Closes the log with the state that the run has led to. */
  finish(): RunEnd {
    const end = endOf(this.dispatcher);
    this.writer.end(end);
    return end;
  }

  /** Keeps what was recorded until something went wrong: the log up to there is the report of the bug. */
  abandon(): void {
    this.writer.cut();
  }

  /** The same image, whose pieces are logged when they are first read. Pieces of zeros are logged without their bytes. */
  private recorded(image: Image, number: number): Image {
    const known = new Set<number>();
    return {
      sectors: image.sectors,
      read: (sector, into) => {
        const last = sector + into.length / SECTOR_SIZE - 1;
        for (let chunk = Math.floor(sector / CHUNK_SECTORS); chunk <= Math.floor(last / CHUNK_SECTORS); chunk++) {
          if (known.has(chunk)) continue;
          known.add(chunk);
          const first = chunk * CHUNK_SECTORS;
          const bytes = new Uint8Array(Math.min(CHUNK_SECTORS, image.sectors - first) * SECTOR_SIZE);
          image.read(first, bytes);
          this.writer.addBlob({ image: number, chunk, bytes: bytes.some((byte) => byte !== 0) ? bytes : nothing });
        }
        image.read(sector, into);
      },
    };
  }
}
const nothing = bytesOf('');

export const endOf = (dispatcher: Dispatcher): RunEnd => ({
  steps: dispatcher.seq,
  state: dispatcher.host.digest(),
  memory: dispatcher.memory.digest(),
});
