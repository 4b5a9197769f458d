// xenstored's transport: requests of domains from their rings, replies and watch events into them.
import { byteString, bytesOf } from '../../events/bytes.ts';
import { eventsOf, type OutcomeOf } from '../../events/step.ts';
import { type DomId, type Mfn, MS, type Ns, SECOND } from '../../events/units.ts';
import type { Outcome, Step } from '../../events/vocabulary.ts';
import { FIRST_SOCKET, type XenstoreCommand, type XenstoreFact } from '../../events/xenstore.ts';
import { VIRQ } from '../../src/abi/virq.ts';
import { xsd_sockmsg } from '../../src/abi/xs-wire.ts';
import { GNTTAB_RESERVED_XENSTORE } from '../../src/guest/state.ts';
import { Records } from '../../src/tables/records.ts';
import {
  readReq,
  ringIsSane,
  writeRsp,
  XENSTORE_CONNECTED,
  XENSTORE_ERROR,
  XENSTORE_INTERFACE,
  XENSTORE_RECONNECT,
} from '../../src/xenbus/ring/xenstore.ts';
import { decode, encodeStep, isCharged, PAYLOAD_MAX, writeDelay } from '../../src/xenstore/index.ts';
import type { System } from './system.ts';
import { Queue, type QueueSnapshot } from './xenstored-queue.ts';

const HEADER = xsd_sockmsg.x86_64.size;
/** How long an event waits for its reader (timeout_watch_event_msec). */
const EVENT_TIMEOUT: Ns = 20 * SECOND;
/** The peer of the port that is no ring but the timer: dom0, which needs no ring to itself. */
const TIMER = 0;

/** One domain's connection: where its ring is, and what of a message has come. */
interface Connection {
  readonly mfn: number;
  readonly local_port: number;
  readonly handle: number;
  readonly rx: string;
}
export interface XenstoredSnapshot {
  readonly connections: ReadonlyMap<number, Connection>;
  readonly queue: QueueSnapshot;
  readonly timer: ReadonlyMap<number, Timer>;
}
/** When xenstored wants to look again at those who have written too much; 0: at no time. Where there is none it has no timer yet. */
interface Timer {
  readonly deadline: Ns;
}

export class Xenstored {
  private readonly system: System;
  private readonly connections: Records<Connection>;
  private readonly queue: Queue;
  private readonly timer: Records<Timer>;
  /** The request whose step is being taken: its reply carries these numbers. */
  private current: { readonly conn: number; readonly req_id: number; readonly tx_id: number } | undefined;

  constructor(system: System) {
    this.system = system;
    this.connections = new Records('xenstored', system.host.journal);
    this.queue = new Queue(system.host.journal);
    this.timer = new Records('xenstored.timer', system.host.journal);
  }
  snapshot(): XenstoredSnapshot {
    return { connections: this.connections.snapshot(), queue: this.queue.snapshot(), timer: this.timer.snapshot() };
  }
  restore({ connections, queue, timer }: XenstoredSnapshot): void {
    this.connections.restore(connections);
    this.queue.restore(queue);
    this.timer.restore(timer);
  }
  digest(): number {
    return (this.connections.digest() ^ this.queue.digest() ^ this.timer.digest()) >>> 0;
  }

  /** INTRODUCE: maps the ring by the grant that the domain builder made, and binds the channel. */
  introduced(domid: DomId, port: number, cause: number): void {
    const map = this.system.hypercall(
      { type: 'gnttab.map_grant_ref', domid: 0, dom: domid, ref: GNTTAB_RESERVED_XENSTORE, readonly: false },
      'xenstored',
      cause,
    );
    if (!map.ok) return; // the domain has gone in the meantime
    const { handle, mfn } = map.value as { handle: number; mfn: number };
    this.bind(domid, port, { mfn, handle }, cause);
    const { memory, host } = this.system;
    const { features } = host.store.domains.get(domid)!;
    if (host.store.profile.tellsFeatures) memory.put32(mfn, XENSTORE_INTERFACE.server_features, features);
    this.begin(domid, mfn, cause);
  }

  /** INTRODUCE once more: another event channel, and an empty ring (domain_conn_reset). */
  private restart(domid: DomId, port: number, cause: number): void {
    const { system } = this;
    const old = this.connections.get(domid);
    if (!old) return;
    this.queue.clear(domid);
    // The new one first: a port that is closed is not given out again before its handler is gone.
    this.bind(domid, port, old, cause);
    system.hypercall({ type: 'evtchn.close', domid: 0, port: old.local_port }, 'xenstored', cause);
    this.begin(domid, old.mfn, cause);
    this.flush(domid, cause);
  }

