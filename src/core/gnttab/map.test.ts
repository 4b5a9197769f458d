import { describe, expect, test } from 'vitest';
import { PAGE_SIZE } from '../../../events/units.ts';
import { bootedHost } from '../../../tools/fuzz/booted-host.ts';
import type { CoreHost } from '../../../tools/fuzz/core-host.ts';
import { grant } from '../../../tools/fuzz/grants.ts';
import { GNTMAP } from '../../abi/grant-table.ts';
import type { CoreCommand } from '../index.ts';
import { entryFrame, entryOffset } from './decide.ts';
import { GTF_permit_access, GTF_reading, GTF_readonly, GTF_writing } from './state.ts';

const { host_map, device_map, readonly, application_map, contains_pte } = GNTMAP;
const ADDR = -0x7780_0000_0000;

const map = (domid: number, dom: number, ref: number, flags = host_map, host_addr = ADDR): CoreCommand => ({
  type: 'gnttab.map_grant_ref_at',
  domid,
  dom,
  ref,
  flags,
  host_addr,
  vcpu: 0,
});
const unmap = (domid: number, handle: number, host_addr: number, dev_bus_addr: number): CoreCommand => ({
  type: 'gnttab.unmap_grant_ref_at',
  domid,
  handle,
  host_addr,
  dev_bus_addr,
  vcpu: 0,
});
const replace = (domid: number, handle: number, host_addr: number, new_addr: number): CoreCommand => ({
  type: 'gnttab.unmap_and_replace',
  domid,
  handle,
  host_addr,
  new_addr,
  vcpu: 0,
});
const all = (domid: number, handle: number): CoreCommand => ({ type: 'gnttab.unmap_grant_ref', domid, handle });

const statusOf = (host: CoreHost, dom: number, ref: number): number =>
  host.memory.get16(entryFrame(host.xen, dom, ref), entryOffset(ref)) & (GTF_reading | GTF_writing);

/** d1 (PV) has granted dom0 (PV) page 1 by entry 0, page 2 to read by entry 1; d2 (HVM) its page 1 by entry 2, to dom0 and d1 its own by 3. */
function granting(): CoreHost {
  const host = bootedHost();
  grant(host, 1, 0);
  grant(host, 1, 1, { gfn: 2, flags: GTF_permit_access | GTF_readonly });
  grant(host, 1, 3, { to: 2, gfn: 3 });
  grant(host, 2, 2);
  return host;
}
const mfn = (dom: number, gfn: number): number => bootedHost().xen.p2m.mfn(dom, gfn);
const bus = (dom: number, gfn: number): number => mfn(dom, gfn) * PAGE_SIZE;
const both = host_map | device_map;

