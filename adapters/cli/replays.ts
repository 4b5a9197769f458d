// The four replays of a log, as verdicts for people and machines.
import { type Log, LogError } from '../../events/log.ts';
import { columnsSince, type Divergence, equalDigests, fold, follow, reenact, verify } from '../../replay/index.ts';
import type { Image } from '../../src/storage/image.ts';
import type { Progress } from './progress.ts';

export const replayNames = ['fold', 'verify', 'follow', 'reenact'] as const;
export type ReplayName = (typeof replayNames)[number];

export interface Verdict {
  readonly replay: ReplayName;
  readonly divergence: Divergence | null;
  /** Wall time. */
  readonly ms: number;
  /** Where this code itself has failed. */
  readonly error?: Error;
}

/** What each of them asks. */
export const questions: Readonly<Record<ReplayName, string>> = {
  fold: 'the facts lead to the same state',
  verify: 'every command is decided the same way',
  follow: 'every actor asks for the same',
  reenact: 'the inputs alone lead to the same steps and memory',
};

/** Steps between two looks at the clock, for the bar. */
const LOOK_EVERY = 512;

/** @throws LogError where a block of the log can not be read */
export function replayLog(
  replay: ReplayName,
  log: Log,
  { images, progress }: { readonly images?: readonly Image[]; readonly progress?: Progress } = {},
): Verdict {
  const started = performance.now();
  let at = -1;
  const onStep = ({ seq }: { readonly seq: number }): void => {
    at = seq;
    if (progress && seq % LOOK_EVERY === 0 && progress.due()) progress.showSteps(replay, seq);
  };
  const verdict = (divergence: Divergence | null, error?: Error): Verdict => ({
    replay,
    divergence,
    ms: performance.now() - started,
    ...(error && { error }),
  });
  try {
    switch (replay) {
      case 'fold':
        return verdict(foldDivergence(log));
      case 'verify':
        return verdict(verify(log, { onStep }));
      case 'follow':
        return verdict(follow(log, { onStep }).divergence);
      case 'reenact':
        return verdict(reenact(log, { onStep, ...(images && { images }) }).divergence);
    }
  } catch (error) {
    if (error instanceof LogError || !(error instanceof Error)) throw error;
    const what = 'this code stops with an error';
    return verdict({ seq: Math.max(0, at), what, expected: 'the rest of the run', got: error.message, causes: [] }, error);
  }
}

function foldDivergence(log: Log): Divergence | null {
  const { end } = log;
  const version = log.stateVersionAt(log.length);
  const state = fold(log).digest(columnsSince(version));
  // A log that was cut says nothing about its end.
  if (!end || end.state === state || !equalDigests(version).includes('state')) return null;
  return { seq: log.length, what: 'the state at the end differs', expected: end.state, got: state, causes: [] };
}
