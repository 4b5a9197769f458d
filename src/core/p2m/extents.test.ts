import { expect, test } from 'vitest';
import { bootedHost } from '../../../tools/fuzz/booted-host.ts';
import type { CoreCommand } from '../index.ts';
import { UNPLACED } from './state.ts';

const SELF = 0x7ff0;
const increase = (dom: number, nr_extents: number, extent_order: number, domid = 0, mem_flags = 0): CoreCommand => ({
  type: 'memory.increase_reservation',
  domid,
  dom,
  nr_extents,
  extent_order,
  mem_flags,
});
const populate = (dom: number, gpfns: number[], extent_order: number, domid = 0): CoreCommand => ({
  type: 'memory.populate_physmap_extents',
  domid,
  dom,
  gpfns,
  extent_order,
  mem_flags: 0,
});
const decrease = (dom: number, gmfns: number[], extent_order: number, domid = 0): CoreCommand => ({
  type: 'memory.decrease_reservation_extents',
  domid,
  dom,
  gmfns,
  extent_order,
});
const claim = (dom: number, pages: number, extent_order = 0, domid = 0): CoreCommand => ({
  type: 'memory.claim_pages',
  domid,
  dom,
  pages,
  extent_order,
});
const maxMem = (domain: number, pages: number): CoreCommand => ({
  type: 'domctl.max_mem',
  domid: 0,
  domain,
  max_memkb: pages * 4,
});
const dying: CoreCommand = { type: 'domctl.destroydomain', domid: 0, domain: 1 };
const done = (nr_done: number) => expect.objectContaining({ nr_done });
const frame = (domid: number, gfn: number): number => bootedHost().xen.p2m.mfn(domid, gfn);

// d1 is PV and has pages 0 to 5, of at most 10; d2 is HVM with as many.
test.each<[string, CoreCommand[], CoreCommand, unknown]>([
  ['extents are all or nothing', [], increase(1, 3, 1), done(2)],
  ['... in the order of asking', [], increase(1, 9, 0), done(4)],
  ['... of no size that nobody has', [], increase(1, 1, 13), done(0)],
  ['... nor a guest', [maxMem(1, 5000)], increase(SELF, 1, 10, 1), done(0)],
  ['... below that', [maxMem(1, 5000)], increase(SELF, 1, 9, 1), done(1)],
  ['... of no negative size', [], increase(1, 1, -1), done(0)],
  ['... within a single page is no address', [], increase(1, 1, 0, 0, 12), done(0)],
  ['... to another by a guest: that is no error', [], increase(2, 1, 0, 1), done(0)],
  ['... to the dying', [dying], increase(1, 1, 0), done(0)],
  ['... below an address, where that is asked for', [], increase(1, 1, 0, 0, 25), { nr_done: 1, frames: [0x1fff] }],
  ['... of a node that the machine has', [], increase(1, 1, 0, 0, 0x100 | (1 << 17)), done(1)],
  ['... of no other, where no other will do', [], increase(1, 1, 0, 0, 0x200 | (1 << 17)), done(0)],
  ['... of one that can not be', [], increase(1, 1, 0, 0, 0x4100), done(0)],
  ['... exactly of one: that is not for a guest to say', [], increase(SELF, 1, 0, 1, 0x100 | (1 << 17)), done(0)],
  ['... nor a place, where Xen translates', [], increase(2, 1, 0), done(1)],

  ['places are taken', [], populate(2, [6, 8], 1), done(2)],
  ['... twice, and from the page that is there', [], populate(2, [6, 6, 5], 0), done(3)],
  ['... not beyond all numbers', [], populate(2, [UNPLACED], 0), done(0)],
  ['... but a PV domain only notes them', [], populate(1, [5, 5], 0), done(2)],
  ['... to its limit', [], populate(1, [6, 8, 10], 1), done(2)],

  ['a PV domain gives frames back', [], decrease(1, [frame(1, 0), frame(1, 5)], 0), done(2)],
  ['... each once', [], decrease(1, [frame(1, 0), frame(1, 0)], 0), done(1)],
  ["... not another's", [], decrease(1, [frame(2, 0)], 0), done(0)],
  ['... up to what is none', [], decrease(1, [frame(1, 0), 0xfffff0, frame(1, 1)], 0), done(1)],
  ['... of no size that nobody has', [], decrease(1, [frame(1, 0)], 30), done(0)],
  ['any other gives pages', [], decrease(2, [0, 2], 1), done(2)],

  ['memory is set aside', [], claim(1, 8), {}],
  ['... once', [claim(1, 8)], claim(1, 9), 'EINVAL'],
  ['... until it is given up', [claim(1, 8), claim(1, 0)], claim(1, 9), {}],
  ['... no less than there is', [], claim(1, 6), 'EINVAL'],
  ['... no more than may be', [], claim(1, 11), 'EINVAL'],
  ['... no more than the machine has', [maxMem(1, 2 ** 20)], claim(1, 2 ** 20), 'ENOMEM'],
  ['... by the page', [], claim(1, 8, 1), 'EINVAL'],
  ['... for nobody', [], claim(77, 8), 'EINVAL'],
  ['... by dom0', [], claim(1, 8, 0, 1), 'EPERM'],

  ['the highest page', [], { type: 'memory.maximum_gpfn', domid: 0, dom: 2 }, { gpfn: 5 }],
  ['... a PV domain does not tell', [], { type: 'memory.maximum_gpfn', domid: 0, dom: 1 }, { gpfn: 0 }],
  ['... of another', [], { type: 'memory.maximum_gpfn', domid: 1, dom: 2 }, 'EPERM'],
  ['the machine ends', [], { type: 'memory.maximum_ram_page', domid: 1 }, { page: 0x4000 }],
  ['a PV domain has no physmap', [], { type: 'memory.add_to_physmap', domid: 0, dom: 1, space: 0, idx: 0, gpfn: 9 }, 'EACCES'],
  ['... nor pages on demand', [], { type: 'memory.set_pod_target', domid: 0, dom: 1, target_pages: 1 }, 'EINVAL'],
])('%s', (_, before, command, expected) => {
  expect(
    bootedHost()
      .prepare(...before)
      .answer(command),
  ).toEqual(expected);
});

