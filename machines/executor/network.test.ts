// Two guests and dom0 on one bridge, with real rings, grants and event channels; the machines' handshake is done by hand.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { eventsOf } from '../../events/step.ts';
import { DOMID_XEN, type DomId, SECOND } from '../../events/units.ts';
import type { AnswerOf, Command, CommandOf, CommandType, Outcome, Step } from '../../events/vocabulary.ts';
import { pvDomain } from '../../src/abi/domctl.ts';
import { takePending } from '../../src/core/evtchn/pending.ts';
import { pageOf } from '../../src/guest/state.ts';
import { decide, evolve, Host, writeGuest } from '../../src/host.ts';
import { defaultHost } from '../../src/host-config.ts';
import { Memory } from '../../src/memory/memory.ts';
import { RecordingReader } from '../../src/memory/reader.ts';
import { ipToText, textToIp, textToMac } from '../../src/net/address.ts';
import { arpRequestFrame } from '../../src/net/arp.ts';
import { makeEthernet } from '../../src/net/ethernet.ts';
import { evolve as evolveNet } from '../../src/xenbus/net/index.ts';
import { NETIF_RSP, NETRXF, NETTXF, netifRx, netifRxExtra, netifTx, XEN_NETIF_EXTRA_TYPE } from '../../src/xenbus/ring/netif.ts';
import { getRequest, pushRequests, pushResponses, putRequest, putResponse, SRING } from '../../src/xenbus/ring/ring.ts';
import { GuestNetwork } from './guest-network.ts';
import { NetworkBackend } from './network-backend.ts';
import { Privates } from './private.ts';
import type { System } from './system.ts';

const BRIDGE_IP = '10.0.0.1';
const macOf = (domid: DomId): number => textToMac(`00:16:3e:00:00:0${domid}`)!;

class World implements System {
  readonly host = new Host({ config: defaultHost, seed: 1 });
  readonly memory = new Memory(this.host.journal);
  readonly steps: Step[] = [];
  readonly privates = new Privates(this.host.journal);
  readonly network = new GuestNetwork(this, this.privates);
  private readonly backend = new NetworkBackend(this);
  private readonly reader = new RecordingReader(this.memory);
  /** dom0 takes no interrupts: it is serving one, or sleeps. */
  serving = false;
  now = 0;

  constructor() {
    this.build(0, DOMID_XEN, 64);
    const mac = textToMac('fe:ff:ff:ff:ff:ff')!;
    this.ok({ type: 'bridge.create', bridge: 'xenbr0', mac, ip: textToIp(BRIDGE_IP)!, netmask: textToIp('255.255.255.0')! });
  }
  get lastSeq(): number {
    return this.steps.length - 1;
  }
  image(): never {
    throw new Error('no disk here');
  }
  spend(): void {}

  hypercall(command: Command, origin: string, cause: number): Outcome {
    const outcome = decide(this.host, command, this.now, this.reader);
    const seq = this.steps.length;
    this.steps.push({ seq, time: this.now, origin, cause, command, reads: this.reader.take(), outcome });
    for (const event of eventsOf(outcome)) {
      writeGuest(this.host, this.memory, event);
      if (event.type === 'vif.packet_sent' || event.type === 'vif.packet_taken' || event.type === 'vif.packet_filled')
        evolveNet(this.host.vifs, event, seq);
      else evolve(this.host, event, seq);
    }
    if (!this.serving) this.serveDom0();
    return outcome;
  }
  ok<K extends CommandType>(command: CommandOf<K> & { readonly type: K }): AnswerOf<K> {
    const outcome = this.hypercall(command as Command, 'test', 0);
    expect(outcome, command.type).toMatchObject({ ok: true });
    return (outcome as unknown as { value: AnswerOf<K> }).value;
  }
  serveDom0(): void {
    this.serving = true;
    for (;;) {
      const ports = takePending(this.host.xen, this.memory, 0, 0);
      if (ports.length === 0) break;
      for (const port of ports) {
        const irqs = this.host.guests.irq.of(0)!;
        this.backend.serve(0, irqs.peer.at(port), irqs.dev.at(port), this.lastSeq);
      }
    }
    this.serving = false;
  }

