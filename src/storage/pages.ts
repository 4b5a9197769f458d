// Pages of 4 KiB by number, behind the host's one journal: what an overlay and a guest's cache are made of.
import { PAGE_SIZE } from '../../events/units.ts';
import type { Journal } from '../tables/journal.ts';
import { mix } from '../tables/table.ts';
import { SECTOR_SIZE } from './image.ts';

export const SECTORS_PER_PAGE = PAGE_SIZE / SECTOR_SIZE;

export type PagesSnapshot = ReadonlyMap<number, Uint8Array>;

/** Pages that are there, each 4096 bytes, and copied on the first write after a mark or a snapshot. */
export class Pages {
  private pages = new Map<number, Page>();
  private readonly journal: Journal;
  private version = 0;
  constructor(journal: Journal) {
    this.journal = journal;
  }

  /** The bytes as they are now, read-only by contract; undefined for a page that is not there. */
  at(page: number): Uint8Array | undefined {
    return this.pages.get(page)?.bytes;
  }

  /** The bytes to write into, at once. A page that is not there starts as `fill` leaves it. */
  own(page: number, fill: (bytes: Uint8Array) => void): Uint8Array {
    const epoch = this.journal.epoch + this.version;
    const old = this.pages.get(page);
    if (old !== undefined && old.epoch === epoch) {
      old.hash = undefined;
      return old.bytes;
    }
    const bytes = old === undefined ? new Uint8Array(PAGE_SIZE) : old.bytes.slice();
    if (old === undefined) fill(bytes);
    if (this.journal.depth > 0)
      this.journal.recordUndo(() => {
        if (old === undefined) this.pages.delete(page);
        else this.pages.set(page, old);
      });
    this.pages.set(page, { epoch, bytes, hash: undefined });
    return bytes;
  }

  /**
   * A hash of the pages and their contents, the same whatever their history. A page of which `isNothing` says so does not count;
   * that, like the hash, is remembered until the page is written.
   */
  digest(isNothing: (page: number, bytes: Uint8Array) => boolean): number {
    let hash = 17;
    for (const number of this.numbers()) {
      const page = this.pages.get(number)!;
      page.hash ??= isNothing(number, page.bytes) ? NOTHING : contentHash(page.bytes);
      if (page.hash !== NOTHING) hash = mix(mix(hash, number), page.hash);
    }
    return hash >>> 0;
  }

  /** Constant work a page: later writes copy. */
  snapshot(): PagesSnapshot {
    this.version++;
    return new Map(this.numbers().map((page) => [page, this.pages.get(page)!.bytes]));
  }

  restore(snapshot: PagesSnapshot): void {
    this.version++;
    this.pages = new Map([...snapshot].map(([page, bytes]) => [page, { epoch: -1, bytes, hash: undefined }]));
  }

  /** Explicitly ascending, for an undone deletion changes the order of a `Map`. */
  private numbers(): number[] {
    return [...this.pages.keys()].sort((a, b) => a - b);
  }
}

interface Page {
  readonly epoch: number;
  readonly bytes: Uint8Array;
  hash: number | undefined;
}

const NOTHING = -1;

function contentHash(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, PAGE_SIZE);
  let hash = 0;
  for (let offset = 0; offset < PAGE_SIZE; offset += 4) hash = mix(hash, view.getInt32(offset, true));
  return hash >>> 0;
}
