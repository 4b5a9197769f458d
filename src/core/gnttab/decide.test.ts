import { describe, expect, test } from 'vitest';
import { bootedHost } from '../../../tools/fuzz/booted-host.ts';
import type { CoreHost } from '../../../tools/fuzz/core-host.ts';
import { getVersion, grant, map, setup, setVersion, statusFrames, swap, unmap } from '../../../tools/fuzz/grants.ts';
import type { CoreCommand } from '../index.ts';
import { entryFrame, entryOffset } from './decide.ts';
import { GTF_permit_access, GTF_reading, GTF_readonly, GTF_sub_page, GTF_writing } from './state.ts';

const SELF = 0x7ff0;
const unmapDevice = (domid: number, handle: number, frame: number): CoreCommand => ({
  type: 'gnttab.unmap_device_map',
  domid,
  handle,
  frame,
});
const query = (domid: number, dom: number): CoreCommand => ({ type: 'gnttab.query_size', domid, dom });
const seed = (domid: number, dom: number, ref: number): CoreCommand => ({
  type: 'gnttab.seed',
  domid,
  dom,
  ref,
  gfn: 1,
  backend: 0,
});
type Side = { dom: number; ref: number; is_ref?: boolean; offset?: number };
/** A page of dom0's own is named by its frame. */
const numberOf = ({ ref, is_ref }: Side): number => (is_ref === false ? bootedHost().xen.p2m.mfn(0, ref) : ref);
const copy = (domid: number, source: Side, dest: Side, len = 16): CoreCommand => ({
  type: 'gnttab.copy',
  domid,
  source_dom: source.dom,
  source_ref: numberOf(source),
  source_is_ref: source.is_ref ?? true,
  source_offset: source.offset ?? 0,
  dest_dom: dest.dom,
  dest_ref: numberOf(dest),
  dest_is_ref: dest.is_ref ?? true,
  dest_offset: dest.offset ?? 0,
  len,
});
const destroy = (domain: number): CoreCommand => ({ type: 'domctl.destroydomain', domid: 0, domain });

/** Asks for the end of a domain until it is there. */
function end(host: CoreHost, domain: number): void {
  while (host.answer(destroy(domain)) === 'ERESTART');
}

const flagsOf = (host: CoreHost, dom: number, ref: number): number =>
  host.memory.get16(entryFrame(host.xen, dom, ref), entryOffset(ref));

/**
 * d1 has granted dom0 in entries: 0 page 1; 1 page 2 to read; 2 a page it does not have; 3 page 1 to d2; 4 nothing;
 * 5 a part of page 1, which only version 2 knows.
 */
function granting(): CoreHost {
  const host = bootedHost();
  grant(host, 1, 0);
  grant(host, 1, 1, { gfn: 2, flags: GTF_permit_access | GTF_readonly });
  grant(host, 1, 2, { gfn: 77 });
  grant(host, 1, 3, { to: 2 });
  grant(host, 1, 5, { flags: GTF_permit_access | GTF_sub_page });
  return host;
}
const mfn = (dom: number, gfn: number): number => bootedHost().xen.p2m.mfn(dom, gfn);

