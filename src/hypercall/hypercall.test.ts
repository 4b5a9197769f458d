import { describe, expect, test } from 'vitest';
import { errnoNumber } from '../../events/errno.ts';
import { MS } from '../../events/units.ts';
import type { CoreHost } from '../../tools/fuzz/core-host.ts';
import { AT, bytes, call, hostOf, load, portOf, rc, store, type Width } from '../../tools/fuzz/raw-port.ts';
import { HYPERVISOR } from '../abi/hypercall.ts';
import { entryFrame, entryOffset } from '../core/gnttab/decide.ts';
import { completeHypercall } from './index.ts';

const E = errnoNumber;
const last = (host: CoreHost) => host.steps.at(-1)!;
const word = (host: CoreHost, offset: number, size: 2 | 4 | 8 = 4, domid = 1): number =>
  [...load(host, domid, AT + offset, size)].reduceRight((value, byte) => value * 256 + byte, 0);

describe('event_channel_op', () => {
  const op = HYPERVISOR.event_channel_op;
  test('alloc_unbound and bind_interdomain: ports come back in the structures', () => {
    const host = hostOf();
    // { dom: DOMID_SELF, remote_dom: 0, port }
    expect(rc(host, op, [6, AT], bytes([16, 0x7ff0], [16, 0], [32, 99]))).toBe(0);
    expect(last(host).command).toEqual({ type: 'evtchn.alloc_unbound', domid: 1, dom: 0x7ff0, remote_dom: 0 });
    expect(word(host, 4)).toBe(1);
    expect(rc(host, op, [0, AT], bytes([16, 1], [16, 0], [32, 1], [32, 0]), { domid: 0 })).toBe(0);
    expect(last(host).command).toEqual({ type: 'evtchn.bind_interdomain', domid: 0, remote_dom: 1, remote_port: 1 });
    expect(word(host, 8, 4, 0)).toBe(1);
    // { dom, port, status, vcpu, u.interdomain { dom, port } }
    expect(rc(host, op, [5, AT], bytes([16, 0x7ff0], [16, 0], [32, 1], [32, 0], [32, 7], [64, 0]))).toBe(0);
    expect([word(host, 8), word(host, 12), word(host, 16, 2), word(host, 20)]).toEqual([2, 0, 0, 1]);
  });
  test('a refusal leaves the structure as it was', () => {
    const host = hostOf();
    expect(rc(host, op, [1, AT], bytes([32, 99], [32, 0], [32, 77]))).toBe(E('EINVAL'));
    expect(word(host, 8)).toBe(77);
  });
  test.each<[string, readonly (number | bigint)[], number]>([
    ['nowhere', [6, 0x100000], E('EFAULT')],
    ['beyond all pages', [6, 2n ** 63n], E('EFAULT')],
    ['half in a page that is not there', [6, 16 * 4096 - 4], E('EFAULT')],
    ['an operation that there is not', [99, AT], E('ENOSYS')],
    ['... with a pointer that leads nowhere', [99, 0x100000], E('ENOSYS')],
  ])('%s', (_, args, expected) => {
    const host = hostOf();
    expect(rc(host, op, args)).toBe(expected);
    expect(last(host)).toMatchObject({
      command: { type: 'hypercall.note_refused', number: 32, cmd: args[0] },
      outcome: { ok: false },
    });
  });
  test('a structure over the border of two pages', () => {
    const host = hostOf();
    store(host, 1, 0x3ffe, bytes([16, 0x7ff0], [16, 0], [32, 0]));
    expect(rc(host, op, [6, 0x3ffe])).toBe(0);
    expect([...load(host, 1, 0x4002, 4)]).toEqual([1, 0, 0, 0]);
  });
});

