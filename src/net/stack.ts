// The network of an actor guest: one interface, DHCP, ARP and ping, as functions over plain state.
import { END_OF_TIME, type Ns, SECOND } from '../../events/units.ts';
import { BROADCAST_IP, BROADCAST_MAC, type Ip, isUnicastIp, type Mac, sameSubnet } from './address.ts';
import { arpReplyFrame, arpRequestFrame, parseArp } from './arp.ts';
import { dhcpIn, dhcpPacket } from './dhcp.ts';
import {
  type ClientIdentity,
  type ClientTurn,
  clientDue,
  clientDueAt,
  clientHears,
  type DhcpClient,
  type DhcpClientEvent,
  heldLease,
  idleClient,
  releaseLease,
  startClient,
} from './dhcp-client.ts';
import { ETHERTYPE_ARP, ETHERTYPE_IPV4, makeEthernet, parseEthernet } from './ethernet.ts';
import { type Icmp, makeIcmp, parseIcmp, quotedEchoRequest } from './icmp.ts';
import { type Ipv4, ipv4Defaults, isFragment, makeIpv4, PROTOCOL_ICMP, parseIpv4 } from './ipv4.ts';
import { expire, learn, type Neighbours, neighboursDue, resolve } from './neighbours.ts';

/** A host on a network: plain immutable data that the caller keeps. */
export interface Stack extends ClientIdentity {
  /** A configured address, which goes before a leased one; null for none. */
  readonly fixed: Address | null;
  readonly dhcp: DhcpClient;
  readonly neighbours: Neighbours;
  /** Echo requests without an answer yet, in the order of asking; at most `MAX_PINGS`. */
  readonly pings: readonly Ping[];
}
export interface Address {
  readonly ip: Ip;
  readonly netmask: Ip;
  /** 0 for none. */
  readonly router: Ip;
}
/** `ident` and `seq` are the caller's, 16 bits each; together with `dst` they tell one request from another. */
export interface PingRequest {
  readonly dst: Ip;
  readonly ident: number;
  readonly seq: number;
}
export interface Ping extends PingRequest {
  /** Where it was sent to: `dst`, or the router. */
  readonly via: Ip;
  readonly sent_ns: Ns;
}

export type StackEvent =
  | DhcpClientEvent
  | {
      readonly type: 'echo_reply';
      readonly from: Ip;
      readonly ident: number;
      readonly seq: number;
      readonly ttl: number;
      readonly rtt_ns: Ns;
      /** Of the ICMP message, header included: 64 for a payload of 56. */
      readonly bytes: number;
    }
  | ({ readonly type: 'timeout'; readonly of: 'echo' } & PingRequest)
  /** The request did not get there; `why` in Linux's names. `from` is who says so, which may be ourselves (0 while we have no address). */
  | ({ readonly type: 'unreachable'; readonly from: Ip; readonly why: UnreachableErrno } & PingRequest);

/** No address or no route; nobody answers there, or a router says so; requests without an answer are too many; a group is not pinged. */
export type UnreachableErrno = 'ENETUNREACH' | 'EHOSTUNREACH' | 'ENOBUFS' | 'EACCES';

export interface StackTurn {
  readonly state: Stack;
  /** Whole frames to send, in order. */
  readonly out: readonly Uint8Array[];
  readonly events: readonly StackEvent[];
  /** When to call `tick`, unless something else happens before; undefined for never. May lie in the past when a `tick` is overdue. */
  readonly wakeAt: Ns | undefined;
}

/** What ping of iputils and of BusyBox sends by default. */
export const PING_PAYLOAD = 56;
const PING_TIMEOUT_NS = 10 * SECOND;
const MAX_PINGS = 64;

/** A host that is up and has no address. `hostname` is what DHCP tells the server, a byte string of at most 255. */
export const newStack = ({ mac, hostname }: ClientIdentity): Stack => ({
  mac,
  hostname,
  fixed: null,
  dhcp: idleClient,
  neighbours: [],
  pings: [],
});

/** The address that the host has now, if any. */
export const addressOf = (state: Stack): Address | undefined => state.fixed ?? heldLease(state.dhcp);

/** Gets an address by DHCP. `xid` is 32 bits from the caller's generator. */
export const configure = (state: Stack, xid: number, now: Ns): StackTurn =>
  turn(state, (work) => client(work, startClient(state, xid, now), now));

/** Takes a configured address and announces it; null takes it away, which leaves a leased one, if any. */
export const assign = (state: Stack, address: Address | null): StackTurn => turn({ ...state, fixed: address }, announceOwn);

/** Gives a leased address back and stops asking for one. */
export const release = (state: Stack, now: Ns): StackTurn =>
  turn(state, (work) => client(work, releaseLease(state.dhcp, state), now));

