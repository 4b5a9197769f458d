// hvm_op (public/hvm/hvm_op.h) and dm_op (public/hvm/dm_op.h): what HVM domains and their device models ask.
// Numbers of 64 bits are texts in hexadecimal.
import { bool, bytes, int, ints, oneOf, operation, text } from './schema.ts';

/** What the guest's page is: HVMMEM_*, in its order. */
export const memType = oneOf('ram_rw', 'ram_ro', 'mmio_dm', 'unused', 'ioreq_server');
/** XEN_DMOP_IO_RANGE_*, in its order. */
export const ioRange = oneOf('port', 'memory', 'pci');

export const operations = {
  'hvm.set_param': operation({ domid: int, dom: int, index: int, value: text }),
  'hvm.get_param': operation({ domid: int, dom: int, index: int }, { value: text }),
  'hvm.flush_tlbs': operation({ domid: int }),
  'hvm.pagetable_dying': operation({ domid: int, dom: int, gpa: text }),
  'hvm.get_time': operation({ domid: int }, { now: int }),
  'hvm.xentrace': operation({ domid: int, event: int, extra: bytes }),
  'hvm.get_mem_type': operation({ domid: int, dom: int, pfn: int }, { mem_type: memType }),
  'hvm.set_evtchn_upcall_vector': operation({ domid: int, vcpu: int, vector: int }),
  'hvm.guest_request_vm_event': operation({ domid: int }),
  /** Those that dm_op has taken over, and the accesses that memory_op has. */
  'hvm.set_pci_intx_level': operation({ domid: int }),
  'hvm.set_isa_irq_level': operation({ domid: int }),
  'hvm.set_pci_link_route': operation({ domid: int }),
  'hvm.set_mem_access': operation({ domid: int }),
  'hvm.get_mem_access': operation({ domid: int }),
  'hvm.altp2m': operation({ domid: int }),
  'dm.create_ioreq_server': operation({ domid: int, dom: int, handle_bufioreq: int }, { id: int }),
  'dm.get_ioreq_server_info': operation(
    { domid: int, dom: int, id: int, flags: int },
    { ioreq_gfn: int, bufioreq_gfn: int, bufioreq_port: int },
  ),
  /** `range_type` is XEN_DMOP_IO_RANGE_*; both ends belong to the range. */
  'dm.map_io_range_to_ioreq_server': operation({ domid: int, dom: int, id: int, range_type: int, start: int, end: int }),
  'dm.unmap_io_range_from_ioreq_server': operation({ domid: int, dom: int, id: int, range_type: int, start: int, end: int }),
  'dm.set_ioreq_server_state': operation({ domid: int, dom: int, id: int, enabled: bool }),
  'dm.destroy_ioreq_server': operation({ domid: int, dom: int, id: int }),
  /** `size` is that of the bitmap's buffer, in bytes. */
  'dm.track_dirty_vram': operation({ domid: int, dom: int, first_pfn: int, nr: int, size: int }, { dirty: bytes }),
  'dm.set_pci_intx_level': operation({
    domid: int,
    dom: int,
    segment: int,
    bus: int,
    device: int,
    intx: int,
    level: int,
  }),
  'dm.set_isa_irq_level': operation({ domid: int, dom: int, isa_irq: int, level: int }),
  'dm.set_pci_link_route': operation({ domid: int, dom: int, link: int, isa_irq: int }),
  'dm.modified_memory': operation({ domid: int, dom: int, first_pfn: int, nr: int }),
  'dm.set_mem_type': operation({ domid: int, dom: int, mem_type: int, first_pfn: int, nr: int }),
  'dm.inject_event': operation({ domid: int, dom: int, vcpuid: int, vector: int, event_type: int, error_code: int }),
  'dm.inject_msi': operation({ domid: int, dom: int, data: int, addr: text }),
  'dm.map_mem_type_to_ioreq_server': operation({ domid: int, dom: int, id: int, mem_type: int, flags: int }),
  'dm.remote_shutdown': operation({ domid: int, dom: int, reason: int }),
  'dm.pin_memory_cacheattr': operation({ domid: int, dom: int, start: int, end: int, attribute: int }),
  'dm.nr_vcpus': operation({ domid: int, dom: int }, { vcpus: int }),
  /** Pages from `src_gfn` on go to `dst_gfn` and on, one a step: until all have, the answer is ERESTART, and what is left to ask for. */
  'dm.relocate_memory': operation(
    { domid: int, dom: int, size: int, src_gfn: int, dst_gfn: int },
    { size: int, src_gfn: int, dst_gfn: int },
  ),
  'dm.set_irq_level': operation({ domid: int, dom: int, irq: int, level: int }),
} as const;

export const facts = {
  'hvm.param_set': { domid: int, index: int, value: text },
  'hvm.s3_set': { domid: int, suspended: bool },
  'hvm.upcall_vector_set': { domid: int, vcpu: int, vector: int },
  /** Its channels: one for each vCPU, and (0: none) that of the buffered requests. */
  'dm.ioreq_server_created': { domid: int, id: int, emulator: int, handle_bufioreq: int, ports: ints, bufioreq_port: int },
  'dm.ioreq_pages_mapped': { domid: int, id: int, ioreq_gfn: int, bufioreq_gfn: int },
  /** First and last of each range that the server now has, ascending. */
  'dm.io_ranges_set': { domid: int, id: int, io_range: ioRange, ranges: ints },
  'dm.ioreq_server_state_set': { domid: int, id: int, enabled: bool },
  'dm.ioreq_server_destroyed': { domid: int, id: int },
  /** Which server sees the writes to pages of the type "ioreq_server"; -1: none. */
  'dm.mem_type_mapped': { domid: int, id: int },
  'dm.mem_type_set': { domid: int, mem_type: memType, first_pfn: int, nr: int },
  'dm.interrupt_line_set': { domid: int, line: oneOf('pci', 'isa'), number: int, asserted: bool },
  'dm.link_routed': { domid: int, link: int, isa_irq: int },
  'dm.event_injected': { domid: int, vcpu: int, vector: int },
  'dm.msi_injected': { domid: int, vector: int, dest: int },
  'dm.cacheattr_pinned': { domid: int, start: int, end: int, attribute: int },
  /** Pages of Xen's own for a server, which its emulator maps: frames, -1 for what it has none of. */
  'dm.ioreq_pages_allocated': { domid: int, id: int, ioreq_mfn: int, bufioreq_mfn: int },
  /** Such pages of servers that are gone: nobody shows them any more. */
  'dm.ioreq_pages_freed': { domid: int, frames: ints },
} as const;
