// Plays one recorded scenario against a server, and compares what came with what the real xenstored sent.
import { requestTypes } from '../../events/xenstore.ts';
import type { Client, Received, Server } from './xenstore-server.ts';

/** What arrived between two steps: a reply, an event, or the end of a connection. */
export interface Seen {
  readonly c: string;
  readonly rid?: number;
  readonly type?: number;
  readonly t?: string;
  tx?: string | number;
  body?: string;
  readonly ev?: readonly string[];
  readonly closed?: boolean;
}
export interface RecordedStep {
  readonly c?: string;
  readonly do?: 'req' | 'batch' | 'repeat' | 'raw' | 'open' | 'close' | 'ctl';
  readonly type?: number;
  readonly op?: string;
  readonly body?: string;
  readonly tx?: number | string;
  readonly rid?: number;
  readonly save?: string;
  readonly reqs?: readonly RecordedStep[];
  readonly parts?: readonly string[];
  readonly n?: number;
  readonly cmd?: string;
  readonly dropEvents?: boolean;
  readonly vol?: 'body' | 'merge';
  readonly out: readonly Seen[];
  readonly rep?: readonly (readonly [string, number])[];
}
export interface Scenario {
  readonly name: string;
  readonly group: string;
  readonly base: string;
  readonly conns: readonly { readonly id: string; readonly domid?: number; readonly lazy?: boolean }[];
  readonly domids?: readonly number[];
  readonly cleanup?: readonly string[];
  readonly undo?: readonly { readonly type: number; readonly body: string }[];
  readonly saveSpecial?: boolean;
  readonly ctl?: boolean;
  readonly steps: readonly RecordedStep[];
}

/** Where a server differs from the recording. */
export interface Difference {
  /** Index of the step. */
  readonly step: number;
  /** In words: who asked what, what was recorded, and what came here. */
  readonly asked: string;
  readonly recorded: string;
  readonly got: string;
}

/** Plays a scenario; what differs, step by step. */
export function play(scenario: Scenario, server: Server): Difference[] {
  const clients = new Map<string, Client>();
  const ids = new Map<string, number>();
  const symbols = new Map<string, string>();
  const generations = new Map<string, number>();
  const differences: Difference[] = [];
  const admin = server.open()!;
  const domids = scenario.domids ?? [];

  const scrub = (): void => {
    for (const path of scenario.cleanup ?? []) admin.ask('RM', `${path}\0`);
    admin.ask('RM', `${scenario.base}\0`);
    for (const domid of domids) {
      admin.ask('RELEASE', `${domid}\0`);
      admin.ask('RM', `/local/domain/${domid}\0`);
    }
  };
  const open = (id: string): void => {
    const client = server.open(scenario.conns.find((conn) => conn.id === id)!.domid);
    if (client) clients.set(id, client);
  };
  const request = (client: Client, step: RecordedStep, rid: number): Received | undefined => {
    const tx = typeof step.tx === 'string' ? (ids.get(step.tx) ?? 0x7ffffff0) : (step.tx ?? 0);
    client.send(step.type!, rid, tx, step.body!);
    const reply = client.inbox.find((message) => message.rid === rid && message.type !== WATCH_EVENT);
    if (reply?.type === TRANSACTION_START && step.save) {
      ids.set(step.save, Number.parseInt(reply.body, 10));
      symbols.set(`${step.c ?? ''} ${reply.body}`, step.save);
    }
    return reply;
  };
  const repeat = (client: Client, step: RecordedStep): [string, number][] => {
    const runs: [string, number][] = [];
    for (let i = 0; i < step.n!; i++) {
      const { save, ...rest } = step;
      const one = { ...rest, body: step.body!.replaceAll('{i}', `${i}`), ...(save ? { save: `${save}${i}` } : {}) };
      const reply = request(client, one, client.next++);
      client.inbox = client.inbox.filter((message) => message !== reply);
      const result = summary(step, reply, client.closed);
      if (runs.at(-1)?.[0] === result) runs.at(-1)![1]++;
      else runs.push([result, 1]);
      if (!reply) break;
    }
    if (step.dropEvents) for (const each of clients.values()) each.inbox = [];
    return runs;
  };
  const collect = (): Seen[] => {
    const out: Seen[] = [];
    for (const { id } of scenario.conns) {
      const client = clients.get(id);
      if (!client) continue;
      for (const message of client.inbox) out.push(seen(id, message));
      client.inbox = [];
      if (client.closed) {
        out.push({ c: id, closed: true });
        clients.delete(id);
      }
    }
    return out;
  };
  const seen = (c: string, { rid, tx, type, body }: Received): Seen => {
    if (type === WATCH_EVENT) return { c, ev: body.split('\0').slice(0, -1) };
    const reply: Seen = { c, rid, type, t: requestTypes[type]!, body: type === TRANSACTION_START ? '<txid>\0' : body };
    if (tx) reply.tx = symbols.get(`${c} ${tx}\0`) ?? tx;
    if (type === DIRECTORY_PART) {
      const nul = body.indexOf('\0');
      const generation = body.slice(0, nul);
      if (!generations.has(generation)) generations.set(generation, generations.size + 1);
      reply.body = `<gen${generations.get(generation)}>${body.slice(nul)}`;
    }
    return reply;
  };

  scrub();
  for (const domid of domids) server.control(`create ${domid}`);
  admin.ask('MKDIR', `${scenario.base}\0`);
  const saved = (scenario.saveSpecial ? ['@introduceDomain', '@releaseDomain'] : []).map((special) => {
    const reply = admin.ask('GET_PERMS', `${special}\0`)!;
    return reply.type === ERROR ? '' : `${special}\0${reply.body}`;
  });
  for (const { id, lazy } of scenario.conns) if (!lazy) open(id);

  scenario.steps.forEach((step, at) => {
    const client = clients.get(step.c ?? '');
    let runs: [string, number][] | undefined;
    if (step.do === 'open') open(step.c!);
    else if (step.do === 'ctl') server.control(step.cmd!);
    else if (client) {
      if (step.do === 'close') {
        server.close(client);
        clients.delete(step.c!);
      } else if (step.do === 'raw') for (const part of step.parts!) client.raw(part);
      else if (step.do === 'batch')
        for (const each of step.reqs!) request(client, { ...each, c: step.c! }, each.rid ?? client.next++);
      else if (step.do === 'repeat') runs = repeat(client, step);
      else request(client, step, step.rid ?? client.next++);
    }
    const out = collect();
    if (comparable(out, step) === comparable(step.out, step) && JSON.stringify(runs) === JSON.stringify(step.rep)) return;
    differences.push({ step: at, asked: asked(step), recorded: told(step.out, step.rep), got: told(out, runs) });
  });

  for (const client of clients.values()) server.close(client);
  if (scenario.ctl) for (const domid of domids) server.control(`create ${domid}`);
  for (const body of saved) if (body) admin.ask('SET_PERMS', body);
  for (const { type, body } of scenario.undo ?? []) admin.ask(requestTypes[type]!, body);
  scrub();
  server.close(admin);
  return differences;
}

