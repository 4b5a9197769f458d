// xenolog events: what happened, a line for each fact and for each refusal.
import type { Log } from '../../../events/log.ts';
import { eventsOf } from '../../../events/step.ts';
import type { DomId } from '../../../events/units.ts';
import type { Command, Fact, Step } from '../../../events/vocabulary.ts';
import { domainOf } from '../../../machines/index.ts';
import { formatTime, show } from '../../../replay/index.ts';
import { Failure, misuse } from '../../failure.ts';
import { judgeEach } from '../../log-file.ts';
import { openRun } from '../open-run.ts';
import { jsonValue, type Output } from '../output.ts';

export interface EventsOptions {
  readonly type?: string;
  readonly dom?: string;
  readonly from?: string;
  readonly to?: string;
  readonly limit?: string;
  readonly json?: boolean;
}

/** A fact, or a command that was refused. */
interface Happening {
  readonly step: Step;
  readonly message: Fact | Command;
  readonly errno?: string;
}

export async function events(path: string, options: EventsOptions, output: Output): Promise<number> {
  const log = openRun(path);
  const number = (name: keyof EventsOptions, otherwise: number): number => {
    const text = options[name];
    if (text === undefined) return otherwise;
    if (typeof text === 'string' && /^\d+$/.test(text)) return Number(text);
    throw misuse('not a number', `--${name} ${text}`, 'write a whole number from 0 on');
  };
  const from = number('from', 0);
  const to = number('to', Number.MAX_SAFE_INTEGER);
  const limit = number('limit', Number.MAX_SAFE_INTEGER);
  const dom = options.dom === undefined ? undefined : number('dom', 0);
  const matches = matching(options.type ?? '*', log);

  const steps = log.steps(from);
  function* found(): Generator<string> {
    let count = 0;
    for (const step of steps) {
      if (step.seq > to) return;
      for (const happening of happenings(step)) {
        if (!matches(happening.message.type) || (dom !== undefined && !concerns(happening, dom))) continue;
        if (count++ === limit) return;
        yield options.json ? asJson(happening) : asLine(happening);
      }
    }
  }
  // Blocks are decoded as the lines are asked for: that is when a damaged one shows.
  await output.lines(judgeEach(path, found()));
  return 0;
}

/** @throws Failure where the log has no fact and no command that it could be: a slip of the pen would look like silence */
function matching(text: string, { shape }: Log): (type: string) => boolean {
  const matches = pattern(text);
  if ([...shape.facts, ...shape.commands].some(([type]) => matches(type))) return matches;
  throw new Failure('no such type', `--type ${text}`, "write one as the lines show it, with * for any characters: 'evtchn.*'");
}

function* happenings(step: Step): Generator<Happening> {
  const { outcome, command } = step;
  for (const message of eventsOf(outcome)) yield { step, message };
  if (!outcome.ok) yield { step, message: command, errno: outcome.errno };
}

/** `evtchn.*`, `*.closed`, `vbd.note_served`: a star stands for any characters. */
export function pattern(text: string): (type: string) => boolean {
  const parts = text.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  const expression = new RegExp(`^${parts.join('.*')}$`);
  return (type) => expression.test(type);
}

/** Fields that name a domain. */
const domainFields = ['domid', 'dom', 'domain', 'remote_dom', 'frontend', 'backend'];
function concerns({ step, message }: Happening, dom: DomId): boolean {
  const fields = message as unknown as Readonly<Record<string, unknown>>;
  return domainOf(step.origin) === dom || domainFields.some((field) => fields[field] === dom);
}

function asLine({ step: { seq, time, origin }, message, errno }: Happening): string {
  const { type, ...fields } = message;
  return `#${seq} ${formatTime(time)} ${origin}: ${type} ${show(fields)}${errno === undefined ? '' : ` -> ${errno}`}`;
}

function asJson({ step: { seq, time, origin, cause }, message, errno }: Happening): string {
  return JSON.stringify(
    { seq, time, origin, cause, ...(errno === undefined ? { fact: message } : { refused: message, errno }) },
    jsonValue,
  );
}
