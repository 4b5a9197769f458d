import { expect, test } from 'vitest';
import { build } from '../../../tools/fuzz/arbitraries/domain.ts';
import { bootedHost } from '../../../tools/fuzz/booted-host.ts';
import type { CoreHost } from '../../../tools/fuzz/core-host.ts';
import { writePaeTables, writeTables } from '../../../tools/fuzz/page-tables.ts';
import { vcpu_guest_context } from '../../abi/vcpu-context.ts';
import type { CoreCommand } from '../index.ts';

const D = 3;
/** d3 is PV with 24 pages and a second vCPU that has not begun; its tables stand in pages 0 to 3, and nobody uses them yet. */
function world(size = 64): { host: CoreHost; frame: (page: number) => number } {
  const host = bootedHost().prepare(...build(D, { vcpus: 2, pages: 24, hvm: false, size }));
  return { host, frame: (size === 32 ? writePaeTables : writeTables)(host, D, 20).frame };
}
const cr3 = (mfn: number): bigint => BigInt(mfn) << 12n;
function context(fields: object, width: 'x86_64' | 'x86_32' = 'x86_64'): Uint8Array {
  const bytes = new Uint8Array(vcpu_guest_context[width].size);
  vcpu_guest_context[width].write(bytes, fields as never);
  return bytes;
}
const set = (bytes: Uint8Array, vcpu = 1): CoreCommand => ({
  ...{ type: 'domctl.setvcpucontext_from', domid: 0, domain: D, vcpu, context: bytes },
});
const get = (vcpu = 1): CoreCommand => ({ type: 'domctl.getvcpucontext', domid: 0, domain: D, vcpu });
const KERNEL = 0xffff_ffff_8100_0000n;
/** All that a builder says. */
const whole = (frame: (page: number) => number) => ({
  flags: 0x24n,
  fpu_ctxt: new Uint8Array(512).fill(7),
  user_regs: { general: new Uint8Array(128).fill(9), rip: KERNEL, cs: 0xe030, rflags: 0x1000n, rsp: KERNEL + 8n, ss: 0xe028 },
  trap_ctxt: [{}, { vector: 1, flags: 4, cs: 0xe030, address: KERNEL + 16n }],
  ...{ ldt_base: 0x7000n, ldt_ents: 3n, gdt_frames: [BigInt(frame(8))], gdt_ents: 512n },
  ...{ kernel_ss: 0xe028n, kernel_sp: KERNEL + 32n, ctrlreg: [8n, 0n, 0n, cr3(frame(0))] },
  debugreg: [0x1000n, 0n, 0n, 0n, 0n, 0n, 0n, 0n],
  ...{ event_callback_eip: KERNEL + 64n, failsafe_callback_eip: KERNEL + 80n, syscall_callback_eip: KERNEL + 96n },
  ...{ vm_assist: 0x20n, fs_base: 5n, gs_base_kernel: KERNEL, gs_base_user: 6n },
});

test('a vCPU begins on the page tables that its context names, which are held from then on', () => {
  const { host, frame } = world();
  const before = whole(frame);
  // The page of descriptors is mapped by nobody who may write to it.
  host.memory.put64(frame(3), 8 * 8, 0n);
  expect(host.answer(set(context(before)))).toEqual({});
  const { mm } = host.xen;
  expect([mm.baseptr(D, 1, false), mm.baseptr(D, 1, true)]).toEqual([frame(0), -1]);
  expect([0, 1, 2, 3, 8].map((page) => mm.frame(frame(page)).type)).toEqual([
    ...['l4_page_table', 'l3_page_table', 'l2_page_table', 'l1_page_table', 'seg_desc_page'],
  ]);
  expect(mm.context(D, 1)).toMatchObject({
    ...{
      gdt_ents: 512,
      ldt_base: 0x7000,
      ldt_ents: 3,
      kernel_ss: 0xe02b,
      kernel_sp: -0x7effffe0,
      ts: true,
      iopl: 1,
      user: false,
    },
    trap_table: { 1: { flags: 4, cs: 0xe033, address: -0x7efffff0 } },
    callbacks: { 0: { address: -0x7effffc0 }, 1: { address: -0x7effffb0 }, 2: { address: -0x7effffa0 } },
    ...{ segment_bases: { 0: 5, 1: 6, 2: -0x7f000000 }, dr: [0x1000, 0, 0, 0] },
    regs: { rip: -0x7f000000, cs: 0xe033, rflags: 0x200, rsp: -0x7efffff8, ss: 0xe02b },
  });
  expect(host.xen.sched.vcpu.row(D, 1)).toMatchObject({ initialised: 1, up: 1 });

  // What was set is given back, with the selectors and flags as they are used.
  const { context: bytes } = host.answer(get()) as { context: Uint8Array };
  const back = vcpu_guest_context.x86_64.read(bytes) as unknown as Record<string, unknown>;
  expect(back).toMatchObject({
    ...before,
    vm_assist: 0n, // of vCPU 0 alone
    trap_ctxt: expect.arrayContaining([{ vector: 1, flags: 4, cs: 0xe033, address: KERNEL + 16n }]),
    user_regs: { general: new Uint8Array(128).fill(9), rip: KERNEL, cs: 0xe033, rflags: 0x1200n, rsp: KERNEL + 8n, ss: 0xe02b },
    gdt_frames: expect.arrayContaining([BigInt(frame(8))]),
    ...{ kernel_ss: 0xe02bn, ctrlreg: [8n, 0n, 0n, cr3(frame(0)), 0n, 0n, 0n, 0n] },
    debugreg: [0x1000n, 0n, 0n, 0n, 0n, 0n, 0xffff0ff0n, 0x400n],
  });
  // Again: its tables are not changed so.
  expect(host.answer(set(bytes))).toEqual({});
  expect(host.answer(set(context({ ...before, gdt_ents: 0n })))).toBe('EOPNOTSUPP');
  expect(host.answer(set(context({ ...before, ctrlreg: [0n, 0n, 0n, cr3(frame(1))] })))).toBe('EOPNOTSUPP');
});

