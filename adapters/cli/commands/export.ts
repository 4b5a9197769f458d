// xenolog export: a run in a form that other tools read.
import { toJsonLine } from '../../../replay/index.ts';
import { misuse } from '../../failure.ts';
import { openRun } from '../open-run.ts';
import type { Output } from '../output.ts';

export interface ExportOptions {
  readonly format: string;
}

export async function exportRun(path: string, { format }: ExportOptions, output: Output): Promise<number> {
  if (format !== 'jsonl') throw misuse('not a format', `--format ${format}`, 'write jsonl, the only one so far');
  await output.lines(lines(openRun(path)));
  return 0;
}

function* lines(log: ReturnType<typeof openRun>): Generator<string> {
  for (const step of log.steps()) yield toJsonLine(step);
}
