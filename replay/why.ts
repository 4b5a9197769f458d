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
