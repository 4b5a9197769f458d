// libxl's configuration structures (tools/libs/light/libxl_types.idl, Xen 4.17), fields in the order in which libxl writes them.
import { arm, array, bitmap, defbool, devid, flag, integer, memKb, number, oneOf, struct, text, texts, uint64 } from './field.ts';

/**
 * The names of an enumeration and how libxl finds one: in any case of letters (libxl__enum_from_string).
 * Undefined when there is no such name.
 */
export const named = <const N extends readonly string[]>(names: N, word: string): N[number] | undefined =>
  names.find((name) => name === word.toLowerCase());

export const domainTypes = ['invalid', 'hvm', 'pv', 'pvh'] as const;
export const actions = [
  'destroy',
  'restart',
  'restart_rename',
  'preserve',
  'coredump_destroy',
  'coredump_restart',
  'soft_reset',
] as const;
export const passthroughs = ['default', 'disabled', 'enabled', 'sync_pt', 'share_pt'] as const;
export const tscModes = ['default', 'always_emulate', 'native', 'native_paravirt'] as const;
/** Numbered from -1. */
export const timerModes = [
  'unknown',
  'delay_for_missed_ticks',
  'no_delay_for_missed_ticks',
  'no_missed_ticks_pending',
  'one_missed_tick_pending',
] as const;
export const biosTypes = ['unknown', 'rombios', 'seabios', 'ovmf'] as const;
export const vgaTypes = ['unknown', 'cirrus', 'std', 'none', 'qxl'] as const;
export const vendorDevices = ['none', 'xenserver'] as const;
/** Bit numbers of `viridian_enable` and `viridian_disable`. */
export const viridianEnlightenments = [
  'base',
  'freq',
  'time_ref_count',
  'reference_tsc',
  'hcall_remote_tlb_flush',
  'apic_assist',
  'crash_ctl',
  'synic',
  'stimer',
  'hcall_ipi',
  'ex_processor_masks',
  'no_vp_limit',
  'cpu_hotplug',
] as const;
export const hdTypes = ['ide', 'ahci'] as const;
export const vuartTypes = ['unknown', 'sbsa_uart'] as const;
export const gicVersions = ['default', 'v2', 'v3'] as const;
export const teeTypes = ['none', 'optee'] as const;
export const altp2mModes = ['disabled', 'mixed', 'external', 'limited'] as const;
export const gfxPassthruKinds = ['default', 'igd'] as const;
export const rdmStrategies = ['ignore', 'host'] as const;
export const rdmPolicies = ['invalid', 'strict', 'relaxed'] as const;
export const deviceModelVersions = ['unknown', 'qemu_xen_traditional', 'qemu_xen'] as const;
export const diskFormats = ['unknown', 'qcow', 'qcow2', 'vhd', 'raw', 'empty', 'qed'] as const;
export const diskBackends = ['unknown', 'phy', 'tap', 'qdisk', 'standalone'] as const;
export const diskSpecifications = ['unknown', 'xen', 'virtio'] as const;
export const nicTypes = ['unknown', 'vif_ioemu', 'vif'] as const;
export const vkbBackends = ['unknown', 'qemu', 'linux'] as const;
export const usbctrlTypes = ['auto', 'pv', 'devicemodel', 'qusb'] as const;
export const vsndStreamTypes = ['p', 'c'] as const;
export const vsndFormats = [
  ...(['s8', 'u8', 's16_le', 's16_be', 'u16_le', 'u16_be', 's24_le', 's24_be', 'u24_le', 'u24_be'] as const),
  ...(['s32_le', 's32_be', 'u32_le', 'u32_be', 'f32_le', 'f32_be', 'f64_le', 'f64_be'] as const),
  ...(['iec958_subframe_le', 'iec958_subframe_be', 'mu_law', 'a_law', 'ima_adpcm', 'mpeg', 'gsm'] as const),
] as const;

export const createInfo = struct({
  type: oneOf(domainTypes, 'invalid'),
  hap: defbool,
  oos: defbool,
  ssid_label: text,
  name: text,
  /** Undefined where the file has none: the toolstack draws it. */
  uuid: text,
  pool_name: text,
  run_hotplug_scripts: defbool,
  driver_domain: defbool,
  passthrough: oneOf(passthroughs, 'default'),
  xend_suspend_evtchn_compat: defbool,
});

const schedParams = struct({
  weight: number(-1),
  cap: number(-1),
  period: number(-1),
  extratime: number(-1),
  slice: number(-1),
  latency: number(-1),
});

