import { describe, expect, test } from 'vitest';
import type { Command } from '../events/vocabulary.ts';
import { bootedPlainHost, PlainHost } from '../tools/fuzz/index.ts';
import { coreInvariants } from './core/invariants.ts';
import { type Host, subsystemOf } from './host.ts';
import { hostInvariants, hostViolations } from './invariants.ts';
import type { Bridge } from './net/bridge.ts';
import { invariants as storeInvariants } from './xenstore/invariants.ts';

const XVDA = 51712;
/** From 02:00:00:00:00:01 to :02. */
const frame = new Uint8Array(60);
frame.set([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8]);

/** A host where everything is in use: a kernel with work and requests, a console with input, a disk and an interface with traffic, jobs. */
function busyHost(): PlainHost {
  const plain = bootedPlainHost();
  const mfn = plain.host.xen.p2m.mfn(1, 4);
  const ends = { devid: 0, tx_port: 1, rx_port: 2 };
  const vbd = { vdev: XVDA, op: 'read', sector: 0, nr_sectors: 8 } as const;
  const channel: Command = { type: 'evtchn.alloc_unbound', domid: 1, dom: 1, remote_dom: 0 };
  return plain.prepare(
    channel,
    channel,
    { type: 'evtchn.bind_interdomain', domid: 0, remote_dom: 1, remote_port: 2 },
    { type: 'xc.dom_boot_image', domid: 1, kernel: 'k', cmdline: '', store_port: 1, console_port: 2 },
    { type: 'guest.start', domid: 1 },
    { type: 'guest.grant_page', domid: 1, remote_dom: 0, readonly: false },
    { type: 'guest.spawn', domid: 1, name: 'tty', program: 'tty', args: [] },
    { type: 'guest.start_work', domid: 1, issuer: 'd1.tty', kind: 'sleep', args: ['1'] },
    { type: 'xenbus.note_sent', domid: 1, req_id: 1, issuer: 'd1.tty', request: 'xenstore.read' },
    { type: 'console.open', domid: 0, dom: 1, mfn, local_port: 1 },
    { type: 'console.input', dom: 1, text: 'ls' },
    { type: 'vbd.connect_frontend', domid: 1, vdev: XVDA, ring_gfn: 24, ring_ref: 8, port: 1, backend: 0 },
    { type: 'vbd.open_disk', domid: 0, frontend: 1, vdev: XVDA, params: '/disk', readonly: false },
    { type: 'vbd.connect_backend', domid: 0, frontend: 1, vdev: XVDA, ring_mfn: 99, ring_handle: 0, port: 1 },
    { type: 'vbd.note_submitted', domid: 1, id: 0, ...vbd },
    { type: 'vbd.note_served', domid: 0, frontend: 1, id: 0, ...vbd, status: 0 },
    { type: 'vbd.note_submitted', domid: 1, id: 1, ...vbd },
    { type: 'vif.connect_frontend', domid: 1, ...ends, mac: 1, tx_gfn: 20, tx_ref: 8, rx_gfn: 21, rx_ref: 9, backend: 0 },
    {
      type: 'vif.connect_backend',
      domid: 0,
      frontend: 1,
      ...ends,
      tx_mfn: 9,
      tx_handle: 0,
      rx_mfn: 8,
      rx_handle: 1,
      xdp_headroom: 0,
    },
    { type: 'vif.note_sent', domid: 1, devid: 0, id: 3, size: 60 },
    { type: 'bridge.add_port', bridge: 'xenbr0', port: 'vif1.0' },
    {
      type: 'bridge.forward',
      bridge: 'xenbr0',
      port: 'vif1.0',
      frame,
    },
    { type: 'xl.run', argv: ['list'], files: [] },
    { type: 'xl.store_config', domid: 1, config: '{}' },
  );
}

