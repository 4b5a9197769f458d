import { describe, expect, test } from 'vitest';
import { eventsOf } from '../../../events/step.ts';
import type { VbdCommand, VbdFact } from '../../../events/vocabulary.ts';
import { Journal } from '../../tables/journal.ts';
import { decide } from './decide.ts';
import { evolve } from './evolve.ts';
import { invariants } from './invariants.ts';
import { MAX_DISKS, Vbds } from './state.ts';

const XVDA = 51712;
const files = new Map([
  ['/disk', 2048],
  ['/other', 16],
]);

const front = (domid = 1, vdev = XVDA): VbdCommand => ({
  type: 'vbd.connect_frontend',
  domid,
  vdev,
  ring_gfn: 24,
  ring_ref: 8,
  port: 3,
  backend: 0,
});
const open = (params = '/disk', { domid = 0, frontend = 1, vdev = XVDA, readonly = false } = {}): VbdCommand => ({
  type: 'vbd.open_disk',
  domid,
  frontend,
  vdev,
  params,
  readonly,
});
const back = (domid = 0, frontend = 1, vdev = XVDA): VbdCommand => ({
  type: 'vbd.connect_backend',
  domid,
  frontend,
  vdev,
  ring_mfn: 500,
  ring_handle: 1,
  port: 7,
});
const disconnect = (domid: number, frontend = 1, vdev = XVDA): VbdCommand => ({ type: 'vbd.disconnect', domid, frontend, vdev });
const submitted = (id: number, vdev = XVDA): VbdCommand => ({
  type: 'vbd.note_submitted',
  domid: 1,
  vdev,
  id,
  op: 'write',
  sector: 8,
  nr_sectors: 2,
});
const served = (id: number, vdev = XVDA): VbdCommand => ({
  type: 'vbd.note_served',
  domid: 0,
  frontend: 1,
  vdev,
  id,
  op: 'write',
  sector: 8,
  nr_sectors: 2,
  status: 0,
});
const completed = (id: number, vdev = XVDA): VbdCommand => ({ type: 'vbd.note_completed', domid: 1, vdev, id, status: 0 });
const stat = (params: string): VbdCommand => ({ type: 'vbd.stat_disk', domid: 0, params });

const pair = [front(), open(), back()];

/** dom0 and domains 1 and 2 exist; the nth command is step n + 100. */
function after(commands: readonly VbdCommand[]): Vbds {
  const vbds = new Vbds(new Journal());
  for (const table of vbds.tables) for (const domid of [0, 1, 2]) table.add(domid);
  commands.forEach((command, i) => {
    const outcome = decide(vbds, files, command);
    expect(outcome.ok, command.type).toBe(true);
    for (const event of eventsOf(outcome)) evolve(vbds, event as VbdFact, 100 + i);
    for (const [name, invariant] of Object.entries(invariants)) expect([name, ...invariant({ vbds })]).toEqual([name]);
  });
  return vbds;
}
const disks = (count: number): VbdCommand[] => Array.from({ length: count }, (_, vdev) => front(1, vdev));
const opened = (count: number): VbdCommand[] => Array.from({ length: count }, (_, vdev) => open('/disk', { vdev }));

