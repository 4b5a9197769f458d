import { expect, test } from 'vitest';
import { bootedHost } from '../../../tools/fuzz/booted-host.ts';
import type { CoreHost } from '../../../tools/fuzz/core-host.ts';
import { UPCALL_MASK } from '../evtchn/pending.ts';
import type { CoreCommand } from '../index.ts';
import { CALLBACKTYPE } from './context.ts';

const SELF = 0x7ff0;
const D = 1;
const me = { domid: D, vcpu: 0 };
/** Where a kernel of 64 bits is. */
const KERNEL = -(2 ** 31) + 0x1000000;
const UNCANONICAL = 2 ** 47;
const context = (host: CoreHost) => host.xen.mm.context(D, 0);
const frame = (page: number): number => bootedHost().xen.p2m.mfn(D, page);
const gdt = (frames: number[], entries: number): CoreCommand => ({ type: 'mm.set_gdt', ...me, frames, entries });
const descriptor = (maddr: number, desc_a: number, desc_b: number): CoreCommand => ({
  type: 'mm.update_descriptor',
  ...me,
  maddr,
  desc_a,
  desc_b,
});
const CODE = 0x00af9b00;
const CALL_GATE = 0x00008c00;
const debug = (reg: number, value: number): CoreCommand => ({ type: 'mm.set_debugreg', ...me, reg, value });
const read = (reg: number): CoreCommand => ({ type: 'mm.get_debugreg', ...me, reg });
const iret = (cs: number, rflags = 0x202): CoreCommand => ({
  type: 'mm.iret',
  ...me,
  rip: KERNEL,
  cs,
  rflags,
  rsp: KERNEL - 64,
  ss: 0xe02b,
  flags: 0,
});
const ldt = (linear_addr: number, nr_ents: number): CoreCommand => ({
  type: 'mmuext.set_ldt',
  ...me,
  foreigndom: SELF,
  linear_addr,
  nr_ents,
});