describe('sched_op', () => {
  const op = HYPERVISOR.sched_op;
  test('block takes upcalls, and answers 0', () => {
    const host = hostOf();
    host.memory.put8(host.xen.sharedInfo(1), 1, 1);
    expect(rc(host, op, [1, 0])).toBe(0);
    expect(last(host).command).toEqual({ type: 'sched.block', domid: 1, vcpu: 0 });
    expect([host.memory.get8(host.xen.sharedInfo(1), 1), host.xen.sched.vcpu.of(1)!.runstate.is(0)]).toEqual([0, 'blocked']);
  });
  test.each<[Width, Uint8Array]>([
    [64, bytes([64, 0x5000], [32, 2], [32, 0], [64, 7 * MS])],
    [32, bytes([32, 0x5000], [32, 2], [64, 7 * MS])],
  ])('poll reads its ports, %i bits', (width, struct) => {
    const host = hostOf(width);
    host.prepare({ type: 'evtchn.bind_ipi', domid: 1, vcpu: 0 }, { type: 'evtchn.bind_ipi', domid: 1, vcpu: 1 });
    store(host, 1, 0x5000, bytes([32, 1], [32, 2]));
    expect(rc(host, op, [3, AT], struct, { width })).toBe(0);
    expect(last(host).command).toEqual({ type: 'sched.poll', domid: 1, vcpu: 0, ports: [1, 2], timeout_ns: 7 * MS });
    expect(last(host).outcome).toMatchObject({ ok: true });
  });
  test('ports that are not there, or too many', () => {
    const host = hostOf();
    expect(rc(host, op, [3, AT], bytes([64, 0x100000], [32, 2], [32, 0], [64, 0]))).toBe(E('EFAULT'));
    expect(rc(host, op, [3, AT], bytes([64, 0x5000], [32, 129], [32, 0], [64, 0]))).toBe(E('EINVAL'));
  });
  test.each([
    [1, { type: 'sched.shutdown', domid: 1, reason: 'reboot' }],
    [0x101, { type: 'sched.shutdown', domid: 1, reason: 'reboot' }],
    [77, { type: 'sched.shutdown_with', domid: 1, code: 77 }],
  ])('shutdown for reason %i', (reason, command) => {
    const host = hostOf();
    expect(rc(host, op, [2, AT], bytes([32, reason]))).toBe(0);
    expect(last(host).command).toEqual(command);
    expect(host.xen.domain.of(0)!.shut_down.at(1)).toBe((reason & 255) + 1);
  });
  test('a watchdog answers its id', () => {
    expect(rc(hostOf(), op, [6, AT], bytes([32, 0], [32, 5]))).toBe(1);
  });
});

describe('vcpu_op and set_timer_op', () => {
  const op = HYPERVISOR.vcpu_op;
  test('runstate is written in the guest’s own layout', () => {
    const host = hostOf(32);
    host.now = 5 * MS;
    expect(rc(host, op, [4, 0, AT], undefined, { width: 32 })).toBe(0);
    expect([word(host, 0), word(host, 4, 8), word(host, 12, 8)]).toEqual([0, 0, 5 * MS]);
    expect(rc(host, op, [4, 0, 0x100000])).toBe(E('EFAULT'));
  });
  test.each<[string, number, number, Uint8Array | undefined, number]>([
    ['is_up of one that is', 3, 0, undefined, 1],
    ['is_up of one that is not', 3, 1, undefined, 0],
    ['of one that is not there', 3, 9, undefined, E('ENOENT')],
    ['another one’s timer', 8, 1, bytes([64, 9 * MS], [32, 0], [32, 0]), E('EINVAL')],
    ['one’s own', 8, 0, bytes([64, 9 * MS], [32, 0], [32, 0]), 0],
    ['its own, unsigned', 8, 0, bytes([64, 2n ** 64n - 1n], [32, 0], [32, 0]), 0],
    ['a period too short', 6, 0, bytes([64, 1000]), E('EINVAL')],
    ['a period', 6, 0, bytes([64, 2 * MS]), 0],
    ['an area for the runstate', 5, 0, bytes([64, 0x4ff0]), 0],
    ['... that ends nowhere', 5, 0, bytes([64, 16 * 4096 - 8]), E('EFAULT')],
    ['an area for the time', 13, 0, bytes([64, 0x4ff0]), 0],
    ['no such operation', 77, 0, undefined, E('ENOSYS')],
  ])('%s', (_, cmd, vcpu, struct, expected) => {
    expect(rc(hostOf(), op, [cmd, vcpu, AT], struct)).toBe(expected);
  });
  test('send_nmi takes no structure', () => {
    expect(rc(hostOf(), op, [11, 1, AT])).toBe(E('EINVAL'));
    expect(rc(hostOf(), op, [11, 1, 0])).toBe(0);
  });
  test('register_vcpu_info: { mfn, offset, rsvd }', () => {
    const host = hostOf();
    expect(rc(host, op, [10, 0, AT], bytes([64, host.xen.p2m.mfn(1, 4)], [32, 192], [32, 0]))).toBe(0);
    expect([...load(host, 1, 4 * 4096 + 192, 1)]).toEqual([1]);
  });
  test.each<[Width, readonly bigint[], number]>([
    [64, [BigInt(9 * MS)], 9 * MS],
    [32, [5n, 1n], 2 ** 32 + 5],
    [64, [2n ** 64n - 1n], -1],
    [32, [0xffffffffn, 0xffffffffn], -1],
  ])('set_timer_op of %i bits', (width, args, timeout_ns) => {
    const host = hostOf();
    expect(rc(host, HYPERVISOR.set_timer_op, args, undefined, { width })).toBe(0);
    expect(last(host).command).toEqual({ type: 'timer.set_timer_op', domid: 1, vcpu: 0, timeout_ns });
  });
});