/** Tells the network where we are: after a migration the bridge has to learn the new port. Silent without an address. */
export const announce = (state: Stack): StackTurn => turn(state, announceOwn);

/** Sends an echo request. Its fate is an event: `echo_reply`, `timeout` or `unreachable`, the last two sometimes at once. */
export function ping(state: Stack, { dst, ident, seq }: PingRequest, now: Ns): StackTurn {
  return turn(state, (work) => {
    const own = addressOf(state);
    const request: PingRequest = { dst, ident: ident & 0xffff, seq: seq & 0xffff };
    const fail = (why: UnreachableErrno): void => {
      work.events.push({ type: 'unreachable', from: own?.ip ?? 0, why, ...request });
    };
    if (own === undefined) return fail('ENETUNREACH');
    if (dst === own.ip || dst >>> 24 === LOOPBACK) {
      const { ttl } = ipv4Defaults;
      work.events.push({
        type: 'echo_reply',
        from: dst,
        ident: request.ident,
        seq: request.seq,
        ttl,
        rtt_ns: 0,
        bytes: PING_PAYLOAD + 8,
      });
      return;
    }
    if (!isUnicastIp(dst) || dst === broadcastOf(own)) return fail('EACCES');
    const via = nextHop(own, dst);
    if (via === undefined) return fail('ENETUNREACH');
    if (state.pings.length >= MAX_PINGS) return fail('ENOBUFS');
    work.state = { ...work.state, pings: [...state.pings, { ...request, via, sent_ns: now }] };
    const payload = Uint8Array.from({ length: PING_PAYLOAD }, (_, i) => i);
    sendIcmp(work, dst, { type: 'echo_request', ident: request.ident, seq: request.seq, payload }, now);
  });
}

/** Takes a frame from the network. What is not for us, or not understood, changes nothing. */
export const input = (state: Stack, frame: Uint8Array, now: Ns): StackTurn =>
  turn(state, (work) => {
    const ethernet = parseEthernet(frame);
    if (ethernet === undefined || (ethernet.dst !== state.mac && ethernet.dst !== BROADCAST_MAC)) return;
    if (ethernet.type === ETHERTYPE_ARP) hearArp(work, ethernet.payload, now);
    if (ethernet.type === ETHERTYPE_IPV4) {
      const packet = parseIpv4(ethernet.payload);
      if (packet !== undefined && !isFragment(packet)) hearPacket(work, packet, now);
    }
  });

/** Does what is due. Harmless when nothing is. */
export const tick = (state: Stack, now: Ns): StackTurn =>
  turn(state, (work) => {
    client(work, clientDue(state.dhcp, state, now), now);
    const from = addressOf(work.state)?.ip ?? 0;
    const { neighbours, ask, failed } = expire(work.state.neighbours, now);
    work.state = { ...work.state, neighbours };
    for (const tpa of ask) work.out.push(arpRequestFrame({ sha: state.mac, spa: from, tpa }));
    endPings(
      work,
      ({ via }) => failed.includes(via),
      (request) => ({ type: 'unreachable', from, why: 'EHOSTUNREACH', ...request }),
    );
    endPings(
      work,
      ({ sent_ns }) => sent_ns + PING_TIMEOUT_NS <= now,
      (request) => ({ type: 'timeout', of: 'echo', ...request }),
    );
  });

/** What a call builds up; it never leaves the call. */
interface Work {
  state: Stack;
  readonly out: Uint8Array[];
  readonly events: StackEvent[];
}

/** 127.0.0.0/8, and ICMP's code 0 of destination unreachable. */
const LOOPBACK = 127;
const NET_UNREACHABLE = 0;

function turn(state: Stack, body: (work: Work) => void): StackTurn {
  const work: Work = { state, out: [], events: [] };
  body(work);
  const due = Math.min(clientDueAt(work.state.dhcp), neighboursDue(work.state.neighbours), pingsDue(work.state.pings));
  return { ...work, wakeAt: due === END_OF_TIME ? undefined : due };
}

/** Takes over what the DHCP client did, and sends what it wants sent. */
function client(work: Work, { client: dhcp, send, events }: ClientTurn, now: Ns): void {
  if (send !== undefined) sendPacket(work, send.to, dhcpPacket(send.message, { src: send.message.ciaddr, dst: send.to }), now);
  // Only then: a release is still sent from the address that it gives up.
  if (dhcp !== work.state.dhcp) work.state = { ...work.state, dhcp };
  work.events.push(...events);
  if (events.some(({ type }) => type === 'bound')) announceOwn(work);
}

