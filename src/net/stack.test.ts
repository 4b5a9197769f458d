import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Ns, SECOND } from '../../events/units.ts';
import { BROADCAST_IP, BROADCAST_MAC, type Ip, type Mac } from './address.ts';
import { arpReplyFrame, arpRequestFrame, makeArp, parseArp } from './arp.ts';
import { type Dhcp, dhcpIn, dhcpPacket, emptyDhcp, INFINITE_LEASE } from './dhcp.ts';
import { ETHERTYPE_ARP, ETHERTYPE_IPV4, makeEthernet, parseEthernet } from './ethernet.ts';
import { type Icmp, makeIcmp, parseIcmp } from './icmp.ts';
import { type Ipv4, ipv4Defaults, makeIpv4, PROTOCOL_ICMP, parseIpv4 } from './ipv4.ts';
import {
  addressOf,
  announce,
  assign,
  configure,
  input,
  newStack,
  ping,
  release,
  type Stack,
  type StackTurn,
  tick,
} from './stack.ts';

const host = (n: number): Ip => 0x0a00_0000 + n;
const [ME, PEER] = [0x0016_3e00_000a, 0x0016_3e00_000b] as const;
const bare = newStack({ mac: ME, hostname: 'web' });
const up = assign(bare, { ip: host(2), netmask: 0xffff_ff00, router: host(1) }).state;
/** `up`, and knowing who host(3) and the router are. */
const known = [host(3), host(1)].reduce((state, ip) => input(state, arpFrom(PEER, ip), 0).state, up);

function arpFrom(mac: Mac, ip: Ip): Uint8Array {
  return arpRequestFrame({ sha: mac, spa: ip, tpa: host(2) });
}
const ipFrame = (packet: Uint8Array, dst: Mac = ME): Uint8Array =>
  makeEthernet({ src: PEER, dst, type: ETHERTYPE_IPV4, payload: packet });
const icmpFrame = (message: Icmp, fields: Partial<Ipv4> = {}): Uint8Array =>
  ipFrame(
    makeIpv4({ ...ipv4Defaults, src: host(3), dst: host(2), protocol: PROTOCOL_ICMP, payload: makeIcmp(message), ...fields }),
  );

/** A frame in short. */
function told(frame: Uint8Array) {
  const { dst, type, payload } = parseEthernet(frame)!;
  if (type === ETHERTYPE_ARP) {
    const arp = parseArp(payload)!;
    return { dst, arp: arp.op, spa: arp.spa, tpa: arp.tpa };
  }
  const packet = parseIpv4(payload)!;
  const dhcp = dhcpIn(packet);
  if (dhcp) return { dst, to: packet.dst, dhcp: dhcp.message_type, xid: dhcp.xid };
  const icmp = parseIcmp(packet.payload)!;
  return 'seq' in icmp ? { dst, to: packet.dst, icmp: icmp.type, seq: icmp.seq } : { dst, icmp: icmp.type };
}
const dhcpOf = (frame: Uint8Array | undefined): Dhcp | undefined => {
  const packet = frame && parseIpv4(parseEthernet(frame)!.payload);
  return packet && dhcpIn(packet);
};
/** Ticks at every `wakeAt` until `until`, and keeps what came out and when. */
function wait(from: StackTurn, until: Ns): { state: Stack; out: [Ns, ReturnType<typeof told>][]; events: [Ns, string][] } {
  let turn = from;
  const out: [Ns, ReturnType<typeof told>][] = [];
  const events: [Ns, string][] = [];
  while (turn.wakeAt !== undefined && turn.wakeAt <= until) {
    const now = turn.wakeAt;
    turn = tick(turn.state, now);
    out.push(...turn.out.map((frame) => [now / SECOND, told(frame)] as [Ns, ReturnType<typeof told>]));
    events.push(...turn.events.map(({ type }) => [now / SECOND, type] as [Ns, string]));
  }
  return { state: turn.state, out, events };
}

