// The arguments of `vcpu_op` (public/vcpu.h).
import { int32_t, uint32_t, uint64_t, XEN_GUEST_HANDLE } from './scalars.ts';
import { array, struct, union } from './struct.ts';

/** `VCPUOP_*`. */
export const VCPUOP = {
  initialise: 0,
  up: 1,
  down: 2,
  is_up: 3,
  get_runstate_info: 4,
  register_runstate_memory_area: 5,
  set_periodic_timer: 6,
  stop_periodic_timer: 7,
  set_singleshot_timer: 8,
  stop_singleshot_timer: 9,
  register_vcpu_info: 10,
  send_nmi: 11,
  get_physid: 12,
  register_vcpu_time_memory_area: 13,
} as const;

/** `RUNSTATE_*`: values of `state`, and places in `time`. */
export const RUNSTATE = { running: 0, runnable: 1, blocked: 2, offline: 3 } as const;

/** All times are ns; bit 63 of `state_entry_time` (XEN_RUNSTATE_UPDATE) is set while Xen writes, if the guest asked for that. */
export const vcpu_runstate_info = struct('vcpu_runstate_info', {
  state: int32_t,
  state_entry_time: uint64_t,
  time: array(uint64_t, 4),
});
export const XEN_RUNSTATE_UPDATE = 1n << 63n;

export const vcpu_set_periodic_timer = struct('vcpu_set_periodic_timer', { period_ns: uint64_t });
export const vcpu_set_singleshot_timer = struct('vcpu_set_singleshot_timer', { timeout_abs_ns: uint64_t, flags: uint32_t });
/** A bit of `flags`: answer ETIME where the time has passed. */
export const VCPU_SSHOTTMR_future = 1;

/** `offset` is bytes in the page. */
export const vcpu_register_vcpu_info = struct('vcpu_register_vcpu_info', { mfn: uint64_t, offset: uint32_t, rsvd: uint32_t });

/** A virtual address (`h`, `v`) or a physical one (`p`). */
const addr = union('addr', { h: XEN_GUEST_HANDLE, v: XEN_GUEST_HANDLE, p: uint64_t });
export const vcpu_register_runstate_memory_area = struct('vcpu_register_runstate_memory_area', { addr });
export const vcpu_register_time_memory_area = struct('vcpu_register_time_memory_area', { addr });
export const vcpu_get_physid = struct('vcpu_get_physid', { phys_id: uint64_t });
