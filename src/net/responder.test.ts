import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { END_OF_TIME, SECOND } from '../../events/units.ts';
import { BROADCAST_IP, BROADCAST_MAC, type Ip, ipToText, type Mac } from './address.ts';
import { arpRequestFrame, makeArp, parseArp } from './arp.ts';
import { type Dhcp, dhcpIn, dhcpPacket, emptyDhcp, INFINITE_LEASE } from './dhcp.ts';
import { activeLeases } from './dhcp-server.ts';
import { ETHERTYPE_ARP, ETHERTYPE_IPV4, makeEthernet, parseEthernet } from './ethernet.ts';
import { makeIcmp, parseIcmp } from './icmp.ts';
import { type Ipv4, ipv4Defaults, makeIpv4, PROTOCOL_ICMP, parseIpv4 } from './ipv4.ts';
import { newResponder, type Responder, type ResponderConfig, respond } from './responder.ts';

const host = (n: number): Ip => 0x0a00_0000 + n;
const [A, B, C, FIXED] = [0x0016_3e00_000a, 0x0016_3e00_000b, 0x0016_3e00_000c, 0x0016_3e00_00f0] as const;
/** Of five addresses .1 is our own and .5 the router: .2 and .4 are for anybody, .3 for one. */
const config: ResponderConfig = {
  mac: 0xfeff_ffff_ffff,
  ip: host(1),
  dhcp: {
    netmask: 0xffff_ff00,
    router: host(5),
    dns: [host(1)],
    pool: { first: host(1), last: host(5) },
    lease_s: 3600,
    statics: [{ mac: FIXED, ip: host(3) }],
  },
};

const ipFrame = (src: Mac, dst: Mac, packet: Uint8Array): Uint8Array =>
  makeEthernet({ src, dst, type: ETHERTYPE_IPV4, payload: packet });
const dhcpFrame = (message: Dhcp): Uint8Array =>
  ipFrame(message.chaddr, BROADCAST_MAC, dhcpPacket(message, { src: message.ciaddr, dst: BROADCAST_IP }));
const asking = (message_type: Dhcp['message_type'], chaddr: Mac, fields: Partial<Dhcp> = {}): Dhcp => ({
  ...emptyDhcp,
  op: 'request',
  xid: 7,
  message_type,
  chaddr,
  ...fields,
});
/** A reply taken apart. */
const opened = (frame: Uint8Array | undefined) => {
  const ethernet = frame && parseEthernet(frame);
  const packet = ethernet && parseIpv4(ethernet.payload);
  const dhcp = packet && dhcpIn(packet);
  return ethernet && packet && dhcp && { mac: ethernet.dst, ip: packet.dst, dhcp };
};

/** Plays messages to a responder, each at its time in seconds, and tells each answer in short: `offer 10.0.0.2`, `nak`, `-`. */
function play(...script: readonly [at: number, message: Dhcp][]): { said: string[]; state: Responder; notes: string[] } {
  let state = newResponder;
  const said: string[] = [];
  const notes: string[] = [];
  for (const [at, message] of script) {
    const response = respond(state, config, dhcpFrame(message), at * SECOND);
    state = response.state;
    notes.push(...response.notes.map(({ type }) => type));
    const reply = opened(response.replies[0])?.dhcp;
    said.push(reply ? (reply.yiaddr ? `${reply.message_type} ${ipToText(reply.yiaddr)}` : reply.message_type) : '-');
  }
  return { said, state, notes };
}
const selecting = (ip: Ip): Partial<Dhcp> => ({ requested_ip: ip, server_id: host(1) });

