import { expect, test } from 'vitest';
import { build } from '../../../tools/fuzz/arbitraries/domain.ts';
import { bootedHost } from '../../../tools/fuzz/booted-host.ts';
import { CoreHost } from '../../../tools/fuzz/core-host.ts';
import { XENMEMF } from '../../abi/memory.ts';
import { INITIAL_POOL } from '../domain/pool.ts';
import type { CoreCommand } from '../index.ts';

const SELF = 0x7ff0;
const mark = (gpfns: number[], extent_order = 0, dom = 2, domid = 0): CoreCommand => ({
  type: 'memory.populate_physmap_extents',
  domid,
  dom,
  gpfns,
  extent_order,
  mem_flags: XENMEMF.populate_on_demand,
});
const target = (target_pages: number, dom = 2, domid = 0): CoreCommand => ({
  type: 'memory.set_pod_target',
  domid,
  dom,
  target_pages,
});
const read = (dom = 2, domid = 0): CoreCommand => ({ type: 'memory.get_pod_target', domid, dom });
const touch = (gfn: number): CoreCommand => ({ type: 'memory.pod_demand_populate', domid: 2, gfn });
const decrease = (gmfns: number[], extent_order = 0, domid = 2): CoreCommand => ({
  type: 'memory.decrease_reservation_extents',
  domid,
  dom: domid === 2 ? SELF : 2,
  gmfns,
  extent_order,
});
const pages = (tot_pages: number, pod_cache_pages: number, pod_entries: number) => ({ tot_pages, pod_cache_pages, pod_entries });
const done = (nr_done: number) => expect.objectContaining({ nr_done });

// d2 is HVM and has pages 0 to 5, of at most 10.
test.each<[string, CoreCommand[], CoreCommand, unknown]>([
  ['pages are to come', [], mark([6, 7]), done(2)],
  ['... by extents', [], mark([8], 3), done(1)],
  ['... larger ones than are given', [], mark([2 ** 18], 18), done(1)],
  ['... to a limit', [], mark([2 ** 19], 19), done(0)],
  ['... not where one is', [], mark([6, 5, 7]), done(1)],
  ['... of another', [], mark([6], 0, 2, 2), done(0)],
  ['... a PV domain knows none', [], mark([6], 0, 1), done(1)],
  ['... twice is once', [mark([6, 6, 7])], read(), pages(6, 0, 2)],

  ['a target', [mark([6, 7, 8])], target(8), pages(8, 2, 3)],
  ['... no more than there is to populate', [mark([6, 7, 8])], target(10), pages(9, 3, 3)],
  ['... never less', [mark([6, 7, 8]), target(8)], target(6), pages(8, 2, 3)],
  ['... without anything to populate', [], target(8), pages(6, 0, 0)],
  ['... within its limit', [mark([6, 7, 8])], target(11), 'EINVAL'],
  ['... not below zero, which is far above', [mark([6])], target(-1), 'EINVAL'],
  ['... of a PV domain', [], target(8, 1), 'EINVAL'],
  ['... by a guest', [], target(8, SELF, 2), 'EPERM'],
  ['... by a guest, of a PV domain', [], target(8, 1, 2), 'EINVAL'],
  ['... of nobody', [], target(8, 77), 'ESRCH'],
  ['... read', [], read(), pages(6, 0, 0)],
  ['... of a PV domain', [], read(1), 'EINVAL'],
  ['... by a guest', [], read(SELF, 2), 'EPERM'],

  ['a page that is there needs no populating', [], touch(5), { mfn: bootedHost().xen.p2m.mfn(2, 5) }],
  ['... one that can not be has none', [], touch(9), 'ENOENT'],
  ['what a page is', [mark([6])], { type: 'memory.get_gfn', domid: 0, dom: 2, gfn: 6 }, { mfn: -1, p2mt: 'populate_on_demand' }],
  ['the highest page', [mark([40])], { type: 'memory.maximum_gpfn', domid: 0, dom: 2 }, { gpfn: 40 }],
  ['memory in its place', [mark([6, 7]), { ...(mark([6]) as object), mem_flags: 0 } as CoreCommand], read(), pages(7, 0, 1)],
])('%s', (_, before, command, expected) => {
  expect(
    bootedHost()
      .prepare(...before)
      .answer(command),
  ).toEqual(expected);
});

test('a page comes when it is touched, empty, from the cache', () => {
  const host = bootedHost().prepare(mark([6, 7, 8]), target(8));
  const cache = host.xen.p2m.podCache(2).map(({ mfn }) => mfn);
  const { mfn } = host.answer(touch(7)) as { mfn: number };
  expect(cache).toContain(mfn);
  expect(host.xen.p2m.mfn(2, 7)).toBe(mfn);
  expect(host.answer(read())).toEqual(pages(8, 1, 2));
});

test('hypercalls that name a page populate it', () => {
  const host = bootedHost().prepare(mark([6, 7, 8]), target(8));
  host.prepare({ type: 'memory.add_to_physmap', domid: 2, dom: SELF, space: 2, idx: 6, gpfn: 20 });
  expect(host.xen.p2m.mfn(2, 20)).toBeGreaterThan(0);
  host.prepare({ type: 'memory.remove_from_physmap', domid: 2, dom: SELF, gpfn: 7 });
  expect(host.answer(read())).toEqual(pages(8, 0, 1));
});