describe('what is refused, and what is a fact', () => {
  test.each<[string, readonly VbdCommand[], VbdCommand, string]>([
    ['a file', [], stat('/disk'), '{"sectors":2048}'],
    ['no file', [], stat('/none'), 'ENOENT'],
    ['a frontend', [], front(), '{} vbd.frontend_connected'],
    ['a frontend twice', pair, front(), 'EBUSY'],
    ['a second disk', pair, front(1, 768), '{} vbd.frontend_connected'],
    ['a frontend of nobody', [], front(9), 'ESRCH'],
    ['a device that can not be', [], front(1, 2 ** 29), 'EINVAL'],
    ['device -1', [], front(1, -1), 'EINVAL'],
    ['device NaN', [], front(1, Number.NaN), 'EINVAL'],
    ['more disks than may be', disks(MAX_DISKS), front(), 'ENOSPC'],
    ['a disk', [], open(), '{"sectors":2048,"sector_size":512,"info":0} vbd.disk_opened'],
    ['a disk to read', [], open('/disk', { readonly: true }), '{"sectors":2048,"sector_size":512,"info":4} vbd.disk_opened'],
    ['a disk of no file', [], open('/none'), 'ENOENT'],
    ['a disk twice', [open()], open('/other'), 'EBUSY'],
    ['a disk by nobody', [], open('/disk', { domid: 9 }), 'ESRCH'],
    ['a disk for nobody', [], open('/disk', { frontend: 9 }), 'ESRCH'],
    ['a disk for a domain that can not be', [], open('/disk', { frontend: -1 }), 'ESRCH'],
    ['a disk that can not be', [], open('/disk', { vdev: 2 ** 40 }), 'EINVAL'],
    ['more disks open than may be', opened(MAX_DISKS), open(), 'ENOSPC'],
    ['a backend', [open()], back(), '{} vbd.backend_connected'],
    ['a backend without a disk', [], back(), 'ENODEV'],
    ['a backend twice', pair, back(), 'EBUSY'],
    ['the frontend leaves', pair, disconnect(1), '{} vbd.disconnected'],
    ['the backend leaves', pair, disconnect(0), '{} vbd.disconnected'],
    ['leaving twice', [...pair, disconnect(1)], disconnect(1), 'ENODEV'],
    ['coming back', [...pair, disconnect(1)], front(), '{} vbd.frontend_connected'],
    ['a stranger leaves', pair, disconnect(2), 'ENODEV'],
    ['a request', pair, submitted(0), '{} vbd.request_submitted'],
    ['a request under the last id', pair, submitted(31), '{} vbd.request_submitted'],
    ['a request beyond the ring', pair, submitted(32), 'EINVAL'],
    ['a request under id -1', pair, submitted(-1), 'EINVAL'],
    ['a request under id NaN', pair, submitted(Number.NaN), 'EINVAL'],
    ['a request under an id in use', [...pair, submitted(5)], submitted(5), 'EBUSY'],
    ['a request under one that was served', [...pair, submitted(5), served(5)], submitted(5), 'EBUSY'],
    ['a request of no device', pair, submitted(0, 768), 'ENODEV'],
    ['serving', [...pair, submitted(0)], served(0), '{} vbd.request_served'],
    ['serving what a stranger asked', pair, served(-1), '{} vbd.request_served'],
    ['serving without a device', [], served(0), 'ENODEV'],
    ['serving before there is a ring', [front(), open()], served(0), 'ENODEV'],
    ['completing', [...pair, submitted(0), served(0)], completed(0), '{} vbd.request_completed'],
    ['completing what nobody said was served', [...pair, submitted(0)], completed(0), '{} vbd.request_completed'],
    ['completing nothing', pair, completed(0), 'EINVAL'],
    ['completing twice', [...pair, submitted(0), served(0), completed(0)], completed(0), 'EINVAL'],
    ['completing beyond the ring', pair, completed(2 ** 40), 'EINVAL'],
    ['completing without a device', [], completed(0), 'ENODEV'],
  ])('%s', (_, history, command, shown) => {
    const outcome = decide(after(history), files, command);
    expect(
      outcome.ok ? [JSON.stringify(outcome.value), ...outcome.events.map(({ type }) => type)].join(' ') : outcome.errno,
    ).toBe(shown);
  });
});

