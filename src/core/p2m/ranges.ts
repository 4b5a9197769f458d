// Runs of pages as immutable sorted lists: a domain of 64 GiB is one entry until somebody splits it.

/** `count` pages from `gfn` on are backed by the machine frames from `mfn` on. */
export interface Range {
  readonly gfn: number;
  readonly mfn: number;
  readonly count: number;
}
/** Sorted by gfn, without overlap; neighbours that continue each other are one. */
export type Ranges = readonly Range[];

/** The index of the last range that starts at or before `gfn`, or -1. */
function indexOf(ranges: Ranges, gfn: number): number {
  let low = 0;
  let high = ranges.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    if (ranges[middle]!.gfn <= gfn) low = middle + 1;
    else high = middle - 1;
  }
  return high;
}

/** The frame behind a page, or -1. */
export function lookup(ranges: Ranges, gfn: number): number {
  const range = ranges[indexOf(ranges, gfn)];
  return range !== undefined && gfn < range.gfn + range.count ? range.mfn + (gfn - range.gfn) : -1;
}

/** Whether any page of [gfn, gfn + count) is backed. */
export function overlaps(ranges: Ranges, gfn: number, count: number): boolean {
  const before = ranges[indexOf(ranges, gfn)];
  if (before !== undefined && gfn < before.gfn + before.count) return true;
  const after = ranges[indexOf(ranges, gfn) + 1];
  return after !== undefined && after.gfn < gfn + count;
}

/** The parts of the ranges that lie in [gfn, gfn + count). */
export function slice(ranges: Ranges, gfn: number, count: number): Range[] {
  const parts: Range[] = [];
  for (let i = Math.max(0, indexOf(ranges, gfn)); i < ranges.length; i++) {
    const range = ranges[i]!;
    if (range.gfn >= gfn + count) break;
    const start = Math.max(range.gfn, gfn);
    const end = Math.min(range.gfn + range.count, gfn + count);
    if (start < end) parts.push({ gfn: start, mfn: range.mfn + (start - range.gfn), count: end - start });
  }
  return parts;
}

/** With [gfn, ...) backed as well. The pages are free before: `overlaps` says so. */
export function insert(ranges: Ranges, added: Range): Ranges {
  const at = indexOf(ranges, added.gfn) + 1;
  const list = [...ranges.slice(0, at), added, ...ranges.slice(at)];
  // Only the two seams can have come to continue each other.
  for (const seam of [at, at - 1]) {
    const a = list[seam];
    const b = list[seam + 1];
    if (a && b && a.gfn + a.count === b.gfn && a.mfn + a.count === b.mfn)
      list.splice(seam, 2, { gfn: a.gfn, mfn: a.mfn, count: a.count + b.count });
  }
  return list;
}

/** Without whatever lies in [gfn, gfn + count). */
export function remove(ranges: Ranges, gfn: number, count: number): Ranges {
  const end = gfn + count;
  const list: Range[] = [];
  for (const range of ranges) {
    const rangeEnd = range.gfn + range.count;
    if (rangeEnd <= gfn || range.gfn >= end) {
      list.push(range);
      continue;
    }
    if (range.gfn < gfn) list.push({ ...range, count: gfn - range.gfn });
    if (rangeEnd > end) list.push({ gfn: end, mfn: range.mfn + (end - range.gfn), count: rangeEnd - end });
  }
  return list;
}
