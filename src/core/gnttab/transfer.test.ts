import { describe, expect, test } from 'vitest';
import { PAGE_SIZE } from '../../../events/units.ts';
import { bootedHost } from '../../../tools/fuzz/booted-host.ts';
import type { CoreHost } from '../../../tools/fuzz/core-host.ts';
import { GRANT_ENTRY_V2, GTF } from '../../abi/grant-table.ts';
import type { CoreCommand } from '../index.ts';
import { UNPLACED } from '../p2m/state.ts';
import { entryAt, pageNumberOf } from './entries.ts';

const mfn = (dom: number, gfn: number): number => bootedHost().xen.p2m.mfn(dom, gfn);
const transfer = (domid: number, frame: number, dom: number, ref: number): CoreCommand => ({
  type: 'gnttab.transfer',
  domid,
  mfn: frame,
  dom,
  ref,
});
const destroy = (domain: number): CoreCommand => ({ type: 'domctl.destroydomain', domid: 0, domain });
const maxMem = (domain: number, pages: number): CoreCommand => ({
  type: 'domctl.max_mem',
  domid: 0,
  domain,
  max_memkb: pages * 4,
});

/** What a guest writes into entry `ref` to be given a page for its own page `gfn`. */
function accept(
  host: CoreHost,
  dom: number,
  ref: number,
  { from = 0, gfn = 30, flags = GTF.accept_transfer as number } = {},
): void {
  const { mfn: table, at, v2 } = entryAt(host.xen, dom, ref)!;
  host.memory.put16(table, at, flags);
  host.memory.put16(table, at + 2, from);
  host.memory.put32(table, at + (v2 ? GRANT_ENTRY_V2.frame : 4), gfn);
}
const entryOf = (host: CoreHost, dom: number, ref: number): { flags: number; frame: number } => {
  const entry = entryAt(host.xen, dom, ref)!;
  return { flags: host.memory.get16(entry.mfn, entry.at), frame: pageNumberOf(host.memory, entry) };
};
const done = GTF.accept_transfer | GTF.transfer_committed | GTF.transfer_completed;

/** d1 (PV) and d2 (HVM) wait for a page of dom0's by entry 3, for their page 30; d1 for one of d2's by 4. dom0 has mapped nothing. */
function waiting(): CoreHost {
  const host = bootedHost();
  accept(host, 1, 3);
  accept(host, 2, 3);
  accept(host, 1, 4, { from: 2 });
  return host;
}
const pages = (host: CoreHost, dom: number): number => host.xen.domain.of(0)!.tot_pages.at(dom);

describe('a page goes', () => {
  test('to a PV domain, with what is in it; the entry tells its frame', () => {
    const host = waiting();
    const frame = mfn(0, 5);
    host.memory.put8(frame, 17, 99);
    expect(host.answer(transfer(0, frame, 1, 3))).toEqual({});
    expect(entryOf(host, 1, 3)).toEqual({ flags: done, frame });
    expect([host.xen.p2m.mfn(1, 30), host.xen.p2m.mfn(0, 5), host.memory.get8(frame, 17)]).toEqual([frame, -1, 99]);
    expect([pages(host, 0), pages(host, 1)]).toEqual([7, 7]);
  });
  test('to an HVM domain, whose entry keeps its page number', () => {
    const host = waiting().prepare(transfer(0, mfn(0, 5), 2, 3));
    expect(entryOf(host, 2, 3)).toEqual({ flags: done, frame: 30 });
    expect(host.xen.p2m.mfn(2, 30)).toBe(mfn(0, 5));
  });
  test('in the place of another, which stays without one', () => {
    const host = waiting();
    const old = host.xen.p2m.mfn(2, 2);
    accept(host, 2, 3, { gfn: 2 });
    host.prepare(transfer(0, mfn(0, 5), 2, 3));
    expect([host.xen.p2m.mfn(2, 2), host.xen.p2m.gfn(2, old)]).toEqual([mfn(0, 5), UNPLACED + old]);
    expect(pages(host, 2)).toBe(7);
  });
  test('to a PV domain that has such a page, without a place', () => {
    const host = waiting();
    accept(host, 1, 3, { gfn: 2 });
    host.prepare(transfer(0, mfn(0, 5), 1, 3));
    expect(host.xen.p2m.gfn(1, mfn(0, 5))).toBe(UNPLACED + mfn(0, 5));
    expect(host.xen.p2m.mfn(1, 2)).toBe(mfn(1, 2));
  });
  test('by an entry of version 2', () => {
    const host = bootedHost().prepare({ type: 'gnttab.set_version', domid: 1, version: 2 });
    accept(host, 1, 200);
    host.prepare(transfer(0, mfn(0, 5), 1, 200));
    expect(entryOf(host, 1, 200)).toEqual({ flags: done, frame: mfn(0, 5) });
  });
  test('to oneself', () => {
    const host = waiting().prepare(maxMem(0, 8));
    accept(host, 0, 3, { gfn: 5 });
    expect(host.answer(transfer(0, mfn(0, 5), 0, 3))).toEqual({});
    expect([host.xen.p2m.mfn(0, 5), pages(host, 0)]).toEqual([mfn(0, 5), 8]);
  });
  test('once', () => {
    const host = waiting().prepare(transfer(0, mfn(0, 5), 1, 3));
    expect(host.answer(transfer(0, mfn(0, 6), 1, 3))).toBe('general_error');
  });
});

