// What only an HVM domain has: firmware, emulated devices, graphics (docs/man/xl.cfg.5.pod.in).
import { quote } from './lex.ts';
import type { Reading } from './reading.ts';
import { leadingStrings } from './settings.ts';
import {
  type BuildInfo,
  biosTypes,
  gfxPassthruKinds,
  type HvmInfo,
  hdTypes,
  named,
  type SdlInfo,
  type VncInfo,
  vendorDevices,
  type vgaTypes,
  viridianEnlightenments,
} from './types.ts';

/** Below 4 GiB, memory of devices may take from 256 MiB to 3840 MiB (xen/include/public/hvm/e820.h). */
const MMIO_HOLE_BYTES = { min: 0x1000_0000n, max: 0xf000_0000n };

export function readHvm(reading: Reading, b_info: BuildInfo, hvm: HvmInfo): void {
  const { kernel } = b_info;
  if (kernel !== undefined && kernel.slice(kernel.lastIndexOf('/') + 1) === 'hvmloader') {
    reading.warn('kernel', 'kernel is not for hvmloader and is ignored: use firmware_override for another firmware');
    b_info.kernel = undefined;
  }
  hvm.firmware = reading.text('firmware_override');
  hvm.system_firmware = reading.text('bios_path_override');
  const bios = reading.text('bios');
  if (bios !== undefined) hvm.bios = oneOf(reading, 'bios', biosTypes, bios);
  else if (hvm.system_firmware !== undefined)
    reading.warn('bios_path_override', 'bios_path_override without bios: say which bios it is');
  hvm.pae = reading.flag('pae');
  hvm.acpi_s3 = reading.flag('acpi_s3');
  hvm.acpi_s4 = reading.flag('acpi_s4');
  hvm.acpi_laptop_slate = reading.flag('acpi_laptop_slate');
  hvm.nx = reading.flag('nx');
  hvm.hpet = reading.flag('hpet');
  hvm.vpt_align = reading.flag('vpt_align');
  b_info.apic = reading.flag('apic');
  readViridian(reading, hvm);
  const hole = reading.kb('mmio_hole');
  if (hole !== undefined) {
    hvm.mmio_hole_memkb = hole;
    const size = BigInt.asUintN(64, hole * 1024n);
    if (size < MMIO_HOLE_BYTES.min || size > MMIO_HOLE_BYTES.max) reading.fail('mmio_hole', 'mmio_hole is from 256 to 3840 MiB');
  }
  hvm.altp2m = reading.flag('altp2mhvm');
  if (hvm.altp2m !== undefined) reading.warn('altp2mhvm', 'altp2mhvm is deprecated: write altp2m');
  hvm.smbios_firmware = reading.text('smbios_firmware');
  hvm.acpi_firmware = reading.text('acpi_firmware');
  const genid = reading.text('ms_vm_genid');
  if (genid !== undefined && genid !== 'generate' && genid !== 'none')
    reading.fail('ms_vm_genid', `ms_vm_genid is generate or none, not ${quote(genid)}`);
  hvm.rdm_mem_boundary_memkb = reading.kb('rdm_mem_boundary') ?? hvm.rdm_mem_boundary_memkb;
  readMcaCaps(reading, hvm);

  // Names of a BIOS, two words for kinds of them, or the path of a firmware.
  const firmware = reading.text('firmware');
  if (firmware === undefined) return;
  const name = named(biosTypes, firmware);
  if (name !== undefined) hvm.bios = name;
  else if ('uefi'.startsWith(firmware)) hvm.bios = 'ovmf';
  else if (!'bios'.startsWith(firmware)) hvm.firmware = firmware;
}

export function readGraphics(reading: Reading, hvm: HvmInfo): void {
  const vga = reading.text('vga');
  if (vga !== undefined) {
    const kinds: Readonly<Record<string, (typeof vgaTypes)[number]>> = {
      stdvga: 'std',
      cirrus: 'cirrus',
      none: 'none',
      qxl: 'qxl',
    };
    if (Object.hasOwn(kinds, vga)) hvm.vga = { kind: kinds[vga] };
    else reading.fail('vga', `vga is stdvga, cirrus, none or qxl, not ${quote(vga)}`);
  } else {
    const stdvga = reading.long('stdvga');
    if (stdvga !== undefined) hvm.vga = { kind: stdvga === 0n ? 'cirrus' : 'std' };
  }
  const hdtype = reading.text('hdtype');
  if (hdtype !== undefined) hvm.hdtype = oneOf(reading, 'hdtype', hdTypes, hdtype);
  hvm.keymap = reading.text('keymap');
  hvm.spice = {
    enable: reading.flag('spice'),
    port: reading.int('spiceport'),
    tls_port: reading.int('spicetls_port'),
    host: reading.text('spicehost'),
    disable_ticketing: reading.flag('spicedisable_ticketing'),
    passwd: reading.text('spicepasswd'),
    agent_mouse: reading.flag('spiceagent_mouse'),
    vdagent: reading.flag('spicevdagent'),
    clipboard_sharing: reading.flag('spice_clipboard_sharing'),
    usbredirection: reading.int('spiceusbredirection'),
    image_compression: reading.text('spice_image_compression'),
    streaming_video: reading.text('spice_streaming_video'),
  };
  hvm.nographic = reading.flag('nographic');
  const passthru = reading.quietLong('gfx_passthru');
  if (passthru !== undefined) hvm.gfx_passthru = passthru !== 0n;
  else {
    const kind = reading.text('gfx_passthru');
    if (kind !== undefined) {
      hvm.gfx_passthru_kind = oneOf(reading, 'gfx_passthru', gfxPassthruKinds, kind);
      hvm.gfx_passthru = true;
    }
  }
  ({ one: hvm.serial, list: hvm.serial_list } = readOneOrList(reading, 'serial'));
  hvm.boot = reading.text('boot');
  hvm.usb = reading.flag('usb');
  hvm.usbversion = reading.int('usbversion');
  ({ one: hvm.usbdevice, list: hvm.usbdevice_list } = readOneOrList(reading, 'usbdevice'));
  hvm.vkb_device = reading.flag('vkb_device');
  hvm.soundhw = reading.text('soundhw');
  hvm.xen_platform_pci = reading.flag('xen_platform_pci');
  if (hvm.vnc?.listen?.includes(':') && hvm.vnc.display)
    reading.fail('vncdisplay', 'the display is both in vnclisten and in vncdisplay: keep either');
  const vendor = reading.text('vendor_device');
  if (vendor !== undefined) hvm.vendor_device = oneOf(reading, 'vendor_device', vendorDevices, vendor, 3);
}

