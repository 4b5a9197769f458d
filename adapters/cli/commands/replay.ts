// xenolog replay: does this code still lead to the same run?
import { describeDivergence, describeImage, loggedImages, missingImages } from '../../../replay/index.ts';
import { Failure } from '../../failure.ts';
import { judgeLog, UNUSABLE } from '../../log-file.ts';
import { broughtImages, openRun } from '../open-run.ts';
import type { Output } from '../output.ts';
import { Progress } from '../progress.ts';
import { questions, type ReplayName, replayLog, replayNames, type Verdict } from '../replays.ts';

export type ReplayOptions = { readonly [N in ReplayName]?: boolean } & {
  /** Disks that the log does not carry. */
  readonly image?: readonly string[];
  readonly json?: boolean;
  readonly debug?: boolean;
};

const DIVERGED = 1;

/** Answers the exit status: 0 where all agree, 1 where one differs. */
export function replay(path: string, options: ReplayOptions, output: Output): number {
  const log = openRun(path);
  const chosen = replayNames.filter((name) => options[name]);
  const verdicts: Verdict[] = [];
  const brought = broughtImages(options.image ?? []);
  const missing = judgeLog(path, () => missingImages(log, brought)).map(describeImage);
  if (missing.length > 0 && options.reenact)
    throw new Failure(`the log does not carry ${missing.join(', ')}`, path, 'bring what is missing with --image FILE', UNUSABLE);
  for (const name of chosen.length > 0 ? chosen : replayNames) {
    if (name === 'reenact' && missing.length > 0) {
      if (!options.json)
        output.line(`reenact  left out: the log does not carry ${missing.join(', ')}; bring it with --image FILE`);
      continue;
    }
    const progress = new Progress(process.stderr, log.length, !options.json);
    const verdict = judgeLog(path, () => replayLog(name, log, { images: loggedImages(log, brought), progress }));
    progress.clear();
    verdicts.push(verdict);
    if (!options.json) for (const line of describeVerdict(verdict, log.length)) output.line(line);
    // Each as it comes: one may take minutes.
    output.flush();
    if (options.debug && verdict.error) process.stderr.write(`${verdict.error.stack}\n`);
  }
  if (options.json)
    output.json({
      steps: log.length,
      closed: log.end !== undefined,
      missing_images: missing,
      replays: verdicts.map(({ replay, divergence, ms }) => ({
        replay,
        same: divergence === null,
        ms: Math.round(ms),
        divergence,
      })),
    });
  return verdicts.every(({ divergence }) => divergence === null) ? 0 : DIVERGED;
}

export function describeVerdict({ replay, divergence, ms }: Verdict, steps: number): string[] {
  const name = replay.padEnd(8);
  if (divergence) return [`${name} DIFFERS at ${describeDivergence(divergence).join('\n')}`];
  return [`${name} same: ${questions[replay]} (${steps} steps, ${(ms / 1000).toFixed(2)}s)`];
}
