// Xen's console: the ring of what it has printed, who may print how much, and the serial line's input.
import type { DomId } from '../../../events/units.ts';
import type { Journal } from '../../tables/journal.ts';
import { Records } from '../../tables/records.ts';
import { Table } from '../../tables/table.ts';
import { type Parameters, parameterOf } from '../parameters.ts';

/** Row 0. What a fresh Xen has is 0 in every column. */
export const conringSchema = {
  /** Where the ring's content begins and ends: indices that go on counting, as Xen's do. */
  conringc: 'u32',
  conringp: 'u32',
  /** How far the keys "+", "-" and "G" have moved the thresholds from those of the command line. */
  lower: 'i32',
  upper: 'i32',
  guest_lower: 'i32',
  guest_upper: 'i32',
  alt_keys: 'u8',
  adjusts_guest: 'u8',
  /** The rate limit: tokens that are gone, as of when, and messages that were held back. */
  spent: 'f64',
  limited_at_ms: 'f64',
  missed: 'u32',
  /** The serial line: whether Xen has the keys, and how many CTRL-a came in a row. */
  to_xen: 'u8',
  presses: 'u8',
} as const;
/** Row i: bytes 4i to 4i + 3 of the ring, the first lowest. */
export const conringBytesSchema = { bytes: 'u32' } as const;

/** xen/drivers/char/console.c: the least size of the ring, and the rate limit (printk_ratelimit()). */
const CONRING_SIZE = 16384;
export const RATELIMIT_MS = 5000;
export const RATELIMIT_BURST = 10;
export const FULL_TOKENS = RATELIMIT_MS * RATELIMIT_BURST;
/** What a domain's unfinished line can be at most, its end included (xen/include/xen/sched.h). */
export const DOMAIN_PBUF_SIZE = 200;
export const SERIAL_RX_SIZE = 128;

export interface Thresholds {
  readonly lower: number;
  readonly upper: number;
  readonly guest_lower: number;
  readonly guest_upper: number;
}

export class Console {
  readonly row: Table<typeof conringSchema>;
  readonly bytes: Table<typeof conringBytesSchema>;
  /** By domain: the line that it has begun. */
  readonly lines: Records<{ readonly text: string }>;
  /** Key 0: what was typed for dom0 and not read yet. */
  readonly typed: Records<{ readonly text: string }>;
  /** In bytes; a power of two. */
  readonly size: number;
  private readonly booted: Thresholds;

  constructor(journal: Journal, parameters: Parameters, nrCpus: number) {
    this.row = new Table('conring', conringSchema, journal, 1);
    this.bytes = new Table('conring.bytes', conringBytesSchema, journal, 64);
    this.lines = new Records('console.lines', journal);
    this.typed = new Records('console.typed', journal);
    this.row.add(0);
    this.bytes.add(0);
    this.booted = { ...levels(parameterOf(parameters, 'loglvl'), 2, 2), ...guestLevels(parameterOf(parameters, 'guest_loglvl')) };
    this.size = ringSize(parameterOf(parameters, 'conring_size'), nrCpus, this.booted.lower);
  }
  get tables() {
    return [this.row, this.bytes] as const;
  }
  get records() {
    return [this.lines, this.typed] as const;
  }
  get thresholds(): Thresholds {
    const { booted } = this;
    const row = this.row.of(0)!;
    return {
      lower: booted.lower + row.lower.at(0),
      upper: booted.upper + row.upper.at(0),
      guest_lower: booted.guest_lower + row.guest_lower.at(0),
      guest_upper: booted.guest_upper + row.guest_upper.at(0),
    };
  }
  setThresholds(thresholds: Thresholds): void {
    const row = this.row.of(0)!;
    row.lower.put(0, thresholds.lower - this.booted.lower);
    row.upper.put(0, thresholds.upper - this.booted.upper);
    row.guest_lower.put(0, thresholds.guest_lower - this.booted.guest_lower);
    row.guest_upper.put(0, thresholds.guest_upper - this.booted.guest_upper);
  }
  /** The line that a domain has begun. */
  line(domid: DomId): string {
    return this.lines.get(domid)?.text ?? '';
  }
  /** The ring's bytes from an index on. Where the index is not in the ring any more, what has come to its place since. */
  read(index: number, length: number): string {
    const { bytes } = this.bytes.of(0)!;
    let text = '';
    for (let i = 0; i < length; i++) {
      const at = (index + i) % this.size;
      text += String.fromCharCode((bytes.at(at >> 2) >>> ((at & 3) * 8)) & 0xff);
    }
    return text;
  }
  put(text: string): void {
    const row = this.row.of(0)!;
    const { bytes } = this.bytes.of(0)!;
    let p = row.conringp.at(0);
    // Four bytes a write, but for the first and the last.
    for (let i = 0; i < text.length; ) {
      const at = p % this.size;
      let word = bytes.at(at >> 2);
      const end = Math.min(text.length - i, 4 - (at & 3));
      for (let k = 0; k < end; k++) {
        const shift = ((at & 3) + k) * 8;
        word = (word & ~(0xff << shift)) | ((text.charCodeAt(i + k) & 0xff) << shift);
      }
      bytes.put(at >> 2, word >>> 0);
      i += end;
      p = (p + end) >>> 0;
    }
    row.conringp.put(0, p);
    if ((p - row.conringc.at(0)) >>> 0 > this.size) row.conringc.put(0, (p - this.size) >>> 0);
  }
}

const names = [
  ['none', 0],
  ['error', 1],
  ['warning', 2],
  ['info', 3],
  ['debug', 4],
  ['all', 4],
] as const;
const levelOf = (name: string): number => names.find(([prefix]) => name.startsWith(prefix))?.[1] ?? 2;

/** `loglvl=<always>/<within the rate limit>`; the second is at least the first. */
function levels(value: string | undefined, lower: number, upper: number): { lower: number; upper: number } {
  if (value === undefined) return { lower, upper };
  const [always = '', limited = always] = value.split('/');
  return { lower: levelOf(always), upper: Math.max(levelOf(always), levelOf(limited)) };
}
function guestLevels(value: string | undefined): { guest_lower: number; guest_upper: number } {
  const { lower, upper } = levels(value, 0, 2);
  return { guest_lower: lower, guest_upper: upper };
}

/** console_init_postirq(): as asked for, or more for more pCPUs and more to say; never less than what Xen begins with. */
function ringSize(value: string | undefined, nrCpus: number, lower: number): number {
  const asked = value === undefined ? 0 : sizeOf(value);
  const wanted = Math.min(asked > 0 ? asked : nrCpus * 2 ** (9 + lower), LARGEST_RING);
  let size = CONRING_SIZE;
  while (size < wanted) size *= 2;
  return size;
}
/** Ours: a ring is state, and what nobody reads need not be kept. */
const LARGEST_RING = 2 ** 20;

/** Xen's sizes: KiB where no unit says otherwise. */
function sizeOf(value: string): number {
  const [, digits = '0', unit = 'k'] = /^(\d+)([bkmg]?)$/i.exec(value) ?? [];
  const shift = { b: 0, k: 10, m: 20, g: 30 }[(unit || 'k').toLowerCase()] ?? 10;
  return Number(digits.slice(0, 6)) * 2 ** shift;
}
