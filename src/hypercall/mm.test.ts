import { describe, expect, test } from 'vitest';
import { bootedHost } from '../../tools/fuzz/booted-host.ts';
import type { CoreHost } from '../../tools/fuzz/core-host.ts';
import { present, pte, rw, user, writeTables } from '../../tools/fuzz/page-tables.ts';
import { AT, bytes, callRaw, hostOf, load, store, type Width } from '../../tools/fuzz/raw-port.ts';
import { HYPERVISOR } from '../abi/hypercall.ts';
import { MMU_UPDATE_PREEMPTED } from '../abi/mmu.ts';
import { MMUEXT } from '../abi/sub-operations.ts';

const D = 1;
const SELF = 0x7ff0n;
/** Page 5 of d1 is where its kernel has its lists, the last bytes of it where it is told how many are done. */
const LIST = 5n * 4096n;
const DONE = LIST + 4000n;
const caller = { domid: D, vcpu: 0, width: 64 } as const;
const raw = (host: CoreHost, name: keyof typeof HYPERVISOR, args: readonly bigint[], preempt?: number) =>
  callRaw(host, caller, HYPERVISOR[name], args, preempt);

function put(host: CoreHost, at: bigint, ...values: readonly bigint[]): void {
  const bytes = new Uint8Array(values.length * 8);
  const view = new DataView(bytes.buffer);
  for (const [i, value] of values.entries()) view.setBigUint64(i * 8, BigInt.asUintN(64, value), true);
  store(host, D, Number(at), bytes);
}
const nrDone = (host: CoreHost): number => new DataView(load(host, D, Number(DONE), 4).buffer).getUint32(0, true);

/** d1 has written page tables into its pages 0 to 3, which map its first four. */
function world() {
  const host = bootedHost();
  const { tables, frame } = writeTables(host, D, 4);
  const machine = (page: number, offset = 0): bigint => BigInt(frame(page)) * 4096n + BigInt(offset);
  return { host, frame, tables: tables.map(BigInt), machine };
}
const op = (cmd: keyof typeof MMUEXT, arg1: bigint, arg2 = 0n): bigint[] => [BigInt(MMUEXT[cmd]), arg1, arg2];

test('a list of mmuext_op is a step for each, and says how many are done', () => {
  const { host, tables } = world();
  put(
    host,
    LIST,
    ...op('pin_l4_table', tables[0]!),
    ...op('new_baseptr', tables[0]!),
    ...op('tlb_flush_local', 0n),
    ...op('unpin_table', 1n),
  );
  const before = host.steps.length;
  expect(raw(host, 'mmuext_op', [LIST, 4n, DONE, SELF])).toEqual({ done: true, rc: -22 });
  expect(nrDone(host)).toBe(3);
  expect(host.steps.slice(before).map(({ command, batch }) => [command.type, batch])).toEqual([
    ['mmuext.pin_l4_table', 0],
    ['mmuext.new_baseptr', 1],
    ['mmuext.tlb_flush_local', 2],
    ['mmuext.unpin_table', 3],
  ]);
});

test('a list of mmu_update goes on where it was interrupted, and counts on', () => {
  const { host, tables, frame, machine } = world();
  put(host, LIST, ...op('pin_l4_table', tables[0]!));
  expect(raw(host, 'mmuext_op', [LIST, 1n, 0n, SELF])).toEqual({ done: true, rc: 0 });
  put(
    host,
    LIST,
    machine(3, 320),
    pte(frame(4), present | rw | user),
    machine(3, 328),
    pte(frame(4), present),
    machine(4, 8),
    5n,
  );
  const first = raw(host, 'mmu_update', [LIST, 3n, DONE, SELF], 1);
  expect(first).toEqual({
    done: false,
    continuation: { number: HYPERVISOR.mmu_update, args: [LIST + 16n, BigInt(2 + MMU_UPDATE_PREEMPTED), DONE, SELF] },
  });
  expect(nrDone(host)).toBe(1);
  if (first.done) return;
  expect(callRaw(host, caller, first.continuation.number, first.continuation.args)).toEqual({ done: true, rc: 0 });
  expect(nrDone(host)).toBe(3);
  expect(host.memory.get32(frame(4), 8)).toBe(5);
});

