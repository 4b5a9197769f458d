import { expect, test } from 'vitest';
import { build } from '../../../tools/fuzz/arbitraries/domain.ts';
import { bootedHost } from '../../../tools/fuzz/booted-host.ts';
import { CoreHost } from '../../../tools/fuzz/core-host.ts';
import { XENMAPSPACE } from '../../abi/memory.ts';
import { INITIAL_POOL } from '../domain/pool.ts';
import type { CoreCommand } from '../index.ts';
import { UNPLACED } from './state.ts';

const SELF = 0x7ff0;
const { shared_info, grant_table, gmfn, gmfn_range, gmfn_foreign, dev_mmio } = XENMAPSPACE;
const add = (space: number, idx: number, gpfn: number, dom = SELF, domid = 2): CoreCommand => ({
  type: 'memory.add_to_physmap',
  domid,
  dom,
  space,
  idx,
  gpfn,
});
const batch = (space: number, u: number, idx: number, gpfn: number, dom = SELF, domid = 2): CoreCommand => ({
  type: 'memory.add_to_physmap_batch',
  domid,
  dom,
  space,
  u,
  idx,
  gpfn,
});
const range = (idx: number, gpfn: number, size: number, start = 0, dom = SELF, domid = 2): CoreCommand => ({
  type: 'memory.add_to_physmap_range',
  domid,
  dom,
  idx,
  gpfn,
  size,
  start,
});
const remove = (gpfn: number, dom = SELF, domid = 2): CoreCommand => ({ type: 'memory.remove_from_physmap', domid, dom, gpfn });
const at = (gfn: number, dom = 2): CoreCommand => ({ type: 'memory.get_gfn', domid: 0, dom, gfn });
const destroyed = (host: CoreHost, domain: number): void => {
  while (host.answer({ type: 'domctl.destroydomain', domid: 0, domain }) === 'ERESTART');
};

// d2 is HVM with pages 0 to 5; its grant table has one frame of at most four.
test.each<[string, CoreCommand[], CoreCommand, unknown]>([
  ['the shared info page has a place', [], add(shared_info, 0, 9), {}],
  ['... of which there is one', [], add(shared_info, 1, 9), 'EINVAL'],
  ['the grant table has places', [], add(grant_table, 0, 9), {}],
  ['... and grows', [], add(grant_table, 3, 9), {}],
  ['... to its limit', [], add(grant_table, 4, 9), 'EINVAL'],
  ['... from 0 on', [], add(grant_table, -1, 9), 'EINVAL'],
  ['... version 1 has no status', [], add(grant_table, 2 ** 31, 9), 'EINVAL'],
  ['a page moves', [], add(gmfn, 1, 9), {}],
  ['... to where it is', [], add(gmfn, 1, 1), {}],
  ['... where there is one', [], add(gmfn, 9, 1), 'EINVAL'],
  ['... not to the last number of all', [], add(gmfn, 1, -1), 'EINVAL'],
  ['... not beyond what a processor has', [], add(gmfn, 1, UNPLACED), 'EINVAL'],
  ['... a range of none', [], add(gmfn_range, 1, 9), {}],
  ["another's frame only comes in a batch", [], add(gmfn_foreign, 1, 9), 'ENOSYS'],
  ['... also where the domain is not there', [], add(gmfn_foreign, 1, 9, 77), 'ENOSYS'],
  ["a device's memory is dom0's", [], add(dev_mmio, 1, 9), 'EACCES'],
  ['there is no such space', [], add(7, 1, 9), 'EINVAL'],
  ['dom0 does it for others', [], add(gmfn, 1, 9, 2, 0), {}],
  ['... a guest does not', [], add(gmfn, 1, 9, 2, 1), 'EPERM'],
  ['... where there is a physmap', [], add(gmfn, 1, 9, 1, 2), 'EACCES'],
  ['... and a domain', [], add(gmfn, 1, 9, 77, 0), 'ESRCH'],

  ['a page of a range', [], range(0, 20, 3), 'ERESTART'],
  ['... the last', [], range(0, 20, 3, 2), { done: 3 }],
  ['... all done', [], range(0, 20, 3, 3), { done: 3 }],
  ['... beyond its size', [], range(0, 20, 3, 4), 'EILSEQ'],
  ['... beyond any size', [], range(0, 20, 3, 0x10000), 'EDOM'],
  ['... that is too large for numbers', [], range(0, -2, 3), 'EOVERFLOW'],
  ['... where there is no page', [], range(5, 20, 3, 1), 'EINVAL'],
  ['... for a PV domain', [], range(5, 20, 3, 1, 1, 0), 'EACCES'],

  ['a batch answers for each', [], batch(gmfn, 0, 1, 9), { err: 0 }],
  ['... with what is wrong with it', [], batch(gmfn, 0, 9, 10), { err: -22 }],
  ['... or with the batch', [], batch(gmfn, 0, 1, 9, 1, 0), 'EACCES'],
  ['... which has no ranges', [], batch(gmfn_range, 0, 1, 9, 77), 'EOPNOTSUPP'],
  ['... nor the last number', [], batch(gmfn, 0, 1, -1), 'EINVAL'],
  ["another's frame is for dom0", [], batch(gmfn_foreign, 1, 0, 9), { err: -1 }],

  ['a page loses its place', [], remove(3), {}],
  ['... once', [remove(3)], remove(3), 'ENOENT'],
  ['... in a physmap', [], remove(3, 1, 0), 'EACCES'],
  ["... not another's", [], remove(3, 2, 1), 'EPERM'],
  ["... not nobody's", [], remove(3, 77, 0), 'ESRCH'],
  ['... also a special one', [add(shared_info, 0, 9)], remove(9), {}],

  ['what is at a page', [], at(9), { mfn: -1, p2mt: 'invalid' }],
  ['... of another', [], { type: 'memory.get_gfn', domid: 1, dom: 2, gfn: 0 }, 'EPERM'],
])('%s', (_, before, command, expected) => {
  expect(
    bootedHost()
      .prepare(...before)
      .answer(command),
  ).toEqual(expected);
});

