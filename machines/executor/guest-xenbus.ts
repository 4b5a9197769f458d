// A guest's end of its XenStore ring: requests of its actors out, replies and watch events in.
import { byteString, bytesOf } from '../../events/bytes.ts';
import type { DomId } from '../../events/units.ts';
import type { Command } from '../../events/vocabulary.ts';
import type { XenstoreCommand } from '../../events/xenstore.ts';
import { XENSTORE_PAYLOAD_MAX, xsd_sockmsg } from '../../src/abi/xs-wire.ts';
import { STORE_GFN } from '../../src/guest/state.ts';
import { readRsp, writeReq, XENSTORE_RING_SIZE } from '../../src/xenbus/ring/xenstore.ts';
import { encodeRequest } from '../../src/xenstore/index.ts';
import type { Privates } from './private.ts';
import type { System } from './system.ts';

const HEADER = xsd_sockmsg.x86_64.size;
const WATCH_EVENT = 15;
const ERROR = 16;

export class GuestXenbus {
  private readonly system: System;
  private readonly privates: Privates;
  constructor(system: System, privates: Privates) {
    this.system = system;
    this.privates = privates;
  }

  /** Puts a request behind what waits for the ring, and remembers whose it is. */
  send(domid: DomId, command: Command, issuer: string, cause: number): void {
    const { system, privates } = this;
    const message = encodeRequest(command as XenstoreCommand);
    const record = system.host.guests.records.get(domid);
    if (!message || !record) return;
    const req_id = record.next_req_id;
    const noted = system.hypercall(
      { type: 'xenbus.note_sent', domid, req_id, issuer, request: command.type },
      `d${domid}v0`,
      cause,
    );
    if (!noted.ok) return; // a reply would find nobody
    const header = new Uint8Array(HEADER);
    xsd_sockmsg.x86_64.write(header, { type: message.type, req_id, tx_id: message.tx, len: message.payload.length });
    privates.set(domid, { storeTx: privates.get(domid).storeTx + byteString(header) + message.payload });
  }

  /** Moves what fits into the ring and tells xenstored. False where there was nothing to move, or no room. */
  flush(domid: DomId, origin: string): boolean {
    const { system, privates } = this;
    const { storeTx } = privates.get(domid);
    const page = this.page(domid);
    if (storeTx === '' || page < 0) return false;
    const written = writeReq(system.memory, page, bytesOf(storeTx.slice(0, XENSTORE_RING_SIZE)));
    if (written === 0) return false;
    privates.set(domid, { storeTx: storeTx.slice(written) });
    system.hypercall({ type: 'evtchn.send', domid, port: this.port(domid) }, origin, system.lastSeq);
    return true;
  }

  /** Reads whole messages from the ring; each is a step, for its issuer learns from it. */
  receive(domid: DomId, origin: string): void {
    const { system, privates } = this;
    const cause = system.lastSeq;
    const page = this.page(domid);
    if (page < 0) return;
    let taken = false;
    for (;;) {
      const bytes = readRsp(system.memory, page);
      if (bytes.length === 0) break;
      taken = true;
      let stream = privates.get(domid).storeRx + byteString(bytes);
      for (;;) {
        const header = xsd_sockmsg.x86_64.read(bytesOf(stream.slice(0, HEADER)));
        // No xenstored sends such a message: what follows can not be told apart any more.
        if (header && header.len > XENSTORE_PAYLOAD_MAX) stream = '';
        if (!header || stream.length < HEADER + header.len) break;
        const payload = stream.slice(HEADER, HEADER + header.len);
        stream = stream.slice(HEADER + header.len);
        if (header.type === WATCH_EVENT) {
          const [path = '', token = ''] = payload.split('\0');
          system.hypercall({ type: 'xenbus.note_watch', domid, path, token }, origin, cause);
        } else {
          const ok = header.type !== ERROR;
          system.hypercall({ type: 'xenbus.note_reply', domid, req_id: header.req_id, ok, payload }, origin, cause);
        }
      }
      privates.set(domid, { storeRx: stream });
    }
    // xenstored may wait for the room that we have just made.
    if (taken) system.hypercall({ type: 'evtchn.send', domid, port: this.port(domid) }, origin, cause);
  }

  /** The frame of its ring, or -1 where the guest has given it away. */
  private page(domid: DomId): number {
    return this.system.host.xen.p2m.mfn(domid, STORE_GFN);
  }
  private port(domid: DomId): number {
    return this.system.host.guests.records.get(domid)?.store_port ?? 0;
  }
}
