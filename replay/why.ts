// The chain of causes of a step, back to its input.
import type { Log } from '../events/log.ts';
import type { Step } from '../events/vocabulary.ts';

/** Steps by number, for random access: a block is decoded once and kept. */
export class Steps {
  private readonly log: Log;
  private readonly known = new Map<number, Step>();
  private end = 0;
  private rest: Generator<Step> | undefined;
  constructor(log: Log) {
    this.log = log;
  }
  get length(): number {
    return this.log.length;
  }
  at(seq: number): Step | undefined {
    this.rest ??= this.log.steps();
    while (this.end <= seq) {
      const { value, done } = this.rest.next();
      if (done) break;
      this.known.set(value.seq, value);
      this.end = value.seq + 1;
    }
    return this.known.get(seq);
  }
}

/** The step, what caused it, what caused that, and at last an input. */
export function why(steps: Steps, seq: number): Step[] {
  const chain: Step[] = [];
  for (let at: number | null = seq; at !== null; ) {
    const step: Step | undefined = steps.at(at);
    if (!step) break;
    chain.push(step);
    at = step.cause;
  }
  return chain;
}