test('a page table is not written to by what a hypercall answers either', () => {
  const { host, tables } = world();
  put(host, LIST, ...op('pin_l4_table', tables[0]!));
  raw(host, 'mmuext_op', [LIST, 1n, 0n, SELF]);
  // Page 3 is a page table now: a structure there is read, and its answer goes nowhere.
  expect(raw(host, 'memory_op', [12n, 3n * 4096n])).toEqual({ done: true, rc: -14 });
});

test('what stands in registers alone', () => {
  const { host, tables, frame } = world();
  put(host, LIST, ...op('pin_l4_table', tables[0]!), ...op('new_baseptr', tables[0]!));
  raw(host, 'mmuext_op', [LIST, 2n, 0n, SELF]);
  const rc = (name: keyof typeof HYPERVISOR, ...args: bigint[]) => {
    const result = raw(
      host,
      name,
      args.map((arg) => BigInt.asUintN(64, arg)),
    );
    return result.done ? result.rc : undefined;
  };
  const kernel = -(2n ** 31n);
  expect(rc('update_va_mapping', 40n * 4096n, pte(frame(4), present | rw), 2n)).toBe(0);
  expect(rc('update_va_mapping', 2n ** 47n, pte(frame(4), present | rw), 2n)).toBe(-22);
  expect(rc('update_va_mapping_otherdomain', 0n, 0n, 0n, 99n)).toBe(-3);
  expect(rc('vm_assist', 0n, 4n)).toBe(0);
  expect(rc('stack_switch', 0xe02bn, kernel)).toBe(0);
  expect(rc('set_callbacks', kernel, kernel, kernel)).toBe(0);
  expect(rc('set_segment_base', 2n, kernel)).toBe(0);
  expect(rc('set_debugreg', 0n, 0x5000n)).toBe(0);
  expect(rc('get_debugreg', 0n)).toBe(0x5000);
  expect(rc('get_debugreg', 9n)).toBe(-19);
  expect(rc('fpu_taskswitch', 1n)).toBe(0);
  expect(rc('update_descriptor', BigInt(frame(4)) * 4096n, 0x00af9b000000ffffn)).toBe(0);
  expect(host.memory.get32(frame(4), 4)).toBe(0x00affb00);
  expect(host.xen.mm.context(D, 0)).toMatchObject({ kernel_sp: -(2 ** 31), ts: true, segment_bases: { 2: -(2 ** 31) } });

  put(host, LIST, 0xe033_03_0en | (0xe033n << 16n), kernel, 0n, 0n);
  expect(rc('set_trap_table', LIST)).toBe(0);
  expect(Object.keys(host.xen.mm.context(D, 0).trap_table)).toHaveLength(1);
  expect(rc('set_trap_table', 0n)).toBe(0);
  expect(host.xen.mm.context(D, 0).trap_table).toEqual({});
  expect(rc('set_trap_table', 2n ** 40n)).toBe(-14);
  put(host, LIST, 0n);
  expect(rc('set_gdt', LIST, 1n)).toBe(-22);
  expect(rc('set_gdt', 2n ** 40n, 1n)).toBe(-14);
  // A callback is { u16 type; u16 flags; u64 address }.
  put(host, LIST, 0n, kernel);
  expect(rc('callback_op', 0n, LIST)).toBe(0);
  expect(host.xen.mm.context(D, 0).callbacks[0]).toEqual({ address: -(2 ** 31), flags: 0 });
  put(host, LIST, kernel, 0n);
  expect(rc('nmi_op', 0n, LIST)).toBe(0);
  expect(rc('nmi_op', 1n)).toBe(0);
  expect(rc('nmi_op', 2n)).toBe(-38);
});

