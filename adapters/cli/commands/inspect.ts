// xenolog inspect: the host at a moment of a run, whole or one part of it.
import { byteStringToText, utf8ToByteString } from '../../../events/bytes.ts';
import type { Log } from '../../../events/log.ts';
import { PAGE_SIZE } from '../../../events/units.ts';
import { askXl } from '../../../index.ts';
import type { Cursor } from '../../../replay/index.ts';
import type { Host } from '../../../src/host.ts';
import { Failure, misuse } from '../../failure.ts';
import { judgeLog } from '../../log-file.ts';
import { domainNames } from '../../play.ts';
import { describeMoment, hostAt, type Moment, momentOf } from '../moment.ts';
import { openCursor, openRun } from '../open-run.ts';
import { jsonValue, type Output } from '../output.ts';

export interface InspectOptions {
  readonly at?: string;
  readonly domain?: string;
  readonly actor?: string;
  readonly table?: string;
  readonly xenstore?: string;
  readonly memory?: string;
  /** Disks that the log does not carry. */
  readonly image?: readonly string[];
  readonly json?: boolean;
}

/** One run at one moment, and where to say what is there. */
interface Sight {
  readonly log: Log;
  readonly cursor: Cursor;
  readonly moment: Moment;
  readonly seq: number;
  readonly json: boolean;
  readonly output: Output;
}

export function inspect(path: string, options: InspectOptions, output: Output): number {
  const log = openRun(path);
  return judgeLog(path, () => {
    const cursor = openCursor(path, log, options.image);
    const moment = momentOf(options.at, log, cursor);
    const sight: Sight = { log, cursor, moment, seq: moment.seq, json: options.json ?? false, output };
    if (options.domain !== undefined) showDomain(options.domain, sight);
    else if (options.actor !== undefined) showActor(options.actor, sight);
    else if (options.table !== undefined) showTable(options.table, sight);
    else if (options.xenstore !== undefined) showXenstore(options.xenstore, sight);
    else if (options.memory !== undefined) showMemory(options.memory, sight);
    else showHost(sight);
    return 0;
  });
}

function showHost({ log, cursor, moment, seq, json, output }: Sight): void {
  const directory = cursor.actorsAt(seq);
  const actors = directory.ids().map((id) => ({ id, ...directory.state(id)! }));
  const host = cursor.stateAt(seq);
  if (json) {
    const domains = domainNames(host).map(({ domid, name }) => ({ name, ...domainState(host, domid) }));
    output.json({ seq, time_ns: moment.time, domains, actors: actors.map(({ id, kind, value }) => ({ id, kind, value })) });
    return;
  }
  output.line(`At ${describeMoment(moment, log)}`);
  output.line();
  output.line(byteStringToText(askXl(hostAt(moment, cursor), ['list']).stdout).trimEnd());
  output.line();
  output.line(`${actors.length} actors`);
  for (const { id, kind, value } of actors) output.line(`  ${id.padEnd(40)} ${kind.padEnd(16)} ${stateName(value)}`);
}
const stateName = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));

/** What the hypervisor's tables say of a domain. */
function domainState(host: Host, domid: number) {
  const { xen } = host;
  return {
    domid,
    domain: xen.domains.rows.row(0, domid),
    vcpus: [...xen.sched.vcpu.inUse(domid)].map(([vcpu, row]) => ({ vcpu, ...row })),
  };
}

function showDomain(text: string, { cursor, seq, json, output }: Sight): void {
  const host = cursor.stateAt(seq);
  const names = domainNames(host);
  const domid = /^\d+$/.test(text) ? Number(text) : names.find(({ name }) => name === utf8ToByteString(text))?.domid;
  if (domid === undefined || !host.xen.exists(domid))
    throw new Failure(
      'no such domain at that moment',
      `--domain ${text}`,
      names.length > 0 ? `there are ${names.map((one) => one.domid).join(', ')}` : 'there is none yet: choose a later moment',
    );
  const name = names.find((one) => one.domid === domid)?.name ?? '';
  const directory = cursor.actorsAt(seq);
  const actors = directory.ids().filter((id) => new RegExp(`^d${domid}(\\D|$)`).test(id));
  const tables = host.tableNames
    .map((table) => ({ table, rows: host.table(table)!.of(domid) ? [...host.table(table)!.inUse(domid)].length : 0 }))
    .filter(({ table, rows }) => rows > 0 && !(domid === 0 && table === 'domain'));
  const state = { name, ...domainState(host, domid) };
  if (json) output.json({ ...state, actors: actors.map((id) => ({ id, ...directory.state(id)! })), tables });
  else {
    output.line(`domain ${domid} ${JSON.stringify(byteStringToText(name))}`);
    for (const [field, value] of Object.entries(state.domain)) output.line(`  ${field.padEnd(24)} ${value}`);
    for (const vcpu of state.vcpus) output.line(`  vcpu ${JSON.stringify(vcpu)}`);
    output.line('actors');
    for (const id of actors) output.line(`  ${id.padEnd(40)} ${stateName(directory.state(id)!.value)}`);
    output.line('rows in use (inspect --table NAME shows them)');
    for (const { table, rows } of tables) output.line(`  ${table.padEnd(24)} ${rows}`);
  }
}

