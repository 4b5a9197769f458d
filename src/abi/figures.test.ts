// The layouts and numbers of src/abi against those that a C compiler finds in Xen's public headers.
import { describe, expect, test } from 'vitest';
import * as bitmap from './bitmap.ts';
import * as dm from './dm.ts';
import * as domctl from './domctl.ts';
import * as domctlState from './domctl-state.ts';
import * as eventChannel from './event-channel.ts';
import * as grantTable from './grant-table.ts';
import * as hvm from './hvm.ts';
import * as hypercall from './hypercall.ts';
import * as memory from './memory.ts';
import * as mmu from './mmu.ts';
import * as physdev from './physdev.ts';
import * as platform from './platform.ts';
import * as sched from './sched.ts';
import * as sharedInfo from './shared-info.ts';
import * as startInfo from './start-info.ts';
import { type Struct, widths } from './struct.ts';
import * as sysctl from './sysctl.ts';
import * as vcpu from './vcpu.ts';
import * as vcpuContext from './vcpu-context.ts';
import * as version from './version.ts';
import * as virq from './virq.ts';
import * as xsWire from './xs-wire.ts';

// Where every field stands, as gcc lays out the public headers of Xen 4.17 (offsetof and sizeof, for x86_64 and for i386 with
// __XEN_TOOLS__ defined). A line is `field offset, ...; size`, once where both widths agree.
const figures: Readonly<Record<string, readonly [x86_64: string, x86_32?: string]>> = {
  // public/xen.h, public/arch-x86/xen.h
  vcpu_time_info: [
    'version 0, pad0 4, tsc_timestamp 8, system_time 16, tsc_to_system_mul 24, tsc_shift 28, flags 29, pad1 30; 32',
  ],
  vcpu_info: [
    'evtchn_upcall_pending 0, evtchn_upcall_mask 1, evtchn_pending_sel 8, arch 16, time 32, arch.cr2 16, arch.pad 24; 64',
    'evtchn_upcall_pending 0, evtchn_upcall_mask 1, evtchn_pending_sel 4, arch 8, time 32, arch.cr2 8, arch.pad 12; 64',
  ],
  shared_info: [
    'vcpu_info 0, evtchn_pending 2048, evtchn_mask 2560, wc_version 3072, wc_sec 3076, wc_nsec 3080, wc_sec_hi 3084, arch 3088, arch.max_pfn 3088, arch.pfn_to_mfn_frame_list_list 3096, arch.nmi_reason 3104, arch.p2m_cr3 3112, arch.p2m_vaddr 3120, arch.p2m_generation 3128; 3136',
    'vcpu_info 0, evtchn_pending 2048, evtchn_mask 2176, wc_version 2304, wc_sec 2308, wc_nsec 2312, wc_sec_hi 2340, arch 2316, arch.max_pfn 2316, arch.pfn_to_mfn_frame_list_list 2320, arch.nmi_reason 2324, arch.p2m_cr3 2328, arch.p2m_vaddr 2332, arch.p2m_generation 2336; 2344',
  ],
  start_info: [
    'magic 0, nr_pages 32, shared_info 40, flags 48, store_mfn 56, store_evtchn 64, console 72, console.domU.mfn 72, console.domU.evtchn 80, console.dom0.info_off 72, console.dom0.info_size 76, pt_base 88, nr_pt_frames 96, mfn_list 104, mod_start 112, mod_len 120, cmd_line 128, first_p2m_pfn 1152, nr_p2m_frames 1160; 1168',
    'magic 0, nr_pages 32, shared_info 36, flags 40, store_mfn 44, store_evtchn 48, console 52, console.domU.mfn 52, console.domU.evtchn 56, console.dom0.info_off 52, console.dom0.info_size 56, pt_base 60, nr_pt_frames 64, mfn_list 68, mod_start 72, mod_len 76, cmd_line 80, first_p2m_pfn 1104, nr_p2m_frames 1108; 1112',
  ],
  multicall_entry: ['op 0, result 8, args 16; 64', 'op 0, result 4, args 8; 32'],
  // public/event_channel.h
  evtchn_alloc_unbound: ['dom 0, remote_dom 2, port 4; 8'],
  evtchn_bind_interdomain: ['remote_dom 0, remote_port 4, local_port 8; 12'],
  evtchn_bind_virq: ['virq 0, vcpu 4, port 8; 12'],
  evtchn_bind_pirq: ['pirq 0, flags 4, port 8; 12'],
  evtchn_bind_ipi: ['vcpu 0, port 4; 8'],
  evtchn_close: ['port 0; 4'],
  evtchn_send: ['port 0; 4'],
  evtchn_status: [
    'dom 0, port 4, status 8, vcpu 12, u 16, u.unbound.dom 16, u.interdomain.dom 16, u.interdomain.port 20, u.pirq 16, u.virq 16; 24',
  ],
  evtchn_bind_vcpu: ['port 0, vcpu 4; 8'],
  evtchn_unmask: ['port 0; 4'],
  evtchn_reset: ['dom 0; 2'],
  evtchn_init_control: ['control_gfn 0, offset 8, vcpu 12, link_bits 16, _pad 17; 24'],
  evtchn_expand_array: ['array_gfn 0; 8'],
  evtchn_set_priority: ['port 0, priority 4; 8'],
  evtchn_fifo_control_block: ['ready 0, _rsvd 4, head 8; 72'],
  // public/grant_table.h
  grant_entry_v1: ['flags 0, domid 2, frame 4; 8'],
  gnttab_map_grant_ref: ['host_addr 0, flags 8, ref 12, dom 16, status 18, handle 20, dev_bus_addr 24; 32'],
  gnttab_unmap_grant_ref: ['host_addr 0, dev_bus_addr 8, handle 16, status 20; 24'],
  gnttab_setup_table: ['dom 0, nr_frames 4, status 8, frame_list 16; 24', 'dom 0, nr_frames 4, status 8, frame_list 12; 16'],
  gnttab_copy: [
    'source 0, dest 16, len 32, flags 34, status 36, source.u 0, source.u.ref 0, source.u.gmfn 0, source.domid 8, source.offset 10, dest.u 16, dest.u.ref 16, dest.u.gmfn 16, dest.domid 24, dest.offset 26; 40',
    'source 0, dest 8, len 16, flags 18, status 20, source.u 0, source.u.ref 0, source.u.gmfn 0, source.domid 4, source.offset 6, dest.u 8, dest.u.ref 8, dest.u.gmfn 8, dest.domid 12, dest.offset 14; 24',
  ],
  gnttab_query_size: ['dom 0, nr_frames 4, max_nr_frames 8, status 12; 16'],
  grant_entry_v2: [
    'hdr 0, full_page 0, sub_page 0, transitive 0, hdr.flags 0, hdr.domid 2, full_page.pad0 4, full_page.frame 8, sub_page.page_off 4, sub_page.length 6, sub_page.frame 8, transitive.trans_domid 4, transitive.gref 8; 16',
  ],
  gnttab_dump_table: ['dom 0, status 2; 4'],
  gnttab_transfer: ['mfn 0, domid 8, ref 12, status 16; 24', 'mfn 0, domid 4, ref 8, status 12; 16'],
  gnttab_unmap_and_replace: ['host_addr 0, new_addr 8, handle 16, status 20; 24'],
  gnttab_get_status_frames: ['nr_frames 0, dom 4, status 6, frame_list 8; 16', 'nr_frames 0, dom 4, status 6, frame_list 8; 12'],
  gnttab_swap_grant_ref: ['ref_a 0, ref_b 4, status 8; 12'],
  gnttab_cache_flush: ['a 0, offset 8, length 10, op 12, a.dev_bus_addr 0, a.ref 0; 16'],
  gnttab_set_version: ['version 0; 4'],
  gnttab_get_version: ['dom 0, pad 2, version 4; 8'],
  // public/sched.h
  sched_shutdown: ['reason 0; 4'],
  sched_poll: ['ports 0, nr_ports 8, timeout 16; 24', 'ports 0, nr_ports 4, timeout 8; 16'],
  sched_remote_shutdown: ['domain_id 0, reason 4; 8'],
  sched_watchdog: ['id 0, timeout 4; 8'],
  // public/vcpu.h
  vcpu_runstate_info: ['state 0, state_entry_time 8, time 16; 48', 'state 0, state_entry_time 4, time 12; 44'],
  vcpu_set_periodic_timer: ['period_ns 0; 8'],
  vcpu_set_singleshot_timer: ['timeout_abs_ns 0, flags 8; 16', 'timeout_abs_ns 0, flags 8; 12'],
  vcpu_register_vcpu_info: ['mfn 0, offset 8, rsvd 12; 16'],
  vcpu_register_runstate_memory_area: ['addr 0, addr.h 0, addr.v 0, addr.p 0; 8'],
  vcpu_register_time_memory_area: ['addr 0, addr.h 0, addr.v 0, addr.p 0; 8'],
  // public/memory.h
  xen_memory_reservation: [
    'extent_start 0, nr_extents 8, extent_order 16, mem_flags 20, domid 24; 32',
    'extent_start 0, nr_extents 4, extent_order 8, mem_flags 12, domid 16; 20',
  ],
  xen_memory_exchange: ['in 0, out 32, nr_exchanged 64; 72', 'in 0, out 20, nr_exchanged 40; 44'],
  xen_add_to_physmap: ['domid 0, size 2, space 4, idx 8, gpfn 16; 24', 'domid 0, size 2, space 4, idx 8, gpfn 12; 16'],
  xen_add_to_physmap_batch: [
    'domid 0, space 2, size 4, u 6, idxs 8, gpfns 16, errs 24; 32',
    'domid 0, space 2, size 4, u 6, idxs 8, gpfns 12, errs 16; 20',
  ],
  xen_remove_from_physmap: ['domid 0, gpfn 8; 16', 'domid 0, gpfn 4; 8'],
  xen_memory_map: ['nr_entries 0, buffer 8; 16', 'nr_entries 0, buffer 4; 8'],
  xen_pod_target: [
    'target_pages 0, tot_pages 8, pod_cache_pages 16, pod_entries 24, domid 32; 40',
    'target_pages 0, tot_pages 8, pod_cache_pages 16, pod_entries 24, domid 32; 36',
  ],
  // public/domctl.h
  xen_domctl_createdomain: [
    'ssidref 0, handle 4, flags 20, iommu_opts 24, max_vcpus 28, max_evtchn_port 32, max_grant_frames 36, max_maptrack_frames 40, grant_opts 44, vmtrace_size 48, cpupool_id 52, arch 56, arch.emulation_flags 56, arch.misc_flags 60; 64',
  ],
  xen_domctl_getdomaininfo: [
    'domain 0, pad1 2, flags 4, tot_pages 8, max_pages 16, outstanding_pages 24, shr_pages 32, paged_pages 40, shared_info_frame 48, cpu_time 56, nr_online_vcpus 64, max_vcpu_id 68, ssidref 72, handle 76, cpupool 92, gpaddr_bits 96, pad2 97, arch_config 104, arch_config.emulation_flags 104, arch_config.misc_flags 108; 112',
  ],
  xen_domctl: ['cmd 0, interface_version 4, domain 8, _pad 10, u 16; 144'],
  // public/memory.h, version.h, domctl.h, sysctl.h, physdev.h, hvm/hvm_op.h, hvm/hvm_vcpu.h, arch-x86/xen.h
  xen_memory_domain: ['domid 0; 2'],
  xen_machphys_mfn_list: ['max_extents 0, extent_start 8, nr_extents 16; 24', 'max_extents 0, extent_start 4, nr_extents 8; 12'],
  xen_machphys_mapping: ['v_start 0, v_end 8, max_mfn 16; 24', 'v_start 0, v_end 4, max_mfn 8; 12'],
  xen_foreign_memory_map: [
    'domid 0, map 8, map.nr_entries 8, map.buffer 16; 24',
    'domid 0, map 4, map.nr_entries 4, map.buffer 8; 12',
  ],
  xen_mem_acquire_resource: [
    'domid 0, type 2, id 4, nr_frames 8, pad 12, frame 16, frame_list 24; 32',
    'domid 0, type 2, id 4, nr_frames 8, pad 12, frame 16, frame_list 24; 28',
  ],
  xen_mem_access_op: [
    'op 0, access 1, domid 2, nr 4, pfn 8, pfn_list 16, access_list 24; 32',
    'op 0, access 1, domid 2, nr 4, pfn 8, pfn_list 16, access_list 20; 24',
  ],
  xen_reserved_device_memory_map: ['flags 0, nr_entries 4, buffer 8, dev 16; 24', 'flags 0, nr_entries 4, buffer 8, dev 12; 16'],
  xen_vnuma_topology_info: [
    'domid 0, pad 2, nr_vnodes 4, nr_vcpus 8, nr_vmemranges 12, vdistance 16, vcpu_to_vnode 24, vmemrange 32; 40',
  ],
  xen_compile_info: ['compiler 0, compile_by 64, compile_domain 80, compile_date 112; 144'],
  xen_platform_parameters: ['virt_start 0; 8', 'virt_start 0; 4'],
  xen_feature_info: ['submap_idx 0, submap 4; 8'],
  xen_domctl_max_mem: ['max_memkb 0; 8'],
  xen_domctl_vcpucontext: ['vcpu 0, ctxt 8; 16'],
  xen_domctl_getvcpuinfo: ['vcpu 0, online 4, blocked 5, running 6, cpu_time 8, cpu 16; 24'],
  xen_domctl_max_vcpus: ['max 0; 4'],
  xen_domctl_settimeoffset: ['time_offset_seconds 0; 8'],
  xen_domctl_address_size: ['size 0; 4'],
  xen_domctl_tsc_info: ['tsc_mode 0, gtsc_khz 4, incarnation 8, pad 12, elapsed_nsec 16; 24'],
  xen_sysctl_physinfo: [
    'threads_per_core 0, cores_per_socket 4, nr_cpus 8, max_cpu_id 12, nr_nodes 16, max_node_id 20, cpu_khz 24, capabilities 28, arch_capabilities 32, pad 36, total_pages 40, free_pages 48, scrub_pages 56, outstanding_pages 64, max_mfn 72, hw_cap 80; 112',
  ],
  xen_sysctl_sched_id: ['sched_id 0; 4'],
  xen_sysctl_getdomaininfolist: ['first_domain 0, max_domains 4, buffer 8, num_domains 16; 24'],
  vcpu_guest_context: [
    'fpu_ctxt 0, flags 512, user_regs 520, trap_ctxt 720, ldt_base 4816, ldt_ents 4824, gdt_frames 4832, gdt_ents 4960, kernel_ss 4968, kernel_sp 4976, ctrlreg 4984, debugreg 5048, vm_assist 5136, user_regs.cs 656, user_regs.ss 680, event_callback_eip 5112, failsafe_callback_eip 5120, syscall_callback_eip 5128, fs_base 5144, gs_base_kernel 5152, gs_base_user 5160, user_regs.rip 648, user_regs.rflags 664, user_regs.rsp 672; 5168',
    'fpu_ctxt 0, flags 512, user_regs 516, trap_ctxt 584, ldt_base 2632, ldt_ents 2636, gdt_frames 2640, gdt_ents 2704, kernel_ss 2708, kernel_sp 2712, ctrlreg 2716, debugreg 2748, vm_assist 2796, user_regs.cs 552, user_regs.ss 564, event_callback_cs 2780, event_callback_eip 2784, failsafe_callback_cs 2788, failsafe_callback_eip 2792, user_regs.eip 548, user_regs.eflags 556, user_regs.esp 560; 2800',
  ],
  physdev_eoi: ['irq 0; 4'],
  physdev_pirq_eoi_gmfn: ['gmfn 0; 8', 'gmfn 0; 4'],
  physdev_irq_status_query: ['irq 0, flags 4; 8'],
  physdev_set_iopl: ['iopl 0; 4'],
  physdev_set_iobitmap: ['bitmap 0, nr_ports 8; 16', 'bitmap 0, nr_ports 4; 8'],
  physdev_apic: ['apic_physbase 0, reg 8, value 12; 16', 'apic_physbase 0, reg 4, value 8; 12'],
  physdev_irq: ['irq 0, vector 4; 8'],
  physdev_map_pirq: [
    'domid 0, type 4, index 8, pirq 12, bus 16, devfn 20, entry_nr 24, table_base 32; 40',
    'domid 0, type 4, index 8, pirq 12, bus 16, devfn 20, entry_nr 24, table_base 28; 36',
  ],
  physdev_unmap_pirq: ['domid 0, pirq 4; 8'],
  physdev_manage_pci: ['bus 0, devfn 1; 2'],
  physdev_restore_msi: ['bus 0, devfn 1; 2'],
  physdev_manage_pci_ext: ['bus 0, devfn 1, is_extfn 4, is_virtfn 8, physfn 12; 16'],
  physdev_setup_gsi: ['gsi 0, triggering 4, polarity 5; 8'],
  physdev_get_free_pirq: ['type 0, pirq 4; 8'],
  physdev_pci_mmcfg_reserved: ['address 0, segment 8, start_bus 10, end_bus 11, flags 12; 16'],
  physdev_pci_device_add: ['seg 0, bus 2, devfn 3, flags 4, physfn 8; 12'],
  physdev_pci_device: ['seg 0, bus 2, devfn 3; 4'],
  physdev_dbgp_op: ['op 0, bus 1, u 2; 6'],
  xen_hvm_param: ['domid 0, pad 2, index 4, value 8; 16'],
  xen_hvm_pagetable_dying: ['domid 0, pad 2, gpa 8; 16'],
  xen_hvm_get_time: ['now 0; 8'],
  xen_hvm_xentrace: ['event 0, extra_bytes 2, extra 4; 32'],
  xen_hvm_get_mem_type: ['domid 0, mem_type 2, pad 4, pfn 8; 16'],
  xen_hvm_evtchn_upcall_vector: ['vcpu 0, vector 4; 8'],
  xen_domctl_setdomainhandle: ['handle 0; 16'],
  xen_domctl_setdebugging: ['enable 0; 1'],
  xen_domctl_irq_permission: ['pirq 0, allow_access 4, pad 5; 8'],
  xen_domctl_iomem_permission: ['first_mfn 0, nr_mfns 8, allow_access 16; 24'],
  xen_domctl_ioport_permission: ['first_port 0, nr_ports 4, allow_access 8; 12'],
  xen_domctl_hypercall_init: ['gmfn 0; 8'],
  xen_domctl_sendtrigger: ['trigger 0, vcpu 4; 8'],
  xen_domctl_subscribe: ['port 0; 4'],
  xen_domctl_set_target: ['target 0; 2'],
  xen_domctl_set_access_required: ['access_required 0; 1'],
  xen_domctl_set_virq_handler: ['virq 0; 4'],
  xen_domctl_paging_mempool: ['size 0; 8'],
  xen_domctl_memory_mapping: ['first_gfn 0, first_mfn 8, nr_mfns 16, add_mapping 24, padding 28; 32'],
  xen_domctl_ioport_mapping: ['first_gport 0, first_mport 4, nr_ports 8, add_mapping 12; 16'],
  xen_domctl_gdbsx_pauseunp_vcpu: ['vcpu 0; 4'],
  xen_domctl_gdbsx_domstatus: ['paused 0, vcpu_id 4, vcpu_ev 8; 12'],
  xen_domctl_set_broken_page_p2m: ['pfn 0; 8'],
  xen_sysctl_readconsole: ['clear 0, incremental 1, pad0 2, pad1 3, index 4, buffer 8, count 16; 24'],
  xen_sysctl_debug_keys: ['keys 0, nr_keys 8; 16'],
  vcpu_hvm_context: ['mode 0, pad 4, cpu_regs 8; 128'],
  // public/xen.h, callback.h, nmi.h
  mmu_update: ['ptr 0, val 8; 16'],
  mmuext_op: ['cmd 0, arg1 8, arg2 16; 24', 'cmd 0, arg1 4, arg2 8; 12'],
  callback_register: ['type 0, flags 2, address 8; 16', 'type 0, flags 2, cs 4, address 8; 12'],
  callback_unregister: ['type 0, _unused 2; 4'],
  iret_context: ['rax 0, r11 8, rcx 16, flags 24, rip 32, cs 40, rflags 48, rsp 56, ss 64; 72'],
  xennmi_callback: ['handler_address 0, pad 8; 16', 'handler_address 0, pad 4; 8'],
  // public/sched.h, vcpu.h, domctl.h
  sched_pin_override: ['pcpu 0; 4'],
  vcpu_get_physid: ['phys_id 0; 8'],
  xenctl_bitmap: ['bitmap 0, nr_bits 8; 16'],
  xen_domctl_vcpuaffinity: ['vcpu 0, flags 4, cpumap_hard 8, cpumap_soft 24; 40'],
  xen_domctl_nodeaffinity: ['nodemap 0; 16'],
  // public/hvm/dm_op.h, platform.h, sysctl.h, domctl.h
  xen_dm_op_buf: ['h 0, size 8; 16', 'h 0, size 4; 8'],
  xen_dm_op_create_ioreq_server: ['handle_bufioreq 0, pad 1, id 4; 6'],
  xen_dm_op_get_ioreq_server_info: ['id 0, flags 2, bufioreq_port 4, ioreq_gfn 8, bufioreq_gfn 16; 24'],
  xen_dm_op_ioreq_server_range: ['id 0, pad 2, type 4, start 8, end 16; 24'],
  xen_dm_op_set_ioreq_server_state: ['id 0, enabled 2, pad 3; 4'],
  xen_dm_op_destroy_ioreq_server: ['id 0, pad 2; 4'],
  xen_dm_op_track_dirty_vram: ['nr 0, pad 4, first_pfn 8; 16'],
  xen_dm_op_set_pci_intx_level: ['domain 0, bus 2, device 3, intx 4, level 5; 6'],
  xen_dm_op_set_isa_irq_level: ['isa_irq 0, level 1; 2'],
  xen_dm_op_set_pci_link_route: ['link 0, isa_irq 1; 2'],
  xen_dm_op_modified_memory: ['nr_extents 0, opaque 4; 8'],
  xen_dm_op_modified_memory_extent: ['nr 0, pad 4, first_pfn 8; 16'],
  xen_dm_op_set_mem_type: ['nr 0, mem_type 4, pad 6, first_pfn 8; 16'],
  xen_dm_op_inject_event: ['vcpuid 0, vector 4, type 5, insn_len 6, pad0 7, error_code 8, pad1 12, cr2 16; 24'],
  xen_dm_op_inject_msi: ['data 0, pad 4, addr 8; 16'],
  xen_dm_op_map_mem_type_to_ioreq_server: ['id 0, type 2, flags 4, opaque 8; 16'],
  xen_dm_op_remote_shutdown: ['reason 0; 4'],
  xen_dm_op_relocate_memory: ['size 0, pad 4, src_gfn 8, dst_gfn 16; 24'],
  xen_dm_op_pin_memory_cacheattr: ['start 0, end 8, type 16, pad 20; 24'],
  xen_dm_op_nr_vcpus: ['vcpus 0; 4'],
  xen_platform_op: ['cmd 0, interface_version 4, u 8; 136'],
  xenpf_settime32: ['secs 0, nsecs 4, system_time 8; 16'],
  xenpf_settime64: ['secs 0, nsecs 8, mbz 12, system_time 16; 24'],
  xenpf_add_memtype: ['mfn 0, nr_mfns 8, type 16, handle 20, reg 24; 32', 'mfn 0, nr_mfns 4, type 12, handle 16, reg 20; 24'],
  xenpf_del_memtype: ['handle 0, reg 4; 8'],
  xenpf_read_memtype: ['reg 0, mfn 8, nr_mfns 16, type 24; 32', 'reg 0, mfn 4, nr_mfns 8, type 16; 20'],
  xenpf_microcode_update: ['data 0, length 8; 16', 'data 0, length 4; 8'],
  xenpf_platform_quirk: ['quirk_id 0; 4'],
  xenpf_efi_runtime_call: ['function 0, misc 4, status 8, u 16; 56', 'function 0, misc 4, status 8, u 12; 40'],
  xenpf_firmware_info: ['type 0, index 4, u 8, u.kbd_shift_flags 8; 40', 'type 0, index 4, u 8, u.kbd_shift_flags 8; 36'],
  xenpf_enter_acpi_sleep: ['val_a 0, val_b 2, sleep_state 4, flags 8; 12'],
  xenpf_change_freq: ['flags 0, cpu 4, freq 8; 16'],
  xenpf_getidletime: [
    'cpumap_bitmap 0, cpumap_nr_cpus 8, idletime 16, now 24; 32',
    'cpumap_bitmap 0, cpumap_nr_cpus 4, idletime 8, now 12; 20',
  ],
  xen_processor_cx: [
    'reg 0, reg.space_id 0, reg.bit_width 4, reg.bit_offset 8, reg.access_size 12, reg.address 16, type 24, latency 28, power 32, dpcnt 36, dp 40; 48',
    'reg 0, reg.space_id 0, reg.bit_width 4, reg.bit_offset 8, reg.access_size 12, reg.address 16, type 24, latency 28, power 32, dpcnt 36, dp 40; 44',
  ],
  xen_processor_px: ['core_frequency 0, power 8, transition_latency 16, bus_master_latency 24, control 32, status 40; 48'],
  xenpf_set_processor_pminfo: [
    'id 0, type 4, u 8, u.power 8, u.power.count 8, u.power.flags 12, u.power.states 16, u.perf 8, u.perf.flags 8, u.perf.platform_limit 12, u.perf.control_register 16, u.perf.control_register.descriptor 16, u.perf.control_register.length 18, u.perf.control_register.space_id 20, u.perf.control_register.bit_width 21, u.perf.control_register.bit_offset 22, u.perf.control_register.reserved 23, u.perf.control_register.address 24, u.perf.status_register 32, u.perf.status_register.descriptor 32, u.perf.status_register.length 34, u.perf.status_register.space_id 36, u.perf.status_register.bit_width 37, u.perf.status_register.bit_offset 38, u.perf.status_register.reserved 39, u.perf.status_register.address 40, u.perf.state_count 48, u.perf.states 56, u.perf.domain_info 64, u.perf.shared_type 104, u.pdc 8; 112',
    'id 0, type 4, u 8, u.power 8, u.power.count 8, u.power.flags 12, u.power.states 16, u.perf 8, u.perf.flags 8, u.perf.platform_limit 12, u.perf.control_register 16, u.perf.control_register.descriptor 16, u.perf.control_register.length 18, u.perf.control_register.space_id 20, u.perf.control_register.bit_width 21, u.perf.control_register.bit_offset 22, u.perf.control_register.reserved 23, u.perf.control_register.address 24, u.perf.status_register 32, u.perf.status_register.descriptor 32, u.perf.status_register.length 34, u.perf.status_register.space_id 36, u.perf.status_register.bit_width 37, u.perf.status_register.bit_offset 38, u.perf.status_register.reserved 39, u.perf.status_register.address 40, u.perf.state_count 48, u.perf.states 52, u.perf.domain_info 56, u.perf.shared_type 96, u.pdc 8; 100',
  ],
  xenpf_pcpuinfo: ['xen_cpuid 0, max_present 4, flags 8, apic_id 12, acpi_id 16; 20'],
  xenpf_pcpu_version: ['xen_cpuid 0, max_present 4, vendor_id 8, family 20, model 24, stepping 28; 32'],
  xenpf_cpu_ol: ['cpuid 0; 4'],
  xenpf_cpu_hotadd: ['apic_id 0, acpi_id 4, pxm 8; 12'],
  xenpf_mem_hotadd: ['spfn 0, epfn 8, pxm 16, flags 20; 24'],
  xenpf_core_parking: ['type 0, idle_nums 4; 8'],
  xenpf_resource_entry: ['u 0, rsvd 4, idx 8, val 16; 24'],
  xenpf_resource_op: ['nr_entries 0, cpu 4, entries 8; 16', 'nr_entries 0, cpu 4, entries 8; 12'],
  xenpf_symdata: ['namelen 0, symnum 4, name 8, address 16, type 24; 32', 'namelen 0, symnum 4, name 8, address 12, type 20; 24'],
  xen_sysctl_tbuf_op: ['cmd 0, cpu_mask 8, cpu_mask.bitmap 8, cpu_mask.nr_bits 16, evt_mask 24, buffer_mfn 32, size 40; 48'],
  xen_sysctl_perfc_op: ['cmd 0, nr_counters 4, nr_vals 8, desc 16, val 24; 32'],
  xen_sysctl_getcpuinfo: ['max_cpus 0, info 8, nr_cpus 16; 24'],
  xen_sysctl_availheap: ['min_bitwidth 0, max_bitwidth 4, node 8, avail_bytes 16; 24'],
  xen_sysctl_get_pmstat: [
    'type 0, cpuid 4, u 8, u.getpx 8, u.getpx.total 8, u.getpx.usable 9, u.getpx.last 10, u.getpx.cur 11, u.getpx.trans_pt 16, u.getpx.pt 24, u.getcx 8, u.getcx.nr 8, u.getcx.last 12, u.getcx.idle_time 16, u.getcx.triggers 24, u.getcx.residencies 32, u.getcx.nr_pc 40, u.getcx.nr_cc 44, u.getcx.pc 48, u.getcx.cc 56; 64',
  ],
  xen_sysctl_cpu_hotplug: ['cpu 0, op 4; 8'],
  xen_sysctl_pm_op: ['cmd 0, cpuid 4, u 8, u.set_sched_opt_smt 8, u.get_max_cstate 8; 128'],
  // Xen reads these at its own width, whoever asks.
  xen_sysctl_page_offline_op: ['cmd 0, start 4, end 8, status 16; 24'],
  xen_sysctl_lockprof_op: ['cmd 0, max_elem 4, nr_elem 8, time 16, data 24; 32'],
  xen_sysctl_cputopo: ['core 0, socket 4, node 8; 12'],
  xen_sysctl_cputopoinfo: ['num_cpus 0, cputopo 8; 16'],
  xen_sysctl_meminfo: ['memsize 0, memfree 8; 16'],
  xen_sysctl_numainfo: ['num_nodes 0, meminfo 8, distance 16; 24'],
  xen_sysctl_cpupool_op: [
    'op 0, cpupool_id 4, sched_id 8, domid 12, cpu 16, n_dom 20, cpumap 24, cpumap.bitmap 24, cpumap.nr_bits 32; 40',
  ],
  xen_sysctl_arinc653_schedule: ['major_frame 0, num_sched_entries 8, sched_entries 16; 2064'],
  xen_sysctl_scheduler_op: [
    'cpupool_id 0, sched_id 4, cmd 8, u 16, u.sched_arinc653 16, u.sched_arinc653.schedule 16, u.sched_credit 16, u.sched_credit.tslice_ms 16, u.sched_credit.ratelimit_us 20, u.sched_credit.vcpu_migr_delay_us 24, u.sched_credit2 16, u.sched_credit2.ratelimit_us 16; 32',
  ],
  xen_sysctl_coverage_op: ['cmd 0, size 4, buffer 8; 16'],
  xen_sysctl_psr_cmt_op: ['cmd 0, flags 4, u 8, u.data 8; 16'],
  xen_sysctl_pcitopoinfo: ['num_devs 0, devs 8, nodes 16; 24'],
  xen_sysctl_psr_alloc: ['cmd 0, target 4, u 8; 20'],
  xen_sysctl_cpu_levelling_caps: ['caps 0; 4'],
  xen_sysctl_cpu_featureset: ['index 0, nr_features 4, features 8; 16'],
  xen_sysctl_livepatch_op: [
    'cmd 0, pad 4, u 8, u.upload 8, u.upload.name 8, u.upload.name.name 8, u.upload.name.size 16, u.upload.name.pad 18, u.upload.size 24, u.upload.payload 32, u.list 8, u.list.version 8, u.list.idx 12, u.list.nr 16, u.list.pad 20, u.list.name_total_size 24, u.list.metadata_total_size 28, u.list.status 32, u.list.name 40, u.list.len 48, u.list.metadata 56, u.list.metadata_len 64; 72',
  ],
  xen_sysctl_cpu_policy: ['index 0, nr_leaves 4, nr_msrs 8, _rsvd 12, leaves 16, msrs 24; 32'],
  xen_cpuid_leaf: ['leaf 0, subleaf 4, a 8, b 12, c 16, d 20; 24'],
  xen_msr_entry: ['idx 0, flags 4, val 8; 16'],
  xen_domctl_shadow_op: [
    'op 0, mode 4, mb 8, dirty_bitmap 16, pages 24, stats 32, stats.fault_count 32, stats.dirty_count 36; 40',
  ],
  xen_domctl_schedparam_vcpu: [
    'u 0, u.credit 0, u.credit.weight 0, u.credit.cap 2, u.rtds 0, u.rtds.period 0, u.rtds.budget 4, u.rtds.flags 8, vcpuid 12; 16',
  ],
  xen_domctl_scheduler_op: [
    'sched_id 0, cmd 4, u 8, u.credit 8, u.credit.weight 8, u.credit.cap 10, u.credit2 8, u.credit2.weight 8, u.credit2.cap 10, u.rtds 8, u.rtds.period 8, u.rtds.budget 12, u.rtds.flags 16, u.v 8, u.v.vcpus 8, u.v.nr_vcpus 16, u.v.padding 20; 24',
  ],
  xen_domctl_hvmcontext: ['size 0, buffer 8; 16'],
  xen_domctl_hvmcontext_partial: ['type 0, instance 4, bufsz 8, buffer 16; 24'],
  xen_domctl_ext_vcpucontext: [
    'vcpu 0, size 4, syscall32_callback_eip 8, sysenter_callback_eip 16, syscall32_callback_cs 24, sysenter_callback_cs 26, syscall32_disables_events 28, sysenter_disables_events 29, vmce 32; 64',
  ],
  xen_domctl_debug_op: ['op 0, vcpu 4; 8'],
  xen_domctl_vcpuextstate: ['vcpu 0, xfeature_mask 8, size 16, buffer 24; 32'],
  xen_domctl_vcpu_msr: ['index 0, reserved 4, value 8; 16'],
  xen_domctl_vcpu_msrs: ['vcpu 0, msr_count 4, msrs 8; 16'],
  xen_domctl_cpu_policy: ['nr_leaves 0, nr_msrs 4, leaves 8, msrs 16, err_leaf 24, err_subleaf 28, err_msr 32; 40'],
  xen_domctl_vnuma: [
    'nr_vnodes 0, nr_vmemranges 4, nr_vcpus 8, pad 12, vdistance 16, vcpu_to_vnode 24, vnode_to_pnode 32, vmemrange 40; 48',
  ],
  xen_vmemrange: ['start 0, end 8, flags 16, nid 20; 24'],
  xen_domctl_assign_device: ['dev 0, flags 4, u 8, u.pci 8, u.pci.machine_sbdf 8, u.dt 8, u.dt.size 8, u.dt.path 16; 24'],
  xen_domctl_get_device_group: ['machine_sbdf 0, max_sdevs 4, num_sdevs 8, sdev_array 16; 24'],
  xen_domctl_bind_pt_irq: [
    'machine_irq 0, irq_type 4, u 8, u.isa 8, u.isa.isa_irq 8, u.pci 8, u.pci.bus 8, u.pci.device 9, u.pci.intx 10, u.msi 8, u.msi.gvec 8, u.msi.gflags 12, u.msi.gtable 16; 24',
  ],
  xen_domctl_gdbsx_memio: ['pgd3val 0, gva 8, uva 16, len 24, gwr 28, remain 32; 40'],
  xen_domctl_vm_event_op: ['op 0, mode 4, u 8, u.port 8, u.version 8; 12'],
  xen_domctl_mem_sharing_op: ['op 0, enable 1; 2'],
  xen_domctl_monitor_op: [
    'op 0, event 4, u 8, u.mov_to_cr 8, u.mov_to_cr.index 8, u.mov_to_cr.sync 9, u.mov_to_cr.onchangeonly 10, u.mov_to_cr.pad1 11, u.mov_to_cr.pad2 12, u.mov_to_cr.bitmask 16, u.guest_request 8, u.guest_request.sync 8, u.guest_request.allow_userspace 9; 24',
  ],
  xen_domctl_audit_p2m: ['orphans 0, m2p_bad 8, p2m_bad 16; 24'],
  xen_domctl_cacheflush: ['start_pfn 0, nr_pfns 8; 16'],
  xen_domctl_psr_cmt_op: ['cmd 0, data 4; 8'],
  xen_domctl_psr_alloc: ['cmd 0, target 4, data 8; 16'],
  xen_domctl_vuart_op: ['cmd 0, type 4, gfn 8, console_domid 16, pad 18, evtchn 20; 24'],
  xen_domctl_vmtrace_op: ['cmd 0, vcpu 4, key 8, value 16; 24'],
  // public/io/xs_wire.h
  xsd_sockmsg: ['type 0, req_id 4, tx_id 8, len 12; 16'],
};

