import { describe, expect, test } from 'vitest';
import { DOMID_XEN } from '../../../events/units.ts';
import { build } from '../../../tools/fuzz/arbitraries/domain.ts';
import { bootedHost } from '../../../tools/fuzz/booted-host.ts';
import { CoreHost } from '../../../tools/fuzz/core-host.ts';
import { getVersion, map, setup, setVersion, statusFrames, swap, unmap } from '../../../tools/fuzz/grants.ts';
import { GNTMAP, GRANT_ENTRY_V2, GTF } from '../../abi/grant-table.ts';
import { XENMAPSPACE, XENMEM_resource, XENMEM_resource_grant_table_id } from '../../abi/memory.ts';
import type { CoreCommand } from '../index.ts';
import { entryAt, statusPlace } from './entries.ts';

const SELF = 0x7ff0;
type Side = { dom?: number; ref: number; offset?: number };
/** A side without a domain is page `ref` of the caller's own. */
const copy = (domid: number, source: Side, dest: Side, len = 16): CoreCommand => {
  const number = ({ dom, ref }: Side): number => (dom === undefined ? bootedHost().xen.grantFrameNumber(domid, ref) : ref);
  return {
    type: 'gnttab.copy',
    domid,
    source_dom: source.dom ?? SELF,
    source_ref: number(source),
    source_is_ref: source.dom !== undefined,
    source_offset: source.offset ?? 0,
    dest_dom: dest.dom ?? SELF,
    dest_ref: number(dest),
    dest_is_ref: dest.dom !== undefined,
    dest_offset: dest.offset ?? 0,
    len,
  };
};
const own: Side = { ref: 3 };

interface Written {
  flags?: number;
  to?: number;
  gfn?: number;
  /** page_off and length, or trans_domid and gref. */
  part?: readonly [number, number];
  trans?: readonly [number, number];
  high?: number;
}
/** What a guest writes into entry `ref`, in the form that its table has. */
function grant(host: CoreHost, dom: number, ref: number, written: Written = {}): void {
  const { to = 0, gfn = 1, part, trans, high = 0 } = written;
  const flags = written.flags ?? (trans ? GTF.transitive : GTF.permit_access | (part ? GTF.sub_page : 0));
  const { mfn, at, v2 } = entryAt(host.xen, dom, ref)!;
  host.memory.put16(mfn, at, flags);
  host.memory.put16(mfn, at + 2, to);
  const number = host.xen.grantFrameNumber(dom, gfn);
  if (!v2) host.memory.put32(mfn, at + 4, number);
  else if (trans) {
    host.memory.put16(mfn, at + GRANT_ENTRY_V2.trans_domid, trans[0]);
    host.memory.put32(mfn, at + GRANT_ENTRY_V2.gref, trans[1]);
  } else {
    host.memory.put32(mfn, at + GRANT_ENTRY_V2.frame, number);
    host.memory.put32(mfn, at + GRANT_ENTRY_V2.frame + 4, high);
    host.memory.put16(mfn, at + GRANT_ENTRY_V2.page_off, part?.[0] ?? 0);
    host.memory.put16(mfn, at + GRANT_ENTRY_V2.length, part?.[1] ?? 0);
  }
}
function entryOf(host: CoreHost, dom: number, ref: number): { flags: number; domid: number; frame: number; status: number } {
  const { mfn, at, v2 } = entryAt(host.xen, dom, ref)!;
  const status = statusPlace(host.xen, dom, ref);
  return {
    flags: host.memory.get16(mfn, at),
    domid: host.memory.get16(mfn, at + 2),
    frame: host.memory.get32(mfn, at + (v2 ? GRANT_ENTRY_V2.frame : 4)),
    status: host.memory.get16(status.mfn, status.at) & (GTF.reading | GTF.writing),
  };
}
const mfn = (dom: number, gfn: number): number => bootedHost().xen.p2m.mfn(dom, gfn);

