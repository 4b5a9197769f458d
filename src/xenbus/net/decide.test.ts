import { describe, expect, test } from 'vitest';
import { eventsOf } from '../../../events/step.ts';
import type { Outcome, VifCommand } from '../../../events/vocabulary.ts';
import { BROADCAST_MAC, textToIp, textToMac } from '../../net/address.ts';
import { arpRequestFrame } from '../../net/arp.ts';
import { makeEthernet } from '../../net/ethernet.ts';
import { Journal } from '../../tables/journal.ts';
import { decide } from './decide.ts';
import { evolve } from './evolve.ts';
import { Vifs } from './state.ts';

const GUEST_MAC = textToMac('00:16:3e:00:00:01')!;
const mac = textToMac('fe:ff:ff:ff:ff:ff')!;
const ip = textToIp('10.0.0.1')!;
const frame = makeEthernet({ dst: BROADCAST_MAC, src: GUEST_MAC, type: 0x88b5, payload: new Uint8Array(46) });
const arp = arpRequestFrame({ sha: GUEST_MAC, spa: textToIp('10.0.0.9')!, tpa: ip });

const front = (domid: number, devid: number): VifCommand => ({
  type: 'vif.connect_frontend',
  domid,
  devid,
  mac: GUEST_MAC,
  tx_gfn: 20,
  tx_ref: 8,
  rx_gfn: 21,
  rx_ref: 9,
  tx_port: 3,
  rx_port: 4,
  backend: 0,
});
const back = (domid: number, frontend: number, devid: number): VifCommand => ({
  type: 'vif.connect_backend',
  domid,
  frontend,
  devid,
  tx_mfn: 500,
  tx_handle: 1,
  rx_mfn: 501,
  rx_handle: 2,
  tx_port: 7,
  rx_port: 8,
  xdp_headroom: 0,
});
const disconnect = (domid: number, frontend: number, devid: number): VifCommand => ({
  type: 'vif.disconnect',
  domid,
  frontend,
  devid,
});
const sent = (id: number, devid = 0): VifCommand => ({ type: 'vif.note_sent', domid: 1, devid, id, size: 60 });
const taken = (id: number, slots = 1): VifCommand => ({
  type: 'vif.note_taken',
  domid: 0,
  frontend: 1,
  devid: 0,
  id,
  slots,
  size: 60,
  status: 0,
});
const reaped = (id: number): VifCommand => ({ type: 'vif.note_reaped', domid: 1, devid: 0, id });
const posted = (count: number): VifCommand => ({ type: 'vif.note_posted', domid: 1, devid: 0, count });
const filled = (id: number): VifCommand => ({
  type: 'vif.note_filled',
  domid: 0,
  frontend: 1,
  devid: 0,
  id,
  size: 60,
  status: 60,
});
const dropped: VifCommand = { type: 'vif.note_dropped', domid: 0, frontend: 1, devid: 0, size: 60 };
const received = (id: number, slots = 1): VifCommand => ({ type: 'vif.note_received', domid: 1, devid: 0, id, slots, size: 60 });
const create = (bridge: string): VifCommand => ({ type: 'bridge.create', bridge, mac, ip, netmask: textToIp('255.255.255.0')! });
const addPort = (bridge: string, port: string): VifCommand => ({ type: 'bridge.add_port', bridge, port });
const removePort = (bridge: string, port: string): VifCommand => ({ type: 'bridge.remove_port', bridge, port });
const forward = (bridge: string, port: string): VifCommand => ({ type: 'bridge.forward', bridge, port, frame });
const respond = (bridge: string, what = arp): VifCommand => ({ type: 'bridge.respond', bridge, frame: what });

const lan = [create('xenbr0'), create('xenbr1'), addPort('xenbr0', 'vif1.0'), addPort('xenbr0', 'vif2.0')];
const pair = [front(1, 0), back(0, 1, 0)];

/** dom0 and domain 1 exist; the nth command is step n + 100. */
function after(commands: readonly VifCommand[]): Vifs {
  const vifs = new Vifs(new Journal());
  for (const table of vifs.tables) for (const domid of [0, 1]) table.add(domid);
  commands.forEach((command, i) => {
    const outcome = decide(vifs, command, 0);
    expect(outcome.ok, command.type).toBe(true);
    for (const event of eventsOf(outcome)) evolve(vifs, event as Parameters<typeof evolve>[1], 100 + i);
  });
  return vifs;
}
const shown = (outcome: Outcome): string =>
  outcome.ok ? [JSON.stringify(outcome.value), ...outcome.events.map(({ type }) => type)].join(' ') : outcome.errno;