describe('arp', () => {
  test('answers for its own address', () => {
    const { replies, notes } = respond(newResponder, config, arpRequestFrame({ sha: A, spa: host(9), tpa: host(1) }), 0);
    const reply = parseEthernet(replies[0]!)!;
    expect(reply).toMatchObject({ dst: A, src: config.mac, type: ETHERTYPE_ARP });
    expect(parseArp(reply.payload)).toEqual({ op: 'reply', sha: config.mac, spa: host(1), tha: A, tpa: host(9) });
    expect(notes).toEqual([{ type: 'arp_answered', mac: A, ip: host(9) }]);
  });

  test.each([
    ['another address', arpRequestFrame({ sha: A, spa: host(9), tpa: host(2) })],
    [
      'a reply',
      makeEthernet({
        dst: BROADCAST_MAC,
        src: A,
        type: ETHERTYPE_ARP,
        payload: makeArp({ op: 'reply', sha: A, spa: host(9), tha: A, tpa: host(1) }),
      }),
    ],
    ['a frame to another station', arpRequestFrame({ sha: A, spa: host(9), tpa: host(1) }).with(0, 0x02)],
  ])('silent: %s', (_, frame) => {
    expect(respond(newResponder, config, frame, 0)).toEqual({ state: newResponder, replies: [], notes: [] });
  });
});

describe('ping', () => {
  const payload = Uint8Array.of(1, 2, 3);
  const request = makeIcmp({ type: 'echo_request', ident: 5, seq: 6, payload });
  const packet: Ipv4 = { ...ipv4Defaults, src: host(9), dst: host(1), protocol: PROTOCOL_ICMP, payload: request };

  test('is answered to where it came from', () => {
    const { replies, notes } = respond(newResponder, config, ipFrame(A, config.mac, makeIpv4(packet)), 0);
    const reply = parseEthernet(replies[0]!)!;
    expect(reply).toMatchObject({ dst: A, src: config.mac });
    const answer = parseIpv4(reply.payload)!;
    expect(answer).toMatchObject({ src: host(1), dst: host(9), ttl: 64 });
    expect(parseIcmp(answer.payload)).toEqual({ type: 'echo_reply', ident: 5, seq: 6, payload });
    expect(notes).toEqual([{ type: 'echo_answered', mac: A, ip: host(9), ident: 5, seq: 6 }]);
  });

  test.each<[string, Partial<Ipv4>, string[]]>([
    ['a fragment', { more_fragments: true }, ['fragment_ignored']],
    ['to everybody', { dst: BROADCAST_IP }, []],
    ['to another', { dst: host(2) }, []],
    ['from everybody', { src: BROADCAST_IP }, []],
    ['from ourselves', { src: host(1) }, []],
    ['from nobody', { src: 0 }, []],
    ['that is a reply', { payload: makeIcmp({ type: 'echo_reply', ident: 5, seq: 6, payload }) }, []],
    ['with a wrong checksum', { payload: request.with(8, 9) }, []],
    ['another protocol', { protocol: 6 }, []],
  ])('no answer: %s', (_, fields, notes) => {
    const response = respond(newResponder, config, ipFrame(A, config.mac, makeIpv4({ ...packet, ...fields })), 0);
    expect(response.replies).toEqual([]);
    expect(response.notes.map(({ type }) => type)).toEqual(notes);
  });
});

