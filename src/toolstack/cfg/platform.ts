// What a domain boots and what machine it finds, of any type (docs/man/xl.cfg.5.pod.in).
import { strtoul, tokens, uint32 } from './c-text.ts';
import { quote } from './lex.ts';
import type { Reading } from './reading.ts';
import { leadingStrings } from './settings.ts';
import { altp2mModes, type BuildInfo, type CreateInfo, named, timerModes, tscModes } from './types.ts';

/** Where `firmware="pvgrub64"` is looked for: XENFIRMWAREDIR of Xen's default build. */
const FIRMWARE_DIR = '/usr/lib/xen/boot';

export function readPlatform(reading: Reading, type: CreateInfo['type'], b_info: BuildInfo): void {
  b_info.shadow_memkb = reading.kb('shadow_memory');
  b_info.disable_migrate = reading.flag('nomigrate');
  b_info.tsc_mode = readMode(reading, 'tsc_mode', tscModes, 0);
  b_info.rtc_timeoffset = reading.uint32('rtc_timeoffset');
  if (reading.long('vncviewer') !== undefined) reading.warn('vncviewer', 'vncviewer has no effect: use xl create -V');
  b_info.localtime = reading.flag('localtime');
  b_info.video_memkb = reading.kb('videoram');
  b_info.event_channels = reading.uint32('max_event_channels');
  b_info.kernel = reading.text('kernel');
  b_info.ramdisk = reading.text('ramdisk');
  b_info.device_tree = reading.text('device_tree');
  b_info.cmdline = readCmdline(reading);
  b_info.acpi = reading.flag('acpi');
  b_info.bootloader = reading.text('bootloader');
  b_info.bootloader_args = readBootloaderArgs(reading);
  if (type === 'pv' && reading.settings.find('timer_mode')?.value.type === 'string')
    reading.fail('timer_mode', 'a PV domain has no timer_mode: leave it out', 3);
  b_info.timer_mode = readMode(reading, 'timer_mode', timerModes, -1);
  b_info.nested_hvm = reading.flag('nestedhvm');
  if (type !== 'hvm') readPvFirmware(reading, b_info);
}

/** Ports, interrupts and memory of the host that the domain may use, and two modes that xl reads before them. */
export function readPorts(reading: Reading, b_info: BuildInfo): void {
  const altp2m = reading.quietLong('altp2m');
  if (altp2m !== undefined) {
    b_info.altp2m = altp2mModes[Number(BigInt.asIntN(32, altp2m))];
    if (altp2m < 0n || altp2m > 3n) reading.fail('altp2m', `altp2m is from 0 to 3 or a name, not ${altp2m}`);
  } else {
    const name = reading.text('altp2m');
    if (name !== undefined) {
      b_info.altp2m = named(altp2mModes, name);
      if (b_info.altp2m === undefined) reading.fail('altp2m', `altp2m is one of ${altp2mModes.join(', ')}, not ${quote(name)}`);
    }
  }
  const vmtrace = reading.quietLong('vmtrace_buf_kb');
  if (vmtrace !== undefined) b_info.vmtrace_buf_kb = Number(BigInt.asIntN(32, vmtrace));

  b_info.ioports = readStrings(reading, 'ioports').map((spec) => {
    const first = strtoul(spec, 16);
    const bad = (why: string) => reading.fail('ioports', `${quote(spec)} in ioports ${why}: write 2f8 or 2f8-2ff`);
    if (first.end === 0) bad('is no hexadecimal number');
    let last = first;
    if (first.end > 0 && spec[first.end] === '-') {
      last = strtoul(spec, 16, first.end + 1);
      if (last.end === first.end + 1 || last.end !== spec.length) bad('is no range of hexadecimal numbers');
    } else if (first.end > 0 && first.end !== spec.length)
      reading.warn('ioports', `what follows the number in ${quote(spec)} in ioports is ignored`);
    if (first.value >= 0xffffffffn || last.value >= 0xffffffffn) bad('is beyond 32 bits');
    return { first: uint32(first.value), number: uint32(last.value - first.value + 1n) };
  });
  b_info.irqs = readStrings(reading, 'irqs').map((spec) => {
    const irq = strtoul(spec, 10);
    if (irq.end === 0 || irq.end !== spec.length) reading.fail('irqs', `${quote(spec)} in irqs is no number`);
    if (irq.value >= 0xffffffffn) reading.fail('irqs', `the number ${quote(spec)} in irqs is beyond 32 bits`);
    return uint32(irq.value);
  });
  b_info.iomem = readStrings(reading, 'iomem').map((spec) => {
    const start = strtoul(spec, 16);
    const number = strtoul(spec, 16, start.end + 1);
    let { end } = number;
    let ok = start.end > 0 && spec[start.end] === ',' && end !== start.end + 1;
    let gfn: bigint | undefined;
    if (ok && spec[end] === '@') {
      const at = strtoul(spec, 16, end + 1);
      ok = at.end !== end + 1;
      gfn = at.value;
      end = at.end;
    }
    if (!ok || end !== spec.length)
      reading.fail('iomem', `${quote(spec)} in iomem is not START,COUNT[@GFN] in hexadecimal pages`);
    return { start: start.value, number: number.value, gfn };
  });
}

