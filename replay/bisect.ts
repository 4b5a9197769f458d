// Where two runs part. Their digests say between which moments, so that only the steps there have to be compared.
import type { Digest } from '../events/codec.ts';
import type { Log } from '../events/log.ts';
import type { Step } from '../events/vocabulary.ts';
import { same } from './divergence.ts';

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

const parts = ['state', 'memory', 'actors', 'executors'] as const;

/**
 * The first difference of two runs, or undefined where they have none. Hosts that have once parted stay apart, so the digests that
 * both logs have are searched by halves.
 */
export function firstDifference(a: Log, b: Log): Parting | undefined {
  const ours = new Map(Array.from(a.digests(), (digest) => [digest.seq, digest]));
  const shared = Array.from(b.digests(), (theirs) => [ours.get(theirs.seq), theirs] as const).filter(
    (pair): pair is readonly [Digest, Digest] => pair[0] !== undefined,
  );
  const differ = ([one, other]: readonly [Digest, Digest]) => parts.filter((part) => one[part] !== other[part]);
  let low = 0;
  let high = shared.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (differ(shared[middle]!).length > 0) high = middle;
    else low = middle + 1;
  }
  const at = shared[low];
  const digests = at && { seq: at[0].seq, differ: differ(at) };
  const from = low > 0 ? shared[low - 1]![0].seq : Math.max(a.first, b.first);
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
  if (a.end && b.end && !same(a.end, b.end)) {
    const at = { seq: a.length, differ: (['state', 'memory'] as const).filter((part) => a.end![part] !== b.end![part]) };
    return { seq: a.length, a: undefined, b: undefined, digests: at, compared };
  }
  return undefined;
}