describe('invariants', () => {
  test('all hold on a busy host', () => {
    expect([...hostViolations(busyHost().host)]).toEqual([]);
  });

  // What is broken by hand, and who must say so. Those of the core and of XenStore have tables of their own.
  const breakages: readonly [string, (host: Host) => void][] = [
    ['guest.thereIsAsRowsAre', ({ guests }) => guests.irq.remove(1)],
    ['guest.thereIsAsRowsAre', ({ guests }) => guests.gref.add(9)],
    ['guest.thereIsAsRowsAre', ({ guests }) => guests.records.set(9, guests.records.get(1)!)],
    ['guest.irqsAreWithinThePorts', ({ guests }) => guests.irq.of(1)!.handler.become(0, 'vbd')],
    ['guest.irqsAreWithinThePorts', ({ guests }) => guests.irq.of(1)!.handler.become(4096, 'vbd')],
    ['guest.unboundHoldsNothing', ({ guests }) => guests.irq.of(1)!.dev.put(9, 1)],
    ['guest.unboundHoldsNothing', ({ guests }) => guests.irq.of(1)!.peer.put(9, 1)],
    ['guest.grantedPagesHaveEntries', ({ guests }) => guests.gref.of(1)!.state.become(0, 'granted')],
    ['guest.grantedPagesHaveEntries', ({ guests }) => guests.gref.of(1)!.state.become(5000, 'granted')],
    ['guest.grantedPagesHaveEntries', ({ xen }) => xen.domain.of(0)!.nr_grant_frames.put(1, 0)],
    ['guest.numbersAreBelowTheNext', ({ guests }) => change(guests.records, 1, { next_work: 1 })],
    ['guest.numbersAreBelowTheNext', ({ guests }) => change(guests.records, 1, { next_req_id: 1 })],
    ['guest.numbersAreBelowTheNext', ({ guests }) => repeat(guests.records, 'works', 2)],
    ['guest.underWayIsBounded', ({ guests }) => repeat(guests.records, 'works', 1025)],
    ['guest.underWayIsBounded', ({ guests }) => repeat(guests.records, 'requests', 1025)],
    ['guest.underWayIsBounded', ({ guests }) => repeat(guests.records, 'processes', 32769)],
    ['guest.processesHaveNamesOfTheirOwn', ({ guests }) => repeat(guests.records, 'processes', 2)],
    ['guest.processesHaveNamesOfTheirOwn', ({ guests }) => change(guests.records, 1, { processes: ['kernel'] })],

    ['console.openConsolesHaveChannels', ({ consoles }) => consoles.rows.of(0)!.local_port.put(1, 0)],
    ['console.openConsolesHaveChannels', ({ consoles }) => consoles.rows.of(0)!.mfn.put(1, -1)],
    ['console.closedHoldsNothing', ({ consoles }) => consoles.rows.of(0)!.mfn.put(2, 1)],
    ['console.closedHoldsNothing', ({ consoles }) => consoles.rows.of(0)!.local_port.put(2, 1)],
    ['console.typedWaitsAtAnOpenConsole', ({ consoles }) => consoles.typed.set(2, { text: 'x', by: 0 })],
    ['console.typedWaitsAtAnOpenConsole', ({ consoles }) => consoles.typed.set(1, { text: '', by: 0 })],
    ['console.typedWaitsAtAnOpenConsole', ({ consoles }) => consoles.typed.set(1, { text: 'x'.repeat(65537), by: 0 })],

    ['block.requestsBelongToConnectedFrontends', ({ vbds }) => vbds.request.of(1)!.vdev.put(0, 768)],
    ['block.requestsBelongToConnectedFrontends', ({ vbds }) => vbds.request.of(1)!.state.become(32, 'submitted')],
    ['block.indicesEncloseTheRequests', ({ vbds }) => vbds.front.of(1)!.req_prod.add(0, 1)],
    ['block.indicesEncloseTheRequests', ({ vbds }) => vbds.front.of(1)!.rsp_cons.put(0, 9)],
    ['block.indicesEncloseTheRequests', ({ vbds }) => vbds.request.of(1)!.state.become(0, 'free')],
    ['block.indicesNeverPassEachOther', ({ vbds }) => vbds.back.of(0)!.req_cons.add(0, 1)],
    ['block.indicesNeverPassEachOther', ({ vbds }) => vbds.back.of(0)!.state.become(0, 'open')],
    [
      'block.deviceHasOneRow',
      ({ vbds }) => {
        vbds.front.of(1)!.state.become(1, 'connected');
        vbds.front.of(1)!.vdev.put(1, XVDA);
      },
    ],
    [
      'block.deviceHasOneRow',
      ({ vbds }) => {
        vbds.back.of(0)!.state.become(1, 'open');
        vbds.back.of(0)!.frontend.put(1, 1);
        vbds.back.of(0)!.vdev.put(1, XVDA);
      },
    ],
    [
      'block.deviceHasOneRow',
      ({ vbds }) => {
        for (let row = 0; row < 300; row++) {
          vbds.front.of(1)!.state.become(row, 'connected');
          vbds.front.of(1)!.vdev.put(row, row);
        }
      },
    ],
    ['block.freeHoldsNothing', ({ vbds }) => vbds.front.of(2)!.port.put(0, 1)],
    ['block.freeHoldsNothing', ({ vbds }) => vbds.back.of(0)!.ring_mfn.put(3, 1)],
    ['block.freeHoldsNothing', ({ vbds }) => vbds.request.of(1)!.served_by.put(7, 1)],

    ['net.packetsBelongToConnectedFrontends', ({ vifs }) => vifs.front.of(1)!.state.become(0, 'free')],
    ['net.packetsBelongToConnectedFrontends', ({ vifs }) => vifs.rx.of(2)!.state.become(0, 'filled')],
    ['net.indicesNeverPassEachOther', ({ vifs }) => vifs.back.of(0)!.tx_req_cons.add(0, 1)],
    ['net.indicesNeverPassEachOther', ({ vifs }) => vifs.back.of(0)!.rx_rsp_prod.add(0, 1)],
    ['net.deviceHasOneRow', ({ vifs }) => vifs.front.of(1)!.state.become(1, 'connected')],
    [
      'net.deviceHasOneRow',
      ({ vifs }) => {
        vifs.back.of(0)!.state.become(1, 'connected');
        vifs.back.of(0)!.frontend.put(1, 1);
      },
    ],
    ['net.portIsOnOneBridge', ({ vifs }) => vifs.bridges.set(1, vifs.bridges.get(0)!)],
    ['net.portIsOnOneBridge', ({ vifs }) => vifs.bridges.set(1, { ...vifs.bridges.get(0)!, name: 'xenbr1' })],
    ['net.stationsAreOnPorts', ({ vifs }) => bridge(vifs.bridges, { ports: ['dom0'] })],
    ['net.stationsAreOnPorts', ({ vifs }) => bridge(vifs.bridges, { max_stations: 0 })],

    ['toolstack.jobsAreBelowTheNext', ({ toolstack }) => toolstack.jobs.set(7, { argv: [], rc: 0 })],
    ['toolstack.jobsAreBelowTheNext', ({ toolstack }) => toolstack.jobs.delete(1)],
    ['toolstack.exitCodesAreBytes', ({ toolstack }) => toolstack.jobs.set(1, { argv: [], rc: 256 })],
    ['toolstack.configsHaveDomainIds', ({ toolstack }) => toolstack.configs.set(0x7ff0, { json: '{}' })],
    ['toolstack.generatorHasItsState', ({ toolstack }) => change(toolstack.host, 0, { prng: [1, 2, 3] })],
    ['toolstack.generatorHasItsState', ({ toolstack }) => change(toolstack.host, 0, { prng: [1, 2, 3, 0.5] })],
  ];

  test.each(breakages.map(([name, damage], i) => [name, i, damage] as const))(
    '%s, broken (%i), is said to be',
    (name, _, damage) => {
      const { host } = busyHost();
      damage(host);
      expect([...hostInvariants[name]!(host)]).not.toEqual([]);
    },
  );

  test('every invariant is in one list, and can be broken', () => {
    const elsewhere = [...Object.keys(coreInvariants), ...Object.keys(storeInvariants)];
    expect(new Set([...elsewhere, ...breakages.map(([name]) => name)])).toEqual(new Set(Object.keys(hostInvariants)));
  });

  test('those of the core and of XenStore are asked as well', () => {
    const { host } = busyHost();
    host.xen.domain.of(0)!.tot_pages.add(1, 1);
    expect([...hostViolations(host)]).toEqual(['p2m.totPagesCountsThePages: d1 has 64 pages, counted 65']);
  });

  test('a plain host says so in the step that breaks one', () => {
    const plain = busyHost();
    plain.host.vbds.back.of(0)!.req_cons.add(0, 1);
    expect(() => plain.submit({ type: 'host.end' })).toThrow(/block\.indicesNeverPassEachOther: .*host\.end/);
  });
});

