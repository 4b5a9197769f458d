// From the settings of a file to the configuration of a domain (parse_config_data in tools/xl/xl_parse.c, Xen 4.17).
import { readCpuid } from './cpuid.ts';
import { readDeviceModel } from './device-model.ts';
import {
  readChannels,
  readP9s,
  readPvcallsifs,
  readUsbctrls,
  readUsbdevs,
  readVdispls,
  readVfbs,
  readVkbs,
  readVtpms,
} from './devices.ts';
import type { Diagnostic } from './diagnostic.ts';
import { parseDisk } from './disk.ts';
import type { Json } from './field.ts';
import { readGraphics, readHvm, readRdm, readSdl, readVnc } from './hvm.ts';
import { knownKeys } from './keys.ts';
import { quote } from './lex.ts';
import { parsePci } from './pci.ts';
import { readPlatform, readPorts } from './platform.ts';
import { Reading } from './reading.ts';
import { readResources } from './resources.ts';
import type { Settings } from './settings.ts';
import { type Surroundings, TWO_CPUS } from './surroundings.ts';
import {
  type ActionOnShutdown,
  actions,
  type CreateInfo,
  type DeviceDisk,
  type DeviceNic,
  type DevicePci,
  type DomainConfig,
  domainConfigFields,
  gicVersions,
  type HvmInfo,
  named,
  passthroughs,
  teeTypes,
} from './types.ts';
import { NIL_UUID, parseUuid } from './uuid.ts';
import { parseVif } from './vif.ts';
import { readVsnds } from './vsnd.ts';

export type ReadDomainConfig =
  /** `draw` names what the file leaves to chance: the toolstack draws it before it creates the domain. */
  | {
      readonly ok: true;
      readonly config: DomainConfig;
      readonly warnings: readonly Diagnostic[];
      readonly draw: readonly ('uuid' | 'ms_vm_genid')[];
    }
  /** `rc` is xl's exit status: 1, 3 (ERROR_FAIL) or 6 (ERROR_INVAL), and below 0 the signal that kills xl itself. */
  | { readonly ok: false; readonly rc: number; readonly errors: readonly Diagnostic[]; readonly warnings: readonly Diagnostic[] };

/**
 * Reads a domain's configuration, with xl's defaults and none of libxl's. Memory is in KiB; what is undefined is libxl's to
 * decide. A key that xl does not know is ignored, with a warning of our own.
 */
export function domainConfig(settings: Settings, surroundings: Surroundings = TWO_CPUS): ReadDomainConfig {
  const reading = new Reading(settings);
  const config = readConfig(reading, surroundings);
  const { failure, warnings } = reading;
  if (failure !== undefined) return { ok: false, rc: failure.rc, errors: [failure.error], warnings };
  const draw: ('uuid' | 'ms_vm_genid')[] = [];
  if (!settings.getString('uuid').ok) draw.push('uuid');
  const genid = settings.getString('ms_vm_genid');
  if (config.c_info.type === 'hvm' && genid.ok && genid.value === 'generate') draw.push('ms_vm_genid');
  return { ok: true, config, warnings: [...warnings, ...unknownKeys(settings)], draw };
}

/** The configuration as `xl create -n` prints it, see formatJson: what is undefined or default is left out. */
export const domainConfigJson = (config: DomainConfig): Json => domainConfigFields.json(config);

