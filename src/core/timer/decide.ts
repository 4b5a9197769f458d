// set_timer_op and the timers of vcpu_op (xen/common/sched/core.c, xen/common/domain.c).
import { accept, type GuestReader, refuse } from '../../../events/step.ts';
import { type DomId, END_OF_TIME, MS, type Ns, SECOND } from '../../../events/units.ts';
import type { CommandOf, Fact, Outcome, TimerCommand } from '../../../events/vocabulary.ts';
import { VIRQ } from '../../abi/virq.ts';
import { raiseVirq } from '../evtchn/decide.ts';
import { wake } from '../sched/decide.ts';
import type { Xen } from '../xen.ts';
import { NR_DOMAIN_WATCHDOG_TIMERS, timerRow } from './state.ts';

/** Xen refuses a faster period (xen/common/domain.c, VCPUOP_set_periodic_timer). */
const MIN_PERIOD: Ns = 1 * MS;
/** A timeout further away than this is an old kernel's mistake or its "never": it comes after `TOO_FAR_DELAY` (do_set_timer_op()). */
const TOO_FAR: Ns = 2 ** 50;
const TOO_FAR_DELAY: Ns = 100 * MS;

export function decide(xen: Xen, command: TimerCommand, now: Ns, guest: GuestReader): Outcome {
  const { domid } = command;
  if (!xen.exists(domid)) return refuse('ESRCH');
  if (command.type === 'sched.watchdog') return watchdog(xen, domid, command.id, command.timeout, now);
  const { vcpu } = command;
  if (command.type === 'timer.expire') return expire(xen, command, now, guest);
  if (!xen.hasVcpu(domid, vcpu)) return refuse('ENOENT');
  switch (command.type) {
    case 'timer.set_timer_op': {
      const { timeout_ns } = command;
      if (timeout_ns === 0) return accept({}, { type: 'timer.stopped', domid, vcpu, kind: 'singleshot' });
      const deadline_ns = timeout_ns < 0 || timeout_ns - now >= TOO_FAR ? now + TOO_FAR_DELAY : timeout_ns;
      return accept({}, { type: 'timer.set', domid, vcpu, kind: 'singleshot', deadline_ns, period_ns: 0 });
    }
    case 'vcpu.set_singleshot_timer': {
      const { timeout_abs_ns } = command;
      // A time that has passed fires at once, whether or not VCPU_SSHOTTMR_future asks for ETIME: since 4.17.3 the flag means nothing.
      if (timeout_abs_ns < now)
        return accept(
          {},
          { type: 'timer.stopped', domid, vcpu, kind: 'singleshot' },
          ...raiseVirq(xen, domid, vcpu, VIRQ.TIMER, now, guest),
        );
      return accept({}, { type: 'timer.set', domid, vcpu, kind: 'singleshot', deadline_ns: timeout_abs_ns, period_ns: 0 });
    }
    case 'vcpu.stop_singleshot_timer':
      return accept({}, { type: 'timer.stopped', domid, vcpu, kind: 'singleshot' });
    case 'vcpu.set_periodic_timer': {
      const { period_ns } = command;
      if (period_ns < MIN_PERIOD || now + period_ns > END_OF_TIME) return refuse('EINVAL');
      return accept({}, { type: 'timer.set', domid, vcpu, kind: 'periodic', deadline_ns: now + period_ns, period_ns });
    }
    case 'vcpu.stop_periodic_timer':
      return accept({}, { type: 'timer.stopped', domid, vcpu, kind: 'periodic' });
    default:
      return command satisfies never;
  }
}

function expire(xen: Xen, { domid, vcpu, kind }: CommandOf<'timer.expire'>, now: Ns, guest: GuestReader): Outcome {
  const rows = xen.timers.rows.of(domid)!;
  const row = timerRow(vcpu, kind);
  if (rows.state.is(row) !== 'armed' || rows.deadline_ns.at(row) > now) return refuse('EINVAL');
  const fired: Fact = { type: 'timer.fired', domid, vcpu, kind };
  switch (kind) {
    case 'watchdog':
      return accept({}, fired); // and the end of the domain, which is not ours
    case 'poll':
      return xen.sched.polls.of(domid)?.state.is(vcpu) === 'polling'
        ? accept({}, fired, ...wake(xen, domid, vcpu, now))
        : accept({}, fired);
    case 'singleshot':
    case 'periodic':
      return accept({}, fired, ...raiseVirq(xen, domid, vcpu, VIRQ.TIMER, now, guest));
  }
}

/** domain_watchdog() in xen/common/sched/core.c. */
function watchdog(xen: Xen, domid: DomId, id: number, timeout: number, now: Ns): Outcome {
  const isArmed = (slot: number): boolean => xen.timers.rows.of(domid)!.state.is(timerRow(slot, 'watchdog')) === 'armed';
  const arm = (slot: number): Fact => {
    const deadline_ns = Math.min(now + timeout * SECOND, END_OF_TIME);
    return { type: 'timer.set', domid, vcpu: slot, kind: 'watchdog', deadline_ns, period_ns: 0 };
  };
  if (id < 0 || id > NR_DOMAIN_WATCHDOG_TIMERS || timeout < 0 || timeout > MAX_TIMEOUT) return refuse('EINVAL');
  if (id === 0) {
    for (let slot = 0; slot < NR_DOMAIN_WATCHDOG_TIMERS; slot++) if (!isArmed(slot)) return accept({ id: slot + 1 }, arm(slot));
    return refuse('ENOSPC');
  }
  const slot = id - 1;
  if (!isArmed(slot)) return refuse('EINVAL');
  return accept({ id: 0 }, timeout === 0 ? { type: 'timer.stopped', domid, vcpu: slot, kind: 'watchdog' } : arm(slot));
}
/** `timeout` of struct sched_watchdog has 32 bits. */
const MAX_TIMEOUT = 2 ** 32 - 1;