/**
 * d1 and d2 have tables of version 2. d1 has granted dom0: 8 its page 1; 9 page 2 to read; 10 bytes 100 to 199 of page 3; 11 what is
 * behind entry 8 of d2, which d2 has granted d1: its page 1; 12 what is behind d2's entry 9, bytes 16 to 31; 13 what is behind d2's 10,
 * which is again of another's; 14 what is its own; 15 what nobody has.
 */
function granting(): CoreHost {
  const host = bootedHost().prepare(setVersion(1, 2), setVersion(2, 2));
  grant(host, 1, 8);
  grant(host, 1, 9, { gfn: 2, flags: GTF.permit_access | GTF.readonly });
  grant(host, 1, 10, { gfn: 3, part: [100, 100] });
  grant(host, 1, 11, { trans: [2, 8] });
  grant(host, 1, 12, { trans: [2, 9] });
  grant(host, 1, 13, { trans: [2, 10] });
  grant(host, 1, 14, { trans: [1, 8] });
  grant(host, 1, 15, { trans: [77, 8] });
  grant(host, 2, 8, { to: 1 });
  grant(host, 2, 9, { to: 1, part: [16, 16] });
  grant(host, 2, 10, { to: 1, trans: [0, 8] });
  return host;
}

test.each<[string, CoreCommand[], CoreCommand, unknown]>([
  ['a domain that may takes version 2, as anybody with a say sees', [], getVersion(0, 1), { version: 2 }],
  ['... and goes back', [setVersion(1, 1)], getVersion(0, 1), { version: 1 }],
  ['... and takes what it has', [], setVersion(1, 2), { version: 2 }],
  ['there is no third', [], setVersion(1, 3), 'EINVAL'],
  ['who may not, does not', [], setVersion(0, 2), 'ENOSYS'],
  ['not while an entry is in use', [map(0, 1, 8)], setVersion(1, 1), 'EBUSY'],
  ['... that one is not', [map(0, 1, 8), unmap(0, 0)], setVersion(1, 1), { version: 1 }],

  ['a table has half as many entries', [], map(0, 1, 256), 'bad_gntref'],
  ['... as far as it goes', [], map(0, 1, 255), 'general_error'],
  ['... and where it has grown', [setup(1, SELF, 2)], map(0, 1, 511), 'general_error'],
  ['one status frame is for eight', [], statusFrames(1, SELF, 1), { frames: [expect.any(Number)] }],
  ['... and not two', [], statusFrames(1, SELF, 2), 'general_error'],
  ['... nor less than none', [], statusFrames(1, SELF, -1), 'general_error'],
  ['... of another', [], statusFrames(1, 2, 1), 'permission_denied'],
  ['... of nobody', [], statusFrames(0, 77, 1), 'bad_domain'],
  ['version 1 has none', [], statusFrames(0, SELF, 1), 'general_error'],

  ['a page is mapped', [], map(0, 1, 8), { handle: 0, mfn: mfn(1, 1) }],
  ['... to read', [], map(0, 1, 9, true), { handle: 0, mfn: mfn(1, 2) }],
  ['... what is to read is not to write', [], map(0, 1, 9), 'general_error'],
  ['... by whom it is for', [], map(2, 1, 8), 'general_error'],
  ['a part of a page is not', [], map(0, 1, 10, true), 'general_error'],
  ["nor another's grant", [], map(0, 1, 11, true), 'general_error'],

  ['a part of a page is copied', [], copy(0, { dom: 1, ref: 10, offset: 100 }, own, 100), {}],
  ['... not a byte before it', [], copy(0, { dom: 1, ref: 10, offset: 99 }, own, 10), 'general_error'],
  ['... nor behind', [], copy(0, { dom: 1, ref: 10, offset: 101 }, own, 100), 'general_error'],
  ['... what is beyond the page is said first', [], copy(0, { dom: 1, ref: 10, offset: 4000 }, own, 100), 'bad_copy_arg'],
  ['... into one', [], copy(0, own, { dom: 1, ref: 10, offset: 150 }, 50), {}],
  ["another's grant is copied", [], copy(0, { dom: 1, ref: 11 }, own), {}],
  ['... into one', [], copy(0, own, { dom: 1, ref: 11 }), {}],
  ['... and a part of it', [], copy(0, { dom: 1, ref: 12, offset: 16 }, own, 16), {}],
  ['... and no more', [], copy(0, { dom: 1, ref: 12, offset: 16 }, own, 17), 'general_error'],
  ['... of one who has granted it', [], copy(0, { dom: 1, ref: 13 }, own), 'general_error'],
  ['... not to itself', [], copy(0, { dom: 1, ref: 14 }, own), 'general_error'],
  ['... of somebody', [], copy(0, { dom: 1, ref: 15 }, own), 'general_error'],
  ['... by whom it is for', [], copy(2, { dom: 1, ref: 11 }, own), 'general_error'],

  ['entries change places', [swap(1, 8, 20)], map(0, 1, 20), { handle: 0, mfn: mfn(1, 1) }],
  ['... both', [swap(1, 8, 20)], map(0, 1, 8), 'general_error'],
  ['... within the table', [], swap(1, 8, 256), 'bad_gntref'],
  ['... not in use', [map(0, 1, 8)], swap(1, 8, 20), 'eagain'],
])('%s', (_, before, command, expected) => {
  expect(
    granting()
      .prepare(...before)
      .answer(command),
  ).toEqual(expected);
});