  /** An empty ring (domain_conn_reset); whoever waits to be connected is, and hears of it. */
  private begin(domid: DomId, mfn: Mfn, cause: number): void {
    const { memory } = this.system;
    const { req_cons, req_prod, rsp_cons, rsp_prod, connection } = XENSTORE_INTERFACE;
    for (const index of [req_cons, req_prod, rsp_cons, rsp_prod]) memory.put32(mfn, index, 0);
    if (memory.get32(mfn, connection) !== XENSTORE_RECONNECT) return;
    memory.put32(mfn, connection, XENSTORE_CONNECTED);
    const port = this.connections.get(domid)?.local_port;
    if (port !== undefined) this.system.hypercall({ type: 'evtchn.send', domid: 0, port }, 'xenstored', cause);
  }

  private bind(
    domid: DomId,
    port: number,
    { mfn, handle }: { readonly mfn: number; readonly handle: number },
    cause: number,
  ): void {
    const { system } = this;
    const bind = system.hypercall(
      { type: 'evtchn.bind_interdomain', domid: 0, remote_dom: domid, remote_port: port },
      'xenstored',
      cause,
    );
    if (!bind.ok) return;
    const { local_port } = bind.value as { local_port: number };
    this.connections.set(domid, { mfn, local_port, handle, rx: '' });
    system.hypercall(
      { type: 'guest.bind_irq', domid: 0, port: local_port, handler: 'store', dev: 0, peer: domid },
      'xenstored',
      cause,
    );
  }

  /** RELEASE, or the end of the domain: lets go of its ring. */
  released(domid: DomId, cause: number): void {
    const { system } = this;
    const connection = this.connections.get(domid);
    if (!connection) return;
    this.connections.delete(domid);
    this.queue.clear(domid);
    system.hypercall({ type: 'evtchn.close', domid: 0, port: connection.local_port }, 'xenstored', cause);
    system.hypercall({ type: 'gnttab.unmap_grant_ref', domid: 0, handle: connection.handle }, 'xenstored', cause);
  }

  /** VIRQ_DOM_EXC: some domain has shut down or is gone. */
  lookAtDomains(cause: number): void {
    const { system } = this;
    for (const domid of this.connections.keys()) {
      const row = system.host.xen.domain.of(0)!;
      const command: XenstoreCommand | undefined =
        row.state.is(domid) !== 'alive'
          ? { type: 'xenstore.domain_gone', domid }
          : row.shut_down.is(domid) !== 'no' && !system.host.store.domains.get(domid)?.shutdown
            ? { type: 'xenstore.domain_shutdown', domid }
            : undefined;
      if (command) system.hypercall(command, 'xenstored', cause);
    }
  }

  /** A domain's ring has news: requests, or room for what waits. */
  serve(domid: DomId, cause: number): void {
    if (domid === TIMER) {
      this.timer.set(TIMER, { deadline: 0 });
      for (const each of this.connections.keys()) this.serve(each, cause);
      return;
    }
    this.flush(domid, cause);
    const { memory, host } = this.system;
    for (;;) {
      const connection = this.connections.get(domid);
      if (!connection || host.store.connections.get(domid)?.ignored) return;
      if (!ringIsSane(memory, connection.mfn)) {
        this.giveUp(domid, XENSTORE_ERROR.RINGIDX, cause);
        return;
      }
      if (!this.mayRead(domid, cause)) break;
      const { mfn, rx } = connection;
      const header = xsd_sockmsg.x86_64.read(bytesOf(rx.slice(0, HEADER)));
      if (header && header.len > PAYLOAD_MAX) {
        this.giveUp(domid, XENSTORE_ERROR.PROTO, cause);
        return;
      }
      const missing = HEADER + (header?.len ?? 0) - rx.length;
      if (missing > 0) {
        const more = byteString(readReq(memory, mfn, missing));
        if (more === '') break;
        this.keep(domid, { rx: rx + more });
      } else if (header) {
        this.keep(domid, { rx: '' });
        this.request(domid, header, rx.slice(HEADER), cause);
      }
    }
    this.flush(domid, cause);
  }

  /** What a step of the store sends into rings. Called inside the step, so it only answers what to do after it. */
  deliver(step: Step): readonly (() => void)[] {
    const outcome = step.outcome as OutcomeOf<XenstoreFact>;
    if (!concernsRings(step.command as XenstoreCommand, eventsOf(outcome))) return nothing;
    const after: (() => void)[] = [];
    const touched = new Set<number>();
    for (const { conn, reply, type, payload } of encodeStep(step.command as XenstoreCommand, outcome)) {
      if (conn <= 0 || conn >= FIRST_SOCKET || !this.connections.get(conn)) continue;
      if (reply && this.current?.conn !== conn) continue;
      const { req_id, tx_id } = reply && this.current ? this.current : { req_id: 0, tx_id: 0 };
      const header = new Uint8Array(HEADER);
      xsd_sockmsg.x86_64.write(header, { type, req_id, tx_id, len: payload.length });
      this.queue.add(conn, { bytes: byteString(header) + payload, reply, until: step.time + EVENT_TIMEOUT });
      touched.add(conn);
    }
    for (const event of eventsOf(outcome))
      if (event.type === 'xenstore.domain_reintroduced') after.push(() => this.restart(event.domid, event.port, step.seq));
    for (const conn of touched) after.push(() => this.flush(conn, step.seq));
    return after;
  }

