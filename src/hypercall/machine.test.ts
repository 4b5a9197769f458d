import { describe, expect, test } from 'vitest';
import { errnoNumber } from '../../events/errno.ts';
import type { CoreHost } from '../../tools/fuzz/core-host.ts';
import { writePaeTables } from '../../tools/fuzz/page-tables.ts';
import { AT, bytes, hostOf, load, rc, store } from '../../tools/fuzz/raw-port.ts';
import { HYPERVISOR } from '../abi/hypercall.ts';
import { vcpu_guest_context, vcpu_hvm_context } from '../abi/vcpu-context.ts';

const E = errnoNumber;
const last = (host: CoreHost) => host.steps.at(-1)!;
const dom0 = { domid: 0 } as const;
const word = (host: CoreHost, offset: number, domid: number): number =>
  new DataView(load(host, domid, AT + offset, 4).buffer).getUint32(0, true);

describe('physdev_op', () => {
  const op = HYPERVISOR.physdev_op;
  test('a pirq by its GSI: { domid, type, index, pirq, bus, devfn, entry_nr, table_base }', () => {
    const host = hostOf();
    const any = bytes([16, 0x7ff0], [16, 0], [32, 1], [32, 9], [32, -1], [32, 0], [32, 0], [32, 0], [32, 0], [64, 0]);
    expect(rc(host, op, [13, AT], any, dom0)).toBe(0);
    expect(last(host).command).toEqual({ type: 'physdev.map_pirq', domid: 0, dom: 0x7ff0, pirq: 9 });
    expect(word(host, 12, 0)).toBe(9);
    expect(rc(host, op, [14, AT], bytes([16, 0x7ff0], [16, 0], [32, 9]), dom0)).toBe(0);
    expect(rc(host, op, [13, AT], any)).toBe(E('EPERM'));
  });
  test('the bitmap of ports must be there', () => {
    const host = hostOf();
    expect(rc(host, op, [7, AT], bytes([64, 0x4000], [32, 1000], [32, 0]), dom0)).toBe(0);
    expect(rc(host, op, [7, AT], bytes([64, 0xf000], [32, 1000], [32, 0]), dom0)).toBe(E('EINVAL'));
  });
  test.each([
    [77, AT, 'ENOSYS'],
    [6, 0x100000, 'EFAULT'],
  ] as const)('%i at %i', (cmd, at, errno) => {
    expect(rc(hostOf(), op, [cmd, at])).toBe(E(errno));
  });
});

describe('memory_op', () => {
  const op = HYPERVISOR.memory_op;
  const access = (dom: number) => bytes([16, 1], [16, dom], [32, 0], [64, 0], [64, 0], [64, 0]);
  test('regions of devices: there are none', () => {
    const host = hostOf();
    expect(rc(host, op, [27, AT], bytes([32, 1], [32, 5], [64, AT], [32, 0]), dom0)).toBe(0);
    expect(word(host, 4, 0)).toBe(0);
    expect(rc(host, op, [27, AT], bytes([32, 2], [32, 5], [64, AT], [32, 0]), dom0)).toBe(E('EINVAL'));
  });
  test.each<[string, number, Uint8Array | undefined, number]>([
    ['of an HVM domain', AT, access(2), E('EINVAL')],
    ['of a PV domain', AT, access(1), E('EINVAL')],
    ['of nobody', AT, access(77), E('ESRCH')],
    ['nowhere', 0x100000, undefined, E('EFAULT')],
  ])('accesses %s', (_, at, struct, expected) => {
    expect(rc(hostOf(), op, [21, at], struct, dom0)).toBe(expected);
  });
});

