// event_channel_op (xen/common/event_channel.c, do_event_channel_op()).
import * as abi from '../abi/event-channel.ts';
import { EVTCHNOP, EVTCHNSTAT } from '../abi/event-channel.ts';
import { type Codecs, codec } from './codec.ts';
import type { Plain } from './guest-memory.ts';

/** Xen's own, which is in no public header. */
export const EVTCHNOP_reset_cont = 14;

export const eventChannelOp: Codecs = {
  [EVTCHNOP.bind_interdomain]: codec('evtchn.bind_interdomain', abi.evtchn_bind_interdomain, { out: ['local_port'] }),
  [EVTCHNOP.bind_virq]: codec('evtchn.bind_virq', abi.evtchn_bind_virq, { out: ['port'] }),
  [EVTCHNOP.bind_pirq]: codec('evtchn.bind_pirq', abi.evtchn_bind_pirq, { out: ['port'] }),
  [EVTCHNOP.close]: codec('evtchn.close', abi.evtchn_close),
  [EVTCHNOP.send]: codec('evtchn.send', abi.evtchn_send),
  [EVTCHNOP.status]: codec('evtchn.status', abi.evtchn_status, { out: status }),
  [EVTCHNOP.alloc_unbound]: codec('evtchn.alloc_unbound', abi.evtchn_alloc_unbound, { out: ['port'] }),
  [EVTCHNOP.bind_ipi]: codec('evtchn.bind_ipi', abi.evtchn_bind_ipi, { out: ['port'] }),
  [EVTCHNOP.bind_vcpu]: codec('evtchn.bind_vcpu', abi.evtchn_bind_vcpu),
  [EVTCHNOP.unmask]: codec('evtchn.unmask', abi.evtchn_unmask),
  [EVTCHNOP.reset]: codec('evtchn.reset', abi.evtchn_reset),
  [EVTCHNOP.init_control]: codec('evtchn.init_control', abi.evtchn_init_control, { out: ['link_bits'] }),
  [EVTCHNOP.expand_array]: codec('evtchn.expand_array', abi.evtchn_expand_array),
  [EVTCHNOP.set_priority]: codec('evtchn.set_priority', abi.evtchn_set_priority),
  [EVTCHNOP_reset_cont]: codec('evtchn.reset_cont', abi.evtchn_reset),
};

/** A port's state decides what its union says. */
function status({ status, vcpu, remote_dom, remote_port, virq }: Plain): Plain {
  const u: Readonly<Record<string, Plain>> = {
    unbound: { unbound: { dom: remote_dom } },
    interdomain: { interdomain: { dom: remote_dom, port: remote_port } },
    pirq: { pirq: virq },
    virq: { virq },
  };
  return { status: EVTCHNSTAT[status as keyof typeof EVTCHNSTAT], vcpu, u: u[status as string] ?? {} };
}
