import type { Invariant } from '../invariants.ts';
import { timerId } from './state.ts';

export const invariants: Readonly<Record<string, Invariant>> = {
  *'timer.heapHoldsTheArmed'(xen) {
    const { rows, due } = xen.timers;
    yield* due.flaws();
    const armed = new Set<number>();
    for (const domid of rows.ids())
      for (const [row, { state }] of rows.inUse(domid)) {
        const kind = (row & 1) === 1 ? 'periodic' : 'singleshot';
        const id = timerId(domid, row >> 1, kind);
        if (state === 'armed') armed.add(id);
        if (state === 'armed' && !due.has(id)) yield `d${domid}v${row >> 1}'s ${kind} timer is armed and not in the heap`;
      }
    for (const id of due) if (!armed.has(id)) yield `the heap holds ${id}, which is no armed timer`;
  },

  *'timer.onlyThePeriodicRepeats'(xen) {
    const { rows } = xen.timers;
    for (const domid of rows.ids())
      for (let row = 0; row < rows.of(domid)!.length; row++) {
        const { state, deadline_ns, period_ns } = rows.row(domid, row);
        const who = `d${domid}v${row >> 1}'s timer ${row & 1}`;
        if (state === 'off' && (deadline_ns !== 0 || period_ns !== 0))
          yield `${who} is off, with deadline ${deadline_ns}, period ${period_ns}`;
        if (state === 'armed' && period_ns > 0 !== ((row & 1) === 1)) yield `${who} is armed with period ${period_ns}`;
      }
  },

  *'timer.belongsToAVcpu'(xen) {
    for (const domid of xen.timers.rows.ids())
      for (const [row] of xen.timers.rows.inUse(domid))
        if (!xen.hasVcpu(domid, row >> 1)) yield `a timer of d${domid}v${row >> 1} is armed, and there is no such vCPU`;
  },
};