describe('hvm_op', () => {
  const op = HYPERVISOR.hvm_op;
  const param = (index: number, value: number | bigint, dom = 0x7ff0) => bytes([16, dom], [16, 0], [32, index], [64, value]);
  test('a parameter is set and read: 64 bits, of a domain with 64', () => {
    const host = hostOf();
    const CALLBACK_IRQ = 0;
    expect(rc(host, op, [0, AT], param(CALLBACK_IRQ, (2n << 56n) | 0x20n), { domid: 2 })).toBe(0);
    expect(last(host).command).toMatchObject({ type: 'hvm.set_param', dom: 0x7ff0, index: 0, value: '0x200000000000020' });
    expect(rc(host, op, [1, AT], param(CALLBACK_IRQ, 0), { domid: 2 })).toBe(0);
    expect([word(host, 8, 2), word(host, 12, 2)]).toEqual([0x20, 0x02000000]);
  });
  test.each<[string, number, number | bigint, Uint8Array | undefined, number]>([
    ['of a PV domain', 1, AT, param(0, 0), E('EINVAL')],
    ['of nobody', 1, AT, param(0, 0, 77), E('ESRCH')],
    ['nowhere', 1, 0x100000, undefined, E('EFAULT')],
    ['altp2m, whatever stands there', 25, 0x100000, undefined, E('EOPNOTSUPP')],
    ['more traced than there is room for', 11, AT, bytes([16, 1], [16, 29], [64, 0], [64, 0], [64, 0], [32, 0]), E('EINVAL')],
    ['flush_tlbs with a structure', 5, AT, undefined, E('EINVAL')],
    ['unknown', 99, AT, undefined, E('ENOSYS')],
  ])('%s', (_, cmd, at, struct, expected) => {
    expect(rc(hostOf(), op, [cmd, at], struct)).toBe(expected);
  });
  test('what is traced is the bytes that count', () => {
    const host = hostOf();
    const given = bytes([16, 0x123], [16, 3], [32, 0x44332211], [64, 0], [64, 0], [64, 0]);
    expect(rc(host, op, [11, AT], given, { domid: 2 })).toBe(0);
    expect(last(host).command).toEqual({ type: 'hvm.xentrace', domid: 2, event: 0x123, extra: Uint8Array.of(0x11, 0x22, 0x33) });
  });
  test('get_time is the system time', () => {
    const host = hostOf();
    host.now = 2 ** 33 + 5;
    expect(rc(host, op, [10, AT])).toBe(0);
    expect([word(host, 0, 1), word(host, 4, 1)]).toEqual([5, 2]);
  });
});

describe('console_io', () => {
  const op = HYPERVISOR.console_io;
  test('dom0 writes its text, in pieces where it is long', () => {
    const host = hostOf();
    expect(rc(host, op, [0, 3, AT], new Uint8Array([72, 105, 255]), dom0)).toBe(0);
    expect(last(host).command).toEqual({ type: 'console_io.write', domid: 0, text: 'Hi\xff' });
    expect(rc(host, op, [0, 2000, AT], undefined, dom0)).toBe(0);
    expect(host.steps.slice(-2).map(({ batch }) => batch)).toEqual([0, 1]);
    expect(rc(host, op, [0, 2000, AT], undefined, { ...dom0, preempt: 1 })).toBe('goes on');
    expect(rc(host, op, [0, 0x7fffffff, AT], undefined, dom0)).toBe(E('EFAULT'));
  });
  test('what was typed is read', () => {
    const host = hostOf().prepare({ type: 'console_io.receive', text: 'ls' });
    expect(rc(host, op, [1, 80, AT], undefined, dom0)).toBe(2);
    expect([...load(host, 0, AT, 2)]).toEqual([108, 115]);
    expect(rc(host, op, [1, 2 ** 31, AT], undefined, dom0)).toBe(E('E2BIG'));
    expect(rc(host, op, [1, 80, AT])).toBe(E('EPERM'));
    expect(rc(host, op, [9, 80, AT])).toBe(E('ENOSYS'));
  });
});

