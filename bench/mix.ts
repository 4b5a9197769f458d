// The hypercall mix of the benchmarks: 70 % send, 8 % bind, 6 % close, 16 % block, over 100 domains. The same draws for every design.

export const DOMAINS = 100;
/** Channels that each domain opens to others before the measurement. */
export const CHANNELS = 8;

export const SEND = 0;
export const BIND = 1;
export const CLOSE = 2;
export const BLOCK = 3;

export interface Mix {
  readonly length: number;
  readonly op: Uint8Array;
  readonly domid: Uint16Array;
  /** A port, or for BIND the other domain. */
  readonly arg: Uint16Array;
}

/** `length` calls of so many domains from a generator with a fixed seed (xorshift32). */
export function makeMix(length: number, domains = DOMAINS): Mix {
  let state = 0x9e3779b9;
  const draw = (below: number): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
  const op = new Uint8Array(length);
  const domid = new Uint16Array(length);
  const arg = new Uint16Array(length);
  for (let i = 0; i < length; i++) {
    const percent = draw(100);
    domid[i] = 1 + draw(domains);
    if (percent < 70) {
      op[i] = SEND;
      arg[i] = 1 + draw(2 * CHANNELS);
    } else if (percent < 78) {
      op[i] = BIND;
      arg[i] = 1 + draw(domains);
    } else if (percent < 84) {
      op[i] = CLOSE;
      arg[i] = 2 * CHANNELS + 1 + draw(2 * CHANNELS);
    } else op[i] = BLOCK;
  }
  return { length, op, domid, arg };
}

/** The domain that channel `k` of `domid` goes to. */
export const peerOf = (domid: number, k: number, domains = DOMAINS): number => ((domid - 1 + k + 1) % domains) + 1;
