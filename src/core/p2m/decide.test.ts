import { expect, test } from 'vitest';
import { bootedHost } from '../../../tools/fuzz/booted-host.ts';
import { CoreHost } from '../../../tools/fuzz/core-host.ts';
import { INITIAL_POOL } from '../domain/pool.ts';
import type { CoreCommand } from '../index.ts';

const SELF = 0x7ff0;
const populate = (domid: number, dom: number, gfn: number, nr_pages: number): CoreCommand => ({
  type: 'memory.populate_physmap',
  domid,
  dom,
  gfn,
  nr_pages,
});
const decrease = (domid: number, dom: number, gfn: number, nr_pages: number): CoreCommand => ({
  type: 'memory.decrease_reservation',
  domid,
  dom,
  gfn,
  nr_pages,
});
const current = (domid: number, dom: number): CoreCommand => ({ type: 'memory.current_reservation', domid, dom });
const maximum = (domid: number, dom: number): CoreCommand => ({ type: 'memory.maximum_reservation', domid, dom });
const dying: CoreCommand = { type: 'domctl.destroydomain', domid: 0, domain: 1 };
const done = (nr_done: number) => ({ nr_done });

// d1 has pages 0 to 5, of at most 10.
test.each<[string, CoreCommand[], CoreCommand, unknown]>([
  ['pages are added', [], populate(1, SELF, 6, 2), done(2)],
  ['... by dom0 for a guest', [], populate(0, 1, 100, 2), done(2)],
  ['... as many as the limit leaves', [], populate(0, 1, 6, 9), done(4)],
  ['... none beyond', [populate(0, 1, 6, 4)], populate(0, 1, 10, 1), done(0)],
  [
    '... none over a limit that came down',
    [{ type: 'domctl.max_mem', domid: 0, domain: 1, max_memkb: 8 }],
    populate(0, 1, 6, 1),
    done(0),
  ],
  ['... none where there is one', [], populate(0, 1, 5, 2), done(0)],
  ['... none at no number', [], populate(0, 1, -1, 1), done(0)],
  ['... none at numbers that no processor has', [], populate(0, 1, 2 ** 40, 1), done(0)],
  ['... not even none', [], populate(0, 1, 6, 0), done(0)],
  ['... nor less', [], populate(0, 1, 6, -1), done(0)],
  ['... none to another by a guest: that is no error', [], populate(1, 2, 6, 1), done(0)],
  ['... none to nobody', [], populate(0, 77, 6, 1), done(0)],
  ['... none to the dying', [dying], populate(0, 1, 6, 1), done(0)],

  ['pages are given back', [], decrease(1, SELF, 4, 2), done(2)],
  ['... up to a hole', [decrease(1, SELF, 3, 1)], decrease(1, SELF, 1, 5), done(2)],
  ['... not from a hole on', [], decrease(1, SELF, 6, 1), done(0)],
  ['... not from before all', [], decrease(1, SELF, -1, 3), done(0)],
  ["... not another's", [], decrease(1, 2, 0, 1), done(0)],
  ["... not nobody's", [], decrease(0, 77, 0, 1), done(0)],
  ['what was given back is populated again', [decrease(1, SELF, 0, 6)], populate(1, SELF, 2, 2), done(2)],

  ['how many there are', [decrease(1, SELF, 0, 1)], current(1, SELF), { nr_pages: 5 }],
  ['... of another', [], current(1, 0), 'EPERM'],
  ['... of nobody', [], current(0, 77), 'ESRCH'],
  ['how many there may be', [], maximum(0, 1), { nr_pages: 10 }],
  ['... of another', [], maximum(2, 1), 'EPERM'],
  ['... of a reserved id', [], maximum(0, 0x7ff4), 'ESRCH'],
])('%s', (_, before, command, expected) => {
  expect(
    bootedHost()
      .prepare(...before)
      .answer(command),
  ).toEqual(expected);
});

test('frames come lowest first, from wherever they are free', () => {
  const host = bootedHost().prepare(decrease(1, SELF, 1, 1), decrease(1, SELF, 3, 1));
  const low = [1, 3].map((gfn) => bootedHost().xen.p2m.mfn(1, gfn));
  const next = host.xen.p2m.free[2]!.mfn;
  host.prepare(populate(1, SELF, 20, 3));
  expect([20, 21, 22].map((gfn) => host.xen.p2m.mfn(1, gfn))).toEqual([...low, next]);
  expect([20, 21].map((gfn) => host.xen.p2m.gfn(1, host.xen.p2m.mfn(1, gfn)))).toEqual([20, 21]);
  expect(host.xen.p2m.gfn(1, 0)).toBe(-1);
});

test('nobody finds bytes in a page that were written before it was his', () => {
  const host = bootedHost();
  const mfn = host.xen.p2m.mfn(1, 2);
  host.memory.put32(mfn, 0, 0xdeadbeef);
  host.prepare(decrease(1, SELF, 2, 1), populate(2, SELF, 50, 1));
  expect(host.xen.p2m.mfn(2, 50)).toBe(mfn);
  expect(host.memory.get32(mfn, 0)).toBe(0);
});

test('the heap ends', () => {
  const host = bootedHost({ nrCpus: 1, totalPages: 0x1000 + 40 + INITIAL_POOL });
  host.prepare({ type: 'domctl.max_mem', domid: 0, domain: 1, max_memkb: -1 });
  const left = host.xen.p2m.freePages;
  expect(left).toBe(40 - 8 - 6 - 6 - 3 * 2);
  expect(host.answer(populate(0, 1, 6, left + 1))).toEqual(done(left));
  expect(host.answer(populate(0, 1, 1000, 1))).toEqual(done(0));
  expect(host.answer({ type: 'gnttab.setup_table', domid: 0, dom: 1, nr_frames: 2 })).toBe('general_error');
});

test('a machine smaller than the hypervisor has no heap', () => {
  expect(new CoreHost({ nrCpus: 1, totalPages: 10 }).xen.p2m.freePages).toBe(0);
});
