// What the FIFO ABI writes into guest memory, and the guest's side of it.
import type { DomId, Port } from '../../../events/units.ts';
import type { FactOf } from '../../../events/vocabulary.ts';
import { EVTCHN_FIFO, evtchn_fifo_control_block } from '../../abi/event-channel.ts';
import type { Frames } from '../../memory/memory.ts';
import type { Xen } from '../xen.ts';
import { BUSY, controlPlace, LINKED, MASKED, PENDING, type Place, wordPlace } from './fifo.ts';
import { tell } from './pending.ts';

const READY = evtchn_fifo_control_block.x86_64.offset.ready;
const HEAD = evtchn_fifo_control_block.x86_64.offset.head;

export function raised(xen: Xen, frames: Frames, event: FactOf<'evtchn.fifo_raised'>): void {
  const { domid, port, vcpu, priority } = event;
  change(frames, wordPlace(xen, domid, port), 0, PENDING | (event.linked ? LINKED : 0));
  if (!event.linked) return;
  const control = controlPlace(xen, domid, vcpu)!;
  if (event.after !== 0) change(frames, wordPlace(xen, domid, event.after), BUSY | EVTCHN_FIFO.LINK_MASK, port);
  else frames.put32(control.mfn, control.offset + HEAD + priority * 4, port);
  if (!event.upcall) return;
  change(frames, { mfn: control.mfn, offset: control.offset + READY }, 0, 1 << priority);
  tell(xen, frames, domid, vcpu);
}

export const unmasked = (xen: Xen, frames: Frames, domid: DomId, port: Port): void =>
  change(frames, wordPlace(xen, domid, port), MASKED, 0);
/** A closed port stays on its queue until the guest takes it off. */
export const closed = (xen: Xen, frames: Frames, domid: DomId, port: Port): void =>
  change(frames, wordPlace(xen, domid, port), PENDING, 0);

/** The guest's side (what a kernel's evtchn_fifo_handle_events() does): takes all off the queues; answers those that are to be handled. */
export function takeQueues(xen: Xen, frames: Frames, domid: DomId, vcpu: number): Port[] {
  const ports: Port[] = [];
  const control = controlPlace(xen, domid, vcpu);
  if (control === undefined) return ports;
  for (let priority = 0; priority < EVTCHN_FIFO.MAX_QUEUES; priority++) {
    const head = control.offset + HEAD + priority * 4;
    const ready: Place = { mfn: control.mfn, offset: control.offset + READY };
    if (((frames.get32(ready.mfn, ready.offset) >>> priority) & 1) === 0) continue;
    for (let port = frames.get32(control.mfn, head); port !== 0; ) {
      const place = wordPlace(xen, domid, port);
      if (place === undefined) break; // the guest has written into its own words
      const word = frames.get32(place.mfn, place.offset);
      change(frames, place, LINKED | EVTCHN_FIFO.LINK_MASK, 0);
      if ((word & PENDING) !== 0 && (word & MASKED) === 0) ports.push(port);
      port = word & EVTCHN_FIFO.LINK_MASK;
    }
    frames.put32(control.mfn, head, 0);
    change(frames, ready, 1 << priority, 0);
  }
  return ports;
}

/** As `takeQueues`, but no further than to one port, with what stands before it on its queue. Answers whether it stood on one. */
export function takeUntil(xen: Xen, frames: Frames, domid: DomId, port: Port): boolean {
  const { last_vcpu, last_priority } = xen.evtchn.fifoPorts.of(domid)!;
  const control = controlPlace(xen, domid, last_vcpu.at(port));
  const word = wordPlace(xen, domid, port);
  if (control === undefined || word === undefined || (frames.get32(word.mfn, word.offset) & LINKED) === 0) return false;
  const head = control.offset + HEAD + last_priority.at(port) * 4;
  let next = frames.get32(control.mfn, head);
  for (let taken = 0; next !== 0 && taken !== port; ) {
    taken = next;
    const place = wordPlace(xen, domid, taken);
    next = place === undefined ? 0 : frames.get32(place.mfn, place.offset) & EVTCHN_FIFO.LINK_MASK;
    change(frames, place, LINKED | EVTCHN_FIFO.LINK_MASK, 0);
  }
  frames.put32(control.mfn, head, next);
  if (next === 0) change(frames, { mfn: control.mfn, offset: control.offset + READY }, 1 << last_priority.at(port), 0);
  return true;
}

function change(frames: Frames, place: Place | undefined, clear: number, set: number): void {
  if (place === undefined) return;
  const before = frames.get32(place.mfn, place.offset);
  const after = (before & ~clear) | set;
  if (after !== before) frames.put32(place.mfn, place.offset, after >>> 0);
}