const vnode = struct({ memkb: memKb, distances: array(integer), pnode: integer, vcpus: bitmap });
const vnc = struct({ enable: defbool, listen: text, passwd: text, display: integer, findunused: defbool });
const sdl = struct({ enable: defbool, opengl: defbool, display: text, xauthority: text });
const rdm = struct({ strategy: oneOf(rdmStrategies, 'ignore'), policy: oneOf(rdmPolicies, 'invalid') });
const spice = struct({
  enable: defbool,
  port: integer,
  tls_port: integer,
  host: text,
  disable_ticketing: defbool,
  passwd: text,
  agent_mouse: defbool,
  vdagent: defbool,
  clipboard_sharing: defbool,
  usbredirection: integer,
  image_compression: text,
  streaming_video: text,
});

const hvm = struct({
  firmware: text,
  bios: oneOf(biosTypes, 'unknown'),
  pae: defbool,
  acpi_s3: defbool,
  acpi_s4: defbool,
  acpi_laptop_slate: defbool,
  nx: defbool,
  viridian: defbool,
  viridian_enable: bitmap,
  viridian_disable: bitmap,
  hpet: defbool,
  vpt_align: defbool,
  mmio_hole_memkb: memKb,
  altp2m: defbool,
  system_firmware: text,
  smbios_firmware: text,
  acpi_firmware: text,
  hdtype: oneOf(hdTypes, 'ide'),
  nographic: defbool,
  vga: struct({ kind: oneOf(vgaTypes, 'unknown') }),
  vnc,
  keymap: text,
  sdl,
  spice,
  gfx_passthru: defbool,
  gfx_passthru_kind: oneOf(gfxPassthruKinds, 'default'),
  serial: text,
  boot: text,
  usb: defbool,
  usbversion: integer,
  usbdevice: text,
  vkb_device: defbool,
  soundhw: text,
  xen_platform_pci: defbool,
  usbdevice_list: texts,
  vendor_device: oneOf(vendorDevices, 'none'),
  /** 16 bytes; undefined also where the file says "generate": the toolstack draws it. */
  ms_vm_genid: array(integer),
  serial_list: texts,
  rdm,
  rdm_mem_boundary_memkb: memKb,
  /** Bit 0 is XEN_HVM_MCA_CAP_LMCE. */
  mca_caps: uint64(),
});

/** Register masks of 32 characters and MSR masks of 64, as libxl_cpuid_policy_list_gen_json writes them. */
const cpuidLeaf = struct({ leaf: number(-1), subleaf: number(-1), eax: text, ebx: text, ecx: text, edx: text });
const cpuidPolicy = arm(struct({ cpuid: arm(array(cpuidLeaf)), msr: arm(array(struct({ index: number(-1), policy: text }))) }));

export const buildInfo = struct({
  max_vcpus: integer,
  avail_vcpus: bitmap,
  vcpu_hard_affinity: array(bitmap),
  vcpu_soft_affinity: array(bitmap),
  numa_placement: defbool,
  tsc_mode: oneOf(tscModes, 'default'),
  max_memkb: memKb,
  target_memkb: memKb,
  video_memkb: memKb,
  shadow_memkb: memKb,
  rtc_timeoffset: integer,
  exec_ssid_label: text,
  localtime: defbool,
  disable_migrate: defbool,
  cpuid: cpuidPolicy,
  blkdev_start: text,
  vnuma_nodes: array(vnode),
  max_grant_frames: number(0xffffffff),
  max_maptrack_frames: number(0xffffffff),
  max_grant_version: number(-1),
  device_model_version: oneOf(deviceModelVersions, 'unknown'),
  device_model_stubdomain: defbool,
  stubdomain_memkb: memKb,
  stubdomain_kernel: text,
  stubdomain_cmdline: text,
  stubdomain_ramdisk: text,
  device_model: text,
  device_model_ssid_label: text,
  device_model_user: text,
  extra: texts,
  extra_pv: texts,
  extra_hvm: texts,
  sched_params: schedParams,
  ioports: array(struct({ first: integer, number: integer })),
  irqs: array(integer),
  iomem: array(struct({ start: uint64(), number: uint64(), gfn: uint64((1n << 64n) - 1n) })),
  claim_mode: defbool,
  event_channels: integer,
  kernel: text,
  cmdline: text,
  ramdisk: text,
  device_tree: text,
  acpi: defbool,
  bootloader: text,
  bootloader_args: texts,
  timer_mode: oneOf(timerModes, 'unknown'),
  nested_hvm: defbool,
  apic: defbool,
  dm_restrict: defbool,
  tee: oneOf(teeTypes, 'none'),
  'type.hvm': arm(hvm),
  'type.pv': arm(struct({ e820_host: defbool })),
  'type.pvh': arm(struct({ pvshim: defbool, pvshim_path: text, pvshim_cmdline: text, pvshim_extra: text })),
  arch_arm: struct({ gic_version: oneOf(gicVersions, 'default'), vuart: oneOf(vuartTypes, 'unknown') }),
  arch_x86: struct({ msr_relaxed: defbool }),
  altp2m: oneOf(altp2mModes, 'disabled'),
  vmtrace_buf_kb: integer,
  vpmu: defbool,
});

