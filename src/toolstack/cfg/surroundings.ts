import type { CpuTopology } from './affinity.ts';
import type { DeviceNic } from './types.ts';

/** What xl asks the host and its own xl.conf while it reads a file. */
export interface Surroundings extends CpuTopology {
  readonly online_cpus: number;
  readonly run_hotplug_scripts: boolean;
  readonly claim_mode: boolean;
  readonly max_grant_frames?: number;
  readonly max_maptrack_frames?: number;
  readonly max_grant_version?: number;
  readonly blkdev_start?: string;
  /** `vif.default.*` of xl.conf. */
  readonly vif: Pick<DeviceNic, 'bridge' | 'script' | 'gatewaydev' | 'backend_domname'>;
}

/** A host of two CPUs in one node, with an empty xl.conf: that of the recordings. */
export const TWO_CPUS: Surroundings = {
  max_cpus: 2,
  online_cpus: 2,
  nodes: [[0, 1]],
  run_hotplug_scripts: true,
  claim_mode: true,
  vif: {},
};
