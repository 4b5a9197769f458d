// The state with which a vCPU begins (public/arch-x86/xen.h, struct vcpu_guest_context; public/hvm/hvm_vcpu.h).
import { trap_info } from './mmu.ts';
import { uint16_t, uint32_t, xen_ulong_t } from './scalars.ts';
import { array, bytes, struct } from './struct.ts';

/** `VGCF_*`: bits of `flags`. */
export const VGCF = { I387_VALID: 1 << 0, in_kernel: 1 << 2, online: 1 << 5 } as const;

/** `general`: the registers before. */
const cpu_user_regs = {
  x86_64: struct('cpu_user_regs', {
    general: bytes(128),
    rip: xen_ulong_t,
    cs: uint16_t,
    saved: bytes(6),
    rflags: xen_ulong_t,
    rsp: xen_ulong_t,
    ss: uint16_t,
    segments: bytes(38),
  }),
  x86_32: struct('cpu_user_regs', {
    general: bytes(32),
    eip: uint32_t,
    cs: uint16_t,
    saved: bytes(2),
    eflags: uint32_t,
    esp: uint32_t,
    ss: uint16_t,
    segments: bytes(18),
  }),
};
const begins = { fpu_ctxt: bytes(512), flags: xen_ulong_t };
const tables = {
  trap_ctxt: array(trap_info, 256),
  ldt_base: xen_ulong_t,
  ldt_ents: xen_ulong_t,
  gdt_frames: array(xen_ulong_t, 16),
  gdt_ents: xen_ulong_t,
  kernel_ss: xen_ulong_t,
  kernel_sp: xen_ulong_t,
  ctrlreg: array(xen_ulong_t, 8),
  debugreg: array(xen_ulong_t, 8),
};

export const vcpu_guest_context = {
  x86_64: struct('vcpu_guest_context', {
    ...begins,
    user_regs: cpu_user_regs.x86_64,
    ...tables,
    event_callback_eip: xen_ulong_t,
    failsafe_callback_eip: xen_ulong_t,
    syscall_callback_eip: xen_ulong_t,
    vm_assist: xen_ulong_t,
    fs_base: xen_ulong_t,
    gs_base_kernel: xen_ulong_t,
    gs_base_user: xen_ulong_t,
  }).x86_64,
  x86_32: struct('vcpu_guest_context', {
    ...begins,
    user_regs: cpu_user_regs.x86_32,
    ...tables,
    event_callback_cs: xen_ulong_t,
    event_callback_eip: xen_ulong_t,
    failsafe_callback_cs: xen_ulong_t,
    failsafe_callback_eip: xen_ulong_t,
    vm_assist: xen_ulong_t,
  }).x86_32,
};

/** What an HVM guest gives: the registers of a processor in a mode. */
export const vcpu_hvm_context = struct('vcpu_hvm_context', { mode: uint32_t, pad: uint32_t, cpu_regs: bytes(120) });
/** `VCPU_HVM_MODE_*`. */
export const VCPU_HVM_MODE = { '32B': 0, '64B': 1 } as const;
