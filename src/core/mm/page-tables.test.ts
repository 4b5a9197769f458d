import { expect, test } from 'vitest';
import { build } from '../../../tools/fuzz/arbitraries/domain.ts';
import { bootedHost } from '../../../tools/fuzz/booted-host.ts';
import type { CoreHost } from '../../../tools/fuzz/core-host.ts';
import { getPte, present, pte, putPte, rw, TABLE, user, words, writeTables } from '../../../tools/fuzz/page-tables.ts';
import type { MMUEXT } from '../../abi/sub-operations.ts';
import type { CoreCommand } from '../index.ts';
import { PAGE } from './pte.ts';

const SELF = 0x7ff0;
const D = 3;
type Pinned =
  | 'pin_l1_table'
  | 'pin_l2_table'
  | 'pin_l3_table'
  | 'pin_l4_table'
  | 'unpin_table'
  | 'new_baseptr'
  | 'new_user_baseptr';
const ext = (op: Pinned, mfn: number, domid = D, foreigndom = SELF): CoreCommand => ({
  type: `mmuext.${op}`,
  domid,
  vcpu: 0,
  foreigndom,
  mfn,
});
const update = (table: number, slot: number, value: bigint, cmd = 0, domid = D, foreigndom = SELF): CoreCommand => ({
  type: 'mm.mmu_update',
  domid,
  vcpu: 0,
  foreigndom,
  ptr: table * 4096 + slot * 8 + cmd,
  ...words(value),
});
const va = (address: number, value: bigint, domid = D): CoreCommand => ({
  type: 'mm.update_va_mapping',
  domid,
  vcpu: 0,
  va: address,
  ...words(value),
  flags: 2,
});

/** d3 is PV and has 24 pages, of which 20 are mapped by the tables in pages 0 to 3: none of them is pinned. */
function world(): { host: CoreHost; l4: number; l3: number; l2: number; l1: number; frame: (page: number) => number } {
  const host = bootedHost().prepare(...build(D, { vcpus: 2, pages: 24, hvm: false }));
  const { tables, frame } = writeTables(host, D, 20);
  const [l4, l3, l2, l1] = tables as [number, number, number, number];
  return { host, l4, l3, l2, l1, frame };
}
/** The same, and vCPU 0 runs on it. */
function running() {
  const made = world();
  made.host.prepare(ext('pin_l4_table', made.l4), ext('new_baseptr', made.l4));
  return made;
}
const kindOf = (host: CoreHost, mfn: number): string => `${host.xen.mm.frame(mfn).type} ${host.xen.mm.frame(mfn).type_count}`;

test('pinning a root looks through all that it leads to, and holds it', () => {
  const { host, l4, l3, l2, l1, frame } = world();
  expect(host.types(ext('pin_l4_table', l4))).toEqual([
    'mm.table_adjusted',
    'mm.table_adjusted',
    'mm.table_adjusted',
    'mm.table_adjusted',
    'mm.frames_changed',
  ]);
  expect([l4, l3, l2, l1, frame(4), frame(20)].map((mfn) => kindOf(host, mfn))).toEqual([
    'l4_page_table 1',
    'l3_page_table 1',
    'l2_page_table 1',
    'l1_page_table 1',
    'writable_page 1',
    'none 0',
  ]);
  // A table is held by what maps it and by the mapping for reading.
  expect(host.xen.mm.frame(l1).refs).toBe(2);
  // Xen puts its bits into the entries: all of a 64-bit guest runs in ring 3.
  expect(getPte(host, l4, 0) & BigInt(PAGE.accessed)).toBe(BigInt(PAGE.accessed));
  expect(host.answer({ type: 'domctl.getpageframeinfo3', domid: 0, domain: D, gfns: [l4, l3, l2, l1, frame(4), 99] })).toEqual({
    types: [0xc0000000, 0x30000000, 0x20000000, 0x10000000, 0, 0xf0000000],
  });
});

test('unpinning lets go of all of it again', () => {
  const { host, l4 } = world();
  host.prepare(ext('pin_l4_table', l4), ext('unpin_table', l4));
  expect([...host.xen.mm.all()]).toEqual([]);
  expect(host.answer(ext('unpin_table', l4))).toBe('EINVAL');
});

