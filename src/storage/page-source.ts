// Where a file system's bytes come from: pages of 4 KiB, there or not yet there.
import { PAGE_SIZE } from '../../events/units.ts';
import type { Journal } from '../tables/journal.ts';
import { type Image, SECTOR_SIZE } from './image.ts';
import { Pages, type PagesSnapshot, SECTORS_PER_PAGE } from './pages.ts';

/** A device by pages: page n is the sectors from 8n on. Pages suit every block size up to 4096, for no block crosses one. */
export interface PageSource {
  /** Size of the device in sectors. */
  readonly sectors: number;
  /** The page's 4096 bytes (what lies beyond the device's end is zeros), or undefined while they are not at hand. */
  page(number: number): Uint8Array | undefined;
}

/** An image has all its pages at hand: for those who need not wait, such as a boot loader in dom0. */
export const imagePages = (image: Image): PageSource => ({
  sectors: image.sectors,
  page(number) {
    const bytes = new Uint8Array(PAGE_SIZE);
    const first = number * SECTORS_PER_PAGE;
    const present = Math.min(SECTORS_PER_PAGE, image.sectors - first);
    if (present > 0) image.read(first, bytes.subarray(0, present * SECTOR_SIZE));
    return bytes;
  },
});

/** What a guest has read of a device so far. It decides what the guest asks for next, so it is state like any other. */
export class PageCache implements PageSource {
  readonly sectors: number;
  private readonly pages: Pages;
  constructor(sectors: number, journal: Journal) {
    this.sectors = sectors;
    this.pages = new Pages(journal);
  }

  page(number: number): Uint8Array | undefined {
    return this.pages.at(number);
  }

  /** Keeps what came from the device. `sector` is a multiple of 8, and only the device's end may cut a page short, as in what `attempt` needs. */
  put(sector: number, bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += PAGE_SIZE)
      this.pages.own(Math.floor(sector / SECTORS_PER_PAGE) + at / PAGE_SIZE, () => {}).set(bytes.subarray(at, at + PAGE_SIZE));
  }

  digest(): number {
    return this.pages.digest(() => false);
  }

  snapshot(): PagesSnapshot {
    return this.pages.snapshot();
  }

  restore(snapshot: PagesSnapshot): void {
    this.pages.restore(snapshot);
  }
}