  private request(
    domid: DomId,
    { type, req_id, tx_id }: { type: number; req_id: number; tx_id: number },
    payload: string,
    cause: number,
  ): Outcome {
    const { system } = this;
    const { store, guests } = system.host;
    const command = decode(type, tx_id, payload, domid, store.profile);
    const ms = Math.floor(system.now / MS);
    if (isCharged(store, domid) && ms > store.rate.clock_ms) system.hypercall({ type: 'xenstore.tick', ms }, 'xenstored', cause);
    // Whose it is, where it comes from an actor: a guest of ours has noted its request ids.
    const issuer = guests.records.get(domid)?.requests.find((one) => one.req_id === req_id)?.issuer ?? `d${domid}`;
    this.current = { conn: domid, req_id, tx_id };
    const outcome = system.hypercall(command, issuer, cause);
    this.current = undefined;
    return outcome;
  }

  /** Whether a domain's next request is read now, as domain_can_read(): not while it leaves replies unread, or writes too fast. */
  private mayRead(domid: DomId, cause: number): boolean {
    const { system } = this;
    const { store } = system.host;
    const isFull = (): boolean => this.queue.outstanding(domid) > store.limitOf(domid, 'outstanding');
    if (isFull()) this.flush(domid, cause);
    if (isFull()) return false;
    const ms = writeDelay(store, domid, Math.floor(system.now / MS));
    if (ms === 0) return true;
    return !this.wakeAt((Math.floor(system.now / MS) + ms) * MS, cause);
  }

  /** Sets dom0's timer; false where it is somebody else's. */
  private wakeAt(deadline: Ns, cause: number): boolean {
    const { system } = this;
    const set = this.timer.get(TIMER);
    if (set && set.deadline > system.now && set.deadline <= deadline) return true;
    if (!set) {
      const bind = system.hypercall({ type: 'evtchn.bind_virq', domid: 0, virq: VIRQ.TIMER, vcpu: 0 }, 'xenstored', cause);
      if (!bind.ok) return false;
      const { port } = bind.value as { port: number };
      const irq = { port, handler: 'store', dev: 0, peer: TIMER } as const;
      system.hypercall({ type: 'guest.bind_irq', domid: 0, ...irq }, 'xenstored', cause);
    }
    this.timer.set(TIMER, { deadline });
    system.hypercall({ type: 'timer.set_timer_op', domid: 0, vcpu: 0, timeout_ns: deadline }, 'xenstored', cause);
    return true;
  }

  /** The domain's ring is nonsense, or what it sends: nobody listens to it any more, and the page says why (ignore_connection). */
  private giveUp(domid: DomId, error: number, cause: number): void {
    const { mfn } = this.connections.get(domid)!;
    this.system.memory.put32(mfn, XENSTORE_INTERFACE.error, error);
    this.keep(domid, { rx: '' });
    this.system.hypercall({ type: 'xenstore.ignore_connection', conn: domid }, `d${domid}`, cause);
  }

  /** Moves what fits into a domain's ring, and tells it; what does not makes it one that blocks. */
  private flush(domid: DomId, cause: number): void {
    const { system, queue } = this;
    const connection = this.connections.get(domid);
    if (!connection) return;
    const written = queue.send(domid, system.now, (bytes) => writeRsp(system.memory, connection.mfn, bytesOf(bytes)));
    if (written > 0) system.hypercall({ type: 'evtchn.send', domid: 0, port: connection.local_port }, 'xenstored', cause);
    const there = system.host.store.connections.get(domid);
    if (!there || there.blocked === !queue.isEmpty(domid)) return;
    const type = there.blocked ? 'xenstore.connection_drains' : 'xenstore.connection_blocks';
    system.hypercall({ type, conn: domid }, 'xenstored', cause);
  }

  private keep(domid: DomId, change: Partial<Connection>): void {
    const connection = this.connections.get(domid);
    if (connection) this.connections.set(domid, { ...connection, ...change });
  }
}

const nothing: readonly (() => void)[] = [];
/** Most requests of dom0's tools are nobody else's business. */
const concernsRings = (command: XenstoreCommand, events: readonly XenstoreFact[]): boolean =>
  ('conn' in command && command.conn < FIRST_SOCKET) ||
  events.some(({ type }) => type === 'xenstore.watch_fired' || type === 'xenstore.domain_reintroduced');