  build(domain: DomId, caller: DomId, pages: number): void {
    const handle = '00112233-4455-6677-8899-aabbccddeeff';
    const limits = { max_vcpus: 1, max_evtchn_port: -1, max_grant_frames: 4, max_maptrack_frames: 1, ...pvDomain };
    this.ok({ type: 'domctl.createdomain', domid: caller, domain, ssidref: 0, handle, ...limits });
    this.ok({ type: 'domctl.max_vcpus', domid: caller, domain, max: 1 });
    this.ok({ type: 'domctl.max_mem', domid: caller, domain, max_memkb: (pages + 4) * 4 });
    this.ok({ type: 'memory.populate_physmap', domid: caller, dom: domain, gfn: 0, nr_pages: pages });
  }

  /** What netfront and netback do between them. */
  plug(domid: DomId, devid = 0): void {
    const grant = (): { ref: number; gfn: number } =>
      this.ok({ type: 'guest.grant_page', domid, remote_dom: 0, readonly: false });
    const alloc = (): { port: number } => this.ok({ type: 'evtchn.alloc_unbound', domid, dom: domid, remote_dom: 0 });
    const [tx, rx, { port: tx_port }, { port: rx_port }] = [grant(), grant(), alloc(), alloc()];
    const rings = { tx_gfn: tx.gfn, tx_ref: tx.ref, rx_gfn: rx.gfn, rx_ref: rx.ref };
    this.ok({
      type: 'vif.connect_frontend',
      domid,
      devid,
      mac: macOf(domid),
      ...rings,
      tx_port,
      rx_port,
      backend: 0,
    });
    for (const port of [tx_port, rx_port]) this.ok({ type: 'guest.bind_irq', domid, port, handler: 'vif', dev: devid, peer: 0 });
    this.network.connect(domid, devid, `d${domid}v0`);

    const map = (ref: number): { handle: number; mfn: number } =>
      this.ok({ type: 'gnttab.map_grant_ref', domid: 0, dom: domid, ref, readonly: false });
    const bind = (remote_port: number): { local_port: number } =>
      this.ok({ type: 'evtchn.bind_interdomain', domid: 0, remote_dom: domid, remote_port });
    const [txMap, rxMap, txPort, rxPort] = [map(tx.ref), map(rx.ref), bind(tx_port), bind(rx_port)];
    for (const { local_port: port } of [txPort, rxPort])
      this.ok({ type: 'guest.bind_irq', domid: 0, port, handler: 'vif', dev: devid, peer: domid });
    this.ok({
      type: 'vif.connect_backend',
      domid: 0,
      frontend: domid,
      devid,
      tx_mfn: txMap.mfn,
      tx_handle: txMap.handle,
      rx_mfn: rxMap.mfn,
      rx_handle: rxMap.handle,
      tx_port: txPort.local_port,
      rx_port: rxPort.local_port,
      xdp_headroom: 0,
    });
    this.ok({ type: 'bridge.add_port', bridge: 'xenbr0', port: `vif${domid}.${devid}` });
    this.backend.serve(0, domid, devid, this.lastSeq);
  }
  guest(domid: DomId): void {
    this.build(domid, 0, 512);
    this.ok({ type: 'xc.dom_boot_image', domid, kernel: 'k', cmdline: '', store_port: 1, console_port: 2 });
    this.plug(domid);
  }

