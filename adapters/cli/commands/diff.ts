// xenolog diff: where two runs part.
import { describeStep, firstDifference, type Parting } from '../../../replay/index.ts';
import { judgeLog } from '../../log-file.ts';
import { openRun } from '../open-run.ts';
import type { Output } from '../output.ts';

const DIFFERENT = 1;

/** Answers the exit status: 0 where the runs are the same, 1 where they part. */
export function diff(pathA: string, pathB: string, { json }: { readonly json?: boolean }, output: Output): number {
  const a = openRun(pathA);
  const b = openRun(pathB);
  const parting = judgeLog(pathA, () => judgeLog(pathB, () => firstDifference(a, b)));
  if (json) output.json(parting ?? null);
  else if (!parting) output.line(`the same ${a.length} steps`);
  else for (const line of describe(parting)) output.line(line);
  return parting ? DIFFERENT : 0;
}

function* describe({ seq, a, b, digests, compared }: Parting): Generator<string> {
  yield `they part at step ${seq}`;
  if (digests) yield `  before step ${digests.seq}, ${digests.differ.join(' and ')} differ; ${compared} steps were compared`;
  yield `  in the first:  ${a ? describeStep(a) : 'the run has ended'}`;
  yield `  in the second: ${b ? describeStep(b) : 'the run has ended'}`;
}
