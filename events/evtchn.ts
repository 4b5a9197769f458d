// event_channel_op (public/event_channel.h), two-level ABI.
import { bool, int, ints, oneOf, operation } from './schema.ts';

export const operations = {
  /** Allocates a port in `dom` for `remote_dom` to bind to. Another `dom` than one's own needs privilege. */
  'evtchn.alloc_unbound': operation({ domid: int, dom: int, remote_dom: int }, { port: int }),
  'evtchn.bind_interdomain': operation({ domid: int, remote_dom: int, remote_port: int }, { local_port: int }),
  'evtchn.bind_virq': operation({ domid: int, virq: int, vcpu: int }, { port: int }),
  'evtchn.bind_ipi': operation({ domid: int, vcpu: int }, { port: int }),
  'evtchn.close': operation({ domid: int, port: int }),
  'evtchn.send': operation({ domid: int, port: int }),
  'evtchn.status': operation(
    { domid: int, dom: int, port: int },
    {
      status: oneOf('closed', 'unbound', 'interdomain', 'pirq', 'virq', 'ipi'),
      vcpu: int,
      remote_dom: int,
      remote_port: int,
      /** The VIRQ, or the pirq. */
      virq: int,
    },
  ),
  'evtchn.unmask': operation({ domid: int, port: int }),
  /** `flags` are BIND_PIRQ__*. The pirq must have been mapped for the domain. */
  'evtchn.bind_pirq': operation({ domid: int, pirq: int, flags: int }, { port: int }),
  'evtchn.bind_vcpu': operation({ domid: int, port: int, vcpu: int }),
  /** Closes every port of `dom`: one's own, or those of a domain that the toolstack has paused. */
  'evtchn.reset': operation({ domid: int, dom: int }),
  /** Xen's own continuation of a reset that was preempted; nobody else has any use for it. */
  'evtchn.reset_cont': operation({ domid: int, dom: int }),
  /** Changes the caller to the FIFO ABI with its first control block: at `offset` bytes in a page of its own. */
  'evtchn.init_control': operation({ domid: int, control_gfn: int, offset: int, vcpu: int }, { link_bits: int }),
  /** Gives Xen a page for 1,024 more event words. */
  'evtchn.expand_array': operation({ domid: int, array_gfn: int }),
  /** From 0, the highest, to 15. */
  'evtchn.set_priority': operation({ domid: int, port: int, priority: int }),
  /** Blocks until one of the ports is pending, masked or not, or until `timeout_ns` (0: for ever). Answers 1 when it did. */
  'sched.poll': operation({ domid: int, vcpu: int, ports: ints, timeout_ns: int }, { blocked: int }),
} as const;

export const facts = {
  'evtchn.unbound_allocated': { domid: int, port: int, remote_dom: int },
  'evtchn.interdomain_bound': { domid: int, port: int, remote_dom: int, remote_port: int },
  'evtchn.virq_bound': { domid: int, port: int, virq: int, vcpu: int },
  'evtchn.ipi_bound': { domid: int, port: int, vcpu: int },
  'evtchn.closed': { domid: int, port: int },
  /** The pending bit goes up; `upcall` says whether the vCPU's selector and upcall flag do too (the port is not masked). */
  'evtchn.pending_raised': { domid: int, port: int, vcpu: int, upcall: bool },
  'evtchn.unmasked': { domid: int, port: int },
  'evtchn.pirq_bound': { domid: int, port: int, pirq: int },
  'evtchn.vcpu_bound': { domid: int, port: int, vcpu: int },
  'evtchn.control_initialised': { domid: int, vcpu: int, mfn: int, offset: int },
  'evtchn.array_expanded': { domid: int, mfn: int },
  'evtchn.priority_set': { domid: int, port: int, priority: int },
  /** A port is pending whose event word is not there yet. */
  'evtchn.pending_saved': { domid: int, port: int },
  /**
   * FIFO: the port's word is pending. With `linked` it stands at the end of the vCPU's queue of that priority, behind the port `after`,
   * or (0) as its head; `upcall` says whether the queue becomes ready and the vCPU is told.
   */
  'evtchn.fifo_raised': { domid: int, port: int, vcpu: int, priority: int, linked: bool, after: int, upcall: bool },
  /** Back to the two-level ABI. */
  'evtchn.fifo_destroyed': { domid: int },
} as const;
