// What a host is made of. Plain data: it stands in the header of the log.

export interface BridgeConfig {
  readonly name: string;
  /** dom0's address on it, and its netmask: "10.0.0.1", "255.255.255.0". */
  readonly ip: string;
  readonly netmask: string;
}
/** Whose xenstored the host's XenStore is; the hypervisor and the toolstack are those of 4.17. */
export type XenVersion = '4.17' | '4.22';

export interface XenConfig {
  /** Xen's command line: `loglvl`, `guest_loglvl`, `conring_size`, `console_to_ring` ... */
  readonly commandline?: string;
  /** Whether guests may write on Xen's console (CONFIG_VERBOSE_DEBUG). */
  readonly verbose_debug?: boolean;
  /** Whether the machine has an IOMMU: devices can be given to domains. */
  readonly iommu?: boolean;
  /** Whether there are 32-bit PV domains (pv=32). */
  readonly pv32?: boolean;
  /** What the real-time clock shows when the host boots, in seconds of Unix time. */
  readonly wallclock?: number;
  /** The frequency of the time stamp counters. */
  readonly tsc_khz?: number;
}
export interface HostConfig {
  readonly pcpus: number;
  readonly memory_mib: number;
  readonly dom0: { readonly memory_mib: number; readonly vcpus: number };
  /** Pool-0's, as `sched=` on Xen's command line. */
  readonly scheduler: 'credit2' | 'credit' | 'rtds' | 'arinc653' | 'null';
  /** All pCPUs are cores of one socket where it is left out. */
  readonly topology?: { readonly cores_per_socket: number; readonly threads_per_core: number };
  /** What pCPUs share a run queue of credit2; those of a socket where it is left out. */
  readonly credit2_runqueue?: 'cpu' | 'core' | 'socket' | 'node' | 'all';
  readonly xen_version: XenVersion;
  readonly bridges: readonly BridgeConfig[];
  /** What Xen is booted with, and what of the machine and the build is not as usual. */
  readonly xen?: XenConfig;
  /** What paths in dom0 mean: disks by their size, kernels that are actor guests. */
  readonly files: readonly HostFile[];
}
export type HostFile =
  | { readonly path: string; readonly kind: 'disk'; readonly image: number; readonly sectors: number; readonly readonly: boolean }
  | { readonly path: string; readonly kind: 'kernel'; readonly builtin: string };

export const defaultHost: HostConfig = {
  pcpus: 2,
  memory_mib: 2048,
  dom0: { memory_mib: 640, vcpus: 1 },
  scheduler: 'credit2',
  xen_version: '4.17',
  bridges: [{ name: 'xenbr0', ip: '10.0.0.1', netmask: '255.255.255.0' }],
  files: [],
};
