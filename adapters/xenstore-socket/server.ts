// The XenStore socket of a live host: dom0's tools connect, and each of their requests is an input of the run.
import type { Server, Socket } from 'node:net';
import { eventsOf } from '../../events/step.ts';
import { MS, type Ns } from '../../events/units.ts';
import type { Command, Outcome, Step } from '../../events/vocabulary.ts';
import { FIRST_SOCKET, type XenstoreCommand } from '../../events/xenstore.ts';
import type { Dispatcher } from '../../machines/index.ts';
import { subsystemOf } from '../../src/host.ts';
import { decode, encodeStep, isCharged, writeDelay } from '../../src/xenstore/index.ts';
import { Client, type Listener } from './client.ts';
import { listen } from './listen.ts';

/** A tool that reads nothing while so many bytes wait for it is cut off. */
export const MOST_WAITING = 1 << 24;
/** How long an event waits for a guest to read it (xenstored's timeout_watch_event_msec). */
const EVENT_TIMEOUT_MS = 20_000;

export interface SocketOptions {
  readonly dispatcher: Dispatcher;
  /** Virtual time, now. */
  readonly clock: () => Ns;
  /**
   * Makes every step so far safe; asked once for each turn of the event loop in which there were any. Nothing leaves before it has
   * returned, and nothing at all where it throws. Without it, steps are as safe as the process.
   */
  readonly acknowledge?: () => void;
  /** Something failed that no client has to do with: the log can not be written, or a bug of ours. Everybody has been sent away. */
  readonly fail: (error: unknown) => void;
}

export class XenstoreSockets implements Listener {
  private readonly options: SocketOptions;
  private readonly clients = new Map<number, Client>();
  private readonly servers = new Set<Server>();
  private readonly dirty = new Set<Client>();
  /** What else leaves the host, as soon as the steps that it came of are safe. */
  private outgoing: (() => void)[] = [];
  /** Set while there is something to make safe, at the end of this turn of the event loop. */
  private commitment: NodeJS.Immediate | undefined;
  /** The request whose step is being taken: its reply carries these numbers. */
  private current: { readonly command: Command; readonly req_id: number; readonly tx_id: number } | undefined;
  private broken = false;

  constructor(options: SocketOptions) {
    this.options = options;
    options.dispatcher.steps$.subscribe((step) => this.deliver(step));
  }

  /** Offers the socket. Whoever connects is a tool of dom0. */
  async listen(path: string): Promise<void> {
    this.servers.add(await listen(path, (socket) => this.accept(socket)));
  }

  /** Whoever was connected when the host was stopped is not any more: that is an input for each. */
  resume(): void {
    for (const { conn, blocked } of this.options.dispatcher.host.store.connectionsInOrder()) {
      if (conn >= FIRST_SOCKET) this.input({ type: 'xenstore.disconnect', conn }, originOf(conn));
      else if (blocked) this.input({ type: 'xenstore.connection_drains', conn }, originOf(conn));
    }
  }

  /** Everybody is sent away, each of them as an input. */
  close(): void {
    this.stopListening();
    for (const conn of this.clients.keys())
      if (conn >= FIRST_SOCKET) this.input({ type: 'xenstore.disconnect', conn }, originOf(conn));
    this.commit();
    for (const client of this.clients.values()) client.end();
    this.clients.clear();
  }

  /** Something that happens to the host from outside. */
  input(command: Command, origin: string): Outcome | undefined {
    if (this.broken) return undefined;
    const { dispatcher, clock } = this.options;
    try {
      if (!this.commitment) {
        this.commitment = setImmediate(() => this.commit());
        dispatcher.run(clock());
      }
      return dispatcher.input(command, origin);
    } catch (error) {
      this.fail(error);
      return undefined;
    }
  }
  /** Nothing happens any more: whoever waits for an answer is sent away without one. */
  fail(error: unknown): void {
    if (this.broken) return;
    this.broken = true;
    this.stopListening();
    this.outgoing = [];
    this.dirty.clear();
    for (const client of this.clients.values()) client.drop();
    this.clients.clear();
    this.options.fail(error);
  }