describe('ping', () => {
  const request = { dst: host(3), ident: 77, seq: 1 };

  test('asks for the address first, and sends when it is known', () => {
    const asked = ping(up, request, 0);
    expect(asked.out.map(told)).toEqual([{ dst: BROADCAST_MAC, arp: 'request', spa: host(2), tpa: host(3) }]);
    expect(asked.wakeAt).toBe(SECOND);
    const answered = input(asked.state, arpFrom(PEER, host(3)), 500);
    expect(answered.out.map(told)).toContainEqual({ dst: PEER, to: host(3), icmp: 'echo_request', seq: 1 });
  });

  test('the request has the payload of 56 bytes that ping sends', () => {
    const frame = ping(known, request, 0).out[0]!;
    const icmp = parseIcmp(parseIpv4(parseEthernet(frame)!.payload)!.payload);
    expect(icmp).toEqual({ type: 'echo_request', ident: 77, seq: 1, payload: Uint8Array.from({ length: 56 }, (_, i) => i) });
    expect(frame.length).toBe(14 + 20 + 8 + 56);
  });

  test('reports the reply, once', () => {
    const sent = ping(known, request, 1000).state;
    const reply = icmpFrame({ type: 'echo_reply', ident: 77, seq: 1, payload: new Uint8Array(56) }, { ttl: 63 });
    const heard = input(sent, reply, 251_000);
    expect(heard.events).toEqual([{ type: 'echo_reply', from: host(3), ident: 77, seq: 1, ttl: 63, rtt_ns: 250_000, bytes: 64 }]);
    expect(heard.wakeAt).toBeUndefined();
    expect(input(heard.state, reply, 252_000).events).toEqual([]);
  });

  test.each<[string, Partial<{ ident: number; seq: number }>, Partial<Ipv4>]>([
    ['another ident', { ident: 78 }, {}],
    ['another seq', { seq: 2 }, {}],
    ['from another', {}, { src: host(4) }],
    ['to another', {}, { dst: host(4) }],
    ['a fragment', {}, { more_fragments: true }],
  ])('no reply: %s', (_, echo, fields) => {
    const sent = ping(known, request, 0).state;
    const frame = icmpFrame({ type: 'echo_reply', ident: 77, seq: 1, payload: new Uint8Array(56), ...echo }, fields);
    expect(input(sent, frame, 1).events).toEqual([]);
    expect(input(sent, frame, 1).state).toEqual(sent);
  });

  test('times out after 10 s', () => {
    const sent = ping(known, request, 5 * SECOND);
    expect(sent.wakeAt).toBe(15 * SECOND);
    expect(tick(sent.state, 15 * SECOND - 1).events).toEqual([]);
    const over = tick(sent.state, 15 * SECOND);
    expect(over.events).toEqual([{ type: 'timeout', of: 'echo', ...request }]);
    expect(over.state.pings).toEqual([]);
  });

  test('nobody answers ARP: asked three times, a second apart, then unreachable', () => {
    const { out, events, state } = wait(ping(up, request, 0), 60 * SECOND);
    expect(out.map(([at]) => at)).toEqual([1, 2]);
    expect(events).toEqual([[3, 'unreachable']]);
    expect(state.neighbours).toEqual([]);
  });

  test('outside the subnet it goes to the router', () => {
    const far = ping(known, { ...request, dst: 0x0808_0808 }, 0);
    expect(far.out.map(told)).toEqual([{ dst: PEER, to: 0x0808_0808, icmp: 'echo_request', seq: 1 }]);
    const lost = wait(ping(up, { ...request, dst: 0x0808_0808 }, 0), 5 * SECOND);
    expect(lost.out[0]![1]).toMatchObject({ arp: 'request', tpa: host(1) });
    expect(lost.events).toEqual([[3, 'unreachable']]);
  });

  test.each<[string, Stack, Ip, string]>([
    ['without an address', bare, host(3), 'ENETUNREACH'],
    ['without a router', assign(bare, { ip: host(2), netmask: 0xffff_ff00, router: 0 }).state, 0x0808_0808, 'ENETUNREACH'],
    ['the broadcast address', up, BROADCAST_IP, 'EACCES'],
    ['the broadcast address of the subnet', up, host(255), 'EACCES'],
    ['a group', up, 0xe000_0001, 'EACCES'],
    ['nobody', up, 0, 'EACCES'],
  ])('refused at once: %s', (_, state, dst, why) => {
    const turn = ping(state, { ...request, dst }, 0);
    expect(turn.events).toMatchObject([{ type: 'unreachable', dst, ident: 77, seq: 1, why }]);
    expect(turn).toMatchObject({ state, out: [], wakeAt: undefined });
  });

  test.each([host(2), 0x7f00_0001])('oneself (%i) answers at once', (dst) => {
    const turn = ping(up, { ...request, dst }, 0);
    expect(turn.events).toMatchObject([{ type: 'echo_reply', from: dst, rtt_ns: 0, bytes: 64 }]);
    expect(turn.out).toEqual([]);
  });

  test('64 may be under way', () => {
    let state = known;
    for (let seq = 0; seq < 64; seq++) ({ state } = ping(state, { ...request, seq }, 0));
    expect(state.pings).toHaveLength(64);
    expect(ping(state, { ...request, seq: 64 }, 0).events).toMatchObject([{ why: 'ENOBUFS' }]);
  });

  test.each<[string, 'destination_unreachable' | 'time_exceeded', number, string]>([
    ['host', 'destination_unreachable', 1, 'EHOSTUNREACH'],
    ['network', 'destination_unreachable', 0, 'ENETUNREACH'],
    ['hops', 'time_exceeded', 0, 'EHOSTUNREACH'],
  ])('a router says that it is unreachable: %s', (_, type, code, why) => {
    const dst = 0x0808_0808;
    const sent = ping(known, { ...request, dst }, 0);
    const original = parseEthernet(sent.out[0]!)!.payload.subarray(0, 28);
    const heard = input(sent.state, icmpFrame({ type, code, original }, { src: host(1) }), 1);
    expect(heard.events).toEqual([{ type: 'unreachable', from: host(1), why, dst, ident: 77, seq: 1 }]);
    expect(heard.state.pings).toEqual([]);
  });
});