test.each<[string, (w: ReturnType<typeof world>) => void, unknown]>([
  ['as it is', () => undefined, {}],
  [
    'with an entry that nobody may have',
    ({ host, l1, frame }) => putPte(host, l1, 30, pte(frame(5), present | PAGE.pcd)),
    'EINVAL',
  ],
  ['with a large page', ({ host, l2, frame }) => putPte(host, l2, 3, pte(frame(5), TABLE | PAGE.pse)), 'EINVAL'],
  [
    'with a global entry above the lowest level',
    ({ host, l3, l2 }) => putPte(host, l3, 3, pte(l2, TABLE | PAGE.global)),
    'EINVAL',
  ],
  ["with another's frame", ({ host, l1 }) => putPte(host, l1, 30, pte(host.xen.p2m.mfn(1, 0), present)), 'EBUSY'],
  ["with another's frame as a table", ({ host, l2 }) => putPte(host, l2, 3, pte(host.xen.p2m.mfn(1, 0), TABLE)), 'EINVAL'],
  ["with nobody's frame", ({ host, l1 }) => putPte(host, l1, 30, pte(host.xen.p2m.free[0]!.mfn, present)), 'EBUSY'],
  ["with Xen's own frame", ({ host, l1 }) => putPte(host, l1, 30, pte(0x800, present)), 'EBUSY'],
  ["with a device's frame", ({ host, l1 }) => putPte(host, l1, 30, pte(0xa0, present)), 'EPERM'],
  ['with a frame beyond all', ({ host, l1 }) => putPte(host, l1, 30, pte(2 ** 40 - 1, present)), 'EINVAL'],
  ['with a table that may be written to', ({ host, l1 }) => putPte(host, l1, 30, pte(l1, present | rw)), 'EBUSY'],
  ['with the root where it may be written to', ({ host, l1, l4 }) => putPte(host, l1, 30, pte(l4, present | rw)), 'EBUSY'],
  ['with its special page', ({ host, l1 }) => putPte(host, l1, 30, pte(host.xen.sharedInfo(D), present | rw)), {}],
  ['with the same table twice', ({ host, l2, l1 }) => putPte(host, l2, 3, pte(l1, TABLE)), {}],
  ['with a table at the wrong level', ({ host, l2, l3 }) => putPte(host, l2, 3, pte(l3, TABLE)), 'EINVAL'],
  ['with itself, for reading', ({ host, l4 }) => putPte(host, l4, 300, pte(l4, present | user)), {}],
  ['with itself, for writing', ({ host, l4 }) => putPte(host, l4, 300, pte(l4, TABLE)), 'EINVAL'],
  ["with anything in Xen's slots", ({ host, l4 }) => putPte(host, l4, 256, pte(0x800, TABLE)), {}],
  ['with a slot after those', ({ host, l4 }) => putPte(host, l4, 272, pte(0x800, TABLE)), 'EINVAL'],
  [
    'with bits that are free for guests',
    ({ host, l1, frame }) => putPte(host, l1, 30, pte(frame(5), present | PAGE.avail) | (1n << 62n)),
    {},
  ],
])('a root is looked through: %s', (_, change, expected) => {
  const made = world();
  change(made);
  expect(made.host.answer(ext('pin_l4_table', made.l4))).toEqual(expected);
  if (expected !== 'EINVAL' && typeof expected === 'string') expect([...made.host.xen.mm.all()]).toEqual([]);
});

test("what a guest wrote into Xen's slots is gone, and nothing of it is mapped", () => {
  const { host, l4 } = world();
  putPte(host, l4, 271, pte(0x800, TABLE));
  host.prepare(ext('pin_l4_table', l4));
  expect(getPte(host, l4, 271)).toBe(0n);
});

