// xenolog xl --run RUN --at MOMENT: the toolstack's own answers, at any moment of a run.
import { byteStringToText, utf8ToByteString } from '../../../events/bytes.ts';
import type { Log } from '../../../events/log.ts';
import { eventsOf } from '../../../events/step.ts';
import { askXl } from '../../../index.ts';
import type { Cursor } from '../../../replay/index.ts';
import { Failure, misuse } from '../../failure.ts';
import { judgeLog } from '../../log-file.ts';
import { domainNamed } from '../../play.ts';
import { hostAt, momentOf } from '../moment.ts';
import { openCursor, openRun } from '../open-run.ts';
import type { Output } from '../output.ts';

export interface XlOptions {
  readonly run?: string;
  readonly at?: string;
  /** Disks that the log does not carry. */
  readonly image?: readonly string[];
}

/** The subcommands of xl that change nothing. */
const lookingOnly: readonly string[] = ['list', 'domid', 'domname', 'vcpu-list', 'info'];

/** Answers the exit status of xl. */
export function xl(args: readonly string[], { run, at, image }: XlOptions, output: Output): number {
  const path = run;
  const argv = args.map(utf8ToByteString);
  if (path === undefined) throw misuse('no run to look at', 'xenolog xl', 'add --run RUN --at MOMENT');
  const [command, ...words] = argv;
  if (command === undefined || (command !== 'console' && !lookingOnly.includes(command)))
    throw misuse(`xl ${command ?? ''} can not be asked of a run`, path, `ask ${[...lookingOnly, 'console'].join(', ')}`);

  const log = openRun(path);
  return judgeLog(path, () => {
    const cursor = openCursor(path, log, image);
    const moment = momentOf(at, log, cursor);
    if (command === 'console') return showConsole(words, log, cursor, moment.seq, output);
    const { stdout, stderr, rc } = askXl(hostAt(moment, cursor), argv);
    output.text(byteStringToText(stdout));
    process.stderr.write(byteStringToText(stderr));
    if (rc === undefined)
      throw new Failure(`xl ${args.join(' ')} does not end`, path, 'ask at a moment when the host has booted');
    return rc;
  });
}

/** All that a domain has written to its console up to a step. */
function showConsole(words: readonly string[], log: Log, cursor: Cursor, seq: number, output: Output): number {
  const name = words.find((word) => !word.startsWith('-'));
  if (name === undefined) throw misuse('no domain', 'xl console', 'name a domain');
  const host = cursor.stateAt(seq);
  const dom = /^\d+$/.test(name) ? Number(name) : domainNamed(host, name);
  if (dom === undefined) throw new Failure('no such domain at that moment', name, 'see "xl list" at that moment');
  let text = '';
  for (const step of log.steps()) {
    if (step.seq >= seq) break;
    for (const event of eventsOf(step.outcome)) {
      // Ids are used again: an earlier domain's output is not this one's.
      if (event.type === 'domain.created' && event.domid === dom) text = '';
      else if (event.type === 'console.output' && event.dom === dom) text += event.text;
    }
  }
  output.text(byteStringToText(text).replaceAll('\r\n', '\n'));
  return 0;
}