describe('an entry in use', () => {
  test('is copied from as what it was first', () => {
    const host = granting().prepare(map(0, 1, 8, true));
    grant(host, 1, 8, { gfn: 3, part: [0, 4] });
    host.memory.put8(mfn(1, 1), 4000, 77);
    host.prepare(copy(0, { dom: 1, ref: 8, offset: 4000 }, own, 1));
    expect(host.memory.get8(mfn(0, 3), 0)).toBe(77);
  });
  test("as something else than another's grant has to be tried again", () => {
    const host = granting().prepare(map(0, 1, 8, true));
    grant(host, 1, 8, { trans: [2, 8] });
    expect(host.answer(copy(0, { dom: 1, ref: 8 }, own))).toBe('ERESTART');
  });
  test('is not written to as something else', () => {
    const host = granting().prepare(map(0, 1, 8, true));
    grant(host, 1, 8, { gfn: 3, part: [0, 4] });
    expect(host.answer(copy(0, own, { dom: 1, ref: 8 }, 1))).toBe('general_error');
  });
});

describe('a status word', () => {
  const { reading, writing } = GTF;
  test.each<[string, CoreCommand[], number]>([
    ['tells of a writer', [map(0, 1, 8)], reading | writing],
    ['... of a reader', [map(0, 1, 8, true)], reading],
    ['... of the last of them', [map(0, 1, 8), map(0, 1, 8, true), unmap(0, 0)], reading],
    ['... of none', [map(0, 1, 8), unmap(0, 0)], 0],
    ['... of no copy that is done', [copy(0, { dom: 1, ref: 8 }, own)], 0],
    ['goes where its entry goes', [swap(1, 8, 20), map(0, 1, 20)], 0],
  ])('%s', (_, commands, status) => {
    const host = granting().prepare(...commands);
    expect(entryOf(host, 1, 8)).toMatchObject({ status });
    expect(entryOf(host, 1, 8).flags & (reading | writing)).toBe(0);
  });
  test('of an entry far up is in another frame', () => {
    const host = bootedHost();
    host.xen.domain.of(0)!.max_grant_frames.put(1, 9);
    host.prepare(setup(1, SELF, 9), setVersion(1, 2));
    expect(host.answer(statusFrames(1, SELF, 2))).toEqual({ frames: [expect.any(Number), expect.any(Number)] });
    grant(host, 1, 2100);
    host.prepare(map(0, 1, 2100));
    expect(statusPlace(host.xen, 1, 2100).at).toBe(2 * (2100 - 2048));
    expect(entryOf(host, 1, 2100).status).toBe(reading | writing);
  });
  test('loses what a guest has raised itself', () => {
    const host = granting();
    grant(host, 1, 8, { high: 1 });
    const { mfn: frame, at } = statusPlace(host.xen, 1, 8);
    host.memory.put16(frame, at, reading | writing);
    expect(host.answer(map(0, 1, 8))).toBe('bad_page');
    expect(entryOf(host, 1, 8).status).toBe(0);
    host.memory.put16(frame, at, reading | writing);
    expect(host.answer(copy(0, { dom: 1, ref: 8 }, own))).toBe('bad_page');
    expect(entryOf(host, 1, 8).status).toBe(writing);
  });
});

