import { describe, expect, test } from 'vitest';
import { errnoNumber } from '../../events/errno.ts';
import type { CoreHost } from '../../tools/fuzz/core-host.ts';
import { AT, bytes, hostOf, load, rc, store, type Width } from '../../tools/fuzz/raw-port.ts';
import { HYPERVISOR } from '../abi/hypercall.ts';

const E = errnoNumber;
const op = HYPERVISOR.platform_op;
const VERSION = 0x03000001;
const LIST = 0x5000;
type Field = readonly [16 | 32 | 64, number | bigint];
const platform = (host: CoreHost, cmd: number, fields: readonly Field[], width: Width = 64, domid = 0) =>
  rc(host, op, [AT], bytes([32, cmd], [32, VERSION], ...fields), { domid, width });
const word = (host: CoreHost, at: number): number => new DataView(load(host, 0, at, 4).buffer).getUint32(0, true);
const last = (host: CoreHost) => host.steps.at(-1)!.command;

describe('platform_op', () => {
  test('settime64: { secs, nsecs, mbz, system_time }', () => {
    const host = hostOf();
    expect(
      platform(host, 62, [
        [64, 1_700_000_000],
        [32, 5],
        [32, 0],
        [64, 3],
      ]),
    ).toBe(0);
    expect(last(host)).toEqual({
      ...{ type: 'platform.settime64', domid: 0, secs: 1_700_000_000, nsecs: 5, mbz: 0, system_time: 3 },
    });
    expect(
      platform(host, 62, [
        [64, 1],
        [32, 5],
        [32, 1],
        [64, 3],
      ]),
    ).toBe(E('EINVAL'));
  });
  test.each<Width>([64, 32])('MTRRs, of a caller of %i bits', (width) => {
    const host = hostOf();
    // add_memtype: { mfn, nr_mfns, type, handle, reg }
    expect(
      platform(
        host,
        31,
        [
          [width, 0xd0000],
          [64, 0x1000],
          [32, 1],
          [32, 9],
          [32, 9],
        ],
        width,
      ),
    ).toBe(0);
    const handle = AT + 8 + (width === 64 ? 20 : 16);
    expect([word(host, handle), word(host, handle + 4)]).toEqual([0, 0]);
    // read_memtype: { reg, mfn, nr_mfns, type }
    expect(platform(host, 33, [[32, 0], ...(width === 64 ? [[32, 0] as const] : []), [width, 0], [64, 0], [32, 0]], width)).toBe(
      0,
    );
    const at = AT + 8 + width / 8;
    expect([word(host, at), word(host, at + width / 8)]).toEqual([0xd0000, 0x1000]);
  });
  test('what a processor is: { xen_cpuid, max_present, vendor_id[12], family, model, stepping }', () => {
    const host = hostOf();
    expect(platform(host, 48, [[32, 1]])).toBe(0);
    expect(String.fromCharCode(...load(host, 0, AT + 16, 12))).toBe('AuthenticAMD');
    expect([word(host, AT + 12), word(host, AT + 28)]).toEqual([1, 15]);
    // get_cpuinfo: { xen_cpuid, max_present, flags, apic_id, acpi_id }
    expect(platform(host, 55, [[32, 1]])).toBe(0);
    expect([12, 16, 20, 24].map((at) => word(host, AT + at))).toEqual([1, 1, 1, 1]);
  });
  test('resource_op: entries of { cmd or ret, rsvd, idx, val } are read and written where they stand', () => {
    const host = hostOf();
    host.now = 2 ** 32 + 7;
    store(host, 0, LIST, bytes([32, 0], [32, 0], [64, 0x10], [64, 0], [32, 0], [32, 0], [64, 0x11], [64, 0]));
    expect(
      platform(host, 61, [
        [32, 2],
        [32, 0],
        [64, LIST],
      ]),
    ).toBe(1);
    expect([word(host, LIST), word(host, LIST + 16), word(host, LIST + 20), word(host, LIST + 24)]).toEqual([
      0,
      7,
      1,
      2 ** 32 - 1,
    ]);
    expect(
      platform(host, 61, [
        [32, 4],
        [32, 0],
        [64, LIST],
      ]),
    ).toBe(E('EINVAL'));
    expect(
      platform(host, 61, [
        [32, 1],
        [32, 0],
        [64, 0x100000],
      ]),
    ).toBe(E('EFAULT'));
    expect(
      platform(host, 61, [
        [32, 0],
        [32, 0],
        [64, 0x100000],
      ]),
    ).toBe(0);
  });
  test("set_processor_pminfo: dom0's C-states, by their numbers", () => {
    const host = hostOf();
    const state = (type: number): Field[] => [
      [64, 0],
      [64, 0],
      [64, 0],
      [32, type],
      [32, 1],
      [32, 0],
      [32, 0],
      [64, 0],
    ];
    store(host, 0, LIST, bytes(...state(1), ...state(2)));
    expect(
      platform(host, 54, [
        [32, 0],
        [32, 0],
        [32, 2],
        [32, 0],
        [64, LIST],
      ]),
    ).toBe(0);
    expect(last(host)).toEqual({ type: 'platform.set_processor_pminfo', domid: 0, id: 0, pm_type: 0, states: [1, 2] });
  });
  test('get_symbol: there is none, and its name is empty', () => {
    const host = hostOf();
    store(host, 0, LIST, Uint8Array.of(7));
    expect(
      platform(host, 63, [
        [32, 80],
        [32, 0],
        [64, LIST],
        [64, 0],
        [32, 0],
      ]),
    ).toBe(0);
    expect([word(host, AT + 8), load(host, 0, LIST, 1)[0]]).toEqual([1, 0]);
  });
  test.each<[string, number | bigint, Uint8Array | undefined, number, number?]>([
    ['nowhere', 0x100000, undefined, E('EFAULT')],
    ['half of it nowhere', 0xffc0, undefined, E('EFAULT')],
    ['another version', AT, bytes([32, 39], [32, VERSION + 1], [32, 1]), E('EACCES')],
    ['no control domain', AT, bytes([32, 39], [32, VERSION], [32, 1]), E('EPERM'), 1],
    ['unknown', AT, bytes([32, 99], [32, VERSION]), E('ENOSYS')],
    ['unknown, of no control domain', AT, bytes([32, 99], [32, VERSION]), E('EPERM'), 1],
    ['a quirk', AT, bytes([32, 39], [32, VERSION], [32, 9]), E('EINVAL')],
    ['EFI', AT, bytes([32, 49], [32, VERSION], [32, 1]), E('ENOSYS')],
  ])('%s', (_, at, struct, expected, domid = 0) => {
    expect(rc(hostOf(), op, [at], struct, { domid })).toBe(expected);
  });
});