test.each<[string, CoreCommand[], CoreCommand, unknown]>([
  ['for the CPU', [], map(0, 1, 0), { handle: 0, mfn: mfn(1, 1) }],
  ['for devices', [], map(0, 1, 0, device_map), { handle: 0, mfn: mfn(1, 1) }],
  ['for both, by one handle', [], map(0, 1, 0, both), { handle: 0, mfn: mfn(1, 1) }],
  ['a page of an HVM domain', [], map(0, 2, 2, both), { handle: 0, mfn: mfn(2, 1) }],
  ['with bits for the page table entry', [], map(0, 1, 0, host_map | application_map | 0x70000), { handle: 0, mfn: mfn(1, 1) }],
  ['for neither is no mapping', [], map(0, 1, 0, readonly), 'bad_gntref'],
  ['... said before who is there', [], map(0, 77, 0, contains_pte), 'bad_gntref'],
  ['who is there, before what there is', [], map(0, 77, 9999), 'bad_domain'],
  ['reserved ids are nobody', [], map(0, 0x7ff1, 0), 'bad_domain'],
  ['to write what is to read', [], map(0, 1, 1, device_map), 'general_error'],
  ['... and to read it', [], map(0, 1, 1, device_map | readonly), { handle: 0, mfn: mfn(1, 2) }],
  ['by a page table entry', [], map(0, 1, 0, host_map | contains_pte, 8 * 77), { handle: 0, mfn: mfn(1, 1) }],
  ['... that stands where none can', [], map(0, 1, 0, host_map | contains_pte, 8 * 77 + 4), 'general_error'],
  ['where Xen translates, not for devices', [], map(2, 1, 3, both), 'general_error'],
  ['... nor for applications', [], map(2, 1, 3, host_map | application_map), 'general_error'],
  ['... said before who is there', [], map(2, 77, 3, device_map), 'general_error'],
  ['... but for the CPU', [], map(2, 1, 3, host_map | readonly, 0x5000), { handle: 0, mfn: mfn(1, 3) }],
  ['... without bits for an entry', [], map(2, 1, 3, host_map | 0x10000, 0x5000), 'general_error'],

  ['without an address nothing goes', [map(0, 1, 0, both)], unmap(0, 0, 0, 0), {}],
  ['... it is all there', [map(0, 1, 0, both), unmap(0, 0, 0, 0)], unmap(0, 0, ADDR, bus(1, 1)), {}],
  ['both at once, and the handle with them', [map(0, 1, 0, both), unmap(0, 0, ADDR, bus(1, 1))], all(0, 0), 'bad_handle'],
  ['one after the other', [map(0, 1, 0, both), unmap(0, 0, ADDR, 0), unmap(0, 0, 0, bus(1, 1))], all(0, 0), 'bad_handle'],
  ['... the handle stays with the second', [map(0, 1, 0, both), unmap(0, 0, 0, bus(1, 1))], all(0, 0), {}],
  ["an address of what is gone is nobody's", [map(0, 1, 0, both), unmap(0, 0, ADDR, 0)], unmap(0, 0, ADDR, 0), {}],
  ['an address of what never was', [map(0, 1, 0)], unmap(0, 0, 0, 12345), {}],
  ['another frame', [map(0, 1, 0, both)], unmap(0, 0, 0, bus(1, 2)), 'bad_dev_addr'],
  ['... is said before another address', [map(0, 1, 0, both)], unmap(0, 0, ADDR + 8, bus(1, 2)), 'bad_dev_addr'],
  ['another address', [map(0, 1, 0, both)], unmap(0, 0, ADDR + 8, bus(1, 1)), 'general_error'],
  ['no handle', [], unmap(0, 2 ** 31, ADDR, 0), 'bad_handle'],
  ["another's handle", [map(0, 1, 0)], unmap(1, 0, ADDR, 0), 'bad_handle'],

  ['something comes in its place', [map(0, 1, 0)], replace(0, 0, ADDR, ADDR + PAGE_SIZE), {}],
  ['... and the handle is free', [map(0, 1, 0), replace(0, 0, ADDR, ADDR + PAGE_SIZE)], all(0, 0), 'bad_handle'],
  ['... or nothing', [map(0, 1, 0)], replace(0, 0, ADDR, 0), {}],
  ['... devices keep theirs', [map(0, 1, 0, both), replace(0, 0, ADDR, 0)], all(0, 0), {}],
  ['... not by an entry', [map(0, 1, 0, host_map | contains_pte, 64)], replace(0, 0, 64, ADDR), 'general_error'],
  ['... not where Xen translates', [map(2, 1, 3, host_map, 0x5000)], replace(2, 0, 0x5000, 0x6000), 'general_error'],
  ['... there a page is a page', [map(2, 1, 3, host_map, 0x5000)], unmap(2, 0, 0x5008, 0), {}],
])('%s', (_, before, command, expected) => {
  expect(
    granting()
      .prepare(...before)
      .answer(command),
  ).toEqual(expected);
});

describe('an entry counts each way of its own', () => {
  test.each([
    ['readers', host_map | readonly],
    ['writers', host_map],
    ['devr', device_map | readonly],
    ['devw', device_map],
  ] as const)('%s', (way, flags) => {
    const host = granting().prepare(...Array.from({ length: 128 }, () => map(0, 1, 0, flags)));
    expect(host.xen.gnttab.active.of(1)![way].at(0)).toBe(128);
    expect(host.answer(map(0, 1, 0, flags))).toBe('general_error');
    expect(host.answer(map(0, 1, 0, flags ^ both))).toMatchObject({ mfn: mfn(1, 1) });
    expect(host.answer(map(0, 1, 0, flags | both))).toBe('general_error');
  });
});

