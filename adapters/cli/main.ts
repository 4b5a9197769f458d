#!/usr/bin/env node
// The program xenolog: records runs, replays them, and answers questions about them.
import { Command, CommanderError } from 'commander';
import { version } from '../../index.ts';
import { Failure, systemFailure } from '../failure.ts';
import { ScenarioFailure } from '../load-scenario.ts';
import { UNUSABLE } from '../log-file.ts';
import { type XenstoreConformanceOptions, xenstoreConformance } from './commands/conformance.ts';
import { type HypercallConformanceOptions, hypercallConformance } from './commands/conformance-hypercalls.ts';
import { diff } from './commands/diff.ts';
import { type EventsOptions, events } from './commands/events.ts';
import { type ExportOptions, exportRun } from './commands/export.ts';
import { type InspectOptions, inspect } from './commands/inspect.ts';
import { type LogOptions, logCheck, logCompact, logInfo, logMerge, logRemove, logRepair } from './commands/log.ts';
import { type ReplayOptions, replay } from './commands/replay.ts';
import { type RunOptions, run } from './commands/run.ts';
import { type WhyOptions, why } from './commands/why.ts';
import { type XenstoredOptions, xenstored } from './commands/xenstored.ts';
import { type XlOptions, xl } from './commands/xl.ts';
import { Output } from './output.ts';

/** The exit status of a command line that makes no sense; a fault of ours has another. */
const USAGE = UNUSABLE;
const FAULT = 70;

/** What is left where standard output can not be written. */
let failed = 0;
const output = new Output(process.stdout, (error) => {
  process.exitCode = failed = complain(systemFailure('write what there is to say', 'standard output', error));
});

async function main(): Promise<number> {
  let status = 0;
  const program = commands((code) => {
    status = code;
  });
  try {
    await program.parseAsync();
  } catch (error) {
    status = complain(error);
  }
  output.flush();
  return status;
}