function showActor(id: string, { cursor, seq, json, output }: Sight): void {
  const directory = cursor.actorsAt(seq);
  const state = directory.state(id);
  if (!state)
    throw new Failure('no such actor at that moment', `--actor ${id}`, 'see inspect without --actor for those there are');
  if (json) {
    output.json({ id, ...state });
    return;
  }
  output.line(`${id}: ${state.kind}, ${stateName(state.value)}`);
  output.line(JSON.stringify(state.context, jsonValue, 2));
}

function showTable(name: string, { cursor, seq, json, output }: Sight): void {
  const host = cursor.stateAt(seq);
  const table = host.table(name);
  if (!table) throw new Failure('no such table', `--table ${name}`, `take one of ${host.tableNames.join(', ')}`);
  const rows = [...table.ids()].flatMap((owner) => [...table.inUse(owner)].map(([row, values]) => ({ owner, row, ...values })));
  if (json) {
    output.json(rows);
    return;
  }
  output.line(`${rows.length} rows of ${name}: owner[row] and what is not 0`);
  for (const { owner, row, ...values } of rows) {
    const shown = Object.entries(values).filter(([, value]) => value !== 0);
    output.line(`  ${owner}[${row}] ${shown.map(([field, value]) => `${field}=${String(value)}`).join(' ')}`);
  }
}

/** As `xenstore-ls -f -p` has it. */
function showXenstore(path: string, { cursor, seq, json, output }: Sight): void {
  const { store } = cursor.stateAt(seq);
  const nodes = [...store.ls(path)];
  if (nodes.length === 0)
    throw new Failure('no such node at that moment', `--xenstore ${path}`, 'see --xenstore / for those there are');
  if (json) output.json(nodes);
  else for (const node of nodes) output.line(`${node.path} = ${quoted(node.value)}   (${node.perms.join(',')})`);
}
/** A byte string between quotes, with what is not printable as \xNN. */
const quoted = (value: string): string =>
  `"${value.replace(/[^ !#-[\]-~]/g, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`)}"`;

function showMemory(text: string, { cursor, moment, json, output }: Sight): void {
  const [, dom, page] = /^(\d+):(0x[0-9a-f]+|\d+)$/i.exec(text) ?? [];
  if (dom === undefined || page === undefined) throw misuse('not a page', `--memory ${text}`, 'write DOMAIN:GFN, such as 1:0x20');
  const { host, memory } = hostAt(moment, cursor);
  const mfn = host.xen.exists(Number(dom)) ? host.xen.p2m.mfn(Number(dom), Number(page)) : -1;
  if (mfn < 0)
    throw new Failure('no such page at that moment', `--memory ${text}`, 'see --table domain and --domain for those there are');
  const bytes = Uint8Array.from({ length: PAGE_SIZE }, (_, offset) => memory.get8(mfn, offset));
  if (json) output.json({ domid: Number(dom), gfn: Number(page), mfn, bytes });
  else for (const line of hexDump(bytes)) output.line(line);
}

/** As `hexdump -C`: runs of lines that repeat are one star. */
function* hexDump(bytes: Uint8Array): Generator<string> {
  let before = '';
  let starred = false;
  for (let at = 0; at < bytes.length; at += 16) {
    const row = [...bytes.subarray(at, at + 16)];
    const hex = row.map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    if (hex !== before) {
      const plain = row.map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.')).join('');
      yield `${at.toString(16).padStart(8, '0')}  ${hex}  |${plain}|`;
    } else if (!starred) yield '*';
    starred = hex === before;
    before = hex;
  }
  yield bytes.length.toString(16).padStart(8, '0');
}
