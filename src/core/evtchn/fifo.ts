// The FIFO ABI (xen/common/event_fifo.c): a word for each port, in pages that the guest gives; linked into queues, one for each
// priority of each vCPU, whose heads stand in the vCPU's control block.
import { accept, type GuestReader, refuse } from '../../../events/step.ts';
import { type DomId, type Mfn, type Ns, PAGE_SIZE, type Port } from '../../../events/units.ts';
import type { CommandOf, Fact, Outcome } from '../../../events/vocabulary.ts';
import { EVTCHN_FIFO, evtchn_fifo_control_block } from '../../abi/event-channel.ts';
import { wake, wakePollers } from '../sched/decide.ts';
import type { Xen } from '../xen.ts';
import { isPending as isPending2l } from './pending.ts';
import { queueRow } from './state.ts';

const WORDS_PER_PAGE = PAGE_SIZE / 4;
const bit = (number: number): number => (1 << number) >>> 0;
export const PENDING = bit(EVTCHN_FIFO.PENDING);
export const MASKED = bit(EVTCHN_FIFO.MASKED);
export const LINKED = bit(EVTCHN_FIFO.LINKED);
export const BUSY = bit(EVTCHN_FIFO.BUSY);

/** Where something of the guest's stands in memory. */
export interface Place {
  readonly mfn: Mfn;
  readonly offset: number;
}

/** The event word of a port, or undefined where there is no page for it. */
export function wordPlace(xen: Xen, domid: DomId, port: Port): Place | undefined {
  const page = xen.evtchn.arrays.of(domid)!.mfn_plus_1.at(Math.floor(port / WORDS_PER_PAGE));
  return page === 0 ? undefined : { mfn: page - 1, offset: (port % WORDS_PER_PAGE) * 4 };
}

/** The control block of a vCPU, or undefined where it has none. */
export function controlPlace(xen: Xen, domid: DomId, vcpu: number): Place | undefined {
  const controls = xen.evtchn.controls.of(domid);
  const page = controls?.mfn_plus_1.at(vcpu) ?? 0;
  return page === 0 ? undefined : { mfn: page - 1, offset: controls!.offset.at(vcpu) };
}

const CONTROL_BLOCK = evtchn_fifo_control_block.x86_64;

/** A port's word, 0 where it has none: then nothing is known of it but that it can not be told. */
export function readWord(xen: Xen, domid: DomId, port: Port, guest: GuestReader): number {
  const place = wordPlace(xen, domid, port);
  return place === undefined ? 0 : guest.get32(place.mfn, place.offset) >>> 0;
}

/** Whether a port is pending, whatever its domain's ABI. */
export const isPending = (xen: Xen, domid: DomId, port: Port, guest: GuestReader): boolean =>
  xen.evtchn.isFifo(domid)
    ? (readWord(xen, domid, port, guest) & PENDING) !== 0
    : isPending2l(guest, xen.sharedInfo(domid), port);

/** What raising a port leads to; `unmasked` where the same step unmasks it, which is not written yet. */
export function raiseFifo(xen: Xen, domid: DomId, port: Port, now: Ns, guest: GuestReader, unmasked = false): Fact[] {
  const place = wordPlace(xen, domid, port);
  const rows = xen.evtchn.fifoPorts.of(domid)!;
  if (place === undefined) return rows.saved.at(port) === 1 ? [] : [{ type: 'evtchn.pending_saved', domid, port }];
  return raiseAt(xen, place, { domid, port, now, unmasked, tails: new Map() }, guest);
}

interface Raising {
  readonly domid: DomId;
  readonly port: Port;
  readonly now: Ns;
  readonly unmasked: boolean;
  /** The ends of queues that this step has changed, and so linked. */
  readonly tails: Map<number, Port>;
}

