// xenstored's rings: a domain without a kernel, whose page and event channel the test writes to as a guest would.

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { byteString, bytesOf } from '../../events/bytes.ts';
import { Log } from '../../events/log.ts';
import { eventsOf } from '../../events/step.ts';
import { MS, SECOND } from '../../events/units.ts';
import type { Command, Outcome, Step } from '../../events/vocabulary.ts';
import { requestTypes } from '../../events/xenstore.ts';
import { fold, follow, verify } from '../../replay/index.ts';
import { pvDomain } from '../../src/abi/domctl.ts';
import { xsd_sockmsg } from '../../src/abi/xs-wire.ts';
import { defaultHost, type XenVersion } from '../../src/host-config.ts';
import {
  readRsp,
  writeReq,
  XENSTORE_CONNECTED,
  XENSTORE_ERROR,
  XENSTORE_INTERFACE,
  XENSTORE_RECONNECT,
} from '../../src/xenbus/ring/xenstore.ts';
import type { Dispatcher } from '../system/dispatcher.ts';
import { Recording } from '../system/recording.ts';

const GUEST = 1;
const STORE_GFN = 5;
const HOME = `/local/domain/${GUEST}`;

/** A booted host, and a guest that only has a ring. */
class World {
  readonly dispatcher: Dispatcher;
  readonly steps: Step[] = [];
  private readonly recording: Recording;
  private readonly file: number[] = [];
  private readonly mfn: number;
  private port = 0;
  private received = '';

  constructor(xen_version: XenVersion = '4.17') {
    const { steps } = this;
    const header = { xenolog: 'test', seed: 1, xen_version, host: { ...defaultHost, xen_version }, images: [] };
    this.recording = new Recording({ header, images: [], sink: (bytes) => this.file.push(...bytes) });
    this.dispatcher = this.recording.dispatcher;
    this.dispatcher.steps$.subscribe((step) => steps.push(step));
    this.input({ type: 'host.boot' });
    this.dispatcher.run(SECOND);
    this.input({
      type: 'domctl.createdomain',
      domid: 0,
      domain: GUEST,
      ssidref: 0,
      handle: '00000000-0000-0000-0000-000000000000',
      max_vcpus: 1,
      max_evtchn_port: 100,
      max_grant_frames: 4,
      max_maptrack_frames: 4,
      ...pvDomain,
    });
    this.input({ type: 'domctl.max_mem', domid: 0, domain: GUEST, max_memkb: 4096 });
    const { events } = this.input({ type: 'memory.populate_physmap', domid: 0, dom: GUEST, gfn: 0, nr_pages: 16 });
    expect(events?.[0]?.type).toMatch(/^p2m\./);
    this.input({ type: 'gnttab.setup_table', domid: 0, dom: GUEST, nr_frames: 1 });
    this.input({ type: 'gnttab.seed', domid: 0, dom: GUEST, ref: 1, gfn: STORE_GFN, backend: 0 });
    this.mfn = this.dispatcher.host.xen.p2m.mfn(GUEST, STORE_GFN);
    this.store({ type: 'xenstore.mkdir', conn: 0, tx: 0, path: HOME });
    this.store({ type: 'xenstore.set_perms', conn: 0, tx: 0, path: HOME, perms: [`n${GUEST}`] });
    this.introduce();
  }
  introduce(): void {
    this.port = this.value<{ port: number }>({ type: 'evtchn.alloc_unbound', domid: 0, dom: GUEST, remote_dom: 0 }).port;
    this.store({ type: 'xenstore.introduce', conn: 0, tx: 0, domid: GUEST, mfn: this.mfn, port: this.port });
  }

  input(command: Command): Outcome {
    const outcome = this.dispatcher.input(command, 'test');
    expect(outcome, command.type).toMatchObject({ ok: true });
    return outcome;
  }
  store(command: Command): Outcome {
    return this.input(command);
  }
  value<T>(command: Command): T {
    return (this.input(command) as { value: unknown }).value as T;
  }

