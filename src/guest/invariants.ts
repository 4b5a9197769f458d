// What always holds for what actor guests keep, whatever they do.
import { EVTCHN_2L_NR_CHANNELS } from '../core/evtchn/state.ts';
import { ENTRIES_PER_FRAME } from '../core/gnttab/state.ts';
import type { Xen } from '../core/xen.ts';
import { FIRST_GREF, type Guests, LIMITS } from './state.ts';

/** Yields a line for every violation, naming the objects at fault; silence means that it holds. */
export type Invariant = (host: { readonly xen: Xen; readonly guests: Guests }) => Iterable<string>;

export const invariants: Readonly<Record<string, Invariant>> = {
  *'guest.thereIsAsRowsAre'({ xen, guests }) {
    for (const table of guests.tables) {
      for (const domid of table.ids()) if (!xen.exists(domid)) yield `${table.name} has rows of d${domid}, which does not exist`;
      for (const domid of xen.domids()) if (!table.of(domid)) yield `${table.name} has no rows of d${domid}`;
    }
    for (const domid of guests.records.keys()) if (!xen.exists(domid)) yield `d${domid} has a kernel and does not exist`;
  },

  // Not that the port is bound: who closes it takes the handler away in a step of its own.
  *'guest.irqsAreWithinThePorts'({ guests: { irq } }) {
    for (const domid of irq.ids())
      for (const [port, { handler }] of irq.inUse(domid))
        if (port === 0 || port >= EVTCHN_2L_NR_CHANNELS) yield `d${domid} has a handler for ${handler} at port ${port}`;
  },

  *'guest.unboundHoldsNothing'({ guests: { irq } }) {
    for (const domid of irq.ids()) {
      const { handler, dev, peer, length } = irq.of(domid)!;
      for (let port = 0; port < length; port++)
        if (handler.is(port) === 'none' && (dev.at(port) !== 0 || peer.at(port) !== 0))
          yield `d${domid} port ${port} has no handler, with device ${dev.at(port)} of d${peer.at(port)}`;
    }
  },

  *'guest.grantedPagesHaveEntries'({ xen, guests: { gref } }) {
    const { nr_grant_frames } = xen.domain.of(0)!;
    for (const domid of gref.ids())
      for (const [ref] of gref.inUse(domid))
        if (ref < FIRST_GREF || ref >= nr_grant_frames.at(domid) * ENTRIES_PER_FRAME)
          yield `d${domid} has granted ref ${ref}, with a table of ${nr_grant_frames.at(domid)} frames`;
  },

  *'guest.numbersAreBelowTheNext'({ guests: { records } }) {
    for (const [domid, { works, next_work, requests, next_req_id }] of records.entries()) {
      yield* misnumbered(
        `d${domid}'s works`,
        works.map(({ work }) => work),
        next_work,
      );
      yield* misnumbered(
        `d${domid}'s requests`,
        requests.map(({ req_id }) => req_id),
        next_req_id,
      );
    }
  },

  *'guest.underWayIsBounded'({ guests: { records } }) {
    for (const [domid, { works, requests, processes }] of records.entries())
      for (const [what, { length }, limit] of [
        ['works', works, LIMITS.works],
        ['requests', requests, LIMITS.requests],
        ['processes', processes, LIMITS.processes],
      ] as const)
        if (length > limit) yield `d${domid} has ${length} ${what}`;
  },

  *'guest.processesHaveNamesOfTheirOwn'({ guests: { records } }) {
    for (const [domid, { processes }] of records.entries())
      if (new Set([...processes, 'kernel']).size !== processes.length + 1)
        yield `d${domid} has the processes ${processes.join(' ')}`;
  },
};

/** Numbers are given out ascending, and each once. */
function* misnumbered(whose: string, numbers: readonly number[], next: number): Generator<string> {
  for (const [i, number] of numbers.entries())
    if (number >= next || number <= (numbers[i - 1] ?? 0)) yield `${whose} are ${numbers.join(' ')}, the next is ${next}`;
}