describe('dhcp', () => {
  test.each<[string, [number, Dhcp][], string[]]>([
    [
      'a client gets the first address that is free',
      [
        [0, asking('discover', A)],
        [0, asking('request', A, selecting(host(2)))],
      ],
      ['offer 10.0.0.2', 'ack 10.0.0.2'],
    ],
    [
      'the next one gets the next, past the static one',
      [
        [0, asking('discover', A)],
        [0, asking('discover', B)],
      ],
      ['offer 10.0.0.2', 'offer 10.0.0.4'],
    ],
    [
      'a static client gets its own',
      [
        [0, asking('discover', FIXED, { requested_ip: host(2) })],
        [0, asking('request', FIXED, selecting(host(3)))],
      ],
      ['offer 10.0.0.3', 'ack 10.0.0.3'],
    ],
    ['nobody else gets a static address', [[0, asking('request', A, selecting(host(3)))]], ['nak']],
    [
      'a wish is granted where it can be',
      [
        [0, asking('discover', A, { requested_ip: host(4) })],
        [0, asking('discover', B, { requested_ip: host(4) })],
      ],
      ['offer 10.0.0.4', 'offer 10.0.0.2'],
    ],
    [
      'who asks again gets the same',
      [
        [0, asking('discover', A)],
        [0, asking('discover', B)],
        [1, asking('discover', A)],
      ],
      ['offer 10.0.0.2', 'offer 10.0.0.4', 'offer 10.0.0.2'],
    ],
    [
      'even when the lease is over',
      [
        [0, asking('discover', B)],
        [0, asking('discover', A)],
        [0, asking('request', A, selecting(host(4)))],
        [4000, asking('discover', A)],
      ],
      ['offer 10.0.0.2', 'offer 10.0.0.4', 'ack 10.0.0.4', 'offer 10.0.0.4'],
    ],
    [
      'an exhausted pool is silent',
      [
        [0, asking('discover', A)],
        [0, asking('discover', B)],
        [0, asking('discover', C)],
      ],
      ['offer 10.0.0.2', 'offer 10.0.0.4', '-'],
    ],
    [
      'an offer is kept for a minute',
      [
        [0, asking('discover', A)],
        [30, asking('discover', B)],
        [59, asking('discover', C)],
        [60, asking('discover', C)],
      ],
      ['offer 10.0.0.2', 'offer 10.0.0.4', '-', 'offer 10.0.0.2'],
    ],
    [
      'a lease is kept for its time',
      [
        [0, asking('discover', A)],
        [0, asking('request', A, selecting(host(2)))],
        [0, asking('request', B, { requested_ip: host(4) })],
        [3599, asking('discover', C)],
        [3600, asking('discover', C)],
      ],
      ['offer 10.0.0.2', 'ack 10.0.0.2', 'ack 10.0.0.4', '-', 'offer 10.0.0.2'],
    ],
    [
      'the address unused for longest goes first',
      [
        [0, asking('request', A, { requested_ip: host(2) })],
        [0, asking('request', B, { requested_ip: host(4) })],
        [9, asking('release', A, { ciaddr: host(2) })],
        [8, asking('release', B, { ciaddr: host(4) })],
        [10, asking('discover', C)],
      ],
      ['ack 10.0.0.2', 'ack 10.0.0.4', '-', '-', 'offer 10.0.0.4'],
    ],
    [
      'a renewal goes on from now',
      [
        [0, asking('request', A, { requested_ip: host(2) })],
        [1800, asking('request', A, { ciaddr: host(2) })],
        [5399, asking('request', B, { requested_ip: host(2) })],
        [5400, asking('request', B, { requested_ip: host(2) })],
      ],
      ['ack 10.0.0.2', 'ack 10.0.0.2', 'nak', 'ack 10.0.0.2'],
    ],
    [
      'what another has is refused',
      [
        [0, asking('request', A, { requested_ip: host(2) })],
        [0, asking('request', B, { requested_ip: host(2) })],
        [0, asking('request', B, { ciaddr: host(2) })],
      ],
      ['ack 10.0.0.2', 'nak', 'nak'],
    ],
    [
      "so is what is nobody's to give",
      [
        [0, asking('request', A, { requested_ip: host(5) })],
        [0, asking('request', A, { requested_ip: host(1) })],
        [0, asking('request', A)],
      ],
      ['nak', 'nak', 'nak'],
    ],
    [
      "taking another server's offer frees ours",
      [
        [0, asking('discover', A)],
        [0, asking('request', A, { requested_ip: 9, server_id: 8 })],
        [0, asking('discover', B, { requested_ip: host(2) })],
      ],
      ['offer 10.0.0.2', '-', 'offer 10.0.0.2'],
    ],
    [
      'but not a lease',
      [
        [0, asking('request', A, { requested_ip: host(2) })],
        [0, asking('request', A, { requested_ip: 9, server_id: 8 })],
        [0, asking('discover', B, { requested_ip: host(2) })],
      ],
      ['ack 10.0.0.2', '-', 'offer 10.0.0.4'],
    ],
    [
      'a declined address rests',
      [
        [0, asking('discover', A)],
        [0, asking('decline', A, selecting(host(2)))],
        [1, asking('discover', A)],
        [1, asking('request', B, { requested_ip: host(2) })],
      ],
      ['offer 10.0.0.2', '-', 'offer 10.0.0.4', 'nak'],
    ],
    [
      "one that is not one's own is not declined",
      [
        [0, asking('discover', A)],
        [0, asking('decline', B, selecting(host(2)))],
        [1, asking('discover', A)],
      ],
      ['offer 10.0.0.2', '-', 'offer 10.0.0.2'],
    ],
    [
      'a released address is free',
      [
        [0, asking('request', A, { requested_ip: host(2) })],
        [1, asking('release', A, { ciaddr: host(2) })],
        [1, asking('request', B, { requested_ip: host(2) })],
      ],
      ['ack 10.0.0.2', '-', 'ack 10.0.0.2'],
    ],
    [
      'one can not release what one has not',
      [
        [0, asking('request', A, { requested_ip: host(2) })],
        [1, asking('release', A, { ciaddr: host(4) })],
        [1, asking('release', B, { ciaddr: host(2) })],
        [1, asking('request', B, { requested_ip: host(2) })],
      ],
      ['ack 10.0.0.2', '-', '-', 'nak'],
    ],
    ['inform gets no address', [[0, asking('inform', A, { ciaddr: host(77) })]], ['ack']],
    [
      'a relay, a server, a group and nobody are not answered',
      [
        [0, asking('discover', A, { giaddr: host(9) })],
        [0, asking('offer', A)],
        [0, asking('discover', BROADCAST_MAC)],
        [0, asking('discover', 0)],
      ],
      ['-', '-', '-', '-'],
    ],
  ])('%s', (_, script, said) => {
    expect(play(...script).said).toEqual(said);
  });

  test('what an offer and an ack say', () => {
    const { replies } = respond(
      newResponder,
      config,
      dhcpFrame(asking('discover', A, { client_id: '\x01id', hostname: 'web' })),
      0,
    );
    expect(opened(replies[0])).toEqual({
      mac: A,
      ip: host(2),
      dhcp: {
        ...emptyDhcp,
        op: 'reply',
        message_type: 'offer',
        xid: 7,
        chaddr: A,
        yiaddr: host(2),
        subnet_mask: 0xffff_ff00,
        routers: [host(5)],
        dns: [host(1)],
        lease_s: 3600,
        server_id: host(1),
        client_id: '\x01id',
      },
    });
  });

  test.each<[string, Dhcp, Mac, Ip]>([
    ['to the new address', asking('discover', A), A, host(2)],
    ['to everybody, when asked to', asking('discover', A, { broadcast: true }), BROADCAST_MAC, BROADCAST_IP],
    ['to the address that it has', asking('request', A, { ciaddr: host(2), broadcast: true }), A, host(2)],
    ['a refusal to everybody', asking('request', A, { ciaddr: host(5) }), BROADCAST_MAC, BROADCAST_IP],
  ])('the answer goes %s', (_, message, mac, ip) => {
    expect(opened(respond(newResponder, config, dhcpFrame(message), 0).replies[0])).toMatchObject({ mac, ip });
  });

  test('the facts, and the lease that stays', () => {
    const first = respond(
      newResponder,
      config,
      dhcpFrame(asking('request', A, { requested_ip: host(2), hostname: 'web' })),
      SECOND,
    );
    const lease = { mac: A, ip: host(2), hostname: 'web', expires_ns: 3601 * SECOND };
    expect(first.notes).toEqual([{ type: 'lease_given', ...lease }]);
    expect(first.state).toEqual({ leases: [{ ...lease, state: 'bound' }] });
    // A renewal without the hostname forgets nothing; a new DISCOVER does not shorten what is bound.
    const renewed = respond(first.state, config, dhcpFrame(asking('request', A, { ciaddr: host(2) })), 2 * SECOND).state;
    expect(renewed.leases[0]).toMatchObject({ hostname: 'web', expires_ns: 3602 * SECOND });
    expect(respond(renewed, config, dhcpFrame(asking('discover', A)), 3 * SECOND).state).toEqual(renewed);
    expect(activeLeases(renewed.leases, 3601 * SECOND)).toHaveLength(1);
    expect(activeLeases(renewed.leases, 3602 * SECOND)).toHaveLength(0);
  });

  test('every answer has its note', () => {
    const { notes } = play(
      [0, asking('discover', A)],
      [0, asking('request', A, selecting(host(2)))],
      [0, asking('request', B, selecting(host(2)))],
      [0, asking('discover', B)],
      [0, asking('discover', C)],
      [0, asking('decline', B, { requested_ip: host(4) })],
      [0, asking('release', A, { ciaddr: host(2) })],
    );
    expect(notes).toEqual([
      'lease_offered',
      'lease_given',
      'lease_refused',
      'lease_offered',
      'pool_exhausted',
      'address_declined',
      'lease_released',
    ]);
  });

  test('a lease without end', () => {
    const forever = { ...config, dhcp: { ...config.dhcp!, lease_s: INFINITE_LEASE } };
    const { state } = respond(newResponder, forever, dhcpFrame(asking('request', A, { requested_ip: host(2) })), 0);
    expect(state.leases[0]?.expires_ns).toBe(END_OF_TIME);
  });

  test('no server where none is configured', () => {
    const { replies } = respond(newResponder, { mac: config.mac, ip: config.ip }, dhcpFrame(asking('discover', A)), 0);
    expect(replies).toEqual([]);
  });
});