function readConfig(reading: Reading, surroundings: Surroundings): DomainConfig {
  const c_info = readCreateInfo(reading, surroundings);
  const b_info = readResources(reading, surroundings);
  const hvm: HvmInfo = {};
  if (c_info.type === 'hvm') b_info['type.hvm'] = hvm;
  else if (c_info.type === 'pv') b_info['type.pv'] = {};
  else b_info['type.pvh'] = readPvh(reading);

  const config: DomainConfig = {
    c_info,
    b_info,
    on_poweroff: readAction(reading, 'on_poweroff', 'destroy'),
    on_reboot: readAction(reading, 'on_reboot', 'restart'),
    on_watchdog: readAction(reading, 'on_watchdog', 'destroy'),
    on_crash: readAction(reading, 'on_crash', 'destroy'),
    on_soft_reset: readAction(reading, 'on_soft_reset', 'soft_reset'),
  };
  const pv = b_info['type.pv'];
  if (pv) pv.e820_host = reading.flag('e820_host');
  readRdm(reading, hvm);
  config.pcidevs = readPcis(reading, c_info.type === 'hvm' ? undefined : 'strict');
  if (pv && config.pcidevs.length > 0) pv.e820_host = true;
  config.dtdevs = reading.strings('dtdev').map((path) => ({ path }));

  const passthrough = reading.text('passthrough');
  if (passthrough !== undefined) {
    c_info.passthrough = named(passthroughs, passthrough);
    if (c_info.passthrough === undefined)
      reading.fail('passthrough', `passthrough is one of ${passthroughs.join(', ')}, not ${quote(passthrough)}`);
  }
  readPlatform(reading, c_info.type, b_info);
  c_info.driver_domain = reading.flag('driver_domain');
  if (c_info.type === 'hvm') readHvm(reading, b_info, hvm);
  readPorts(reading, b_info);

  config.disks = readDisks(reading);
  config.p9s = readP9s(reading);
  config.vtpms = readVtpms(reading);
  config.vdispls = readVdispls(reading);
  config.pvcallsifs = readPvcallsifs(reading);
  config.vsnds = readVsnds(reading);
  config.channels = readChannels(reading);
  config.nics = readNics(reading, surroundings);
  if (reading.list('vif2') !== undefined) reading.warn('vif2', 'vif2 is for netchannel2, which is not supported: use vif');
  config.vfbs = readVfbs(reading);
  config.usbctrls = readUsbctrls(reading);
  config.usbdevs = readUsbdevs(reading);
  b_info.cpuid = readCpuid(reading);
  readDeviceModel(reading, c_info.type, b_info);

  // For a PV domain the top-level `vnc` stands for a vfb, unless there are vfbs.
  if (c_info.type !== 'pv') {
    hvm.vnc = readVnc(reading);
    hvm.sdl = readSdl(reading);
  } else if (config.vfbs.length === 0 && (reading.long('vnc') ?? 0n) !== 0n)
    config.vfbs = [{ devid: 0, vnc: readVnc(reading), sdl: readSdl(reading), keymap: reading.text('keymap') }];
  b_info.dm_restrict = reading.flag('dm_restrict');
  if (c_info.type === 'hvm') readGraphics(reading, hvm);

  const gic = reading.settings.getString('gic_version');
  if (gic.ok) {
    b_info.arch_arm = { ...b_info.arch_arm, gic_version: named(gicVersions, gic.value) };
    if (b_info.arch_arm.gic_version === undefined)
      reading.fail('gic_version', `gic_version is default, v2 or v3, not ${quote(gic.value)}`, 3);
  }
  const tee = reading.settings.getString('tee');
  if (tee.ok) {
    b_info.tee = named(teeTypes, tee.value);
    if (b_info.tee === undefined) reading.fail('tee', `tee is none or optee, not ${quote(tee.value)}`, 3);
  }
  // Every vfb brings a keyboard.
  config.vkbs = [...config.vfbs.map((_, devid) => ({ devid })), ...readVkbs(reading, config.vfbs.length)];
  c_info.xend_suspend_evtchn_compat = reading.flag('xend_suspend_evtchn_compat');
  const msr_relaxed = reading.flag('msr_relaxed');
  if (msr_relaxed !== undefined)
    reading.warn('msr_relaxed', 'msr_relaxed will go away in a later Xen: tell xen-devel what needs it');
  b_info.arch_x86 = { msr_relaxed };
  b_info.vpmu = reading.flag('vpmu');
  return config;
}

function readCreateInfo(reading: Reading, surroundings: Surroundings): CreateInfo {
  const c_info: CreateInfo = { run_hotplug_scripts: surroundings.run_hotplug_scripts, type: readType(reading) };
  const init = reading.text('init_seclabel');
  const seclabel = reading.text('seclabel');
  c_info.ssid_label = init ?? seclabel;
  c_info.hap = reading.flag('hap');
  c_info.name = reading.text('name');
  if (c_info.name === undefined) reading.fail('name', 'a domain needs a name: add name = "..."');
  const uuid = reading.text('uuid');
  if (uuid !== undefined) {
    c_info.uuid = parseUuid(uuid);
    if (c_info.uuid === undefined)
      reading.fail('uuid', `${quote(uuid)} is no UUID: write 32 hexadecimal digits in groups of 8-4-4-4-12`);
    else if (c_info.uuid === NIL_UUID) c_info.uuid = undefined;
  }
  c_info.oos = reading.flag('oos');
  c_info.pool_name = reading.text('pool');
  return c_info;
}

