import type { Invariant } from '../invariants.ts';
import { NR_DOMAIN_WATCHDOG_TIMERS, timerId, timerOf } from './state.ts';

export const invariants: Readonly<Record<string, Invariant>> = {
  *'timer.heapHoldsTheArmed'(xen) {
    const { rows, due } = xen.timers;
    yield* due.flaws();
    const armed = new Set<number>();
    for (const domid of rows.ids())
      for (const [row, { state }] of rows.inUse(domid)) {
        const { vcpu, kind } = timerOf(row);
        const id = timerId(domid, vcpu, kind);
        if (state === 'armed') armed.add(id);
        if (state === 'armed' && !due.has(id)) yield `d${domid}v${vcpu}'s ${kind} timer is armed and not in the heap`;
      }
    for (const id of due) if (!armed.has(id)) yield `the heap holds ${id}, which is no armed timer`;
  },

  *'timer.onlyThePeriodicRepeats'(xen) {
    const { rows } = xen.timers;
    for (const domid of rows.ids())
      for (let row = 0; row < rows.of(domid)!.length; row++) {
        const { state, deadline_ns, period_ns } = rows.row(domid, row);
        const { vcpu, kind } = timerOf(row);
        const who = `d${domid}v${vcpu}'s ${kind} timer`;
        if (state === 'off' && (deadline_ns !== 0 || period_ns !== 0))
          yield `${who} is off, with deadline ${deadline_ns}, period ${period_ns}`;
        if (state === 'armed' && period_ns > 0 !== (kind === 'periodic')) yield `${who} is armed with period ${period_ns}`;
      }
  },

  *'timer.belongsToAVcpu'(xen) {
    for (const domid of xen.timers.rows.ids())
      for (const [row] of xen.timers.rows.inUse(domid)) {
        const { vcpu, kind } = timerOf(row);
        if (kind === 'watchdog' ? vcpu >= NR_DOMAIN_WATCHDOG_TIMERS : !xen.hasVcpu(domid, vcpu))
          yield `the ${kind} timer of d${domid}v${vcpu} is armed, and there is no such vCPU`;
      }
  },
};