describe('the reserved entries', () => {
  const { permit_access, reading, writing, readonly } = GTF;
  test('keep what they grant, and to whom they have; the others are gone', () => {
    const host = bootedHost();
    grant(host, 1, 0);
    grant(host, 1, 1, { gfn: 2, flags: permit_access | readonly });
    grant(host, 1, 8);
    host.prepare(map(0, 1, 0), map(0, 1, 1, true), setVersion(1, 2));
    expect(entryOf(host, 1, 0)).toEqual({ flags: permit_access, domid: 0, frame: mfn(1, 1), status: reading | writing });
    expect(entryOf(host, 1, 1)).toEqual({ flags: permit_access | readonly, domid: 0, frame: mfn(1, 2), status: reading });
    expect(entryOf(host, 1, 8)).toEqual({ flags: 0, domid: 0, frame: 0, status: 0 });
    host.prepare(unmap(0, 0), setVersion(1, 1));
    expect(entryOf(host, 1, 0)).toEqual({ flags: permit_access, domid: 0, frame: mfn(1, 1), status: 0 });
    expect(entryOf(host, 1, 1)).toMatchObject({ flags: permit_access | readonly | reading, status: reading });
    host.prepare(unmap(0, 1));
    expect(entryOf(host, 1, 1)).toMatchObject({ flags: permit_access | readonly });
  });
  test('are lost where version 1 has no form for them', () => {
    const host = granting();
    grant(host, 1, 3, { flags: GTF.accept_transfer });
    host.prepare(setVersion(1, 1));
    expect(entryOf(host, 1, 3)).toEqual({ flags: 0, domid: 0, frame: 0, status: 0 });
  });
  test.each<[string, Written]>([
    ["another's grant", { trans: [2, 8] }],
    ['a frame beyond 2^32', { high: 1 }],
  ])('%s keeps the table as it is', (_, written) => {
    const host = granting();
    grant(host, 1, 3, written);
    expect(host.answer(setVersion(1, 1))).toBe('ERANGE');
    expect(host.steps.at(-1)!.outcome.value).toEqual({ version: 2 });
    expect(host.answer(getVersion(1, SELF))).toEqual({ version: 2 });
  });
});

