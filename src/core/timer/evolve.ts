import type { TimerFact } from '../../../events/vocabulary.ts';
import type { Xen } from '../xen.ts';
import { timerId, timerRow } from './state.ts';

/** Applies a fact to the timers. Total; the only writer of this slice. */
export function evolve(xen: Xen, event: TimerFact, seq: number): void {
  const { domid, vcpu, kind } = event;
  const { rows, due } = xen.timers;
  const timers = rows.of(domid)!;
  const row = timerRow(vcpu, kind);
  const id = timerId(domid, vcpu, kind);
  // Out of the heap first: its order may not change while the timer stands in it.
  due.remove(id);
  switch (event.type) {
    case 'timer.set':
      timers.state.become(row, 'armed');
      timers.deadline_ns.put(row, event.deadline_ns);
      timers.period_ns.put(row, event.period_ns);
      timers.armed_by.put(row, seq);
      due.push(id);
      return;
    case 'timer.fired': {
      const period = timers.period_ns.at(row);
      if (period > 0) {
        timers.deadline_ns.add(row, period);
        due.push(id);
      } else clear();
      return;
    }
    case 'timer.stopped':
      clear();
      return;
    default:
      event satisfies never;
  }

  function clear(): void {
    timers.state.become(row, 'off');
    timers.deadline_ns.put(row, 0);
    timers.period_ns.put(row, 0);
    timers.armed_by.put(row, 0);
  }
}
