// DHCP messages (RFC 2131 section 2, options in RFC 2132).
import type { Ip, Mac } from './address.ts';
import { concat, fromByteString, get16, get32, get48, put16, put32, put48, toByteString } from './bytes.ts';
import { type Ipv4, ipv4Defaults, isFragment, makeIpv4, PROTOCOL_UDP } from './ipv4.ts';
import { makeUdp, parseUdp } from './udp.ts';

/** A message. An address of 0, an empty text or list and a time of 0 mean that the option is not there. */
export interface Dhcp {
  readonly op: 'request' | 'reply';
  readonly message_type: DhcpMessageType;
  readonly xid: number;
  /** Seconds since the client began. */
  readonly secs: number;
  /** The client can not receive unicast before it has its address. */
  readonly broadcast: boolean;
  readonly ciaddr: Ip;
  readonly yiaddr: Ip;
  readonly siaddr: Ip;
  readonly giaddr: Ip;
  readonly chaddr: Mac;
  readonly subnet_mask: Ip;
  readonly routers: readonly Ip[];
  readonly dns: readonly Ip[];
  /** A byte string of at most 255: guests choose it. */
  readonly hostname: string;
  readonly requested_ip: Ip;
  /** Seconds; `INFINITE_LEASE` for ever. */
  readonly lease_s: number;
  readonly server_id: Ip;
  /** Option numbers that the client wants, as a byte string. */
  readonly parameters: string;
  /** Opaque, as a byte string; a server gives it back (RFC 6842). */
  readonly client_id: string;
}

/** In the order of their numbers, which start at 1 (RFC 2132 9.6). */
const MESSAGE_TYPES = ['discover', 'offer', 'request', 'decline', 'ack', 'nak', 'release', 'inform'] as const;
export type DhcpMessageType = (typeof MESSAGE_TYPES)[number];

export const OPTION = {
  subnet_mask: 1,
  router: 3,
  dns: 6,
  hostname: 12,
  requested_ip: 50,
  lease: 51,
  overload: 52,
  message_type: 53,
  server_id: 54,
  parameters: 55,
  client_id: 61,
} as const;
export const INFINITE_LEASE = 0xffff_ffff;
const PORTS = { server: 67, client: 68 } as const;

/** A message with nothing in it, to be spread and filled. */
export const emptyDhcp = {
  secs: 0,
  broadcast: false,
  ciaddr: 0,
  yiaddr: 0,
  siaddr: 0,
  giaddr: 0,
  subnet_mask: 0,
  routers: [],
  dns: [],
  hostname: '',
  requested_ip: 0,
  lease_s: 0,
  server_id: 0,
  parameters: '',
  client_id: '',
} as const satisfies Partial<Dhcp>;

/** The fixed part; `sname` and `file` lie in it, and may be lent to options (RFC 2132 9.3). */
const FIXED = 236;
const SNAME = [44, 108] as const;
const FILE = [108, 236] as const;
const COOKIE = [99, 130, 83, 99] as const;
const PAD = 0;
const END = 255;
/** RFC 1542 2.1: relays may drop a shorter message. */
const MIN_LENGTH = 300;

/**
 * Undefined when short, not of Ethernet, without the magic cookie or without a message type (plain BOOTP). Unknown options, and those
 * of a wrong length, are passed over; an option list that ends in the middle of one ends before it.
 */
export function parseDhcp(bytes: Uint8Array): Dhcp | undefined {
  if (bytes.length < FIXED + COOKIE.length || COOKIE.some((byte, i) => bytes[FIXED + i] !== byte)) return undefined;
  const op = bytes[0] === 1 ? 'request' : bytes[0] === 2 ? 'reply' : undefined;
  if (op === undefined || bytes[1] !== 1 || bytes[2] !== 6) return undefined;

  const options = new Map<number, Uint8Array>();
  collect(options, bytes.subarray(FIXED + COOKIE.length));
  const overload = options.get(OPTION.overload)?.[0] ?? 0;
  if (overload & 1) collect(options, bytes.subarray(...FILE));
  if (overload & 2) collect(options, bytes.subarray(...SNAME));

  const message_type = MESSAGE_TYPES[(options.get(OPTION.message_type)?.[0] ?? 0) - 1];
  if (message_type === undefined) return undefined;
  const number = (code: number): number => {
    const value = options.get(code);
    return value?.length === 4 ? get32(value, 0) : 0;
  };
  const list = (code: number): Ip[] => {
    const value = options.get(code) ?? new Uint8Array(0);
    return value.length % 4 === 0 ? Array.from({ length: value.length / 4 }, (_, i) => get32(value, i * 4)) : [];
  };
  const text = (code: number): string => toByteString(options.get(code) ?? new Uint8Array(0));
  return {
    op,
    message_type,
    xid: get32(bytes, 4),
    secs: get16(bytes, 8),
    broadcast: bytes[10]! >= 0x80,
    ciaddr: get32(bytes, 12),
    yiaddr: get32(bytes, 16),
    siaddr: get32(bytes, 20),
    giaddr: get32(bytes, 24),
    chaddr: get48(bytes, 28),
    subnet_mask: number(OPTION.subnet_mask),
    routers: list(OPTION.router),
    dns: list(OPTION.dns),
    hostname: text(OPTION.hostname),
    requested_ip: number(OPTION.requested_ip),
    lease_s: number(OPTION.lease),
    server_id: number(OPTION.server_id),
    parameters: text(OPTION.parameters),
    client_id: text(OPTION.client_id),
  };
}

