// Memory management of PV guests (public/xen.h, public/arch-x86/xen.h, public/callback.h, public/nmi.h): page tables, and what a vCPU has
// told Xen of itself. A page table entry is two words, `val_lo` and `val_hi`. A virtual address is its 64 bits as a signed number, so that
// every canonical one is exact: user space from 0 to 2^47 - 1, the rest from -2^47 to -1. `foreigndom` is as in the hypercall.
import { bool, bytes, int, ints, operation } from './schema.ts';

const vcpu = { domid: int, vcpu: int };
const mmuext = { ...vcpu, foreigndom: int };

export const operations = {
  /** One element of the list: `ptr` is a machine address, its two low bits say what is asked (MMU_*). */
  'mm.mmu_update': operation({ ...mmuext, ptr: int, val_lo: int, val_hi: int }),
  /** `flags` are UVMF_*. */
  'mm.update_va_mapping': operation({ ...vcpu, va: int, val_lo: int, val_hi: int, flags: int }),
  'mm.update_va_mapping_otherdomain': operation({ ...vcpu, dom: int, va: int, val_lo: int, val_hi: int, flags: int }),
  'mmuext.pin_l1_table': operation({ ...mmuext, mfn: int }),
  'mmuext.pin_l2_table': operation({ ...mmuext, mfn: int }),
  'mmuext.pin_l3_table': operation({ ...mmuext, mfn: int }),
  'mmuext.pin_l4_table': operation({ ...mmuext, mfn: int }),
  'mmuext.unpin_table': operation({ ...mmuext, mfn: int }),
  'mmuext.new_baseptr': operation({ ...mmuext, mfn: int }),
  'mmuext.tlb_flush_local': operation(mmuext),
  'mmuext.invlpg_local': operation({ ...mmuext, linear_addr: int }),
  'mmuext.tlb_flush_multi': operation({ ...mmuext, vcpus: ints }),
  'mmuext.invlpg_multi': operation({ ...mmuext, linear_addr: int, vcpus: ints }),
  'mmuext.tlb_flush_all': operation(mmuext),
  'mmuext.invlpg_all': operation({ ...mmuext, linear_addr: int }),
  'mmuext.flush_cache': operation(mmuext),
  'mmuext.set_ldt': operation({ ...mmuext, linear_addr: int, nr_ents: int }),
  'mmuext.new_user_baseptr': operation({ ...mmuext, mfn: int }),
  'mmuext.clear_page': operation({ ...mmuext, mfn: int }),
  'mmuext.copy_page': operation({ ...mmuext, mfn: int, src_mfn: int }),
  'mmuext.flush_cache_global': operation(mmuext),
  'mmuext.mark_super': operation({ ...mmuext, mfn: int }),
  'mmuext.unmark_super': operation({ ...mmuext, mfn: int }),
  'mm.vm_assist': operation({ domid: int, cmd: int, assist: int }),
  /** `traps` is [vector, flags, cs, address, ...] up to the entry whose address is 0; `clear` is true where no table is given. */
  'mm.set_trap_table': operation({ ...vcpu, traps: ints, clear: bool }),
  'mm.set_gdt': operation({ ...vcpu, frames: ints, entries: int }),
  /** `desc_a` and `desc_b` are the descriptor's two words. */
  'mm.update_descriptor': operation({ ...vcpu, maddr: int, desc_a: int, desc_b: int }),
  'mm.stack_switch': operation({ ...vcpu, ss: int, esp: int }),
  'mm.set_callbacks': operation({ ...vcpu, event_address: int, failsafe_address: int, syscall_address: int }),
  /** `callback` is CALLBACKTYPE_*. */
  'callback.register': operation({ ...vcpu, callback: int, flags: int, address: int }),
  'callback.unregister': operation({ ...vcpu, callback: int }),
  /** `which` is SEGBASE_*. */
  'mm.set_segment_base': operation({ ...vcpu, which: int, base: int }),
  'mm.set_debugreg': operation({ ...vcpu, reg: int, value: int }),
  'mm.get_debugreg': operation({ ...vcpu, reg: int }, { value: int }),
  'mm.fpu_taskswitch': operation({ ...vcpu, set: int }),
  /** The frame that a kernel returns by; `flags` are VGCF_*. */
  'mm.iret': operation({ ...vcpu, rip: int, cs: int, rflags: int, rsp: int, ss: int, flags: int }),
  'nmi.register_callback': operation({ ...vcpu, handler_address: int }),
  'nmi.unregister_callback': operation(vcpu),
  /** What each of a domain's pages is used as: XEN_DOMCTL_PFINFO_*. */
  'domctl.getpageframeinfo3': operation({ domid: int, domain: int, gfns: ints }, { types: ints }),
  /** setvcpucontext with the state itself: `context` is struct vcpu_guest_context, as wide as `domain`. */
  'domctl.setvcpucontext_from': operation({ domid: int, domain: int, vcpu: int, context: bytes }),
  /** And vcpu_op's initialise, by a PV domain. */
  'vcpu.initialise_from': operation({ domid: int, vcpu: int, context: bytes }),
} as const;

export const facts = {
  /**
   * What Xen counts of frames, as it is now, FRAME_FIELDS numbers each: [mfn, domid, type, type_count, refs, foreign_refs, pinned,
   * linear, ...]. A frame of which nothing is counted is as one that was never mentioned.
   */
  'mm.frames_changed': { frames: ints },
  'mm.entry_written': { mfn: int, offset: int, lo: int, hi: int },
  /** A frame has become a page table of this level: what a guest must not choose in its entries is as Xen wants it. */
  'mm.table_adjusted': { mfn: int, level: int },
  /** A frame has come to hold descriptors: none of them leads into Xen. */
  'mm.descriptors_adjusted': { mfn: int },
  'mm.page_cleared': { mfn: int },
  'mm.page_copied': { mfn: int, src_mfn: int },
  'mm.baseptr_set': { ...vcpu, user: bool, mfn: int },
  'mm.ldt_set': { ...vcpu, base: int, ents: int },
  'mm.gdt_set': { ...vcpu, frames: ints, ents: int },
  'mm.assist_set': { domid: int, assist: int, on: bool },
  'mm.trap_set': { ...vcpu, vector: int, flags: int, cs: int, address: int },
  'mm.trap_cleared': { ...vcpu, vector: int },
  'mm.traps_cleared': vcpu,
  'mm.stack_switched': { ...vcpu, ss: int, esp: int },
  'mm.callback_registered': { ...vcpu, callback: int, flags: int, address: int },
  'mm.segment_base_set': { ...vcpu, which: int, base: int },
  'mm.debugreg_set': { ...vcpu, reg: int, value: int, emulated: int },
  'mm.taskswitch_set': { ...vcpu, ts: bool },
  /** A vCPU goes on from here; `user` says by which of its two page tables. */
  'mm.iret_done': { ...vcpu, rip: int, cs: int, rflags: int, rsp: int, ss: int, user: bool, iopl: int },
  /** A vCPU of a PV domain has the state that its context says; its page tables and descriptors are counted beside it. */
  'mm.context_loaded': { ...vcpu, context: bytes },
  /**
   * A frame of a 32-bit domain's has become the root of its tables (level 3: four entries), or the table with Xen's own entries (level 2):
   * what is not the guest's is 0.
   */
  'mm.pae_table_adjusted': { mfn: int, level: int },
} as const;

/** How many numbers `mm.frames_changed` has for each frame. */
export const FRAME_FIELDS = 8;