function raiseAt(xen: Xen, place: Place, { domid, port, now, unmasked, tails }: Raising, guest: GuestReader): Fact[] {
  const vcpu = xen.evtchn.ports.of(domid)!.notify_vcpu.at(port);
  const control = controlPlace(xen, domid, vcpu);
  // A guest must not unmask before there is a control block: what it gets for that is nothing.
  if (control === undefined) return [];
  const word = guest.get32(place.mfn, place.offset) >>> 0;
  const isNew = (word & PENDING) === 0;
  const linked = (unmasked || (word & MASKED) === 0) && (word & LINKED) === 0;
  if (!isNew && !linked) return [];
  const pollers = isNew ? wakePollers(xen, domid, port, now) : [];
  const rows = xen.evtchn.fifoPorts.of(domid)!;
  const priority = rows.priority.at(port) + EVTCHN_FIFO.PRIORITY_DEFAULT;
  const raised = { type: 'evtchn.fifo_raised', domid, port, vcpu, priority } as const;
  if (!linked) return [{ ...raised, linked, after: 0, upcall: false }, ...pollers];

  const queue = queueRow(vcpu, priority);
  const isLast = queue === queueRow(rows.last_vcpu.at(port), rows.last_priority.at(port));
  const before = tails.get(queue);
  const tail = before ?? xen.evtchn.queues.of(domid)!.tail.at(queue);
  // The end of the queue may have been taken off it, which leaves it empty.
  const isBehind =
    before !== undefined || (tail !== 0 && !(isLast && tail === port) && (readWord(xen, domid, tail, guest) & LINKED) !== 0);
  tails.set(queue, port);
  const ready = guest.get32(control.mfn, control.offset + CONTROL_BLOCK.offset.ready);
  const upcall = !isBehind && ((ready >>> priority) & 1) === 0;
  const fact: Fact = { ...raised, linked, after: isBehind ? tail : 0, upcall };
  const woken = upcall ? wake(xen, domid, vcpu, now) : [];
  return [fact, ...(woken.length > 0 ? woken : pollers)];
}

/** evtchn_fifo_init_control(): the first one changes the ABI, and what is pending then waits for its word. */
export function initControl(xen: Xen, command: CommandOf<'evtchn.init_control'>, guest: GuestReader): Outcome {
  const { domid, control_gfn, offset, vcpu } = command;
  const value = { link_bits: EVTCHN_FIFO.LINK_BITS };
  if (!xen.hasVcpu(domid, vcpu)) return refuse('ENOENT', value);
  if (offset < 0 || offset > PAGE_SIZE - CONTROL_BLOCK.size || offset % 8 !== 0) return refuse('EINVAL', value);
  const isFirst = !xen.evtchn.isFifo(domid);
  if (!isFirst && controlPlace(xen, domid, vcpu) !== undefined) return refuse('EINVAL', value);
  const mfn = xen.grantedFrame(domid, control_gfn);
  if (!xen.mayKeepIn(domid, mfn)) return refuse('EINVAL', value);
  const initialised: Fact = { type: 'evtchn.control_initialised', domid, vcpu, mfn, offset };
  if (!isFirst) return accept(value, initialised);
  const page = xen.sharedInfo(domid);
  const pending = [...xen.evtchn.ports.inUse(domid)].filter(([port]) => isPending2l(guest, page, port));
  return accept(value, initialised, ...pending.map(([port]): Fact => ({ type: 'evtchn.pending_saved', domid, port })));
}

/** evtchn_fifo_expand_array(): what waited for a word of the new page is raised. */
export function expandArray(xen: Xen, command: CommandOf<'evtchn.expand_array'>, now: Ns, guest: GuestReader): Outcome {
  const { domid, array_gfn } = command;
  if (!xen.evtchn.isFifo(domid)) return refuse('EOPNOTSUPP');
  const pages = [...xen.evtchn.arrays.inUse(domid)].length;
  if (pages >= EVTCHN_FIFO.NR_CHANNELS / WORDS_PER_PAGE) return refuse('ENOSPC');
  const mfn = xen.grantedFrame(domid, array_gfn);
  if (!xen.mayKeepIn(domid, mfn)) return refuse('EINVAL');
  const facts: Fact[] = [{ type: 'evtchn.array_expanded', domid, mfn }];
  const tails = new Map<number, Port>();
  for (const [port] of xen.evtchn.fifoPorts.inUse(domid)) {
    if (Math.floor(port / WORDS_PER_PAGE) !== pages) continue;
    const place = { mfn, offset: (port % WORDS_PER_PAGE) * 4 };
    facts.push(...raiseAt(xen, place, { domid, port, now, unmasked: false, tails }, guest));
  }
  return accept({}, ...facts);
}

/** What the two-level ABI comes back with: when all ports are closed, or their domain dies. */
export const leaveFifo = (xen: Xen, domid: DomId): Fact[] =>
  xen.evtchn.isFifo(domid) ? [{ type: 'evtchn.fifo_destroyed', domid }] : [];

export function setPriority(xen: Xen, { domid, port, priority }: CommandOf<'evtchn.set_priority'>): Outcome {
  if (!xen.evtchn.isValid(domid, port)) return refuse('EINVAL');
  if (!xen.evtchn.isFifo(domid)) return refuse('ENOSYS');
  if (xen.evtchn.ports.of(domid)!.state.is(port) === 'free') return refuse('EACCES');
  if (priority < 0 || priority > EVTCHN_FIFO.PRIORITY_MIN) return refuse('EINVAL');
  return accept({}, { type: 'evtchn.priority_set', domid, port, priority });
}
