import { expect, test } from 'vitest';
import { bootedHost } from '../../../tools/fuzz/booted-host.ts';
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
