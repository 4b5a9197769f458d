import { expect, test } from 'vitest';
import { build } from '../../../tools/fuzz/arbitraries/domain.ts';
import { bootedHost } from '../../../tools/fuzz/booted-host.ts';
import { CoreHost } from '../../../tools/fuzz/core-host.ts';
import { XENMEM_resource, XENMEMF } from '../../abi/memory.ts';
import type { CoreCommand } from '../index.ts';

const SELF = 0x7ff0;
const bytes = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => i & 255);
const set = (nr_entries: number, entries: Uint8Array, dom = 1, domid = 0): CoreCommand => ({
  type: 'memory.set_memory_map',
  domid,
  dom,
  nr_entries,
  entries,
});
const machine = (nr_entries: number, store = true, domid = 0): CoreCommand => ({
  type: 'memory.machine_memory_map',
  domid,
  nr_entries,
  store,
});
const acquire = (
  dom: number,
  resource: number,
  { id = 0, frame = 0, nr_frames = 1, size = false, gfns = [] as number[], domid = 0 } = {},
): CoreCommand => ({ type: 'memory.acquire_resource', domid, dom, resource, id, frame, nr_frames, size, gfns });
const { grant_table, ioreq_server, vmtrace_buf } = XENMEM_resource;

test.each<[string, CoreCommand[], CoreCommand, unknown]>([
  ['a domain has no map', [], { type: 'memory.memory_map', domid: 1, nr_entries: 9 }, 'ENOSYS'],
  [
    '... until it is given one',
    [set(2, bytes(40))],
    { type: 'memory.memory_map', domid: 1, nr_entries: 9 },
    { nr_entries: 2, entries: bytes(40) },
  ],
  [
    '... of which it takes what it has room for',
    [set(2, bytes(40))],
    { type: 'memory.memory_map', domid: 1, nr_entries: 1 },
    { nr_entries: 1, entries: bytes(20) },
  ],
  [
    '... or an empty one',
    [set(2, bytes(40)), set(0, bytes(0))],
    { type: 'memory.memory_map', domid: 1, nr_entries: 1 },
    'ENOSYS',
  ],
  ['... or gives itself one', [], set(1, bytes(20), SELF, 1), {}],
  ['... and nobody else', [], set(1, bytes(20), 2, 1), 'EPERM'],
  ['... nobody one', [], set(1, bytes(20), 77), 'ESRCH'],
  ['... none too long', [], set(1025, bytes(0)), 'EINVAL'],
  ['... none of negative length, which is longer', [], set(-1, bytes(0)), 'EINVAL'],
  ['... none that is not there', [], set(2, bytes(39)), 'EFAULT'],

  ["the machine's map is dom0's", [], machine(99, true, 1), 'EPERM'],
  ['... and has to fit', [], machine(4), 'EINVAL'],
  ['... with what is between', [], machine(5), 'EINVAL'],
  ['... or is only counted', [], machine(0, false), { nr_entries: 6, entries: bytes(0) }],

  ['where the table of frames is', [], { type: 'memory.machphys_mfn_list', domid: 1, max_extents: 9 }, { frames: [512] }],
  ['... as much as is asked for', [], { type: 'memory.machphys_mfn_list', domid: 1, max_extents: 0 }, { frames: [] }],
  ['... of 32 bits', [], { type: 'memory.machphys_compat_mfn_list', domid: 1, max_extents: 9 }, 'EOPNOTSUPP'],
  ['... how far it reaches', [], { type: 'memory.machphys_mapping', domid: 0 }, expect.objectContaining({ max_mfn: 0x3fff })],
  ['... for a guest', [], { type: 'memory.machphys_mapping', domid: 1 }, expect.objectContaining({ max_mfn: 2 ** 35 - 1 })],
  ['what it says of a frame', [], { type: 'memory.machphys', domid: 2, mfn: bootedHost().xen.p2m.mfn(1, 3) }, { gpfn: 3 }],
  ['... that is free', [], { type: 'memory.machphys', domid: 2, mfn: 0x3fff }, { gpfn: -1 }],

  [
    'virtual nodes',
    [],
    { type: 'memory.get_vnumainfo', domid: 1, dom: SELF, nr_vnodes: 1, nr_vcpus: 1, nr_vmemranges: 1 },
    'EOPNOTSUPP',
  ],
  [
    '... of another',
    [],
    { type: 'memory.get_vnumainfo', domid: 1, dom: 2, nr_vnodes: 1, nr_vcpus: 1, nr_vmemranges: 1 },
    'EPERM',
  ],
  [
    'memory set aside for devices',
    [],
    { type: 'memory.reserved_device_memory_map', domid: 0, flags: 1, nr_entries: 5 },
    { nr_entries: 0 },
  ],
  [
    '... with a flag that is none',
    [],
    { type: 'memory.reserved_device_memory_map', domid: 0, flags: 2, nr_entries: 5 },
    'EINVAL',
  ],
  ['accesses', [], { type: 'memory.access_op', domid: 0, dom: 2, op: 0 }, 'EINVAL'],
  ['... of a PV domain', [], { type: 'memory.access_op', domid: 0, dom: 1, op: 0 }, 'EINVAL'],
  ["... one's own", [], { type: 'memory.access_op', domid: 2, dom: 2, op: 0 }, 'EPERM'],
  ['... by a guest', [], { type: 'memory.access_op', domid: 1, dom: 2, op: 0 }, 'EINVAL'],
  ['... of nobody', [], { type: 'memory.access_op', domid: 0, dom: SELF, op: 0 }, 'ESRCH'],
  ['sharing', [], { type: 'memory.sharing_op', domid: 0, dom: 2, op: 0 }, 'ENOSYS'],
  ['... of no page', [], { type: 'memory.get_sharing_freed_pages', domid: 1 }, { nr_pages: 0 }],
  ['paging', [], { type: 'memory.paging_op', domid: 0, dom: 2, op: 0 }, 'ENOSYS'],

  ['how large a grant table may be', [], acquire(1, grant_table, { nr_frames: 0, size: true }), { nr_frames: 4, frames: [] }],
  ['... and its status', [], acquire(1, grant_table, { id: 1, nr_frames: 0, size: true }), { nr_frames: 1, frames: [] }],
  ['... not with a number', [], acquire(1, grant_table, { size: true }), 'EINVAL'],
  ['what nobody knows is very large', [], acquire(1, 9, { nr_frames: 0, size: true }), { nr_frames: 2 ** 32 - 95, frames: [] }],
  ['... and can not be had', [], acquire(1, 9), 'EOPNOTSUPP'],
  ['frames of a grant table', [], acquire(1, grant_table, { frame: 1, nr_frames: 3 }), expect.objectContaining({ nr_frames: 3 })],
  ['... to its limit', [], acquire(1, grant_table, { frame: 2, nr_frames: 3 }), 'EINVAL'],
  ['... none', [], acquire(1, grant_table, { nr_frames: 0 }), 'EINVAL'],
  ['... of a status that is not there', [], acquire(1, grant_table, { id: 1 }), 'EINVAL'],
  ['... of another table', [], acquire(1, grant_table, { id: 2 }), 'EINVAL'],
  ['... beyond numbers', [], acquire(1, grant_table, { frame: 2 ** 32 }), 'EINVAL'],
  ["... one's own", [], acquire(0, grant_table), 'EPERM'],
  ['... by a guest', [], acquire(2, grant_table, { domid: 1 }), 'EPERM'],
  ['... by one that Xen translates for', [], acquire(1, grant_table, { domid: 2 }), 'EACCES'],
  ['... of nobody', [], acquire(77, grant_table), 'ESRCH'],
  ['... of no server', [], acquire(2, ioreq_server), 'ENOENT'],
  ['... of none that can be', [], acquire(2, ioreq_server, { id: 8 }), 'ENOENT'],
  ['... that has no such number', [], acquire(2, ioreq_server, { id: 2 ** 16 }), 'EINVAL'],
  ['... of a PV domain', [], acquire(1, ioreq_server), 'EINVAL'],
  ['... of a trace', [], acquire(2, vmtrace_buf), 'EINVAL'],
])('%s', (_, before, command, expected) => {
  expect(
    bootedHost()
      .prepare(...before)
      .answer(command),
  ).toEqual(expected);
});