/** The strings of a list in which nothing else may be. */
function readStrings(reading: Reading, key: string): readonly string[] {
  const list = reading.list(key) ?? [];
  const strings = leadingStrings(list);
  if (strings.length < list.length) reading.fail(key, `entry ${strings.length + 1} of ${key} is a list where a string is needed`);
  return strings;
}

/** A mode by its name, or, as xm had it, by its number; `first` is the number of the first name. */
function readMode<const N extends readonly string[]>(
  reading: Reading,
  key: string,
  names: N,
  first: number,
): N[number] | undefined {
  const number = reading.quietLong(key);
  if (number !== undefined) {
    const name = number >= 0n && number < BigInt(names.length + first) ? names[Number(number) - first] : undefined;
    if (name === undefined) reading.fail(key, `${key} is one of ${names.join(', ')}, not ${number}`);
    else reading.warn(key, `a number for ${key} is deprecated: write ${key}="${name}"`);
    return name;
  }
  const word = reading.text(key);
  if (word === undefined) return undefined;
  const name = named(names, word);
  if (name === undefined) reading.fail(key, `${key} is one of ${names.join(', ')}, not ${quote(word)}`);
  return name;
}

function readCmdline(reading: Reading): string | undefined {
  const cmdline = reading.text('cmdline');
  const root = reading.text('root');
  const extra = reading.text('extra');
  if (cmdline !== undefined) {
    if (root !== undefined || extra !== undefined)
      reading.warn('cmdline', 'root and extra are ignored, for cmdline says it all: keep either');
    return cmdline;
  }
  if (root === undefined) return extra;
  return extra === undefined ? `root=${root}` : `root=${root} ${extra}`;
}

function readBootloaderArgs(reading: Reading): readonly string[] | undefined {
  const setting = reading.settings.find('bootloader_args');
  if (setting === undefined) return undefined;
  if (setting.value.type === 'list') return leadingStrings(setting.value.values);
  reading.warn('bootloader_args', 'bootloader_args as one string is deprecated: write a list of arguments');
  const args = tokens(setting.value.text, ' \t\n');
  if (args.length === 0) reading.fail('bootloader_args', 'an empty string for bootloader_args makes xl crash: leave it out', -11);
  return args;
}

/** A domain without firmware of its own needs a kernel or somebody to find one; `firmware` can name a PV grub. */
function readPvFirmware(reading: Reading, b_info: BuildInfo): void {
  const firmware = reading.text('firmware');
  if (firmware !== undefined) {
    if (b_info.kernel !== undefined) reading.fail('firmware', 'kernel and firmware exclude each other: leave one out');
    if (!firmware.startsWith('pvgrub32') && !firmware.startsWith('pvgrub64'))
      reading.fail('firmware', `the firmware of a PV or PVH domain is pvgrub32 or pvgrub64, not ${quote(firmware)}`);
    b_info.kernel = `${FIRMWARE_DIR}/${firmware}.bin`;
  }
  if (b_info.kernel === undefined && b_info.bootloader === undefined)
    reading.fail('kernel', 'there is nothing to boot: add kernel = "PATH" or bootloader = "pygrub"');
}