test.each<[string, (w: ReturnType<typeof world>) => CoreCommand[], (w: ReturnType<typeof world>) => CoreCommand, unknown]>([
  ['a frame is pinned once', ({ l4 }) => [ext('pin_l4_table', l4)], ({ l4 }) => ext('pin_l4_table', l4), 'EINVAL'],
  ['... at one level', ({ l4 }) => [ext('pin_l4_table', l4)], ({ l4 }) => ext('pin_l3_table', l4), 'EINVAL'],
  ['... also where it is mapped as a table', ({ l4 }) => [ext('pin_l4_table', l4)], ({ l1 }) => ext('pin_l1_table', l1), {}],
  [
    '... not where it is written to',
    ({ l4 }) => [ext('pin_l4_table', l4)],
    ({ frame }) => ext('pin_l1_table', frame(5)),
    'EINVAL',
  ],
  ['... empty as any', () => [], ({ frame }) => ext('pin_l2_table', frame(22)), {}],
  ["... one's own", () => [], ({ host }) => ext('pin_l1_table', host.xen.p2m.mfn(1, 0)), 'EINVAL'],
  ['... no special page', () => [], ({ host }) => ext('pin_l1_table', host.xen.sharedInfo(D)), 'EINVAL'],
  ["... another's, by dom0", () => [], ({ frame }) => ext('pin_l1_table', frame(22), 0, D), {}],
  ["... another's, by a guest", () => [], ({ frame }) => ext('pin_l1_table', frame(22), 1, D), 'EPERM'],
  ['... nobody names himself', () => [], ({ frame }) => ext('pin_l1_table', frame(22), D, D), 'ESRCH'],
  ['... nor who is not there', () => [], ({ frame }) => ext('pin_l1_table', frame(22), D, 77), 'ESRCH'],
  ['... nor whom Xen translates for', () => [], ({ frame }) => ext('pin_l1_table', frame(22), 0, 2), 'EINVAL'],
  ['a vCPU runs on a root', () => [], ({ l4 }) => ext('new_baseptr', l4), {}],
  ['... not on what is no root when it is read as one', () => [], ({ l3 }) => ext('new_baseptr', l3), 'EBUSY'],
  ['... not on a table of another level', ({ l4 }) => [ext('pin_l4_table', l4)], ({ l3 }) => ext('new_baseptr', l3), 'EINVAL'],
  ["... not on another's", () => [], ({ host }) => ext('new_baseptr', host.xen.p2m.mfn(1, 0)), 'EINVAL'],
  ['... nor for another', () => [], ({ frame }) => ext('new_baseptr', frame(22), 0, D), 'EPERM'],
  ['... users have one too', ({ l4 }) => [ext('pin_l4_table', l4)], ({ l4 }) => ext('new_user_baseptr', l4), {}],
  ['... or none', ({ l4 }) => [ext('new_user_baseptr', l4)], () => ext('new_user_baseptr', 0), {}],
  ['... nobody is no root', () => [], () => ext('new_baseptr', 0), 'EINVAL'],
])('%s', (_, before, command, expected) => {
  const made = world();
  made.host.prepare(...before(made));
  expect(made.host.answer(command(made))).toEqual(expected);
});

test('a root that a vCPU leaves goes, unless it is pinned', () => {
  const { host, l4, frame } = world();
  const other = frame(22);
  host.prepare(ext('new_baseptr', l4), ext('new_user_baseptr', l4));
  expect(kindOf(host, l4)).toBe('l4_page_table 2');
  host.prepare(ext('new_baseptr', other), ext('new_user_baseptr', 0));
  expect([...host.xen.mm.all()].map(([mfn]) => mfn)).toEqual([other]);
});

