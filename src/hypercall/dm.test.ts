import { describe, expect, test } from 'vitest';
import { errnoNumber } from '../../events/errno.ts';
import type { CoreHost } from '../../tools/fuzz/core-host.ts';
import { AT, bytes, hostOf, load, rc, store, type Width } from '../../tools/fuzz/raw-port.ts';
import { HYPERVISOR } from '../abi/hypercall.ts';

const E = errnoNumber;
const op = HYPERVISOR.dm_op;
/** The buffers that the list at AT names. */
const FIRST = 0x4000;
const SECOND = 0x5000;
const pair = (width: Width, ...list: readonly (readonly [number, number])[]) =>
  bytes(...list.flatMap(([h, size]) => [[width, h] as const, [width, size] as const]));
type Field = readonly [16 | 32 | 64, number | bigint];
/** dom0, or whoever else, is d2's device model: `cmd` with these fields. */
function dm(host: CoreHost, cmd: number, fields: readonly Field[], width: Width = 64, domid = 0): number | string {
  store(host, domid, FIRST, bytes([32, cmd], [32, 0], ...fields));
  return rc(host, op, [2, 2, AT], pair(width, [FIRST, 64], [SECOND, 64]), { domid, width });
}
const word = (host: CoreHost, at: number): number => new DataView(load(host, 0, at, 4).buffer).getUint32(0, true);

