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

/** `2009-02-14T12:00:00Z` in seconds of Unix time; undefined for what is no moment since 1970. */
export function parseMoment(text: string): number | undefined {
  const match = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)Z$/.exec(text);
  if (!match) return undefined;
  const [year, month, day, hours, minutes, seconds] = match.slice(1).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  if (year < 1970 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month)) return undefined;
  if (hours > 23 || minutes > 59 || seconds > 59) return undefined;
  let days = day - 1;
  for (let past = 1970; past < year; past++) days += isLeap(past) ? 366 : 365;
  for (let past = 1; past < month; past++) days += daysIn(year, past);
  return ((days * 24 + hours) * 60 + minutes) * 60 + seconds;
}
const isLeap = (year: number): boolean => (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
const daysIn = (year: number, month: number): number =>
  month === 2 ? (isLeap(year) ? 29 : 28) : [4, 6, 9, 11].includes(month) ? 30 : 31;
