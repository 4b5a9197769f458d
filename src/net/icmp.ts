import type { Ip } from './address.ts';
import { get16, get32, put16 } from './bytes.ts';
import { checksum } from './checksum.ts';
import { PROTOCOL_ICMP } from './ipv4.ts';

/** The ICMP messages of a host that pings and is pinged (RFC 792). */
export type Icmp = IcmpEcho | IcmpError;
export interface IcmpEcho {
  readonly type: 'echo_request' | 'echo_reply';
  readonly ident: number;
  readonly seq: number;
  readonly payload: Uint8Array;
}
export interface IcmpError {
  readonly type: 'destination_unreachable' | 'time_exceeded';
  readonly code: number;
  /** The IPv4 header of the packet at fault and at least 8 bytes of its payload, as far as the sender quotes it. */
  readonly original: Uint8Array;
}

const HEADER = 8;
const NUMBERS = { echo_reply: 0, destination_unreachable: 3, echo_request: 8, time_exceeded: 11 } as const;

/** Undefined when short, when the checksum is wrong, and for every other message. */
export function parseIcmp(bytes: Uint8Array): Icmp | undefined {
  if (bytes.length < HEADER || checksum(bytes) !== 0) return undefined;
  const code = bytes[1]!;
  const rest = bytes.subarray(HEADER);
  switch (bytes[0]) {
    case NUMBERS.echo_request:
    case NUMBERS.echo_reply: {
      if (code !== 0) return undefined;
      const type = bytes[0] === NUMBERS.echo_request ? 'echo_request' : 'echo_reply';
      return { type, ident: get16(bytes, 4), seq: get16(bytes, 6), payload: rest };
    }
    case NUMBERS.destination_unreachable:
      return { type: 'destination_unreachable', code, original: rest };
    case NUMBERS.time_exceeded:
      return { type: 'time_exceeded', code, original: rest };
    default:
      return undefined;
  }
}

export function makeIcmp(message: Icmp): Uint8Array {
  const rest = isEcho(message) ? message.payload : message.original;
  const bytes = new Uint8Array(HEADER + rest.length);
  bytes[0] = NUMBERS[message.type];
  if (isEcho(message)) {
    put16(bytes, 4, message.ident);
    put16(bytes, 6, message.seq);
  } else bytes[1] = message.code;
  bytes.set(rest, HEADER);
  put16(bytes, 2, checksum(bytes));
  return bytes;
}

const isEcho = (message: Icmp): message is IcmpEcho => message.type === 'echo_request' || message.type === 'echo_reply';

/** The echo request that an error message quotes. The quotation is cut short, so its lengths and checksums say nothing. */
export function quotedEchoRequest(original: Uint8Array): { dst: Ip; ident: number; seq: number } | undefined {
  const header = (original[0]! & 15) * 4;
  if (original.length < 28 || original[0]! >> 4 !== 4 || header < 20 || original.length < header + HEADER) return undefined;
  if (original[9] !== PROTOCOL_ICMP || original[header] !== NUMBERS.echo_request) return undefined;
  return { dst: get32(original, 16), ident: get16(original, header + 4), seq: get16(original, header + 6) };
}