export const disk = struct({
  backend_domname: text,
  pdev_path: text,
  vdev: text,
  backend: oneOf(diskBackends, 'unknown'),
  format: oneOf(diskFormats, 'unknown'),
  script: text,
  removable: integer,
  readwrite: integer,
  is_cdrom: integer,
  direct_io_safe: flag,
  discard_enable: defbool,
  specification: oneOf(diskSpecifications, 'unknown'),
  colo_enable: defbool,
  colo_host: text,
  colo_port: integer,
  colo_export: text,
  active_disk: text,
  hidden_disk: text,
  trusted: defbool,
});

/** The strings of a vif that only COLO reads; each has the name of its key, but for coloft_forwarddev (`forwarddev`). */
export const nicColo = {
  coloft_forwarddev: text,
  colo_sock_mirror_id: text,
  colo_sock_mirror_ip: text,
  colo_sock_mirror_port: text,
  colo_sock_compare_pri_in_id: text,
  colo_sock_compare_pri_in_ip: text,
  colo_sock_compare_pri_in_port: text,
  colo_sock_compare_sec_in_id: text,
  colo_sock_compare_sec_in_ip: text,
  colo_sock_compare_sec_in_port: text,
  colo_sock_compare_notify_id: text,
  colo_sock_compare_notify_ip: text,
  colo_sock_compare_notify_port: text,
  colo_sock_redirector0_id: text,
  colo_sock_redirector0_ip: text,
  colo_sock_redirector0_port: text,
  colo_sock_redirector1_id: text,
  colo_sock_redirector1_ip: text,
  colo_sock_redirector1_port: text,
  colo_sock_redirector2_id: text,
  colo_sock_redirector2_ip: text,
  colo_sock_redirector2_port: text,
  colo_filter_mirror_queue: text,
  colo_filter_mirror_outdev: text,
  colo_filter_redirector0_queue: text,
  colo_filter_redirector0_indev: text,
  colo_filter_redirector0_outdev: text,
  colo_filter_redirector1_queue: text,
  colo_filter_redirector1_indev: text,
  colo_filter_redirector1_outdev: text,
  colo_compare_pri_in: text,
  colo_compare_sec_in: text,
  colo_compare_out: text,
  colo_compare_notify_dev: text,
  colo_sock_sec_redirector0_id: text,
  colo_sock_sec_redirector0_ip: text,
  colo_sock_sec_redirector0_port: text,
  colo_sock_sec_redirector1_id: text,
  colo_sock_sec_redirector1_ip: text,
  colo_sock_sec_redirector1_port: text,
  colo_filter_sec_redirector0_queue: text,
  colo_filter_sec_redirector0_indev: text,
  colo_filter_sec_redirector0_outdev: text,
  colo_filter_sec_redirector1_queue: text,
  colo_filter_sec_redirector1_indev: text,
  colo_filter_sec_redirector1_outdev: text,
  colo_filter_sec_rewriter0_queue: text,
  colo_checkpoint_host: text,
  colo_checkpoint_port: text,
} as const;

export const nic = struct({
  backend_domname: text,
  devid,
  mtu: integer,
  model: text,
  /** Undefined where the file has none: the toolstack draws it, with the prefix 00:16:3e that is Xen's. */
  mac: text,
  ip: text,
  bridge: text,
  ifname: text,
  script: text,
  nictype: oneOf(nicTypes, 'unknown'),
  rate_bytes_per_interval: uint64(),
  rate_interval_usecs: integer,
  gatewaydev: text,
  ...nicColo,
  trusted: defbool,
});

export const pci = struct({
  func: integer,
  dev: integer,
  bus: integer,
  domain: integer,
  vdevfn: integer,
  vfunc_mask: integer,
  msitranslate: flag,
  power_mgmt: flag,
  permissive: flag,
  seize: flag,
  rdm_policy: oneOf(rdmPolicies, 'invalid'),
  name: text,
});

export const vfb = struct({ devid, vnc, sdl, keymap: text });

