import { expect, test } from 'vitest';
import { errnoNumber } from '../../events/errno.ts';
import { AT, bytes, call, hostOf, load, rc, store } from '../../tools/fuzz/raw-port.ts';
import { HYPERVISOR } from '../abi/hypercall.ts';

const E = errnoNumber;
const DOMID_SELF = 0x7ff0;
const DONE = 0x5000;

test('mmuext_op: a list, a step each, and how many were done', () => {
  const host = hostOf();
  const flush = bytes([32, 6], [32, 0], [64, 0], [64, 0]);
  const unknown = bytes([32, 99], [32, 0], [64, 0], [64, 0]);
  store(host, 1, AT, new Uint8Array([...flush, ...flush, ...unknown, ...flush]));
  expect(rc(host, HYPERVISOR.mmuext_op, [AT, 4, DONE, DOMID_SELF])).toBe(E('ENOSYS'));
  expect([...load(host, 1, DONE, 4)]).toEqual([2, 0, 0, 0]);
  expect(host.steps.slice(-3).map(({ batch, command }) => [batch, command.type])).toEqual([
    [0, 'mmuext.tlb_flush_local'],
    [1, 'mmuext.tlb_flush_local'],
    [2, 'hypercall.note_refused'],
  ]);
});

test('a list that goes on counts on', () => {
  const host = hostOf();
  const flush = bytes([32, 6], [32, 0], [64, 0], [64, 0]);
  store(host, 1, AT, new Uint8Array([...flush, ...flush, ...flush]));
  const first = call(host, HYPERVISOR.mmuext_op, [AT, 3, DONE, DOMID_SELF], { preempt: 2 });
  const args = [BigInt(AT + 48), 0x80000001n, BigInt(DONE), BigInt(DOMID_SELF)];
  expect(first).toEqual({ done: false, continuation: { number: HYPERVISOR.mmuext_op, args } });
  expect([...load(host, 1, DONE, 1)]).toEqual([2]);
  expect(call(host, HYPERVISOR.mmuext_op, args)).toEqual({ done: true, rc: 0 });
  expect([...load(host, 1, DONE, 1)]).toEqual([3]);
});

test('mmu_update: { ptr, val }', () => {
  const host = hostOf();
  const ptr = BigInt(host.xen.p2m.mfn(1, 3)) * 4096n + 1n;
  rc(host, HYPERVISOR.mmu_update, [AT, 1, 0, DOMID_SELF], bytes([64, ptr], [64, 0x8000_0000_0000_0067n]));
  const command = { type: 'mm.mmu_update', domid: 1, vcpu: 0, foreigndom: DOMID_SELF, val_lo: 0x67, val_hi: 0x80000000 };
  expect(host.steps.at(-1)!.command).toEqual({ ...command, ptr: Number(ptr) });
  expect(rc(host, HYPERVISOR.mmu_update, [0x100000, 1, 0, DOMID_SELF])).toBe(E('EFAULT'));
});

test.each<[32 | 64, readonly (number | bigint)[], object]>([
  [64, [0xffff_8880_0000_1000n, (1n << 63n) | 0x25n, 2], { va: -0x777f_ffff_f000, val_lo: 0x25, val_hi: 0x80000000, flags: 2 }],
  [32, [0x1000, 0x25, 0x80000000, 2], { va: 0x1000, val_lo: 0x25, val_hi: 0x80000000, flags: 2 }],
])('update_va_mapping of %i bits', (width, args, command) => {
  const host = hostOf(width);
  rc(host, HYPERVISOR.update_va_mapping, args, undefined, { width });
  expect(host.steps.at(-1)!.command).toEqual({ type: 'mm.update_va_mapping', domid: 1, vcpu: 0, ...command });
});

test('what a 32-bit kernel passes in two registers', () => {
  const host = hostOf(32);
  const by = { width: 32 } as const;
  rc(host, HYPERVISOR.update_descriptor, [0x5008, 1, 0xffff, 0xcf9b00], undefined, by);
  expect(host.steps.at(-1)!.command).toMatchObject({ maddr: 2 ** 32 + 0x5008, desc_a: 0xffff, desc_b: 0xcf9b00 });
  rc(host, HYPERVISOR.set_callbacks, [0xe019, 0x1000, 0xe019, 0x2000], undefined, by);
  expect(host.steps.at(-1)!.command).toMatchObject({ event_address: 0x1000, failsafe_address: 0x2000, syscall_address: 0 });
  rc(host, HYPERVISOR.callback_op, [0, AT], bytes([16, 0], [16, 0], [32, 0xe019], [32, 0x4000]), by);
  expect(host.steps.at(-1)!.command).toMatchObject({ type: 'callback.register', address: 0x4000 });
});

test('callbacks, a table of descriptors, what is in registers alone', () => {
  const host = hostOf();
  expect(rc(host, HYPERVISOR.callback_op, [0, AT], bytes([16, 0], [16, 0], [32, 0], [64, 0x4000]))).toBe(0);
  expect(host.steps.at(-1)!.command).toMatchObject({ type: 'callback.register', callback: 0, address: 0x4000 });
  expect(rc(host, HYPERVISOR.set_gdt, [AT, 7169])).toBe(E('EINVAL'));
  expect(rc(host, HYPERVISOR.set_gdt, [0x100000, 512])).toBe(E('EFAULT'));
  expect(rc(host, HYPERVISOR.set_gdt, [AT, 0])).toBe(0);
  expect(rc(host, HYPERVISOR.stack_switch, [0xe02b, 0x6000])).toBe(0);
  expect(rc(host, HYPERVISOR.vm_assist, [0, 99])).toBe(E('EINVAL'));
  expect(rc(host, HYPERVISOR.stack_switch, [0xe02b, 0x6000], undefined, { domid: 2 })).toBe(E('ENOSYS'));
});