// vCPU 0 of d3 runs on its tables. Pages 4 to 19 are mapped at their number times 4096 to write, 0 to 3 to read.
test.each<[string, (w: ReturnType<typeof world>) => CoreCommand, unknown]>([
  ['an entry maps a page', ({ l1, frame }) => update(l1, 40, pte(frame(20), present | rw | user)), {}],
  ['... of a table, to read', ({ l1, l3 }) => update(l1, 40, pte(l3, present)), {}],
  ['... not to write', ({ l1, l3 }) => update(l1, 40, pte(l3, present | rw)), 'EBUSY'],
  ["... not another's", ({ host, l1 }) => update(l1, 40, pte(host.xen.p2m.mfn(1, 0), present)), 'EBUSY'],
  ['... not with flags of the wrong kind', ({ l1, frame }) => update(l1, 40, pte(frame(20), present | PAGE.pwt)), 'EINVAL'],
  ['... nothing', ({ l1 }) => update(l1, 5, 0n), {}],
  ['... nothing, with anything in it', ({ l1 }) => update(l1, 5, 0xffff_ffff_ffff_fffen), {}],
  ['a table of tables takes a table', ({ l2, frame }) => update(l2, 9, pte(frame(22), TABLE)), {}],
  ['... not what is written to', ({ l2, frame }) => update(l2, 9, pte(frame(5), TABLE)), 'EINVAL'],
  ["... not in Xen's slots", ({ l4, l3 }) => update(l4, 260, pte(l3, TABLE)), 'EINVAL'],
  ['... not a large page', ({ l2, frame }) => update(l2, 9, pte(frame(22), TABLE | PAGE.pse)), 'EINVAL'],
  [
    '... of its own domain alone',
    ({ l2, frame }) => update(l2, 9, pte(frame(22), TABLE), 0, 0, ((D + 1) << 16) | SELF),
    'EINVAL',
  ],
  ['the root takes itself, to read', ({ l4 }) => update(l4, 300, pte(l4, present | user)), {}],
  ['... not to write', ({ l4 }) => update(l4, 300, pte(l4, TABLE)), 'EINVAL'],
  ['memory is written to by this too', ({ frame }) => update(frame(5), 7, 0x1122_3344_5566_7788n), {}],
  ["... one's own", ({ host }) => update(host.xen.p2m.mfn(1, 0), 7, 1n), 'EINVAL'],
  ["... another's tables by dom0", ({ l1, frame }) => update(l1, 40, pte(frame(20), present), 0, 0, ((D + 1) << 16) | D), {}],
  [
    "... another's frames in one's own, by dom0",
    ({ host, frame }) => update(host.xen.p2m.mfn(0, 1), 0, pte(frame(20), present), 0, 0, D),
    {},
  ],
  ['... not by a guest', ({ l1, frame }) => update(l1, 40, pte(frame(20), present), 0, 1, ((D + 1) << 16) | SELF), 'EPERM'],
  ['... nor of another', ({ l1, frame }) => update(l1, 40, pte(frame(20), present), 0, D, 1), 'EPERM'],
  ['... of whom Xen translates for', ({ frame }) => update(frame(5), 0, 0n, 0, 0, (3 << 16) | SELF), 'EOPNOTSUPP'],
  ['... of nobody', ({ frame }) => update(frame(5), 0, 0n, 0, D, 77), 'ESRCH'],
  ["... of nobody's", ({ frame }) => update(frame(5), 0, 0n, 0, D, (78 << 16) | SELF), 'ESRCH'],
  ['there is no such update', ({ frame }) => update(frame(5), 0, 0n, 5), 'ENOSYS'],
  ['an entry of the table of frames', ({ frame }) => update(frame(5), 0, 77n, 1), {}],
  ["... of one's own frame", ({ host }) => update(host.xen.p2m.mfn(1, 0), 0, 77n, 1), 'EINVAL'],
  ["... in one's own name", ({ frame }) => update(frame(5), 0, 77n, 1, 0, ((D + 1) << 16) | SELF), 'EPERM'],
  ['an address is mapped elsewhere', ({ frame }) => va(40 * 4096, pte(frame(20), present | rw | user)), {}],
  ['... where a table is', ({ frame }) => va(2 ** 21, pte(frame(20), present)), 'EINVAL'],
  ['... in user space or above Xen', ({ frame }) => va(-(2 ** 47), pte(frame(20), present)), 'EINVAL'],
  ['... not at what is no address', ({ frame }) => va(2 ** 47, pte(frame(20), present)), 'EINVAL'],
  ["... to another's frame", ({ host }) => va(40 * 4096, pte(host.xen.p2m.mfn(1, 0), present)), 'EBUSY'],
  [
    '... by a vCPU that runs on nothing',
    ({ frame }) => ({ ...va(40 * 4096, pte(frame(20), present)), vcpu: 1 }) as CoreCommand,
    'EINVAL',
  ],
  [
    '... by one that is not there',
    ({ frame }) => ({ ...va(40 * 4096, pte(frame(20), present)), vcpu: 9 }) as CoreCommand,
    'ENOENT',
  ],
  [
    '... to a frame of another, by dom0 without tables',
    ({ frame }) => ({ ...va(0, pte(frame(20), present), 0), type: 'mm.update_va_mapping_otherdomain', dom: D }) as CoreCommand,
    'EINVAL',
  ],
  [
    '... of another, by a guest',
    ({ frame }) => ({ ...va(0, pte(frame(20), present)), type: 'mm.update_va_mapping_otherdomain', dom: 1 }) as CoreCommand,
    'EPERM',
  ],
  [
    '... of nobody',
    ({ frame }) => ({ ...va(0, pte(frame(20), present)), type: 'mm.update_va_mapping_otherdomain', dom: 77 }) as CoreCommand,
    'ESRCH',
  ],
  ['a guest that Xen translates for has none of it', ({ frame }) => update(frame(5), 0, 0n, 0, 2), 'ENOSYS'],
])('%s', (_, command, expected) => {
  const made = running();
  expect(made.host.answer(command(made))).toEqual(expected);
});