describe('arp', () => {
  test('answers, and knows who asked', () => {
    const { out, state } = input(up, arpFrom(PEER, host(3)), 0);
    expect(out.map(told)).toEqual([{ dst: PEER, arp: 'reply', spa: host(2), tpa: host(3) }]);
    expect(ping(state, { dst: host(3), ident: 1, seq: 1 }, 1).out.map(told)).toMatchObject([{ dst: PEER, icmp: 'echo_request' }]);
  });

  test('a probe is answered, but names no neighbour (RFC 5227)', () => {
    const { out, state } = input(up, arpFrom(PEER, 0), 0);
    expect(out).toHaveLength(1);
    expect(state.neighbours).toEqual([]);
  });

  test('what others tell others is not learned, but corrects what is known', () => {
    const gossip = arpRequestFrame({ sha: 0x99, spa: host(3), tpa: host(4) });
    expect(input(up, gossip, 0).state).toEqual(up);
    expect(input(known, gossip, 0).state.neighbours.find(({ ip }) => ip === host(3))?.mac).toBe(0x99);
  });

  test('a minute later it asks again', () => {
    const request = { dst: host(3), ident: 1, seq: 1 };
    expect(ping(known, request, 60 * SECOND - 1).out.map(told)).toMatchObject([{ icmp: 'echo_request' }]);
    expect(ping(known, request, 60 * SECOND).out.map(told)).toMatchObject([{ arp: 'request', tpa: host(3) }]);
  });

  test('the last three packets wait', () => {
    let state = up;
    for (let seq = 1; seq <= 5; seq++) ({ state } = ping(state, { dst: host(3), ident: 1, seq }, 0));
    const reply = arpReplyFrame({ op: 'request', sha: ME, spa: host(2), tha: 0, tpa: host(3) }, PEER);
    expect(
      input(state, reply, 1)
        .out.map(told)
        .map((frame) => 'seq' in frame && frame.seq),
    ).toEqual([3, 4, 5]);
  });

  test('128 neighbours are remembered, the newest', () => {
    let state = assign(bare, { ip: host(2), netmask: 0xffff_0000, router: 0 }).state;
    for (let n = 0; n < 200; n++) ({ state } = input(state, arpFrom(PEER, host(1000 + n)), n));
    expect(state.neighbours).toHaveLength(128);
    expect(state.neighbours[0]?.ip).toBe(host(1072));
  });

  test('announces itself', () => {
    const announcement = { dst: BROADCAST_MAC, arp: 'request', spa: host(2), tpa: host(2) };
    expect(announce(up).out.map(told)).toEqual([announcement]);
    expect(assign(bare, addressOf(up)!).out.map(told)).toEqual([announcement]);
    expect(announce(bare).out).toEqual([]);
  });
});

