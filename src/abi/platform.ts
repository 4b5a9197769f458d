// The arguments of `platform_op` (public/platform.h of 4.17).
import { uint8_t, uint16_t, uint32_t, uint64_t, XEN_GUEST_HANDLE, xen_pfn_t, xen_ulong_t } from './scalars.ts';
import { array, bytes, struct, union } from './struct.ts';

/** What `interface_version` must be. */
export const XENPF_INTERFACE_VERSION = 0x03000001;

/** The argument of `platform_op`; the structure of `cmd` stands in `u`. */
export const xen_platform_op = struct('xen_platform_op', {
  cmd: uint32_t,
  interface_version: uint32_t,
  u: array(uint64_t, 16),
});
export const XENPF_U = 8;

export const xenpf_settime32 = struct('xenpf_settime32', { secs: uint32_t, nsecs: uint32_t, system_time: uint64_t });
export const xenpf_settime64 = struct('xenpf_settime64', {
  secs: uint64_t,
  nsecs: uint32_t,
  mbz: uint32_t,
  system_time: uint64_t,
});
export const xenpf_add_memtype = struct('xenpf_add_memtype', {
  mfn: xen_pfn_t,
  nr_mfns: uint64_t,
  type: uint32_t,
  handle: uint32_t,
  reg: uint32_t,
});
export const xenpf_del_memtype = struct('xenpf_del_memtype', { handle: uint32_t, reg: uint32_t });
export const xenpf_read_memtype = struct('xenpf_read_memtype', {
  reg: uint32_t,
  mfn: xen_pfn_t,
  nr_mfns: uint64_t,
  type: uint32_t,
});
export const xenpf_microcode_update = struct('xenpf_microcode_update', { data: XEN_GUEST_HANDLE, length: uint32_t });
export const xenpf_platform_quirk = struct('xenpf_platform_quirk', { quirk_id: uint32_t });
export const xenpf_efi_runtime_call = struct('xenpf_efi_runtime_call', {
  function: uint32_t,
  misc: uint32_t,
  status: xen_ulong_t,
  u: array(uint32_t, { x86_64: 10, x86_32: 7 }),
});
export const xenpf_firmware_info = struct('xenpf_firmware_info', {
  type: uint32_t,
  index: uint32_t,
  u: union('u', { kbd_shift_flags: uint8_t, pad: array(uint32_t, { x86_64: 8, x86_32: 7 }) }),
});
export const xenpf_enter_acpi_sleep = struct('xenpf_enter_acpi_sleep', {
  val_a: uint16_t,
  val_b: uint16_t,
  sleep_state: uint32_t,
  flags: uint32_t,
});
export const xenpf_change_freq = struct('xenpf_change_freq', { flags: uint32_t, cpu: uint32_t, freq: uint64_t });
export const xenpf_getidletime = struct('xenpf_getidletime', {
  cpumap_bitmap: XEN_GUEST_HANDLE,
  cpumap_nr_cpus: uint32_t,
  idletime: XEN_GUEST_HANDLE,
  now: uint64_t,
});

const xen_power_register = struct('xen_power_register', {
  space_id: uint32_t,
  bit_width: uint32_t,
  bit_offset: uint32_t,
  access_size: uint32_t,
  address: uint64_t,
});
/** `type` is the number of the C-state. */
export const xen_processor_cx = struct('xen_processor_cx', {
  reg: xen_power_register,
  type: uint8_t,
  latency: uint32_t,
  power: uint32_t,
  dpcnt: uint32_t,
  dp: XEN_GUEST_HANDLE,
});
const xen_processor_power = struct('xen_processor_power', { count: uint32_t, flags: uint32_t, states: XEN_GUEST_HANDLE });
const xen_pct_register = struct('xen_pct_register', {
  descriptor: uint8_t,
  length: uint16_t,
  space_id: uint8_t,
  bit_width: uint8_t,
  bit_offset: uint8_t,
  reserved: uint8_t,
  address: uint64_t,
});
/** `core_frequency` in MHz. */
export const xen_processor_px = struct('xen_processor_px', {
  core_frequency: uint64_t,
  power: uint64_t,
  transition_latency: uint64_t,
  bus_master_latency: uint64_t,
  control: uint64_t,
  status: uint64_t,
});
const xen_processor_performance = struct('xen_processor_performance', {
  flags: uint32_t,
  platform_limit: uint32_t,
  control_register: xen_pct_register,
  status_register: xen_pct_register,
  state_count: uint32_t,
  states: XEN_GUEST_HANDLE,
  domain_info: array(uint64_t, 5),
  shared_type: uint32_t,
});
export const xenpf_set_processor_pminfo = struct('xenpf_set_processor_pminfo', {
  id: uint32_t,
  type: uint32_t,
  u: union('u', { power: xen_processor_power, perf: xen_processor_performance, pdc: XEN_GUEST_HANDLE }),
});

export const xenpf_pcpuinfo = struct('xenpf_pcpuinfo', {
  xen_cpuid: uint32_t,
  max_present: uint32_t,
  flags: uint32_t,
  apic_id: uint32_t,
  acpi_id: uint32_t,
});
export const xenpf_pcpu_version = struct('xenpf_pcpu_version', {
  xen_cpuid: uint32_t,
  max_present: uint32_t,
  vendor_id: bytes(12),
  family: uint32_t,
  model: uint32_t,
  stepping: uint32_t,
});
export const xenpf_cpu_ol = struct('xenpf_cpu_ol', { cpuid: uint32_t });
export const xenpf_cpu_hotadd = struct('xenpf_cpu_hotadd', { apic_id: uint32_t, acpi_id: uint32_t, pxm: uint32_t });
export const xenpf_mem_hotadd = struct('xenpf_mem_hotadd', { spfn: uint64_t, epfn: uint64_t, pxm: uint32_t, flags: uint32_t });
export const xenpf_core_parking = struct('xenpf_core_parking', { type: uint32_t, idle_nums: uint32_t });
/** `u` is what to do, and what came of it. */
export const xenpf_resource_entry = struct('xenpf_resource_entry', {
  u: uint32_t,
  rsvd: uint32_t,
  idx: uint64_t,
  val: uint64_t,
});
export const xenpf_resource_op = struct('xenpf_resource_op', { nr_entries: uint32_t, cpu: uint32_t, entries: XEN_GUEST_HANDLE });
export const xenpf_symdata = struct('xenpf_symdata', {
  namelen: uint32_t,
  symnum: uint32_t,
  name: XEN_GUEST_HANDLE,
  address: uint64_t,
  type: uint8_t,
});