  /** Puts bytes onto the ring and tells xenstored; answers how many there was room for. */
  raw(bytes: string): number {
    const written = writeReq(this.dispatcher.memory, this.mfn, bytesOf(bytes));
    this.kick();
    return written;
  }
  kick(): void {
    this.dispatcher.input({ type: 'evtchn.send', domid: GUEST, port: this.port }, `d${GUEST}`);
  }
  send(op: (typeof requestTypes)[number], body: string, { tx = 0, rid = 1, len = body.length } = {}): number {
    const header = new Uint8Array(16);
    xsd_sockmsg.x86_64.write(header, { type: requestTypes.indexOf(op), req_id: rid, tx_id: tx, len });
    return this.raw(byteString(header) + body.replaceAll('|', '\0'));
  }
  /** Reads what is on the ring, up to `limit` bytes, and answers the messages that are whole: `READ#1 text|`. */
  read(limit?: number): string[] {
    this.received += byteString(readRsp(this.dispatcher.memory, this.mfn, limit));
    const messages: string[] = [];
    for (;;) {
      const header = xsd_sockmsg.x86_64.read(bytesOf(this.received.slice(0, 16)));
      if (!header || this.received.length < 16 + header.len) return messages;
      const body = this.received.slice(16, 16 + header.len).replaceAll('\0', '|');
      this.received = this.received.slice(16 + header.len);
      messages.push(`${requestTypes[header.type]}#${header.req_id} ${body}`);
    }
  }
  /** Reads, and says so, until nothing comes any more. */
  drain(): string[] {
    const all: string[] = [];
    for (let some = this.read(); some.length > 0; some = this.read()) {
      all.push(...some);
      this.kick();
    }
    return all;
  }
  ask(op: (typeof requestTypes)[number], body: string, tx = 0): string[] {
    this.send(op, body, { tx });
    return this.read();
  }
  error(): number {
    return this.field('error');
  }
  field(name: 'error' | 'server_features' | 'connection' | 'req_prod' | 'rsp_cons', value?: number): number {
    const { memory } = this.dispatcher;
    if (value !== undefined) memory.put32(this.mfn, XENSTORE_INTERFACE[name], value);
    return memory.get32(this.mfn, XENSTORE_INTERFACE[name]);
  }
  indexes(name: 'req_prod' | 'rsp_cons', value: number): void {
    this.dispatcher.memory.put32(this.mfn, XENSTORE_INTERFACE[name], value);
    this.kick();
  }
  log(): Log {
    this.recording.finish();
    return new Log(Uint8Array.from(this.file));
  }
  facts(type: string): number {
    return this.steps.flatMap(({ outcome }) => eventsOf(outcome)).filter((fact) => fact.type === type).length;
  }
}

let world: World;
beforeEach(() => {
  world = new World();
});

// What the test writes into the page is in no log, so nothing is re-enacted here.
afterEach(() => {
  const log = world.log();
  expect(fold(log).digest()).toBe(log.end!.state);
  expect([verify(log), follow(log).divergence]).toEqual([null, null]);
});

describe('a guest that behaves', () => {
  test('is answered in its ring, with its own rights', () => {
    expect(world.ask('WRITE', 'name|web')).toEqual(['WRITE#1 OK|']);
    expect(world.ask('READ', `${HOME}/name|`)).toEqual(['READ#1 web']);
    expect(world.ask('WRITE', '/tool/x|')).toEqual(['ERROR#1 EACCES|']);
  });
  test('may send a request in pieces, and several at once', () => {
    const header = '\x02\0\0\0\x07\0\0\0\0\0\0\0\x05\0\0\0';
    for (const byte of `${header}/tool`.slice(0, -1)) world.raw(byte);
    expect(world.read()).toEqual([]);
    world.raw('l');
    expect(world.read()).toEqual(['ERROR#7 ENOENT|']); // no NUL: not a path
    const request = `${header.replace('\x05', '\x01')}\0`;
    world.raw(request.repeat(10));
    expect(world.read()).toHaveLength(10);
  });
  test('hears of watches before the reply to what fired them', () => {
    expect(world.ask('WATCH', 'a|t|')).toEqual(['WATCH#1 OK|', 'WATCH_EVENT#0 a|t|']);
    expect(world.ask('WRITE', 'a/b|1')).toEqual(['WATCH_EVENT#0 a/b|t|', 'WRITE#1 OK|']);
  });
  test('begins with an empty ring and a new event channel where it is introduced once more', () => {
    world.ask('WATCH', 'a|t|');
    world.send('READ', 'a|');
    world.raw('half');
    world.introduce();
    expect(world.read()).toEqual([]);
    expect(world.ask('WRITE', 'a|1')).toEqual(['WRITE#1 OK|']);
  });
});

test.each([
  ['4.17', 0],
  ['4.22', 14],
] as const)(
  'the page that xenstored %s begins with: its features, and word to a guest that waits to be connected',
  (version, features) => {
    const other = new World(version);
    expect(other.field('server_features')).toBe(features);
    const told = (): number => other.steps.filter(({ command }) => command.type === 'evtchn.send' && command.domid === 0).length;
    const before = told();
    other.introduce();
    expect(told()).toBe(before);
    other.field('connection', XENSTORE_RECONNECT);
    other.field('req_prod', 77);
    other.field('rsp_cons', 5);
    other.introduce();
    expect([other.field('connection'), other.field('req_prod'), other.field('rsp_cons')]).toEqual([XENSTORE_CONNECTED, 0, 0]);
    expect(told()).toBe(before + 1);
    expect(other.ask('WRITE', 'a|1')).toEqual(['WRITE#1 OK|']);
  },
);

