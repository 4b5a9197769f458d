// Where two runs part. The chain of their blocks and their digests say between which moments, so that only the steps there have to be compared.

import type { Digest } from '../events/block.ts';
import { sameBytes } from '../events/bytes.ts';
import { type Log, STEPS_PER_BLOCK } from '../events/log.ts';
import type { Step } from '../events/vocabulary.ts';
import { same } from './divergence.ts';
import { isOfEnd } from './reenact.ts';
import { columnsSince, type DigestPart, digestParts, equalDigests } from './state-changes.ts';

export interface Parting {
  /** The first step that is not the same in both, or before which their hosts differ. */
  readonly seq: number;
  /** The steps; undefined where a run has ended. The same where no step shows what differs. */
  readonly a: Step | undefined;
  readonly b: Step | undefined;
  /** What of the hosts is known to differ at the first moment whose digests are in both logs, and that moment. */
  readonly digests: { readonly seq: number; readonly differ: readonly (keyof Digest)[] } | undefined;
  /** Steps that were compared one by one. */
  readonly compared: number;
}

/**
 * The first difference of two runs, or undefined where they have none. Blocks whose chain values are equal stand behind equal blocks:
 * those of two runs of one header are searched by halves. Hosts that have parted may become equal again (what was written otherwise is
 * written over), so digests that agree say nothing of the steps before them; the first that differ are an end to the search.
 */
export function firstDifference(a: Log, b: Log): Parting | undefined {
  const from = Math.max(a.first, b.first, equalSteps(a, b));
  const digests = firstDigests(a, b, from);
  let compared = 0;
  const theirs = b.steps(from);
  for (const step of a.steps(from)) {
    if (digests && step.seq >= digests.seq)
      return { seq: digests.seq, a: step, b: theirs.next().value ?? undefined, digests, compared };
    const { value: other } = theirs.next();
    compared++;
    if (!other || !same(step, other)) return { seq: step.seq, a: step, b: other ?? undefined, digests, compared };
  }
  const { value: more } = theirs.next();
  if (more) return { seq: more.seq, a: undefined, b: more, digests, compared };
  const [ours, other] = [a.end, b.end];
  const differ = ours && other ? comparable(a, b, a.length).filter((part) => isOfEnd(part) && ours[part] !== other[part]) : [];
  return differ.length > 0
    ? { seq: a.length, a: undefined, b: undefined, digests: { seq: a.length, differ }, compared }
    : undefined;
}

/** Which digests of a moment two logs have in the same form. */
function comparable(a: Log, b: Log, seq: number): readonly DigestPart[] {
  const [ours, theirs] = [a.stateVersionAt(seq), b.stateVersionAt(seq)];
  if (ours === theirs) return digestParts;
  const equal = [equalDigests(ours), equalDigests(theirs)];
  const isFilled = [ours, theirs].some((version) => columnsSince(version) !== undefined);
  return digestParts.filter((part) => equal.every((some) => some.includes(part)) && !(part === 'state' && isFilled));
}

/** How many steps two runs have in common for certain, by the chain values of their blocks. */
function equalSteps(a: Log, b: Log): number {
  const areEqual = (blocks: number): boolean => {
    const [ours, theirs] = [a.chainBehind(blocks * STEPS_PER_BLOCK), b.chainBehind(blocks * STEPS_PER_BLOCK)];
    return ours !== undefined && theirs !== undefined && sameBytes(ours, theirs);
  };
  let low = 0;
  let high = Math.floor(Math.min(a.length, b.length) / STEPS_PER_BLOCK);
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (areEqual(middle)) low = middle;
    else high = middle - 1;
  }
  return low * STEPS_PER_BLOCK;
}

/** The first digests of one moment, from step `from` on, that are in both logs and differ. */
function firstDigests(a: Log, b: Log, from: number): Parting['digests'] {
  const theirs = b.digests(from);
  let other = theirs.next();
  for (const ours of a.digests(from)) {
    while (!other.done && other.value.seq < ours.seq) other = theirs.next();
    if (other.done) return undefined;
    const { value } = other;
    const differ = value.seq === ours.seq ? comparable(a, b, ours.seq).filter((part) => ours[part] !== value[part]) : [];
    if (differ.length > 0) return { seq: ours.seq, differ };
  }
  return undefined;
}
