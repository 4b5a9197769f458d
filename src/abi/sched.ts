// The arguments of `sched_op` (public/sched.h).
import { domid_t, int32_t, uint32_t, uint64_t, XEN_GUEST_HANDLE } from './scalars.ts';
import { struct } from './struct.ts';

/** `SCHEDOP_*`. */
export const SCHEDOP = {
  yield: 0,
  block: 1,
  shutdown: 2,
  poll: 3,
  remote_shutdown: 4,
  shutdown_code: 5,
  watchdog: 6,
  pin_override: 7,
} as const;

/** `SHUTDOWN_*`: why a domain stopped. */
export const SHUTDOWN = { poweroff: 0, reboot: 1, suspend: 2, crash: 3, watchdog: 4, soft_reset: 5 } as const;
export const SHUTDOWN_MAX = 5;

export const sched_shutdown = struct('sched_shutdown', { reason: uint32_t });
/** `timeout` is absolute system time in ns; 0: none. */
export const sched_poll = struct('sched_poll', { ports: XEN_GUEST_HANDLE, nr_ports: uint32_t, timeout: uint64_t });
export const sched_remote_shutdown = struct('sched_remote_shutdown', { domain_id: domid_t, reason: uint32_t });
/** `timeout` is seconds; 0 takes the watchdog away. */
export const sched_watchdog = struct('sched_watchdog', { id: uint32_t, timeout: uint32_t });
/** A negative `pcpu` undoes it. */
export const sched_pin_override = struct('sched_pin_override', { pcpu: int32_t });
