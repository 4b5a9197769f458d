// The images of a run, as its log carries them.
import { sha256 } from '@noble/hashes/sha2.js';
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
  // Not before somebody reads: all blocks have to be looked through.
  let known: readonly Map<number, Uint8Array>[] | undefined;
  const piecesOf = (number: number): Map<number, Uint8Array> => {
    known ??= piecesIn(log);
    return known[number]!;
  };
  const unread = log.header.embed === 'none' ? undefined : zeros;
  return log.header.images.map((image, number) => {
    const { sectors } = image;
    const brought = image.sha256 === ZEROS ? zeroImage : found.get(image.sha256);
    const bring = (chunk: number, digest: Uint8Array | undefined): Uint8Array => {
      if (!brought) throw new LogError(`the log does not carry ${describeImage(image)}: bring it with --image`);
      const first = chunk * CHUNK_SECTORS;
      const piece = new Uint8Array(Math.min(CHUNK_SECTORS, sectors - first) * SECTOR_SIZE);
      brought.read(first, piece);
      if (digest && !sameBytes(sha256(piece), digest))
        throw new LogError(`sector ${first} of ${image.path} is not what the run has read: bring the image as it was`);
      piecesOf(number).set(chunk, piece);
      return piece;
    };
    return {
      sectors,
      read(sector, into) {
        for (let at = 0; at < into.length; at += SECTOR_SIZE) {
          const wanted = sector + at / SECTOR_SIZE;
          const chunk = Math.floor(wanted / CHUNK_SECTORS);
          const start = (wanted % CHUNK_SECTORS) * SECTOR_SIZE;
          const logged = piecesOf(number).get(chunk) ?? unread;
          const piece = logged === undefined || logged.length === DIGEST_SIZE ? bring(chunk, logged) : logged;
          if (piece.length > start) into.set(piece.subarray(start, start + SECTOR_SIZE), at);
          else into.fill(0, at, at + SECTOR_SIZE);
        }
      },
    };
  });
}
const zeros = new Uint8Array(0);
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

function piecesIn(log: Log): Map<number, Uint8Array>[] {
  const pieces = log.header.images.map(() => new Map<number, Uint8Array>());
  for (const { image, chunk, bytes } of log.blobs()) pieces[image]?.set(chunk, bytes);
  return pieces;
}
