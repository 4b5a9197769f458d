// Numbers of the sub-operations that nothing else here decodes: for the table of docs/hypercalls.md (public headers of Xen 4.17).

/** `XENVER_*` of public/version.h. */
export const XENVER = {
  version: 0,
  extraversion: 1,
  compile_info: 2,
  capabilities: 3,
  changeset: 4,
  platform_parameters: 5,
  get_features: 6,
  pagesize: 7,
  guest_handle: 8,
  commandline: 9,
  build_id: 10,
} as const;

/** `XEN_SYSCTL_*` of public/sysctl.h. */
export const XEN_SYSCTL = {
  readconsole: 1,
  tbuf_op: 2,
  physinfo: 3,
  sched_id: 4,
  perfc_op: 5,
  getdomaininfolist: 6,
  debug_keys: 7,
  getcpuinfo: 8,
  availheap: 9,
  get_pmstat: 10,
  cpu_hotplug: 11,
  pm_op: 12,
  page_offline_op: 14,
  lockprof_op: 15,
  cputopoinfo: 16,
  numainfo: 17,
  cpupool_op: 18,
  scheduler_op: 19,
  coverage_op: 20,
  psr_cmt_op: 21,
  pcitopoinfo: 22,
  psr_alloc: 23,
  get_cpu_levelling_caps: 25,
  get_cpu_featureset: 26,
  livepatch_op: 27,
  get_cpu_policy: 29,
} as const;

/** `PHYSDEVOP_*` of public/physdev.h. */
export const PHYSDEVOP = {
  irq_status_query: 5,
  set_iopl: 6,
  set_iobitmap: 7,
  apic_read: 8,
  apic_write: 9,
  alloc_irq_vector: 10,
  free_irq_vector: 11,
  eoi: 12,
  map_pirq: 13,
  unmap_pirq: 14,
  manage_pci_add: 15,
  manage_pci_remove: 16,
  pirq_eoi_gmfn_v1: 17,
  restore_msi: 19,
  manage_pci_add_ext: 20,
  setup_gsi: 21,
  get_free_pirq: 23,
  pci_mmcfg_reserved: 24,
  pci_device_add: 25,
  pci_device_remove: 26,
  restore_msi_ext: 27,
  pirq_eoi_gmfn_v2: 28,
  dbgp_op: 29,
  prepare_msix: 30,
  release_msix: 31,
} as const;

/** `XENPF_*` of public/platform.h. */
export const XENPF = {
  settime32: 17,
  add_memtype: 31,
  del_memtype: 32,
  read_memtype: 33,
  microcode_update: 35,
  platform_quirk: 39,
  get_cpu_version: 48,
  efi_runtime_call: 49,
  firmware_info: 50,
  enter_acpi_sleep: 51,
  change_freq: 52,
  getidletime: 53,
  set_processor_pminfo: 54,
  get_cpuinfo: 55,
  cpu_online: 56,
  cpu_offline: 57,
  cpu_hotadd: 58,
  mem_hotadd: 59,
  core_parking: 60,
  resource_op: 61,
  settime64: 62,
  get_symbol: 63,
} as const;

/** `HVMOP_*` of public/hvm/hvm_op.h. */
export const HVMOP = {
  set_param: 0,
  get_param: 1,
  set_pci_intx_level: 2,
  set_isa_irq_level: 3,
  set_pci_link_route: 4,
  flush_tlbs: 5,
  pagetable_dying: 9,
  get_time: 10,
  xentrace: 11,
  set_mem_access: 12,
  get_mem_access: 13,
  get_mem_type: 15,
  set_evtchn_upcall_vector: 23,
  guest_request_vm_event: 24,
  altp2m: 25,
} as const;

/** `MMUEXT_*` of public/xen.h, in lower case. */
export const MMUEXT = {
  pin_l1_table: 0,
  pin_l2_table: 1,
  pin_l3_table: 2,
  pin_l4_table: 3,
  unpin_table: 4,
  new_baseptr: 5,
  tlb_flush_local: 6,
  invlpg_local: 7,
  tlb_flush_multi: 8,
  invlpg_multi: 9,
  tlb_flush_all: 10,
  invlpg_all: 11,
  flush_cache: 12,
  set_ldt: 13,
  new_user_baseptr: 15,
  clear_page: 16,
  copy_page: 17,
  flush_cache_global: 18,
  mark_super: 19,
  unmark_super: 20,
} as const;

/** `CALLBACKOP_*` of public/callback.h. */
export const CALLBACKOP = { register: 0, unregister: 1 } as const;

/** `XENNMI_*` of public/nmi.h. */
export const XENNMI = { register_callback: 0, unregister_callback: 1 } as const;

/** `XEN_DMOP_*` of public/hvm/dm_op.h. */
export const DMOP = {
  create_ioreq_server: 1,
  get_ioreq_server_info: 2,
  map_io_range_to_ioreq_server: 3,
  unmap_io_range_from_ioreq_server: 4,
  set_ioreq_server_state: 5,
  destroy_ioreq_server: 6,
  track_dirty_vram: 7,
  set_pci_intx_level: 8,
  set_isa_irq_level: 9,
  set_pci_link_route: 10,
  modified_memory: 11,
  set_mem_type: 12,
  inject_event: 13,
  inject_msi: 14,
  map_mem_type_to_ioreq_server: 15,
  remote_shutdown: 16,
  relocate_memory: 17,
  pin_memory_cacheattr: 18,
  set_irq_level: 19,
  nr_vcpus: 20,
} as const;

/** `CONSOLEIO_*` of public/xen.h. */
export const CONSOLEIO = { write: 0, read: 1 } as const;
