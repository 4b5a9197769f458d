// A guest's end of its console ring: the hvc driver.
import { byteString, bytesOf } from '../../events/bytes.ts';
import type { DomId } from '../../events/units.ts';
import { CONSOLE_GFN, LIMITS } from '../../src/guest/state.ts';
import { readIn, writeOut, xencons_interface } from '../../src/xenbus/ring/console.ts';
import { PRINT_NS } from './costs.ts';
import type { Privates } from './private.ts';
import type { System } from './system.ts';

export class GuestConsole {
  private readonly system: System;
  private readonly privates: Privates;
  constructor(system: System, privates: Privates) {
    this.system = system;
    this.privates = privates;
  }

  /** Prints: into the ring as far as there is room, the rest when xenconsoled has made some. What is too much to wait is lost. */
  write(domid: DomId, text: string): void {
    this.privates.set(domid, { hvcTx: (this.privates.get(domid).hvcTx + text).slice(0, LIMITS.text) });
    this.system.spend(PRINT_NS);
    this.flush(domid, `d${domid}v0`);
  }

  /** Moves what fits into the ring and tells xenconsoled. False where there was nothing to move, or no room. */
  flush(domid: DomId, origin: string): boolean {
    const { system, privates } = this;
    const { hvcTx } = privates.get(domid);
    const page = this.page(domid);
    if (hvcTx === '' || page < 0) return false;
    const written = writeOut(system.memory, page, bytesOf(hvcTx.slice(0, RING_SIZE)));
    if (written === 0) return false;
    privates.set(domid, { hvcTx: hvcTx.slice(written) });
    system.hypercall({ type: 'evtchn.send', domid, port: this.port(domid) }, origin, system.lastSeq);
    return true;
  }

  receive(domid: DomId, origin: string): void {
    const { system } = this;
    const page = this.page(domid);
    if (page < 0) return;
    const text = byteString(readIn(system.memory, page));
    if (text === '') return;
    system.hypercall({ type: 'hvc.note_input', domid, text }, origin, system.lastSeq);
    // xenconsoled may have more than fitted.
    system.hypercall({ type: 'evtchn.send', domid, port: this.port(domid) }, origin, system.lastSeq);
  }

  /** The frame of its ring, or -1 where the guest has given it away. */
  private page(domid: DomId): number {
    return this.system.host.xen.p2m.mfn(domid, CONSOLE_GFN);
  }
  private port(domid: DomId): number {
    return this.system.host.guests.records.get(domid)?.console_port ?? 0;
  }
}

/** No more than this fits at once. */
const RING_SIZE = xencons_interface.x86_64.offset.in_cons - xencons_interface.x86_64.offset.out;
