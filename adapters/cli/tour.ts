// For a newcomer: the run that has just been recorded, replayed in all four ways, and what to try next.
import type { Log } from '../../events/log.ts';
import { eventsOf } from '../../events/step.ts';
import { judgeLog } from '../log-file.ts';
import { describeVerdict } from './commands/replay.ts';
import { openRun } from './open-run.ts';
import type { Output } from './output.ts';
import { replayLog, replayNames } from './replays.ts';

/** Answers the exit status: 0 where all four agree. */
export function tour(path: string, output: Output): number {
  output.line();
  output.line(`The log is the run. Here it is again, from ${path} alone, in four ways:`);
  const log = openRun(path);
  const verdicts = replayNames.map((name) => {
    const verdict = judgeLog(path, () => replayLog(name, log));
    for (const line of describeVerdict(verdict, log.length)) output.line(`  ${line}`);
    output.flush();
    return verdict;
  });
  if (verdicts.some(({ divergence }) => divergence !== null)) {
    output.line('They do not agree. That is a bug: please send the log with a report.');
    return 1;
  }
  output.line('They agree.');
  output.line();
  output.line('What to try next:');
  for (const [command, what] of suggestions(path, log)) output.line(`  npx xenolog ${command.padEnd(width(path))} ${what}`);
  return 0;
}

function suggestions(path: string, log: Log): [command: string, what: string][] {
  const seq = lastBlockCompletion(log);
  return [
    [`inspect ${path} --at 20s`, 'the host at that moment'],
    [`inspect ${path} --at 20s --xenstore /local/domain`, 'XenStore at that moment'],
    ...(seq === undefined
      ? []
      : [[`why ${path} ${seq}`, 'from a finished block request back to a key press'] as [string, string]]),
    [`events ${path} --type 'evtchn.*' --limit 20`, 'what happened to event channels'],
    [`xl --run ${path} --at 20s list`, 'xl, as it would have answered then'],
  ];
}
const width = (path: string): number => `inspect ${path} --at 20s --xenstore /local/domain`.length;

function lastBlockCompletion(log: Log): number | undefined {
  let last: number | undefined;
  for (const { seq, outcome } of log.steps())
    if (eventsOf(outcome).some(({ type }) => type === 'vbd.request_completed')) last = seq;
  return last;
}
