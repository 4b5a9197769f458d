// Disks as synchronous, pure ports: the model never opens a file.

export const SECTOR_SIZE = 512;

/**
 * The content of a disk that does not change: same sector, same bytes, for as long as the run lasts.
 * An adapter provides it; formats and partitions are further `Image`s over it.
 */
export interface Image {
  /** Size in sectors of 512 bytes. */
  readonly sectors: number;
  /** Fills `into` (a whole number of sectors) with the bytes from `sector` on. The caller stays within `sectors`. */
  read(sector: number, into: Uint8Array): void;
}