function commands(done: (status: number) => void): Command {
  const program = new Command('xenolog')
    .description('A whole Xen host whose every step is in a log: record a run, replay it, look at any moment of it.')
    .version(version, '--version', 'print the version')
    .option('--debug', 'with an error, print where in the program it arose')
    .showSuggestionAfterError(true)
    .exitOverride()
    .configureOutput({ outputError: () => {} })
    .addHelpText('after', '\nxenolog COMMAND --help tells more of each.');

  program
    .command('run')
    .argument('<scenario>', 'a YAML file: see docs/scenario.md')
    .description('play a scenario and record it')
    .option('-o, --output <file>', 'keep the log in this file, or as lmdb:DIR#RUN in a database')
    .option('--durability <mode>', 'what outlives a kill of this program: batch, strict or none: see docs/durability.md', 'none')
    .option('--embed <what>', 'what of the disks the log carries: reads, hashes or none: see docs/durability.md', 'reads')
    .option('--until <time>', 'end earlier or later than the scenario says, such as 90s')
    .option('--json', 'print figures for a program instead of what an operator sees')
    .option('--quiet', 'print the end only')
    .option('--tour', 'then replay the log in all four ways, and say what to try next')
    .addHelpText(
      'after',
      examples('run examples/livecd/livecd.yaml -o livecd.xlog', 'run examples/livecd/livecd.yaml --until 20s --json'),
    )
    .action(async (scenario: string, options: RunOptions) => done(await run(scenario, options, output)));

  program
    .command('replay')
    .argument('<run>', 'a log')
    .description(
      'do it again and compare; in all four ways unless some are named. Exit status: 0 same, 1 it differs, 2 unusable log',
    )
    .option('--fold', 'apply the facts')
    .option('--verify', 'decide every command again')
    .option('--follow', 'run the actors again over the facts')
    .option('--reenact', 'everything again, from the inputs alone')
    .option('--image <file...>', 'disks that the log does not carry, in any order: their digests say which they are')
    .option('--json', 'print verdicts for a program')
    .addHelpText('after', examples('replay livecd.xlog', 'replay livecd.xlog --verify --json'))
    .action((path: string, options: ReplayOptions) =>
      done(replay(path, { ...options, debug: program.opts()['debug'] === true }, output)),
    );

  program
    .command('events')
    .argument('<run>', 'a log')
    .description('what happened: a line for each fact, and for each command that was refused')
    .option('--type <pattern>', 'only these, such as evtchn.* or *.closed')
    .option('--dom <domid>', 'only what concerns this domain')
    .option('--from <seq>', 'from this step on')
    .option('--to <seq>', 'up to this step')
    .option('--limit <count>', 'at most so many')
    .option('--json', 'a JSON object a line')
    .addHelpText(
      'after',
      examples("events livecd.xlog --type 'vbd.*' --dom 3", 'events livecd.xlog --from 1000 --limit 20 --json'),
    )
    .action(async (path: string, options: EventsOptions) => done(await events(path, options, output)));

  program
    .command('inspect')
    .argument('<run>', 'a log')
    .description('the host at a moment: before a step, or at a time. Without a moment: at the end')
    .option('--at <moment>', 'the number of a step, or a time such as 20s')
    .option('--domain <domid>', 'one domain, by id or name')
    .option('--actor <id>', 'the state and the context of one actor')
    .option('--table <name>', 'the rows in use of one table')
    .option('--xenstore <path>', 'the nodes of XenStore from this path on')
    .option('--memory <dom:gfn>', 'a page of a domain')
    .option('--image <file...>', 'disks that the log does not carry: without options and with --memory they are needed')
    .option('--json', 'for a program')
    .addHelpText('after', examples('inspect livecd.xlog --at 20s', 'inspect livecd.xlog --at 20s --xenstore /local/domain'))
    .action((path: string, options: InspectOptions) => done(inspect(path, options, output)));

  program
    .command('why')
    .argument('<run>', 'a log')
    .argument('<seq>', 'the number of a step')
    .description('the causes of a step, one after the other, back to an input')
    .option('--all', 'each of them, also where two alternate again and again')
    .option('--json', 'for a program: all of them')
    .addHelpText('after', examples('why livecd.xlog 5000'))
    .action(async (path: string, seq: string, options: WhyOptions) => done(await why(path, seq, options, output)));

  program
    .command('diff')
    .argument('<run-a>', 'a log')
    .argument('<run-b>', 'another one')
    .description(
      'where two runs part: their digests first, then step by step. Exit status: 0 the same, 1 they part, 2 unusable log',
    )
    .option('--json', 'for a program')
    .addHelpText('after', examples('diff livecd.xlog other.xlog'))
    .action((a: string, b: string, options: { json?: boolean }) => done(diff(a, b, options, output)));

  program
    .command('xenstored')
    .description('XenStore behind a Unix socket, for xenstore-read and its like: see docs/xenstored.md')
    .requiredOption('--socket <path>', 'where it listens; XENSTORED_PATH of the tools')
    .option('--xen-version <version>', 'whose xenstored it answers as: 4.17 or 4.22 (without it 4.17, or as before)')
    .option(
      '--state <dir>',
      'keep the log of the run in this directory, or as lmdb:DIR#RUN, and go on with the run that is there',
    )
    .option('--durability <mode>', 'when a reply leaves: batch, strict or none; see docs/durability.md', 'batch')
    .option('--rotate <size>', 'how large the log grows before it goes on in a next file', '32M')
    .option('--test-domains <count>', 'domains 0 to COUNT exist, each with a socket for its ring beside the other')
    .addHelpText(
      'after',
      examples(
        'xenstored --socket /tmp/xs/socket --state /tmp/xs',
        'xenstored --socket ./socket --state lmdb:/tmp/runs#store',
        'xenstored --socket ./socket --xen-version 4.22',
      ),
    )
    .action(async (options: XenstoredOptions) => done(await xenstored(options, output)));

  program
    .command('export')
    .argument('<run>', 'a log')
    .description('the run in a form that other tools read')
    .option('--format <format>', 'jsonl: a JSON object a line for every step', 'jsonl')
    .addHelpText('after', examples('export livecd.xlog --format jsonl'))
    .action(async (path: string, options: ExportOptions) => done(await exportRun(path, options, output)));

  const log = program
    .command('log')
    .description('about a log as it is kept, in files or as lmdb:DIR#RUN: see docs/durability.md');
  log
    .command('info')
    .argument('<run>', 'a log')
    .description('what it is, from its header and its blocks')
    .option('--json', 'for a program')
    .addHelpText('after', examples('log info livecd.xlog'))
    .action((path: string, options: LogOptions) => done(logInfo(path, options, output)));
  log
    .command('check')
    .argument('<run>', 'a log')
    .description('read all of it. Exit status: 0 whole, 1 cut but good as far as it goes, 2 unusable')
    .option('--json', 'for a program')
    .addHelpText('after', examples('log check livecd.xlog'))
    .action((path: string, options: LogOptions) => done(logCheck(path, options, output)));
  log
    .command('repair')
    .argument('<run>', 'a log that was not closed, and its sidecar if it has one')
    .description('make it one whole file, in its place, with every step that was acknowledged: see docs/durability.md')
    .option('--json', 'for a program')
    .addHelpText('after', examples('log repair livecd.xlog'))
    .action((path: string, options: LogOptions) => done(logRepair(path, options, output)));
  log
    .command('compact')
    .argument('<run>', 'a log that nobody is writing')
    .description('make it as small as it can be without a change to any replay, in its place: one file, and one checkpoint')
    .option('--json', 'for a program')
    .addHelpText('after', examples('log compact livecd.xlog'))
    .action((path: string, options: LogOptions) => done(logCompact(path, options, output)));
  log
    .command('merge')
    .argument('<run>', 'the first file of a run of several: RUN.xlog, RUN.2.xlog ...')
    .description('write all of them as one file, and leave them as they are')
    .requiredOption('-o, --output <file>', 'the file, which must not be there yet')
    .option('--json', 'for a program')
    .addHelpText('after', examples('log merge run.xlog -o whole.xlog', 'log merge run.xlog -o lmdb:runs#monday'))
    .action((path: string, options: LogOptions & { output: string }) => done(logMerge(path, options, output)));
  log
    .command('remove')
    .argument('<run>', 'a log that nobody is writing')
    .description('take it away, with its later files, its sidecar and its checkpoints')
    .option('--checkpoints', 'only its checkpoints: they are made again when they are needed')
    .option('--json', 'for a program')
    .addHelpText('after', examples('log remove lmdb:runs#monday', 'log remove run.xlog --checkpoints'))
    .action((path: string, options: LogOptions & { checkpoints?: boolean }) => done(logRemove(path, options, output)));

  const conformance = program
    .command('conformance')
    .description('judge this code by a recording of real Xen. Exit status: 0 all match, 1 some differ, 2 unusable recording');
  conformance
    .command('xenstore')
    .argument('<file>', 'scenarios as JSON lines, .gz or not')
    .description('play recorded XenStore scenarios and compare every reply and event')
    .option('--xen-version <version>', 'whose xenstored it has to be; without it, the one that was recorded')
    .option('--json', 'everything, for a program')
    .addHelpText('after', examples('conformance xenstore test/golden/xenstored/c417.jsonl.gz'))
    .action((path: string, options: XenstoreConformanceOptions) => done(xenstoreConformance(path, options, output)));
  conformance
    .command('hypercalls')
    .argument('<file>', 'hypercalls as JSON lines, .gz or not')
    .description('make recorded hypercalls again, each sequence from its own start, and compare every answer')
    .option('--upcalls <when>', "when dom0's other vCPU takes its events: as-told by the answers, or at-once", 'as-told')
    .option('--json', 'everything, for a program')
    .addHelpText('after', examples('conformance hypercalls test/golden/hypercalls/hypercalls.jsonl.gz'))
    .action((path: string, options: HypercallConformanceOptions) => done(hypercallConformance(path, options, output)));

  program
    .command('xl')
    .argument('<args...>', 'what xl is asked: list, vcpu-list, console NAME ...')
    .description('what xl would have answered at a moment of a run')
    .requiredOption('--run <run>', 'a log')
    .option('--at <moment>', 'the number of a step, or a time such as 20s')
    .option(
      '--image <file>',
      'a disk that the log does not carry; once for each',
      (file: string, before: readonly string[] = []) => [...before, file],
    )
    .allowUnknownOption()
    .addHelpText('after', examples('xl --run livecd.xlog --at 20s list', 'xl --run livecd.xlog --at 40s console server02'))
    .action((args: string[], options: XlOptions) => done(xl(args, options, output)));
  return program;
}

const examples = (...lines: readonly string[]): string => `\nExamples:\n${lines.map((line) => `  xenolog ${line}`).join('\n')}`;

/** Says what is wrong, in a line; answers the exit status. */
function complain(error: unknown): number {
  output.flush();
  const say = (text: string): void => void process.stderr.write(`xenolog: ${text}\n`);
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return 0; // --help, --version
    if (error.code === 'commander.help') return USAGE; // no command: the help has been printed
    const [what, ...hints] = error.message.replace(/^error: /, '').split('\n');
    say(`${what} (command line): ${hints.length > 0 ? hints.join(' ').replace(/[()]/g, '') : 'see xenolog --help'}`);
    return USAGE;
  }
  if (process.argv.includes('--debug')) process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  if (error instanceof ScenarioFailure) for (const line of error.lines) say(line);
  else if (error instanceof Failure) say(error.message);
  else
    say(
      `${error instanceof Error ? error.message : String(error)} (inside xenolog): this is a bug; run again with --debug and report it`,
    );
  return error instanceof Failure ? error.exitCode : FAULT;
}

const status = await main();
process.exitCode = failed || status;
