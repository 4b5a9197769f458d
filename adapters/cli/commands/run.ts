// xenolog run: plays a scenario, records it, and shows what an operator would see.
import { fstatSync, statSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { byteStringToText } from '../../../events/bytes.ts';
import { type Embed, embeds, type RunEnd } from '../../../events/log.ts';
import { HypervisorBug } from '../../../events/step.ts';
import type { Ns } from '../../../events/units.ts';
import { askXl } from '../../../index.ts';
import { Dispatcher, Recording } from '../../../machines/index.ts';
import { formatTime } from '../../../replay/index.ts';
import { parseDuration } from '../../../src/scenario/index.ts';
import { Failure, misuse } from '../../failure.ts';
import { type Durability, durabilities, FileStore, storeFailure } from '../../file-store/file-store.ts';
import { type LoadedScenario, loadScenario, ScenarioFailure } from '../../load-scenario.ts';
import { sha256 } from '../../log-file.ts';
import { play } from '../../play.ts';
import { placeFor } from '../../run-place.ts';
import { Output } from '../output.ts';
import { Progress } from '../progress.ts';
import { Report } from '../report.ts';
import { Screen } from '../screen.ts';
import { tour } from '../tour.ts';

export interface RunOptions {
  readonly output?: string;
  /** One of `durabilities`. Without it `none`: a run that is stopped can be made again from its scenario, byte for byte. */
  readonly durability?: string;
  /** One of `embeds`; without it `reads`. */
  readonly embed?: string;
  readonly until?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly tour?: boolean;
}

/** What ends a run early, with a closed log, and the exit statuses that a shell has for programs that they have ended. */
const endings = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;
type Ending = keyof typeof endings;

/** Answers the exit status. */
export async function run(path: string, options: RunOptions, output: Output): Promise<number> {
  if (options.output === undefined || !isStandardOutput(options.output)) return record(path, options, output);
  // A log with our words in it is none.
  const beside = new Output(process.stderr);
  try {
    return await record(path, options, beside);
  } finally {
    beside.flush();
  }
}

/** Whether a log would go where we print: `-o /dev/stdout`. Two that both go to a device (/dev/null) do not meet there. */
function isStandardOutput(path: string): boolean {
  try {
    const [log, own] = [statSync(path), fstatSync(1)];
    return log.dev === own.dev && log.ino === own.ino && !log.isCharacterDevice();
  } catch {
    return false;
  }
}

async function record(path: string, options: RunOptions, output: Output): Promise<number> {
  if (options.tour && options.output === undefined)
    throw misuse('a tour replays the log of the run', '--tour', 'add -o FILE, where the log may go');
  const loaded = loadScenario(path);
  const until = untilOf(options, loaded);
  const durability = durabilityOf(options.durability ?? 'none');
  const embed = embedOf(options);
  const header = embed === 'reads' ? loaded.header : { ...loaded.header, embed };
  const file =
    options.output === undefined ? undefined : new FileStore({ ...placeFor(options.output, durability), header, durability });
  const report = new Report();
  let end: RunEnd;
  let played: Played;
  let list: string;
  const started = performance.now();
  try {
    let size = 0;
    const recording = new Recording({
      header,
      images: loaded.images,
      hash: sha256,
      ...(file
        ? { store: file }
        : {
            sink: (bytes: Uint8Array) => {
              size += bytes.length;
            },
          }),
    });
    played = await drive(recording, loaded, until, options, report, output).catch((error: unknown) => {
      recording.abandon();
      const kept = options.output === undefined ? 'run it again with -o FILE' : `the log up to there is in ${options.output}`;
      throw error instanceof HypervisorBug
        ? new Failure(
            error.message,
            `step ${recording.dispatcher.lastSeq}`,
            `this is a bug of Xenolog: ${kept}, please report it`,
          )
        : error;
    });
    end = recording.finish();
    kept(recording);
    const ms = performance.now() - started;
    const { dispatcher } = recording;
    // The log is closed: whoever asks now asks a host of its own.
    const after = new Dispatcher({ config: loaded.run.config, seed: loaded.run.seed, images: loaded.images });
    after.restore(dispatcher.checkpoint());
    list = askXl(after, ['list']).stdout;
    const figures = {
      steps: end.steps,
      virtual_ns: dispatcher.now,
      ms: Math.round(ms),
      log_bytes: file?.size ?? size,
      log: options.output ?? null,
    };
    if (options.json)
      output.json({
        ...figures,
        state: end.state,
        memory: end.memory,
        stopped: played.stopped !== undefined,
        jobs: report.jobs,
        list,
      });
    else summarise(figures, list, output);
  } finally {
    // Where something was thrown before the end: what there is stays. A store that was closed takes no notice.
    file?.seal();
    loaded.close();
  }
  if (played.failure) throw played.failure;
  const surprises = report.surprises(loaded.run);
  if (surprises.length > 0) throw new ScenarioFailure(surprises);
  if (played.stopped) return endings[played.stopped];
  return options.tour ? tour(options.output!, output) : 0;
}

/** @throws Failure where there is no such mode */
export function durabilityOf(durability: string): Durability {
  const known = durabilities.find((name) => name === durability);
  if (known) return known;
  throw misuse('no such durability', `--durability ${durability}`, `choose one of ${durabilities.join(', ')}`);
}

function embedOf({ embed = 'reads' }: RunOptions): Embed {
  const known = embeds.find((name) => name === embed);
  if (known) return known;
  throw misuse('there is nothing of that name to embed', `--embed ${embed}`, `choose one of ${embeds.join(', ')}`);
}

/** @throws Failure where the log can not be kept: nothing may be shown of steps that would be lost */
function kept(recording: Recording): void {
  const answer = recording.acknowledge();
  if (!answer.ok) throw storeFailure(answer.problem);
}

function untilOf({ until }: RunOptions, loaded: LoadedScenario): Ns {
  if (until === undefined) return loaded.run.until_ns;
  const time = parseDuration(until);
  if (time === undefined) throw misuse('not a time', `--until ${until}`, 'write a number with its unit, such as 60s or 1m30s');
  return time;
}

interface Played {
  readonly stopped?: Ending | undefined;
  /** Something in the scenario that could not be done; the log is good up to there. */
  readonly failure?: ScenarioFailure;
}

async function drive(
  recording: Recording,
  loaded: LoadedScenario,
  until: Ns,
  options: RunOptions,
  report: Report,
  output: Output,
): Promise<Played> {
  const { dispatcher } = recording;
  const progress = new Progress(process.stderr, until, !options.quiet && !options.json);
  const say = (write: (text: string) => void) => (text: string) => {
    kept(recording);
    progress.clear();
    write(text);
  };
  const screen = new Screen({
    host: dispatcher.host,
    out: say((text) => output.text(text)),
    err: say((text) => process.stderr.write(text)),
  });
  const subscription = dispatcher.steps$.subscribe((step) => {
    report.note(step);
    if (!options.json && !options.quiet) screen.see(step);
  });
  let stopped: Ending | undefined;
  const stop = (signal: NodeJS.Signals): void => {
    stopped ??= signal as Ending;
  };
  const signals = Object.keys(endings) as Ending[];
  for (const signal of signals) process.on(signal, stop);
  const playing = play(dispatcher, loaded.run, until);
  try {
    while (!playing.next().done) {
      kept(recording);
      if (!progress.due()) continue;
      progress.show(dispatcher.now, dispatcher.seq);
      await setImmediate();
      if (stopped) playing.return();
    }
    return { stopped };
  } catch (error) {
    if (error instanceof ScenarioFailure) return { stopped, failure: error };
    throw error;
  } finally {
    for (const signal of signals) process.off(signal, stop);
    subscription.unsubscribe();
    progress.clear();
  }
}

interface Figures {
  readonly steps: number;
  readonly virtual_ns: Ns;
  readonly ms: number;
  readonly log_bytes: number;
  readonly log: string | null;
}

function summarise({ steps, virtual_ns, ms, log_bytes, log }: Figures, list: string, output: Output): void {
  output.line();
  output.line(`At the end, ${formatTime(virtual_ns)} after the host has booted:`);
  output.text(byteStringToText(list));
  const kept = log === null ? 'not kept (-o FILE keeps it)' : `in ${log}`;
  output.line();
  output.line(
    `${steps} steps, ${formatTime(virtual_ns)} of virtual time in ${(ms / 1000).toFixed(1)}s; ` +
      `a log of ${log_bytes} bytes, ${kept}`,
  );
}
