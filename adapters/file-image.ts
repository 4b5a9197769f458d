// Images in real files: the model reads them synchronously, and only ever the same bytes.
import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { type Image, SECTOR_SIZE } from '../src/storage/image.ts';
import { Failure, systemFailure } from './failure.ts';

export interface FileImage extends Image {
  /** Of the whole content, in hex digits. */
  sha256(): string;
  close(): void;
}

/**
 * Opens a file as a disk, read-only.
 *
 * @throws Failure where it can not be opened, or its size is no whole number of sectors; reading throws one where the file has shrunk.
 */
export function fileImage(path: string): FileImage {
  const { fd, size } = open(path);
  if (size === 0 || size % SECTOR_SIZE !== 0) {
    closeSync(fd);
    throw new Failure(`a disk of ${size} bytes`, path, `make it one or more whole sectors of ${SECTOR_SIZE} bytes (truncate -s)`);
  }
  const read = (position: number, into: Uint8Array): void => {
    for (let done = 0; done < into.length; ) {
      const count = tryRead(path, fd, into.subarray(done), position + done);
      if (count === 0) throw new Failure('the file has become shorter', path, 'leave it alone while a run uses it');
      done += count;
    }
  };
  return {
    sectors: size / SECTOR_SIZE,
    read: (sector, into) => read(sector * SECTOR_SIZE, into),
    sha256() {
      const hash = createHash('sha256');
      const piece = new Uint8Array(1 << 20);
      for (let at = 0; at < size; at += piece.length) {
        const part = piece.subarray(0, Math.min(piece.length, size - at));
        read(at, part);
        hash.update(part);
      }
      return hash.digest('hex');
    },
    close: () => closeSync(fd),
  };
}

/** A disk without content. */
export const zeroImage = (sectors: number): Image => ({ sectors, read: (_, into) => void into.fill(0) });

function open(path: string): { fd: number; size: number } {
  try {
    const fd = openSync(path, 'r');
    const stat = fstatSync(fd);
    if (stat.isFile()) return { fd, size: stat.size };
    closeSync(fd);
  } catch (error) {
    throw systemFailure('open the disk', path, error);
  }
  throw new Failure('it is no regular file', path, 'name the file of a disk');
}

function tryRead(path: string, fd: number, into: Uint8Array, position: number): number {
  try {
    return readSync(fd, into, 0, into.length, position);
  } catch (error) {
    throw systemFailure('read the disk', path, error);
  }
}
