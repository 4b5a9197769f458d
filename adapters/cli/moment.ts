// A moment of a run as people name it: the number of a step, or a time.
import type { Log } from '../../events/log.ts';
import type { Cursor } from '../../replay/index.ts';
import { formatTime } from '../../replay/index.ts';
import { parseDuration } from '../../src/scenario/index.ts';
import { Failure } from '../failure.ts';

/**
 * The step before which the moment lies: `1234` is itself, `20s` is the first step after that time.
 *
 * @throws Failure for what is neither, and for a step that the log does not have
 */
export function momentOf(text: string, log: Log, cursor: Cursor): number {
  if (/^\d+$/.test(text)) {
    const seq = Number(text);
    if (seq > log.length) throw outOfRange(seq, log);
    return seq;
  }
  const time = parseDuration(text);
  if (time === undefined)
    throw new Failure('no such moment', `--at ${text}`, 'write the number of a step, or a time such as 20s');
  return cursor.seqAt(time);
}

/** A step that must be there. */
export function stepNumber(text: string, log: Log, where: string): number {
  if (!/^\d+$/.test(text)) throw new Failure('not the number of a step', where, 'write a number, as "events" shows it after #');
  const seq = Number(text);
  if (seq >= log.length) throw outOfRange(seq, log);
  return seq;
}

const outOfRange = (seq: number, log: Log): Failure =>
  log.length === 0
    ? new Failure('the log has no steps', `step ${seq}`, 'record the run again')
    : new Failure('the log has no such step', `step ${seq}`, `it has the steps 0 to ${log.length - 1}`);

/** The time of a step, or of the last one where it is the end. */
export function timeOf(seq: number, log: Log): number {
  let time = 0;
  for (const step of log.steps(Math.max(0, Math.min(seq, log.length - 1)))) {
    time = step.time;
    break;
  }
  return time;
}

export const describeMoment = (seq: number, log: Log): string =>
  seq >= log.length ? `the end, ${formatTime(timeOf(seq, log))}` : `before step ${seq}, ${formatTime(timeOf(seq, log))}`;
