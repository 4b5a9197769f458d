// The lists of less common devices: p9, vtpm, vdispl, pvcalls, channel, vkb, vfb, usbctrl, usbdev (parse_config_data in xl_parse.c).
import { atoi, option, pair, skipSpaces, strtoul, tokens, trim, uint32 } from './c-text.ts';
import { quote } from './lex.ts';
import type { Reading } from './reading.ts';
import {
  type DeviceChannel,
  type DeviceP9,
  type DevicePvcallsif,
  type DeviceUsbctrl,
  type DeviceUsbdev,
  type DeviceVdispl,
  type DeviceVfb,
  type DeviceVkb,
  type DeviceVtpm,
  named,
  usbctrlTypes,
  vkbBackends,
} from './types.ts';
import { parseUuid } from './uuid.ts';

/** Exit statuses of an xl that was killed: by the C library for a wild pointer, and by a fault. */
const ABORTED = -6;
const FAULTED = -11;

/** `p9 = ["tag=share,security_model=none,path=/srv,backend=..."]`. What one entry leaves out it has from the one before; none has a devid. */
export function readP9s(reading: Reading): DeviceP9[] {
  const held: { tag?: string; path?: string; security_model?: string; backend?: string } = {};
  return reading.strings('p9').map((spec) => {
    for (const { key, value } of settings(spec)) {
      if (key === 'tag' || key === 'path' || key === 'security_model' || key === 'backend') held[key] = value;
      else reading.fail('p9', `there is no ${quote(key)} in a 9pfs device: it has tag, path, security_model and backend`);
    }
    const { tag, path, security_model, backend } = held;
    if (!(tag !== undefined && path !== undefined && security_model !== undefined))
      reading.fail('p9', `the 9pfs device ${quote(spec)} needs tag, path and security_model`);
    return { backend_domname: backend, tag, path, security_model };
  });
}

export function readVtpms(reading: Reading): DeviceVtpm[] {
  return reading.strings('vtpm').map((spec, devid) => {
    const vtpm: DeviceVtpm = { devid };
    for (const { key, value } of settings(spec)) {
      if (key === 'backend') vtpm.backend_domname = value;
      else if (key === 'uuid') {
        vtpm.uuid = parseUuid(value);
        if (vtpm.uuid === undefined)
          reading.fail('vtpm', `${quote(value)} is no UUID: write 32 hexadecimal digits in groups of 8-4-4-4-12`);
      } else reading.fail('vtpm', `there is no ${quote(key)} in a vtpm: it has backend and uuid`);
    }
    if (vtpm.backend_domname === undefined) reading.fail('vtpm', `the vtpm ${quote(spec)} needs backend=DOMAIN`);
    return vtpm;
  });
}

export function readPvcallsifs(reading: Reading): DevicePvcallsif[] {
  return reading.strings('pvcalls').map((spec, devid) => {
    const pvcallsif: DevicePvcallsif = { devid };
    for (const { key, value } of settings(spec)) {
      if (key === 'backend') pvcallsif.backend_domname = value;
      else reading.fail('pvcalls', `there is no ${quote(key)} in a pvcalls device: it has backend`);
    }
    return pvcallsif;
  });
}

/** `vdispl = ["connectors=id0:1920x1080;id1:800x600,be-alloc=1,backend=..."]`. */
export function readVdispls(reading: Reading): DeviceVdispl[] {
  return reading.strings('vdispl').map((spec, devid) => {
    const vdispl: DeviceVdispl = { devid };
    for (const word of words(spec)) {
      const backend = option(word, 'backend');
      const beAlloc = option(word, 'be-alloc');
      const connectors = option(word, 'connectors');
      if (backend !== undefined) vdispl.backend_domname = backend;
      else if (beAlloc !== undefined) vdispl.be_alloc = strtoul(beAlloc, 0).value !== 0n;
      else if (connectors !== undefined) vdispl.connectors = readConnectors(reading, connectors);
      else reading.fail('vdispl', `there is no ${quote(word)} in a vdispl: it has backend, be-alloc and connectors`);
    }
    if (vdispl.connectors === undefined) reading.fail('vdispl', `the vdispl ${quote(spec)} needs connectors=ID:WIDTHxHEIGHT`);
    return vdispl;
  });
}