test('users have their own tables; vCPU 0 chooses the assists; who is not online does not run', () => {
  const { host, frame } = world();
  host.prepare({ type: 'vcpu.register_vcpu_info', domid: D, vcpu: 1, current: 0, mfn: frame(20), offset: 0 });
  const user = { flags: 0n, ctrlreg: [0n, cr3(frame(9)), 0n, cr3(frame(0))] };
  host.memory.put64(frame(3), 9 * 8, 0n);
  expect(host.answer({ type: 'vcpu.initialise_from', domid: D, vcpu: 1, context: context(user) })).toEqual({});
  expect(host.xen.mm.baseptr(D, 1, true)).toBe(frame(9));
  expect([host.xen.mm.context(D, 1).user, host.xen.sched.vcpu.of(D)!.up.at(1)]).toEqual([true, 0]);
  expect(host.answer({ type: 'vcpu.initialise_from', domid: D, vcpu: 1, context: context(user) })).toBe('EEXIST');
});

test.each<[string, (frame: (page: number) => number) => object, unknown]>([
  ['no root', () => ({ flags: 4n }), 'EINVAL'],
  ["a root that is nobody's", () => ({ flags: 4n, ctrlreg: [0n, 0n, 0n, 0x5000n] }), 'EINVAL'],
  ['a root with a page table below that can not be', (f) => ({ flags: 4n, ctrlreg: [0n, 0n, 0n, cr3(f(1))] }), 'EINVAL'],
  ['users on no tables', (f) => ({ flags: 0n, ctrlreg: [0n, 0n, 0n, cr3(f(0))] }), 'EINVAL'],
  ['descriptors in a page that is written to', (f) => ({ ...whole(f) }), 'EINVAL'],
  ['an assist that there is not', (f) => ({ ...whole(f), vm_assist: 0x40n }), 'EINVAL'],
])('a vCPU does not begin with %s, and nothing is held', (name, fields, expected) => {
  const { host, frame } = world();
  const vcpu = name.startsWith('an assist') ? 0 : 1;
  expect(host.answer(set(context(fields(frame)), vcpu))).toBe(expected);
  expect([...host.xen.mm.all()].filter(([, { domid }]) => domid === D)).toEqual([]);
});

test('a context is as wide as its domain', () => {
  const { host, frame } = world(32);
  expect(host.answer(set(context({ flags: 4n })))).toBe('EFAULT');
  const ctrlreg = [8n, 0n, 0n, cr3(frame(0)), 0n, 0n, 0n, 0n];
  const user_regs = { eip: 0xc0100000, cs: 0xe019, eflags: 0, esp: 0xc0200000, ss: 0xe021 };
  const given = { flags: 0x24n, user_regs, ctrlreg };
  expect(host.answer(set(context({ ...given, ctrlreg: [8n, 0n, 0n, cr3(frame(1))] }, 'x86_32')))).toBe('EINVAL');
  expect(host.answer(set(context(given, 'x86_32')))).toEqual({});
  const { context: bytes } = host.answer(get()) as { context: Uint8Array };
  expect(vcpu_guest_context.x86_32.read(bytes)).toMatchObject({
    ...given,
    user_regs: { ...user_regs, eflags: 0x200 },
  });
  expect([host.xen.mm.baseptr(D, 1, false), host.xen.mm.frame(frame(0)).type]).toEqual([frame(0), 'l3_page_table']);
  expect(host.answer(set(bytes))).toEqual({});
  expect(host.answer(set(context({ ...given, ctrlreg: [8n, 0n, 0n, cr3(frame(1))] }, 'x86_32')))).toBe('EOPNOTSUPP');
});