test("the machine's map has all of its memory, in order", () => {
  const { nr_entries, entries } = bootedHost().answer(machine(6)) as { nr_entries: number; entries: Uint8Array };
  const view = new DataView(entries.buffer, entries.byteOffset);
  const map = Array.from({ length: nr_entries }, (_, i) => ({
    start: Number(view.getBigUint64(i * 20, true)),
    size: Number(view.getBigUint64(i * 20 + 8, true)),
    type: view.getUint32(i * 20 + 16, true),
  }));
  for (const [i, { start, size }] of map.slice(0, -1).entries()) expect(start + size).toBe(map[i + 1]!.start);
  expect(map.find(({ start }) => start === 0x100000)).toEqual({ start: 0x100000, size: 0x4000 * 4096 - 0x100000, type: 1 });
});

test('a machine larger than its table has room for says the last frame again', () => {
  const host = new CoreHost({ nrCpus: 1, totalPages: 2 ** 18 * 9 });
  for (const command of build(0, { vcpus: 1, pages: 8, hvm: false, caller: 0x7ff2 })) host.submit(command);
  const { frames } = host.answer({ type: 'memory.machphys_mfn_list', domid: 0, max_extents: -1 }) as { frames: number[] };
  expect(frames).toEqual([512, 1024, 1536, 2048, 2560, 3072, 3584, 3584, 3584]);
});

