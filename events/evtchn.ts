// event_channel_op (public/event_channel.h), two-level ABI.
import { bool, int, oneOf, operation } from './schema.ts';

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
      virq: int,
    },
  ),
  'evtchn.unmask': operation({ domid: int, port: int }),
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
} as const;
