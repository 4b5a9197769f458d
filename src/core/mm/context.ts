// What a PV vCPU tells Xen of itself, and reads back (xen/arch/x86/pv: callback.c, descriptor-tables.c, misc-hypercalls.c, iret.c).
import { accept, refuse } from '../../../events/step.ts';
import { PAGE_SIZE } from '../../../events/units.ts';
import type { CommandOf, Fact, GuestReader, Outcome } from '../../../events/vocabulary.ts';
import type { Xen } from '../xen.ts';
import { checkDescriptor, FIRST_RESERVED_GDT_ENTRY, ringThree } from './descriptor.ts';
import { Pages } from './pages.ts';
import { isCanonical, isGuestAddress, word } from './pte.ts';
import { levelOf } from './tables.ts';

export const TRAP_NMI = 2;
export const FLAT_KERNEL_CS = 0xe033;
/** TI_SET_IF: the handler begins with events masked. */
export const TRAP_MASKS_EVENTS = 4;

/** CALLBACKTYPE_* of public/callback.h. */
export const CALLBACKTYPE = { event: 0, failsafe: 1, syscall: 2, nmi: 4, sysenter: 5, syscall32: 7 } as const;
const isCallback = (callback: number): boolean => (Object.values(CALLBACKTYPE) as number[]).includes(callback);

export function setTrapTable({ domid, vcpu, traps, clear }: CommandOf<'mm.set_trap_table'>): Outcome {
  if (clear) return accept({}, { type: 'mm.traps_cleared', domid, vcpu });
  const facts: Fact[] = [];
  for (let i = 0; ; i += 4) {
    // A table without an end runs out of what the guest can give.
    if (i + 3 >= traps.length) return i === traps.length ? accept({}, ...facts) : refuse('EFAULT', undefined, ...facts);
    const [vector, flags, cs, address] = traps.slice(i, i + 4) as [number, number, number, number];
    if (address === 0) return accept({}, ...facts);
    if (!isCanonical(address)) return refuse('EINVAL', undefined, ...facts);
    facts.push({ type: 'mm.trap_set', domid, vcpu, vector: vector & 0xff, flags: flags & 0xff, cs: ringThree(cs), address });
  }
}

export function setGdt(xen: Xen, { domid, vcpu, frames, entries }: CommandOf<'mm.set_gdt'>, guest: GuestReader): Outcome {
  const ents = entries >>> 0;
  if (ents > FIRST_RESERVED_GDT_ENTRY) return refuse('EINVAL');
  const count = Math.ceil(ents / 512);
  if (frames.length < count) return refuse('EFAULT');
  const given = frames.slice(0, count);
  const pages = new Pages(xen, guest);
  for (const mfn of given) if (pages.getBoth(mfn, domid, 'seg_desc_page') !== undefined) return refuse('EINVAL');
  for (const mfn of xen.mm.context(domid, vcpu).gdt_frames) pages.putBoth(mfn, domid);
  return accept({}, ...pages.facts(), { type: 'mm.gdt_set', domid, vcpu, frames: given, ents });
}

export function updateDescriptor(xen: Xen, command: CommandOf<'mm.update_descriptor'>, guest: GuestReader): Outcome {
  const { domid, maddr } = command;
  const descriptor = checkDescriptor({ a: word(command.desc_a), b: word(command.desc_b) });
  if (maddr % 8 !== 0 || descriptor === undefined) return refuse('EINVAL');
  const mfn = Math.floor(maddr / PAGE_SIZE);
  const page = new Pages(xen, guest).page(mfn, domid);
  if (page === undefined || levelOf(page.type) > 0) return refuse('EINVAL');
  const { a, b } = descriptor;
  return accept({}, { type: 'mm.entry_written', mfn, offset: maddr % PAGE_SIZE, lo: a, hi: b });
}

export function setCallbacks(command: CommandOf<'mm.set_callbacks'>): Outcome {
  const { domid, vcpu, event_address, failsafe_address, syscall_address } = command;
  const addresses = [event_address, failsafe_address, syscall_address];
  // Nobody is told of an address that can not be: it only stays as it was.
  const facts = addresses.flatMap((address, callback): Fact[] =>
    isCanonical(address) ? [{ type: 'mm.callback_registered', domid, vcpu, callback, flags: 0, address }] : [],
  );
  return accept({}, ...facts);
}

export function registerCallback({ domid, vcpu, callback, flags, address }: CommandOf<'callback.register'>): Outcome {
  if (!isCanonical(address)) return refuse('EINVAL');
  if (!isCallback(callback)) return refuse('ENOSYS');
  if (callback === CALLBACKTYPE.nmi) return registerNmi(domid, vcpu, address);
  return accept({}, { type: 'mm.callback_registered', domid, vcpu, callback, flags: flags & 0xffff, address });
}

export function unregisterCallback({ domid, vcpu, callback }: CommandOf<'callback.unregister'>): Outcome {
  if (!isCallback(callback)) return refuse('ENOSYS');
  // Without the others a guest could not go on.
  return callback === CALLBACKTYPE.nmi ? unregisterNmi(domid, vcpu) : refuse('EINVAL');
}

export function registerNmi(domid: number, vcpu: number, address: number): Outcome {
  if (!isCanonical(address)) return refuse('EINVAL');
  const trap = { vector: TRAP_NMI, flags: TRAP_MASKS_EVENTS, cs: FLAT_KERNEL_CS, address };
  return accept({}, { type: 'mm.trap_set', domid, vcpu, ...trap });
}
export const unregisterNmi = (domid: number, vcpu: number): Outcome =>
  accept({}, { type: 'mm.trap_cleared', domid, vcpu, vector: TRAP_NMI });

