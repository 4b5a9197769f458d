// The images of a run, as its log carries them.
import { sha256 } from '@noble/hashes/sha2.js';
import type { Blob } from '../events/block.ts';
import { sameBytes } from '../events/bytes.ts';
import { type ImageDigest, type Log, LogError } from '../events/log.ts';
import { CHUNK_SECTORS } from '../machines/system/recording.ts';
import { type Image, SECTOR_SIZE } from '../src/storage/image.ts';

/** In place of a digest: an image of zeros, which nobody has to bring. */
const ZEROS = 'zeros';
/** A piece of this length is the SHA-256 of one that the log does not carry; sectors are longer. */
const DIGEST_SIZE = 32;

/**
 * Every image of a log, from the pieces that the run has read. A piece that it never read is zeros: nobody asks for it again.
 *
 * @param found images that the log does not carry, by the digest in its header
 */
export function loggedImages(log: Log, found: ReadonlyMap<string, Image> = new Map()): Image[] {
  const pieces = new Pieces(log);
  const unread = log.header.embed === 'none' ? undefined : zeros;
  return log.header.images.map((image, number) => {
    const { sectors } = image;
    const brought = image.sha256 === ZEROS ? zeroImage : found.get(image.sha256);
    // What was compared with its digest need not be compared again.
    const compared = new Set<number>();
    const bring = (chunk: number, digest: Uint8Array | undefined): Uint8Array => {
      if (!brought) throw new LogError(`the log does not carry ${describeImage(image)}: bring it with --image FILE`);
      const first = chunk * CHUNK_SECTORS;
      const piece = new Uint8Array(Math.min(CHUNK_SECTORS, sectors - first) * SECTOR_SIZE);
      brought.read(first, piece);
      if (digest && !compared.has(chunk) && !sameBytes(sha256(piece), digest))
        throw new LogError(`sector ${first} of ${image.path} is not what the run has read: bring the image as it was`);
      compared.add(chunk);
      return piece;
    };
    // A read is of several sectors in a piece.
    let last = -1;
    let piece = zeros;
    return {
      sectors,
      read(sector, into) {
        for (let at = 0; at < into.length; at += SECTOR_SIZE) {
          const wanted = sector + at / SECTOR_SIZE;
          const chunk = Math.floor(wanted / CHUNK_SECTORS);
          const start = (wanted % CHUNK_SECTORS) * SECTOR_SIZE;
          if (chunk !== last) {
            const logged = pieces.get(number, chunk) ?? unread;
            piece = logged === undefined || logged.length === DIGEST_SIZE ? bring(chunk, logged) : logged;
            last = chunk;
          }
          if (piece.length > start) into.set(piece.subarray(start, start + SECTOR_SIZE), at);
          else into.fill(0, at, at + SECTOR_SIZE);
        }
      },
    };
  });
}
const zeros: Uint8Array = new Uint8Array(0);
const zeroImage: Pick<Image, 'read'> = { read: (_, into) => void into.fill(0) };

/** The images that have to be brought for the run to be re-enacted: those that it has read and does not carry. */
export function missingImages(log: Log, found: ReadonlyMap<string, Image> = new Map()): ImageDigest[] {
  const { embed = 'reads', images } = log.header;
  const lacking = new Set<number>(embed === 'none' ? images.keys() : []);
  if (embed !== 'none' && images.length > 0)
    for (const { image, bytes } of log.blobs()) if (bytes.length === DIGEST_SIZE) lacking.add(image);
  return images.filter(({ sha256: digest }, number) => lacking.has(number) && digest !== ZEROS && !found.has(digest));
}

/** An image for people. */
export const describeImage = ({ path, sectors, sha256: digest }: ImageDigest): string =>
  `the image ${path} (${sectors} sectors, SHA-256 ${digest})`;

/** The pieces that a log carries. A run reads a piece in the block that has it, so blocks are looked through no further than needed. */
class Pieces {
  private readonly log: Log;
  private readonly blocks: ReturnType<Log['blobBlocks']>;
  /** Of every image: which block has a piece. */
  private readonly places: readonly Map<number, number>[];
  /** The pieces of some blocks, those that were asked for last at the end. */
  private readonly held = new Map<number, ReadonlyMap<string, Uint8Array>>();
  private bytes = 0;

  constructor(log: Log) {
    this.log = log;
    this.blocks = log.blobBlocks();
    this.places = log.header.images.map(() => new Map<number, number>());
  }

  get(image: number, chunk: number): Uint8Array | undefined {
    const block = this.places[image]!.get(chunk) ?? this.find(image, chunk);
    if (block === undefined) return undefined;
    let pieces = this.held.get(block);
    if (pieces) this.held.delete(block);
    else pieces = this.take(this.log.blobsIn(block));
    this.held.set(block, pieces);
    return pieces.get(`${image} ${chunk}`);
  }

  /** Looks through further blocks, up to the one that has this piece. */
  private find(image: number, chunk: number): number | undefined {
    for (let next = this.blocks.next(); !next.done; next = this.blocks.next()) {
      const { block, blobs } = next.value;
      // A later file of a run carries again what was read before it.
      for (const blob of blobs) {
        const known = this.places[blob.image];
        if (known && !known.has(blob.chunk)) known.set(blob.chunk, block);
      }
      if (blobs.length > 0) this.held.set(block, this.take(blobs));
      if (this.places[image]!.get(chunk) === block) return block;
    }
    return undefined;
  }

  private take(blobs: readonly Blob[]): ReadonlyMap<string, Uint8Array> {
    const taken = new Map(blobs.map(({ image, chunk, bytes }) => [`${image} ${chunk}`, bytes]));
    for (const { length } of taken.values()) this.bytes += length;
    for (const [block, pieces] of this.held) {
      if (this.bytes <= MOST_HELD) break;
      for (const { length } of pieces.values()) this.bytes -= length;
      this.held.delete(block);
    }
    return taken;
  }
}
/** Bytes of pieces that are held in memory. */
const MOST_HELD = 64 << 20;