// The values of the macros in the same headers.
const numbers: Readonly<Record<string, string>> = {
  HYPERVISOR:
    'set_trap_table=0 mmu_update=1 set_gdt=2 stack_switch=3 set_callbacks=4 fpu_taskswitch=5 sched_op_compat=6 platform_op=7 set_debugreg=8 get_debugreg=9 update_descriptor=10 memory_op=12 multicall=13 update_va_mapping=14 set_timer_op=15 event_channel_op_compat=16 xen_version=17 console_io=18 physdev_op_compat=19 grant_table_op=20 vm_assist=21 update_va_mapping_otherdomain=22 iret=23 vcpu_op=24 set_segment_base=25 mmuext_op=26 xsm_op=27 nmi_op=28 sched_op=29 callback_op=30 xenoprof_op=31 event_channel_op=32 physdev_op=33 hvm_op=34 sysctl=35 domctl=36 kexec_op=37 tmem_op=38 argo_op=39 xenpmu_op=40 dm_op=41 hypfs_op=42 arch_0=48 arch_1=49 arch_2=50 arch_3=51 arch_4=52 arch_5=53 arch_6=54 arch_7=55',
  VIRQ: 'TIMER=0 DEBUG=1 CONSOLE=2 DOM_EXC=3 TBUF=4 DEBUGGER=6 XENOPROF=7 CON_RING=8 PCPU_STATE=9 MEM_EVENT=10 ARGO=11 ENOMEM=12 XENPMU=13 ARCH_0=16 ARCH_1=17 ARCH_2=18 ARCH_3=19 ARCH_4=20 ARCH_5=21 ARCH_6=22 ARCH_7=23',
  EVTCHNOP:
    'bind_interdomain=0 bind_virq=1 bind_pirq=2 close=3 send=4 status=5 alloc_unbound=6 bind_ipi=7 bind_vcpu=8 unmask=9 reset=10 init_control=11 expand_array=12 set_priority=13',
  EVTCHNSTAT: 'closed=0 unbound=1 interdomain=2 pirq=3 virq=4 ipi=5',
  EVTCHN_FIFO:
    'PENDING=31 MASKED=30 LINKED=29 BUSY=28 LINK_BITS=17 LINK_MASK=131071 NR_CHANNELS=131072 PRIORITY_MAX=0 PRIORITY_DEFAULT=7 PRIORITY_MIN=15 MAX_QUEUES=16',
  GNTTABOP:
    'map_grant_ref=0 unmap_grant_ref=1 setup_table=2 dump_table=3 transfer=4 copy=5 query_size=6 unmap_and_replace=7 set_version=8 get_status_frames=9 get_version=10 swap_grant_ref=11 cache_flush=12',
  GTF: 'invalid=0 permit_access=1 accept_transfer=2 transitive=3 type_mask=3 readonly=4 reading=8 writing=16 PWT=32 PCD=64 PAT=128 sub_page=256 transfer_committed=4 transfer_completed=8',
  GNTMAP: 'device_map=1 host_map=2 readonly=4 application_map=8 contains_pte=16',
  GNTCOPY: 'source_gref=1 dest_gref=2',
  SCHEDOP: 'yield=0 block=1 shutdown=2 poll=3 remote_shutdown=4 shutdown_code=5 watchdog=6 pin_override=7',
  SHUTDOWN: 'poweroff=0 reboot=1 suspend=2 crash=3 watchdog=4 soft_reset=5',
  VCPUOP:
    'initialise=0 up=1 down=2 is_up=3 get_runstate_info=4 register_runstate_memory_area=5 set_periodic_timer=6 stop_periodic_timer=7 set_singleshot_timer=8 stop_singleshot_timer=9 register_vcpu_info=10 send_nmi=11 get_physid=12 register_vcpu_time_memory_area=13',
  VGCF: 'I387_VALID=1 in_kernel=4 online=32',
  VCPU_HVM_MODE: '32B=0 64B=1',
  RUNSTATE: 'running=0 runnable=1 blocked=2 offline=3',
  XENMEM:
    'increase_reservation=0 decrease_reservation=1 maximum_ram_page=2 current_reservation=3 maximum_reservation=4 machphys_mfn_list=5 populate_physmap=6 add_to_physmap=7 memory_map=9 machine_memory_map=10 exchange=11 machphys_mapping=12 set_memory_map=13 maximum_gpfn=14 remove_from_physmap=15 set_pod_target=16 get_pod_target=17 get_sharing_freed_pages=18 get_sharing_shared_pages=19 paging_op=20 access_op=21 sharing_op=22 add_to_physmap_batch=23 claim_pages=24 machphys_compat_mfn_list=25 get_vnumainfo=26 reserved_device_memory_map=27 acquire_resource=28',
  XENMAPSPACE: 'shared_info=0 grant_table=1 gmfn=2 gmfn_range=3 gmfn_foreign=4 dev_mmio=5',
  XEN_DOMCTL_CDF: 'hvm=1 hap=2 s3_integrity=4 oos_off=8 xs_domain=16 iommu=32 nested_virt=64 vpmu=128',
  XEN_DOMINF:
    'dying=1 hvm_guest=2 shutdown=4 paused=8 blocked=16 running=32 debugged=64 xs_domain=128 hap=256 shutdownmask=255 shutdownshift=16',
  XEN_DOMCTL:
    'createdomain=1 destroydomain=2 pausedomain=3 unpausedomain=4 getdomaininfo=5 setvcpuaffinity=9 shadow_op=10 max_mem=11 setvcpucontext=12 getvcpucontext=13 getvcpuinfo=14 max_vcpus=15 scheduler_op=16 setdomainhandle=17 setdebugging=18 irq_permission=19 iomem_permission=20 ioport_permission=21 hypercall_init=22 settimeoffset=24 getvcpuaffinity=25 resumedomain=27 sendtrigger=28 subscribe=29 gethvmcontext=33 sethvmcontext=34 set_address_size=35 get_address_size=36 assign_device=37 bind_pt_irq=38 memory_mapping=39 ioport_mapping=40 set_ext_vcpucontext=42 get_ext_vcpucontext=43 test_assign_device=45 set_target=46 deassign_device=47 unbind_pt_irq=48 get_device_group=50 debug_op=54 gethvmcontext_partial=55 vm_event_op=56 mem_sharing_op=57 gettscinfo=59 settscinfo=60 getpageframeinfo3=61 setvcpuextstate=62 getvcpuextstate=63 set_access_required=64 audit_p2m=65 set_virq_handler=66 set_broken_page_p2m=67 setnodeaffinity=68 getnodeaffinity=69 cacheflush=71 get_vcpu_msrs=72 set_vcpu_msrs=73 setvnumainfo=74 psr_cmt_op=75 monitor_op=77 psr_alloc=78 soft_reset=79 vuart_op=81 get_cpu_policy=82 set_cpu_policy=83 vmtrace_op=84 get_paging_mempool_size=85 set_paging_mempool_size=86 gdbsx_guestmemio=1000 gdbsx_pausevcpu=1001 gdbsx_unpausevcpu=1002 gdbsx_domstatus=1003',
  XS: 'CONTROL=0 DIRECTORY=1 READ=2 GET_PERMS=3 WATCH=4 UNWATCH=5 TRANSACTION_START=6 TRANSACTION_END=7 INTRODUCE=8 RELEASE=9 GET_DOMAIN_PATH=10 WRITE=11 MKDIR=12 RM=13 SET_PERMS=14 WATCH_EVENT=15 ERROR=16 IS_DOMAIN_INTRODUCED=17 RESUME=18 SET_TARGET=19 RESET_WATCHES=21 DIRECTORY_PART=22',
  SIF: 'PRIVILEGED=1 INITDOMAIN=2 MULTIBOOT_MOD=4 MOD_START_PFN=8 VIRT_P2M_4TOOLS=16 PM_MASK=65280',
};

