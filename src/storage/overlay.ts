// A disk that a guest may write: an image that does not change, and over it the pages that did.
import { PAGE_SIZE } from '../../events/units.ts';
import type { Journal } from '../tables/journal.ts';
import { type Image, SECTOR_SIZE } from './image.ts';
import { Pages, type PagesSnapshot, SECTORS_PER_PAGE } from './pages.ts';

/** EROFS: the disk is attached read-only. EINVAL: not whole sectors, or not within the disk. */
export type DiskAccess = { readonly ok: true } | { readonly ok: false; readonly errno: 'EROFS' | 'EINVAL' };
/** The 4 KiB pages that were written, by number: page n is the sectors from 8n on. */
export type OverlaySnapshot = PagesSnapshot;

export class Overlay {
  /** Size in sectors of 512 bytes, that of the image. */
  readonly sectors: number;
  readonly readOnly: boolean;
  private readonly base: Image;
  private readonly pages: Pages;
  constructor(base: Image, journal: Journal, mode: 'r' | 'w') {
    this.sectors = base.sectors;
    this.readOnly = mode === 'r';
    this.base = base;
    this.pages = new Pages(journal);
  }

  /** Fills `into` from `sector` on; leaves it alone when it refuses. */
  read(sector: number, into: Uint8Array): DiskAccess {
    if (!this.contains(sector, into.length)) return outside;
    for (const { page, offset, at, length } of spans(sector, into.length)) {
      const target = into.subarray(at, at + length);
      const written = this.pages.at(page);
      if (written) target.set(written.subarray(offset, offset + length));
      else this.base.read(sector + at / SECTOR_SIZE, target);
    }
    return done;
  }

  /** Writes all of `bytes` or refuses. Undone by a rollback of the journal. */
  write(sector: number, bytes: Uint8Array): DiskAccess {
    if (this.readOnly) return readOnly;
    if (!this.contains(sector, bytes.length)) return outside;
    for (const { page, offset, at, length } of spans(sector, bytes.length))
      this.pages.own(page, (fresh) => this.readBase(page, fresh)).set(bytes.subarray(at, at + length), offset);
    return done;
  }

  /** The same for equal contents over the same image: a page that was written back to what it was does not count. */
  digest(): number {
    return this.pages.digest((page, bytes) => {
      const original = new Uint8Array(PAGE_SIZE);
      this.readBase(page, original);
      return bytes.every((byte, i) => byte === original[i]);
    });
  }

  snapshot(): OverlaySnapshot {
    return this.pages.snapshot();
  }

  restore(snapshot: OverlaySnapshot): void {
    this.pages.restore(snapshot);
  }

  private contains(sector: number, length: number): boolean {
    return (
      Number.isSafeInteger(sector) && sector >= 0 && length % SECTOR_SIZE === 0 && sector + length / SECTOR_SIZE <= this.sectors
    );
  }

  /** The last page of a disk may be cut short by its end. */
  private readBase(page: number, into: Uint8Array): void {
    const first = page * SECTORS_PER_PAGE;
    const present = Math.min(SECTORS_PER_PAGE, this.sectors - first);
    this.base.read(first, into.subarray(0, present * SECTOR_SIZE));
  }
}

const done = { ok: true } as const;
const readOnly = { ok: false, errno: 'EROFS' } as const;
const outside = { ok: false, errno: 'EINVAL' } as const;

/** The pages that a run of sectors touches: `offset` and `length` in the page, `at` in the run, all in bytes. */
function* spans(sector: number, bytes: number): Generator<{ page: number; offset: number; at: number; length: number }> {
  for (let at = 0; at < bytes; ) {
    const from = sector + at / SECTOR_SIZE;
    const offset = (from % SECTORS_PER_PAGE) * SECTOR_SIZE;
    const length = Math.min(PAGE_SIZE - offset, bytes - at);
    yield { page: Math.floor(from / SECTORS_PER_PAGE), offset, at, length };
    at += length;
  }
}
