// Devices of a domain as XenStore has them: which nodes a frontend, a backend and libxl's own record consist of.
import type { Command } from '../../../events/vocabulary.ts';
import type { DiskSpec, DomainSpec, NicSpec } from './domain-spec.ts';
import { domainPath, libxlPath, mkdir, node, rm, type Session, setPerms, write, XenbusState } from './store.ts';

/** A device whose backend is in dom0. Key and value in libxl's order; plain JSON. */
export interface Device {
  readonly kind: 'vbd' | 'vif' | 'console';
  readonly domid: number;
  readonly devid: number;
  /** Nodes that the guest writes too. */
  readonly front: Entries;
  /** Nodes of the frontend that are dom0's alone. */
  readonly readonlyFront: Entries;
  /** Nodes of the backend, which libxl keeps a copy of. */
  readonly back: Entries;
  /** Its hotplug script, '' for none; and what that acts on: a file, or a bridge. */
  readonly script: string;
  readonly dev: string;
  readonly params: string;
}
type Entries = readonly (readonly [key: string, value: string])[];

/** The disks of a domain, in the order of its configuration (tools/libs/light/libxl_disk.c, device_disk_add). */
export const disksOf = (domid: number, { disks }: DomainSpec): Device[] =>
  disks.flatMap((disk) => (disk.devid === undefined ? [] : [diskDevice(domid, disk.devid, disk)]));

/** The network interfaces of a domain (tools/libs/light/libxl_nic.c, libxl__set_xenstore_nic). */
export const nicsOf = (domid: number, { nics }: DomainSpec): Device[] => nics.map((nic) => nicDevice(domid, nic));

/** The console, whose frontend is not under `device/` (tools/libs/light/libxl_console.c, libxl__device_console_add). */
export function consoleOf(domid: number, { port, mfn }: { port: number; mfn: number }): Device {
  return {
    kind: 'console',
    domid,
    devid: 0,
    front: [['backend-id', '0']],
    readonlyFront: [
      ['limit', '1048576'],
      ['type', 'xenconsoled'],
      ['output', 'pty'],
      ['tty', ''],
      ['port', String(port)],
      ['ring-ref', String(mfn)],
    ],
    back: [
      ['frontend-id', String(domid)],
      ['online', '1'],
      ['state', XenbusState.Initialising],
      ['protocol', 'vt100'],
    ],
    script: '',
    dev: '',
    params: '',
  };
}

type Place = Pick<Device, 'kind' | 'domid' | 'devid'>;
export const frontendPath = ({ kind, domid, devid }: Place): string =>
  kind === 'console' && devid === 0 ? `${domainPath(domid)}/console` : `${domainPath(domid)}/device/${kind}/${devid}`;
/** Relative to dom0's own nodes: hotplug scripts get it so (XENBUS_PATH). */
export const relativeBackendPath = ({ kind, domid, devid }: Place): string => `backend/${kind}/${domid}/${devid}`;
export const backendPath = (place: Place): string => `${domainPath(0)}/${relativeBackendPath(place)}`;
export const recordPath = ({ kind, domid, devid }: Place): string => `${libxlPath(domid)}/device/${kind}/${devid}`;

/** The requests that make a device's nodes (tools/libs/light/libxl_device.c, libxl__device_generic_add). */
export function addDevice(s: Session, device: Device): Command[] {
  const { kind, domid, front, readonlyFront, back } = device;
  const paths = { front: frontendPath(device), back: backendPath(device), record: recordPath(device) };
  const own = [`n${domid}`, 'r0'];
  const readable = ['n0', `r${domid}`];
  const add = (path: string, entries: Entries): Command[] => entries.map(([key, value]) => write(s, `${path}/${key}`, value));
  const addFront = (entries: Entries, perms: readonly string[]): Command[] =>
    entries.flatMap(([key, value]) => node(s, `${paths.front}/${key}`, perms, value));
  return [
    rm(s, paths.record),
    write(s, `${paths.record}/frontend`, paths.front),
    write(s, `${paths.record}/backend`, paths.back),
    rm(s, paths.front),
    mkdir(s, paths.front),
    setPerms(s, paths.front, kind === 'console' ? readable : own),
    write(s, `${paths.front}/backend`, paths.back),
    ...addFront(front, own),
    ...addFront(readonlyFront, readable),
    rm(s, paths.back),
    mkdir(s, paths.back),
    setPerms(s, paths.back, readable),
    write(s, `${paths.back}/frontend`, paths.front),
    ...add(paths.back, back),
    ...add(paths.record, back),
  ];
}

function diskDevice(domid: number, devid: number, disk: DiskSpec): Device {
  const type = disk.cdrom ? 'cdrom' : 'disk';
  return {
    kind: 'vbd',
    domid,
    devid,
    front: [
      ['backend-id', '0'],
      ['state', XenbusState.Initialising],
      ['virtual-device', String(devid)],
      ['device-type', type],
      ['trusted', flag(disk.trusted)],
      ['protocol', 'x86_64-abi'],
    ],
    readonlyFront: [],
    back: [
      ['params', disk.path],
      ['script', disk.script],
      ['frontend-id', String(domid)],
      ['online', '1'],
      ['removable', flag(disk.removable)],
      ['bootable', '1'],
      ['state', XenbusState.Initialising],
      ['dev', disk.vdev],
      ['type', 'phy'],
      ['mode', disk.writable ? 'w' : 'r'],
      ['device-type', type],
      ...given('direct-io-safe', disk.directIoSafe ? '1' : ''),
      ['discard-enable', flag(disk.discard)],
      ['specification', 'xen'],
    ],
    script: disk.script,
    dev: disk.vdev,
    params: disk.path,
  };
}

function nicDevice(domid: number, nic: NicSpec): Device {
  return {
    kind: 'vif',
    domid,
    devid: nic.devid,
    front: [
      ['backend-id', '0'],
      ['state', XenbusState.Initialising],
      ['handle', String(nic.devid)],
      ['mac', nic.mac],
      ['trusted', flag(nic.trusted)],
    ],
    readonlyFront: [['mtu', String(nic.mtu)]],
    back: [
      ['frontend-id', String(domid)],
      ['online', '1'],
      ['state', XenbusState.Initialising],
      ['script', nic.script],
      ...given('vifname', nic.ifname),
      ['mac', nic.mac],
      ...given('ip', nic.ip),
      ...given('rate', nic.rate),
      ['bridge', nic.bridge],
      ['handle', String(nic.devid)],
      ['type', 'vif'],
      ['hotplug-status', ''],
    ],
    script: nic.script,
    dev: nic.ifname || `vif${domid}.${nic.devid}`,
    params: nic.bridge,
  };
}

const flag = (on: boolean): string => (on ? '1' : '0');
const given = (key: string, value: string): Entries => (value === '' ? [] : [[key, value]]);