test.each<[string, Partial<Ipv4>, number]>([
  ['is answered', {}, 1],
  ['to another is not', { dst: host(4) }, 0],
  ['from everybody is not', { src: BROADCAST_IP }, 0],
  ['from ourselves is not', { src: host(2) }, 0],
])('a ping %s', (_, fields, count) => {
  const { out } = input(known, icmpFrame({ type: 'echo_request', ident: 3, seq: 4, payload: Uint8Array.of(1) }, fields), 0);
  expect(out.map(told)).toEqual(Array(count).fill({ dst: PEER, to: host(3), icmp: 'echo_reply', seq: 4 }));
});

describe('dhcp', () => {
  const answer = (message_type: Dhcp['message_type'], xid: number, fields: Partial<Dhcp> = {}): Uint8Array => {
    const offered = {
      yiaddr: host(9),
      server_id: host(1),
      subnet_mask: 0xffff_ff00,
      routers: [host(1)],
      dns: [host(1)],
      lease_s: 3600,
    };
    const message: Dhcp = { ...emptyDhcp, op: 'reply', xid, chaddr: ME, ...offered, message_type, ...fields };
    return ipFrame(dhcpPacket(message, { src: host(1), dst: host(9) }));
  };
  const begun = configure(bare, 100, 0);
  const requesting = input(begun.state, answer('offer', 100), 0);
  const bound = input(requesting.state, answer('ack', 100), 0);

  test('discover, request, bound', () => {
    expect(begun.out.map(told)).toEqual([{ dst: BROADCAST_MAC, to: BROADCAST_IP, dhcp: 'discover', xid: 100 }]);
    expect(dhcpOf(begun.out[0])).toMatchObject({ hostname: 'web', chaddr: ME, ciaddr: 0, parameters: '\x01\x03\x06\x33' });
    expect(dhcpOf(requesting.out[0])).toMatchObject({
      message_type: 'request',
      xid: 100,
      requested_ip: host(9),
      server_id: host(1),
    });
    expect(bound.events).toEqual([
      { type: 'bound', ip: host(9), netmask: 0xffff_ff00, router: host(1), dns: [host(1)], lease: 3600 },
    ]);
    expect(bound.out.map(told)).toEqual([{ dst: BROADCAST_MAC, arp: 'request', spa: host(9), tpa: host(9) }]);
    expect(addressOf(bound.state)).toMatchObject({ ip: host(9), netmask: 0xffff_ff00, router: host(1) });
    expect(bound.wakeAt).toBe(1800 * SECOND);
  });

  test('a silent network: five times, further and further apart, then no more', () => {
    const { out, events, state } = wait(begun, 1000 * SECOND);
    expect(out.map(([at]) => at)).toEqual([4, 12, 28, 60]);
    expect(events).toEqual([[124, 'timeout']]);
    expect(tick(state, 9999 * SECOND)).toMatchObject({ out: [], wakeAt: undefined });
    expect(configure(state, 200, 9999 * SECOND).out).toHaveLength(1);
  });

  test('a server that offers and is gone: four requests, then from the start', () => {
    const { out } = wait(requesting, 70 * SECOND);
    expect(out.map(([at, frame]) => [at, 'dhcp' in frame && frame.dhcp, 'xid' in frame && frame.xid])).toEqual([
      [4, 'request', 100],
      [12, 'request', 100],
      [28, 'request', 100],
      [60, 'discover', 101],
      [64, 'discover', 101],
    ]);
  });

  test.each<[string, Uint8Array]>([
    ['another transaction', answer('offer', 101)],
    ['another client', answer('offer', 100, { chaddr: PEER })],
    ['no server', answer('offer', 100, { server_id: 0 })],
    ['no address', answer('offer', 100, { yiaddr: 0 })],
    ['an ack before the request', answer('ack', 100)],
  ])('no offer: %s', (_, frame) => {
    expect(input(begun.state, frame, 1)).toMatchObject({ state: begun.state, out: [], events: [] });
  });

  test.each<[string, Uint8Array]>([
    ['a second offer', answer('offer', 100)],
    ['no lease time', answer('ack', 100, { lease_s: 0 })],
    ['no address', answer('ack', 100, { yiaddr: 0 })],
  ])('no ack: %s', (_, frame) => {
    expect(input(requesting.state, frame, 1)).toMatchObject({ state: requesting.state, out: [], events: [] });
  });

  test('refused: begins again after a pause', () => {
    const refused = input(requesting.state, answer('nak', 100), 0);
    expect(refused).toMatchObject({ out: [], events: [], wakeAt: 3 * SECOND });
    expect(wait(refused, 3 * SECOND).out).toMatchObject([[3, { dhcp: 'discover', xid: 101 }]]);
  });

  test('a lease is prolonged at half of its time', () => {
    const withRouter = input(
      bound.state,
      arpReplyFrame({ op: 'request', sha: ME, spa: host(9), tha: 0, tpa: host(1) }, PEER),
      1799 * SECOND,
    ).state;
    const asked = tick(
      input(withRouter, arpRequestFrame({ sha: PEER, spa: host(1), tpa: host(9) }), 1799 * SECOND).state,
      1800 * SECOND,
    );
    expect(asked.out.map(told)).toEqual([{ dst: PEER, to: host(1), dhcp: 'request', xid: 101 }]);
    expect(dhcpOf(asked.out[0])).toMatchObject({ ciaddr: host(9), requested_ip: 0, server_id: 0 });
    const renewed = input(asked.state, answer('ack', 101, { ciaddr: host(9) }), 1801 * SECOND);
    expect(renewed.events).toMatchObject([{ type: 'renewed', ip: host(9), lease: 3600 }]);
    // Half an hour from the request, not from the answer.
    expect(renewed.wakeAt).toBe(3600 * SECOND);
  });

  test('nobody prolongs it: its server, then everybody, then it is lost and the search begins', () => {
    const { out, events } = wait(bound, 3601 * SECOND);
    // T2 at 3150 s: half of what is left each time, and not less than a minute.
    const asked = out
      .filter(([, frame]) => 'dhcp' in frame)
      .map(([at, frame]) => [at, 'to' in frame && frame.to === BROADCAST_IP]);
    expect(asked).toEqual([
      [3150, true],
      [3375, true],
      [3487.5, true],
      [3547.5, true],
      [3600, true],
    ]);
    // Until T2 the server is asked for by ARP, three times for each attempt.
    const arps = out.filter(([, frame]) => 'arp' in frame).map(([at]) => at);
    expect(arps.slice(0, 6)).toEqual([1800, 1801, 1802, 2475, 2476, 2477]);
    expect(events).toEqual([[3600, 'lease_lost']]);
  });

  test('refused while renewing: the address is lost at once', () => {
    const renewing = tick(bound.state, 3150 * SECOND);
    const refused = input(renewing.state, answer('nak', 101), 3151 * SECOND);
    expect(refused.events).toEqual([{ type: 'lease_lost', ip: host(9), why: 'nak' }]);
    expect(addressOf(refused.state)).toBeUndefined();
  });

  test('a tick that comes too late skips what is past', () => {
    expect(tick(bound.state, 4000 * SECOND).events).toMatchObject([{ type: 'lease_lost', why: 'expired' }]);
  });

  test.each([
    ['shorter than a minute', 1, 30 * SECOND],
    ['without end', INFINITE_LEASE, undefined],
  ])('a lease %s', (_, lease_s, wakeAt) => {
    expect(input(requesting.state, answer('ack', 100, { lease_s }), 0).wakeAt).toBe(wakeAt);
  });

  test('what a server leaves out', () => {
    const { events } = input(requesting.state, answer('ack', 100, { subnet_mask: 0, routers: [], dns: [] }), 0);
    expect(events).toMatchObject([{ netmask: 0xffff_ff00, router: 0, dns: [] }]);
  });

  test('release: sent from the address that it gives up, even when the server must be found first', () => {
    const leaving = release(bound.state, 1);
    expect(leaving.out.map(told)).toEqual([{ dst: BROADCAST_MAC, arp: 'request', spa: host(9), tpa: host(1) }]);
    expect(addressOf(leaving.state)).toBeUndefined();
    const arp = makeArp({ op: 'reply', sha: PEER, spa: host(1), tha: ME, tpa: host(9) });
    const found = input(leaving.state, makeEthernet({ src: PEER, dst: ME, type: ETHERTYPE_ARP, payload: arp }), 2);
    expect(dhcpOf(found.out[0])).toMatchObject({ message_type: 'release', ciaddr: host(9), server_id: host(1) });
    expect(release(begun.state, 1)).toMatchObject({ out: [], wakeAt: undefined });
  });
});