describe('grant_table_op', () => {
  const op = HYPERVISOR.grant_table_op;
  const grant = (host: CoreHost, ref: number, gfn: number): void => {
    const table = entryFrame(host.xen, 1, ref);
    host.memory.put16(table, entryOffset(ref), 1);
    host.memory.put16(table, entryOffset(ref) + 2, 0);
    host.memory.put32(table, entryOffset(ref) + 4, host.xen.p2m.mfn(1, gfn));
  };
  const map = (ref: number, flags = 2) => bytes([64, 0x8000], [32, flags], [32, ref], [16, 1], [16, 9], [32, 9], [64, 9]);
  test('map: a list, a step each, a status each', () => {
    const host = hostOf();
    grant(host, 8, 3);
    store(host, 0, AT, new Uint8Array([...map(8), ...map(9), ...map(8, 0)]));
    expect(rc(host, op, [0, AT, 3], undefined, { domid: 0 })).toBe(0);
    const element = (i: number) => [word(host, i * 32 + 18, 2, 0), word(host, i * 32 + 20, 4, 0), word(host, i * 32 + 24, 8, 0)];
    expect(element(0)).toEqual([0, expect.any(Number), host.xen.p2m.mfn(1, 3) * 4096]);
    expect([element(1), element(2)]).toEqual([
      [0x10000 + E('general_error'), 9, 9],
      [0x10000 + E('bad_gntref'), 9, 9],
    ]);
    expect(host.steps.slice(-3).map(({ batch }) => batch)).toEqual([0, 1, 2]);
  });
  test('a list goes on where it was interrupted', () => {
    const host = hostOf();
    const swap = bytes([32, 8], [32, 9], [16, 7], [16, 0]);
    store(host, 1, AT, new Uint8Array([...swap, ...swap, ...swap]));
    const first = call(host, op, [11, AT, 3], { preempt: 2 });
    expect(first).toEqual({ done: false, continuation: { number: op, args: [11n, BigInt(AT + 24), 1n] } });
    expect([word(host, 8, 2), word(host, 20, 2), word(host, 32, 2)]).toEqual([0, 0, 7]);
    expect(completeHypercall(portOf(host, 1, 1), { domid: 1, vcpu: 0, width: 64 }, op, [11n, BigInt(AT + 24), 1n])).toBe(0);
    expect(word(host, 32, 2)).toBe(0);
  });
  test('a list that ends nowhere is done as far as it is there', () => {
    const host = hostOf();
    const at = 16 * 4096 - 12;
    store(host, 1, at, bytes([32, 8], [32, 9], [16, 7], [16, 0]));
    expect(rc(host, op, [11, at, 2])).toBe(E('EFAULT'));
    expect([...load(host, 1, at + 8, 2)]).toEqual([0, 0]);
  });
  test.each<[Width, Uint8Array, number]>([
    [64, bytes([16, 0x7ff0], [16, 0], [32, 2], [16, 9], [16, 0], [32, 0], [64, 0x5000]), 8],
    [32, bytes([16, 0x7ff0], [16, 0], [32, 2], [16, 9], [16, 0], [32, 0x5000]), 4],
  ])('setup_table lists frames, %i bits', (width, struct, size) => {
    const host = hostOf(width);
    expect(rc(host, op, [2, AT, 1], struct, { width })).toBe(0);
    expect(word(host, 8, 2)).toBe(0);
    const { mfn_plus_1 } = host.xen.gnttab.frames.of(1)!;
    for (let i = 0; i < 2; i++)
      expect(new DataView(load(host, 1, 0x5000 + i * size, 4).buffer).getUint32(0, true)).toBe(mfn_plus_1.at(i) - 1);
    expect(rc(host, op, [2, AT, 2], struct, { width })).toBe(E('EINVAL'));
  });
  test.each<[string, readonly (number | bigint)[], number]>([
    ['a count below zero', [11, AT, 0x80000000], E('EINVAL')],
    ['bits of a continuation', [0x100b, AT, 1], E('EINVAL')],
    ['none', [11, AT, 0], 0],
    ['unknown', [77, AT, 1], E('ENOSYS')],
  ])('%s', (_, args, expected) => {
    expect(rc(hostOf(), op, args)).toBe(expected);
  });
});