test('a mapping is counted while it stands', () => {
  const { host, l1, frame } = running();
  const mfn = frame(20);
  host.prepare(update(l1, 40, pte(mfn, present | rw | user)), va(41 * 4096, pte(mfn, present)));
  expect(host.xen.mm.frame(mfn)).toMatchObject({ type: 'writable_page', type_count: 1, refs: 2 });
  // Only its own bits change: nothing is counted anew.
  expect(host.types(update(l1, 40, pte(mfn, present | rw | user | PAGE.dirty)))).toEqual(['mm.entry_written']);
  host.prepare(update(l1, 40, pte(mfn, present)));
  expect(host.xen.mm.frame(mfn)).toMatchObject({ type: 'none', type_count: 0, refs: 2 });
  // Now that nobody writes to it, it may become a table; then nobody may.
  host.prepare(ext('pin_l1_table', mfn));
  expect(host.answer(update(l1, 42, pte(mfn, present | rw)))).toBe('EBUSY');
  host.prepare(va(40 * 4096, 0n), va(41 * 4096, 0n), ext('unpin_table', mfn));
  expect(host.xen.mm.frame(mfn).refs).toBe(0);
});

test('bits that the processor has set stay, where that is asked for', () => {
  const { host, l1, frame } = running();
  host.memory.put64(l1, 5 * 8, host.memory.get64(l1, 5 * 8) | BigInt(PAGE.dirty | PAGE.accessed));
  host.prepare(update(l1, 5, pte(frame(5), present | rw | user), 2));
  expect(getPte(host, l1, 5) & BigInt(PAGE.dirty | PAGE.accessed)).toBe(BigInt(PAGE.dirty | PAGE.accessed));
  host.prepare(update(l1, 5, pte(frame(5), present | rw | user)));
  expect(getPte(host, l1, 5) & BigInt(PAGE.dirty | PAGE.accessed)).toBe(0n);
});

test('taking a table out of its place lets go of it and of all below', () => {
  const { host, l3, l2, l1, frame } = running();
  host.prepare(update(l3, 0, 0n));
  expect([l2, l1, frame(4)].map((mfn) => host.xen.mm.frame(mfn).refs)).toEqual([0, 0, 0]);
  expect(host.answer(va(5 * 4096, 0n))).toBe('EINVAL');
});

test('roots that map each other to read do so one deep', () => {
  const { host, l4, frame } = running();
  const [a, b] = [frame(21), frame(22)];
  host.prepare(ext('pin_l4_table', a), ext('pin_l4_table', b));
  const linear = present | user;
  host.prepare(update(l4, 300, pte(a, linear)));
  expect(host.xen.mm.frame(l4).linear).toBe(1);
  expect(host.xen.mm.frame(a)).toMatchObject({ linear: -1, type_count: 2 });
  // a is mapped so: it maps none; l4 maps one: nobody maps it.
  expect(host.answer(update(a, 300, pte(b, linear)))).toBe('EINVAL');
  expect(host.answer(update(b, 300, pte(l4, linear)))).toBe('EINVAL');
  expect(host.answer(update(b, 300, pte(a, linear)))).toEqual({});
  host.prepare(update(l4, 300, 0n), update(b, 300, 0n));
  expect([l4, a, b].map((mfn) => host.xen.mm.frame(mfn).linear)).toEqual([0, 0, 0]);
});

