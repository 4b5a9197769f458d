// Quantities as people write them: 5s, 1m30s, 64M. Integers only; a fraction is read digit by digit.
import { END_OF_TIME, MS, type Ns, SECOND, US } from '../../events/units.ts';

const timeUnits: Readonly<Record<string, Ns>> = { ns: 1, us: US, ms: MS, s: SECOND, m: 60 * SECOND, h: 3600 * SECOND };
const sizeUnits: Readonly<Record<string, number>> = { K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };

/** `60s`, `1.5s`, `200ms`, `1m30s`, `1h`: one or more numbers, each with its unit; undefined for anything else, and for 2^53 ns and more. */
export function parseDuration(text: string): Ns | undefined {
  if (!/^(\d+(\.\d+)?(ns|us|ms|s|m|h))+$/.test(text)) return undefined;
  let total = 0;
  for (const [, number, unit] of text.matchAll(/(\d+(?:\.\d+)?)([a-z]+)/g)) {
    const ns = times(number!, timeUnits[unit!]!);
    if (ns === undefined) return undefined;
    total += ns;
  }
  return total < END_OF_TIME ? total : undefined;
}

/** `64M`, `1.5G`, `512K`: bytes, with binary units; undefined for anything else. */
export function parseSize(text: string): number | undefined {
  const [, number, unit] = /^(\d+(?:\.\d+)?)([KMGT])(?:i?B)?$/.exec(text) ?? [];
  return number === undefined ? undefined : times(number, sizeUnits[unit!]!);
}

/** A decimal number times a unit, where that is a whole number that a double holds exactly. */
function times(number: string, unit: number): number | undefined {
  const [whole, fraction = ''] = number.split('.');
  const scaled = BigInt(whole! + fraction) * BigInt(unit);
  const divisor = 10n ** BigInt(fraction.length);
  const value = scaled / divisor;
  return scaled % divisor === 0n && value < BigInt(END_OF_TIME) ? Number(value) : undefined;
}