describe('memory_op', () => {
  const op = HYPERVISOR.memory_op;
  const reservation = (width: Width, list: number, nr: number | bigint, dom = 0x7ff0): Uint8Array =>
    width === 64
      ? bytes([64, list], [64, nr], [32, 0], [32, 0], [16, dom], [16, 0], [32, 0])
      : bytes([32, list], [32, nr], [32, 0], [32, 0], [16, dom], [16, 0]);
  test.each<[Width]>([[64], [32]])('decrease_reservation of %i bits, as far as the list is right', (width) => {
    const host = hostOf(width);
    const size = width;
    const frames = [15, 14].map((gfn) => [size, host.xen.p2m.mfn(1, gfn)] as const);
    store(host, 1, 0x5000, bytes(...frames, [size, 0xfffff]));
    expect(rc(host, op, [1, AT], reservation(width, 0x5000, 3), { width })).toBe(2);
    expect([host.xen.p2m.mfn(1, 15), host.xen.p2m.mfn(1, 14)]).toEqual([-1, -1]);
    // And back again: the list has page numbers, then frames.
    store(host, 1, 0x5000, bytes([size, 14], [size, 15]));
    expect(rc(host, op, [6, AT], reservation(width, 0x5000, 2), { width })).toBe(2);
    const first = new DataView(load(host, 1, 0x5000, 4).buffer).getUint32(0, true);
    expect(first).toBe(host.xen.p2m.mfn(1, 14));
  });
  test('what can not be read, or is too long, is no error: nothing is done', () => {
    const host = hostOf();
    const before = host.steps.length;
    expect(rc(host, op, [1, 0x100000])).toBe(0);
    expect(rc(host, op, [(5n << 6n) | 1n, 0x100000])).toBe(5);
    expect(rc(host, op, [1, AT], reservation(64, 0x5000, 2n ** 40n))).toBe(0);
    expect(rc(host, op, [1, AT], reservation(64, 0x100000, 3))).toBe(0);
    expect(host.steps.length).toBe(before);
  });
  test('a long list is done in pieces, and goes on', () => {
    const host = hostOf();
    store(host, 1, 0x5000, new Uint8Array(8 * 512).fill(0xee));
    host.prepare({ type: 'domctl.max_mem', domid: 0, domain: 1, max_memkb: 4 * 2000 });
    const first = call(host, op, [0, AT], { preempt: 1 });
    expect(first.done).toBe(true);
    store(host, 1, AT, reservation(64, 0, 600));
    const result = call(host, op, [0, AT], { preempt: 1 });
    expect(result).toEqual({ done: false, continuation: { number: op, args: [256n << 6n, BigInt(AT)] } });
    expect(completeHypercall(portOf(host, 1, 1), { domid: 1, vcpu: 0, width: 64 }, op, [256n << 6n, BigInt(AT)])).toBe(600);
    expect(host.xen.domain.of(0)!.tot_pages.at(1)).toBe(616);
  });
  test.each<[string, readonly (number | bigint)[], Uint8Array | undefined, number]>([
    ['current_reservation', [3, AT], bytes([16, 0x7ff0]), 16],
    ['... of another', [3, AT], bytes([16, 2]), E('EPERM')],
    ['... nowhere', [3, 0x100000], undefined, E('EFAULT')],
    ['... gone on with', [3 | 64, AT], bytes([16, 0x7ff0]), E('EINVAL')],
    ['maximum_ram_page', [2, 0], undefined, 0x4000],
    ['unknown', [63, AT], undefined, E('ENOSYS')],
  ])('%s', (_, args, struct, expected) => {
    expect(rc(hostOf(), op, args, struct)).toBe(expected);
  });
  test('a batch: an error for each element', () => {
    const host = hostOf();
    // { domid, space, size, u, idxs, gpfns, errs }, for an HVM domain's page 3 at 40, and a page that is not there.
    store(host, 2, 0x5000, bytes([64, 3], [64, 99], [64, 40], [64, 41], [64, -1n]));
    store(host, 2, AT, bytes([16, 0x7ff0], [16, 2], [16, 2], [16, 0], [64, 0x5000], [64, 0x5010], [64, 0x5020]));
    const before = host.xen.p2m.mfn(2, 3);
    expect(rc(host, op, [23, AT], undefined, { domid: 2 })).toBe(0);
    expect(host.xen.p2m.mfn(2, 40)).toBe(before);
    const errs = new DataView(load(host, 2, 0x5020, 8).buffer);
    expect([errs.getInt32(0, true), errs.getInt32(4, true)]).toEqual([0, E('EINVAL')]);
  });
});

