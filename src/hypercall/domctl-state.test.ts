import { describe, expect, test } from 'vitest';
import { errnoNumber } from '../../events/errno.ts';
import type { CoreHost } from '../../tools/fuzz/core-host.ts';
import { AT, bytes, hostOf, load, rc, store } from '../../tools/fuzz/raw-port.ts';
import { HYPERVISOR } from '../abi/hypercall.ts';
import { XEN_SCHEDULER } from '../abi/scheduler.ts';

const E = errnoNumber;
const LIST = 0x5000;
const MORE = 0x6000;
type Field = readonly [16 | 32 | 64, number | bigint];
const domctl = (host: CoreHost, cmd: number, domain: number, fields: readonly Field[], domid = 0) => {
  store(host, domid, AT, new Uint8Array(144));
  return rc(host, HYPERVISOR.domctl, [AT], bytes([32, cmd], [32, 0x15], [64, domain], ...fields), { domid });
};
const word = (host: CoreHost, at: number): number => new DataView(load(host, 0, at, 4).buffer).getUint32(0, true);
const last = (host: CoreHost) => host.steps.at(-1)!.command;
/** Of the payload. */
const D = AT + 16;

describe('domctl', () => {
  test('scheduler_op: weight and cap of credit2', () => {
    const host = hostOf();
    expect(
      domctl(host, 16, 1, [
        [32, XEN_SCHEDULER.credit2],
        [32, 0],
        [16, 512],
        [16, 50],
      ]),
    ).toBe(0);
    expect(last(host)).toMatchObject({ weight: 512, cap: 50, period: 0, budget: 0, vcpus: [] });
    expect([
      domctl(host, 16, 1, [
        [32, XEN_SCHEDULER.credit2],
        [32, 1],
      ]),
      word(host, D + 8),
    ]).toEqual([0, 512 + 50 * 65536]);
    expect(
      domctl(host, 16, 1, [
        [32, XEN_SCHEDULER.credit2],
        [32, 3],
        [64, LIST],
        [64, 1],
      ]),
    ).toBe(E('EINVAL'));
    expect(domctl(host, 16, 77, [[64, 0]])).toBe(E('ESRCH'));
  });
  test('what a vCPU has is kept and given back: state, MSRs, its callbacks', () => {
    const host = hostOf();
    host.prepare({ type: 'domctl.pausedomain', domid: 0, domain: 1 });
    // vcpu_msrs: { vcpu, msr_count, msrs }, each { index, reserved, value }
    store(host, 0, LIST, bytes([64, 0xc0000103], [64, 7]));
    expect(
      domctl(host, 73, 1, [
        [32, 0],
        [32, 1],
        [64, LIST],
      ]),
    ).toBe(0);
    expect([
      domctl(host, 72, 1, [
        [32, 0],
        [32, 0],
        [64, 0],
      ]),
      word(host, D + 4),
    ]).toEqual([0, 7]);
    expect([
      domctl(host, 72, 1, [
        [32, 0],
        [32, 7],
        [64, MORE],
      ]),
      word(host, MORE),
      word(host, MORE + 8),
    ]).toEqual([0, 0xc0000103, 7]);
    expect(
      domctl(host, 72, 1, [
        [32, 0],
        [32, 0],
        [64, MORE],
      ]),
    ).toBe(0);
    // ext_vcpucontext: { vcpu, size, syscall32_eip, sysenter_eip, syscall32_cs, sysenter_cs, two flags }
    const ext: Field[] = [
      [32, 0],
      [32, 64],
      [64, 0x1000],
      [64, 0x2000],
      [16, 0x10],
      [16, 0x20],
      [16, 0x0100],
    ];
    expect(domctl(host, 42, 1, ext)).toBe(0);
    expect(domctl(host, 43, 1, [[32, 0]])).toBe(0);
    expect([4, 8, 16, 24].map((at) => word(host, D + at))).toEqual([64, 0x1000, 0x2000, 0x13 + 0x23 * 65536]);
    expect(
      domctl(host, 42, 1, [
        [32, 0],
        [32, 16],
      ]),
    ).toBe(E('EINVAL'));
    // vcpuextstate: { vcpu, xfeature_mask, size, buffer }
    expect(
      domctl(host, 63, 1, [
        [64, 0],
        [64, 0],
        [64, 0],
        [64, 0],
      ]),
    ).toBe(0);
    expect([word(host, D + 8), word(host, D + 16)]).toEqual([0x21f, 2712]);
    expect(
      domctl(host, 62, 1, [
        [64, 0],
        [64, 7],
        [64, 16],
        [64, LIST + 0x100],
      ]),
    ).toBe(0);
    expect(
      domctl(host, 62, 1, [
        [64, 0],
        [64, 7],
        [64, 16],
        [64, 0x100000],
      ]),
    ).toBe(E('EFAULT'));
  });
  test('a context of an HVM domain: its size, then its records', () => {
    const host = hostOf();
    expect(
      domctl(host, 33, 2, [
        [64, 0],
        [64, 0],
      ]),
    ).toBe(0);
    const size = word(host, D);
    expect(
      domctl(host, 33, 2, [
        [64, size - 1],
        [64, LIST],
      ]),
    ).toBe(E('ENOSPC'));
    expect(
      domctl(host, 33, 2, [
        [64, size],
        [64, LIST],
      ]),
    ).toBe(0);
    expect(word(host, LIST + 8)).toBe(0x54381286);
    expect(
      domctl(host, 34, 2, [
        [64, size],
        [64, LIST],
      ]),
    ).toBe(0);
    expect(
      domctl(host, 34, 2, [
        [64, size],
        [64, 0x100000],
      ]),
    ).toBe(E('EFAULT'));
    expect(
      domctl(host, 33, 1, [
        [64, size],
        [64, LIST],
      ]),
    ).toBe(E('EINVAL'));
  });
  test('virtual NUMA nodes: { nr_vnodes, nr_vmemranges, nr_vcpus, pad, vdistance, vcpu_to_vnode, vnode_to_pnode, vmemrange }', () => {
    const host = hostOf();
    store(host, 0, LIST, bytes([64, 0], [64, 0x10000], [64, 0], [32, 10], [32, 0], [32, 0], [32, 0]));
    const nodes = (pad: number, list = LIST): Field[] => [
      ...([
        [32, 1],
        [32, 1],
        [32, 2],
        [32, pad],
      ] as const),
      ...([
        [64, list + 24],
        [64, list + 28],
        [64, list + 36],
        [64, list],
      ] as const),
    ];
    expect(domctl(host, 74, 1, nodes(0))).toBe(0);
    expect(last(host)).toMatchObject({
      vmemranges: [0, 0x10000, 0, 0],
      vdistance: [10],
      vcpu_to_vnode: [0, 0],
      vnode_to_pnode: [0],
    });
    expect(domctl(host, 74, 1, nodes(1))).toBe(E('EINVAL'));
    expect(domctl(host, 74, 1, nodes(0, 0x100000))).toBe(E('EFAULT'));
  });
  test("a debugger reads and writes a domain's memory: { pgd3val, gva, uva, len, gwr, remain }", () => {
    const host = hostOf();
    store(host, 1, 0x2ffe, Uint8Array.of(1, 2, 3));
    expect(
      domctl(host, 1000, 1, [
        [64, 0],
        [64, 0x2ffe],
        [64, LIST],
        [32, 3],
        [32, 0],
      ]),
    ).toBe(0);
    expect([...load(host, 0, LIST, 3), word(host, D + 32)]).toEqual([1, 2, 0, 1]);
    store(host, 0, LIST, Uint8Array.of(9, 8));
    expect(
      domctl(host, 1000, 1, [
        [64, 0],
        [64, 0x2ffe],
        [64, LIST],
        [32, 2],
        [32, 1],
      ]),
    ).toBe(0);
    expect([...load(host, 1, 0x2ffe, 3)]).toEqual([9, 8, 3]);
  });
  test('log-dirty mode: { op, mode, mb, dirty_bitmap, pages, stats }', () => {
    const host = hostOf();
    const shadow = (op: number, mb = 0) =>
      domctl(host, 10, 2, [
        [64, op],
        [64, mb],
        [64, LIST],
        [64, 16],
      ]);
    store(host, 0, LIST, Uint8Array.of(7, 7, 7));
    expect([shadow(2), shadow(11), ...load(host, 0, LIST, 3)]).toEqual([0, 0, 0, 0, 7]);
    expect([shadow(30), word(host, D + 8)]).toEqual([0, 1]);
  });
  test.each<[string, number, number, Field[], number, number?]>([
    ['unknown', 26, 1, [], E('ENOSYS')],
    ['unknown, of nobody', 26, 77, [], E('ESRCH')],
    ['unknown, by no control domain', 26, 1, [], E('EPERM'), 1],
    [
      'a device without an IOMMU',
      37,
      1,
      [
        [64, 0],
        [32, 8],
      ],
      E('EOPNOTSUPP'),
    ],
    [
      'a policy of too many leaves',
      83,
      1,
      [
        [32, 200],
        [32, 0],
        [64, 0],
        [64, 0],
      ],
      E('EEXIST'),
    ],
    [
      'debugging of a PV domain',
      54,
      1,
      [
        [32, 1],
        [32, 0],
      ],
      E('EINVAL'),
    ],
    ['a console of Arm', 81, 1, [], E('ENOSYS')],
  ])('%s', (_, cmd, domain, fields, expected, domid = 0) => {
    expect(domctl(hostOf(), cmd, domain, fields, domid)).toBe(expected);
  });
});
