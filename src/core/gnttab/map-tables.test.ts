import { expect, test } from 'vitest';
import { PAGE_SIZE } from '../../../events/units.ts';
import { bootedHost } from '../../../tools/fuzz/booted-host.ts';
import type { CoreHost } from '../../../tools/fuzz/core-host.ts';
import { getPte, present, putPte, rw, user, writeTables } from '../../../tools/fuzz/page-tables.ts';
import { GNTMAP } from '../../abi/grant-table.ts';
import type { CoreCommand } from '../index.ts';
import { PAGE } from '../mm/pte.ts';
import { entryFrame, entryOffset } from './decide.ts';

const { host_map, device_map, readonly, application_map, contains_pte } = GNTMAP;
const SELF = 0x7ff0;

/** d1 runs on tables in its pages 0 to 3, which map its pages 0 to 5 from address 0 on; dom0 has granted it its page 1 by entry 0. */
function running(): { host: CoreHost; l1: number; granted: number } {
  const host = bootedHost();
  const { tables } = writeTables(host, 1, 6);
  const base = { domid: 1, vcpu: 0, foreigndom: SELF, mfn: tables[0]! };
  host.prepare({ type: 'mmuext.pin_l4_table', ...base }, { type: 'mmuext.new_baseptr', ...base });
  const granted = host.xen.p2m.mfn(0, 1);
  const table = entryFrame(host.xen, 0, 0);
  host.memory.put16(table, entryOffset(0), 1);
  host.memory.put16(table, entryOffset(0) + 2, 1);
  host.memory.put32(table, entryOffset(0) + 4, granted);
  return { host, l1: tables[3]!, granted };
}
const map = (flags: number, host_addr: number): CoreCommand => ({
  ...{ type: 'gnttab.map_grant_ref_at', domid: 1, dom: 0, ref: 0, flags, host_addr, vcpu: 0 },
});
const unmap = (host_addr: number, dev_bus_addr = 0, handle = 0): CoreCommand => ({
  ...{ type: 'gnttab.unmap_grant_ref_at', domid: 1, handle, host_addr, dev_bus_addr, vcpu: 0 },
});
const replace = (host_addr: number, new_addr: number): CoreCommand => ({
  ...{ type: 'gnttab.unmap_and_replace', domid: 1, handle: 0, host_addr, new_addr, vcpu: 0 },
});
const at = (page: number): number => page * PAGE_SIZE;
const NX = 1n << 63n;
const KERNEL = 1n << 52n;
const standing = BigInt(PAGE.present | PAGE.accessed | PAGE.dirty);

test.each<[string, number, bigint]>([
  ["for the kernel's reading and writing", host_map, standing | BigInt(rw | user) | NX | KERNEL],
  ["for the kernel's reading", host_map | readonly, standing | BigInt(user) | NX | KERNEL],
  ['for applications', host_map | application_map, standing | BigInt(rw | user | PAGE.global) | NX],
  ["with the guest's own bits", host_map | readonly | (5 << 16), standing | BigInt(user | 0xa00) | NX | KERNEL],
])('a mapping has an entry: %s', (_, flags, bits) => {
  const { host, l1, granted } = running();
  expect(host.answer(map(flags, at(7)))).toEqual({ handle: 0, mfn: granted });
  expect(getPte(host, l1, 7)).toBe((BigInt(granted) << 12n) | bits);
  expect(host.xen.mm.frame(granted)).toMatchObject({ refs: 1, foreign_refs: 1, type_count: flags & readonly ? 0 : 1 });
  expect(host.answer(unmap(at(7)))).toEqual({});
  expect([getPte(host, l1, 7), host.xen.mm.frame(granted).refs]).toEqual([0n, 0]);
});

test('its address is that of the entry, where it says so', () => {
  const { host, l1, granted } = running();
  expect(host.answer(map(host_map | contains_pte, l1 * PAGE_SIZE + 9 * 8))).toEqual({ handle: 0, mfn: granted });
  expect(Number((getPte(host, l1, 9) >> 12n) & 0xffffffn)).toBe(granted);
  expect(host.answer(unmap(at(9)))).toBe('general_error');
  expect(host.answer(replace(l1 * PAGE_SIZE + 9 * 8, at(1)))).toBe('general_error');
  expect(host.answer(unmap(l1 * PAGE_SIZE + 9 * 8))).toEqual({});
  expect(getPte(host, l1, 9)).toBe(0n);
});

test('what stood there is let go of', () => {
  const { host, l1 } = running();
  const before = host.xen.p2m.mfn(1, 5);
  expect(host.xen.mm.frame(before)).toMatchObject({ refs: 1, type: 'writable_page' });
  host.prepare(map(host_map, at(5)), unmap(at(5)));
  expect([host.xen.mm.frame(before).refs, getPte(host, l1, 5)]).toEqual([0, 0n]);
});

