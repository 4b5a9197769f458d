import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseDuration, parseMoment, parseSize } from './quantities.ts';

describe('a duration', () => {
  test.each([
    ['60s', 60_000_000_000],
    ['1.5s', 1_500_000_000],
    ['0.1s', 100_000_000],
    ['200ms', 200_000_000],
    ['7us', 7_000],
    ['3ns', 3],
    ['1m30s', 90_000_000_000],
    ['2h', 7_200_000_000_000],
    ['0s', 0],
    ['0.000000001s', 1],
    ['104d', undefined],
    ['0.0000000001s', undefined],
    ['1.5ns', undefined],
    ['5', undefined],
    ['', undefined],
    ['s', undefined],
    ['-1s', undefined],
    ['1 s', undefined],
    ['1e3s', undefined],
    ['.5s', undefined],
    ['2502h', undefined],
    ['1s2', undefined],
  ])('%j is %s ns', (text, ns) => {
    expect(parseDuration(text)).toBe(ns);
  });
  test('any text is read without a throw', () => {
    fc.assert(
      fc.property(
        fc.string(),
        (text) => [undefined, 'number'].includes(typeof parseDuration(text)) || parseDuration(text) === undefined,
      ),
    );
  });
});

describe('a size', () => {
  test.each([
    ['512K', 524_288],
    ['64M', 67_108_864],
    ['64MiB', 67_108_864],
    ['64MB', 67_108_864],
    ['2G', 2_147_483_648],
    ['1.5G', 1_610_612_736],
    ['1T', 1_099_511_627_776],
    ['0.1K', undefined],
    ['64', undefined],
    ['64m', undefined],
    ['M', undefined],
    ['-1M', undefined],
    ['9999999T', undefined],
  ])('%j is %s bytes', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });
});

test('a moment is what Date takes it for', () => {
  const moment = fc.date({ min: new Date(0), max: new Date('9999-12-31T23:59:59Z'), noInvalidDate: true });
  fc.assert(
    fc.property(moment, (date) => {
      const text = date.toISOString().replace(/\.\d+Z$/, 'Z');
      expect(parseMoment(text)).toBe(Date.parse(text) / 1000);
    }),
  );
});
test.each(['2009-02-29T00:00:00Z', '1900-01-01T00:00:00Z', '2009-13-01T00:00:00Z', '2009-01-01T24:00:00Z', '2009-01-01', 'now'])(
  '%s is no moment',
  (text) => {
    expect(parseMoment(text)).toBeUndefined();
  },
);