const request = { vdev: XVDA, op: 'write', sector: 8, nr_sectors: 2, submitted_by: 103, served_by: 0 };
test.each<[string, readonly VbdCommand[], readonly unknown[], object]>([
  ['submitted', [submitted(3)], [[3, { state: 'submitted', ...request }]], { req_prod: 1, rsp_cons: 0, req_cons: 0 }],
  [
    'served',
    [submitted(3), served(3)],
    [[3, { state: 'served', ...request, served_by: 104 }]],
    { req_prod: 1, rsp_cons: 0, req_cons: 1, rsp_prod: 1 },
  ],
  [
    'served twice',
    [submitted(3), served(3), served(3)],
    [[3, { state: 'served', ...request, served_by: 104 }]],
    { req_cons: 2, rsp_prod: 2 },
  ],
  ['completed', [submitted(3), served(3), completed(3)], [], { req_prod: 1, rsp_cons: 1 }],
  ['lost with the frontend', [submitted(3), disconnect(1)], [], { state: 'connected', req_cons: 0 }],
  ['lost, and the frontend back', [submitted(3), disconnect(1), front()], [], { req_prod: 0, rsp_cons: 0 }],
  [
    'kept when the backend leaves',
    [submitted(3), disconnect(0)],
    [[3, { state: 'submitted', ...request }]],
    { req_prod: 1, rsp_cons: 0 },
  ],
])('a request is %s', (_, commands, requests, indices) => {
  const vbds = after([...pair, ...commands]);
  expect([...vbds.request.inUse(1)]).toEqual(requests);
  const rows = [...vbds.front.inUse(1), ...vbds.back.inUse(0)].map(([, row]) => row);
  expect(Object.assign({}, ...rows)).toMatchObject(indices);
});

test('what a disk is, is known while it is open', () => {
  const two = [open(), open('/other', { vdev: 768 })];
  const params = (vbds: Vbds): string[] => [vbds.params(1, XVDA), vbds.params(1, 768)];
  expect(params(after(two))).toEqual(['/disk', '/other']);
  expect(params(after([...two, disconnect(0)]))).toEqual(['', '/other']);
  expect(after([...two, disconnect(0), disconnect(0, 1, 768)]).disks.keys()).toEqual([]);
});

test('two disks have ids of their own, and a full ring has none', () => {
  const vbds = after([front(), front(1, 768), submitted(0), submitted(1), submitted(0, 768)]);
  expect([vbds.freeId(1, XVDA), vbds.freeId(1, 768), vbds.freeId(1, 832)]).toEqual([2, 1, -1]);
  expect(after([...pair, ...Array.from({ length: 32 }, (_, id) => submitted(id))]).freeId(1, XVDA)).toBe(-1);
});

test.each<[string, VbdFact]>([
  ['a frontend of nobody', { type: 'vbd.frontend_connected', domid: 9, vdev: 1, ring_gfn: 1, ring_ref: 1, port: 1, backend: 0 }],
  ['a disk of nobody', { type: 'vbd.disk_opened', domid: 9, frontend: 1, vdev: 1, params: '/disk', readonly: false, sectors: 1 }],
  [
    'a backend of nothing',
    { type: 'vbd.backend_connected', domid: 0, frontend: 2, vdev: 1, ring_mfn: 1, ring_handle: 1, port: 1 },
  ],
  ['the end of nothing', { type: 'vbd.disconnected', domid: 0, frontend: 2, vdev: 1 }],
  ['the end of nobody', { type: 'vbd.disconnected', domid: 9, frontend: 9, vdev: 1 }],
  ['a request of nothing', { type: 'vbd.request_submitted', domid: 2, vdev: 1, id: 0, op: 'read', sector: 0, nr_sectors: 1 }],
  [
    'a request beyond the ring',
    { type: 'vbd.request_submitted', domid: 1, vdev: XVDA, id: 99, op: 'read', sector: 0, nr_sectors: 1 },
  ],
  [
    'nothing served',
    { type: 'vbd.request_served', domid: 9, frontend: 9, vdev: 1, id: 0, op: 'read', sector: 0, nr_sectors: 1, status: 0 },
  ],
  ['nothing completed', { type: 'vbd.request_completed', domid: 1, vdev: XVDA, id: 99, status: 0 }],
])('a fact that does not belong here changes nothing: %s', (_, fact) => {
  const vbds = after(pair);
  const digest = (): number[] => [...vbds.tables.map((table) => table.digest()), vbds.disks.digest()];
  const before = digest();
  evolve(vbds, fact, 200);
  expect(digest()).toEqual(before);
});