test('a page without a place is known by its frame, and given back by it', () => {
  const host = bootedHost();
  const { frames } = host.answer(increase(1, 1, 1)) as { frames: number[] };
  expect(frames[0]! % 2).toBe(0); // as large, so aligned
  expect(host.xen.p2m.gfn(1, frames[0]! + 1)).toBe(UNPLACED + frames[0]! + 1);
  expect(host.answer(decrease(1, frames, 1))).toEqual({ nr_done: 1 });
  expect(host.answer({ type: 'memory.current_reservation', domid: 0, dom: 1 })).toEqual({ nr_pages: 6 });
});

test('what is set aside is there for its domain, and for nobody else', () => {
  const host = bootedHost().prepare(maxMem(1, 2 ** 20), maxMem(2, 2 ** 20));
  const free = host.xen.p2m.freePages;
  host.prepare(claim(1, 6 + free - 2));
  expect(host.answer(populate(2, [10, 11, 12], 0))).toEqual(done(2));
  expect(host.answer({ type: 'memory.populate_physmap', domid: 0, dom: 2, gfn: 20, nr_pages: 1 })).toEqual({ nr_done: 0 });
  expect(host.answer(populate(1, [10, 11, 12], 0))).toEqual(done(3));
  const outstanding = () => host.answer({ type: 'domctl.getdomaininfo', domid: 0, domain: 1 }) as { outstanding_pages: number };
  expect(outstanding().outstanding_pages).toBe(free - 5);
  host.prepare(decrease(1, [host.xen.p2m.mfn(1, 10)], 0));
  expect(outstanding().outstanding_pages).toBe(free - 4);
});

test('a page that others have mapped is given back, and goes with the last mapping', () => {
  const host = bootedHost().prepare(
    { type: 'gnttab.seed', domid: 0, dom: 1, ref: 0, gfn: 1, backend: 0 },
    { type: 'gnttab.map_grant_ref', domid: 0, dom: 1, ref: 0, readonly: true },
    { type: 'gnttab.map_grant_ref', domid: 0, dom: 1, ref: 0, readonly: true },
  );
  const pages = () => host.answer({ type: 'memory.current_reservation', domid: 0, dom: 1 });
  const unmap = (handle: number) => host.types({ type: 'gnttab.unmap_grant_ref', domid: 0, handle });
  expect(host.answer(decrease(1, [frame(1, 1), frame(1, 1)], 0))).toEqual({ nr_done: 2 });
  expect(pages()).toEqual({ nr_pages: 6 });
  expect(unmap(0)).toEqual(['gnttab.unmapped']);
  expect(unmap(1)).toEqual(['gnttab.unmapped', 'p2m.removed']);
  expect(pages()).toEqual({ nr_pages: 5 });
});

test("a page that is replaced stays the domain's, without a place", () => {
  const host = bootedHost();
  const mfn = host.xen.p2m.mfn(2, 5);
  host.prepare(populate(2, [5], 0));
  expect(host.xen.p2m.mfn(2, 5)).not.toBe(mfn);
  expect(host.xen.p2m.gfn(2, mfn)).toBe(UNPLACED + mfn);
  expect(host.answer({ type: 'memory.current_reservation', domid: 0, dom: 2 })).toEqual({ nr_pages: 7 });
});

test('a page that Xen has for event words stays', () => {
  const host = bootedHost().prepare({ type: 'evtchn.init_control', domid: 1, control_gfn: frame(1, 1), offset: 0, vcpu: 0 });
  expect(host.answer(decrease(1, [frame(1, 1)], 0))).toEqual({ nr_done: 0 });
});