test('with an empty cache, pages that were left empty are taken from the guest', () => {
  const host = bootedHost().prepare(mark([6, 7]), target(7), touch(6));
  // The highest page touched is 6, so the search starts there: page 6 is in use, page 5 is not.
  host.memory.put32(host.xen.p2m.mfn(2, 6), 4000, 1);
  const [five, four] = [5, 4].map((gfn) => host.xen.p2m.mfn(2, gfn));
  host.memory.put8(four!, 0, 1);
  host.memory.put8(host.xen.p2m.mfn(2, 3), 7, 1);
  for (const gfn of [1, 2]) host.memory.put8(host.xen.p2m.mfn(2, gfn), 7, 1);
  expect(host.answer(touch(7))).toEqual({ mfn: five });
  expect(host.xen.p2m.isOnDemand(2, 5)).toBe(true);
  expect(host.answer(read())).toEqual(pages(7, 0, 1));
});

test('... and where there is none, the domain crashes', () => {
  const host = bootedHost().prepare(mark([6]));
  for (let gfn = 0; gfn < 6; gfn++) host.memory.put8(host.xen.p2m.mfn(2, gfn), 7, 1);
  expect(host.types(touch(6))).toContain('domain.crashed');
  expect(host.xen.domain.row(0, 2).shut_down).toBe('crash');
});

test('a balloon gives back what was never populated, and then what the cache needs', () => {
  const host = bootedHost().prepare(mark([6, 7, 8, 9]), target(8));
  const free = host.xen.p2m.freePages;
  expect(host.answer(decrease([6]))).toEqual(done(1));
  expect(host.answer(read())).toEqual(pages(8, 2, 3));
  // Memory goes to the cache while that is short of what may be asked of it.
  expect(host.answer(decrease([0]))).toEqual(done(1));
  expect(host.answer(read())).toEqual(pages(8, 3, 3));
  expect(host.answer(decrease([7]))).toEqual(done(1));
  expect(host.answer(read())).toEqual(pages(7, 2, 2));
  expect(host.xen.p2m.freePages).toBe(free + 1);
  expect(host.answer(decrease([1]))).toEqual(done(1));
  expect(host.answer(read())).toEqual(pages(6, 2, 2));
  // An extent of both: page 8 and 9 are to come, and are forgotten with their memory.
  expect(host.answer(decrease([8], 1))).toEqual(done(1));
  expect(host.answer(read())).toEqual(pages(4, 0, 0));
});

test('a machine that has no more says so, and keeps what it could', () => {
  const host = bootedHost({ nrCpus: 1, totalPages: 0x1000 + 8 + 6 + 6 + 6 + 3 + INITIAL_POOL });
  host.prepare({ type: 'domctl.max_mem', domid: 0, domain: 2, max_memkb: 400 }, mark([32, 40], 3));
  expect(host.answer(target(20))).toBe('ENOMEM');
  expect(host.answer(read())).toEqual(pages(9, 3, 16));
});

test('a domain of 64 GiB, half of it to be populated on demand, is a few facts; its superpages come whole', () => {
  const PAGES = 2 ** 24;
  const host = new CoreHost({ nrCpus: 2, totalPages: PAGES + 2 ** 20 });
  for (const command of build(0, { vcpus: 1, pages: 8, hvm: false, caller: 0x7ff2 })) host.submit(command);
  for (const command of build(1, { vcpus: 1, pages: 0, hvm: true })) host.submit(command);
  host.prepare({ type: 'domctl.max_mem', domid: 0, domain: 1, max_memkb: PAGES * 4 });
  const before = host.steps.length;
  const gpfns = Array.from({ length: PAGES / 2 ** 18 }, (_, i) => i * 2 ** 18);
  host.prepare(mark(gpfns, 18, 1), target(PAGES / 2, 1), { type: 'memory.pod_demand_populate', domid: 1, gfn: 1000 });
  const facts = host.steps.slice(before).flatMap(({ outcome }) => outcome.events ?? []);
  expect(facts.length).toBeLessThan(gpfns.length + 8);
  expect(host.xen.p2m.of(1).length).toBeLessThan(4);
  expect(host.xen.p2m.pod(1).length).toBeLessThan(4);
  expect([512, 1023].every((gfn) => host.xen.p2m.mfn(1, gfn) > 0)).toBe(true);
  expect(host.xen.p2m.isOnDemand(1, 511) && host.xen.p2m.isOnDemand(1, 1024)).toBe(true);
});

test('a page is populated by the one that was found empty where it then goes', () => {
  const host = bootedHost();
  for (const command of [mark([12, 13, 14, 15, 16, 17, 6]), target(8), touch(12), touch(13)]) host.submit(command);
  const move = (start: number): CoreCommand => ({
    type: 'memory.add_to_physmap_range',
    domid: 0,
    dom: 2,
    idx: 1,
    gpfn: 7,
    size: 6,
    start,
  });
  for (const start of [0, 1, 2, 3, 4]) expect(host.answer(move(start))).toBe('ERESTART');
  expect(host.answer(move(5))).toEqual({ done: 6 });
  // Page 6 was to be populated, and nothing was left in the cache: the search found 12, 13 and others empty.
  expect(host.xen.p2m.isOnDemand(2, 6) || host.xen.p2m.isOnDemand(2, 12)).toBe(false);
  expect(host.xen.p2m.mfn(2, 12)).toBeGreaterThan(0);
});
