// Range sets (xen/common/rangeset.c): ascending first and last, apart from one another by at least one number.

/** Firsts and lasts in turns. */
export type RangeSet = readonly number[];
export const nothing: RangeSet = [];

export function contains(set: RangeSet, first: number, last: number): boolean {
  for (let i = 0; i < set.length; i += 2) if (set[i]! <= first && last <= set[i + 1]!) return true;
  return false;
}
export function overlaps(set: RangeSet, first: number, last: number): boolean {
  for (let i = 0; i < set.length; i += 2) if (set[i]! <= last && first <= set[i + 1]!) return true;
  return false;
}
export function add(set: RangeSet, first: number, last: number): RangeSet {
  let [low, high] = [first, last];
  const before: number[] = [];
  const after: number[] = [];
  for (let i = 0; i < set.length; i += 2) {
    const [a, b] = [set[i]!, set[i + 1]!];
    if (b < low - 1) before.push(a, b);
    else if (a > high + 1) after.push(a, b);
    else [low, high] = [Math.min(low, a), Math.max(high, b)];
  }
  return [...before, low, high, ...after];
}
export function remove(set: RangeSet, first: number, last: number): RangeSet {
  const left: number[] = [];
  for (let i = 0; i < set.length; i += 2) {
    const [a, b] = [set[i]!, set[i + 1]!];
    if (b < first || a > last) left.push(a, b);
    else {
      if (a < first) left.push(a, first - 1);
      if (b > last) left.push(last + 1, b);
    }
  }
  return left;
}
/** What is wrong with a set, in words; undefined where nothing is. */
export function flaw(set: RangeSet): string | undefined {
  if (set.length % 2 !== 0) return 'a range without an end';
  for (let i = 0; i < set.length; i += 2) {
    if (set[i]! > set[i + 1]!) return `a range from ${set[i]} to ${set[i + 1]}`;
    if (i > 0 && set[i]! <= set[i - 1]! + 1) return `ranges that touch at ${set[i]}`;
  }
  return undefined;
}
export function* rangesOf(set: RangeSet): Generator<readonly [first: number, last: number]> {
  for (let i = 0; i < set.length; i += 2) yield [set[i]!, set[i + 1]!];
}