export const readVnc = (reading: Reading): VncInfo => ({
  enable: reading.flag('vnc'),
  listen: reading.text('vnclisten'),
  passwd: reading.text('vncpasswd'),
  display: reading.int('vncdisplay'),
  findunused: reading.flag('vncunused'),
});

export const readSdl = (reading: Reading): SdlInfo => ({
  enable: reading.flag('sdl'),
  opengl: reading.flag('opengl'),
  display: reading.text('display'),
  xauthority: reading.text('xauthority'),
});

/**
 * `rdm = "strategy=host"`. xlu_rdm_parse takes a policy that it knows for a mistake (tools/libs/util/libxlu_pci.c), so that
 * nothing else has an effect. What the policy then is, xl leaves to chance; here it stays undefined.
 */
export function readRdm(reading: Reading, hvm: HvmInfo): void {
  const rdm = reading.text('rdm');
  if (rdm === 'strategy=host') hvm.rdm = { strategy: 'host' };
  else if (rdm !== undefined) reading.warn('rdm', `rdm ${quote(rdm)} has no effect: only "strategy=host" has`);
}

function readViridian(reading: Reading, hvm: HvmInfo): void {
  const setting = reading.settings.find('viridian');
  if (setting === undefined) return;
  if (setting.value.type === 'string') {
    const flag = reading.settings.getDefbool('viridian');
    if (flag.ok) hvm.viridian = flag.value;
    else
      reading.warn('viridian', `viridian is 0, 1 or a list of enlightenments, not ${quote(setting.value.text)}: it is ignored`);
    return;
  }
  const enable = new Set<number>();
  const disable = new Set<number>();
  const words = leadingStrings(setting.value.values);
  if (words.length < setting.value.values.length)
    reading.fail('viridian', 'a list within viridian makes xl crash: write names only', -11);
  for (const word of words) {
    if (word === 'all') for (let bit = 0; bit < 64; bit++) enable.add(bit);
    else if (word === 'defaults') hvm.viridian = true;
    else {
      const not = word.startsWith('!');
      const name = not ? word.slice(1) : word;
      const bit = viridianEnlightenments.indexOf(oneOf(reading, 'viridian', viridianEnlightenments, name, 3)!);
      (not ? disable : enable).add(bit);
      (not ? enable : disable).delete(bit);
    }
  }
  const ascending = (bits: Set<number>) => [...bits].sort((a, b) => a - b);
  hvm.viridian_enable = ascending(enable);
  hvm.viridian_disable = ascending(disable);
}

function readMcaCaps(reading: Reading, hvm: HvmInfo): undefined {
  const setting = reading.settings.find('mca_caps');
  if (setting === undefined) return;
  if (setting.value.type === 'string') return reading.fail('mca_caps', 'mca_caps is a list: put it in brackets', 3);
  for (const value of setting.value.values) {
    if (value.type === 'list') reading.fail('mca_caps', 'a list within mca_caps makes xl crash: write names only', -11);
    else if (value.text === 'lmce') hvm.mca_caps = 1n;
    else reading.fail('mca_caps', `the only capability in mca_caps is lmce, not ${quote(value.text)}`, 3);
  }
}

function readOneOrList(reading: Reading, key: string): { one: string | undefined; list: readonly string[] | undefined } {
  const value = reading.settings.find(key)?.value;
  return {
    one: value?.type === 'string' ? value.text : undefined,
    list: value?.type === 'list' ? leadingStrings(value.values) : undefined,
  };
}

function oneOf<const N extends readonly string[]>(
  reading: Reading,
  key: string,
  names: N,
  word: string,
  rc = 1,
): N[number] | undefined {
  const name = named(names, word);
  if (name === undefined) reading.fail(key, `${key} is one of ${names.join(', ')}, not ${quote(word)}`, rc);
  return name;
}