// d1 is PV; d2 is not.
test.each<[string, CoreCommand[], CoreCommand, unknown]>([
  ['a table of traps', [], { type: 'mm.set_trap_table', ...me, traps: [3, 3, 0xe033, KERNEL, 0, 0, 0, 0], clear: false }, {}],
  [
    '... with an address that is none',
    [],
    { type: 'mm.set_trap_table', ...me, traps: [3, 3, 0, UNCANONICAL], clear: false },
    'EINVAL',
  ],
  ['... cut off', [], { type: 'mm.set_trap_table', ...me, traps: [3, 3], clear: false }, 'EFAULT'],
  ['... none', [], { type: 'mm.set_trap_table', ...me, traps: [], clear: true }, {}],
  [
    '... of a guest that Xen translates for',
    [],
    { type: 'mm.set_trap_table', domid: 2, vcpu: 0, traps: [], clear: true },
    'ENOSYS',
  ],
  ['... of a vCPU that is not there', [], { type: 'mm.set_trap_table', domid: D, vcpu: 5, traps: [], clear: true }, 'ENOENT'],

  ['a table of descriptors', [], gdt([frame(3)], 512), {}],
  [
    '... too large',
    [],
    gdt(
      Array.from({ length: 15 }, () => frame(3)),
      14 * 512 + 1,
    ),
    'EINVAL',
  ],
  ['... of fewer frames than that takes', [], gdt([frame(3)], 513), 'EFAULT'],
  ["... of another's frames", [], gdt([bootedHost().xen.p2m.mfn(2, 3)], 1), 'EINVAL'],
  ['... none', [gdt([frame(3)], 512)], gdt([], 0), {}],
  [
    '... of what is a page table',
    [{ type: 'mmuext.pin_l1_table', ...me, foreigndom: SELF, mfn: frame(3) }],
    gdt([frame(3)], 1),
    'EINVAL',
  ],
  ['a descriptor', [gdt([frame(3)], 512)], descriptor(frame(3) * 4096 + 8, 0xffff, CODE), {}],
  ['... in memory that is only memory', [], descriptor(frame(3) * 4096 + 8, 0xffff, CODE), {}],
  ['... at no place for one', [], descriptor(frame(3) * 4096 + 4, 0xffff, CODE), 'EINVAL'],
  ['... that leads into Xen', [], descriptor(frame(3) * 4096, 0xe0080000, CALL_GATE), 'EINVAL'],
  ['... a gate to the guest itself', [], descriptor(frame(3) * 4096, 0x00330000, CALL_GATE), {}],
  ['... of a task', [], descriptor(frame(3) * 4096, 0, 0x8900), 'EINVAL'],
  ["... in another's memory", [], descriptor(bootedHost().xen.p2m.mfn(2, 3) * 4096, 0xffff, CODE), 'EINVAL'],
  ['a local table', [], ldt(4096, 10), {}],
  ['... none, wherever', [], ldt(5, 0), {}],
  ['... too large', [], ldt(4096, 8193), 'EINVAL'],
  ['... at no page', [], ldt(4097, 10), 'EINVAL'],
  ['... where Xen is', [], ldt(-(2 ** 47), 10), 'EINVAL'],

  ['a callback', [], { type: 'callback.register', ...me, callback: CALLBACKTYPE.event, flags: 0, address: KERNEL }, {}],
  [
    '... at an address that is none',
    [],
    { type: 'callback.register', ...me, callback: CALLBACKTYPE.event, flags: 0, address: UNCANONICAL },
    'EINVAL',
  ],
  ['... of no kind', [], { type: 'callback.register', ...me, callback: 3, flags: 0, address: KERNEL }, 'ENOSYS'],
  ['... is not taken back', [], { type: 'callback.unregister', ...me, callback: CALLBACKTYPE.event }, 'EINVAL'],
  ['... but that for an NMI', [], { type: 'callback.unregister', ...me, callback: CALLBACKTYPE.nmi }, {}],
  ['... of no kind', [], { type: 'callback.unregister', ...me, callback: 3 }, 'ENOSYS'],
  [
    'three callbacks at once',
    [],
    { type: 'mm.set_callbacks', ...me, event_address: KERNEL, failsafe_address: UNCANONICAL, syscall_address: 1 },
    {},
  ],
  ['a handler of NMIs', [], { type: 'nmi.register_callback', ...me, handler_address: UNCANONICAL }, 'EINVAL'],

  ['a base', [], { type: 'mm.set_segment_base', ...me, which: 2, base: KERNEL }, {}],
  ['... that is no address', [], { type: 'mm.set_segment_base', ...me, which: 0, base: UNCANONICAL }, 'EINVAL'],
  ['... by a selector', [], { type: 'mm.set_segment_base', ...me, which: 3, base: UNCANONICAL }, {}],
  ['... of nothing', [], { type: 'mm.set_segment_base', ...me, which: 4, base: 0 }, 'EINVAL'],

  ['a breakpoint', [debug(1, 0x1000)], read(1), { value: 0x1000 }],
  ['... in Xen', [], debug(1, -(2 ** 47)), 'EPERM'],
  ['... what came of it', [debug(6, 0)], read(6), { value: 0xffff0ff0 }],
  ['... by its old number', [debug(4, 0xffffffff)], read(4), { value: 0xffffefff }],
  ['... switched on', [debug(7, 0x3)], read(5), { value: 0x403 }],
  ['... at a port, which is not allowed', [], debug(7, 0x20003), 'EPERM'],
  ['... at a port, but not on', [], debug(7, 0x20000), {}],
  ['... that watches breakpoints', [], debug(7, 0x2000), 'EPERM'],
  ['... in more than 32 bits', [], debug(7, 2 ** 32), 'EINVAL'],
  ['... that there is not', [], debug(8, 0), 'ENODEV'],
  ['... nor to read', [], read(-1), 'ENODEV'],
  ['... as it is at first', [], read(7), { value: 0x400 }],

  ['an assist', [], { type: 'mm.vm_assist', domid: D, cmd: 0, assist: 32 }, {}],
  ['... that there is not', [], { type: 'mm.vm_assist', domid: D, cmd: 0, assist: 6 }, 'EINVAL'],
  ['... for another kind of guest', [], { type: 'mm.vm_assist', domid: 2, cmd: 0, assist: 32 }, 'EINVAL'],
  ['... that both have', [], { type: 'mm.vm_assist', domid: 2, cmd: 0, assist: 5 }, {}],
  ['... of no kind of call', [], { type: 'mm.vm_assist', domid: D, cmd: 2, assist: 4 }, 'ENOSYS'],
  ['coming back into the kernel', [], iret(0xe030), {}],
])('%s', (_, before, command, expected) => {
  expect(
    bootedHost()
      .prepare(...before)
      .answer(command),
  ).toEqual(expected);
});

