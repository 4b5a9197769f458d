// The images of a run, as its log carries them.
import type { Log } from '../events/log.ts';
import { CHUNK_SECTORS } from '../machines/system/recording.ts';
import { type Image, SECTOR_SIZE } from '../src/storage/image.ts';

/** Every image of a log, from the pieces that the run has read. A piece that it never read is zeros: nobody asks for it again. */
export function loggedImages(log: Log): Image[] {
  // Not before somebody reads: all blocks have to be looked through.
  let known: readonly Map<number, Uint8Array>[] | undefined;
  const piecesOf = (number: number): Map<number, Uint8Array> => {
    known ??= piecesIn(log);
    return known[number]!;
  };
  return log.header.images.map(({ sectors }, number) => ({
    sectors,
    read(sector, into) {
      for (let at = 0; at < into.length; at += SECTOR_SIZE) {
        const wanted = sector + at / SECTOR_SIZE;
        const piece = piecesOf(number).get(Math.floor(wanted / CHUNK_SECTORS));
        const start = (wanted % CHUNK_SECTORS) * SECTOR_SIZE;
        if (piece && piece.length > start) into.set(piece.subarray(start, start + SECTOR_SIZE), at);
        else into.fill(0, at, at + SECTOR_SIZE);
      }
    },
  }));
}

function piecesIn(log: Log): Map<number, Uint8Array>[] {
  const pieces = log.header.images.map(() => new Map<number, Uint8Array>());
  for (const { image, chunk, bytes } of log.blobs()) pieces[image]?.set(chunk, bytes);
  return pieces;
}