describe('what is refused, and what is a fact', () => {
  test.each<[string, readonly VifCommand[], VifCommand, string]>([
    ['a frontend', [], front(1, 0), '{} vif.frontend_connected'],
    ['a second device', pair, front(1, 1), '{} vif.frontend_connected'],
    ['a frontend twice', pair, front(1, 0), 'EBUSY'],
    ['a frontend of nobody', [], front(9, 0), 'ESRCH'],
    ['a backend', [], back(0, 1, 0), '{} vif.backend_connected'],
    ['a backend twice', pair, back(0, 1, 0), 'EBUSY'],
    ['a backend in nobody', [], back(9, 1, 0), 'ESRCH'],
    ['the frontend leaves', pair, disconnect(1, 1, 0), '{} vif.disconnected'],
    ['the backend leaves', pair, disconnect(0, 1, 0), '{} vif.disconnected'],
    ['leaving twice', [...pair, disconnect(1, 1, 0)], disconnect(1, 1, 0), 'ENODEV'],
    ['coming back', [...pair, disconnect(1, 1, 0)], front(1, 0), '{} vif.frontend_connected'],
    ['sending', pair, sent(255), '{} vif.packet_sent'],
    ['sending without a device', pair, sent(0, 1), 'ENODEV'],
    ['sending under an id beyond the ring', pair, sent(256), 'EINVAL'],
    ['sending under an id below it', pair, sent(-1), 'EINVAL'],
    ['sending under an id that is in use', [...pair, sent(5)], sent(5), 'EBUSY'],
    ['sending under one that was taken', [...pair, sent(5), taken(5)], sent(5), 'EBUSY'],
    ['sending under one that was reaped', [...pair, sent(5), taken(5), reaped(5)], sent(5), '{} vif.packet_sent'],
    ['taking', pair, taken(0), '{} vif.packet_taken'],
    ['taking what a stranger calls 65535', pair, taken(65535), '{} vif.packet_taken'],
    ['taking without a device', [], taken(0), 'ENODEV'],
    ['reaping', pair, reaped(0), '{} vif.packet_reaped'],
    ['reaping without a device', [], reaped(0), 'ENODEV'],
    ['posting', pair, posted(64), '{} vif.buffers_posted'],
    ['posting without a device', [], posted(64), 'ENODEV'],
    ['filling', pair, filled(65535), '{} vif.packet_filled'],
    ['filling without a device', [], filled(0), 'ENODEV'],
    ['dropping', pair, dropped, '{} vif.packet_dropped'],
    ['dropping without a device', [], dropped, 'ENODEV'],
    ['receiving', pair, received(0), '{} vif.packet_received'],
    ['receiving without a device', [], received(0), 'ENODEV'],
    ['a bridge', [], create('xenbr0'), '{} bridge.created'],
    ['a bridge twice', lan, create('xenbr0'), 'EEXIST'],
    ['a port', lan, addPort('xenbr0', 'vif3.0'), '{} bridge.port_added'],
    ['a port of no bridge', lan, addPort('xenbr9', 'vif3.0'), 'ENODEV'],
    ['a port twice', lan, addPort('xenbr0', 'vif1.0'), 'EBUSY'],
    ['a port of another bridge', lan, addPort('xenbr1', 'vif1.0'), 'EBUSY'],
    ['a port goes', lan, removePort('xenbr0', 'vif1.0'), '{} bridge.port_removed'],
    ['a port of another bridge goes', lan, removePort('xenbr1', 'vif1.0'), 'ENODEV'],
    ['flooding', lan, forward('xenbr0', 'vif1.0'), '{"to":["dom0","vif2.0"]} bridge.frame_forwarded'],
    ['by a port of no bridge', lan, forward('xenbr0', 'vif3.0'), 'ENODEV'],
    ['by a port of another bridge', lan, forward('xenbr1', 'vif1.0'), 'ENODEV'],
    ['dom0 is asked for its address', lan, respond('xenbr0'), '{"replies":1} bridge.frame_answered'],
    ['dom0 hears what is not for it', lan, respond('xenbr0', frame), '{"replies":0} bridge.frame_answered'],
    ['dom0 on no bridge', lan, respond('xenbr9'), 'ENODEV'],
  ])('%s', (_, history, command, outcome) => {
    expect(shown(decide(after(history), command, 0))).toBe(outcome);
  });
});

