import type { Mac } from './address.ts';
import { get16, get48, put16, put48 } from './bytes.ts';

/** An Ethernet II frame as a vif carries it: no preamble, no FCS, and no padding that the sender has not put there. */
export interface Ethernet {
  readonly dst: Mac;
  readonly src: Mac;
  /** EtherType, e.g. `ETHERTYPE_ARP`; below 0x600 it is the length of an 802.3 frame, which nobody here speaks. */
  readonly type: number;
  readonly payload: Uint8Array;
}

/** RFC 894, RFC 826. */
export const ETHERTYPE_IPV4 = 0x0800;
export const ETHERTYPE_ARP = 0x0806;
const HEADER = 14;

/** Undefined when there is no whole header. `payload` is a view of the frame, padding included. */
export function parseEthernet(frame: Uint8Array): Ethernet | undefined {
  if (frame.length < HEADER) return undefined;
  return { dst: get48(frame, 0), src: get48(frame, 6), type: get16(frame, 12), payload: frame.subarray(HEADER) };
}

export function makeEthernet({ dst, src, type, payload }: Ethernet): Uint8Array {
  const frame = new Uint8Array(HEADER + payload.length);
  put48(frame, 0, dst);
  put48(frame, 6, src);
  put16(frame, 12, type);
  frame.set(payload, HEADER);
  return frame;
}