describe('a vCPU’s first state', () => {
  const op = HYPERVISOR.vcpu_op;
  const context = (fields: object, width: 'x86_64' | 'x86_32' = 'x86_64'): Uint8Array => {
    const whole = new Uint8Array(vcpu_guest_context[width].size);
    vcpu_guest_context[width].write(whole, { flags: 4n, ctrlreg: [0n, 0n, 0n, cr3(8)], ...fields } as never);
    return whole;
  };
  /** An empty page is a root that maps nothing. */
  const cr3 = (page: number): bigint => BigInt(hostOf().xen.p2m.mfn(1, page)) << 12n;
  const hole = 1n << 60n;
  test.each<[string, object, number]>([
    ['is right', {}, 0],
    ['in the kernel’s half', { user_regs: { rip: 0xffff_ffff_8100_0000n } }, 0],
    ['with an address that there is not', { user_regs: { rip: hole } }, E('EINVAL')],
    ['... of a trap', { trap_ctxt: [{}, { address: hole }] }, E('EINVAL')],
    ['... of a segment', { gs_base_user: hole }, E('EINVAL')],
    ['... of tables that are not there', { ldt_base: 0x1000n, ldt_ents: 8193n }, E('EINVAL')],
    ['... in Xen’s own part', { ldt_base: 0xffff_8000_0000_0000n, ldt_ents: 1n }, E('EINVAL')],
    ['with half a page of descriptors', { ldt_base: 0x800n, ldt_ents: 1n }, E('EINVAL')],
    ['with more descriptors than a table has', { gdt_ents: 7169n }, E('EINVAL')],
    ['as a user without page tables', { flags: 0n }, E('EINVAL')],
    ['as a user with them', { flags: 0n, ctrlreg: [0n, cr3(9), 0n, cr3(8)] }, 0],
    ["... that are nobody's", { flags: 0n, ctrlreg: [0n, 0x5000n, 0n, cr3(8)] }, E('EINVAL')],
    ["with page tables that are another domain's", { ctrlreg: [0n, 0n, 0n, 0x5000n] }, E('EINVAL')],
  ])('%s', (_, fields, expected) => {
    const host = hostOf();
    expect(rc(host, op, [0, 1, AT], context(fields))).toBe(expected);
    expect(host.xen.sched.vcpu.of(1)!.initialised.at(1)).toBe(expected === 0 ? 1 : 0);
  });
  test('must be there, and only once', () => {
    const host = hostOf();
    expect(rc(host, op, [0, 1, 15 * 4096])).toBe(E('EFAULT'));
    expect(rc(host, op, [0, 1, AT], context({}))).toBe(0);
    expect(rc(host, op, [0, 1, AT], context({ user_regs: { rip: hole } }))).toBe(E('EEXIST'));
    expect(rc(host, op, [0, 1, 15 * 4096])).toBe(E('EFAULT'));
  });
  test('is shorter for a 32-bit guest', () => {
    const host = hostOf(32);
    const at = 16 * 4096 - vcpu_guest_context.x86_32.size;
    const root = writePaeTables(host, 1, 0).tables[0]!;
    store(host, 1, at, context({ ctrlreg: [0n, 0n, 0n, BigInt(root) << 12n] }, 'x86_32'));
    expect(rc(host, op, [0, 1, at], undefined, { width: 32 })).toBe(0);
  });
  test('is another one for an HVM guest', () => {
    const host = hostOf();
    const hvm = (fields: object): Uint8Array => {
      const whole = new Uint8Array(vcpu_hvm_context.x86_64.size);
      vcpu_hvm_context.x86_64.write(whole, fields as never);
      return whole;
    };
    expect(rc(host, op, [0, 1, AT], hvm({ mode: 2 }), { domid: 2 })).toBe(E('EINVAL'));
    expect(rc(host, op, [0, 1, AT], hvm({ mode: 0, pad: 1 }), { domid: 2 })).toBe(E('EINVAL'));
    expect(rc(host, op, [0, 1, AT], hvm({ mode: 1 }), { domid: 2 })).toBe(0);
  });
});
