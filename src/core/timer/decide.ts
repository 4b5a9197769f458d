// set_timer_op and the timers of vcpu_op (xen/common/sched/core.c, xen/common/domain.c).
import { accept, type GuestReader, refuse } from '../../../events/step.ts';
import { MS, type Ns } from '../../../events/units.ts';
import type { Outcome, TimerCommand } from '../../../events/vocabulary.ts';
import { raiseVirq } from '../evtchn/decide.ts';
import { VIRQ_TIMER } from '../evtchn/state.ts';
import type { Xen } from '../xen.ts';
import { timerRow } from './state.ts';

/** Xen refuses a faster period from an unprivileged domain (xen/common/domain.c, VCPUOP_set_periodic_timer). */
const MIN_PERIOD: Ns = 1 * MS;

export function decide(xen: Xen, command: TimerCommand, now: Ns, guest: GuestReader): Outcome {
  const { domid, vcpu } = command;
  if (!xen.exists(domid)) return refuse('ESRCH');
  if (!xen.hasVcpu(domid, vcpu)) return refuse('ENOENT');
  switch (command.type) {
    case 'timer.set_timer_op':
      return command.timeout_ns === 0
        ? accept({}, { type: 'timer.stopped', domid, vcpu, kind: 'singleshot' })
        : accept({}, { type: 'timer.set', domid, vcpu, kind: 'singleshot', deadline_ns: command.timeout_ns, period_ns: 0 });
    case 'vcpu.set_singleshot_timer':
      if (command.future && command.timeout_abs_ns < now) return refuse('ETIME');
      return accept(
        {},
        { type: 'timer.set', domid, vcpu, kind: 'singleshot', deadline_ns: command.timeout_abs_ns, period_ns: 0 },
      );
    case 'vcpu.stop_singleshot_timer':
      return accept({}, { type: 'timer.stopped', domid, vcpu, kind: 'singleshot' });
    case 'vcpu.set_periodic_timer': {
      const { period_ns } = command;
      if (period_ns < MIN_PERIOD) return refuse('EINVAL');
      return accept({}, { type: 'timer.set', domid, vcpu, kind: 'periodic', deadline_ns: now + period_ns, period_ns });
    }
    case 'vcpu.stop_periodic_timer':
      return accept({}, { type: 'timer.stopped', domid, vcpu, kind: 'periodic' });
    case 'timer.expire': {
      const rows = xen.timers.rows.of(domid)!;
      const row = timerRow(vcpu, command.kind);
      if (rows.state.is(row) !== 'armed' || rows.deadline_ns.at(row) > now) return refuse('EINVAL');
      return accept(
        {},
        { type: 'timer.fired', domid, vcpu, kind: command.kind },
        ...raiseVirq(xen, domid, vcpu, VIRQ_TIMER, now, guest),
      );
    }
    default:
      return command satisfies never;
  }
}