  work(domid: DomId, kind: 'dhcp' | 'ping', ...args: string[]): number {
    const { work } = this.ok<'guest.start_work'>({ type: 'guest.start_work', domid, issuer: 'test', kind, args }) as {
      work: number;
    };
    const row = this.host.guests.records.get(domid)!.works.find((one) => one.work === work)!;
    if (kind === 'dhcp') this.network.startDhcp(domid, row);
    else this.network.startPing(domid, row);
    return work;
  }
  /** Lets every guest take its interrupts and go on, until nobody has anything to do. */
  settle(...domids: DomId[]): void {
    for (let again = true; again; ) {
      again = false;
      for (const domid of domids) {
        for (const port of takePending(this.host.xen, this.memory, domid, 0)) {
          again = true;
          this.network.receive(domid, this.host.guests.irq.of(domid)!.dev.at(port), `d${domid}v0`);
        }
        while (this.network.progress(domid, `d${domid}v0`)) again = true;
      }
    }
  }
  /** How a work has ended, `errno result`, or undefined while it has not. */
  end(work: number, domid: DomId): string | undefined {
    for (const { command } of this.steps)
      if (command.type === 'guest.finish_work' && command.work === work && command.domid === domid)
        return `${command.errno} ${command.result}`.trim();
    return undefined;
  }
  /** Commands that a step goes back to, the nearest first. */
  why(seq: number): string[] {
    const chain: string[] = [];
    for (let at = this.steps[seq]!; ; at = this.steps[at.cause!]!) {
      chain.push(at.command.type);
      if (at.origin === 'test') return chain;
    }
  }
  last<K extends CommandType>(type: K): Step & { command: CommandOf<K> } {
    return this.steps.findLast(({ command }) => command.type === type) as never;
  }
  count(type: CommandType): number {
    return this.steps.filter(({ command }) => command.type === type).length;
  }
}

function lan(...domids: DomId[]): World {
  const world = new World();
  for (const domid of domids) world.guest(domid);
  return world;
}
/** Guests with leased addresses: 10.0.0.128 and up, in the order of asking. */
function addressed(...domids: DomId[]): World {
  const world = lan(...domids);
  for (const domid of domids) {
    const work = world.work(domid, 'dhcp', `guest${domid}`, String(domid));
    world.settle(...domids);
    expect(world.end(work, domid)).toMatch(/^10\.0\.0\.\d+ 255\.255\.255\.0 10\.0\.0\.1$/);
  }
  return world;
}
const addressOf = (world: World, domid: DomId): string => {
  const dhcp = world.privates.get(domid).net!.interfaces[0]!.stack.dhcp;
  return 'lease' in dhcp ? ipToText(dhcp.lease.ip) : '';
};

test('a guest gets an address from dom0', () => {
  const world = addressed(1);
  expect(addressOf(world, 1)).toBe('10.0.0.128');
  expect(world.privates.get(1).net!.wakeAt).toBeGreaterThan(SECOND);
});

test('ping: dom0, a neighbour, and nobody', () => {
  const world = addressed(1, 2);
  const pings = [BRIDGE_IP, addressOf(world, 2), '10.0.0.77', '127.0.0.1', '10.0.0.300'].map((ip, seq) =>
    world.work(1, 'ping', ip, '7', String(seq)),
  );
  world.settle(1, 2);
  const ends = () => pings.map((work) => world.end(work, 1));
  expect(ends()).toEqual(['64 10.0.0.1 0 64 0', '64 10.0.0.129 1 64 0', undefined, '64 127.0.0.1 3 64 0', 'EINVAL']);
  for (let s = 1; s <= 12; s++) {
    world.now = s * SECOND;
    world.settle(1, 2);
  }
  expect(ends()[2]).toBe(`EHOSTUNREACH ${addressOf(world, 1)}`);
});

test('who has no address has no network, and who gets none hears so', () => {
  const world = lan(1);
  expect(world.end(world.work(1, 'ping', BRIDGE_IP, '1', '1'), 1)).toBe('ENETUNREACH 0.0.0.0');
  world.ok({ type: 'bridge.remove_port', bridge: 'xenbr0', port: 'vif1.0' });
  const work = world.work(1, 'dhcp', 'a', '1');
  for (let s = 0; s < 200; s++) {
    world.now = s * SECOND;
    world.settle(1);
  }
  expect(world.end(work, 1)).toBe('ETIMEDOUT');
  expect(world.count('bridge.forward')).toBe(0);
});