test('what pages are used as, in the places of their numbers', () => {
  const { host, tables } = world();
  put(host, LIST, ...op('pin_l4_table', tables[0]!));
  raw(host, 'mmuext_op', [LIST, 1n, 0n, SELF]);
  const store0 = (at: number, ...values: bigint[]): void => {
    const bytes = new Uint8Array(values.length * 8);
    values.forEach((value, i) => {
      new DataView(bytes.buffer).setBigUint64(i * 8, value, true);
    });
    store(host, 0, at, bytes);
  };
  // struct xen_domctl: the command and the interface's version, the domain, and 16 bytes from the start what is asked.
  store0(0, 61n | (0x15n << 32n), 1n, 3n, 4096n);
  store0(4096, tables[0]!, tables[3]!, 2n ** 30n);
  expect(callRaw(host, { domid: 0, vcpu: 0, width: 64 }, HYPERVISOR.domctl, [0n])).toEqual({ done: true, rc: 0 });
  const answer = new DataView(load(host, 0, 4096, 24).buffer);
  expect([0, 8, 16].map((at) => answer.getUint32(at, true))).toEqual([0xc0000000, 0x10000000, 0xf0000000]);
});

describe('iret', () => {
  const iret = (host: CoreHost, width: Width, rsp?: bigint) => {
    const caller = rsp === undefined ? { domid: 1, vcpu: 0, width } : { domid: 1, vcpu: 0, width, rsp };
    const result = callRaw(host, caller, HYPERVISOR.iret, []);
    return result.done ? result.rc : undefined;
  };
  const kernel = 0xffff_ffff_8000_0000n;
  test('of 64 bits: { rax, r11, rcx, flags, rip, cs, rflags, rsp, ss } on the stack; the first is what the call returns', () => {
    const host = hostOf(64);
    const frame = [0x77n, 0n, 0n, 0n, kernel, 0xe030n, 0x202n, 0x5000n, 0xe028n].map((value) => [64, value] as const);
    store(host, 1, AT, bytes(...frame));
    expect(iret(host, 64, BigInt(AT))).toBe(0x77);
    expect(host.xen.mm.context(1, 0).regs).toEqual({ rip: -(2 ** 31), cs: 0xe033, rflags: 0x202, rsp: 0x5000, ss: 0xe02b });
  });
  test('of 32 bits: { eax, eip, cs, eflags, esp, ss }, of which ring 1 has no stack', () => {
    const host = hostOf(32);
    store(host, 1, AT, bytes(...[5, 0xc0001000, 0xe019, 0x202].map((value) => [32, value] as const)));
    expect(iret(host, 32, BigInt(AT))).toBe(5);
    expect(host.xen.mm.context(1, 0).regs).toMatchObject({ rip: 0xc0001000, cs: 0xe019, rsp: AT + 16 });
    store(host, 1, AT, bytes(...[5, 0x8000, 0x73, 0x202, 0xbf000, 0x7b].map((value) => [32, value] as const)));
    expect(iret(host, 32, BigInt(AT))).toBe(5);
    expect(host.xen.mm.context(1, 0)).toMatchObject({ user: false, regs: { rip: 0x8000, cs: 0x73, rsp: 0xbf000, ss: 0x7b } });
    store(host, 1, AT, bytes(...[5, 0x8000, 0x70, 0x202, 0, 0].map((value) => [32, value] as const)));
    expect([iret(host, 32, BigInt(AT)), host.xen.domain.of(0)!.shut_down.is(1)]).toEqual([0, 'crash']);
  });
  test('without a frame its domain crashes; without a stack there is no such call', () => {
    const host = hostOf(64);
    expect(iret(host, 64)).toBe(-38);
    expect([iret(host, 64, 0x100000n), host.xen.domain.of(0)!.shut_down.is(1)]).toEqual([0, 'crash']);
    expect(host.steps.at(-1)!.command).toMatchObject({ type: 'vcpu.domain_crash', why: 'no frame to return by' });
  });
});