test("dom0 maps a guest's frames in tables of its own, which keeps them, and the guest's remains", () => {
  const host = bootedHost();
  host.prepare({ type: 'domctl.max_mem', domid: 0, domain: 0, max_memkb: 400 });
  const own = (page: number): number => host.xen.p2m.mfn(0, page);
  host.prepare(ext('pin_l1_table', own(1), 0));
  const [shared, page] = [host.xen.sharedInfo(1), host.xen.p2m.mfn(1, 3)];
  host.prepare(
    update(own(1), 0, pte(page, present | rw), 0, 0, 1),
    update(own(1), 1, pte(page, present), 0, 0, 1),
    update(own(1), 2, pte(shared, present | rw), 0, 0, 1),
  );
  // Without the guest's name the frame is not dom0's to map.
  expect(host.answer(update(own(1), 3, pte(page, present), 0, 0, SELF))).toBe('EBUSY');
  expect(host.xen.mm.frame(page)).toMatchObject({ refs: 2, foreign_refs: 2, type_count: 1, domid: 1 });
  // The guest gives it back: it goes when dom0 lets go.
  host.prepare({ type: 'memory.decrease_reservation_extents', domid: 1, dom: SELF, gmfns: [page], extent_order: 0 });
  expect(host.answer({ type: 'memory.current_reservation', domid: 0, dom: 1 })).toEqual({ nr_pages: 6 });
  expect(host.types(update(own(1), 0, 0n, 0, 0))).not.toContain('p2m.removed');
  expect(host.types(update(own(1), 1, 0n, 0, 0))).toContain('p2m.removed');
  // And the guest itself dies as far as it can.
  while (host.answer({ type: 'domctl.destroydomain', domid: 0, domain: 1 }) === 'ERESTART');
  expect(host.xen.isZombie(1)).toBe(true);
  expect(host.types(update(own(1), 2, 0n, 0, 0))).toContain('domain.destroyed');
  expect(host.xen.exists(1)).toBe(false);
});

test('dom0 maps pages of a guest that Xen translates for by their numbers, and what Xen shares', () => {
  const host = bootedHost();
  const own = (page: number): number => host.xen.p2m.mfn(0, page);
  host.prepare(ext('pin_l1_table', own(1), 0));
  const mfn = host.xen.p2m.mfn(2, 3);
  host.prepare(update(own(1), 0, pte(3, present | rw), 0, 0, 2));
  expect((getPte(host, own(1), 0) >> 12n) & 0xffffffffffn).toBe(BigInt(mfn));
  // No page of such a guest is ever a page table: writing to it counts for nothing.
  expect(host.xen.mm.frame(mfn)).toMatchObject({ refs: 1, type_count: 0 });
  expect(host.answer(update(own(1), 1, pte(99, present), 0, 0, 2))).toBe('EINVAL');
  // The table of frames is for reading; devices' memory is not cached.
  expect(host.answer(update(own(1), 2, pte(512, present), 0, 0, 0x7ff2))).toEqual({});
  expect(host.answer(update(own(1), 3, pte(512, present | rw), 0, 0, 0x7ff2))).toBe('EBUSY');
  host.prepare(update(own(1), 4, pte(0xb8, present | rw), 0, 0, 0x7ff1));
  expect(getPte(host, own(1), 4) & BigInt(PAGE.pcd | PAGE.pwt)).toBe(BigInt(PAGE.pcd | PAGE.pwt));
});

test('a guest maps the memory of a device that it was given, and then chooses how its pages are cached', () => {
  const { host, l1, frame } = running();
  const device = 0xf0000;
  const map = update(l1, 40, pte(device, present | rw | user));
  expect(host.answer(map)).toBe('EPERM');
  expect(host.answer(update(l1, 41, pte(frame(20), present | PAGE.pcd)))).toBe('EINVAL');
  host.prepare({ type: 'domctl.iomem_permission', domid: 0, domain: D, first_mfn: device, nr_mfns: 1, allow_access: true }, map);
  expect(getPte(host, l1, 40) & BigInt(PAGE.pcd | PAGE.pwt)).toBe(BigInt(PAGE.pcd | PAGE.pwt));
  expect(host.answer(update(l1, 42, pte(device + 1, present)))).toBe('EPERM');
  host.prepare(update(l1, 41, pte(frame(20), present | PAGE.pcd)));
  expect(host.answer({ type: 'mmuext.flush_cache', domid: D, vcpu: 0, foreigndom: SELF })).toEqual({});
});

test('grants and page tables keep each other out', () => {
  const { host, l1, frame } = running();
  const [a, b] = [frame(21), frame(22)];
  host.prepare(
    { type: 'gnttab.seed', domid: 0, dom: D, ref: 0, gfn: 21, backend: 0 },
    { type: 'gnttab.seed', domid: 0, dom: D, ref: 1, gfn: 22, backend: 0 },
    ext('pin_l1_table', b),
  );
  const map = (ref: number, readonly: boolean): CoreCommand => ({
    type: 'gnttab.map_grant_ref',
    domid: 0,
    dom: D,
    ref,
    readonly,
  });
  expect(host.answer(map(1, false))).toBe('general_error');
  host.prepare(map(0, false), map(1, true));
  expect(host.answer(ext('pin_l1_table', a))).toBe('EINVAL');
  expect(host.answer(update(l1, 40, pte(a, present | rw)))).toEqual({});
  const copied = host.answer({
    type: 'gnttab.copy',
    domid: D,
    source_dom: SELF,
    source_ref: a,
    source_is_ref: false,
    source_offset: 0,
    dest_dom: SELF,
    dest_ref: b,
    dest_is_ref: false,
    dest_offset: 0,
    len: 8,
  });
  expect(copied).toBe('general_error');
});