test('every step of a packet is caused by the one before', () => {
  const world = addressed(1, 2);
  const work = world.work(1, 'ping', addressOf(world, 2), '1', '1');
  world.settle(1, 2);
  expect(world.end(work, 1)).toBeDefined();
  const end = world.steps.findLast(({ command }) => command.type === 'guest.finish_work')!;
  const over = ['vif.note_filled', 'gnttab.copy', 'bridge.forward', 'vif.note_taken', 'vif.note_sent'];
  // There and back, backwards: the echo waited for the neighbour's address, which had to be asked for.
  expect(world.why(end.seq)).toEqual([
    'guest.finish_work',
    ...['vif.note_received', ...over], // echo reply
    ...['vif.note_received', ...over], // echo request
    ...['vif.note_received', ...over], // ARP reply
    ...['vif.note_received', ...over], // ARP request
    'guest.start_work',
  ]);
  for (const { command, cause } of world.steps)
    if (command.type === 'vif.note_taken')
      expect(world.steps[cause!]!.command).toMatchObject({ type: 'vif.note_sent', domid: command.frontend, id: command.id });
});

test('a full tx ring: what does not fit waits and goes out in order', () => {
  const world = addressed(1);
  const { vifs } = world.host;
  world.serving = true;
  for (let xid = 0; xid < 300; xid++) world.work(1, 'dhcp', 'a', String(xid));
  expect(vifs.freeTxId(1, 0)).toBe(-1);
  expect(world.privates.get(1).net!.interfaces[0]!.waiting).toHaveLength(300 - 256);
  expect(world.network.progress(1, 'd1v0')).toBe(false);
  world.serveDom0();
  world.settle(1);
  expect(world.privates.get(1).net!.interfaces[0]!.waiting).toEqual([]);
  // A DHCP message's xid stands behind the headers of Ethernet, IPv4 and UDP and four bytes of its own.
  const xids = world.steps.flatMap(({ command }) =>
    command.type === 'bridge.forward' && command.port === 'vif1.0' && command.frame.length > 60
      ? [new DataView(command.frame.buffer, command.frame.byteOffset).getUint32(46)]
      : [],
  );
  const first = xids.lastIndexOf(0);
  expect(xids.slice(first, first + 300)).toEqual(Array.from({ length: 300 }, (_, xid) => xid));
});

test('no buffer: the frame is dropped, and the log says so', () => {
  const world = addressed(1, 2);
  const before = world.count('vif.note_filled');
  for (let i = 0; i < 70; i++) world.work(1, 'dhcp', 'a', String(i)); // broadcasts, while guest 2 does not run
  const dropped = world.steps.flatMap(({ command }) => (command.type === 'vif.note_dropped' ? [command] : []));
  expect(dropped.filter(({ frontend }) => frontend === 2)).toHaveLength(70 - 64);
  world.settle(1, 2);
  expect(world.count('vif.note_filled')).toBeGreaterThan(before + 64);
  world.work(1, 'ping', addressOf(world, 2), '1', '1');
  const drops = world.count('vif.note_dropped');
  world.settle(1, 2);
  expect(world.count('vif.note_dropped')).toBe(drops);
});

test('a device that has gone gives its pages back and ends who waits for it; another may come', () => {
  const world = addressed(1);
  const ping = world.work(1, 'ping', '10.0.0.9', '1', '1');
  world.ok({ type: 'vif.disconnect', domid: 0, frontend: 1, devid: 0 });
  world.ok({ type: 'vif.disconnect', domid: 1, frontend: 1, devid: 0 });
  world.settle(1);
  expect(world.end(ping, 1)).toBe('ENODEV');
  expect(world.count('guest.end_access')).toBeGreaterThan(64);
  expect(world.steps.filter(({ command, outcome }) => command.type === 'guest.end_access' && !outcome.ok)).toEqual([]);
  expect(world.privates.get(1).net).toEqual({ wakeAt: undefined, interfaces: [] });
  expect([...world.host.vifs.tx.inUse(1)]).toEqual([]);
  world.ok({ type: 'bridge.remove_port', bridge: 'xenbr0', port: 'vif1.0' });
  world.plug(1);
  const dhcp = world.work(1, 'dhcp', 'b', '9');
  world.settle(1);
  expect(world.end(dhcp, 1)).toMatch(/^10\./);
});

