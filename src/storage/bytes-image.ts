// A disk whose content is at hand.
import { type Image, SECTOR_SIZE } from './image.ts';

/** The bytes as an `Image`. A size that is no whole number of sectors is rounded down, as Linux does with a loop device. */
export const bytesImage = (bytes: Uint8Array): Image => ({
  sectors: Math.floor(bytes.length / SECTOR_SIZE),
  read(sector, into) {
    const start = sector * SECTOR_SIZE;
    into.set(bytes.subarray(start, start + into.length));
  },
});
