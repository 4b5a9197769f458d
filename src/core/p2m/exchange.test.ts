import { expect, test } from 'vitest';
import type { CommandOf } from '../../../events/vocabulary.ts';
import { bootedHost } from '../../../tools/fuzz/booted-host.ts';
import { XENMEMF } from '../../abi/memory.ts';
import type { CoreCommand } from '../index.ts';

const SELF = 0x7ff0;
const reference = bootedHost().xen.p2m;
const own = (...gfns: number[]): number[] => gfns.map((gfn) => reference.mfn(1, gfn));
const exchange = (
  gmfns: number[],
  gpfns: number[],
  more: Partial<CommandOf<'memory.exchange'>> = {},
): CommandOf<'memory.exchange'> => ({
  type: 'memory.exchange',
  domid: 1,
  in_dom: SELF,
  in_order: 0,
  gmfns,
  out_dom: SELF,
  out_order: 0,
  gpfns,
  mem_flags: 0,
  nr_exchanged: 0,
  ...more,
});
const exchanged = (nr_exchanged: number) => expect.objectContaining({ nr_exchanged });
const huge: CoreCommand = { type: 'domctl.max_mem', domid: 0, domain: 1, max_memkb: 2 ** 20 };

// d1 is PV and has pages 0 to 5.
test.each<[string, CoreCommand[], CoreCommand, unknown]>([
  ['frames for others', [], exchange(own(0, 1), [0, 1]), exchanged(2)],
  ['... single ones for a large one', [], exchange(own(0, 1, 2, 3), [0], { out_order: 2 }), exchanged(4)],
  ['... a large one for single ones', [], exchange(own(0), [0, 1], { in_order: 1 }), exchanged(1)],
  ['... of others by dom0', [], exchange(own(0), [0], { domid: 0, in_dom: 1, out_dom: 1 }), exchanged(1)],
  ['... not by a guest', [], exchange(own(0), [0], { in_dom: 2, out_dom: 2 }), 'EPERM'],
  ['... not of nobody', [], exchange(own(0), [0], { domid: 0, in_dom: 77, out_dom: 77 }), 'ESRCH'],
  ['... of two domains', [], exchange(own(0), [0], { domid: 0, in_dom: 1, out_dom: 2 }), 'EINVAL'],
  ['... too large for a guest', [huge], exchange(own(0), [0], { in_order: 10, out_order: 10 }), 'EPERM'],
  ['... of no size', [], exchange(own(0), [0], { out_order: -1 }), 'EPERM'],
  ['... that do not fill the same', [], exchange(own(0, 1), [0]), 'EINVAL'],
  ['... more done than there is', [], exchange(own(0), [0], { nr_exchanged: 2 }), 'EINVAL'],
  ['... all done', [], exchange(own(0), [0], { nr_exchanged: 1 }), { nr_exchanged: 1, frames: [] }],
  ['... some done', [], exchange([1, ...own(1)], [0, 1], { nr_exchanged: 1 }), exchanged(2)],
  ["... another's", [], exchange([reference.mfn(2, 0)], [0]), 'EINVAL'],
  ['... one twice', [], exchange([own(0)[0]!, own(0)[0]!], [0], { out_order: 1 }), 'EINVAL'],
  ['... that are none', [], exchange([2 ** 30], [0]), 'EINVAL'],
  ['... of a domain that Xen translates for', [], exchange([0], [0], { domid: 2 }), 'EOPNOTSUPP'],
  ['... below an address that no memory has', [], exchange(own(0), [0], { mem_flags: 5 }), 'ENOMEM'],
  [
    '... on a node that is not there',
    [],
    exchange(own(0), [0], { domid: 0, in_dom: 1, out_dom: 1, mem_flags: 0x4200 }),
    'EINVAL',
  ],
  ['... on a certain node', [], exchange(own(0), [0], { mem_flags: 0x100 | XENMEMF.exact_node_request }), 'EINVAL'],
])('%s', (_, before, command, expected) => {
  expect(
    bootedHost()
      .prepare(...before)
      .answer(command),
  ).toEqual(expected);
});

test('the new frames stand where they are asked to, are as many, and were taken before the old ones were free', () => {
  const host = bootedHost().prepare({ type: 'memory.claim_pages', domid: 0, dom: 1, pages: 8, extent_order: 0 });
  const free = host.xen.p2m.freePages;
  const { frames } = host.answer(exchange(own(0, 1), [0, 40])) as { frames: number[] };
  expect(frames.filter((mfn) => own(0, 1).includes(mfn))).toEqual([]);
  expect([0, 40].map((gfn) => host.xen.p2m.mfn(1, gfn))).toEqual(frames);
  expect(host.xen.p2m.mfn(1, 1)).toBe(-1);
  expect(host.xen.p2m.freePages).toBe(free);
  expect(host.xen.domain.row(0, 1).tot_pages).toBe(6);
  expect(host.xen.p2m.claimed(1)).toBe(2);
});

test('low memory, for a device that knows no other', () => {
  const host = bootedHost();
  const { frames } = host.answer(exchange(own(0, 1), [0], { out_order: 1, mem_flags: 25 })) as { frames: number[] };
  expect(frames[0]! + 2).toBeLessThanOrEqual(2 ** (25 - 12));
  expect(frames[0]! % 2).toBe(0);
});

test('a chunk that fails leaves those before it done', () => {
  const host = bootedHost();
  const outcome = host.submit(exchange([...own(0, 1), own(2)[0]!, 7], [0, 2], { out_order: 1 }));
  expect(outcome).toMatchObject({ ok: false, errno: 'EINVAL', value: { nr_exchanged: 2 } });
  expect(own(0, 1).map((mfn) => host.xen.p2m.gfn(1, mfn))).toEqual([-1, -1]);
  expect(host.xen.p2m.mfn(1, 2)).toBe(own(2)[0]);
});

test('a frame that others have mapped is not for exchange', () => {
  const host = bootedHost().prepare(
    { type: 'gnttab.seed', domid: 0, dom: 1, ref: 0, gfn: 1, backend: 0 },
    { type: 'gnttab.map_grant_ref', domid: 0, dom: 1, ref: 0, readonly: true },
  );
  expect(host.answer(exchange(own(1), [1]))).toBe('EINVAL');
});
