import { BROADCAST_MAC, type Ip, type Mac } from './address.ts';
import { get16, get32, get48, put16, put32, put48 } from './bytes.ts';
import { ETHERTYPE_ARP, makeEthernet } from './ethernet.ts';

/** ARP for IPv4 over Ethernet, with the field names of RFC 826: sender and target, hardware and protocol address. */
export interface Arp {
  readonly op: 'request' | 'reply';
  readonly sha: Mac;
  readonly spa: Ip;
  readonly tha: Mac;
  readonly tpa: Ip;
}

const LENGTH = 28;
/** Hardware type 1 (Ethernet), protocol type 0x0800 (IPv4), and the lengths of their addresses. */
const ETHERNET_IPV4 = [0, 1, 8, 0, 6, 4] as const;
const OPS = ['request', 'reply'] as const;

/** Undefined for what is short, of another hardware or protocol, or neither request nor reply. Padding behind it is ignored. */
export function parseArp(payload: Uint8Array): Arp | undefined {
  if (payload.length < LENGTH || ETHERNET_IPV4.some((byte, i) => payload[i] !== byte)) return undefined;
  const op = OPS[get16(payload, 6) - 1];
  if (op === undefined) return undefined;
  return { op, sha: get48(payload, 8), spa: get32(payload, 14), tha: get48(payload, 18), tpa: get32(payload, 24) };
}

export function makeArp({ op, sha, spa, tha, tpa }: Arp): Uint8Array {
  const payload = new Uint8Array(LENGTH);
  payload.set(ETHERNET_IPV4);
  put16(payload, 6, OPS.indexOf(op) + 1);
  put48(payload, 8, sha);
  put32(payload, 14, spa);
  put48(payload, 18, tha);
  put32(payload, 24, tpa);
  return payload;
}

/** The frame in which `sha` asks everybody for `tpa`. With `tpa` equal to `spa` it announces the sender (RFC 5227 section 3). */
export const arpRequestFrame = ({ sha, spa, tpa }: Pick<Arp, 'sha' | 'spa' | 'tpa'>): Uint8Array =>
  makeEthernet({
    dst: BROADCAST_MAC,
    src: sha,
    type: ETHERTYPE_ARP,
    payload: makeArp({ op: 'request', sha, spa, tha: 0, tpa }),
  });

/** The frame in which `mac` answers a request: the fields swapped, and our own address filled in. */
export const arpReplyFrame = (request: Arp, mac: Mac): Uint8Array =>
  makeEthernet({
    dst: request.sha,
    src: mac,
    type: ETHERTYPE_ARP,
    payload: makeArp({ op: 'reply', sha: mac, spa: request.tpa, tha: request.sha, tpa: request.spa }),
  });
