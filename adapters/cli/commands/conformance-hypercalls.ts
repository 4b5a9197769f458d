// xenolog conformance hypercalls: judges the hypervisor by hypercalls that real Xen answered.
import type { Upcalls } from '../../../tools/conformance/hypercall-calls.ts';
import { parseRecording } from '../../../tools/conformance/hypercall-record.ts';
import { judge, type Mismatch } from '../../../tools/conformance/hypercalls.ts';
import { Failure } from '../../failure.ts';
import type { Output } from '../output.ts';
import { readRecording } from './conformance.ts';

/** So many mismatches are shown in words, and so much of each answer. */
const SHOWN = 10;
const WIDTH = 300;
const DIFFERS = 1;
const UNUSABLE = 2;

export interface HypercallConformanceOptions {
  readonly upcalls?: string;
  readonly json?: boolean;
}

/** Answers the exit status: 0 where every answer is as recorded, 1 where one differs. */
export function hypercallConformance(path: string, options: HypercallConformanceOptions, output: Output): number {
  const upcalls = upcallsOf(options.upcalls ?? 'as-told');
  const recording = parseRecording(readRecording(path));
  if (!recording.ok)
    throw new Failure(
      `not a recording: ${recording.why}`,
      `${path}:${recording.line}`,
      'name a recording of hypercalls',
      UNUSABLE,
    );
  if (recording.sequences.length === 0)
    throw new Failure('not a recording: it is empty', path, 'name a recording of hypercalls', UNUSABLE);
  const verdict = judge(recording.sequences, upcalls);
  const { matched, total, byOp, mismatches, told } = verdict;
  if (options.json) output.json({ ...verdict, byOp: Object.fromEntries(byOp) });
  else {
    output.line(`${matched} of ${total} answers match`);
    if (told > 0)
      output.line(`${told} of them tell when dom0's other vCPU had taken its events (--upcalls at-once does not listen)`);
    for (const [op, tally] of [...byOp].sort(([a], [b]) => (a < b ? -1 : 1)))
      output.line(`  ${op.padEnd(32)} ${String(tally.matched).padStart(6)} of ${String(tally.total).padStart(6)}`);
    for (const mismatch of mismatches.slice(0, SHOWN)) for (const line of inWords(mismatch)) output.line(line);
    if (mismatches.length > SHOWN) output.line(`and ${mismatches.length - SHOWN} more (--json has all)`);
  }
  return mismatches.length === 0 ? 0 : DIFFERS;
}

function upcallsOf(text: string): Upcalls {
  if (text === 'as-told' || text === 'at-once') return text;
  throw new Failure('no such time for upcalls', `--upcalls ${text}`, 'it is as-told or at-once', UNUSABLE);
}

function inWords({ mix, seed, seq, op, args, expected, got }: Mismatch): string[] {
  const where = seq === null ? 'at the end' : `call ${seq}`;
  const show = (value: unknown): string => {
    const text = JSON.stringify(value);
    return text.length > WIDTH ? `${text.slice(0, WIDTH)}...` : text;
  };
  return [
    `${mix}, seed ${seed}, ${where}: ${op} ${show(args)}`,
    `  recorded: ${show(expected)}`,
    `  here:     ${got === null ? 'no such call is known' : show(got)}`,
  ];
}