describe('xen_version', () => {
  const op = HYPERVISOR.xen_version;
  const said = (host: CoreHost, length: number): string =>
    String.fromCharCode(...load(host, 1, AT, length)).replace(/\0.*$/s, '');
  test('texts and numbers', () => {
    const host = hostOf();
    expect(rc(host, op, [0, 0])).toBe((4 << 16) | 17);
    expect([rc(host, op, [1, AT]), said(host, 16)]).toEqual([0, '.7']);
    expect([rc(host, op, [3, AT]), said(host, 1024)]).toEqual([0, expect.stringContaining('xen-3.0-x86_64')]);
    expect([rc(host, op, [9, AT]), said(host, 1024)]).toEqual([0, '<denied>']);
    expect([rc(host, op, [5, AT]), word(host, 4)]).toEqual([0, 0xffff8000]);
    expect([rc(host, op, [6, AT], bytes([32, 0], [32, 0])), word(host, 4)]).toEqual([0, expect.any(Number)]);
    expect(rc(host, op, [6, AT], bytes([32, 7], [32, 0]))).toBe(E('EINVAL'));
    expect([rc(host, op, [8, AT]), [...load(host, 1, AT, 3)]]).toEqual([0, [0x00, 0x11, 0x22]]);
    expect([rc(host, op, [7, 0]), rc(host, op, [7, AT])]).toEqual([4096, E('EINVAL')]);
    expect(rc(host, op, [3, 16 * 4096 - 8])).toBe(E('EFAULT'));
    expect(rc(host, op, [55, AT])).toBe(E('ENOSYS'));
  });
});

