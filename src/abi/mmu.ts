// The arguments of mmu_update, mmuext_op, set_trap_table, callback_op and nmi_op (public/xen.h, public/arch-x86/xen.h, public/callback.h,
// public/nmi.h).
import { uint8_t, uint16_t, uint32_t, uint64_t, XEN_GUEST_HANDLE, xen_pfn_t, xen_ulong_t } from './scalars.ts';
import { struct, union } from './struct.ts';

export const mmu_update = struct('mmu_update', { ptr: uint64_t, val: uint64_t });

/** `MMU_UPDATE_PREEMPTED`: in a count, that the list goes on from where it was interrupted. */
export const MMU_UPDATE_PREEMPTED = 0x80000000;

export const mmuext_op = struct('mmuext_op', {
  cmd: uint32_t,
  arg1: union('arg1', { mfn: xen_pfn_t, linear_addr: xen_ulong_t }),
  arg2: union('arg2', { nr_ents: uint32_t, vcpumask: XEN_GUEST_HANDLE, src_mfn: xen_pfn_t }),
});

export const trap_info = struct('trap_info', { vector: uint8_t, flags: uint8_t, cs: uint16_t, address: xen_ulong_t });

/** For a 32-bit guest, `address` has its code segment before it. */
export const callback_register = {
  x86_64: struct('callback_register', { type: uint16_t, flags: uint16_t, address: xen_ulong_t }).x86_64,
  x86_32: struct('callback_register', { type: uint16_t, flags: uint16_t, cs: xen_ulong_t, address: xen_ulong_t }).x86_32,
};
export const callback_unregister = struct('callback_unregister', { type: uint16_t, _unused: uint16_t });

export const xennmi_callback = struct('xennmi_callback', { handler_address: xen_ulong_t, pad: xen_ulong_t });

/** What the stack has when a kernel of 64 bits calls iret (public/arch-x86/xen-x86_64.h); a kernel of 32 bits has eax and the frame. */
export const iret_context = struct('iret_context', {
  rax: uint64_t,
  r11: uint64_t,
  rcx: uint64_t,
  flags: uint64_t,
  rip: uint64_t,
  cs: uint64_t,
  rflags: uint64_t,
  rsp: uint64_t,
  ss: uint64_t,
});