test('what a vCPU has told is kept, as Xen keeps it', () => {
  const host = bootedHost().prepare(
    { type: 'mm.set_trap_table', ...me, traps: [14, 4, 0xe030, KERNEL, 3, 3, 0xe033, KERNEL + 16, 0, 0, 0, 0], clear: false },
    { type: 'nmi.register_callback', ...me, handler_address: KERNEL + 32 },
    { type: 'mm.set_callbacks', ...me, event_address: KERNEL, failsafe_address: UNCANONICAL, syscall_address: KERNEL + 8 },
    { type: 'mm.stack_switch', ...me, ss: 0xe028, esp: KERNEL - 8 },
    { type: 'mm.fpu_taskswitch', ...me, set: 1 },
    { type: 'mm.set_segment_base', ...me, which: 3, base: 0x10008 },
    ldt(8192, 3),
    gdt([frame(3)], 20),
  );
  expect(context(host)).toMatchObject({
    trap_table: {
      2: { flags: 4, cs: 0xe033, address: KERNEL + 32 },
      3: { flags: 3, cs: 0xe033, address: KERNEL + 16 },
      14: { flags: 4, cs: 0xe033, address: KERNEL },
    },
    callbacks: { 0: { address: KERNEL, flags: 0 }, 2: { address: KERNEL + 8, flags: 0 } },
    kernel_ss: 0xe02b,
    kernel_sp: KERNEL - 8,
    ts: true,
    segment_bases: { 3: 11 },
    ldt_base: 8192,
    ldt_ents: 3,
    gdt_frames: [frame(3)],
    gdt_ents: 20,
  });
  host.prepare({ type: 'nmi.unregister_callback', ...me }, { type: 'mm.fpu_taskswitch', ...me, set: 0 });
  expect(Object.keys(context(host).trap_table)).toEqual(['3', '14']);
  host.prepare({ type: 'mm.set_trap_table', ...me, traps: [], clear: true });
  expect(context(host)).toMatchObject({ trap_table: {}, ts: false });
  while (host.answer({ type: 'domctl.destroydomain', domid: 0, domain: D }) === 'ERESTART');
  expect(host.xen.mm.contexts.keys()).toEqual([]);
});

test("descriptors are made the guest's own when their page becomes a table of them", () => {
  const host = bootedHost();
  const mfn = frame(3);
  host.memory.put32(mfn, 8, 0xffff);
  host.memory.put32(mfn, 12, CODE);
  host.prepare(gdt([mfn], 512));
  expect(host.memory.get32(mfn, 12)).toBe(CODE | 0x6000);
  expect(host.xen.mm.frame(mfn)).toMatchObject({ type: 'seg_desc_page', type_count: 1 });
  host.prepare(descriptor(mfn * 4096 + 16, 0xffff, CODE));
  expect(host.memory.get32(mfn, 20)).toBe(CODE | 0x6000);
  // Nobody writes there without Xen, and what leads into Xen is not taken at all.
  const write: CoreCommand = { type: 'mm.mmu_update', ...me, foreigndom: SELF, ptr: mfn * 4096, val_lo: 0, val_hi: 0 };
  expect(host.answer(write)).toBe('EINVAL');
  host.memory.put32(frame(4), 4, 0x8900);
  expect(host.answer(gdt([frame(4)], 512))).toBe('EINVAL');
  host.prepare(gdt([], 0));
  expect(host.answer(write)).toEqual({});
});

test('a kernel returns where it says, with the mask of events that its flags are', () => {
  const host = bootedHost().prepare({ type: 'mm.vm_assist', domid: D, cmd: 0, assist: 4 }, iret(0xe030, 0x3002));
  expect(host.memory.get8(host.xen.sharedInfo(D), UPCALL_MASK)).toBe(1);
  expect(context(host)).toMatchObject({ regs: { rip: KERNEL, cs: 0xe033, rsp: KERNEL - 64, ss: 0xe02b }, iopl: 3, user: false });
  expect(context(host).regs.rflags & 0x3000).toBe(0);
  host.prepare(iret(0xe030));
  expect(host.memory.get8(host.xen.sharedInfo(D), UPCALL_MASK)).toBe(0);
});

test('... and to user mode, if there is one: else the domain has crashed', () => {
  const host = bootedHost().prepare({ type: 'mmuext.new_user_baseptr', ...me, foreigndom: SELF, mfn: frame(2) }, iret(0xe033));
  expect(context(host).user).toBe(true);
  host.prepare({ type: 'mmuext.new_user_baseptr', ...me, foreigndom: SELF, mfn: 0 });
  expect(host.types(iret(0xe033))).toContain('domain.crashed');
  expect(host.xen.domain.row(0, D).shut_down).toBe('crash');
});
