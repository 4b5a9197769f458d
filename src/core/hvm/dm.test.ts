import { describe, expect, test } from 'vitest';
import { bootedHost } from '../../../tools/fuzz/booted-host.ts';
import type { CoreHost } from '../../../tools/fuzz/core-host.ts';
import { present, pte, rw, user, words, writeTables } from '../../../tools/fuzz/page-tables.ts';
import type { CoreCommand } from '../index.ts';

const relocate = (size: number, src_gfn: number, dst_gfn: number, dom = 2, domid = 0): CoreCommand => ({
  type: 'dm.relocate_memory',
  domid,
  dom,
  size,
  src_gfn,
  dst_gfn,
});

// d2 is HVM with pages 0 to 5, d1 PV.
test.each<[string, CoreCommand, unknown]>([
  ['a page moves', relocate(1, 2, 20), { size: 0, src_gfn: 3, dst_gfn: 21 }],
  ['the first of some', relocate(3, 2, 20), 'ERESTART'],
  ['none', relocate(0, 2, 20), { size: 0, src_gfn: 2, dst_gfn: 20 }],
  ['a size of which 16 bits are 0', relocate(2 ** 16, 2, 20), { size: 2 ** 16, src_gfn: 2, dst_gfn: 20 }],
  ['a size of which 16 bits are 1', relocate(2 ** 16 + 1, 2, 20), { size: 2 ** 16, src_gfn: 3, dst_gfn: 21 }],
  ['what is not there', relocate(1, 9, 20), 'EINVAL'],
  ['to nowhere', relocate(1, 2, -1), 'EINVAL'],
  ['beyond the last number', relocate(3, 2, -3), 'EOVERFLOW'],
  ['of a PV domain', relocate(1, 2, 20, 1), 'EINVAL'],
  ['of oneself', relocate(1, 2, 20, 0), 'EPERM'],
  ['by no device model', relocate(1, 2, 20, 2, 1), 'EPERM'],
  ['of nobody', relocate(1, 2, 20, 77), 'ESRCH'],
  ["an interrupt of Arm's", { type: 'dm.set_irq_level', domid: 0, dom: 2, irq: 32, level: 1 }, 'EOPNOTSUPP'],
])('relocate_memory: %s', (_, command, expected) => {
  expect(bootedHost().answer(command)).toEqual(expected);
});

test('a range is a page a step, each on what the one before has left', () => {
  const host = bootedHost();
  const before = host.xen.p2m.mfn(2, 1);
  let at = { size: 3, src_gfn: 0, dst_gfn: 1 };
  for (;;) {
    const outcome = host.submit({ type: 'dm.relocate_memory', domid: 0, dom: 2, ...at });
    at = outcome.value as typeof at;
    if (outcome.ok) break;
  }
  // Page 0 went to 1, from there to 2, and from there to 3; what stood in its way was given back.
  expect(at).toEqual({ size: 0, src_gfn: 3, dst_gfn: 4 });
  expect([0, 1, 2].map((gfn) => host.xen.p2m.mfn(2, gfn))).toEqual([-1, -1, -1]);
  expect(host.xen.p2m.mfn(2, 3)).not.toBe(before);
});

describe('pages that Xen makes for an ioreq server', () => {
  const acquire = (frame: number, nr_frames: number, some: object = {}): CoreCommand => ({
    ...{ type: 'memory.acquire_resource', domid: 0, dom: 2, resource: 0, id: 0, frame, nr_frames, size: false, gfns: [30, 31] },
    ...some,
  });
  const create = (handle_bufioreq: number): CoreCommand => ({
    ...{ type: 'dm.create_ioreq_server', domid: 0, dom: 2, handle_bufioreq },
  });
  const info: CoreCommand = { type: 'dm.get_ioreq_server_info', domid: 0, dom: 2, id: 0, flags: 0 };
  const destroy: CoreCommand = { type: 'dm.destroy_ioreq_server', domid: 0, dom: 2, id: 0 };
  const free = (host: CoreHost): number => host.xen.p2m.freePages;

  test('they are made once, shown to its emulator, and go with it', () => {
    const host = bootedHost().prepare(create(2));
    const before = free(host);
    const { frames } = host.answer(acquire(0, 2)) as { frames: number[] };
    expect([frames.length, new Set(frames).size, free(host)]).toEqual([2, 2, before - 2]);
    expect(host.answer(acquire(1, 1))).toEqual({ nr_frames: 1, frames: [frames[1]] });
    expect(host.xen.domain.of(0)!.tot_pages.at(2)).toBe(6);
    // Of two kinds of pages a server has one.
    expect(host.answer(info)).toBe('EPERM');
    expect(host.answer({ ...info, flags: 1 } as CoreCommand)).toMatchObject({ ioreq_gfn: 0 });
    host.prepare(destroy);
    expect(free(host)).toBe(before);
  });

  test('a page that its emulator has mapped stays as long as that', () => {
    const host = bootedHost().prepare(create(0));
    const before = free(host);
    const { frames } = host.answer(acquire(1, 1)) as { frames: number[] };
    const root = writeTables(host, 0, 4).tables[0]!;
    host.memory.put64(host.xen.p2m.mfn(0, 3), 0, 0n);
    for (let page = 0; page < 4; page++) host.memory.put64(host.xen.p2m.mfn(0, 3), page * 8, 0n);
    const base = { domid: 0, vcpu: 0, foreigndom: 0x7ff0, mfn: root };
    host.prepare({ type: 'mmuext.pin_l4_table', ...base });
    const entry = { domid: 0, vcpu: 0, foreigndom: 2, ptr: host.xen.p2m.mfn(0, 3) * 4096 + 3 };
    host.prepare({ type: 'mm.mmu_update', ...entry, ...words(pte(frames[0]!, present | rw | user)) }, destroy);
    expect(free(host)).toBe(before - 1);
    expect(host.types({ type: 'mm.mmu_update', ...entry, val_lo: 0, val_hi: 0 })).toContain('dm.ioreq_pages_freed');
    expect([free(host), host.xen.hvm.ioreqFrames(2)]).toEqual([before, []]);
  });

  test.each<[string, CoreCommand[], CoreCommand, unknown]>([
    ['no server', [], acquire(0, 1), 'ENOENT'],
    ['no buffered requests', [create(0)], acquire(0, 1), 'ENOENT'],
    ['beyond its two', [create(2)], acquire(1, 2), 'EINVAL'],
    ['the pages of the guest are its own already', [create(2), ...gfns(), info], acquire(0, 1), 'EPERM'],
  ])('there are none: %s', (_, before, command, expected) => {
    const host = bootedHost().prepare(...before);
    expect(host.answer(command)).toBe(expected);
  });
});
function gfns(): CoreCommand[] {
  return [32, 33].map((index) => ({ type: 'hvm.set_param', domid: 0, dom: 2, index, value: index === 32 ? '0x1' : '0x2' }));
}