describe('a guest that does not read', () => {
  test('is not read from either, once its ring is full and 20 replies wait; what it asked for is answered when it reads', () => {
    for (let i = 0; i < 200; i++) world.send('DIRECTORY', '/|', { rid: i + 1 });
    const asked = world.steps.filter(({ command }) => command.type === 'xenstore.directory').length;
    expect(asked).toBeGreaterThan(20);
    expect(asked).toBeLessThan(110);
    expect(world.facts('xenstore.connection_blocked')).toBe(1);
    const replies = world.drain();
    expect(replies.map((reply) => Number(/#(\d+)/.exec(reply)![1]))).toEqual(replies.map((_, i) => i + 1));
    expect(replies.length).toBeGreaterThan(asked);
    expect(world.facts('xenstore.connection_drained')).toBe(world.facts('xenstore.connection_blocked'));
    expect(world.dispatcher.host.store.connections.get(GUEST)!.blocked).toBe(false);
  });
  test('hears of each thing once', () => {
    world.ask('WATCH', 'a|t|');
    const write = (name: string): void =>
      void world.store({ type: 'xenstore.write', conn: 0, tx: 0, path: `${HOME}/a/${name}`, value: '' });
    for (let i = 0; i < 100; i++) write(`filler${i}`);
    for (let i = 0; i < 100; i++) write('same');
    const heard = world.drain();
    expect(heard.filter((event) => event === 'WATCH_EVENT#0 a/same|t|')).toHaveLength(1);
    expect(heard.filter((event) => event.includes('filler'))).toHaveLength(100);
  });
  test('loses events after 20 s, but for one that it has begun to read', () => {
    world.ask('WATCH', 'a|t|');
    for (let i = 0; i < 100; i++) world.store({ type: 'xenstore.write', conn: 0, tx: 0, path: `${HOME}/a/event${i}`, value: '' });
    world.dispatcher.run(world.dispatcher.now + 15 * SECOND);
    world.store({ type: 'xenstore.write', conn: 0, tx: 0, path: `${HOME}/a/late`, value: '' });
    world.dispatcher.run(world.dispatcher.now + 6 * SECOND);
    const heard = world.drain();
    expect(heard.length).toBeLessThan(40);
    expect(heard.at(-1)).toBe('WATCH_EVENT#0 a/late|t|');
    expect(heard.slice(0, -1)).toEqual(heard.slice(0, -1).map((_, i) => `WATCH_EVENT#0 a/event${i}|t|`));
    expect(world.ask('READ', 'a|')).toEqual(['READ#1 ']);
  });
});

describe('a guest that writes nonsense', () => {
  test.each([
    ['a payload that is too long', () => world.send('WRITE', 'a|', { len: 5000 }), XENSTORE_ERROR.PROTO],
    ['an index far ahead', () => world.indexes('req_prod', 5000), XENSTORE_ERROR.RINGIDX],
    ['an index of replies far ahead', () => world.indexes('rsp_cons', 7), XENSTORE_ERROR.RINGIDX],
  ])('%s: it is not listened to any more, and its page says why', (_, act, error) => {
    act();
    expect(world.error()).toBe(error);
    expect(world.dispatcher.host.store.connections.get(GUEST)!.ignored).toBe(true);
    const { seq } = world.dispatcher;
    world.send('READ', '/tool|');
    expect(world.steps.slice(seq).filter(({ command }) => command.type === 'xenstore.read')).toEqual([]);
    expect(world.dispatcher.host.store.domains.get(GUEST)!.introduced).toBe(true);
  });
});

test('a guest that writes while dom0 has a transaction open waits for its turn, when nobody has any more to lend', () => {
  world.input({ type: 'xenstore.transaction_start', conn: 0, tx: 0 });
  const done = (): number =>
    world.steps.filter(({ command }) => command.type === 'xenstore.write' && command.conn === GUEST).length;
  let sent = 0;
  do world.send('WRITE', `a|${sent}`, { rid: ++sent });
  while (done() === sent && world.drain().length === 1);
  expect(sent).toBeGreaterThan(12);
  const { now } = world.dispatcher;
  world.dispatcher.run(now + 2 * MS);
  expect(done()).toBe(sent - 1);
  world.dispatcher.run(now + 200 * MS);
  expect(done()).toBe(sent);
  expect(world.drain()).toHaveLength(1);
});