test('frames of a grant table come to the pages of a dom0 that Xen translates for', () => {
  const host = new CoreHost();
  for (const command of [
    ...build(0, { vcpus: 1, pages: 8, hvm: true, caller: 0x7ff2 }),
    ...build(1, { vcpus: 1, pages: 6, hvm: false }),
  ])
    host.submit(command);
  expect(host.answer(acquire(1, grant_table, { nr_frames: 2, gfns: [3, 30] }))).toEqual({ nr_frames: 2, frames: [] });
  expect(host.xen.p2m.slotsOf(0).map(({ gfn, dom }) => [gfn, dom])).toEqual([
    [3, 1],
    [30, 1],
  ]);
  expect(host.xen.domain.row(0, 0).tot_pages).toBe(8);
  while (host.answer({ type: 'domctl.destroydomain', domid: 0, domain: 1 }) === 'ERESTART');
  expect(host.xen.isZombie(1)).toBe(true);
  host.prepare({ type: 'memory.remove_from_physmap', domid: 0, dom: SELF, gpfn: 3 });
  host.prepare({ type: 'memory.remove_from_physmap', domid: 0, dom: SELF, gpfn: 30 });
  expect(host.xen.exists(1)).toBe(false);
});

test('virtual nodes are told to whoever has room for them, and obeyed', () => {
  const asked = (nr_vnodes: number): CoreCommand => ({
    type: 'memory.get_vnumainfo',
    domid: 1,
    dom: SELF,
    nr_vnodes,
    nr_vcpus: 1,
    nr_vmemranges: 1,
  });
  const info = { vmemranges: [0, 4096, 0, 0], vdistance: [10, 20, 20, 10], vcpu_to_vnode: [1] };
  const host = bootedHost().prepare({
    type: 'domctl.setvnumainfo',
    domid: 0,
    domain: 1,
    nr_vnodes: 2,
    ...info,
    vnode_to_pnode: [0, 1],
  });
  expect(host.answer(asked(2))).toEqual({ nr_vnodes: 2, nr_vcpus: 1, nr_vmemranges: 1, ...info });
  const short = host.submit(asked(1));
  expect(short).toMatchObject({ ok: false, errno: 'ENOBUFS', value: { nr_vnodes: 2 } });
  const more = (vnode: number): CoreCommand => ({
    type: 'memory.increase_reservation',
    domid: 0,
    dom: 1,
    nr_extents: 1,
    extent_order: 0,
    mem_flags: ((vnode + 1) << 8) | XENMEMF.vnode | XENMEMF.exact_node_request,
  });
  expect([0, 1, 2].map((vnode) => (host.answer(more(vnode)) as { nr_done: number }).nr_done)).toEqual([1, 0, 0]);
});