test('a page is where it was moved to, and what stood there is free', () => {
  const host = bootedHost();
  const [from, to] = [1, 2].map((gfn) => host.xen.p2m.mfn(2, gfn));
  const free = host.xen.p2m.freePages;
  expect(host.types(add(gmfn, 1, 2))).toEqual(['p2m.removed', 'p2m.moved']);
  expect([1, 2].map((gfn) => host.xen.p2m.mfn(2, gfn))).toEqual([-1, from]);
  expect(host.xen.p2m.freePages).toBe(free + 1);
  expect(host.xen.p2m.gfn(2, to!)).toBe(-1);
});

test('a special page is at one place, and is no memory', () => {
  const host = bootedHost();
  const mfn = host.xen.sharedInfo(2);
  host.prepare(add(shared_info, 0, 3), add(shared_info, 0, 9), add(gmfn, 9, 10));
  expect(host.answer(at(10))).toEqual({ mfn, p2mt: 'ram_rw' });
  expect(host.answer({ type: 'memory.machphys', domid: 1, mfn })).toEqual({ gpfn: 10 });
  for (const gfn of [3, 9]) expect(host.answer(at(gfn))).toEqual({ mfn: -1, p2mt: 'invalid' });
  // The page that stood at 3 went to the heap for it.
  expect(host.answer({ type: 'memory.current_reservation', domid: 0, dom: 2 })).toEqual({ nr_pages: 5 });
  expect(host.answer({ type: 'memory.maximum_gpfn', domid: 0, dom: 2 })).toEqual({ gpfn: 10 });
  // Memory that is given its place takes it.
  host.prepare({ type: 'memory.populate_physmap_extents', domid: 0, dom: 2, gpfns: [10], extent_order: 0, mem_flags: 0 });
  expect(host.xen.p2m.slotsOf(2)).toEqual([]);
});

test('a range is moved page by page', () => {
  const host = bootedHost();
  const mfns = [3, 4, 5].map((gfn) => host.xen.p2m.mfn(2, gfn));
  let start = 0;
  for (;;) {
    const outcome = host.submit(range(3, 2, 3, start));
    start = (outcome.value as { done: number }).done;
    if (outcome.ok) break;
    expect(outcome.errno).toBe('ERESTART');
  }
  expect([2, 3, 4, 5].map((gfn) => host.xen.p2m.mfn(2, gfn))).toEqual([...mfns, -1]);
});

test("a page without a place is still its domain's, and dies with it", () => {
  const host = bootedHost();
  const free = host.xen.p2m.freePages;
  const mfn = host.xen.p2m.mfn(2, 3);
  host.prepare(remove(3), add(shared_info, 0, 3));
  expect(host.answer({ type: 'memory.current_reservation', domid: 0, dom: 2 })).toEqual({ nr_pages: 6 });
  expect(host.answer({ type: 'memory.machphys', domid: 1, mfn })).toEqual({ gpfn: -1 });
  destroyed(host, 2);
  expect(host.xen.exists(2)).toBe(false);
  expect(host.xen.p2m.freePages).toBe(free + 6 + 2 + INITIAL_POOL);
});

