// A xenstored in process, and clients of it: requests go through decode, decide, evolve and encode, and nothing else is there.

import { eventsOf } from '../../events/step.ts';
import { requestTypes, type XenstoreCommand, type XenstoreFact } from '../../events/xenstore.ts';
import { Journal } from '../../src/tables/journal.ts';
import {
  decide,
  decode,
  encodeStep,
  evolve,
  invariants,
  PAYLOAD_MAX,
  type Profile,
  profiles,
  XenStore,
} from '../../src/xenstore/index.ts';

export interface Received {
  readonly rid: number;
  readonly tx: number;
  readonly type: number;
  readonly body: string;
}

/** One end of a connection, as a test sees it. */
export class Client {
  inbox: Received[] = [];
  closed = false;
  /** Requests so far: the next has this req_id. */
  next = 1;
  readonly conn: number;
  private buffer = '';
  private readonly server: Server;
  constructor(server: Server, conn: number) {
    this.server = server;
    this.conn = conn;
  }

  send(type: number, rid: number, tx: number, body: string): void {
    this.raw(`${word(type)}${word(rid)}${word(tx)}${word(body.length)}${body}`);
  }

  /** Bytes as they come; a message is handled when it is whole. */
  raw(bytes: string): void {
    this.buffer += bytes;
    while (!this.closed && this.buffer.length >= 16) {
      const [type, rid, tx, length] = [0, 4, 8, 12].map((at) => wordAt(this.buffer, at)) as [number, number, number, number];
      if (length > PAYLOAD_MAX) {
        this.buffer = '';
        this.server.submit({ type: 'xenstore.ignore_connection', conn: this.conn }, 0, 0);
        return;
      }
      if (this.buffer.length < 16 + length) return;
      const body = this.buffer.slice(16, 16 + length);
      this.buffer = this.buffer.slice(16 + length);
      this.server.submit(decode(type, tx, body, this.conn, this.server.store.profile), rid, tx);
    }
  }

  /** The answer to one request; undefined when none came. It leaves the inbox. */
  ask(op: (typeof requestTypes)[number], body: string): Received | undefined {
    const rid = 0x70000000;
    this.send(requestTypes.indexOf(op), rid, 0, body);
    const reply = this.inbox.find((message) => message.rid === rid && message.type !== WATCH_EVENT);
    this.inbox = [];
    return reply;
  }
}

/** Domains 0 to 400 exist, and 0 is introduced. */
export class Server {
  readonly store: XenStore;
  readonly alive = new Set(Array.from({ length: 401 }, (_, domid) => domid));
  readonly facts: XenstoreFact[] = [];
  private readonly clients = new Map<number, Client>();
  private seq = 0;
  constructor(profile: Profile = profiles['4.17']) {
    this.store = new XenStore(new Journal(), profile);
  }

  /** A socket of dom0, or a domain's ring (undefined while it has none). */
  open(domid?: number): Client | undefined {
    if (domid === undefined) {
      const outcome = this.submit({ type: 'xenstore.connect', domid: 0 }, 0, 0);
      return this.client((outcome as { value: { conn: number } }).value.conn);
    }
    return this.store.connections.has(domid) ? this.client(domid) : undefined;
  }

  close(client: Client): void {
    client.closed = true;
    this.clients.delete(client.conn);
    if (client.conn >= 0x10000) this.submit({ type: 'xenstore.disconnect', conn: client.conn }, 0, 0);
  }

  /** `create N`, `shutdown N`, `dying N`, `destroy N`: what happens to a domain behind xenstored's back. */
  control(line: string): void {
    const [what, id] = line.split(' ');
    const domid = Number(id);
    if (what === 'create') this.alive.add(domid);
    else if (what === 'shutdown') this.submit({ type: 'xenstore.domain_shutdown', domid }, 0, 0);
    else {
      if (what === 'destroy') this.alive.delete(domid);
      this.submit({ type: 'xenstore.domain_gone', domid }, 0, 0);
    }
  }

  submit(command: XenstoreCommand, rid: number, tx: number): ReturnType<typeof decide> {
    const outcome = decide(this.store, command, { exists: (domid) => this.alive.has(domid) });
    for (const event of eventsOf(outcome)) {
      evolve(this.store, event, this.seq);
      this.facts.push(event);
    }
    this.seq++;
    for (const { conn, reply, type, payload } of encodeStep(command, outcome))
      if (outcome.ok || outcome.errno !== 'ENOTCONN')
        this.clients.get(conn)?.inbox.push({ type, body: payload, rid: reply ? rid : 0, tx: reply ? tx : 0 });
    for (const event of eventsOf(outcome)) {
      const gone =
        event.type === 'xenstore.disconnected' ? event.conn : event.type === 'xenstore.domain_released' ? event.domid : undefined;
      const client = gone === undefined ? undefined : this.clients.get(gone);
      if (client) client.closed = true;
    }
    return outcome;
  }

  /** What is wrong with the store, if anything. */
  *violations(): Generator<string> {
    for (const [name, invariant] of Object.entries(invariants))
      for (const line of invariant(this.store)) yield `${name}: ${line}`;
  }

  private client(conn: number): Client {
    const client = new Client(this, conn);
    this.clients.set(conn, client);
    return client;
  }
}

const WATCH_EVENT = requestTypes.indexOf('WATCH_EVENT');
const word = (value: number): string =>
  String.fromCharCode(value & 255, (value >> 8) & 255, (value >> 16) & 255, (value >> 24) & 255);
const wordAt = (bytes: string, at: number): number => [3, 2, 1, 0].reduce((sum, i) => sum * 256 + bytes.charCodeAt(at + i), 0);
