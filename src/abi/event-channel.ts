// Event channels: the arguments of `event_channel_op` and the FIFO's words (public/event_channel.h).
import { domid_t, evtchn_port_t, uint8_t, uint32_t, uint64_t } from './scalars.ts';
import { array, struct, union } from './struct.ts';

/** `EVTCHNOP_*`. */
export const EVTCHNOP = {
  bind_interdomain: 0,
  bind_virq: 1,
  bind_pirq: 2,
  close: 3,
  send: 4,
  status: 5,
  alloc_unbound: 6,
  bind_ipi: 7,
  bind_vcpu: 8,
  unmask: 9,
  reset: 10,
  init_control: 11,
  expand_array: 12,
  set_priority: 13,
} as const;

/** `EVTCHNSTAT_*`, as `status` answers. */
export const EVTCHNSTAT = { closed: 0, unbound: 1, interdomain: 2, pirq: 3, virq: 4, ipi: 5 } as const;

/** A bit of `bind_pirq`'s flags. */
export const BIND_PIRQ__WILL_SHARE = 1;

export const evtchn_alloc_unbound = struct('evtchn_alloc_unbound', { dom: domid_t, remote_dom: domid_t, port: evtchn_port_t });
export const evtchn_bind_interdomain = struct('evtchn_bind_interdomain', {
  remote_dom: domid_t,
  remote_port: evtchn_port_t,
  local_port: evtchn_port_t,
});
export const evtchn_bind_virq = struct('evtchn_bind_virq', { virq: uint32_t, vcpu: uint32_t, port: evtchn_port_t });
export const evtchn_bind_pirq = struct('evtchn_bind_pirq', { pirq: uint32_t, flags: uint32_t, port: evtchn_port_t });
export const evtchn_bind_ipi = struct('evtchn_bind_ipi', { vcpu: uint32_t, port: evtchn_port_t });
export const evtchn_close = struct('evtchn_close', { port: evtchn_port_t });
export const evtchn_send = struct('evtchn_send', { port: evtchn_port_t });
export const evtchn_status = struct('evtchn_status', {
  dom: domid_t,
  port: evtchn_port_t,
  status: uint32_t,
  vcpu: uint32_t,
  u: union('u', {
    unbound: struct('unbound', { dom: domid_t }),
    interdomain: struct('interdomain', { dom: domid_t, port: evtchn_port_t }),
    pirq: uint32_t,
    virq: uint32_t,
  }),
});
export const evtchn_bind_vcpu = struct('evtchn_bind_vcpu', { port: evtchn_port_t, vcpu: uint32_t });
export const evtchn_unmask = struct('evtchn_unmask', { port: evtchn_port_t });
export const evtchn_reset = struct('evtchn_reset', { dom: domid_t });
export const evtchn_init_control = struct('evtchn_init_control', {
  control_gfn: uint64_t,
  offset: uint32_t,
  vcpu: uint32_t,
  link_bits: uint8_t,
  _pad: array(uint8_t, 7),
});
export const evtchn_expand_array = struct('evtchn_expand_array', { array_gfn: uint64_t });
export const evtchn_set_priority = struct('evtchn_set_priority', { port: evtchn_port_t, priority: uint32_t });

/** Bit numbers and sizes of the FIFO's event words: `EVTCHN_FIFO_*`. The lowest priority has the highest number. */
export const EVTCHN_FIFO = {
  PENDING: 31,
  MASKED: 30,
  LINKED: 29,
  BUSY: 28,
  LINK_BITS: 17,
  LINK_MASK: (1 << 17) - 1,
  NR_CHANNELS: 1 << 17,
  PRIORITY_MAX: 0,
  PRIORITY_DEFAULT: 7,
  PRIORITY_MIN: 15,
  MAX_QUEUES: 16,
} as const;

/** Bit `p` of `ready` is set while queue `p` has events; `head` holds the first port of each. */
export const evtchn_fifo_control_block = struct('evtchn_fifo_control_block', {
  ready: uint32_t,
  _rsvd: uint32_t,
  head: array(uint32_t, EVTCHN_FIFO.MAX_QUEUES),
});
