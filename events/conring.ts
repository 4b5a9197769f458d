// Xen's own console: console_io (public/xen.h), the ring behind `xl dmesg` and the debug keys (public/sysctl.h), the serial line.
import { bool, int, operation, text } from './schema.ts';

export const operations = {
  /** CONSOLEIO_write: dom0's goes out as it is, others' to the ring, a line at a time, with the domain before it. */
  'console_io.write': operation({ domid: int, text }),
  /** CONSOLEIO_read: at most `count` of the characters that were typed on the serial line. */
  'console_io.read': operation({ domid: int, count: int }, { text }),
  /** Characters that come in on the serial line: for dom0, or (after three times CTRL-a) debug keys for Xen. An input. */
  'console_io.receive': operation({ text }),
  /** `index` counts in, when `incremental`, as where the last reading ended. Answers at most `count` bytes, and where to go on. */
  'sysctl.readconsole': operation(
    { domid: int, clear: bool, incremental: bool, index: int, count: int },
    { buffer: text, count: int, index: int },
  ),
  /** As if each of the keys were pressed on Xen's console; the answers are in the ring. */
  'sysctl.debug_keys': operation({ domid: int, keys: text }),
} as const;

export const facts = {
  /** Whole lines, each with its prefix, at the end of the ring. */
  'conring.printed': { text },
  /** The rate limit's account after it was asked: its tokens, and how many messages it holds back since it last let one through. */
  'conring.limited': { at_ms: int, tokens: int, missed: int },
  /** What stands before this index was read and is forgotten. */
  'conring.cleared': { conringc: int },
  /** Which levels are printed always (below `lower`), and which within the rate limit (below `upper`). */
  'conring.thresholds_set': { lower: int, upper: int, guest_lower: int, guest_upper: int },
  'conring.alt_keys_toggled': { alt_keys: bool },
  /** Whether the keys "+" and "-" move the thresholds of what guests provoke. */
  'conring.adjustment_chosen': { guest: bool },
  /** What a domain has written since its last newline. */
  'console_io.line_begun': { domid: int, text },
  /** Characters for dom0, in the serial line's buffer. */
  'console_io.received': { text },
  'console_io.taken': { count: int },
  /** Whether Xen has the keys, and how many CTRL-a came in a row. */
  'console_io.switched': { to_xen: bool, presses: int },
  /** Goes out on the serial line, and into no ring. */
  'console_io.written': { domid: int, text },
} as const;