function readConnectors(reading: Reading, value: string): NonNullable<DeviceVdispl['connectors']> {
  const connectors = tokens(value, ';');
  if (connectors.length === 0)
    reading.fail('vdispl', 'connectors without any connector makes xl crash: write ID:WIDTHxHEIGHT', FAULTED);
  return connectors.map((connector) => {
    const split = pair(connector, ':');
    if (split === undefined)
      reading.fail(
        'vdispl',
        `the connector ${quote(connector)} without a resolution makes xl abort: write ID:WIDTHxHEIGHT`,
        ABORTED,
      );
    const [unique_id, resolution] = split ?? [connector, ''];
    const width = strtoul(resolution, 10);
    const height = strtoul(resolution, 10, width.end + 1);
    if (width.end === 0 || resolution[width.end] !== 'x' || height.end === width.end + 1)
      reading.fail('vdispl', `${quote(resolution)} is no resolution: write WIDTHxHEIGHT`);
    return { unique_id, width: uint32(width.value), height: uint32(height.value) };
  });
}

/** `channel = ["connection=socket,name=org.guest.1,path=/run/c1"]`. */
export function readChannels(reading: Reading): DeviceChannel[] {
  return reading.strings('channel').map((spec, devid) => {
    const channel: DeviceChannel = { devid };
    let path: string | undefined;
    let connection: string | undefined;
    const parts = tokens(spec, ',');
    if (parts.length === 0) reading.fail('channel', 'an empty channel makes xl crash: write connection=pty', FAULTED);
    for (const part of parts) {
      const split = pair(part, '=');
      if (split === undefined) reading.fail('channel', `${quote(part)} in a channel is not key=value`);
      const [key, value] = (split ?? ['', '']).map(trim) as [string, string];
      if (key === 'backend') channel.backend_domname = value;
      else if (key === 'name') channel.name = value;
      else if (key === 'path') path = value;
      else if (key === 'connection') {
        connection = value;
        if (value !== 'pty' && value !== 'socket')
          reading.fail('channel', `the connection of a channel is pty or socket, not ${quote(value)}`);
      } else reading.warn('channel', `there is no ${quote(key)} in a channel: it is ignored`);
    }
    if (connection === undefined) reading.fail('channel', `the channel ${quote(spec)} needs connection=pty or connection=socket`);
    if (connection === 'pty') channel['connection.pty'] = {};
    if (connection === 'socket') {
      if (path === undefined) reading.fail('channel', `the channel ${quote(spec)} needs path=, for it is a socket`);
      channel['connection.socket'] = { path };
    }
    return channel;
  });
}

/** `vkb = ["backend-type=linux,width=800,..."]`; the first devid is `first`, since each vfb has brought a keyboard. */
export function readVkbs(reading: Reading, first: number): DeviceVkb[] {
  return reading.strings('vkb').map((spec, i) => {
    const vkb: DeviceVkb = { devid: first + i };
    for (const word of words(spec)) {
      const equals = word.indexOf('=');
      const [key, value] = equals < 0 ? [word, undefined] : [word.slice(0, equals), word.slice(equals + 1)];
      const number = strtoul(value ?? '', 0).value;
      const flag = vkbFlags[key];
      const size = vkbSizes[key];
      if (value === undefined) reading.fail('vkb', `there is no ${quote(word)} in a vkb: write key=value`);
      else if (key === 'backend') vkb.backend_domname = value;
      else if (key === 'unique-id') vkb.unique_id = value;
      else if (key === 'backend-type') {
        vkb.backend_type = named(vkbBackends, value);
        if (vkb.backend_type === undefined)
          reading.fail('vkb', `the backend-type of a vkb is qemu or linux, not ${quote(value)}`);
      } else if (flag !== undefined) vkb[flag] = number !== 0n;
      else if (size !== undefined) vkb[size] = uint32(number);
      else reading.fail('vkb', `there is no ${quote(key)} in a vkb`);
    }
    if ((vkb.backend_type ?? 'unknown') === 'unknown')
      reading.fail('vkb', `the vkb ${quote(spec)} needs backend-type=qemu or backend-type=linux`);
    const sized = Boolean(vkb.multi_touch_height || vkb.multi_touch_width || vkb.multi_touch_num_contacts);
    if (sized) vkb.feature_multi_touch = true;
    else if (vkb.feature_multi_touch)
      reading.fail('vkb', 'multi touch needs multi-touch-width, multi-touch-height or multi-touch-num-contacts');
    return vkb;
  });
}

type VkbFlag =
  | 'feature_disable_keyboard'
  | 'feature_disable_pointer'
  | 'feature_abs_pointer'
  | 'feature_raw_pointer'
  | 'feature_multi_touch';
