// The chain of causes of a step, back to its input.
import type { Log } from '../events/log.ts';
import type { Step } from '../events/vocabulary.ts';

/** Steps by number, for random access. The blocks that were looked at last are kept decoded. */
export class Steps {
  private readonly log: Log;
  private readonly blocks: (readonly Step[])[] = [];
  constructor(log: Log) {
    this.log = log;
  }
  get length(): number {
    return this.log.length;
  }
  at(seq: number): Step | undefined {
    let block = this.blocks.find((steps) => steps[0]!.seq <= seq && seq < steps[0]!.seq + steps.length);
    if (!block) {
      block = this.log.around(seq);
      if (block.length > 0) this.blocks.unshift(block);
      this.blocks.splice(BLOCKS);
    }
    return block[seq - (block[0]?.seq ?? 0)];
  }
}
const BLOCKS = 8;

/** The step, what caused it, what caused that, and at last an input: one after the other, for there may be as many as the run has. */
export function* causesOf(steps: Steps, seq: number): Generator<Step> {
  for (let at: number | null = seq; at !== null; ) {
    const step: Step | undefined = steps.at(at);
    if (!step) return;
    yield step;
    at = step.cause;
  }
}
export const why = (steps: Steps, seq: number): Step[] => [...causesOf(steps, seq)];

/** A step of a chain of causes; or how many are left out, for they only go on as the two behind them do. */
export type Link = Step | number;

/** A chain for people: a vCPU that has run for a second has been preempted and scheduled a hundred times. */
export function* shortened(chain: Iterable<Step>): Generator<Link> {
  let two: readonly Step[] = [];
  let repeats: Step[] = [];
  let left = 0;
  for (const step of chain) {
    const [before, one] = two;
    if (before && one && isAlike(step, before)) {
      repeats.push(step);
      if (repeats.length > MOST_REPEATS) {
        repeats.shift();
        left++;
      }
    } else {
      yield* ended();
      yield step;
    }
    two = [...two, step].slice(-2);
  }
  yield* ended();

  function* ended(): Generator<Link> {
    // The last of them is where it came from.
    if (left > 0) yield left + repeats.length - 1;
    yield* left > 0 ? repeats.slice(-1) : repeats;
    repeats = [];
    left = 0;
  }
}
const MOST_REPEATS = 4;

const isAlike = (a: Step, b: Step): boolean => a.origin === b.origin && a.command.type === b.command.type;
