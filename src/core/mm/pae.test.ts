// Page tables of 32-bit guests: three levels, of which the highest has four entries, and the last of them leads to what is Xen's too.
import { expect, test } from 'vitest';
import { build } from '../../../tools/fuzz/arbitraries/domain.ts';
import { bootedHost } from '../../../tools/fuzz/booted-host.ts';
import type { CoreHost } from '../../../tools/fuzz/core-host.ts';
import { getPte, present, pte, putPte, rw, TABLE, user, words, writePaeTables } from '../../../tools/fuzz/page-tables.ts';
import type { CoreCommand } from '../index.ts';
import { PAGE } from './pte.ts';

const D = 3;
const caller = { domid: D, vcpu: 0, foreigndom: 0x7ff0 } as const;
type Ext = 'pin_l1_table' | 'pin_l2_table' | 'pin_l3_table' | 'pin_l4_table' | 'unpin_table' | 'new_baseptr' | 'new_user_baseptr';
const ext = (op: Ext, mfn: number): CoreCommand => ({ type: `mmuext.${op}`, ...caller, mfn });
const update = (table: number, slot: number, value: bigint): CoreCommand => ({
  ...{ type: 'mm.mmu_update', ...caller, ptr: table * 4096 + slot * 8, ...words(value) },
});
const va = (address: number, value: bigint): CoreCommand => ({
  ...{ type: 'mm.update_va_mapping', domid: D, vcpu: 0, va: address, ...words(value), flags: 0 },
});
const xenSlot = 428;

/** d3 has 32 bits and 24 pages, of which 20 are mapped by the tables in pages 0 to 3: none of them is pinned. */
function world() {
  const host = bootedHost().prepare(...build(D, { vcpus: 2, pages: 24, hvm: false, size: 32 }));
  const { tables, frame } = writePaeTables(host, D, 20);
  const [root, low, last, l1] = tables as [number, number, number, number];
  return { host, root, low, last, l1, frame };
}
function running() {
  const made = world();
  made.host.prepare(ext('pin_l3_table', made.root), ext('new_baseptr', made.root));
  return made;
}
const kindOf = (host: CoreHost, mfn: number): string => `${host.xen.mm.frame(mfn).type} ${host.xen.mm.frame(mfn).type_count}`;
const flagsOf = (host: CoreHost, table: number, slot: number): number => Number(getPte(host, table, slot) & 0xfffn);
const ROOT = present | user | rw;

test('a root has four entries, and its last table room for Xen', () => {
  const { host, root, low, last, l1, frame } = world();
  putPte(host, root, 4, 0x1234_5007n);
  putPte(host, last, xenSlot, 0x1234_5007n);
  putPte(host, last, xenSlot - 1, pte(l1, TABLE));
  expect(host.answer(ext('pin_l3_table', root))).toEqual({});
  expect([root, low, last, l1, frame(4)].map((mfn) => kindOf(host, mfn))).toEqual([
    ...['l3_page_table 1', 'l2_page_table 1', 'pae_xen_l2_table 1', 'l1_page_table 2', 'writable_page 1'],
  ]);
  expect([getPte(host, root, 4), getPte(host, last, xenSlot)]).toEqual([0n, 0n]);
  expect(host.answer({ type: 'domctl.getpageframeinfo3', domid: 0, domain: D, gfns: [root, low, last, l1] })).toEqual({
    types: [0xb0000000, 0x20000000, 0x20000000, 0x10000000],
  });
});

test("the kernel has a ring of its own: entries are as it wrote them, but for the root's, which are so again when it is none", () => {
  const { host, root, low, l1, frame } = world();
  putPte(host, l1, 6, pte(frame(6), present | rw));
  host.prepare(ext('pin_l3_table', root));
  expect([flagsOf(host, root, 0), flagsOf(host, root, 3)]).toEqual([ROOT, ROOT]);
  expect([getPte(host, low, 0), getPte(host, l1, 6)]).toEqual([pte(l1, TABLE), pte(frame(6), present | rw)]);
  host.prepare(ext('unpin_table', root));
  expect([flagsOf(host, root, 0), flagsOf(host, root, 3)]).toEqual([present, present]);
  expect([...host.xen.mm.all()].filter(([mfn]) => kindOf(host, mfn).startsWith('pae'))).toEqual([]);
});