/** SEGBASE_* of public/arch-x86/xen-x86_64.h; the last is a selector, whose base stands in a table of the guest's. */
const SEGBASE = { fs: 0, gs_user: 1, gs_kernel: 2, gs_user_sel: 3 } as const;

export function setSegmentBase({ domid, vcpu, which, base }: CommandOf<'mm.set_segment_base'>): Outcome {
  if (which < SEGBASE.fs || which > SEGBASE.gs_user_sel) return refuse('EINVAL');
  const isSelector = which === SEGBASE.gs_user_sel;
  if (!isSelector && !isCanonical(base)) return refuse('EINVAL');
  const selector = ((base % 0x10000) + 0x10000) % 0x10000;
  const value = !isSelector ? base : selector > 3 ? selector | 3 : selector;
  return accept({}, { type: 'mm.segment_base_set', domid, vcpu, which, base: value });
}

const DR6 = { zero: 0xffffefff, one: 0xffff0ff0 } as const;
const DR7 = { zero: 0xffff27ff, one: 0x400, detect: 0x2000, active: 0xff } as const;
/** A breakpoint at an I/O port, which a guest has first to allow itself (CR4.DE). */
const DR_IO = 2;

export function setDebugreg({ domid, vcpu, reg, value }: CommandOf<'mm.set_debugreg'>): Outcome {
  const set = (number: number, to: number, emulated = 0): Outcome =>
    accept({}, { type: 'mm.debugreg_set', domid, vcpu, reg: number, value: to, emulated });
  const isWord = value >= 0 && value < 2 ** 32;
  switch (reg) {
    case 0:
    case 1:
    case 2:
    case 3:
      return isGuestAddress(value) ? set(reg, value) : refuse('EPERM');
    case 4:
    case 6:
      return isWord ? set(6, word((value & DR6.zero) | DR6.one)) : refuse('EINVAL');
    case 5:
    case 7: {
      if (!isWord) return refuse('EINVAL');
      const control = word((value & DR7.zero) | DR7.one);
      if ((control & DR7.detect) !== 0) return refuse('EPERM');
      if ((control & DR7.active) !== 0)
        for (let bit = 16; bit < 32; bit += 4) if (((control >>> bit) & 3) === DR_IO) return refuse('EPERM');
      return set(7, control);
    }
    default:
      return refuse('ENODEV');
  }
}

export function getDebugreg(xen: Xen, { domid, vcpu, reg }: CommandOf<'mm.get_debugreg'>): Outcome {
  const { dr, dr6, dr7, dr7_emul } = xen.mm.context(domid, vcpu);
  switch (reg) {
    case 0:
    case 1:
    case 2:
    case 3:
      return accept({ value: dr[reg]! });
    case 4:
    case 6:
      return accept({ value: dr6 });
    case 5:
    case 7:
      return accept({ value: word(dr7 | dr7_emul) });
    default:
      return refuse('ENODEV');
  }
}

const EFLAGS = { if: 0x200, iopl: 0x3000, vm: 0x20000 } as const;
const VMASST_TYPE_architectural_iopl = 4;

/** What a vCPU goes on with, or undefined where it can not: it has no page tables for user mode, or none of its rings is meant (do_iret()). */
export function iret(xen: Xen, command: CommandOf<'mm.iret'>): Fact | undefined {
  const { domid, vcpu, rip, rsp } = command;
  const cs = command.cs & 0xffff;
  const rflags = word(command.rflags);
  // A kernel of 32 bits runs in ring 1, on the page tables of its users.
  const is32bit = xen.is32bit(domid);
  const user = !is32bit && (cs & 3) === 3;
  if (is32bit && (cs & 3) === 0) return undefined;
  if (user && xen.mm.baseptr(domid, vcpu, true) < 0) return undefined;
  const keepsIopl = !xen.mm.hasAssist(domid, VMASST_TYPE_architectural_iopl);
  return {
    type: 'mm.iret_done',
    domid,
    vcpu,
    rip,
    cs: is32bit ? cs : cs | 3,
    rflags: word((rflags & ~(EFLAGS.iopl | EFLAGS.vm)) | (rflags & EFLAGS.if)),
    rsp,
    ss: (command.ss & 0xffff) | (is32bit ? 0 : 3),
    user,
    iopl: keepsIopl ? xen.mm.context(domid, vcpu).iopl : (rflags & EFLAGS.iopl) >> 12,
  };
}
/** Whether a vCPU takes upcalls from then on. */
export const takesEvents = (rflags: number): boolean => (rflags & EFLAGS.if) !== 0;

const VMASST_CMD = { enable: 0, disable: 1 } as const;
/** 4gb_segments to runstate_update_flag, and m2p_strict; a guest for which Xen translates has runstate_update_flag alone. */
export const PV_ASSISTS: readonly number[] = [0, 1, 2, 3, 4, 5, 32];
const HVM_ASSISTS: readonly number[] = [5];

export function vmAssist(xen: Xen, { domid, cmd, assist }: CommandOf<'mm.vm_assist'>): Outcome {
  const valid = xen.domain.of(0)!.hvm.at(domid) === 1 ? HVM_ASSISTS : PV_ASSISTS;
  if (!valid.includes(assist)) return refuse('EINVAL');
  const on = cmd === VMASST_CMD.enable;
  if (!on && cmd !== VMASST_CMD.disable) return refuse('ENOSYS');
  return xen.mm.hasAssist(domid, assist) === on ? accept() : accept({}, { type: 'mm.assist_set', domid, assist, on });
}
