// xenstored's transport: requests of domains from their rings, replies and watch events into them.
import { byteString, bytesOf } from '../../events/bytes.ts';
import type { OutcomeOf } from '../../events/step.ts';
import type { DomId } from '../../events/units.ts';
import type { Outcome, Step } from '../../events/vocabulary.ts';
import { FIRST_SOCKET, type XenstoreCommand, type XenstoreFact } from '../../events/xenstore.ts';
import { xsd_sockmsg } from '../../src/abi/xs-wire.ts';
import { GNTTAB_RESERVED_XENSTORE } from '../../src/guest/state.ts';
import { Records } from '../../src/tables/records.ts';
import { readReq, ringIsSane, writeRsp } from '../../src/xenbus/ring/xenstore.ts';
import { decode, encodeStep, PAYLOAD_MAX } from '../../src/xenstore/index.ts';
import type { System } from './system.ts';

const HEADER = xsd_sockmsg.x86_64.size;

/** One domain's connection: where its ring is, what of a message has come, and what could not be sent yet. */
interface Connection {
  readonly mfn: number;
  readonly local_port: number;
  readonly handle: number;
  readonly rx: string;
  readonly tx: string;
}
export type XenstoredSnapshot = ReadonlyMap<number, Connection>;

export class Xenstored {
  private readonly system: System;
  private readonly connections: Records<Connection>;
  /** The request whose step is being taken: its reply carries these numbers. */
  private current: { readonly conn: number; readonly req_id: number; readonly tx_id: number } | undefined;

  constructor(system: System) {
    this.system = system;
    this.connections = new Records('xenstored', system.host.journal);
  }
  snapshot(): XenstoredSnapshot {
    return this.connections.snapshot();
  }
  restore(snapshot: XenstoredSnapshot): void {
    this.connections.restore(snapshot);
  }
  digest(): number {
    return this.connections.digest();
  }

  /** INTRODUCE: maps the ring by the grant that the domain builder made, and binds the channel. */
  introduced(domid: DomId, port: number, cause: number): void {
    const { system } = this;
    const map = system.hypercall(
      { type: 'gnttab.map_grant_ref', domid: 0, dom: domid, ref: GNTTAB_RESERVED_XENSTORE, readonly: false },
      'xenstored',
      cause,
    );
    if (!map.ok) return; // the domain has gone in the meantime
    const bind = system.hypercall(
      { type: 'evtchn.bind_interdomain', domid: 0, remote_dom: domid, remote_port: port },
      'xenstored',
      cause,
    );
    if (!bind.ok) return;
    const { handle, mfn } = map.value as { handle: number; mfn: number };
    const { local_port } = bind.value as { local_port: number };
    this.connections.set(domid, { mfn, local_port, handle, rx: '', tx: '' });
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
    this.flush(domid, cause);
    const connection = this.connections.get(domid);
    if (!connection || !ringIsSane(this.system.memory, connection.mfn)) return;
    let stream = connection.rx + byteString(readReq(this.system.memory, connection.mfn));
    for (;;) {
      const header = xsd_sockmsg.x86_64.read(bytesOf(stream.slice(0, HEADER)));
      if (!header) break;
      if (header.len > PAYLOAD_MAX) {
        this.system.hypercall({ type: 'xenstore.ignore_connection', conn: domid }, `d${domid}`, cause);
        stream = '';
        break;
      }
      if (stream.length < HEADER + header.len) break;
      const payload = stream.slice(HEADER, HEADER + header.len);
      stream = stream.slice(HEADER + header.len);
      this.keep(domid, { rx: stream });
      this.request(domid, header, payload, cause);
    }
    this.keep(domid, { rx: stream });
    this.flush(domid, cause);
  }

  /** What a step of the store sends into rings. Called inside the step, so it only answers what to do after it. */
  deliver(step: Step): (() => void)[] {
    const outcome = step.outcome as OutcomeOf<XenstoreFact>;
    const touched = new Set<number>();
    for (const { conn, reply, type, payload } of encodeStep(step.command as XenstoreCommand, outcome)) {
      if (conn <= 0 || conn >= FIRST_SOCKET || !this.connections.get(conn)) continue;
      if (reply && this.current?.conn !== conn) continue;
      const { req_id, tx_id } = reply && this.current ? this.current : { req_id: 0, tx_id: 0 };
      const header = new Uint8Array(HEADER);
      xsd_sockmsg.x86_64.write(header, { type, req_id, tx_id, len: payload.length });
      this.keep(conn, { tx: this.connections.get(conn)!.tx + byteString(header) + payload });
      touched.add(conn);
    }
    return [...touched].map((conn) => () => this.flush(conn, step.seq));
  }

  private request(
    domid: DomId,
    { type, req_id, tx_id }: { type: number; req_id: number; tx_id: number },
    payload: string,
    cause: number,
  ): Outcome {
    const { system } = this;
    const command = decode(type, tx_id, payload, domid);
    // Whose it is, where it comes from an actor: a guest of ours has noted its request ids.
    const issuer = system.host.guests.records.get(domid)?.requests.find((one) => one.req_id === req_id)?.issuer ?? `d${domid}`;
    this.current = { conn: domid, req_id, tx_id };
    const outcome = system.hypercall(command, issuer, cause);
    this.current = undefined;
    return outcome;
  }

  /** Moves what fits into a domain's ring, and tells it. */
  private flush(domid: DomId, cause: number): void {
    const connection = this.connections.get(domid);
    if (!connection || connection.tx === '') return;
    const written = writeRsp(this.system.memory, connection.mfn, bytesOf(connection.tx));
    if (written === 0) return;
    this.keep(domid, { tx: connection.tx.slice(written) });
    this.system.hypercall({ type: 'evtchn.send', domid: 0, port: connection.local_port }, 'xenstored', cause);
  }

  private keep(domid: DomId, change: Partial<Connection>): void {
    const connection = this.connections.get(domid);
    if (connection) this.connections.set(domid, { ...connection, ...change });
  }
}