test.each<[string, number, (l1: number) => number]>([
  ['at an address without tables', host_map, () => 2 ** 30 * 7],
  ["at one of Xen's", host_map, () => -(2 ** 47)],
  ['at one that there can not be', host_map, () => 2 ** 47],
  ['in a page that is no table', host_map | contains_pte, (l1) => (l1 + 1) * PAGE_SIZE],
  ['in a table above', host_map | contains_pte, (l1) => (l1 - 1) * PAGE_SIZE],
  ['in no page of its own', host_map | contains_pte, () => 2 ** 40],
  ['between two entries', host_map | contains_pte, (l1) => l1 * PAGE_SIZE + 4],
])('there is none %s, and the handle goes back', (_, flags, where) => {
  const { host, l1, granted } = running();
  expect(host.answer(map(flags, where(l1)))).toBe('general_error');
  expect(host.xen.gnttab.active.row(0, 0).writers).toBe(0);
  expect([host.xen.mm.frame(granted).refs, getPte(host, l1, 0) === 0n]).toEqual([0, false]);
});

test('an entry that is not the mapping any more is no address of it: the grant stays', () => {
  const { host, granted } = running();
  host.prepare(map(host_map, at(7)));
  expect(host.answer(unmap(at(1)))).toBe('general_error');
  expect(host.answer(unmap(at(8)))).toBe('general_error');
  // The guest's own doing: the entry is gone, and there is none by which it could let go.
  host.prepare({ type: 'mm.update_va_mapping', domid: 1, vcpu: 0, va: at(7), val_lo: 0, val_hi: 0, flags: 0 });
  expect(host.answer(unmap(at(7)))).toBe('general_error');
  expect(host.xen.gnttab.active.row(0, 0)).toMatchObject({ writers: 1, mfn: granted });
});

test('another entry takes its place: it leaves its own', () => {
  const { host, l1, granted } = running();
  const moved = getPte(host, l1, 4);
  host.prepare(map(host_map, at(7)), replace(at(7), at(4)));
  expect([getPte(host, l1, 7), getPte(host, l1, 4)]).toEqual([moved, 0n]);
  expect([host.xen.mm.frame(granted).refs, host.xen.mm.frame(host.xen.p2m.mfn(1, 4)).refs]).toEqual([0, 1]);
});
test('... and has left it even where it may not come', () => {
  const { host, l1 } = running();
  host.prepare(map(host_map, at(7)));
  expect(host.answer(replace(at(8), at(4)))).toBe('general_error');
  expect([getPte(host, l1, 4), host.xen.mm.frame(host.xen.p2m.mfn(1, 4)).refs]).toEqual([0n, 0]);
  // The entry itself, in its own place, is not there when it is looked for.
  expect(host.answer(replace(at(7), at(7)))).toBe('general_error');
  expect(getPte(host, l1, 7)).toBe(0n);
  expect(host.answer(replace(at(7), 2 ** 40))).toBe('general_error');
});

test('the part for devices stays when the entry goes', () => {
  const { host, l1, granted } = running();
  host.prepare(map(host_map | device_map, at(7)), unmap(at(7)));
  expect([getPte(host, l1, 7), host.xen.gnttab.active.row(0, 0)]).toMatchObject([0n, { devw: 1, writers: 0 }]);
  expect(host.answer(unmap(0, granted * PAGE_SIZE))).toEqual({});
  expect(host.answer({ type: 'gnttab.unmap_grant_ref', domid: 1, handle: 0 })).toBe('bad_handle');
});

test('a frame that its domain has given up goes with the last entry', () => {
  const { host, granted } = running();
  host.prepare(map(host_map, at(7)));
  const free = host.xen.p2m.freePages;
  host.prepare({ type: 'memory.decrease_reservation_extents', domid: 0, dom: SELF, gmfns: [granted], extent_order: 0 });
  expect(host.xen.p2m.gfn(0, granted)).toBeGreaterThanOrEqual(0);
  expect(host.types(unmap(at(7)))).toEqual(['mm.entry_written', 'mm.frames_changed', 'gnttab.unmapped', 'p2m.removed']);
  expect(host.xen.p2m.freePages).toBe(free + 1);
});

test('a domain that was made without tables that Xen knows has no entries', () => {
  const host = bootedHost();
  const table = entryFrame(host.xen, 0, 0);
  host.memory.put16(table, entryOffset(0), 1);
  host.memory.put16(table, entryOffset(0) + 2, 1);
  host.memory.put32(table, entryOffset(0) + 4, host.xen.p2m.mfn(0, 1));
  expect(host.types(map(host_map, at(7)))).toEqual(['gnttab.mapped']);
  const { tables } = writeTables(host, 1, 6);
  putPte(host, tables[3]!, 7, BigInt(present | user));
  expect(host.types(unmap(at(7)))).toEqual(['gnttab.unmapped']);
});
