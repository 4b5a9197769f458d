// What a domain is to be made of: a domain's configuration with libxl's defaults, reduced to what makes the domain.
import { vdevNumber } from '../cfg/vdev.ts';

/** Memory is in KiB. Plain JSON: a job's progress holds it. */
export interface DomainSpec {
  readonly name: string;
  readonly uuid: string;
  readonly type: string;
  readonly pool: string;
  readonly max_vcpus: number;
  /** vCPUs that are online from the start. */
  readonly avail_vcpus: readonly number[];
  /** Hard affinity, a list of pCPUs for each vCPU. */
  readonly affinity: readonly (readonly number[])[];
  readonly target_memkb: number;
  readonly max_memkb: number;
  /** 0 where the scheduler's own weight is to stay. */
  readonly weight: number;
  /** -1: as many as the host allows. */
  readonly max_grant_frames: number;
  readonly max_maptrack_frames: number;
  /** The highest version of its grant table; 1 where the file does not say. */
  readonly max_grant_version: number;
  readonly event_channels: number;
  readonly kernel: string;
  readonly ramdisk: string;
  readonly cmdline: string;
  readonly bootloader: string;
  readonly bootloader_args: readonly string[];
  readonly disks: readonly DiskSpec[];
  readonly nics: readonly NicSpec[];
  readonly actions: Actions;
}
export interface DiskSpec {
  /** undefined: what the configuration says names no disk. */
  readonly devid: number | undefined;
  readonly vdev: string;
  readonly path: string;
  readonly format: string;
  readonly backend: string;
  readonly script: string;
  readonly writable: boolean;
  readonly removable: boolean;
  readonly cdrom: boolean;
  readonly directIoSafe: boolean;
  readonly discard: boolean;
  readonly trusted: boolean;
}
export interface NicSpec {
  readonly devid: number;
  readonly mac: string;
  readonly bridge: string;
  readonly script: string;
  readonly ip: string;
  readonly ifname: string;
  readonly mtu: number;
  /** `bytes,microseconds`, or '' for no limit. */
  readonly rate: string;
  readonly trusted: boolean;
}
/** libxl_action_on_shutdown for each way in which a domain may shut down. */
export interface Actions {
  readonly poweroff: string;
  readonly reboot: string;
  readonly watchdog: string;
  readonly crash: string;
  readonly soft_reset: string;
}

const SCRIPTS = '/etc/xen/scripts';
/** libxl's defaults (libxl_internal.h, libxl_create.c): 32 MiB, 1023 event channels, bridge xenbr0. */
const DEFAULT_MEMKB = 32 * 1024;
const DEFAULT_EVENT_CHANNELS = 1023;
const DEFAULT_BRIDGE = 'xenbr0';
const DEFAULT_MTU = 1500;

/** Reads libxl's JSON of a domain (domainConfigJson, `xl create -n`). Undefined where the text is not such JSON. */
export function domainSpec(json: string): DomainSpec | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(json);
  } catch {
    return undefined;
  }
  const config = new Fields(parsed);
  const c_info = config.fields('c_info');
  const b_info = config.fields('b_info');
  const max_vcpus = b_info.number('max_vcpus', 1) || 1;
  const avail = b_info.numbers('avail_vcpus');
  const target_memkb = b_info.number('target_memkb', b_info.number('max_memkb', DEFAULT_MEMKB));
  const action = (name: string): string => config.text(name, 'destroy');
  return {
    name: c_info.text('name'),
    uuid: c_info.text('uuid'),
    type: c_info.text('type', 'pv'),
    pool: c_info.text('pool_name'),
    max_vcpus,
    avail_vcpus: avail.length > 0 ? avail : [0],
    affinity: b_info.list('vcpu_hard_affinity').map(numbersIn),
    target_memkb,
    max_memkb: Math.max(b_info.number('max_memkb', target_memkb), target_memkb),
    weight: b_info.fields('sched_params').number('weight', 0),
    max_grant_frames: b_info.number('max_grant_frames', -1),
    max_maptrack_frames: b_info.number('max_maptrack_frames', -1),
    max_grant_version: limit(b_info.number('max_grant_version', -1), 1),
    event_channels: b_info.number('event_channels', 0) || DEFAULT_EVENT_CHANNELS,
    kernel: b_info.text('kernel'),
    ramdisk: b_info.text('ramdisk'),
    cmdline: b_info.text('cmdline'),
    bootloader: b_info.text('bootloader'),
    bootloader_args: b_info.list('bootloader_args').filter((arg) => typeof arg === 'string'),
    disks: config.list('disks').map((disk) => diskSpec(new Fields(disk))),
    nics: config.list('nics').map((nic, i) => nicSpec(new Fields(nic), i)),
    actions: {
      poweroff: action('on_poweroff'),
      reboot: action('on_reboot'),
      watchdog: action('on_watchdog'),
      crash: action('on_crash'),
      soft_reset: action('on_soft_reset'),
    },
  };
}