test.each<[string, CoreCommand[], CoreCommand, unknown]>([
  ['a grant is mapped', [], map(0, 1, 0), { handle: 0, mfn: mfn(1, 1) }],
  ['... again', [map(0, 1, 0)], map(0, 1, 0), { handle: 1, mfn: mfn(1, 1) }],
  [
    '... by the handle that is free longest',
    [map(0, 1, 0), map(0, 1, 0), unmap(0, 0)],
    map(0, 1, 0),
    { handle: 2, mfn: mfn(1, 1) },
  ],
  ['to read is to read', [], map(0, 1, 1, true), { handle: 0, mfn: mfn(1, 2) }],
  ['... and not to write', [], map(0, 1, 1), 'general_error'],
  ["what is another's is not mapped", [], map(2, 1, 0), 'general_error'],
  ['... by whom it is for', [], map(2, 1, 3), { handle: 0, mfn: mfn(1, 1) }],
  ['what is no page of the granter is not', [], map(0, 1, 2), 'bad_page'],
  ['nothing is not', [], map(0, 1, 4), 'general_error'],
  ['a part of a page is not', [], map(0, 1, 5), 'general_error'],
  ['nor what is beyond the table', [], map(0, 1, 512), 'bad_gntref'],
  ['nor before it', [], map(0, 1, -1), 'bad_gntref'],
  ['nobody grants nothing', [], map(0, 77, 0), 'bad_domain'],
  ['DOMID_SELF is nobody', [], map(1, SELF, 0), 'bad_domain'],
  ['who dies has still granted', [destroy(1)], map(0, 1, 0), { handle: 0, mfn: mfn(1, 1) }],

  ['what is mapped is unmapped', [map(0, 1, 0)], unmap(0, 0), {}],
  ['... once', [map(0, 1, 0), unmap(0, 0)], unmap(0, 0), 'bad_handle'],
  ['... by whoever mapped it', [map(0, 1, 0)], unmap(1, 0), 'bad_handle'],
  ['... no other handle', [], unmap(0, 2 ** 32 - 1), 'bad_handle'],

  ['a mapping for devices goes with its frame', [map(0, 1, 0)], unmapDevice(0, 0, mfn(1, 1)), {}],
  ['... and its handle with it', [map(0, 1, 0), unmapDevice(0, 0, mfn(1, 1))], unmap(0, 0), 'bad_handle'],
  ['... not with another', [map(0, 1, 0)], unmapDevice(0, 0, mfn(1, 2)), 'bad_dev_addr'],
  ['... and without one stays', [map(0, 1, 0), unmapDevice(0, 0, 0)], unmap(0, 0), {}],
  ['... what is not mapped has none', [], unmapDevice(0, 0, 1), 'bad_handle'],

  ['every table has version 1', [], getVersion(0, 1), { version: 1 }],
  ['... nobody has one', [], getVersion(0, 77), 'ESRCH'],
  ["... another's is its own affair", [], getVersion(1, 2), 'EPERM'],
  ['... which may be asked for', [], setVersion(1, 1), { version: 1 }],
  ['... unlike the next, for who may not', [], setVersion(0, 2), 'ENOSYS'],
  ['... and what is none', [], setVersion(1, 3), 'EINVAL'],
  ['there are no status frames', [], statusFrames(1, SELF, 1), 'general_error'],
  ['... and nobody wants none', [], statusFrames(1, SELF, 0), { frames: [] }],
  ['... of nobody', [], statusFrames(0, 77, 0), 'bad_domain'],
  ['... of another', [], statusFrames(1, 2, 0), 'permission_denied'],

  ['entries change places', [swap(1, 0, 4)], map(0, 1, 4), { handle: 0, mfn: mfn(1, 1) }],
  ['... both', [swap(1, 0, 4)], map(0, 1, 0), 'general_error'],
  ['... with themselves', [map(0, 1, 0)], swap(1, 0, 0), {}],
  ['... not in use', [map(0, 1, 0)], swap(1, 4, 0), 'eagain'],
  ['... in the table', [], swap(1, 0, 512), 'bad_gntref'],

  ['a table has one frame from the start', [], query(1, SELF), { nr_frames: 1, max_nr_frames: 4 }],
  ['... and grows', [setup(1, SELF, 3)], query(0, 1), { nr_frames: 3, max_nr_frames: 4 }],
  ['... never shrinks', [setup(1, 1, 3), setup(1, 1, 1)], query(0, 1), { nr_frames: 3, max_nr_frames: 4 }],
  ['... to its limit', [], setup(1, SELF, 5), 'general_error'],
  ['... not below nothing', [], setup(1, SELF, -1), 'general_error'],
  ["another's is its own affair", [], setup(1, 0, 1), 'permission_denied'],
  ['... also to ask', [], query(1, 2), 'permission_denied'],
  ['nobody has none', [], setup(0, 77, 1), 'bad_domain'],
  ['... also to ask', [], query(0, 77), 'bad_domain'],
  [
    'entries of a frame that came later are entries',
    [setup(1, 1, 2), seed(0, 1, 600)],
    map(0, 1, 600),
    { handle: 0, mfn: mfn(1, 1) },
  ],

  ['the builder seeds', [], seed(0, 2, 0), {}],
  ['... nobody else', [], seed(1, 2, 0), 'EPERM'],
  ['... in a domain that is there', [], seed(0, 77, 0), 'ESRCH'],
  ['... in its table', [], seed(0, 2, 512), 'bad_gntref'],

  ['a copy out of a grant', [], copy(0, { dom: 1, ref: 1 }, { dom: SELF, ref: 3, is_ref: false }), {}],
  ['... into one', [], copy(0, { dom: SELF, ref: 3, is_ref: false }, { dom: 1, ref: 0 }), {}],
  ['... not into one to read', [], copy(0, { dom: SELF, ref: 3, is_ref: false }, { dom: 1, ref: 1 }), 'general_error'],
  ["... not by another's", [], copy(0, { dom: 1, ref: 3 }, { dom: SELF, ref: 3, is_ref: false }), 'general_error'],
  ['... not by a page that is none', [], copy(0, { dom: 1, ref: 2 }, { dom: SELF, ref: 3, is_ref: false }), 'bad_page'],
  ['... not into a page that is none', [], copy(0, { dom: 1, ref: 0 }, { dom: SELF, ref: 99, is_ref: false }), 'bad_page'],
  ['... not beyond the table', [], copy(0, { dom: 1, ref: 9999 }, { dom: SELF, ref: 3, is_ref: false }), 'bad_gntref'],
  ['... not from nobody', [], copy(0, { dom: 77, ref: 0 }, { dom: SELF, ref: 3, is_ref: false }), 'bad_domain'],
  [
    "a frame is one's own, and called DOMID_SELF",
    [],
    copy(0, { dom: 0, ref: 3, is_ref: false }, { dom: 1, ref: 0 }),
    'permission_denied',
  ],
  ['who is there is said before that', [], copy(0, { dom: 77, ref: 0, is_ref: false }, { dom: 1, ref: 0 }), 'bad_domain'],
  ['... and what the source grants', [], copy(0, { dom: 1, ref: 4 }, { dom: 1, ref: 3, is_ref: false }), 'general_error'],
  ['a whole page', [], copy(0, { dom: 1, ref: 0 }, { dom: SELF, ref: 3, is_ref: false }, 4096), {}],
  [
    '... and no byte more',
    [],
    copy(0, { dom: 1, ref: 0, offset: 1 }, { dom: SELF, ref: 3, is_ref: false }, 4096),
    'bad_copy_arg',
  ],
  ['... on either side', [], copy(0, { dom: 1, ref: 0 }, { dom: SELF, ref: 3, is_ref: false, offset: 4096 }, 1), 'bad_copy_arg'],
  ['... nor less', [], copy(0, { dom: 1, ref: 0 }, { dom: SELF, ref: 3, is_ref: false }, -1), 'bad_copy_arg'],
  [
    'what may not be copied is said before how much',
    [],
    copy(0, { dom: 1, ref: 4 }, { dom: SELF, ref: 3, is_ref: false }, 9999),
    'general_error',
  ],
  [
    'the dying are not copied from while mapped',
    [map(0, 1, 0), destroy(1)],
    copy(0, { dom: 1, ref: 0 }, { dom: SELF, ref: 3, is_ref: false }),
    'bad_domain',
  ],
])('%s', (_, before, command, expected) => {
  expect(
    granting()
      .prepare(...before)
      .answer(command),
  ).toEqual(expected);
});

