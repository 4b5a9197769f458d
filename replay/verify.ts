// The second replay: decide again. Does this code still decide the same?
import type { Log } from '../events/log.ts';
import type { Step } from '../events/vocabulary.ts';
import { decide, evolve } from '../src/host.ts';
import { PlaybackReader } from '../src/memory/reader.ts';
import { type Divergence, same } from './divergence.ts';
import { newHost } from './fold.ts';
import { causesOf, Steps } from './why.ts';

export interface VerifyOptions {
  /** Another `decide`, for mutants. */
  readonly deciding?: typeof decide;
  readonly onStep?: (step: Step) => void;
}

/** Decides every logged command again, with what was read in guest memory the first time. Answers the first difference, or null. */
export function verify(log: Log, { deciding = decide, onStep }: VerifyOptions = {}): Divergence | null {
  const host = newHost(log);
  for (const step of log.steps()) {
    onStep?.(step);
    const reader = new PlaybackReader(step.reads);
    const outcome = deciding(host, step.command, step.time, reader);
    if (!same(outcome, step.outcome)) return differs(log, step, 'decided otherwise', step.outcome, outcome);
    if (!reader.exhausted) return differs(log, step, 'reads less of guest memory', step.reads, 'fewer reads');
    for (const event of step.outcome.events ?? []) evolve(host, event, step.seq);
  }
  return null;
}

export const differs = (log: Log, step: Step, what: string, expected: unknown, got: unknown): Divergence => ({
  seq: step.seq,
  what,
  expected,
  got,
  causes: firstCauses(log, step.seq),
});

function firstCauses(log: Log, seq: number): Step[] {
  const causes: Step[] = [];
  for (const step of causesOf(new Steps(log), seq)) if (causes.push(step) === MOST_CAUSES) break;
  return causes;
}
/** A chain may have as many steps as the run, and is kept in memory. */
const MOST_CAUSES = 10_000;