function diskSpec(disk: Fields): DiskSpec {
  const vdev = disk.text('vdev');
  const writable = disk.number('readwrite', 0) !== 0;
  return {
    devid: vdevNumber(vdev),
    vdev,
    path: disk.text('pdev_path'),
    format: disk.text('format', 'raw'),
    backend: disk.text('backend'),
    script: absolute(disk.text('script', 'block')),
    writable,
    removable: disk.number('removable', 0) !== 0,
    cdrom: disk.number('is_cdrom', 0) !== 0,
    directIoSafe: disk.flag('direct_io_safe', false),
    discard: disk.flag('discard_enable', writable),
    trusted: disk.flag('trusted', true),
  };
}

function nicSpec(nic: Fields, index: number): NicSpec {
  const bytes = nic.number('rate_bytes_per_interval', 0);
  return {
    devid: nic.number('devid', index),
    mac: nic.text('mac'),
    bridge: nic.text('bridge', DEFAULT_BRIDGE),
    script: absolute(nic.text('script', 'vif-bridge')),
    ip: nic.text('ip'),
    ifname: nic.text('ifname'),
    mtu: nic.number('mtu', 0) || DEFAULT_MTU,
    rate: bytes > 0 ? `${bytes},${nic.number('rate_interval_usecs', 0)}` : '',
    trusted: nic.flag('trusted', true),
  };
}

const absolute = (script: string): string => (script.startsWith('/') ? script : `${SCRIPTS}/${script}`);
const numbersIn = (value: unknown): readonly number[] =>
  Array.isArray(value) ? value.filter((item) => Number.isSafeInteger(item)) : [];

/** A JSON object of which nothing is certain. */
class Fields {
  private readonly held: Readonly<Record<string, unknown>>;
  constructor(value: unknown) {
    this.held = typeof value === 'object' && value !== null ? { ...value } : {};
  }
  text(name: string, otherwise = ''): string {
    const value = this.held[name];
    return typeof value === 'string' ? value : otherwise;
  }
  number(name: string, otherwise: number): number {
    const value = this.held[name];
    return Number.isSafeInteger(value) ? (value as number) : otherwise;
  }
  /** libxl writes "True" and "False" for what may also be left to it. */
  flag(name: string, otherwise: boolean): boolean {
    const value = this.held[name];
    return value === 'True' || value === true ? true : value === 'False' || value === false ? false : otherwise;
  }
  list(name: string): readonly unknown[] {
    const value = this.held[name];
    return Array.isArray(value) ? value : [];
  }
  numbers(name: string): readonly number[] {
    return numbersIn(this.held[name]);
  }
  fields(name: string): Fields {
    return new Fields(this.held[name]);
  }
}

/** A negative limit is none: the host's own holds. */
const limit = (wanted: number, host: number): number => (wanted < 0 ? host : wanted);