describe('status frames', () => {
  test('come from the heap, go back there, and are cleared', () => {
    const host = bootedHost();
    const free = host.xen.p2m.freePages;
    host.prepare(setVersion(1, 2));
    expect(host.xen.p2m.freePages).toBe(free - 1);
    const [frame] = (host.answer(statusFrames(1, SELF, 1)) as { frames: number[] }).frames;
    host.memory.put16(frame!, 100, 24);
    host.prepare(setVersion(1, 1));
    expect(host.xen.p2m.freePages).toBe(free);
    expect(host.memory.get16(frame!, 100)).toBe(0);
  });
  test('are not had where the heap has none', () => {
    const host = bootedHost().prepare({ type: 'domctl.max_mem', domid: 0, domain: 1, max_memkb: -1 });
    host.prepare({ type: 'memory.populate_physmap', domid: 0, dom: 1, gfn: 100, nr_pages: host.xen.p2m.freePages });
    expect(host.answer(setVersion(1, 2))).toBe('ENOMEM');
    expect(host.answer(getVersion(1, SELF))).toEqual({ version: 1 });
  });
  const place = (domid: number, idx: number, gpfn: number): CoreCommand => ({
    type: 'memory.add_to_physmap',
    domid,
    dom: SELF,
    space: XENMAPSPACE.grant_table,
    idx,
    gpfn,
  });
  const acquire = (frame: number, nr_frames: number, gfns: number[] = []): CoreCommand => ({
    type: 'memory.acquire_resource',
    ...{ domid: 0, dom: 1, resource: XENMEM_resource.grant_table, id: XENMEM_resource_grant_table_id.status },
    ...{ frame, nr_frames, size: false, gfns },
  });
  test('stand in the physmap of their domain, for as long as they are there', () => {
    const host = granting().prepare(place(2, 2 ** 31, 50));
    const frame = (host.answer(statusFrames(2, SELF, 1)) as { frames: number[] }).frames[0]!;
    expect(host.xen.p2m.slot(2, 50)).toMatchObject({ mfn: frame, dom: 2 });
    expect(host.answer(place(2, 2 ** 31 + 1, 51))).toBe('EINVAL');
    host.prepare(setVersion(2, 1));
    expect(host.xen.p2m.slot(2, 50)).toBeUndefined();
    expect(host.answer(place(2, 2 ** 31, 50))).toBe('EINVAL');
  });
  test("come with the table that they are for, and are their domain's toolstack's to map", () => {
    const host = bootedHost();
    expect(host.answer(acquire(0, 1))).toBe('EINVAL');
    host.xen.domain.of(0)!.max_grant_frames.put(1, 16);
    host.prepare(setVersion(1, 2));
    const { frames } = host.answer(statusFrames(1, SELF, 1)) as { frames: number[] };
    expect(host.answer(acquire(0, 1))).toEqual({ nr_frames: 1, frames });
    expect(host.answer(acquire(1, 1))).toEqual({ nr_frames: 1, frames: [expect.any(Number)] });
    expect(host.answer({ type: 'gnttab.query_size', domid: 1, dom: SELF })).toMatchObject({ nr_frames: 16 });
    expect(host.answer(acquire(2, 1))).toBe('EINVAL');
  });
  test('stay while the toolstack has them mapped', () => {
    const host = new CoreHost();
    host.prepare(
      ...build(0, { vcpus: 1, pages: 8, hvm: true, caller: DOMID_XEN }),
      ...build(1, { vcpus: 1, pages: 6, hvm: false, grants: 2 }),
      setVersion(1, 2),
      acquire(0, 1, [60]),
    );
    expect(host.answer(setVersion(1, 1))).toBe('EBUSY');
    host.prepare({ type: 'memory.remove_from_physmap', domid: 0, dom: 0, gpfn: 60 });
    expect(host.answer(setVersion(1, 1))).toEqual({ version: 1 });
  });
  test('go with their domain', () => {
    const host = granting();
    const frames = (): number => [...host.xen.gnttab.statusFrames.ids()].length;
    expect(frames()).toBe(2);
    while (host.answer({ type: 'domctl.destroydomain', domid: 0, domain: 1 }) === 'ERESTART');
    expect(frames()).toBe(1);
  });
});

test('flags for devices are checked in version 2 as in version 1', () => {
  const command: CoreCommand = {
    type: 'gnttab.map_grant_ref_at',
    domid: 0,
    dom: 1,
    ref: 8,
    flags: GNTMAP.device_map,
    host_addr: 0,
    vcpu: 0,
  };
  expect(granting().answer(command)).toEqual({ handle: 0, mfn: mfn(1, 1) });
});
