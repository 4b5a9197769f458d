// What always holds for consoles.
import { TYPED_MAX } from './decide.ts';
import type { Consoles } from './state.ts';

/** Yields a line for every violation, naming the objects at fault; silence means that it holds. */
export type Invariant = (host: { readonly consoles: Consoles }) => Iterable<string>;

export const invariants: Readonly<Record<string, Invariant>> = {
  *'console.openConsolesHaveChannels'({ consoles: { rows } }) {
    for (const [dom, { mfn, local_port }] of rows.inUse(0))
      if (mfn <= 0 || local_port <= 0) yield `d${dom}'s console is open with frame ${mfn} and port ${local_port}`;
  },

  *'console.closedHoldsNothing'({ consoles: { rows } }) {
    const { state, mfn, local_port, length } = rows.of(0)!;
    for (let dom = 0; dom < length; dom++)
      if (state.is(dom) === 'closed' && (mfn.at(dom) !== 0 || local_port.at(dom) !== 0))
        yield `d${dom}'s console is closed with frame ${mfn.at(dom)} and port ${local_port.at(dom)}`;
  },

  *'console.typedWaitsAtAnOpenConsole'({ consoles: { rows, typed } }) {
    for (const [dom, { text }] of typed.entries()) {
      if (rows.of(0)!.state.is(dom) !== 'open') yield `${text.length} bytes wait for d${dom}, whose console is closed`;
      if (text.length === 0 || text.length > TYPED_MAX) yield `${text.length} bytes wait for d${dom}`;
    }
  },
};