test('a domain maps as much as its limit says', () => {
  const host = granting();
  host.xen.domain.of(0)!.max_maptrack_frames.put(0, 0);
  expect(host.answer(map(0, 1, 0))).toBe('no_space');
  expect(host.answer(map(0, 1, 9999))).toBe('no_space');
  host.xen.domain.of(0)!.max_maptrack_frames.put(0, 1);
  // A frame of handles has 256; one of them stays where the list of the free ones ends.
  host.prepare(...Array.from({ length: 128 }, () => map(0, 1, 0)), ...Array.from({ length: 127 }, () => map(0, 1, 0, true)));
  expect(host.answer(map(0, 1, 1, true))).toBe('no_space');
});

test('an entry counts 128 readers and 128 writers', () => {
  const host = granting().prepare(...Array.from({ length: 128 }, () => map(0, 1, 0)));
  expect(host.answer(map(0, 1, 0))).toBe('general_error');
  // The refused mapping has put its handle, 128, back behind the others.
  expect(host.answer(map(0, 1, 0, true))).toMatchObject({ handle: 129 });
});

describe('flags in the entry', () => {
  const both = GTF_reading | GTF_writing;
  test.each<[string, CoreCommand[], number]>([
    ['a writer raises both', [map(0, 1, 0)], both],
    ['a reader one', [map(0, 1, 0, true)], GTF_reading],
    ['a writer after a reader the other', [map(0, 1, 0, true), map(0, 1, 0)], both],
    ['they go with the last that needs them', [map(0, 1, 0), map(0, 1, 0, true), unmap(0, 0)], GTF_reading],
    ['... not before', [map(0, 1, 0), map(0, 1, 0, true), unmap(0, 1)], both],
    ['... all', [map(0, 1, 0), map(0, 1, 0, true), unmap(0, 1), unmap(0, 0)], 0],
    ['a copy leaves none', [copy(0, { dom: SELF, ref: 3, is_ref: false }, { dom: 1, ref: 0 })], 0],
  ])('%s', (_, commands, flags) => {
    const host = granting().prepare(...commands);
    expect(flagsOf(host, 1, 0) & both).toBe(flags);
  });

  test('they go when the mapper dies, also of an entry that it had mapped twice', () => {
    const host = granting().prepare(map(2, 1, 3), map(2, 1, 3, true), map(2, 1, 3, true));
    end(host, 2);
    expect(host.xen.exists(2)).toBe(false);
    expect(flagsOf(host, 1, 3)).toBe(GTF_permit_access);
  });
});

