// Operations that can be tried again: a guest gets its blocks through a ring, later, and nothing here waits.
import type { PageSource } from '../page-source.ts';
import { SECTORS_PER_PAGE } from '../pages.ts';

/**
 * Runs an operation on what is at hand.
 *
 * - `done`: its answer.
 * - `need`: it lacks these sectors of the device (`sector` is a multiple of 8, `count` at most 88, one ring request of eleven pages;
 *   within the device). Fetch them and call again; the operation starts anew and gets further each time.
 * - `error`: it fails, however often it is called.
 *
 * Ends on any bytes: an operation that asks for more pages than any sound file system needs is ended with EFBIG.
 */
export function attempt<T>(source: PageSource, run: () => Reading<T>): Attempt<T> {
  const operation = run();
  let state = operation.next();
  for (let asked = 0; !state.done; asked++) {
    const wish = state.value;
    if ('error' in wish) return wish;
    if (asked === MAX_PAGES_READ) return { error: 'EFBIG', reason: `more than ${MAX_PAGES_READ} reads for one operation` };
    if (wish.page * SECTORS_PER_PAGE >= source.sectors)
      return { error: 'EIO', reason: 'a block lies beyond the end of the device' };
    const bytes = source.page(wish.page);
    if (!bytes) return { need: missing(source, wish) };
    state = operation.next(bytes);
  }
  return { done: state.value };
}

export type Attempt<T> = { readonly done: T } | { readonly need: SectorRange } | Failure;
export interface SectorRange {
  readonly sector: number;
  readonly count: number;
}

/** Errors as a program on the guest sees them; `reason` is for people, and names the inode or the block. */
export type FsErrno = 'ENOENT' | 'EIO' | 'ENXIO' | 'ENOTDIR' | 'EISDIR' | 'EINVAL' | 'EFBIG' | 'ENAMETOOLONG' | 'ELOOP';
export interface Failure {
  readonly error: FsErrno;
  readonly reason: string;
}

/** What an operation says while it runs: I need this page, and probably the `ahead` ones behind it; or: I fail. */
export type Wish = { readonly page: number; readonly ahead: number } | Failure;
/** An operation: yields wishes, is resumed with the page's bytes, returns its answer. A generator, so that it reads like plain code. */
export type Reading<T> = Generator<Wish, T, Uint8Array>;

/** Ends the operation: `attempt` does not resume it. */
export function* fail(error: FsErrno, reason: string): Reading<never> {
  for (;;) yield { error, reason };
}

/** Twice what the longest file that is read at once (64 MiB) takes at blocks of 1 KiB; the rest is for directories on the way. */
const MAX_PAGES_READ = 131_072;
/** BLKIF_MAX_SEGMENTS_PER_REQUEST of public/io/blkif.h, a page each. */
const MAX_AHEAD = 11;

/** The page wished for and those wished ahead, up to the first that is there. */
function missing(source: PageSource, wish: { readonly page: number; readonly ahead: number }): SectorRange {
  let pages = 1;
  while (pages < MAX_AHEAD && pages <= wish.ahead && source.page(wish.page + pages) === undefined) pages++;
  const sector = wish.page * SECTORS_PER_PAGE;
  return { sector, count: Math.min(pages * SECTORS_PER_PAGE, source.sectors - sector) };
}
