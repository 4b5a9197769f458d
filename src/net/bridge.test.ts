import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SECOND } from '../../events/units.ts';
import { BROADCAST_MAC, type Mac } from './address.ts';
import { addPort, type Bridge, forward, newBridge, removePort, stationOf } from './bridge.ts';
import { makeEthernet } from './ethernet.ts';

const [A, B, C] = [0x0016_3e00_000a, 0x0016_3e00_000b, 0x0016_3e00_000c] as const;
const frame = (src: Mac, dst: Mac): Uint8Array => makeEthernet({ src, dst, type: 0x88b5, payload: new Uint8Array(4) });
/** Ports added out of order on purpose. */
const bridge = ['vif2.0', 'dom0', 'vif10.0', 'vif1.0'].reduce(addPort, newBridge());
/** The bridge after frames have passed, each at its time. */
const passed = (start: Bridge, ...frames: readonly [port: string, src: Mac, dst: Mac, at: number][]): Bridge =>
  frames.reduce((state, [port, src, dst, at]) => forward(state, port, frame(src, dst), at).bridge, start);

test('ports are ordered by code units', () => {
  expect(bridge.ports).toEqual(['dom0', 'vif1.0', 'vif10.0', 'vif2.0']);
  expect(addPort(bridge, 'dom0')).toBe(bridge);
  expect(removePort(bridge, 'eth0')).toBe(bridge);
});

describe('where a frame goes', () => {
  const learned = passed(bridge, ['vif1.0', A, BROADCAST_MAC, 0], ['vif2.0', B, BROADCAST_MAC, 0]);
  const others = ['dom0', 'vif10.0', 'vif2.0'];
  test.each<[string, string, Mac, Mac, readonly string[]]>([
    ['broadcast', 'vif1.0', A, BROADCAST_MAC, others],
    ['multicast', 'vif1.0', A, 0x0100_5e00_00fb, others],
    ['unknown', 'vif1.0', A, C, others],
    ['known', 'vif1.0', A, B, ['vif2.0']],
    ['known on the same port', 'vif1.0', C, A, []],
    ['from a port that is none', 'eth0', A, B, []],
    ['from a group', 'vif1.0', BROADCAST_MAC, B, []],
    ['from nobody', 'vif1.0', 0, B, []],
    ['to the spanning tree group, without STP', 'vif1.0', A, 0x0180_c200_0000, others],
    ['to a link-local group', 'vif1.0', A, 0x0180_c200_000e, []],
    ['to the group after those', 'vif1.0', A, 0x0180_c200_0010, others],
  ])('%s', (_, port, src, dst, to) => {
    expect(forward(learned, port, frame(src, dst), 1).to).toEqual(to);
  });

  test('no whole header: nowhere', () => {
    expect(forward(learned, 'vif1.0', frame(C, B).subarray(0, 13), 1)).toEqual({ bridge: learned, to: [] });
  });
});

describe('learning', () => {
  test('a station that moves is followed at once', () => {
    const moved = passed(bridge, ['vif1.0', A, B, 0], ['vif2.0', A, B, 1]);
    expect(stationOf(moved, A, 1)).toEqual({ mac: A, port: 'vif2.0', seen_ns: 1 });
    expect(moved.stations).toHaveLength(1);
  });

  test('a frame that teaches nothing leaves the state as it is', () => {
    const learned = passed(bridge, ['vif1.0', A, B, 0]);
    expect(passed(learned, ['vif1.0', A, B, SECOND])).toBe(learned);
    expect(stationOf(passed(learned, ['vif1.0', A, B, 2 * SECOND]), A, 0)?.seen_ns).toBe(2 * SECOND);
  });

  test('a station is forgotten after ageing_ns', () => {
    const learned = passed(bridge, ['vif1.0', A, B, 0]);
    expect(forward(learned, 'vif2.0', frame(B, A), 300 * SECOND - 1).to).toEqual(['vif1.0']);
    expect(forward(learned, 'vif2.0', frame(B, A), 300 * SECOND).to).toEqual(['dom0', 'vif1.0', 'vif10.0']);
  });

  test('a port that goes takes its stations along', () => {
    const gone = removePort(passed(bridge, ['vif1.0', A, B, 0], ['vif2.0', B, A, 0]), 'vif1.0');
    expect(gone.ports).toEqual(['dom0', 'vif10.0', 'vif2.0']);
    expect(gone.stations.map(({ mac }) => mac)).toEqual([B]);
    expect(forward(gone, 'vif2.0', frame(B, A), 1).to).toEqual(['dom0', 'vif10.0']);
  });

  test('a full table learns nobody until somebody is old', () => {
    const small = ['p1', 'p2'].reduce(addPort, newBridge({ max_stations: 2, ageing_ns: 100 }));
    const full = passed(small, ['p1', A, BROADCAST_MAC, 0], ['p1', B, BROADCAST_MAC, 50]);
    expect(passed(full, ['p2', C, A, 99])).toBe(full);
    expect(passed(full, ['p2', C, A, 100]).stations.map(({ mac }) => mac)).toEqual([B, C]);
  });
});

test('any frames: never back, only to ports, the table sorted and bounded, JSON all through', () => {
  const macs = fc.constantFrom(A, B, C, 0x0016_3e00_000d, BROADCAST_MAC, 0);
  const ports = fc.constantFrom('dom0', 'vif1.0', 'vif2.0', 'gone');
  const passes = fc.array(
    fc.tuple(
      ports,
      fc.oneof(
        fc.tuple(macs, macs).map(([s, d]) => frame(s, d)),
        fc.uint8Array(),
      ),
      fc.nat(200),
    ),
  );
  fc.assert(
    fc.property(passes, (frames) => {
      let state = ['vif1.0', 'vif2.0', 'dom0'].reduce(addPort, newBridge({ max_stations: 3, ageing_ns: 500 }));
      let now = 0;
      for (const [port, bytes, later] of frames) {
        now += later;
        const { bridge: next, to } = forward(state, port, bytes, now);
        expect(to).not.toContain(port);
        for (const out of to) expect(next.ports).toContain(out);
        expect(next.stations.length).toBeLessThanOrEqual(3);
        expect(next.stations.map(({ mac }) => mac)).toEqual(
          [...new Set(next.stations.map(({ mac }) => mac))].sort((a, b) => a - b),
        );
        expect(JSON.parse(JSON.stringify(next))).toEqual(next);
        state = next;
      }
    }),
  );
});