describe('domctl and sysctl', () => {
  const domctl = (cmd: number, domain: number, payload: Uint8Array = new Uint8Array(0), version = 0x15): Uint8Array => {
    const whole = new Uint8Array(144);
    whole.set(bytes([32, cmd], [32, version], [16, domain]));
    whole.set(payload, 16);
    return whole;
  };
  const ask = (host: CoreHost, struct: Uint8Array, domid = 0) => rc(host, HYPERVISOR.domctl, [AT], struct, { domid });
  test('a domain is made, described, and ended', () => {
    const host = hostOf();
    // createdomain: { ssidref, handle, flags, iommu_opts, max_vcpus, max_evtchn_port, max_grant_frames, max_maptrack_frames, ... }
    const make = bytes(
      [32, 0],
      [64, 0x0706050403020100n],
      [64, 0],
      ...([3, 0, 3, 0xffffffff, 4, 1, 2, 0, 0, 1, 0] as const).map((value) => [32, value] as const),
    );
    expect(ask(host, domctl(1, 0, make))).toBe(0);
    expect(last(host).command).toMatchObject({
      handle: '00010203-0405-0607-0000-000000000000',
      hvm: true,
      flags: 2,
      emulation_flags: 1,
      max_vcpus: 3,
      max_evtchn_port: -1,
      max_grant_frames: 4,
    });
    const domain = word(host, 8, 2, 0);
    expect(domain).toBe(3);
    expect(ask(host, domctl(15, domain, bytes([32, 3])))).toBe(0);
    expect(ask(host, domctl(11, domain, bytes([64, 64])))).toBe(0);
    expect(ask(host, domctl(5, domain))).toBe(0);
    // getdomaininfo: max_pages at 16 of the payload, the handle at 76.
    expect([word(host, 16 + 16, 8, 0), ...load(host, 0, AT + 16 + 76, 3)]).toEqual([16, 0, 1, 2]);
    const destroy = domctl(2, domain);
    store(host, 0, AT, destroy);
    expect(call(host, HYPERVISOR.domctl, [AT], { domid: 0 })).toEqual({
      done: false,
      continuation: { number: HYPERVISOR.domctl, args: [BigInt(AT)] },
    });
    expect(completeHypercall(portOf(host, 0), { domid: 0, vcpu: 0, width: 64 }, HYPERVISOR.domctl, [BigInt(AT)])).toBe(0);
    expect(host.xen.exists(domain)).toBe(false);
  });
  test.each<[string, Uint8Array, number, number]>([
    ['another version', domctl(3, 1, undefined, 0x14), 0, E('EACCES')],
    ['... before privilege', domctl(3, 1, undefined, 0x14), 1, E('EACCES')],
    ['nobody there', domctl(3, 77), 0, E('ESRCH')],
    ['no privilege', domctl(3, 2), 1, E('EPERM')],
    ['no such operation', domctl(9999, 1), 0, E('ENOSYS')],
    ['... of nobody', domctl(9999, 77), 0, E('ESRCH')],
    ['a time before 1970', domctl(24, 1, bytes([64, -3600n])), 0, 0],
  ])('%s', (_, struct, domid, expected) => {
    expect(ask(hostOf(), struct, domid)).toBe(expected);
  });
  test('affinity: masks at pointers, read and written', () => {
    const host = hostOf();
    const affinity = (flags: number) =>
      bytes([32, 0], [32, flags], [64, 0x5000], [32, 16], [32, 0], [64, 0x5008], [32, 16], [32, 0]);
    store(host, 0, 0x5000, bytes([64, 2], [64, 3]));
    expect(ask(host, domctl(9, 1, affinity(1)))).toBe(0);
    expect(last(host).command).toMatchObject({ cpumap_hard: [1], cpumap_soft: [] });
    store(host, 0, 0x5000, bytes([64, 0], [64, 0]));
    expect(ask(host, domctl(25, 1, affinity(3)))).toBe(0);
    expect([load(host, 0, 0x5000, 1)[0], load(host, 0, 0x5008, 1)[0]! & 3]).toEqual([2, 3]);
    expect(ask(host, domctl(9, 1, bytes([32, 0], [32, 1], [64, 0x100000], [32, 16])))).toBe(E('EFAULT'));
  });
  test('it must be there as a whole', () => {
    const host = hostOf();
    expect(rc(host, HYPERVISOR.domctl, [16 * 4096 - 100], undefined, { domid: 0 })).toBe(E('EFAULT'));
    expect(rc(host, HYPERVISOR.sysctl, [16 * 4096 - 100], undefined, { domid: 0 })).toBe(E('EFAULT'));
  });
  test('sysctl: the host, and who is on it', () => {
    const host = hostOf();
    const sysctl = (cmd: number, payload: Uint8Array = new Uint8Array(0), version = 0x15): Uint8Array => {
      const whole = new Uint8Array(136);
      whole.set(bytes([32, cmd], [32, version]));
      whole.set(payload, 8);
      return whole;
    };
    const op = HYPERVISOR.sysctl;
    expect(rc(host, op, [AT], sysctl(3), { domid: 0 })).toBe(0);
    expect([word(host, 8 + 8, 4, 0), word(host, 8 + 40, 8, 0)]).toEqual([2, 0x4000]);
    expect(rc(host, op, [AT], sysctl(3, undefined, 9), { domid: 0 })).toBe(E('EACCES'));
    expect(rc(host, op, [AT], sysctl(3))).toBe(E('EPERM'));
    // { first_domain, max_domains, buffer, num_domains }
    expect(rc(host, op, [AT], sysctl(6, bytes([32, 1], [32, 9], [64, 0x5000], [64, 0])), { domid: 0 })).toBe(0);
    expect(word(host, 8 + 16, 4, 0)).toBe(2);
    expect([...load(host, 0, 0x5000, 1), ...load(host, 0, 0x5000 + 112, 1)]).toEqual([1, 2]);
  });
});