test('any messages: at most one lease for an address and for a client, only addresses of the pool, JSON all through', () => {
  const ips = fc.constantFrom(0, host(1), host(2), host(3), host(4), host(5));
  const messages = fc.record({
    type: fc.constantFrom('discover', 'request', 'decline', 'release', 'inform'),
    mac: fc.constantFrom(A, B, C, FIXED),
    fields: fc.record({ requested_ip: ips, ciaddr: ips, server_id: fc.constantFrom(0, host(1), host(2)) }),
    later: fc.nat(2000),
  });
  fc.assert(
    fc.property(fc.array(messages), (script) => {
      let state = newResponder;
      let now = 0;
      for (const { type, mac, fields, later } of script) {
        now += later * SECOND;
        const held = activeLeases(state.leases, now);
        const response = respond(state, config, dhcpFrame(asking(type, mac, fields)), now);
        state = response.state;
        const { leases } = state;
        expect(leases.map(({ ip }) => ip)).toEqual([...new Set(leases.map(({ ip }) => ip))].sort((a, b) => a - b));
        const owners = leases.map((lease) => lease.mac).filter((owner) => owner !== 0);
        expect(new Set(owners).size).toBe(owners.length);
        for (const { ip, mac: owner } of leases) {
          expect([host(2), host(3), host(4)]).toContain(ip);
          if (ip === host(3)) expect([FIXED, 0]).toContain(owner);
        }
        const given = opened(response.replies[0])?.dhcp;
        if (given?.message_type === 'ack' && given.yiaddr !== 0)
          for (const lease of held) if (lease.ip === given.yiaddr) expect(lease.mac).toBe(mac);
        expect(JSON.parse(JSON.stringify(state))).toEqual(state);
      }
    }),
  );
});

test('nothing throws: any frame, any damage to a good one', () => {
  const good = dhcpFrame(asking('request', A, { requested_ip: host(2), hostname: 'web' }));
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), fc.nat(good.length - 1), fc.nat(255), (garbage, at, value) => {
      const framed = makeEthernet({ dst: config.mac, src: A, type: ETHERTYPE_IPV4, payload: garbage });
      for (const frame of [garbage, framed, good.with(at, value), good.subarray(0, at)]) respond(newResponder, config, frame, 0);
    }),
  );
});
