// Steps as JSON Lines, for people and for other tools. Byte strings have one char a byte; bytes are base64.
import type { Step } from '../../events/vocabulary.ts';

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** One step in one line, without its end of line. The fields stand in the order of `Step` and of the vocabulary. */
export function toJsonLine({ seq, time, origin, cause, batch, command, reads, outcome }: Step): string {
  const before = { seq, time, origin, cause };
  const { ok, ...rest } = outcome;
  const { errno, value, events } = rest as { errno?: string; value?: object; events?: readonly object[] };
  const ended = { ok, ...(errno !== undefined && { errno }), ...(value && { value }), ...(events && { events }) };
  return JSON.stringify(
    { ...before, ...(batch !== undefined && { batch }), command, reads, outcome: ended },
    (_, one: unknown) => (one instanceof Uint8Array ? base64(one) : one),
  );
}

/** RFC 4648, with padding. */
export function base64(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 3) {
    const rest = bytes.length - at;
    const word = (bytes[at]! << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
    for (let i = 0; i < 4; i++) text += i <= rest ? DIGITS[(word >> (18 - 6 * i)) & 63] : '=';
  }
  return text;
}