type VkbSize = 'width' | 'height' | 'multi_touch_width' | 'multi_touch_height' | 'multi_touch_num_contacts';
/** By the key in xen/include/public/io/kbdif.h. */
const vkbFlags = byKey<VkbFlag>([
  'feature_disable_keyboard',
  'feature_disable_pointer',
  'feature_abs_pointer',
  'feature_raw_pointer',
  'feature_multi_touch',
]);
const vkbSizes = byKey<VkbSize>(['width', 'height', 'multi_touch_width', 'multi_touch_height', 'multi_touch_num_contacts']);

function byKey<F extends string>(fields: readonly F[]): Readonly<Record<string, F | undefined>> {
  return Object.assign(Object.create(null), Object.fromEntries(fields.map((field) => [field.replaceAll('_', '-'), field])));
}

/** `vfb = ["vnc=1,vnclisten=0.0.0.0,keymap=de"]`. A key that is none of these is passed over. */
export function readVfbs(reading: Reading): DeviceVfb[] {
  return reading.strings('vfb').map((spec, devid) => {
    const vnc: NonNullable<DeviceVfb['vnc']> = {};
    const sdl: NonNullable<DeviceVfb['sdl']> = {};
    const vfb: DeviceVfb = { devid, vnc, sdl };
    for (const { key, value } of settings(spec)) {
      if (key === 'vnc') vnc.enable = atoi(value) !== 0;
      else if (key === 'vnclisten') vnc.listen = value;
      else if (key === 'vncpasswd') vnc.passwd = value;
      else if (key === 'vncdisplay') vnc.display = atoi(value);
      else if (key === 'vncunused') vnc.findunused = atoi(value) !== 0;
      else if (key === 'keymap') vfb.keymap = value;
      else if (key === 'sdl') sdl.enable = atoi(value) !== 0;
      else if (key === 'opengl') sdl.opengl = atoi(value) !== 0;
      else if (key === 'display') sdl.display = value;
      else if (key === 'xauthority') sdl.xauthority = value;
    }
    return vfb;
  });
}

export function readUsbctrls(reading: Reading): DeviceUsbctrl[] {
  return reading.strings('usbctrl').map((spec, devid) => {
    const usbctrl: DeviceUsbctrl = { devid };
    for (const word of words(spec)) {
      const type = option(word, 'type');
      const version = option(word, 'version');
      const ports = option(word, 'ports');
      if (type !== undefined) {
        usbctrl.type = named(usbctrlTypes, type);
        if (usbctrl.type === undefined)
          reading.fail('usbctrl', `the type of a USB controller is auto, pv, devicemodel or qusb, not ${quote(type)}`);
      } else if (version !== undefined) usbctrl.version = atoi(version);
      else if (ports !== undefined) usbctrl.ports = atoi(ports);
      else reading.fail('usbctrl', `there is no ${quote(word)} in a USB controller: it has type, version and ports`);
    }
    return usbctrl;
  });
}

export function readUsbdevs(reading: Reading): DeviceUsbdev[] {
  return reading.strings('usbdev').map((spec) => {
    const usbdev: DeviceUsbdev = {};
    const address: NonNullable<DeviceUsbdev['type.hostdev']> = {};
    for (const word of words(spec)) {
      const equals = word.indexOf('=');
      const [key, value] = equals < 0 ? ['', ''] : [word.slice(0, equals), word.slice(equals + 1)];
      if (key === 'type') {
        // Without a type libxl's union is empty, and the address counts for nothing.
        if (value.toLowerCase() === 'hostdev') usbdev['type.hostdev'] = address;
        else reading.fail('usbdev', `the type of a USB device is hostdev, not ${quote(value)}`);
      } else if (key === 'hostbus' || key === 'hostaddr') address[key] = uint32(strtoul(value, 0).value) & 0xff;
      else if (key === 'controller') usbdev.ctrl = atoi(value);
      else if (key === 'port') usbdev.port = atoi(value);
      else
        reading.fail('usbdev', `there is no ${quote(word)} in a USB device: it has type, hostbus, hostaddr, controller and port`);
    }
    return usbdev;
  });
}

const words = (spec: string): string[] => tokens(spec, ',').map(skipSpaces);

/** The `key=value` words up to the first word without a `=`, where xl stops. */
function settings(spec: string): { key: string; value: string }[] {
  const all = words(spec);
  const end = all.findIndex((word) => !word.includes('='));
  return all.slice(0, end < 0 ? undefined : end).map((word) => {
    const equals = word.indexOf('=');
    return { key: word.slice(0, equals), value: word.slice(equals + 1) };
  });
}