export const vkb = struct({
  backend_domname: text,
  devid,
  backend_type: oneOf(vkbBackends, 'unknown'),
  unique_id: text,
  feature_disable_keyboard: flag,
  feature_disable_pointer: flag,
  feature_abs_pointer: flag,
  feature_raw_pointer: flag,
  feature_multi_touch: flag,
  width: integer,
  height: integer,
  multi_touch_width: integer,
  multi_touch_height: integer,
  multi_touch_num_contacts: integer,
});

export const vtpm = struct({ backend_domname: text, devid, uuid: text });
export const p9 = struct({ backend_domname: text, tag: text, path: text, security_model: text, devid });
export const pvcallsif = struct({ backend_domname: text, devid });

export const vdispl = struct({
  backend_domname: text,
  devid,
  be_alloc: flag,
  connectors: array(struct({ unique_id: text, width: integer, height: integer })),
});

const vsndParams = struct({
  sample_rates: array(integer),
  sample_formats: array(oneOf(vsndFormats)),
  channels_min: integer,
  channels_max: integer,
  buffer_size: integer,
});
const vsndStream = struct({ unique_id: text, type: oneOf(vsndStreamTypes), params: vsndParams });
const vsndPcm = struct({ name: text, params: vsndParams, streams: array(vsndStream) });
export const vsnd = struct({
  backend_domname: text,
  devid,
  short_name: text,
  long_name: text,
  params: vsndParams,
  pcms: array(vsndPcm),
});

export const channel = struct({
  backend_domname: text,
  devid,
  name: text,
  'connection.pty': arm(struct({})),
  'connection.socket': arm(struct({ path: text })),
});

export const usbctrl = struct({ type: oneOf(usbctrlTypes, 'auto'), devid, version: integer, ports: integer });
export const usbdev = struct({
  ctrl: devid,
  port: integer,
  'type.hostdev': arm(struct({ hostbus: integer, hostaddr: integer })),
});

export const domainConfigFields = struct({
  c_info: createInfo,
  b_info: buildInfo,
  disks: array(disk),
  nics: array(nic),
  pcidevs: array(pci),
  dtdevs: array(struct({ path: text })),
  vfbs: array(vfb),
  vkbs: array(vkb),
  vtpms: array(vtpm),
  p9s: array(p9),
  pvcallsifs: array(pvcallsif),
  vdispls: array(vdispl),
  vsnds: array(vsnd),
  channels: array(channel),
  usbctrls: array(usbctrl),
  usbdevs: array(usbdev),
  on_poweroff: oneOf(actions, 'destroy'),
  on_reboot: oneOf(actions, 'destroy'),
  on_watchdog: oneOf(actions, 'destroy'),
  on_crash: oneOf(actions, 'destroy'),
  on_soft_reset: oneOf(actions, 'destroy'),
});

type Of<F> = F extends { json(value: infer T): unknown } ? T : never;
export type CreateInfo = Of<typeof createInfo>;
export type BuildInfo = Of<typeof buildInfo>;
export type HvmInfo = NonNullable<BuildInfo['type.hvm']>;
export type VncInfo = NonNullable<HvmInfo['vnc']>;
export type SdlInfo = NonNullable<HvmInfo['sdl']>;
export type CpuidPolicy = NonNullable<BuildInfo['cpuid']>;
export type CpuidLeaf = Of<typeof cpuidLeaf>;
export type VnodeInfo = Of<typeof vnode>;
export type DeviceDisk = Of<typeof disk>;
export type DeviceNic = Of<typeof nic>;
export type DevicePci = Of<typeof pci>;
export type DeviceVfb = Of<typeof vfb>;
export type DeviceVkb = Of<typeof vkb>;
export type DeviceVtpm = Of<typeof vtpm>;
export type DeviceP9 = Of<typeof p9>;
export type DevicePvcallsif = Of<typeof pvcallsif>;
export type DeviceVdispl = Of<typeof vdispl>;
export type DeviceVsnd = Of<typeof vsnd>;
export type VsndParams = Of<typeof vsndParams>;
export type VsndPcm = Of<typeof vsndPcm>;
export type VsndStream = Of<typeof vsndStream>;
export type DeviceChannel = Of<typeof channel>;
export type DeviceUsbctrl = Of<typeof usbctrl>;
export type DeviceUsbdev = Of<typeof usbdev>;
export type ActionOnShutdown = (typeof actions)[number];
/** A domain's whole configuration; what is undefined is left to libxl. The parts of it that are always there are there. */
export type DomainConfig = Of<typeof domainConfigFields> & { c_info: CreateInfo; b_info: BuildInfo };
export type NicText = { [K in keyof DeviceNic]-?: string extends NonNullable<DeviceNic[K]> ? K : never }[keyof DeviceNic];