describe('what a frontend may put on its ring', () => {
  const frame = makeEthernet({ dst: 0xffff_ffff_ffff, src: macOf(1), type: 0x88b5, payload: new Uint8Array(1000) });
  type Slot = { readonly flags?: number; readonly size?: number; readonly offset?: number; readonly gref?: number };
  /** Each slot has its part of the frame in a page of its own. */
  function sent(slots: readonly Slot[]): World {
    const world = lan(1, 2);
    const { vifs, xen } = world.host;
    let front = vifs.frontTx(1, 0);
    const ring = xen.p2m.mfn(1, vifs.front.of(1)!.tx_gfn.at(0));
    for (const [i, { flags = 0, size = frame.length, offset = 0, gref }] of slots.entries()) {
      const { ref } = world.ok({ type: 'guest.grant_page', domid: 1, remote_dom: 0, readonly: true });
      if (offset + frame.length <= 4096) world.memory.write(xen.p2m.mfn(1, pageOf(ref)), offset, frame.subarray(i * 100));
      front = putRequest(world.memory, ring, netifTx, front, { gref: gref ?? ref, offset, flags, id: i, size })!;
    }
    pushRequests(world.memory, ring, front);
    world.ok({ type: 'evtchn.send', domid: 1, port: vifs.front.of(1)!.tx_port.at(0) });
    return world;
  }
  const more = NETTXF.more_data;
  /** An extra overlays a request: its type and flags are the lowest bytes of `gref`. */
  const extra = (type: number, flags = 0): Slot => ({ gref: type | (flags << 8) });

  test.each<[string, readonly Slot[], readonly (readonly [slots: number, status: number, size: number])[]]>([
    ['a packet', [{}], [[1, NETIF_RSP.OKAY, 1014]]],
    [
      'two packets',
      [{}, {}],
      [
        [1, NETIF_RSP.OKAY, 1014],
        [1, NETIF_RSP.OKAY, 1014],
      ],
    ],
    ['three slots', [{ flags: more }, { flags: more, size: 500 }, { size: 414 }], [[3, NETIF_RSP.OKAY, 1014]]],
    ['an extra', [{ flags: NETTXF.extra_info }, extra(XEN_NETIF_EXTRA_TYPE.GSO)], [[2, NETIF_RSP.OKAY, 1014]]],
    [
      'a multicast group',
      [{ flags: NETTXF.extra_info, size: 0 }, extra(XEN_NETIF_EXTRA_TYPE.MCAST_ADD)],
      [[2, NETIF_RSP.OKAY, 0]],
    ],
    ['longer than the bridge lets pass', [{ size: 1519 }], [[1, NETIF_RSP.DROPPED, 1519]]],
    ['shorter than a header', [{ size: 13 }], [[1, NETIF_RSP.ERROR, 13]]],
    ['across a page', [{ offset: 3083 }], [[1, NETIF_RSP.ERROR, 1014]]],
    ['no such grant', [{ gref: 0xffff_ffff }], [[1, NETIF_RSP.ERROR, 1014]]],
    ['parts longer than the whole', [{ flags: more }, { size: 1014 }], [[2, NETIF_RSP.ERROR, 1014]]],
    ['more data that does not come', [{ flags: more }], [[1, NETIF_RSP.ERROR, 1014]]],
    ['an extra that does not come', [{ flags: NETTXF.extra_info }], [[1, NETIF_RSP.ERROR, 1014]]],
    [
      'too many slots',
      Array.from({ length: 19 }, (_, i) => ({ flags: i < 18 ? more : 0, size: i === 0 ? 1014 : 10 })),
      [[19, NETIF_RSP.ERROR, 1014]],
    ],
    [
      'garbage, then a packet',
      [{ size: 0 }, {}],
      [
        [1, NETIF_RSP.ERROR, 0],
        [1, NETIF_RSP.OKAY, 1014],
      ],
    ],
  ])('%s', (_, slots, expected) => {
    const world = sent(slots);
    const taken = world.steps.flatMap(({ command }) => (command.type === 'vif.note_taken' ? [command] : []));
    expect(taken.map(({ slots, status, size }) => [slots, status, size])).toEqual(expected);
    expect(world.count('bridge.forward')).toBe(
      expected.filter(([, status, size]) => status === NETIF_RSP.OKAY && size > 0).length,
    );
    const forwarded = world.steps.flatMap(({ command }) => (command.type === 'bridge.forward' ? [command.frame.length] : []));
    expect(forwarded.every((length) => length === frame.length)).toBe(true);
    const ring = world.host.vifs.back.of(0)!.tx_mfn.at(0);
    expect(world.memory.get32(ring, SRING.rsp_prod)).toBe(slots.length);
  });

  test('the bytes of a packet in several slots arrive in order', () => {
    const world = sent([{ flags: more }, { flags: more, size: 500 }, { size: 414 }]);
    const { command } = world.last('bridge.forward');
    const want = [...frame.subarray(0, 100), ...frame.subarray(100, 600), ...frame.subarray(200, 614)];
    expect([...command.frame]).toEqual(want);
  });
});

