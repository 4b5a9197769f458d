// Numbers of what steers the schedulers, pools and pCPUs (public/domctl.h, public/sysctl.h).

/** `XEN_VCPUAFFINITY_*`. */
export const XEN_VCPUAFFINITY = { HARD: 1, SOFT: 2, FORCE: 4 } as const;
/** `XEN_DOMCTL_SCHEDOP_*`. */
export const XEN_DOMCTL_SCHEDOP = { putinfo: 0, getinfo: 1, putvcpuinfo: 2, getvcpuinfo: 3 } as const;
/** `XEN_DOMCTL_SCHEDRT_extra`. */
export const XEN_DOMCTL_SCHEDRT_extra = 1;
/** `XEN_SCHEDULER_*`. */
export const XEN_SCHEDULER = { credit: 5, credit2: 6, arinc653: 7, rtds: 8, null: 9 } as const;
/** `XEN_SYSCTL_SCHEDOP_*`. */
export const XEN_SYSCTL_SCHEDOP = { putinfo: 0, getinfo: 1 } as const;
export const XEN_SYSCTL_SCHED_RATELIMIT = { MAX: 500_000, MIN: 100 } as const;
export const XEN_SYSCTL_CSCHED_TSLICE = { MAX: 1000, MIN: 1 } as const;
export const XEN_SYSCTL_CSCHED_MGR_DLY_MAX_US = 100_000;
/** `XEN_SYSCTL_CPUPOOL_OP_*`. */
export const XEN_SYSCTL_CPUPOOL_OP = {
  CREATE: 1,
  DESTROY: 2,
  INFO: 3,
  ADDCPU: 4,
  RMCPU: 5,
  MOVEDOMAIN: 6,
  FREEINFO: 7,
} as const;
/** `XEN_SYSCTL_CPUPOOL_PAR_ANY`. */
export const CPUPOOL_PAR_ANY = 0xffffffff;
/** `XEN_SYSCTL_CPU_HOTPLUG_*`. */
export const XEN_SYSCTL_CPU_HOTPLUG = { ONLINE: 0, OFFLINE: 1, SMT_ENABLE: 2, SMT_DISABLE: 3 } as const;
