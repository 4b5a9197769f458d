// The program that emulates devices, and the stub domain that it may run in (docs/man/xl.cfg.5.pod.in, "Device-Model Options").
import { quote } from './lex.ts';
import type { Reading } from './reading.ts';
import { leadingStrings } from './settings.ts';
import type { BuildInfo, CreateInfo } from './types.ts';

export function readDeviceModel(reading: Reading, type: CreateInfo['type'], b_info: BuildInfo): void {
  const old = reading.text('device_model');
  if (old !== undefined) {
    const stub = type === 'hvm' && old.includes('stubdom-dm') ? ', or device_model_stubdomain_override for a stub domain' : '';
    reading.warn('device_model', `device_model is ignored: use device_model_override${stub}`);
  }
  b_info.device_model = reading.text('device_model_override');
  const version = reading.text('device_model_version');
  if (version === 'qemu-xen') b_info.device_model_version = 'qemu_xen';
  else if (version === 'qemu-xen-traditional') b_info.device_model_version = 'qemu_xen_traditional';
  else if (version !== undefined)
    reading.fail('device_model_version', `device_model_version is qemu-xen or qemu-xen-traditional, not ${quote(version)}`);
  else if (b_info.device_model !== undefined)
    reading.warn('device_model_override', 'device_model_override without device_model_version: say which version it is');
  b_info.device_model_stubdomain = reading.flag('device_model_stubdomain_override');
  b_info.device_model_ssid_label = reading.text('device_model_stubdomain_seclabel');
  b_info.device_model_user = reading.text('device_model_user');
  b_info.stubdomain_kernel = reading.text('stubdomain_kernel');
  b_info.stubdomain_cmdline = reading.text('stubdomain_cmdline');
  b_info.stubdomain_ramdisk = reading.text('stubdomain_ramdisk');
  b_info.stubdomain_memkb = reading.kb('stubdomain_memory');
  b_info.extra = readArgs(reading, 'device_model_args');
  b_info.extra_pv = readArgs(reading, 'device_model_args_pv');
  b_info.extra_hvm = readArgs(reading, 'device_model_args_hvm');
}

function readArgs(reading: Reading, key: string): readonly string[] | undefined {
  const value = reading.settings.find(key)?.value;
  if (value === undefined) return undefined;
  if (value.type === 'list') return leadingStrings(value.values);
  reading.fail(key, `${key} is a list of arguments: put it in brackets`, 3);
  return undefined;
}