test.each<[string, (w: ReturnType<typeof world>) => void]>([
  ['has no last table', ({ host, root }) => putPte(host, root, 3, 0n)],
  ['has its last table twice', ({ host, root, last }) => putPte(host, root, 1, pte(last, present))],
  ['has a first table for its last', ({ host, root, low }) => putPte(host, root, 3, pte(low, present))],
  ['does not cache', ({ host, root, low }) => putPte(host, root, 0, pte(low, present | PAGE.pcd))],
  ['says what an address may not be', ({ host, root, low }) => putPte(host, root, 0, pte(low, present) | (1n << 63n))],
  ['leads to a lowest table', ({ host, root, l1 }) => putPte(host, root, 1, pte(l1, present))],
  ['leads to itself', ({ host, root }) => putPte(host, root, 1, pte(root, present))],
])('no root is one that %s', (_, spoil) => {
  const made = world();
  spoil(made);
  expect(made.host.answer(ext('pin_l3_table', made.root))).toBe('EINVAL');
  expect([...made.host.xen.mm.all()].filter(([, { domid }]) => domid === D)).toEqual([]);
});

test('two roots do not share their last table', () => {
  const { host, root, last, frame } = running();
  putPte(host, frame(21), 3, pte(last, present));
  expect(host.answer(ext('pin_l3_table', frame(21)))).toBe('EINVAL');
  putPte(host, frame(21), 3, pte(frame(22), present));
  expect(host.answer(ext('pin_l3_table', frame(21)))).toEqual({});
  expect(host.answer(ext('new_baseptr', frame(21)))).toEqual({});
  expect([kindOf(host, root), kindOf(host, frame(21))]).toEqual(['l3_page_table 1', 'l3_page_table 2']);
});

test('there is no fourth level: to pin one does nothing, and users have no tables of their own', () => {
  const { host, root, low } = world();
  expect(host.types(ext('pin_l4_table', root))).toEqual([]);
  expect(host.answer(ext('new_baseptr', low))).toBe('EINVAL');
  expect(host.answer(ext('new_baseptr', root))).toEqual({});
  expect(host.xen.mm.baseptr(D, 0, false)).toBe(root);
  expect(host.answer(ext('new_user_baseptr', root))).toBe('EINVAL');
});

test.each<[string, (w: ReturnType<typeof world>) => CoreCommand, unknown]>([
  ['a table goes into the root', ({ root, frame }) => update(root, 1, pte(frame(21), present)), {}],
  [
    "a root's entry has flags that it may not have",
    ({ root, frame }) => update(root, 1, pte(frame(21), present | 0x100)),
    'EINVAL',
  ],
  ['the last entry stays', ({ root, frame }) => update(root, 3, pte(frame(21), present)), 'EINVAL'],
  ['there is no fifth', ({ root }) => update(root, 4, 0n), 'EINVAL'],
  ["Xen's slots are Xen's", ({ last }) => update(last, xenSlot, 0n), 'EINVAL'],
  ['the one before them is not', ({ last, l1 }) => update(last, xenSlot - 1, pte(l1, TABLE)), {}],
  ['a table like any other has no slots of Xen', ({ low, l1 }) => update(low, xenSlot, pte(l1, TABLE)), {}],
  ['a page goes into the lowest', ({ l1, frame }) => update(l1, 22, pte(frame(22), present | rw)), {}],
  ['by its address', ({ frame }) => va(22 * 4096, pte(frame(22), present | rw)), {}],
  ['no address is there', () => va(0x4000_0000, 0n), 'EINVAL'],
  ["an address is Xen's", () => va(0xf580_0000, 0n), 'EINVAL'],
])('%s', (_, command, expected) => {
  const made = running();
  expect(made.host.answer(command(made))).toEqual(expected);
});

test('an entry of the root is as the processor needs it while it is one', () => {
  const { host, root, frame } = running();
  host.prepare(update(root, 1, pte(frame(21), present)));
  expect([flagsOf(host, root, 1), kindOf(host, frame(21))]).toEqual([ROOT, 'l2_page_table 1']);
  host.prepare(update(root, 1, 0n));
  expect(kindOf(host, frame(21))).toMatch(/ 0$/);
});

test('it dies and leaves nothing', () => {
  const { host } = running();
  for (let call = 0; call < 50; call++)
    if (host.answer({ type: 'domctl.destroydomain', domid: 0, domain: D }) !== 'ERESTART') break;
  expect([...host.xen.mm.all()].filter(([, { domid }]) => domid === D)).toEqual([]);
});
