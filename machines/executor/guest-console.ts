// A guest's end of its console ring: the hvc driver.
import { byteString, bytesOf } from '../../events/bytes.ts';
import type { DomId } from '../../events/units.ts';
import { CONSOLE_GFN } from '../../src/guest/state.ts';
import { readIn, writeOut } from '../../src/xenbus/ring/console.ts';
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

  /** Prints: into the ring as far as there is room, the rest when xenconsoled has made some. */
  write(domid: DomId, text: string): void {
    this.privates.set(domid, { hvcTx: this.privates.get(domid).hvcTx + text });
    this.system.spend(PRINT_NS);
    this.flush(domid, `d${domid}v0`);
  }

  /** Moves what fits into the ring and tells xenconsoled. False where there was nothing to move, or no room. */
  flush(domid: DomId, origin: string): boolean {
    const { system, privates } = this;
    const { hvcTx } = privates.get(domid);
    if (hvcTx === '') return false;
    const written = writeOut(system.memory, this.page(domid), bytesOf(hvcTx));
    if (written === 0) return false;
    privates.set(domid, { hvcTx: hvcTx.slice(written) });
    system.hypercall({ type: 'evtchn.send', domid, port: this.port(domid) }, origin, system.lastSeq);
    return true;
  }

  receive(domid: DomId, origin: string): void {
    const { system } = this;
    const text = byteString(readIn(system.memory, this.page(domid)));
    if (text === '') return;
    system.hypercall({ type: 'hvc.note_input', domid, text }, origin, system.lastSeq);
    // xenconsoled may have more than fitted.
    system.hypercall({ type: 'evtchn.send', domid, port: this.port(domid) }, origin, system.lastSeq);
  }

  private page(domid: DomId): number {
    return this.system.host.xen.p2m.mfn(domid, CONSOLE_GFN);
  }
  private port(domid: DomId): number {
    return this.system.host.guests.records.get(domid)!.console_port;
  }
}
