// xenolog why: the chain of causes of a step, back to its input.
import { causesOf, describeCauses, Steps, shortened } from '../../../replay/index.ts';
import { judgeEach, judgeLog } from '../../log-file.ts';
import { stepNumber } from '../moment.ts';
import { openRun } from '../open-run.ts';
import type { Output } from '../output.ts';

export interface WhyOptions {
  readonly json?: boolean;
  readonly all?: boolean;
}

export async function why(path: string, seq: string, { json, all }: WhyOptions, output: Output): Promise<number> {
  const log = openRun(path);
  const number = stepNumber(seq, log, `why ${seq}`);
  const chain = causesOf(new Steps(log), number);
  if (json) judgeLog(path, () => output.json([...chain]));
  else await output.lines(judgeEach(path, describeCauses(all ? chain : shortened(chain))));
  return 0;
}