test('a page table is not given back, exchanged or cleared: it is held', () => {
  const { host, l1, frame } = running();
  const clear = (mfn: number): CoreCommand => ({ type: 'mmuext.clear_page', domid: D, vcpu: 0, foreigndom: SELF, mfn });
  const copy = (mfn: number, src_mfn: number): CoreCommand => ({
    type: 'mmuext.copy_page',
    domid: D,
    vcpu: 0,
    foreigndom: SELF,
    mfn,
    src_mfn,
  });
  expect(host.answer(clear(l1))).toBe('EINVAL');
  expect(host.answer(copy(l1, frame(5)))).toBe('EINVAL');
  expect(host.answer(copy(frame(5), host.xen.p2m.mfn(1, 0)))).toBe('EINVAL');
  host.memory.put32(frame(5), 8, 7);
  host.prepare(copy(frame(6), frame(5)), clear(frame(5)));
  expect([5, 6].map((page) => host.memory.get32(frame(page), 8))).toEqual([0, 7]);
  const exchange = {
    domid: D,
    in_dom: SELF,
    in_order: 0,
    out_dom: SELF,
    out_order: 0,
    gpfns: [50],
    mem_flags: 0,
    nr_exchanged: 0,
  };
  expect(host.answer({ type: 'memory.exchange', ...exchange, gmfns: [l1] })).toBe('EINVAL');
  host.prepare({ type: 'memory.decrease_reservation_extents', domid: D, dom: SELF, gmfns: [frame(7)], extent_order: 0 });
  expect(host.xen.p2m.isReleased(D, frame(7))).toBe(true);
  expect(host.types(va(7 * 4096, 0n))).toContain('p2m.removed');
});

test("what the table of frames says of a frame is its owner's to say, until it is another's", () => {
  const { host, frame } = running();
  const mfn = frame(20);
  const asked: CoreCommand = { type: 'memory.machphys', domid: 1, mfn };
  host.prepare(update(mfn, 0, 4711n, 1));
  expect(host.answer(asked)).toEqual({ gpfn: 4711 });
  host.prepare(update(mfn, 0, 2n ** 64n - 1n, 1));
  expect(host.answer(asked)).toEqual({ gpfn: -1 });
  host.prepare({ type: 'memory.decrease_reservation_extents', domid: D, dom: SELF, gmfns: [mfn], extent_order: 0 });
  host.prepare({ type: 'memory.populate_physmap', domid: 0, dom: 1, gfn: 100, nr_pages: 1 });
  expect(host.answer({ ...asked, mfn: host.xen.p2m.mfn(1, 100) } as CoreCommand)).toEqual({ gpfn: 100 });
});

test.each<[string, boolean]>([
  ['with its roots pinned and used', false],
  ['with roots that map themselves and each other', true],
])('a dying domain lets go of its page tables first: %s', (_, linear) => {
  const { host, l4, frame } = running();
  const free = bootedHost().xen.p2m.freePages;
  if (linear) {
    const [a, b] = [frame(21), frame(22)];
    host.prepare(ext('pin_l4_table', a), ext('pin_l4_table', b));
    host.prepare(
      update(l4, 301, pte(l4, present | user)),
      update(l4, 300, pte(a, present | user)),
      update(b, 300, pte(a, present | user)),
    );
  }
  host.prepare(ext('new_user_baseptr', l4), {
    type: 'mm.set_gdt',
    domid: D,
    vcpu: 1,
    frames: [frame(23)],
    entries: 512,
  });
  const stages: string[][] = [];
  for (;;) {
    const outcome = host.submit({ type: 'domctl.destroydomain', domid: 0, domain: D });
    stages.push((outcome.events ?? []).map(({ type }) => type));
    if (outcome.ok) break;
    expect(outcome.errno).toBe('ERESTART');
  }
  const first = (type: string): number => stages.findIndex((types) => types.includes(type));
  expect(first('mm.baseptr_set')).toBeGreaterThan(0);
  expect(first('mm.frames_changed')).toBeGreaterThan(0);
  expect(stages.findLastIndex((types) => types.includes('mm.frames_changed'))).toBeLessThan(first('p2m.removed'));
  expect([...host.xen.mm.all()]).toEqual([]);
  expect(host.xen.p2m.freePages).toBe(free);
});

