import type { Invariant } from '../invariants.ts';
import { DOMAIN_PBUF_SIZE, FULL_TOKENS, SERIAL_RX_SIZE } from './state.ts';

export const invariants: Readonly<Record<string, Invariant>> = {
  *'console.ringHoldsAtMostItsSize'({ console }) {
    const { conringc, conringp } = console.row.of(0)!;
    const held = (conringp.at(0) - conringc.at(0)) >>> 0;
    if (held > console.size) yield `the ring holds ${held} bytes of ${console.size}`;
  },

  *'console.rateLimitHasItsTokens'({ console }) {
    const { spent } = console.row.of(0)!;
    if (spent.at(0) < 0 || spent.at(0) > FULL_TOKENS) yield `${spent.at(0)} tokens are gone, of ${FULL_TOKENS}`;
  },

  *'console.whatIsKeptFits'(xen) {
    for (const [domid, { text }] of xen.console.lines.entries()) {
      if (!xen.exists(domid)) yield `d${domid} has begun a line, and does not exist`;
      if (text.length >= DOMAIN_PBUF_SIZE) yield `d${domid} has begun a line of ${text.length} bytes`;
    }
    const typed = xen.console.typed.get(0)?.text.length ?? 0;
    if (typed > SERIAL_RX_SIZE) yield `${typed} keys wait for dom0`;
  },

  *'console.printsLessThanItLimits'({ console }) {
    const { lower, upper, guest_lower, guest_upper } = console.thresholds;
    if (lower > upper || guest_lower > guest_upper || lower < 0 || guest_lower < 0)
      yield `thresholds ${lower}/${upper} and ${guest_lower}/${guest_upper}`;
  },
};