test('any frames at any time: nothing throws, the state is bounded JSON', () => {
  const good = [arpFrom(PEER, host(3)), icmpFrame({ type: 'echo_request', ident: 1, seq: 1, payload: new Uint8Array(8) })];
  const bytes = fc.uint8Array({ maxLength: 320 });
  const frames = fc.oneof(
    bytes,
    bytes.map((payload) => makeEthernet({ dst: ME, src: PEER, type: ETHERTYPE_IPV4, payload })),
    bytes.map((payload) => ipFrame(makeIpv4({ ...ipv4Defaults, src: host(3), dst: host(2), protocol: PROTOCOL_ICMP, payload }))),
    fc.tuple(fc.constantFrom(...good), fc.nat(41), fc.nat(255)).map(([frame, at, value]) => frame.with(at, value)),
    fc.nat(0xffff).map((n) => arpFrom(PEER, host(n))),
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(frames, fc.nat(3 * SECOND), fc.nat(0xffff_ffff))), (script) => {
      let state = configure(up, 1, 0).state;
      let now = 0;
      for (const [frame, later, dst] of script) {
        now += later;
        for (const step of [
          tick,
          (s: Stack, t: Ns) => input(s, frame, t),
          (s: Stack, t: Ns) => ping(s, { dst, ident: 1, seq: later }, t),
        ])
          ({ state } = step(state, now));
        expect(state.pings.length).toBeLessThanOrEqual(64);
        expect(state.neighbours.length).toBeLessThanOrEqual(128);
        expect(JSON.parse(JSON.stringify(state))).toEqual(state);
      }
    }),
  );
});
