import type { Ip } from './address.ts';
import { get16, put16 } from './bytes.ts';
import { checksum } from './checksum.ts';
import { PROTOCOL_UDP } from './ipv4.ts';

/** A UDP datagram (RFC 768). */
export interface Udp {
  readonly src_port: number;
  readonly dst_port: number;
  readonly payload: Uint8Array;
}
/** The addresses of the packet around it, which the checksum covers. */
export interface PseudoHeader {
  readonly src: Ip;
  readonly dst: Ip;
}

const HEADER = 8;
const MAX_PAYLOAD = 0xffff - 20 - HEADER;

/** Undefined when short, or when it carries a checksum (anything but 0) and that is wrong. Padding behind its length is ignored. */
export function parseUdp(bytes: Uint8Array, pseudo: PseudoHeader): Udp | undefined {
  const length = get16(bytes, 4);
  if (bytes.length < HEADER || length < HEADER || length > bytes.length) return undefined;
  const datagram = bytes.subarray(0, length);
  if (get16(bytes, 6) !== 0 && checksum(datagram, pseudoSum(pseudo, length)) !== 0) return undefined;
  return { src_port: get16(bytes, 0), dst_port: get16(bytes, 2), payload: datagram.subarray(HEADER) };
}

/** Always with a checksum; one that comes out as 0 is sent as 0xffff, for 0 means that there is none. A payload beyond 65,507 bytes is cut. */
export function makeUdp({ src_port, dst_port, payload }: Udp, pseudo: PseudoHeader): Uint8Array {
  const body = payload.subarray(0, MAX_PAYLOAD);
  const bytes = new Uint8Array(HEADER + body.length);
  put16(bytes, 0, src_port);
  put16(bytes, 2, dst_port);
  put16(bytes, 4, bytes.length);
  bytes.set(body, HEADER);
  put16(bytes, 6, checksum(bytes, pseudoSum(pseudo, bytes.length)) || 0xffff);
  return bytes;
}

const words = (ip: Ip): number => (ip >>> 16) + (ip & 0xffff);
const pseudoSum = ({ src, dst }: PseudoHeader, length: number): number => words(src) + words(dst) + PROTOCOL_UDP + length;
