// A moment of a run as people name it: the number of a step, or a time.
import type { Log } from '../../events/log.ts';
import type { Ns } from '../../events/units.ts';
import type { Dispatcher } from '../../machines/index.ts';
import { type Cursor, formatTime } from '../../replay/index.ts';
import { parseDuration } from '../../src/scenario/index.ts';
import { Failure, misuse } from '../failure.ts';

/** A moment lies before the step `seq`, which may be the end of the log. */
export interface Moment {
  readonly seq: number;
  readonly time: Ns;
}

/**
 * `1234` is the moment before that step, `20s` is that time, and nothing is the end.
 *
 * @throws Failure for what is neither, and for a step that the log does not have
 */
export function momentOf(text: string | undefined, log: Log, cursor: Cursor): Moment {
  if (text === undefined) return { seq: log.length, time: timeOf(log.length, log) };
  if (/^\d+$/.test(text)) {
    const seq = Number(text);
    if (seq > log.length) throw outOfRange(seq, log);
    return { seq, time: timeOf(seq, log) };
  }
  const time = parseDuration(text);
  if (time === undefined) throw misuse('no such moment', `--at ${text}`, 'write the number of a step, or a time such as 20s');
  return { seq: cursor.seqAt(time), time };
}

/** A step that must be there. */
export function stepNumber(text: string, log: Log, where: string): number {
  if (!/^\d+$/.test(text)) throw misuse('not the number of a step', where, 'write a number, as "events" shows it after #');
  const seq = Number(text);
  if (seq >= log.length) throw outOfRange(seq, log);
  return seq;
}

/** The whole host at a moment, to ask and to throw away. */
export function hostAt({ seq, time }: Moment, cursor: Cursor): Dispatcher {
  const dispatcher = cursor.hostAt(seq);
  // Between two steps nothing happens but that time passes.
  if (dispatcher.seq <= seq && time > dispatcher.now) dispatcher.now = time;
  return dispatcher;
}

export const describeMoment = ({ seq, time }: Moment, log: Log): string =>
  `${formatTime(time)}, ${seq >= log.length ? `after the last step, ${seq - 1}` : `before step ${seq}`}`;

const outOfRange = (seq: number, log: Log): Failure =>
  log.length === 0
    ? new Failure('the log has no steps', `step ${seq}`, 'record the run again')
    : new Failure('the log has no such step', `step ${seq}`, `it has the steps 0 to ${log.length - 1}`);

/** The time of a step, or of the last one where it is the end. */
function timeOf(seq: number, log: Log): Ns {
  const step = log.steps(Math.max(0, Math.min(seq, log.length - 1))).next().value as { readonly time: Ns } | undefined;
  return step?.time ?? 0;
}
