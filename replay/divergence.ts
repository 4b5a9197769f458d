// The first difference between a log and what this code does with it, in words.
import type { Step } from '../events/vocabulary.ts';
import { type Link, shortened } from './why.ts';

export interface Divergence {
  readonly seq: number;
  /** What differs: an outcome, what was asked, what was read in guest memory, the final state. */
  readonly what: string;
  readonly expected: unknown;
  readonly got: unknown;
  /** The step in the log and what led to it, back to the input; the step itself first. Empty where no step stands there. */
  readonly causes: readonly Step[];
}

/** Same shape, same values; much faster than comparing JSON. */
export function same(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  for (const key of keys) if (!same((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key])) return false;
  return true;
}

/** A step in one line: number, time, who, what, and how it ended. */
export function describeStep({ seq, time, origin, command, outcome }: Step): string {
  const { type, ...args } = command;
  const end = outcome.ok ? '' : ` -> ${outcome.errno}`;
  return `#${seq} ${formatTime(time)} ${origin}: ${type} ${show(args)}${end}`;
}

/** Seconds with as many digits as the nanoseconds need: 20.000000001s. */
export function formatTime(time: number): string {
  const seconds = Math.floor(time / 1e9);
  const rest = String(time % 1e9)
    .padStart(9, '0')
    .replace(/0+$/, '');
  return rest === '' ? `${seconds}s` : `${seconds}.${rest}s`;
}

/** A value for people; bytes and long texts are cut. */
export function show(value: unknown): string {
  const text = JSON.stringify(value, (_, one: unknown) => (one instanceof Uint8Array ? `${one.length} bytes` : one)) ?? 'nothing';
  return text.length > 240 ? `${text.slice(0, 237)}...` : text;
}

export function describeDivergence({ seq, what, expected, got, causes }: Divergence): string[] {
  const lines = [`step ${seq}: ${what}`, `  in the log: ${show(expected)}`, `  here:       ${show(got)}`];
  for (const line of describeCauses(shortened(causes), 'the step: ')) lines.push(`  ${line}`);
  return lines;
}

/** A chain of causes, a line for each. */
export function* describeCauses(chain: Iterable<Link>, first = ''): Generator<string> {
  let lead = first;
  for (const link of chain) {
    yield typeof link === 'number' ? `and of ${link} more like these` : `${lead}${describeStep(link)}`;
    lead = 'because of ';
  }
}
