import type { Ip } from './address.ts';
import { get16, get32, put16, put32 } from './bytes.ts';
import { checksum } from './checksum.ts';

/** An IPv4 packet (RFC 791 3.1). Options are skipped when parsed and never made. */
export interface Ipv4 {
  readonly src: Ip;
  readonly dst: Ip;
  readonly protocol: number;
  readonly ttl: number;
  readonly tos: number;
  readonly id: number;
  readonly dont_fragment: boolean;
  readonly more_fragments: boolean;
  /** In units of 8 bytes. */
  readonly fragment_offset: number;
  readonly payload: Uint8Array;
}

export const PROTOCOL_ICMP = 1;
export const PROTOCOL_UDP = 17;
/** What a packet of ours says where nobody chose: unfragmentable, and so without an id (RFC 6864 4.1). */
export const ipv4Defaults = {
  ttl: 64,
  tos: 0,
  id: 0,
  dont_fragment: true,
  more_fragments: false,
  fragment_offset: 0,
} as const satisfies Partial<Ipv4>;

const HEADER = 20;
const MAX_PAYLOAD = 0xffff - HEADER;

/**
 * Undefined when the header is short or wrong (version, lengths, checksum) or says more than there is. What stands behind the
 * total length is padding. A fragment is parsed, but its payload is only a piece: ask `isFragment` before looking into it.
 */
export function parseIpv4(bytes: Uint8Array): Ipv4 | undefined {
  const header = (bytes[0]! & 15) * 4;
  const total = get16(bytes, 2);
  if (bytes.length < HEADER || bytes[0]! >> 4 !== 4 || header < HEADER || total < header || total > bytes.length)
    return undefined;
  if (checksum(bytes.subarray(0, header)) !== 0) return undefined;
  const fragment = get16(bytes, 6);
  return {
    src: get32(bytes, 12),
    dst: get32(bytes, 16),
    protocol: bytes[9]!,
    ttl: bytes[8]!,
    tos: bytes[1]!,
    id: get16(bytes, 4),
    dont_fragment: (fragment & 0x4000) !== 0,
    more_fragments: (fragment & 0x2000) !== 0,
    fragment_offset: fragment & 0x1fff,
    payload: bytes.subarray(header, total),
  };
}

/** A payload beyond 65,515 bytes does not fit the length field and is cut. */
export function makeIpv4(packet: Ipv4): Uint8Array {
  const payload = packet.payload.subarray(0, MAX_PAYLOAD);
  const bytes = new Uint8Array(HEADER + payload.length);
  bytes[0] = 0x45;
  bytes[1] = packet.tos;
  put16(bytes, 2, bytes.length);
  put16(bytes, 4, packet.id);
  put16(bytes, 6, (packet.dont_fragment ? 0x4000 : 0) | (packet.more_fragments ? 0x2000 : 0) | (packet.fragment_offset & 0x1fff));
  bytes[8] = packet.ttl;
  bytes[9] = packet.protocol;
  put32(bytes, 12, packet.src);
  put32(bytes, 16, packet.dst);
  put16(bytes, 10, checksum(bytes.subarray(0, HEADER)));
  bytes.set(payload, HEADER);
  return bytes;
}

export const isFragment = ({ more_fragments, fragment_offset }: Ipv4): boolean => more_fragments || fragment_offset !== 0;