describe('multicall', () => {
  const op = HYPERVISOR.multicall;
  const entry = (width: Width, number: number, ...args: readonly (number | bigint)[]): Uint8Array => {
    const all = [...args, 0, 0, 0, 0, 0, 0].slice(0, 6).map((arg) => [width, arg] as const);
    return bytes([width, number], [width, 0xee], ...all);
  };
  const list = (...entries: readonly Uint8Array[]): Uint8Array => new Uint8Array(entries.flatMap((one) => [...one]));
  test.each<[Width, number]>([
    [64, 64],
    [32, 32],
  ])('each entry has its result, %i bits', (width, size) => {
    const host = hostOf(width);
    store(host, 1, 0x5000, bytes([16, 0x7ff0], [16, 0], [32, 0]));
    const calls = list(
      entry(width, HYPERVISOR.event_channel_op, 6, 0x5000),
      entry(width, 99),
      entry(width, op, AT, 1),
      entry(width, HYPERVISOR.xen_version, 0),
    );
    expect(rc(host, op, [AT, 4], calls, { width })).toBe(0);
    const results = [0, 1, 2, 3].map((i) => {
      const view = new DataView(load(host, 1, AT + i * size + width / 8, 4).buffer);
      return view.getInt32(0, true);
    });
    expect(results).toEqual([0, E('ENOSYS'), E('EINVAL'), (4 << 16) | 17]);
    expect(host.steps.slice(-4).map(({ batch, command }) => [batch, command.type])).toEqual([
      [0, 'evtchn.alloc_unbound'],
      [1, 'hypercall.note_refused'],
      [2, 'hypercall.note_refused'],
      [3, 'xen_version.version'],
    ]);
  });
  test('goes on with the rest, and with what an entry had not done', () => {
    const host = hostOf();
    const swap = bytes([32, 8], [32, 9], [16, 7], [16, 0]);
    store(host, 1, 0x5000, list(swap, swap));
    const calls = list(
      entry(64, HYPERVISOR.xen_version, 0),
      entry(64, HYPERVISOR.grant_table_op, 11, 0x5000, 2),
      entry(64, HYPERVISOR.xen_version, 0),
    );
    store(host, 1, AT, calls);
    let args: readonly bigint[] = [BigInt(AT), 3n];
    const left: bigint[] = [];
    for (;;) {
      const result = call(host, op, args, { preempt: 2 });
      if (result.done) break;
      ({ args } = result.continuation);
      left.push(args[1]!);
    }
    expect(left).toEqual([2n]);
    expect([8, 20].map((at) => load(host, 1, 0x5000 + at, 1)[0])).toEqual([0, 0]);
    expect([0, 1, 2].map((i) => word(host, i * 64 + 8, 8))).toEqual([(4 << 16) | 17, 0, (4 << 16) | 17]);
  });
  test('a list that ends nowhere is done as far as it is there', () => {
    const host = hostOf();
    const at = 16 * 4096 - 64;
    store(host, 1, at, entry(64, HYPERVISOR.xen_version, 0));
    expect(rc(host, op, [at, 2])).toBe(E('EFAULT'));
    expect(load(host, 1, at + 8, 1)[0]).toBe(17);
  });
});

test.each([6, 27, 38, 70, 2 ** 31, 2 ** 32 - 1])('there is no hypercall %i', (number) => {
  expect(rc(hostOf(), number, [0, AT])).toBe(E('ENOSYS'));
});