// What becomes of the page that the caller wanted to give: it keeps it, or it is gone.
test.each<[string, CoreCommand[], CoreCommand, unknown, 'kept' | 'gone']>([
  ["another's page", [], transfer(0, mfn(1, 1), 1, 3), 'bad_page', 'kept'],
  ['no page', [], transfer(0, 2 ** 40, 1, 3), 'bad_page', 'kept'],
  ['less than none', [], transfer(0, -1, 1, 3), 'bad_page', 'kept'],
  ['where Xen translates', [], transfer(2, 1, 1, 4), 'general_error', 'kept'],
  ['... and there is none', [], transfer(2, 99, 1, 4), 'bad_page', 'kept'],
  ['to nobody', [], transfer(0, mfn(0, 5), 77, 3), 'bad_domain', 'gone'],
  ['to DOMID_SELF, who is nobody', [], transfer(0, mfn(0, 5), 0x7ff0, 3), 'bad_domain', 'gone'],
  ['to the dying', [destroy(1)], transfer(0, mfn(0, 5), 1, 3), 'general_error', 'gone'],
  ['to one who has all it may have', [maxMem(1, 6)], transfer(0, mfn(0, 5), 1, 3), 'general_error', 'gone'],
  ['by no entry', [], transfer(0, mfn(0, 5), 1, 9), 'general_error', 'gone'],
  ["by another's", [], transfer(0, mfn(0, 5), 1, 4), 'general_error', 'gone'],
  ['by what is beyond the table', [], transfer(0, mfn(0, 5), 1, 512), 'general_error', 'gone'],
])('%s', (_, before, command, expected, fate) => {
  const host = waiting().prepare(...before);
  expect(host.answer(command)).toBe(expected);
  expect(pages(host, 0)).toBe(fate === 'gone' ? 7 : 8);
  expect(host.xen.p2m.mfn(0, 5)).toBe(fate === 'gone' ? -1 : mfn(0, 5));
  if (host.xen.isAlive(1)) expect(entryOf(host, 1, 3)).toEqual({ flags: GTF.accept_transfer, frame: 30 });
});

test('an entry says that it takes a page, and nothing else', () => {
  const host = waiting();
  accept(host, 1, 3, { flags: GTF.accept_transfer | GTF.transfer_committed });
  expect(host.answer(transfer(0, mfn(0, 5), 1, 3))).toBe('general_error');
});

test('what others have mapped is not given away', () => {
  const host = waiting();
  accept(host, 1, 3, { from: 1 });
  host.prepare(
    { type: 'gnttab.seed', domid: 0, dom: 1, ref: 5, gfn: 1, backend: 0 },
    { type: 'gnttab.map_grant_ref', domid: 0, dom: 1, ref: 5, readonly: true },
  );
  expect(host.answer(transfer(1, mfn(1, 1), 1, 3))).toBe('bad_page');
  host.prepare({ type: 'gnttab.unmap_grant_ref', domid: 0, handle: 0 });
  expect(host.answer(transfer(1, mfn(1, 1), 1, 3))).toEqual({});
});

test('nor what Xen itself uses', () => {
  const host = waiting().prepare({ type: 'evtchn.init_control', domid: 0, control_gfn: mfn(0, 5), offset: 0, vcpu: 0 });
  expect(host.answer(transfer(0, mfn(0, 5), 1, 3))).toBe('bad_page');
});

describe('cache_flush', () => {
  const CLEAN = 1;
  const INVAL = 2;
  const at = (frame: number): number => frame * PAGE_SIZE;
  const flush = (domid: number, dev_bus_addr: number, op = CLEAN, offset = 0, length = 64): CoreCommand => ({
    type: 'gnttab.cache_flush',
    domid,
    dev_bus_addr,
    offset,
    length,
    op,
  });
  const map: CoreCommand[] = [
    { type: 'gnttab.seed', domid: 0, dom: 1, ref: 5, gfn: 1, backend: 0 },
    { type: 'gnttab.map_grant_ref', domid: 0, dom: 1, ref: 5, readonly: true },
  ];
  const shared = bootedHost().xen.sharedInfo(1);
  test.each<[string, CoreCommand[], CoreCommand, unknown]>([
    ["of one's own page", [], flush(1, at(mfn(1, 1)) + 5), {}],
    ['... of a table that one shares with Xen', [], flush(1, at(shared)), {}],
    ["of another's", [], flush(0, at(mfn(1, 1))), 'EINVAL'],
    ['... that one has mapped', map, flush(0, at(mfn(1, 1))), {}],
    ['what only forgets is nothing that an x86 can do', [], flush(1, at(mfn(1, 1)), INVAL), 'EOPNOTSUPP'],
    ['... unless it writes back as well', [], flush(1, at(mfn(1, 1)), INVAL | CLEAN), {}],
    ['nothing is done anywhere', [], flush(1, -5, 0), {}],
    ['... nor to no byte', [], flush(1, -5, CLEAN, 7, 0), {}],
    ['what nobody knows', [], flush(1, at(mfn(1, 1)), 4), 'EINVAL'],
    ['... as by a reference', [], flush(1, at(mfn(1, 1)), 2 ** 31), 'EINVAL'],
    ['beyond the page', [], flush(1, at(mfn(1, 1)), CLEAN, 4096, 0), 'EINVAL'],
    ['... in part', [], flush(1, at(mfn(1, 1)), CLEAN, 4095, 2), 'EINVAL'],
    ['of no frame', [], flush(1, 2 ** 50), 'EINVAL'],
    ["of nobody's", [], flush(1, at(0x3fff)), 'EPERM'],
  ])('%s', (_, before, command, expected) => {
    expect(
      bootedHost()
        .prepare(...before)
        .answer(command),
    ).toEqual(expected);
  });
});

test('there is nothing behind dump_table', () => {
  expect(bootedHost().answer({ type: 'gnttab.dump_table', domid: 0, dom: 1 })).toBe('ENOSYS');
});