test('a guest that has us write into its tx ring gets one ring served, not another with it', () => {
  const world = lan(1);
  const { vifs, xen } = world.host;
  const front = vifs.front.of(1)!;
  const tx = xen.p2m.mfn(1, front.tx_gfn.at(0));
  const table = xen.gnttab.frames.of(1)!.mfn_plus_1.at(0) - 1;
  for (const ref of world.privates.get(1).net!.interfaces[0]!.rx)
    world.memory.put32(table, ref * 8 + 4, xen.grantFrameNumber(1, front.tx_gfn.at(0)));
  // The last of 256 requests asks for dom0's address, from one whose first four bytes are the index that the reply then leaves in req_prod.
  const { ref } = world.ok({ type: 'guest.grant_page', domid: 1, remote_dom: 0, readonly: true });
  const request = arpRequestFrame({ sha: 0x0002_0000_0001, spa: textToIp('10.0.0.9')!, tpa: textToIp(BRIDGE_IP)! });
  world.memory.write(xen.p2m.mfn(1, pageOf(ref)), 0, request);
  let ring = vifs.frontTx(1, 0);
  for (let id = 0; id < 256; id++)
    ring = putRequest(world.memory, tx, netifTx, ring, {
      gref: ref,
      offset: 0,
      flags: 0,
      id,
      size: id === 255 ? request.length : 0,
    })!;
  pushRequests(world.memory, tx, ring);
  world.ok({ type: 'evtchn.send', domid: 1, port: front.tx_port.at(0) });
  expect(world.memory.get32(tx, SRING.req_prod)).toBe(512);
  expect(world.count('vif.note_taken')).toBe(256);
});

