// A run that was recorded, brought to life again: the newest checkpoint that is right, and the rest from the log.
import type { Digest } from '../events/block.ts';
import { sameBytes } from '../events/bytes.ts';
import type { Log } from '../events/log.ts';
import type { Checkpoint } from '../machines/system/dispatcher.ts';
import { Dispatcher } from '../machines/system/dispatcher.ts';
import type { HostConfig } from '../src/host-config.ts';
import type { CachedCheckpoint, CheckpointCache } from './cache.ts';
import { same } from './divergence.ts';
import { loggedImages } from './images.ts';
import { differingParts, type Reenacted, type ReenactOptions, reenact } from './reenact.ts';
import { startOf } from './start.ts';
import { columnsSince } from './state-changes.ts';

export interface FoundCheckpoint {
  readonly checkpoint: Checkpoint;
  /** Newer ones that could not be used, and why. */
  readonly rejected: readonly { readonly seq: number; readonly why: string }[];
}

/**
 * The newest checkpoint of a cache at or before step `seq` that is whole, that this code restores to what it was, and that the log
 * agrees with. Undefined where there is none: the beginning is always there.
 */
export function newestCheckpoint(
  log: Log,
  cache: CheckpointCache,
  seq = log.length,
): Partial<FoundCheckpoint> & Pick<FoundCheckpoint, 'rejected'> {
  const rejected: { seq: number; why: string }[] = [];
  const images = loggedImages(log);
  for (const entry of cache.list().toReversed()) {
    if (entry.seq > seq || entry.seq < log.first) continue;
    const checkpoint = cache.read(entry.seq);
    const problem = !checkpoint ? 'it is damaged' : entry.seq > log.length ? 'the log does not go so far' : undefined;
    if (!checkpoint || problem !== undefined) {
      rejected.push({ seq: entry.seq, why: problem! });
      continue;
    }
    const dispatcher = new Dispatcher({ config: log.header.host as HostConfig, seed: log.header.seed, images });
    dispatcher.restore(checkpoint);
    const digest = dispatcher.digest();
    const logged = loggedDigest(log, entry.seq);
    if (!same(digest, entry.digest)) rejected.push({ seq: entry.seq, why: 'it is not what was written' });
    else if (!logged) rejected.push({ seq: entry.seq, why: 'the log has no digest to compare it with' });
    else if (!isLogged(dispatcher, logged, log.stateVersionAt(entry.seq)))
      rejected.push({ seq: entry.seq, why: 'the log has another digest' });
    else return { checkpoint, rejected };
  }
  return { rejected };
}

/** What the log says of the host before step `seq`, or at its end: there of the state and the memory alone. */
function loggedDigest(log: Log, seq: number): Partial<Digest> | undefined {
  const { value } = log.digests(seq).next();
  if (value?.seq === seq) return value;
  return seq === log.length ? log.end : undefined;
}

/** Whether what a cache has is of this log, and not of another run that has begun in the same way. */
export function isOf(log: Log, { seq, digest, chain }: CachedCheckpoint): boolean {
  if (chain) return sameBytes(chain, log.chainWith(seq - 1) ?? NO_CHAIN);
  return loggedDigest(log, seq)?.state === digest.state;
}
const NO_CHAIN = new Uint8Array(0);

const isLogged = (dispatcher: Dispatcher, logged: Partial<Digest>, version: number): boolean =>
  differingParts(dispatcher.digest(columnsSince(version)), logged, version).length === 0;

export interface ResumedHost extends Reenacted {
  /** The step before which the checkpoint lies that it started from; `Log.first` where there was none. */
  readonly from: number;
  readonly rejected: FoundCheckpoint['rejected'];
}

/**
 * A host at the end of a log (or at step `until`): restored from the newest checkpoint that is right, and re-enacted from there, each
 * step compared with the log's.
 */
export function resumeHost(
  log: Log,
  cache: CheckpointCache | undefined,
  options: Omit<ReenactOptions, 'from'> = {},
): ResumedHost {
  const { checkpoint, rejected } = cache ? newestCheckpoint(log, cache, options.until) : { checkpoint: undefined, rejected: [] };
  const from = checkpoint ?? startOf(log);
  return { ...reenact(log, { ...options, ...(from && { from }) }), from: from?.seq ?? log.first, rejected };
}
