// Numbers and words in text, read as the C library reads them: the toolstack's formats are defined by these functions.

/** A number at the start of a text and where the text goes on. `end` is `start` when there was no number. */
export interface Scanned {
  readonly value: bigint;
  readonly end: number;
  /** The number does not fit (ERANGE); `value` is the nearest that does. */
  readonly overflow: boolean;
}

const LONG_MAX = (1n << 63n) - 1n;
export const ULONG_MAX = (1n << 64n) - 1n;

/** strtol(3): base 8, 10, 16, or 0 for a prefix that tells. 64 bits, signed. */
export function strtol(text: string, base: 0 | 8 | 10 | 16, start = 0): Scanned {
  const { magnitude, negative, end } = digits(text, base, start);
  const value = negative ? -magnitude : magnitude;
  if (value > LONG_MAX) return { value: LONG_MAX, end, overflow: true };
  if (value < -LONG_MAX - 1n) return { value: -LONG_MAX - 1n, end, overflow: true };
  return { value, end, overflow: false };
}

/** strtoul(3): as strtol, but unsigned: a minus sign negates modulo 2^64. */
export function strtoul(text: string, base: 0 | 8 | 10 | 16, start = 0): Scanned {
  const { magnitude, negative, end } = digits(text, base, start);
  if (magnitude > ULONG_MAX) return { value: ULONG_MAX, end, overflow: true };
  return { value: negative ? BigInt.asUintN(64, -magnitude) : magnitude, end, overflow: false };
}

/** atoi(3): 0 where there is no number; a number that does not fit loses its high bits. */
export const atoi = (text: string): number => int32(strtol(text, 10).value);

/** What a C `int` keeps of a wider number. */
export const int32 = (value: bigint): number => Number(BigInt.asIntN(32, value));
/** What a C `uint32_t` keeps of a wider number. */
export const uint32 = (value: bigint): number => Number(BigInt.asUintN(32, value));

/** strtok(3) to the end: the runs between delimiters; empty runs do not count. */
export function tokens(text: string, delimiters: string): string[] {
  const found: string[] = [];
  let start = 0;
  for (let at = 0; at <= text.length; at++) {
    if (at < text.length && !delimiters.includes(text[at]!)) continue;
    if (at > start) found.push(text.slice(start, at));
    start = at + 1;
  }
  return found;
}

/** Without the spaces in front: how xl reads the items of a comma-separated specification. */
export const skipSpaces = (text: string): string => text.replace(/^ +/, '');

/** Without isspace(3) characters at both ends. */
export const trim = (text: string): string => text.replace(/^[ \t-\r]+/, '').replace(/[ \t-\r]+$/, '');

/** The two first words around a delimiter, as xl's split_string_into_pair; undefined where there are fewer (tools/xl/xl_parse.c). */
export function pair(text: string, delimiter: string): readonly [string, string] | undefined {
  const [first, second] = tokens(text, delimiter);
  return first === undefined || second === undefined ? undefined : [first, second];
}

/** The value of a `key=value` word, where the word has this key. */
export const option = (word: string, key: string): string | undefined =>
  word.startsWith(`${key}=`) ? word.slice(key.length + 1) : undefined;

function digits(text: string, base: 0 | 8 | 10 | 16, start: number): { magnitude: bigint; negative: boolean; end: number } {
  let at = start;
  while (at < text.length && ' \t\n\v\f\r'.includes(text[at]!)) at++;
  const sign = text[at];
  if (sign === '-' || sign === '+') at++;
  let radix = base;
  const hex = /^0[xX][0-9a-fA-F]$/.test(text.slice(at, at + 3));
  if (radix === 0) radix = hex ? 16 : text[at] === '0' ? 8 : 10;
  if (radix === 16 && hex) at += 2;
  let magnitude = 0n;
  const first = at;
  for (; at < text.length; at++) {
    const digit = '0123456789abcdef'.indexOf(text[at]!.toLowerCase());
    if (digit < 0 || digit >= radix) break;
    // Beyond 80 bits every answer is "does not fit": stop growing, so that a long text costs its length only.
    if (magnitude >> 80n === 0n) magnitude = magnitude * BigInt(radix) + BigInt(digit);
  }
  return at === first ? { magnitude: 0n, negative: false, end: start } : { magnitude, negative: sign === '-', end: at };
}