/** Options in ascending order behind the message type, no option longer than 255 bytes (what is longer is cut). */
export function makeDhcp(message: Dhcp): Uint8Array {
  const fixed = new Uint8Array(FIXED + COOKIE.length);
  fixed.set([message.op === 'request' ? 1 : 2, 1, 6, 0]);
  put32(fixed, 4, message.xid);
  put16(fixed, 8, message.secs);
  put16(fixed, 10, message.broadcast ? 0x8000 : 0);
  put32(fixed, 12, message.ciaddr);
  put32(fixed, 16, message.yiaddr);
  put32(fixed, 20, message.siaddr);
  put32(fixed, 24, message.giaddr);
  put48(fixed, 28, message.chaddr);
  fixed.set(COOKIE, FIXED);

  const known = concat(
    option(OPTION.message_type, Uint8Array.of(MESSAGE_TYPES.indexOf(message.message_type) + 1)),
    option(OPTION.subnet_mask, addresses([message.subnet_mask])),
    option(OPTION.router, addresses(message.routers)),
    option(OPTION.dns, addresses(message.dns)),
    option(OPTION.hostname, fromByteString(message.hostname)),
    option(OPTION.requested_ip, addresses([message.requested_ip])),
    option(OPTION.lease, addresses([message.lease_s])),
    option(OPTION.server_id, addresses([message.server_id])),
    option(OPTION.parameters, fromByteString(message.parameters)),
    option(OPTION.client_id, fromByteString(message.client_id)),
    Uint8Array.of(END),
  );
  const padding = new Uint8Array(Math.max(0, MIN_LENGTH - fixed.length - known.length));
  return concat(fixed, known, padding);
}

/** The message in an IPv4 packet that is addressed to a server's or a client's port, as its direction demands. */
export function dhcpIn(packet: Ipv4): Dhcp | undefined {
  if (packet.protocol !== PROTOCOL_UDP || isFragment(packet)) return undefined;
  const udp = parseUdp(packet.payload, packet);
  if (udp === undefined || (udp.dst_port !== PORTS.server && udp.dst_port !== PORTS.client)) return undefined;
  const message = parseDhcp(udp.payload);
  return message?.op === (udp.dst_port === PORTS.server ? 'request' : 'reply') ? message : undefined;
}

/** The IPv4 packet that carries a message. */
export function dhcpPacket(message: Dhcp, { src, dst }: { readonly src: Ip; readonly dst: Ip }): Uint8Array {
  const [src_port, dst_port] = message.op === 'request' ? [PORTS.client, PORTS.server] : [PORTS.server, PORTS.client];
  const payload = makeUdp({ src_port, dst_port, payload: makeDhcp(message) }, { src, dst });
  return makeIpv4({ ...ipv4Defaults, src, dst, protocol: PROTOCOL_UDP, payload });
}

/** Pieces of one option are put together, wherever they stand (RFC 3396). */
function collect(into: Map<number, Uint8Array>, area: Uint8Array): void {
  let at = 0;
  while (at < area.length && area[at] !== END) {
    const code = area[at]!;
    if (code === PAD) {
      at += 1;
      continue;
    }
    const end = at + 2 + (area[at + 1] ?? area.length);
    if (end > area.length) return;
    into.set(code, concat(into.get(code) ?? new Uint8Array(0), area.subarray(at + 2, end)));
    at = end;
  }
}

function option(code: number, value: Uint8Array): Uint8Array {
  const kept = value.subarray(0, 255);
  return kept.length === 0 ? kept : concat(Uint8Array.of(code, kept.length), kept);
}

/** Four bytes each; a 0 means absence and is left out. At most 63 fit an option. */
function addresses(values: readonly number[]): Uint8Array {
  const present = values.filter((value) => value !== 0).slice(0, 63);
  const bytes = new Uint8Array(present.length * 4);
  present.forEach((value, i) => {
    put32(bytes, i * 4, value);
  });
  return bytes;
}