test('every sub-operation of mmuext_op has its numbers', () => {
  const { host, frame } = running();
  const base = { domid: D, vcpu: 0, foreigndom: SELF };
  const asked: Record<keyof typeof MMUEXT, [CoreCommand, unknown]> = {
    pin_l1_table: [ext('pin_l1_table', frame(20)), {}],
    pin_l2_table: [ext('pin_l2_table', frame(21)), {}],
    pin_l3_table: [ext('pin_l3_table', frame(22)), {}],
    pin_l4_table: [ext('pin_l4_table', frame(23)), {}],
    unpin_table: [ext('unpin_table', frame(20)), {}],
    new_baseptr: [ext('new_baseptr', frame(23)), {}],
    tlb_flush_local: [{ type: 'mmuext.tlb_flush_local', ...base }, {}],
    invlpg_local: [{ type: 'mmuext.invlpg_local', ...base, linear_addr: -1 }, {}],
    tlb_flush_multi: [{ type: 'mmuext.tlb_flush_multi', ...base, vcpus: [0, 99] }, {}],
    invlpg_multi: [{ type: 'mmuext.invlpg_multi', ...base, linear_addr: 0, vcpus: [] }, {}],
    tlb_flush_all: [{ type: 'mmuext.tlb_flush_all', ...base, foreigndom: 1 }, 'EPERM'],
    invlpg_all: [{ type: 'mmuext.invlpg_all', ...base, linear_addr: 5 }, {}],
    flush_cache: [{ type: 'mmuext.flush_cache', ...base }, 'EACCES'],
    set_ldt: [{ type: 'mmuext.set_ldt', ...base, linear_addr: 4096, nr_ents: 9 }, {}],
    new_user_baseptr: [ext('new_user_baseptr', frame(23)), {}],
    clear_page: [{ type: 'mmuext.clear_page', ...base, mfn: frame(20) }, {}],
    copy_page: [{ type: 'mmuext.copy_page', ...base, mfn: frame(20), src_mfn: frame(5) }, {}],
    flush_cache_global: [{ type: 'mmuext.flush_cache_global', ...base }, 'EINVAL'],
    mark_super: [{ type: 'mmuext.mark_super', ...base, mfn: frame(20) }, 'EOPNOTSUPP'],
    unmark_super: [{ type: 'mmuext.unmark_super', ...base, mfn: frame(20) }, 'EOPNOTSUPP'],
  };
  for (const [name, [command, expected]] of Object.entries(asked)) expect([name, host.answer(command)]).toEqual([name, expected]);
  expect(host.answer({ type: 'mmuext.flush_cache', ...base, domid: 0 })).toEqual({});
  expect(host.answer({ type: 'mmuext.tlb_flush_all', ...base, domid: 2 })).toBe('EINVAL');
  expect(host.answer(ext('pin_l1_table', frame(20), 2, D))).toBe('EPERM');
});

test('a domain of 64 GiB has no row for a frame, and with its page tables one for each frame that they concern', () => {
  const PAGES = 2 ** 24;
  const host = bootedHost({ nrCpus: 2, totalPages: PAGES + 0x4000 });
  host.prepare(...build(D, { vcpus: 1, pages: PAGES, hvm: false }));
  const facts = host.steps.flatMap(({ outcome }) => outcome.events ?? []);
  expect(facts.length).toBeLessThan(60);
  expect(host.xen.p2m.of(D)).toHaveLength(1);
  expect([...host.xen.mm.frames.ids()]).toEqual([]);
  const { tables } = writeTables(host, D, 20);
  host.prepare(ext('pin_l4_table', tables[0]!));
  expect([...host.xen.mm.all()]).toHaveLength(20);
  expect(host.answer({ type: 'memory.decrease_reservation', domid: D, dom: SELF, gfn: 1000, nr_pages: 2 ** 23 })).toEqual({
    nr_done: 2 ** 23,
  });
});
