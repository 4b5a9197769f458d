// xenconsoled's data path: what domains print, and what is typed at them.
import { byteString, bytesOf } from '../../events/bytes.ts';
import type { DomId } from '../../events/units.ts';
import { readOut, writeIn } from '../../src/xenbus/ring/console.ts';
import type { System } from './system.ts';

export class ConsoleBackend {
  private readonly system: System;
  constructor(system: System) {
    this.system = system;
  }

  /** Takes what a domain has printed. */
  drain(dom: DomId, cause: number): void {
    const { system } = this;
    const ring = this.ring(dom);
    if (!ring) return;
    const text = byteString(readOut(system.memory, ring.mfn));
    if (text === '') return;
    system.hypercall({ type: 'console.note_output', domid: 0, dom, text }, 'xenconsoled', cause);
    system.hypercall({ type: 'evtchn.send', domid: 0, port: ring.local_port }, 'xenconsoled', cause);
  }

  /** Puts what was typed into the ring, as far as it fits. */
  type(dom: DomId, cause: number): void {
    const { system } = this;
    const ring = this.ring(dom);
    const typed = system.host.consoles.typed.get(dom);
    if (!ring || !typed) return;
    const count = writeIn(system.memory, ring.mfn, bytesOf(typed.text));
    if (count === 0) return;
    system.hypercall({ type: 'console.note_typed', domid: 0, dom, count }, 'xenconsoled', cause);
    system.hypercall({ type: 'evtchn.send', domid: 0, port: ring.local_port }, 'xenconsoled', system.lastSeq);
  }

  private ring(dom: DomId): { mfn: number; local_port: number } | undefined {
    const rows = this.system.host.consoles.rows.of(0)!;
    return rows.state.is(dom) === 'open' ? { mfn: rows.mfn.at(dom), local_port: rows.local_port.at(dom) } : undefined;
  }
}