describe('the status of an entry', () => {
  const w = GTF_reading | GTF_writing;
  test.each<[string, CoreCommand[], number]>([
    ['devices read', [map(0, 1, 0, device_map | readonly)], GTF_reading],
    ['devices write', [map(0, 1, 0, device_map)], w],
    ['half of a mapping is a mapping', [map(0, 1, 0, both), unmap(0, 0, ADDR, 0)], w],
    ['the other half too', [map(0, 1, 0, both), unmap(0, 0, 0, bus(1, 1))], w],
    ['both halves gone', [map(0, 1, 0, both), unmap(0, 0, ADDR, bus(1, 1))], 0],
    ['a device that reads stays', [map(0, 1, 0), map(0, 1, 0, device_map | readonly), unmap(0, 0, ADDR, 0)], GTF_reading],
    ['a device that writes stays', [map(0, 1, 0), map(0, 1, 0, device_map), unmap(0, 0, ADDR, 0)], w],
  ])('%s', (_, commands, status) => {
    expect(statusOf(granting().prepare(...commands), 1, 0)).toBe(status);
  });

  test('what a guest has raised itself goes with a mapping that comes to nothing', () => {
    const host = granting();
    grant(host, 1, 5, { gfn: 77, flags: GTF_permit_access | GTF_reading | GTF_writing });
    expect(host.answer(map(0, 1, 5, host_map | readonly))).toBe('bad_page');
    expect(statusOf(host, 1, 5)).toBe(GTF_writing);
    expect(host.answer(map(0, 1, 5))).toBe('bad_page');
    expect(statusOf(host, 1, 5)).toBe(0);
  });
});

describe('handles', () => {
  const handleOf = (host: CoreHost): unknown => (host.answer(map(0, 1, 0, host_map | readonly)) as { handle: number }).handle;

  test('come from the head of a list, to whose tail they go back; also those of mappings that came to nothing', () => {
    const host = granting();
    expect([handleOf(host), handleOf(host)]).toEqual([0, 1]);
    host.prepare(all(0, 0));
    expect(host.answer(map(0, 1, 9999))).toBe('bad_gntref'); // 2
    expect(host.answer(map(0, 77, 0))).toBe('bad_domain'); // before it takes one
    expect(handleOf(host)).toBe(3);
    // 4 to 255 are taken and given back: then what came back before them comes again, in that order.
    for (let handle = 4; handle < 256; handle++) {
      expect(handleOf(host)).toBe(handle);
      host.prepare(all(0, handle));
    }
    expect([handleOf(host), handleOf(host), handleOf(host)]).toEqual([0, 2, 4]);
  });

  test('come by frames of 256, and the last that is free stays', () => {
    const host = granting();
    host.xen.domain.of(0)!.max_maptrack_frames.put(0, 2);
    const refs = [0, 1, 4, 5];
    for (const ref of refs) grant(host, 1, ref);
    const handles = Array.from({ length: 511 }, (_, i) => {
      const answer = host.answer(map(0, 1, refs[Math.floor(i / 128)]!, host_map | readonly));
      return (answer as { handle: number }).handle;
    });
    // The last of the first frame waits behind those of the second.
    expect(handles).toEqual([...Array.from({ length: 255 }, (_, i) => i), ...Array.from({ length: 256 }, (_, i) => 256 + i)]);
    grant(host, 1, 6);
    expect(host.answer(map(0, 1, 6))).toBe('no_space');
    host.prepare(all(0, 300));
    expect(host.answer(map(0, 1, 6))).toMatchObject({ handle: 255 });
    expect(host.answer(map(0, 1, 6))).toBe('no_space');
  });

  test('of a dying domain go from the last to the first', () => {
    const host = granting();
    for (const ref of [10, 11, 12]) grant(host, 1, ref, { to: 2 });
    host.prepare(...[10, 11, 12].map((ref) => map(2, 1, ref, host_map, 0x5000)));
    const gone: number[] = [];
    while (host.answer({ type: 'domctl.destroydomain', domid: 0, domain: 2 }) === 'ERESTART')
      for (const event of host.steps.at(-1)!.outcome.events ?? []) if (event.type === 'gnttab.unmapped') gone.push(event.handle);
    expect(gone).toEqual([2, 1, 0]);
    expect(host.xen.exists(2)).toBe(false);
  });
});

test('one may map what one has granted oneself', () => {
  const host = granting();
  grant(host, 1, 7, { to: 1 });
  expect(host.answer(map(1, 1, 7))).toEqual({ handle: 0, mfn: mfn(1, 1) });
  while (host.answer({ type: 'domctl.destroydomain', domid: 0, domain: 1 }) === 'ERESTART');
  expect(host.xen.exists(1)).toBe(false);
});