describe('dm_op', () => {
  test.each<Width>([64, 32])('of a caller of %i bits', (width) => {
    const host = hostOf();
    // create_ioreq_server: { handle_bufioreq, pad[3], id }
    expect(
      dm(
        host,
        1,
        [
          [32, 2],
          [16, 0xffff],
        ],
        width,
      ),
    ).toBe(0);
    expect(word(host, FIRST + 12) & 0xffff).toBe(0);
    expect(host.steps.at(-1)!.command).toEqual({ type: 'dm.create_ioreq_server', domid: 0, dom: 2, handle_bufioreq: 2 });
    // get_ioreq_server_info: { id, flags, bufioreq_port, ioreq_gfn, bufioreq_gfn }; without pages
    expect(
      dm(
        host,
        2,
        [
          [16, 0],
          [16, 1],
          [32, 0],
          [64, 0x77],
          [64, 0x78],
        ],
        width,
      ),
    ).toBe(0);
    expect([word(host, FIRST + 12), word(host, FIRST + 16), word(host, FIRST + 24)]).toEqual([3, 0x77, 0x78]);
    // map_io_range_to_ioreq_server: { id, pad, type, start, end }
    expect(
      dm(
        host,
        3,
        [
          [32, 0],
          [32, 1],
          [64, 0xf0000000],
          [64, 0xf0000fff],
        ],
        width,
      ),
    ).toBe(0);
    expect(host.xen.hvm.server(2, 0)!.memory).toEqual([0xf0000000, 0xf0000fff]);
    expect(
      dm(
        host,
        3,
        [
          [32, 0x10000],
          [32, 1],
          [64, 0],
          [64, 1],
        ],
        width,
      ),
    ).toBe(E('EINVAL'));
  });

  test('what there is room for is written beyond the first buffer', () => {
    const host = hostOf();
    // track_dirty_vram: { nr, pad, first_pfn }
    expect(
      dm(host, 7, [
        [32, 16],
        [32, 0],
        [64, 0],
      ]),
    ).toBe(0);
    expect([...load(host, 0, SECOND, 3)]).toEqual([0xff, 0xff, 0]);
    expect(
      dm(host, 7, [
        [32, 1000],
        [32, 0],
        [64, 0],
      ]),
    ).toBe(E('EINVAL'));
    expect(dm(host, 20, [])).toBe(0);
    expect(word(host, FIRST + 8)).toBe(2);
  });

  test('relocate_memory goes on where it was interrupted: { size, pad, src_gfn, dst_gfn }', () => {
    const host = hostOf();
    const pages = [1, 2, 3].map((gfn) => host.xen.p2m.mfn(2, gfn));
    store(host, 0, FIRST, bytes([32, 17], [32, 0], [32, 3], [32, 0], [64, 1], [64, 32]));
    store(host, 0, AT, pair(64, [FIRST, 64]));
    expect(rc(host, op, [2, 1, AT], undefined, { domid: 0, preempt: 1 })).toBe('goes on');
    expect([word(host, FIRST + 8), word(host, FIRST + 16), word(host, FIRST + 24)]).toEqual([2, 2, 33]);
    expect(rc(host, op, [2, 1, AT], undefined, { domid: 0 })).toBe(0);
    expect([32, 33, 34].map((gfn) => host.xen.p2m.mfn(2, gfn))).toEqual(pages);
    expect(host.steps.slice(-2).map(({ batch }) => batch)).toEqual([0, 1]);
  });

  test('modified_memory: a step for each extent of the second buffer, from the last on, where somebody wants to know', () => {
    const host = hostOf();
    const extents = bytes([32, 1], [32, 0], [64, 3], [32, 2], [32, 0], [64, 7]);
    store(host, 0, SECOND, extents);
    expect(
      dm(host, 11, [
        [32, 2],
        [32, 0],
      ]),
    ).toBe(0);
    expect(host.steps.at(-1)!.command).toMatchObject({ type: 'dm.modified_memory', first_pfn: 0, nr: 0 });
    host.prepare({ type: 'domctl.shadow_op', domid: 0, domain: 2, op: 2, mode: 0, mb: 0, pages: 0 });
    expect(
      dm(host, 11, [
        [32, 2],
        [32, 0],
      ]),
    ).toBe(0);
    expect(host.steps.slice(-2).map(({ command }) => command)).toMatchObject([
      { first_pfn: 7, nr: 2 },
      { first_pfn: 3, nr: 1 },
    ]);
    expect(
      dm(host, 11, [
        [32, 5],
        [32, 0],
      ]),
    ).toBe(E('EINVAL'));
    store(host, 0, SECOND + 4, bytes([32, 1]));
    expect(
      dm(host, 11, [
        [32, 2],
        [32, 0],
      ]),
    ).toBe(E('EINVAL'));
  });

  test.each<[string, number[], Uint8Array | undefined, Uint8Array | undefined, number, number?]>([
    ['of too many buffers', [2, 3, AT], pair(64, [FIRST, 64]), bytes([32, 1], [32, 0], [64, 0]), E('E2BIG')],
    ['of buffers nowhere', [2, 1, 0x100000], undefined, undefined, E('EFAULT')],
    ['of a buffer nowhere', [2, 1, AT], pair(64, [0x100000, 64]), undefined, E('EFAULT')],
    ['of a buffer that is too short', [2, 1, AT], pair(64, [FIRST, 12]), bytes([32, 1], [32, 0], [64, 0]), E('EFAULT')],
    ['of none', [2, 0, AT], undefined, undefined, E('ENODATA')],
    ['of none, about nobody', [77, 0, AT], undefined, undefined, E('ENODATA')],
    ['that there is not', [2, 1, AT], pair(64, [FIRST, 64]), bytes([32, 21], [32, 0]), E('EOPNOTSUPP')],
    ["of Arm's", [2, 1, AT], pair(64, [FIRST, 64]), bytes([32, 19], [32, 0]), E('EOPNOTSUPP')],
    ['with padding', [2, 1, AT], pair(64, [FIRST, 64]), bytes([32, 20], [32, 1]), E('EINVAL')],
    ['with padding behind', [2, 1, AT], pair(64, [FIRST, 64]), bytes([32, 1], [32, 0], [32, 0x100]), E('EINVAL')],
    ['about a PV domain, whatever stands there', [1, 1, AT], pair(64, [0x100000, 64]), undefined, E('EINVAL')],
    ['about nobody', [77, 1, AT], pair(64, [0x100000, 64]), undefined, E('ESRCH')],
    ['by nobody who may', [2, 1, AT], pair(64, [0x100000, 64]), undefined, E('EPERM'), 1],
    ['about oneself', [0, 1, AT], pair(64, [0x100000, 64]), undefined, E('EPERM')],
  ])('%s', (_, args, list, first, expected, domid = 0) => {
    const host = hostOf();
    if (first) store(host, domid, FIRST, first);
    expect(rc(host, op, args, list, { domid })).toBe(expected);
  });
});
