// What time it is for a domain: the domctls of its clock and of its time stamp counter (public/domctl.h), and the host's wall clock.
import { bool, int, oneOf, operation } from './schema.ts';

/** XEN_CPUID_TSC_MODE_*, in Xen's order: the index is the number. */
export const tscMode = oneOf('default', 'always_emulate', 'never_emulate');

export const operations = {
  /** How far its wall clock is ahead of the host's, in seconds. */
  'domctl.settimeoffset': operation({ domid: int, domain: int, time_offset_seconds: int }),
  'domctl.gettscinfo': operation(
    { domid: int, domain: int },
    { tsc_mode: int, elapsed_nsec: int, gtsc_khz: int, incarnation: int },
  ),
  /** `elapsed_nsec` is what its counter shows now, in ns; `gtsc_khz` 0 is the host's frequency. */
  'domctl.settscinfo': operation({
    domid: int,
    domain: int,
    tsc_mode: int,
    elapsed_nsec: int,
    gtsc_khz: int,
    incarnation: int,
  }),
} as const;

export const facts = {
  'domain.time_offset_set': { domid: int, seconds: int },
  /** `vtsc`: Xen answers RDTSC, at `khz` (0: the host's) from `offset_ns` of system time on. */
  'domain.tsc_set': { domid: int, mode: tscMode, vtsc: bool, offset_ns: int, khz: int, incarnation: int },
  /** The Unix time at system time 0, from now on; every domain's shared info tells it. */
  'time.wallclock_set': { sec: int, nsec: int },
} as const;