test('a page that is granted loses its place, and goes with the last mapping', () => {
  const host = bootedHost().prepare(
    { type: 'gnttab.seed', domid: 0, dom: 2, ref: 0, gfn: 1, backend: 0 },
    { type: 'gnttab.map_grant_ref', domid: 0, dom: 2, ref: 0, readonly: true },
    add(shared_info, 0, 1),
  );
  expect(host.answer({ type: 'memory.current_reservation', domid: 0, dom: 2 })).toEqual({ nr_pages: 6 });
  expect(host.types({ type: 'gnttab.unmap_grant_ref', domid: 0, handle: 0 })).toEqual(['gnttab.unmapped', 'p2m.removed']);
  expect(host.answer({ type: 'memory.current_reservation', domid: 0, dom: 2 })).toEqual({ nr_pages: 5 });
});

/** A dom0 whose memory Xen translates: only such a one has others' frames in its physmap. */
function translatedDom0(): CoreHost {
  const host = new CoreHost();
  for (const command of [
    ...build(0, { vcpus: 1, pages: 8, hvm: true, caller: 0x7ff2 }),
    ...build(1, { vcpus: 1, pages: 6, hvm: false }),
    ...build(2, { vcpus: 1, pages: 6, hvm: true }),
  ])
    host.submit(command);
  return host;
}
const foreign = (u: number, idx: number, gpfn: number): CoreCommand => batch(gmfn_foreign, u, idx, gpfn, SELF, 0);

test.each<[string, (host: CoreHost) => CoreCommand, unknown]>([
  ['a frame of a PV domain', (host) => foreign(1, host.xen.p2m.mfn(1, 2), 20), { err: 0 }],
  ['... that is its own', (host) => foreign(1, host.xen.p2m.mfn(2, 2), 20), { err: -22 }],
  ['a page of any other', () => foreign(2, 2, 20), { err: 0 }],
  ['... that is there', () => foreign(2, 9, 20), { err: -22 }],
  ["... Xen's", () => foreign(0x7ff2, 2, 20), { err: -22 }],
  ["... one's own", () => foreign(0, 2, 20), { err: -1 }],
  ["... nobody's", () => foreign(77, 2, 20), { err: -3 }],
  ['a device is for itself', () => add(dev_mmio, 2, 20, 2, 0), 'EACCES'],
  ['... and has no memory on x86', () => add(dev_mmio, 2, 20, SELF, 0), 'EINVAL'],
  ['... not even with a reserved field', () => batch(dev_mmio, 1, 2, 20, SELF, 0), 'EOPNOTSUPP'],
])('dom0 maps %s', (_, command, expected) => {
  const host = translatedDom0();
  expect(host.answer(command(host))).toEqual(expected);
});

test('a frame that dom0 shows stays until it lets go: with its page, and with its domain', () => {
  const host = translatedDom0().prepare(foreign(2, 2, 20), foreign(2, 3, 21), foreign(2, 3, 22));
  const mfn = host.xen.p2m.mfn(2, 2);
  expect(host.answer(at(20, 0))).toEqual({ mfn, p2mt: 'map_foreign' });
  // No memory of dom0's: it is not given back, nor written over.
  expect(host.answer({ type: 'memory.decrease_reservation_extents', domid: 0, dom: SELF, gmfns: [20], extent_order: 0 })).toEqual(
    { nr_done: 0 },
  );
  expect(host.answer(add(gmfn, 1, 20, SELF, 0))).toBe('ENXIO');
  expect(host.answer({ type: 'memory.decrease_reservation_extents', domid: 2, dom: SELF, gmfns: [2], extent_order: 0 })).toEqual({
    nr_done: 1,
  });
  expect(host.types(remove(20, SELF, 0))).toEqual(['p2m.slot_unmapped', 'p2m.removed']);

  destroyed(host, 2);
  expect(host.xen.isZombie(2)).toBe(true);
  expect(host.types(remove(21, SELF, 0))).toEqual(['p2m.slot_unmapped']);
  expect(host.types(remove(22, SELF, 0))).toContain('domain.destroyed');
  expect(host.xen.exists(2)).toBe(false);
});

test('status frames of a table of version 2 have places as well, and leave them with the version', () => {
  const status = 2 ** 31;
  const host = bootedHost().prepare({ type: 'gnttab.set_version', domid: 2, version: 2 });
  host.prepare(add(grant_table, status, 9), add(grant_table, 3, 10));
  expect(host.xen.p2m.slotsOf(2).map(({ gfn }) => gfn)).toEqual([9, 10]);
  // A domain of at most four frames has one of status words.
  expect(host.answer(add(grant_table, status + 1, 11))).toBe('EINVAL');
  expect(host.types({ type: 'gnttab.set_version', domid: 2, version: 1 })).toContain('p2m.slot_unmapped');
  expect(host.xen.p2m.slotsOf(2).map(({ gfn }) => gfn)).toEqual([10]);
});
