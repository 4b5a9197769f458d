import type { Ns } from '../../events/units.ts';
import { BROADCAST_IP, BROADCAST_MAC, type Ip, isUnicastIp, type Mac } from './address.ts';
import { arpReplyFrame, parseArp } from './arp.ts';
import { type Dhcp, dhcpIn, dhcpPacket } from './dhcp.ts';
import { type DhcpConfig, type LeaseNote, type Leases, serve } from './dhcp-server.ts';
import { ETHERTYPE_ARP, ETHERTYPE_IPV4, type Ethernet, makeEthernet, parseEthernet } from './ethernet.ts';
import { makeIcmp, parseIcmp } from './icmp.ts';
import { type Ipv4, ipv4Defaults, isFragment, makeIpv4, PROTOCOL_ICMP, parseIpv4 } from './ipv4.ts';

/** What dom0 is on its bridge: an address that answers ARP and ping, and a DHCP server where `dhcp` is given. */
export interface ResponderConfig {
  readonly mac: Mac;
  readonly ip: Ip;
  readonly dhcp?: Omit<DhcpConfig, 'ip'>;
}
/** Plain immutable data that the caller keeps. */
export interface Responder {
  readonly leases: Leases;
}
/** What happened, in data. `mac` and `ip` are the other side's. */
export type ResponderNote =
  | LeaseNote
  | { readonly type: 'arp_answered'; readonly mac: Mac; readonly ip: Ip }
  | { readonly type: 'echo_answered'; readonly mac: Mac; readonly ip: Ip; readonly ident: number; readonly seq: number }
  | { readonly type: 'fragment_ignored'; readonly mac: Mac; readonly ip: Ip };

interface Response {
  readonly state: Responder;
  /** Whole frames, to be sent from the responder's own port of the bridge. */
  readonly replies: readonly Uint8Array[];
  readonly notes: readonly ResponderNote[];
}

export const newResponder: Responder = { leases: [] };

/** Answers a frame that the bridge delivers to dom0. Whatever is not for us, or not understood, is met with silence. */
export function respond(state: Responder, config: ResponderConfig, frame: Uint8Array, now: Ns): Response {
  const silence: Response = { state, replies: [], notes: [] };
  const ethernet = parseEthernet(frame);
  if (ethernet === undefined || (ethernet.dst !== config.mac && ethernet.dst !== BROADCAST_MAC)) return silence;

  switch (ethernet.type) {
    case ETHERTYPE_ARP: {
      const arp = parseArp(ethernet.payload);
      if (arp?.op !== 'request' || arp.tpa !== config.ip) return silence;
      const notes = [{ type: 'arp_answered', mac: arp.sha, ip: arp.spa } as const];
      return { state, replies: [arpReplyFrame(arp, config.mac)], notes };
    }
    case ETHERTYPE_IPV4: {
      const packet = parseIpv4(ethernet.payload);
      if (packet === undefined || (packet.dst !== config.ip && packet.dst !== BROADCAST_IP)) return silence;
      if (isFragment(packet)) return { ...silence, notes: [{ type: 'fragment_ignored', mac: ethernet.src, ip: packet.src }] };
      if (packet.protocol === PROTOCOL_ICMP) return answerEcho(state, config, ethernet, packet);
      const message = config.dhcp && dhcpIn(packet);
      return message === undefined ? silence : answerDhcp(state, config, message, now);
    }
    default:
      return silence;
  }
}

/** The reply goes back to where the request came from, without asking for the address. A broadcast is not answered (RFC 1122 3.2.2.6). */
function answerEcho(state: Responder, config: ResponderConfig, { src: mac }: Ethernet, packet: Ipv4): Response {
  const echo = parseIcmp(packet.payload);
  if (echo?.type !== 'echo_request' || packet.dst !== config.ip || packet.src === config.ip || !isUnicastIp(packet.src))
    return { state, replies: [], notes: [] };
  const payload = makeIpv4({
    ...ipv4Defaults,
    src: config.ip,
    dst: packet.src,
    protocol: PROTOCOL_ICMP,
    payload: makeIcmp({ ...echo, type: 'echo_reply' }),
  });
  return {
    state,
    replies: [makeEthernet({ dst: mac, src: config.mac, type: ETHERTYPE_IPV4, payload })],
    notes: [{ type: 'echo_answered', mac, ip: packet.src, ident: echo.ident, seq: echo.seq }],
  };
}

function answerDhcp(state: Responder, config: ResponderConfig, message: Dhcp, now: Ns): Response {
  const { leases, reply, notes } = serve(state.leases, { ...config.dhcp!, ip: config.ip }, message, now);
  if (reply === undefined) return { state: { leases }, replies: [], notes };
  const to = destination(message, reply);
  const payload = dhcpPacket(reply, { src: config.ip, dst: to.ip });
  return {
    state: { leases },
    replies: [makeEthernet({ dst: to.mac, src: config.mac, type: ETHERTYPE_IPV4, payload })],
    notes,
  };
}

/** RFC 2131 4.1: to the address that the client has, else to the one it is getting, or to everybody where it can not hear that. */
function destination(request: Dhcp, reply: Dhcp): { mac: Mac; ip: Ip } {
  if (reply.message_type === 'nak') return { mac: BROADCAST_MAC, ip: BROADCAST_IP };
  if (request.ciaddr !== 0) return { mac: request.chaddr, ip: request.ciaddr };
  return request.broadcast ? { mac: BROADCAST_MAC, ip: BROADCAST_IP } : { mac: request.chaddr, ip: reply.yiaddr };
}