const abi: Readonly<Record<string, unknown>> = {
  ...bitmap,
  ...dm,
  ...domctlState,
  ...platform,
  ...domctl,
  ...eventChannel,
  ...grantTable,
  ...hypercall,
  ...memory,
  ...sched,
  ...sharedInfo,
  ...startInfo,
  ...vcpu,
  ...virq,
  ...version,
  ...vcpuContext,
  ...sysctl,
  ...mmu,
  ...physdev,
  ...hvm,
  ...xsWire,
};
type Plain = Readonly<Record<string, unknown>>;

const cases = Object.entries(figures).flatMap(([name, [x86_64, x86_32 = x86_64]]) =>
  widths.map((width) => {
    const [fields, size] = (width === 'x86_64' ? x86_64 : x86_32).split('; ');
    const places = fields!
      .split(', ')
      .map((field) => field.split(' '))
      .map(([path, offset]) => [path!.split('.'), Number(offset)] as const);
    return { name, width, places, size: Number(size), layout: (abi[name] as Struct<Plain>)[width] };
  }),
);

/** The first number inside a value, which is what its first byte belongs to. */
const firstOf = (value: unknown): number =>
  typeof value === 'object' ? firstOf(Object.values(value as Plain)[0]) : Number(value);
/** A value of the same shape in which that number is 1. */
const one = (value: unknown): unknown => {
  if (typeof value === 'bigint') return 1n;
  if (typeof value === 'number') return 1;
  if (value instanceof Uint8Array) return new Uint8Array([1]);
  if (Array.isArray(value)) return [one(value[0])];
  const [key, first] = Object.entries(value as Plain)[0]!;
  return { [key]: one(first) };
};
const follow = (value: unknown, path: readonly string[]): unknown => path.reduce((part, key) => (part as Plain)[key], value);

