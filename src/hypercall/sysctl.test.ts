import { describe, expect, test } from 'vitest';
import { errnoNumber } from '../../events/errno.ts';
import type { CoreHost } from '../../tools/fuzz/core-host.ts';
import { AT, bytes, hostOf, load, rc, store } from '../../tools/fuzz/raw-port.ts';
import { HYPERVISOR } from '../abi/hypercall.ts';
import { XEN_SCHEDULER, XEN_SYSCTL_CPUPOOL_OP } from '../abi/scheduler.ts';

const E = errnoNumber;
const LIST = 0x5000;
const MORE = 0x6000;
type Field = readonly [16 | 32 | 64, number | bigint];
const sysctl = (host: CoreHost, cmd: number, fields: readonly Field[], domid = 0) => {
  store(host, domid, AT, new Uint8Array(136));
  return rc(host, HYPERVISOR.sysctl, [AT], bytes([32, cmd], [32, 0x15], ...fields), { domid });
};
const word = (host: CoreHost, at: number): number => new DataView(load(host, 0, at, 4).buffer).getUint32(0, true);
const last = (host: CoreHost) => host.steps.at(-1)!.command;
/** Of the payload. */
const S = AT + 8;

describe('sysctl', () => {
  test('cpupool_op: { op, cpupool_id, sched_id, domid, cpu, n_dom, cpumap }', () => {
    const host = hostOf();
    const { CREATE, INFO, RMCPU, ADDCPU, MOVEDOMAIN, FREEINFO } = XEN_SYSCTL_CPUPOOL_OP;
    const pool = (op: number, id: number, rest: readonly number[] = [0, 0, 0]) =>
      sysctl(host, 18, [[32, op], [32, id], ...rest.map((value) => [32, value] as const), [32, 0], [64, LIST], [32, 8]]);
    expect(pool(CREATE, 0xffffffff, [XEN_SCHEDULER.null, 0, 0])).toBe(0);
    const id = word(host, S + 4);
    expect(id).toBe(1);
    expect(pool(RMCPU, 0, [0, 0, 1])).toBe(0);
    expect([pool(FREEINFO, 0), load(host, 0, LIST, 1)[0]]).toEqual([0, 2]);
    expect(pool(ADDCPU, id, [0, 0, 0xffffffff])).toBe(0);
    expect(pool(MOVEDOMAIN, id, [0, 2, 0])).toBe(0);
    expect(pool(INFO, 1)).toBe(0);
    expect([4, 8, 20].map((at) => word(host, S + at))).toEqual([1, XEN_SCHEDULER.null, 1]);
    expect(load(host, 0, LIST, 1)[0]).toBe(2);
    expect(pool(INFO, 2)).toBe(E('ENOENT'));
    expect(last(host)).toMatchObject({ type: 'sysctl.cpupool_op', domain: 0, cpu: 0 });
    expect(pool(99, 2)).toBe(E('ENOSYS'));
  });

  test('scheduler_op: the parameters stand in a union, by scheduler', () => {
    const host = hostOf();
    expect(
      sysctl(host, 19, [
        [32, 0],
        [32, XEN_SCHEDULER.credit2],
        [64, 0],
        [32, 500],
      ]),
    ).toBe(0);
    expect(last(host)).toMatchObject({ type: 'sysctl.scheduler_op', cmd: 0, ratelimit_us: 500 });
    expect([
      sysctl(host, 19, [
        [32, 0],
        [32, XEN_SCHEDULER.credit2],
        [64, 1],
      ]),
      word(host, S + 16),
    ]).toEqual([0, 500]);
    expect(
      sysctl(host, 19, [
        [32, 0],
        [32, XEN_SCHEDULER.credit],
        [64, 1],
      ]),
    ).toBe(E('EINVAL'));
  });
  test('scheduler_op: a schedule of arinc653, whose empty entries are all ones', () => {
    const host = hostOf();
    host.prepare({
      ...{ type: 'sysctl.cpupool_op', domid: 0, op: XEN_SYSCTL_CPUPOOL_OP.CREATE, cpupool_id: 7, domain: 0, cpu: 0 },
      sched_id: XEN_SCHEDULER.arinc653,
    });
    const ask = (cmd: number) =>
      sysctl(host, 19, [
        [32, 7],
        [32, XEN_SCHEDULER.arinc653],
        [64, cmd],
        [64, LIST],
      ]);
    // { major_frame, num_sched_entries, { dom_handle, vcpu_id, runtime }[64] }
    const entry: Field[] = [
      [64, 0x7766554433221100n],
      [64, 0xffeeddccbbaa9988n],
      [64, 1],
      [64, 10_000_000],
    ];
    store(host, 0, LIST, bytes([64, 30_000_000], [64, 1], ...entry));
    expect(ask(0)).toBe(0);
    expect(last(host)).toMatchObject({
      ...{ major_frame: 30_000_000, dom_handles: ['00112233-4455-6677-8899-aabbccddeeff'], vcpu_ids: [1] },
      runtimes: [10_000_000],
    });
    store(host, 0, LIST, new Uint8Array(2064));
    expect(ask(1)).toBe(0);
    expect([word(host, LIST), ...load(host, 0, LIST + 8, 1), word(host, LIST + 32), word(host, LIST + 40)]).toEqual([
      ...[30_000_000, 1, 1, 10_000_000],
    ]);
    expect([...load(host, 0, LIST + 16, 2), load(host, 0, LIST + 48, 1)[0]]).toEqual([0, 0x11, 0xff]);
    store(host, 0, LIST + 8, bytes([16, 200]));
    expect(ask(0)).toBe(E('EINVAL'));
  });

  test('topology: lists, and their lengths where there is none', () => {
    const host = hostOf();
    expect([
      sysctl(host, 16, [
        [64, 0],
        [64, 0],
      ]),
      word(host, S),
    ]).toEqual([0, 2]);
    expect([
      sysctl(host, 16, [
        [64, 9],
        [64, LIST],
      ]),
      word(host, S),
      word(host, LIST + 12),
    ]).toEqual([0, 2, 1]);
    expect(
      sysctl(host, 16, [
        [64, 9],
        [64, 0x100000],
      ]),
    ).toBe(E('EFAULT'));
    expect([
      sysctl(host, 17, [
        [64, 0],
        [64, 0],
        [64, 0],
      ]),
      word(host, S),
    ]).toEqual([0, 1]);
    expect([
      sysctl(host, 17, [
        [64, 3],
        [64, LIST],
        [64, MORE],
      ]),
      word(host, LIST),
      word(host, MORE),
    ]).toEqual([0, 0x4000000, 10]);
    expect([
      sysctl(host, 8, [
        [64, 5],
        [64, LIST],
      ]),
      word(host, S + 16),
    ]).toEqual([0, 2]);
    expect([
      sysctl(host, 22, [
        [64, 1],
        [64, LIST],
        [64, MORE],
      ]),
      word(host, MORE),
    ]).toEqual([0, 2 ** 32 - 2]);
    expect(
      sysctl(host, 22, [
        [64, 1],
        [64, LIST],
        [64, 0],
      ]),
    ).toBe(E('EINVAL'));
  });

  test('the heap, frames, power and features', () => {
    const host = hostOf();
    expect([
      sysctl(host, 9, [
        [64, 0],
        [64, 0xffffffff],
      ]),
      word(host, S + 16),
    ]).toEqual([0, host.xen.p2m.freePages * 4096]);
    const { mfn } = host.xen.p2m.free.at(-1)!;
    expect([
      sysctl(host, 14, [
        [32, 1],
        [32, mfn],
        [64, mfn],
        [64, LIST],
      ]),
      word(host, LIST),
    ]).toEqual([0, 2]);
    expect([
      sysctl(host, 10, [
        [32, 0x21],
        [32, 0],
      ]),
      word(host, S + 8),
    ]).toEqual([0, 2]);
    expect(
      sysctl(host, 12, [
        [32, 0x23],
        [32, 0],
        [32, 1],
      ]),
    ).toBe(0);
    expect([
      sysctl(host, 12, [
        [32, 0x22],
        [32, 0],
      ]),
      word(host, S + 8),
    ]).toEqual([0, 1]);
    expect([
      sysctl(host, 26, [
        [64, 1],
        [64, 0],
      ]),
      word(host, S + 4),
    ]).toEqual([0, 19]);
    expect([
      sysctl(host, 26, [
        [32, 1],
        [32, 2],
        [64, LIST],
      ]),
      word(host, LIST),
    ]).toEqual([E('ENOBUFS'), 0x1fcbf3fd]);
    expect([
      sysctl(host, 29, [
        [32, 1],
        [32, 9],
        [64, 9],
        [64, 0],
        [64, 0],
      ]),
      word(host, S + 4),
      word(host, S + 8),
    ]).toEqual([...[0, 120, 2]]);
    expect(
      sysctl(host, 29, [
        [32, 1],
        [32, 1],
        [64, 9],
        [64, LIST],
        [64, 0],
      ]),
    ).toBe(E('ENOBUFS'));
    expect(
      sysctl(host, 29, [
        [32, 1],
        [32, 9],
        [32, 9],
        [32, 1],
        [64, LIST],
        [64, 0],
      ]),
    ).toBe(E('EINVAL'));
  });

  test('trace buffers: { cmd, cpu_mask, evt_mask, buffer_mfn, size }', () => {
    const host = hostOf();
    const trace = (cmd: number, size: number) =>
      sysctl(host, 2, [
        [64, cmd],
        [64, LIST],
        [64, 8],
        [64, 0xf000],
        [64, 0],
        [32, size],
      ]);
    store(host, 0, LIST, Uint8Array.of(2));
    expect([trace(1, 0), trace(2, 0), trace(3, 1)]).toEqual([0, 0, 0]);
    expect(host.steps.at(-3)!.command).toMatchObject({ cpus: [1] });
    expect(trace(0, 0)).toBe(0);
    expect([word(host, S + 24), word(host, S + 40)]).toEqual([0xf000, 4096]);
    expect(word(host, S + 32)).toBeGreaterThan(0);
  });

  test.each<[string, number, Field[], number, number?]>([
    ['no control domain', 3, [], E('EPERM'), 1],
    ['unknown', 99, [], E('ENOSYS')],
    ['unknown, of no control domain', 99, [], E('EPERM'), 1],
    ['a live patch without a name', 27, [[64, 1]], E('EINVAL')],
    ['caches', 21, [[64, 0]], E('ENODEV')],
    [
      'a pCPU that there is not',
      11,
      [
        [32, 9],
        [32, 1],
      ],
      E('EINVAL'),
    ],
  ])('%s', (_, cmd, fields, expected, domid = 0) => {
    expect(sysctl(hostOf(), cmd, fields, domid)).toBe(expected);
  });
});
