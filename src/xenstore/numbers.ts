// Numbers as the C library reads them: clients write domain ids by hand, and xenstored 4.17 takes whatever strtol makes of them.

/** The number at the start of `text` and how many characters it took; 0 characters when there is none. As strtol(3), saturating at 64 bits. */
export function strtol(text: string, base: 0 | 10): { value: bigint; length: number } {
  const match = (base === 0 ? anyBase : decimal).exec(text);
  if (!match) return { value: 0n, length: 0 };
  const [all, sign, digits] = match as unknown as [string, string, string];
  const magnitude = BigInt(base === 0 && /^0[0-7]/.test(digits) ? `0o${digits.slice(1)}` : digits);
  const value = sign === '-' ? -magnitude : magnitude;
  return { value: value > LONG_MAX ? LONG_MAX : value < LONG_MIN ? LONG_MIN : value, length: all.length };
}

/** As `(unsigned int)atoi(text)`: junk is 0, -1 is 4294967295. */
export const atoi = (text: string): number => {
  const { length } = text;
  const code = length === 0 ? 0 : text.charCodeAt(0);
  if (length < 10 && code > 0x30 && code <= 0x39 && /^\d+$/.test(text)) return Number(text);
  return Number(BigInt.asUintN(32, strtol(text, 10).value));
};

const decimal = /^[ \t-\r]*([+-]?)(\d+)/;
const anyBase = /^[ \t-\r]*([+-]?)(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9]\d*)/;
const LONG_MAX = 2n ** 63n - 1n;
const LONG_MIN = -(2n ** 63n);
