// sched_op(poll): waits for event channels without taking upcalls (xen/common/sched/core.c, do_poll()).
import { accept, type GuestReader, refuse } from '../../../events/step.ts';
import type { Ns } from '../../../events/units.ts';
import type { CommandOf, Fact, Outcome } from '../../../events/vocabulary.ts';
import { block } from '../sched/decide.ts';
import type { Xen } from '../xen.ts';
import { isPending } from './fifo.ts';

/** Xen's own limit, for which it gives no reason. */
const MAX_POLLED = 128;

export function poll(xen: Xen, command: CommandOf<'sched.poll'>, now: Ns, guest: GuestReader): Outcome {
  const { domid, vcpu, ports, timeout_ns } = command;
  if (ports.length > MAX_POLLED || xen.sched.vcpu.of(domid)?.runstate.is(vcpu) !== 'running') return refuse('EINVAL');
  if (xen.upcallPending(domid, vcpu, guest)) return accept({ blocked: 0 });
  // The first port that is pending ends the search: what stands behind it is never looked at.
  for (const port of ports) {
    if (xen.evtchn.ports.of(domid)!.state.at(port) === 0) return refuse('EINVAL');
    if (isPending(xen, domid, port, guest)) return accept({ blocked: 0 });
  }
  if (timeout_ns !== 0 && timeout_ns <= now) return accept({ blocked: 0 });
  const polling: Fact = { type: 'vcpu.polling_started', domid, vcpu, port: ports.length === 1 ? ports[0]! : 0 };
  const blocked = block(xen, domid, vcpu, now);
  return timeout_ns === 0
    ? accept({ blocked: 1 }, polling, ...blocked)
    : accept({ blocked: 1 }, polling, ...blocked, {
        type: 'timer.set',
        domid,
        vcpu,
        kind: 'poll',
        deadline_ns: timeout_ns,
        period_ns: 0,
      });
}
