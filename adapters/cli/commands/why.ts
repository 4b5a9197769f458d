// xenolog why: the chain of causes of a step, back to its input.
import { why as causesOf, describeStep, Steps } from '../../../replay/index.ts';
import { judgeLog } from '../../log-file.ts';
import { stepNumber } from '../moment.ts';
import { openRun } from '../open-run.ts';
import type { Output } from '../output.ts';

export function why(path: string, seq: string, options: { readonly json?: boolean }, output: Output): number {
  const log = openRun(path);
  const number = stepNumber(seq, log, `why ${seq}`);
  const chain = judgeLog(path, () => causesOf(new Steps(log), number));
  if (options.json) output.json(chain);
  else for (const [i, step] of chain.entries()) output.line(`${i === 0 ? '' : 'because of '}${describeStep(step)}`);
  return 0;
}