/** `type`, or xm's `builder`. Any beginning of a type's name will do, in the order hvm, pv, pvh. */
function readType(reading: Reading): 'hvm' | 'pv' | 'pvh' {
  const type = reading.text('type');
  const found = (['hvm', 'pv', 'pvh'] as const).find((name) => type !== undefined && name.startsWith(type));
  if (type !== undefined && found === undefined)
    reading.fail('type', `the type of a domain is pv, pvh or hvm, not ${quote(type)}`);
  const builder = reading.text('builder');
  if (builder === undefined) return found ?? 'pv';
  const built = 'hvm'.startsWith(builder) ? 'hvm' : 'generic'.startsWith(builder) ? 'pv' : undefined;
  if (built === undefined) reading.fail('builder', `builder is hvm or generic, not ${quote(builder)}: use type instead`);
  else if (found !== undefined && found !== built)
    reading.fail('builder', `builder ${quote(builder)} contradicts type ${quote(found)}: leave builder out`);
  return built ?? 'pv';
}

function readPvh(reading: Reading) {
  return {
    pvshim: reading.flag('pvshim'),
    pvshim_path: reading.text('pvshim_path'),
    pvshim_cmdline: reading.text('pvshim_cmdline'),
    pvshim_extra: reading.text('pvshim_extra'),
  };
}

/** xl writes the actions with `-`, libxl with `_` and with rename at the end. */
const actionWords: ReadonlyMap<string, ActionOnShutdown> = new Map(
  actions.map((action) => [action === 'restart_rename' ? 'rename-restart' : action.replace('_', '-'), action]),
);

function readAction(reading: Reading, key: string, otherwise: ActionOnShutdown): ActionOnShutdown {
  const word = reading.text(key);
  if (word === undefined) return otherwise;
  const action = actionWords.get(word);
  if (action === undefined) reading.fail(key, `${key} is one of ${[...actionWords.keys()].join(', ')}, not ${quote(word)}`);
  return action ?? otherwise;
}

/** `policy` is what a device has that asks for none: in a domain that is not HVM, libxl's union holds zeros, and 0 is `strict`. */
function readPcis(reading: Reading, policy: DevicePci['rdm_policy']): DevicePci[] {
  const global = (key: string) => (reading.int(key) ?? 0) !== 0;
  const defaults = {
    msitranslate: global('pci_msitranslate'),
    power_mgmt: global('pci_power_mgmt'),
    permissive: global('pci_permissive'),
    seize: global('pci_seize'),
    rdm_policy: policy,
  };
  return reading.strings('pci').map((spec) => {
    const parsed = parsePci(spec, defaults);
    if (parsed.ok) return parsed.pci;
    reading.fail('pci', parsed.errors[0]!, parsed.rc);
    return {};
  });
}

function readDisks(reading: Reading): DeviceDisk[] {
  return reading.strings('disk').map((spec) => {
    const parsed = parseDisk(spec);
    if (parsed.ok) return parsed.disk;
    reading.fail('disk', parsed.errors[0]!, parsed.rc);
    return {};
  });
}

function readNics(reading: Reading, surroundings: Surroundings): DeviceNic[] {
  return reading.strings('vif').map((spec, devid) => {
    const parsed = parseVif(spec, { ...surroundings.vif, devid });
    if (!parsed.ok) {
      reading.fail('vif', parsed.errors[0]!, parsed.rc);
      return {};
    }
    for (const message of [...parsed.warnings, ...parsed.refused]) reading.warn('vif', message);
    return parsed.nic;
  });
}

function unknownKeys({ file, all }: Settings): Diagnostic[] {
  const unknown = all.filter(({ name }) => !knownKeys.has(name));
  return unknown.map(({ name, line }) => ({
    file,
    line,
    message: `xl knows no '${name}': it is ignored; look for a typing mistake`,
  }));
}