const WATCH_EVENT = requestTypes.indexOf('WATCH_EVENT');
const TRANSACTION_START = requestTypes.indexOf('TRANSACTION_START');
const DIRECTORY_PART = requestTypes.indexOf('DIRECTORY_PART');
const ERROR = requestTypes.indexOf('ERROR');

function summary(step: RecordedStep, reply: Received | undefined, closed: boolean): string {
  if (!reply) return closed ? 'closed' : 'no reply';
  if (reply.type === ERROR) return reply.body.slice(0, -1);
  if (reply.type === TRANSACTION_START) return '<txid>';
  return reply.type === step.type ? 'ok' : requestTypes[reply.type]!;
}

/** A step in words: `a WRITE "/x|v"`, a NUL being shown as |. */
function asked({ c = '', do: what, op, tx, body, cmd, n, parts, reqs }: RecordedStep): string {
  if (what === 'ctl') return `domain ${cmd}`;
  if (what === 'raw') return `${c} sends bytes ${shown(parts?.join('') ?? '')}`;
  if (what === 'batch') return `${c} sends ${reqs?.length} requests at once`;
  if (what === 'open' || what === 'close') return `${c} ${what}`;
  return `${c}${what === 'repeat' ? ` ${n} times` : ''} ${op}${tx ? ` in ${tx}` : ''} ${shown(body ?? '')}`;
}
/** What arrived, in words. */
function told(out: readonly Seen[], runs: RecordedStep['rep']): string {
  const each = out.map(({ c, rid, t, type, body = '', ev, closed }) => {
    if (ev) return `${c} hears ${ev.map(shown).join(' ')}`;
    return closed ? `${c} is closed` : `${c} ${t ?? type}#${rid} ${shown(body)}`;
  });
  for (const [result, count] of runs ?? []) each.push(`${count} times ${result}`);
  return each.length === 0 ? 'nothing' : each.join('; ');
}
const LONGEST = 120;
function shown(text: string): string {
  const cut = text.length > LONGEST ? `${text.slice(0, LONGEST)}…(${text.length})` : text;
  return JSON.stringify(cut.replaceAll('\0', '|'));
}

/** What is compared: all of it, but for texts that differ from run to run, and events that the real one may have merged. */
function comparable(out: readonly Seen[], step: RecordedStep): string {
  let lines = out.map(({ c, rid, type, t, tx, body, ev, closed }) => {
    const text = step.vol === 'body' && body !== undefined && type !== ERROR ? '<volatile>' : body;
    return JSON.stringify({ c, rid, type, t, tx, body: text, ev, closed });
  });
  if (step.vol === 'merge') lines = lines.filter((line, i) => !line.includes('"ev"') || lines.indexOf(line) === i);
  return lines.join('\n');
}