interface Kept<T> {
  get(key: number): T | undefined;
  set(key: number, value: T): void;
}
const change = <T extends object>(records: Kept<T>, key: number, to: Partial<T>): void =>
  records.set(key, { ...records.get(key)!, ...to });
/** The first of a list of domain 1's, so many times. */
const repeat = (records: Host['guests']['records'], list: 'works' | 'requests' | 'processes', times: number): void =>
  change(records, 1, { [list]: Array.from({ length: times }, () => records.get(1)![list][0]!) });
const bridge = (bridges: Host['vifs']['bridges'], to: Partial<Bridge>): void =>
  change(bridges, 0, { bridge: { ...bridges.get(0)!.bridge, ...to } });

test('a domain has its rows in every table from its creation to its end', () => {
  const { host, submit } = busyHost();
  const tables = [...host.guests.tables, ...host.vbds.tables, ...host.vifs.tables];
  expect(tables.map((table) => table.of(1) !== undefined)).toEqual(tables.map(() => true));
  while (host.xen.exists(1)) submit({ type: 'domctl.destroydomain', domid: 0, domain: 1 });
  expect(tables.map((table) => table.of(1) !== undefined)).toEqual(tables.map(() => false));
  expect([host.guests.records.get(1), host.toolstack.configs.get(1), host.vbds.disks.get(1)]).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
});