describe('an entry in use', () => {
  test('is of the frame that it was first, whatever stands there now', () => {
    const host = granting().prepare(map(0, 1, 0, true));
    grant(host, 1, 0, { gfn: 3 });
    expect(host.answer(map(0, 1, 0, true))).toEqual({ handle: 1, mfn: mfn(1, 1) });
    expect(host.answer(map(0, 1, 0))).toEqual({ handle: 2, mfn: mfn(1, 1) });
  });
  test("is its user's, whoever stands there now", () => {
    const host = granting().prepare(map(0, 1, 0));
    grant(host, 1, 0, { to: 2 });
    expect(host.answer(map(2, 1, 0))).toBe('general_error');
    expect(host.answer(map(0, 1, 0))).toMatchObject({ handle: 1 });
    host.prepare(unmap(0, 0), unmap(0, 1));
    expect(host.answer(map(2, 1, 0))).toMatchObject({ handle: 1 });
  });
  test('may come to be for reading only, before the first writer', () => {
    const host = granting().prepare(map(0, 1, 0, true));
    grant(host, 1, 0, { flags: GTF_permit_access | GTF_readonly });
    expect(host.answer(map(0, 1, 0))).toBe('general_error');
  });
  test('is not written to by a copy when it names another page by now', () => {
    const host = granting().prepare(map(0, 1, 0, true));
    grant(host, 1, 0, { gfn: 3 });
    expect(host.answer(copy(0, { dom: SELF, ref: 3, is_ref: false }, { dom: 1, ref: 0 }))).toBe('general_error');
  });
  test('says that it is read after a copy that wrote to it, though its owner had written over that', () => {
    const host = granting().prepare(map(0, 1, 0, true));
    grant(host, 1, 0, {});
    const toIt = copy(0, { dom: SELF, ref: 3, is_ref: false }, { dom: 1, ref: 0 });
    expect(flagsOf(host, 1, 0)).toBe(GTF_permit_access);
    host.prepare(toIt);
    expect(flagsOf(host, 1, 0)).toBe(GTF_permit_access | GTF_reading);
    grant(host, 1, 0, { gfn: 3 });
    expect(host.answer(toIt)).toBe('general_error');
    expect(flagsOf(host, 1, 0)).toBe(GTF_permit_access | GTF_reading);
  });
  test('is not given back by its owner', () => {
    const host = granting().prepare(map(0, 1, 0));
    expect(host.answer({ type: 'memory.decrease_reservation', domid: 1, dom: SELF, gfn: 0, nr_pages: 6 })).toEqual({
      nr_done: 1,
    });
    expect(host.answer({ type: 'memory.decrease_reservation', domid: 1, dom: SELF, gfn: 1, nr_pages: 5 })).toEqual({
      nr_done: 0,
    });
  });
});

test('bytes go from one page to the other', () => {
  const host = granting();
  const from = host.xen.p2m.mfn(1, 1);
  const to = host.xen.p2m.mfn(0, 3);
  host.memory.write(from, 100, new Uint8Array([1, 2, 3, 4]));
  host.prepare(copy(0, { dom: 1, ref: 0, offset: 101 }, { dom: SELF, ref: 3, is_ref: false, offset: 7 }, 2));
  expect([...host.memory.read(to, 6, 4)]).toEqual([0, 2, 3, 0]);
});

describe('a zombie', () => {
  /** d1 is dead; dom0 has its page 1 by entries 0 and 6, its page 2 by entry 1. */
  const zombie = (): CoreHost => {
    const host = granting();
    grant(host, 1, 6);
    end(host.prepare(map(0, 1, 0), map(0, 1, 6), map(0, 1, 1, true)), 1);
    return host;
  };
  test('keeps what is mapped', () => {
    const host = zombie();
    expect(host.xen.isZombie(1)).toBe(true);
    expect(host.xen.p2m.of(1).map(({ gfn, count }) => [gfn, count])).toEqual([[1, 2]]);
  });
  test('gives back a frame with its last mapping, and goes with the last of all', () => {
    const host = zombie();
    host.prepare({ type: 'evtchn.bind_virq', domid: 0, virq: 3, vcpu: 0 });
    expect(host.types(unmap(0, 0))).toEqual(['gnttab.unmapped']);
    expect(host.types(unmap(0, 1))).toEqual(['gnttab.unmapped', 'p2m.removed']);
    expect(host.types(unmap(0, 2))).toEqual(['gnttab.unmapped', 'domain.destroyed', 'evtchn.pending_raised']);
    expect(host.xen.exists(1)).toBe(false);
    expect(host.xen.p2m.freePages).toBe(bootedHost().xen.p2m.freePages + 6 + 2);
  });
  test('goes when its mapper does', () => {
    const host = granting();
    host.prepare(map(2, 1, 3));
    end(host, 1);
    expect(host.xen.isZombie(1)).toBe(true);
    end(host, 2);
    expect([...host.xen.domids()]).toEqual([0]);
  });
});