test('a device remembers what it was connected with', () => {
  const vifs = after(pair);
  const { type: _f, domid: _fd, ...frontend } = front(1, 0) as Extract<VifCommand, { type: 'vif.connect_frontend' }>;
  const { type: _b, domid: _bd, ...backend } = back(0, 1, 0) as Extract<VifCommand, { type: 'vif.connect_backend' }>;
  expect(vifs.front.row(1, 0)).toMatchObject({ state: 'connected', ...frontend });
  expect(vifs.back.row(0, 0)).toMatchObject({ state: 'connected', ...backend });
});

test.each<[string, readonly VifCommand[], object]>([
  ['nothing', [], {}],
  ['sent', [sent(0), sent(1)], { tx_req_prod: 2 }],
  ['taken', [sent(0), taken(0)], { tx_req_prod: 1, tx_req_cons: 1, tx_rsp_prod: 1 }],
  ['taken in three slots', [taken(9, 3)], { tx_req_cons: 3, tx_rsp_prod: 3 }],
  ['reaped', [sent(0), taken(0), reaped(0)], { tx_req_prod: 1, tx_req_cons: 1, tx_rsp_prod: 1, tx_rsp_cons: 1 }],
  ['posted', [posted(64)], { rx_req_prod: 64 }],
  ['filled', [posted(1), filled(0)], { rx_req_prod: 1, rx_req_cons: 1, rx_rsp_prod: 1 }],
  ['received in two slots', [received(0, 2)], { rx_rsp_cons: 2 }],
  ['dropped', [dropped], {}],
])('private indices: %s', (_, commands, indices) => {
  const vifs = after([...pair, ...commands]);
  const zero = {
    tx_req_prod: 0,
    tx_rsp_cons: 0,
    rx_req_prod: 0,
    rx_rsp_cons: 0,
    tx_req_cons: 0,
    tx_rsp_prod: 0,
    rx_req_cons: 0,
    rx_rsp_prod: 0,
  };
  const all: Record<string, unknown> = { ...vifs.front.row(1, 0), ...vifs.back.row(0, 0) };
  expect(Object.fromEntries(Object.keys(zero).map((name) => [name, all[name]]))).toEqual({ ...zero, ...indices });
});

test.each<[string, readonly VifCommand[], tx: readonly unknown[], rx: readonly unknown[]]>([
  ['sent', [sent(3)], [[3, { state: 'sent', size: 60, sent_by: 102, taken_by: 0 }]], []],
  ['taken', [sent(3), taken(3)], [[3, { state: 'taken', size: 60, sent_by: 102, taken_by: 103 }]], []],
  ['taken twice', [sent(3), taken(3), taken(3)], [[3, { state: 'taken', size: 60, sent_by: 102, taken_by: 103 }]], []],
  ['taken, and never sent', [taken(3)], [], []],
  ['reaped', [sent(3), taken(3), reaped(3)], [], []],
  ['filled', [filled(7)], [], [[7, { state: 'filled', filled_by: 102 }]]],
  ['filled beyond the ring', [filled(300)], [], []],
  ['received', [filled(7), received(7)], [], []],
  ['lost with the device', [sent(3), filled(7), disconnect(1, 1, 0)], [], []],
  [
    'kept when the backend leaves',
    [sent(3), disconnect(0, 1, 0)],
    [[3, { state: 'sent', size: 60, sent_by: 102, taken_by: 0 }]],
    [],
  ],
  ['for a frontend that has left', [disconnect(1, 1, 0), taken(3), filled(7)], [], []],
])('packets under way: %s', (_, commands, tx, rx) => {
  const vifs = after([...pair, ...commands]);
  expect([[...vifs.tx.inUse(1)], [...vifs.rx.inUse(1)]]).toEqual([tx, rx]);
});

test('two devices have ids of their own', () => {
  const vifs = after([front(1, 0), front(1, 1), sent(0, 0), sent(1, 0), sent(0, 1)]);
  expect([vifs.freeTxId(1, 0), vifs.freeTxId(1, 1), vifs.freeTxId(1, 2)]).toEqual([2, 1, -1]);
});

test('a ring full of packets has no free id', () => {
  expect(after([...pair, ...Array.from({ length: 256 }, (_, id) => sent(id))]).freeTxId(1, 0)).toBe(-1);
});