  /** Lets something leave the host when every step up to now is safe. */
  whenSafe(leave: () => void): void {
    this.outgoing.push(leave);
    this.commitment ??= setImmediate(() => this.commit());
  }

  /** The client behind the ring of a domain, made when first asked for. */
  ring(domid: number): Client {
    let client = this.clients.get(domid);
    if (!client) {
      client = new Client(domid, this);
      this.clients.set(domid, client);
    }
    return client;
  }

  request(client: Client, type: number, req_id: number, tx_id: number, payload: string): void {
    const { conn } = client;
    const { store } = this.options.dispatcher.host;
    const command = decode(type, tx_id, payload, conn, store.profile);
    if (conn < FIRST_SOCKET && isCharged(store, conn))
      this.input({ type: 'xenstore.tick', ms: Math.floor(this.now()) }, originOf(conn));
    this.current = { command, req_id, tx_id };
    this.input(command, originOf(conn));
    this.current = undefined;
  }
  nonsense({ conn }: Client): void {
    this.input({ type: 'xenstore.ignore_connection', conn }, originOf(conn));
  }
  blocks({ conn }: Client): void {
    this.input({ type: 'xenstore.connection_blocks', conn }, originOf(conn));
  }
  drains({ conn }: Client): void {
    this.input({ type: 'xenstore.connection_drains', conn }, originOf(conn));
  }
  delay({ conn }: Client): number {
    return conn < FIRST_SOCKET ? writeDelay(this.options.dispatcher.host.store, conn, Math.floor(this.now())) : 0;
  }
  now(): number {
    return this.options.clock() / MS;
  }
  commit(): void {
    clearImmediate(this.commitment);
    this.commitment = undefined;
    if (this.broken) return;
    try {
      this.options.acknowledge?.();
      for (const leave of this.outgoing.splice(0)) leave();
    } catch (error) {
      this.fail(error);
      return;
    }
    for (const client of this.dirty) {
      this.dirty.delete(client);
      client.flush();
      if (client.waiting > MOST_WAITING) this.nonsense(client);
    }
  }

  private accept(socket: Socket): void {
    const outcome = this.input({ type: 'xenstore.connect', domid: 0 }, 'socket');
    if (!outcome?.ok) {
      socket.destroy();
      return;
    }
    const { conn } = outcome.value as { conn: number };
    const client = new Client(conn, this);
    this.clients.set(conn, client);
    client.attach(socket);
    socket.on('close', () => {
      if (this.clients.get(conn) !== client) return;
      this.input({ type: 'xenstore.disconnect', conn }, originOf(conn));
    });
  }

  /** What a step says to clients, and to which of them it says goodbye. */
  private deliver(step: Step): void {
    if (subsystemOf(step.command.type) !== 'xenstore') return;
    const command = step.command as XenstoreCommand;
    const { outcome, time } = step as Step & { readonly outcome: Parameters<typeof encodeStep>[1] };
    for (const { conn, reply, type, payload } of encodeStep(command, outcome)) {
      const client = this.clients.get(conn);
      if (!client || (reply && this.current?.command !== command)) continue;
      const { req_id, tx_id } = reply ? this.current! : { req_id: 0, tx_id: 0 };
      const isDropped = !reply && conn > 0 && conn < FIRST_SOCKET;
      client.send({ type, req_id, tx_id, payload }, isDropped ? time / MS + EVENT_TIMEOUT_MS : undefined);
      this.dirty.add(client);
    }
    for (const event of eventsOf(outcome)) {
      if (event.type === 'xenstore.disconnected') this.leave(event.conn);
      else if (event.type === 'xenstore.domain_released') this.leave(event.domid);
      else if (event.type === 'xenstore.domain_reintroduced') this.clients.get(event.domid)?.restart();
    }
  }

  private leave(conn: number): void {
    const client = this.clients.get(conn);
    if (!client) return;
    this.clients.delete(conn);
    this.dirty.delete(client);
    client.isLeaving();
    this.whenSafe(() => client.end());
  }
  private stopListening(): void {
    for (const server of this.servers) server.close();
    this.servers.clear();
  }
}

/** Who asks: a tool behind a socket, or a domain through its ring. */
const originOf = (conn: number): string => (conn >= FIRST_SOCKET ? `socket.${conn}` : `d${conn}`);