function hearArp(work: Work, payload: Uint8Array, now: Ns): void {
  const own = addressOf(work.state);
  const arp = parseArp(payload);
  if (arp === undefined) return;
  const forUs = arp.tpa === own?.ip;
  // An announcement of our own address, or a question before somebody has one (RFC 5227), names no neighbour.
  if (isUnicastIp(arp.spa) && arp.spa !== own?.ip) {
    const { neighbours, released } = learn(work.state.neighbours, { ip: arp.spa, mac: arp.sha, forUs }, now);
    work.state = { ...work.state, neighbours };
    for (const packet of released) sendFrame(work, arp.sha, packet);
  }
  if (arp.op === 'request' && forUs) work.out.push(arpReplyFrame(arp, work.state.mac));
}

function hearPacket(work: Work, packet: Ipv4, now: Ns): void {
  const message = dhcpIn(packet);
  if (message !== undefined) {
    client(work, clientHears(work.state.dhcp, work.state, message, now), now);
    return;
  }
  const own = addressOf(work.state);
  if (packet.dst !== own?.ip || packet.protocol !== PROTOCOL_ICMP) return;
  const icmp = parseIcmp(packet.payload);
  switch (icmp?.type) {
    case 'echo_request':
      if (isUnicastIp(packet.src) && packet.src !== own.ip) sendIcmp(work, packet.src, { ...icmp, type: 'echo_reply' }, now);
      return;
    case 'echo_reply': {
      const { ident, seq } = icmp;
      endPings(work, same({ dst: packet.src, ident, seq }), (request, { sent_ns }) => ({
        type: 'echo_reply',
        from: packet.src,
        ident: request.ident,
        seq: request.seq,
        ttl: packet.ttl,
        rtt_ns: now - sent_ns,
        bytes: packet.payload.length,
      }));
      return;
    }
    case 'destination_unreachable':
    case 'time_exceeded': {
      const quoted = quotedEchoRequest(icmp.original);
      const why = icmp.type === 'destination_unreachable' && icmp.code === NET_UNREACHABLE ? 'ENETUNREACH' : 'EHOSTUNREACH';
      if (quoted) endPings(work, same(quoted), (request) => ({ type: 'unreachable', from: packet.src, why, ...request }));
      return;
    }
    case undefined:
      return;
  }
}

/** Takes away the requests that match, with an event for each. */
function endPings(work: Work, matches: (ping: Ping) => boolean, event: (request: PingRequest, ping: Ping) => StackEvent): void {
  const { pings } = work.state;
  const ended = pings.filter(matches);
  if (ended.length === 0) return;
  work.state = { ...work.state, pings: pings.filter((ping) => !ended.includes(ping)) };
  for (const ping of ended) work.events.push(event({ dst: ping.dst, ident: ping.ident, seq: ping.seq }, ping));
}

function sendIcmp(work: Work, dst: Ip, message: Icmp, now: Ns): void {
  const src = addressOf(work.state)?.ip ?? 0;
  sendPacket(work, dst, makeIpv4({ ...ipv4Defaults, src, dst, protocol: PROTOCOL_ICMP, payload: makeIcmp(message) }), now);
}

/** Sends a packet on its way, or lets it wait for the station's address. One that has no way is lost. */
function sendPacket(work: Work, dst: Ip, packet: Uint8Array, now: Ns): void {
  if (dst === BROADCAST_IP) {
    sendFrame(work, BROADCAST_MAC, packet);
    return;
  }
  const own = addressOf(work.state);
  const via = own && nextHop(own, dst);
  if (via === undefined) return;
  const { neighbours, mac, ask } = resolve(work.state.neighbours, { ip: via, packet }, now);
  if (neighbours !== work.state.neighbours) work.state = { ...work.state, neighbours };
  if (mac !== undefined) sendFrame(work, mac, packet);
  if (ask) work.out.push(arpRequestFrame({ sha: work.state.mac, spa: own!.ip, tpa: via }));
}

function sendFrame(work: Work, dst: Mac, payload: Uint8Array): void {
  work.out.push(makeEthernet({ dst, src: work.state.mac, type: ETHERTYPE_IPV4, payload }));
}

function announceOwn(work: Work): void {
  const own = addressOf(work.state);
  if (own) work.out.push(arpRequestFrame({ sha: work.state.mac, spa: own.ip, tpa: own.ip }));
}

const nextHop = ({ ip, netmask, router }: Address, dst: Ip): Ip | undefined =>
  sameSubnet(ip, dst, netmask) ? dst : router || undefined;

/** The last address of the subnet; a subnet of one or two has none to spare (RFC 3021). */
const broadcastOf = ({ ip, netmask }: Address): Ip | undefined => (netmask < 0xffff_fffe ? (ip | ~netmask) >>> 0 : undefined);

const pingsDue = (pings: readonly Ping[]): Ns =>
  pings.reduce((due, { sent_ns }) => Math.min(due, sent_ns + PING_TIMEOUT_NS), END_OF_TIME);

const same =
  ({ dst, ident, seq }: PingRequest) =>
  (ping: Ping): boolean =>
    ping.dst === dst && ping.ident === ident && ping.seq === seq;