describe('what a backend may put on the rx ring', () => {
  const more = NETRXF.more_data;
  const extra = NETRXF.extra_info;
  type Slot = { readonly status: number; readonly flags?: number; readonly offset?: number } | { readonly type: number };
  test.each<[string, readonly Slot[], readonly (readonly [slots: number, size: number])[]]>([
    ['a packet', [{ status: 60 }], [[1, 60]]],
    [
      'two packets',
      [{ status: 60 }, { status: 61 }],
      [
        [1, 60],
        [1, 61],
      ],
    ],
    ['a packet at an offset', [{ status: 60, offset: 256 }], [[1, 60]]],
    ['a packet in three slots', [{ status: 4096, flags: more }, { status: 4096, flags: more }, { status: 808 }], [[3, 9000]]],
    [
      'a packet with an extra',
      [{ status: 60, flags: extra }, { type: XEN_NETIF_EXTRA_TYPE.GSO }, { status: 61 }],
      [
        [2, 60],
        [1, 61],
      ],
    ],
    [
      'an error',
      [{ status: NETIF_RSP.ERROR }, { status: 60 }],
      [
        [1, 0],
        [1, 60],
      ],
    ],
    ['an error in the middle', [{ status: 60, flags: more }, { status: NETIF_RSP.ERROR }], [[2, 0]]],
    ['across a page', [{ status: 60, offset: 4037 }], [[1, 0]]],
    ['up to the end of a page', [{ status: 60, offset: 4036 }], [[1, 60]]],
    ['more data that does not come', [{ status: 60, flags: more }], [[1, 0]]],
  ])('%s', (_, slots, expected) => {
    const world = lan(1);
    const { vifs } = world.host;
    const rows = vifs.back.of(0)!;
    const ring = rows.rx_mfn.at(0);
    let back = vifs.backRx(0, 0);
    for (const slot of slots) {
      const taken = getRequest(world.memory, ring, netifRx, back)!;
      // The ids are made up: 7 for all of them.
      const next =
        'type' in slot
          ? putResponse(world.memory, ring, netifRxExtra, taken.back, { type: slot.type, flags: 0, data: new Uint8Array(6) })
          : putResponse(world.memory, ring, netifRx, taken.back, { id: 7, offset: 0, flags: 0, ...slot });
      back = next!;
    }
    pushResponses(world.memory, ring, back);
    world.ok({ type: 'evtchn.send', domid: 0, port: rows.rx_port.at(0) });
    world.settle(1);
    const received = world.steps.flatMap(({ command }) => (command.type === 'vif.note_received' ? [command] : []));
    expect(received.map(({ slots: count, size }) => [count, size])).toEqual(expected);
    expect(world.last('vif.note_posted').command.count).toBe(slots.length);
  });
});

test('whatever a guest writes into its own pages, dom0 comes to an end and the neighbour is well', () => {
  const write = fc.record({
    page: fc.constantFrom('tx', 'rx', 'grants'),
    offset: fc.oneof(
      fc.constantFrom(0, 4, 8, 12, 64, 68, 72, 76),
      fc.nat(4092).map((n) => n & ~3),
    ),
    value: fc.oneof(fc.constantFrom(0, 1, 2, 64, 255, 256, 257, 0xffff_ffff), fc.nat(0xffff), fc.nat(0xffff_ffff)),
  });
  fc.assert(
    fc.property(fc.array(write, { maxLength: 60 }), (writes) => {
      const world = addressed(1, 2);
      const { vifs, xen } = world.host;
      const front = vifs.front.of(1)!;
      for (const { page, offset, value } of writes) {
        const gfn = page === 'tx' ? front.tx_gfn.at(0) : front.rx_gfn.at(0);
        const mfn = page === 'grants' ? xen.gnttab.frames.of(1)!.mfn_plus_1.at(0) - 1 : xen.p2m.mfn(1, gfn);
        world.memory.put32(mfn, offset, value);
        world.hypercall({ type: 'evtchn.send', domid: 1, port: front.tx_port.at(0) }, 'test', 0);
      }
      const start = world.steps.length;
      world.hypercall({ type: 'evtchn.send', domid: 1, port: front.tx_port.at(0) }, 'test', 0);
      expect(world.steps.length - start).toBeLessThan(256 * 20);
      world.settle(1, 2);
      const ping = world.work(2, 'ping', BRIDGE_IP, '1', '1');
      world.settle(2);
      expect(world.end(ping, 2)).toBe('64 10.0.0.1 1 64 0');
    }),
    { numRuns: 40 },
  );
});