test('a snapshot restored into another host is the same state', () => {
  const { host } = busyHost();
  const other = new PlainHost().host;
  expect([...other.diff(host)]).not.toEqual([]);
  other.restore(host.snapshot());
  expect([...other.diff(host)]).toEqual([]);
  expect(other.digest()).toBe(host.digest());
});

test('one mark undoes what all subsystems did', () => {
  const plain = bootedPlainHost();
  const { host } = plain;
  const before = host.digest();
  const mark = host.journal.mark();
  plain.prepare({ type: 'xl.run', argv: [], files: [] }, { type: 'host.draw', count: 4 }, { type: 'host.end' });
  expect(host.digest()).not.toBe(before);
  host.journal.rollback(mark);
  expect(host.digest()).toBe(before);
});

test.each([
  ['evtchn', true],
  ['irq', true],
  ['console', true],
  ['vbd.front', true],
  ['vif.back', true],
  ['nothing', false],
])('the table %s is found by its name: %s', (name, found) => {
  const { host } = new PlainHost();
  expect(host.table(name)?.name === name).toBe(found);
  expect(host.tableNames.includes(name)).toBe(found);
});

test.each([
  ['vbd.note_served', 'vbd'],
  ['xc.dom_boot_image', 'xc'],
])('%s is of %s', (type, subsystem) => {
  expect(subsystemOf(type)).toBe(subsystem);
});