describe.each(cases)('$name, $width', ({ name, layout, places, size }) => {
  test('has the size and the offsets of the C structure', () => {
    expect([layout.name, layout.size]).toEqual([name, size]);
    const top = places.filter(([path]) => path.length === 1).map(([path, offset]) => [path[0], offset]);
    expect(layout.offset).toEqual(Object.fromEntries(top));
  });

  test('reads and writes each field there, and nothing else', () => {
    const shape = layout.read(new Uint8Array(size))!;
    for (const [path, offset] of places) {
      const marked = new Uint8Array(size);
      marked[offset] = 1;
      expect(firstOf(follow(layout.read(marked), path)), `read ${path.join('.')}`).toBe(1);

      const written = new Uint8Array(size);
      layout.write(
        written,
        path.reduceRight<unknown>((part, key) => ({ [key]: part }), one(follow(shape, path))) as Record<string, object>,
      );
      expect(written, `write ${path.join('.')}`).toEqual(marked);
    }
  });
});

test.each(Object.entries(numbers))('%s has the values of the macros', (name, values) => {
  const ours = Object.entries(abi[name] as Readonly<Record<string, number>>);
  expect(ours.map(([key, value]) => `${key}=${value}`).join(' ')).toBe(values);
});

test('the hot path has plain numbers', () => {
  const { offset } = grantTable.grant_entry_v2.x86_64;
  expect(offset).toEqual({ hdr: 0, full_page: 0, sub_page: 0, transitive: 0 });
  const entry = new Uint8Array(grantTable.GRANT_ENTRY_V2_SIZE);
  const { flags, domid, frame, page_off, length } = grantTable.GRANT_ENTRY_V2;
  grantTable.grant_entry_v2.x86_64.write(entry, {
    sub_page: { hdr: { flags: 1, domid: 2 }, page_off: 3, length: 4, frame: 5n },
  });
  expect([flags, domid, page_off, length, frame].map((at) => entry[at])).toEqual([1, 2, 3, 4, 5]);
  grantTable.grant_entry_v2.x86_64.write(entry, { transitive: { trans_domid: 6, gref: 7 } });
  const { trans_domid, gref } = grantTable.GRANT_ENTRY_V2;
  expect([trans_domid, gref].map((at) => entry[at])).toEqual([6, 7]);
  expect(sharedInfo.SHARED_INFO.x86_64).toMatchObject({
    vcpu_info: 0,
    evtchn_pending: 0x800,
    evtchn_mask: 0xa00,
    wc_version: 0xc00,
  });
  expect(sharedInfo.SHARED_INFO.x86_32).toMatchObject({
    vcpu_info: 0,
    evtchn_pending: 0x800,
    evtchn_mask: 0x880,
    wc_version: 0x900,
  });
  expect(sharedInfo.VCPU_INFO.x86_64).toMatchObject({
    evtchn_upcall_pending: 0,
    evtchn_upcall_mask: 1,
    evtchn_pending_sel: 8,
    time: 32,
  });
  expect(sharedInfo.VCPU_INFO.x86_32).toMatchObject({
    evtchn_upcall_pending: 0,
    evtchn_upcall_mask: 1,
    evtchn_pending_sel: 4,
    time: 32,
  });
});
