import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ipToText, isGroupMac, isUnicastIp, macToText, sameSubnet, textToIp, textToMac } from './address.ts';

test.each([
  ['00:16:3e:00:00:01', 0x0016_3e00_0001],
  ['ff:ff:ff:ff:ff:ff', 0xffff_ffff_ffff],
  ['00:00:00:00:00:00', 0],
])('mac %s', (text, mac) => {
  expect(textToMac(text)).toBe(mac);
  expect(textToMac(text.toUpperCase())).toBe(mac);
  expect(macToText(mac)).toBe(text);
});

test.each(['', '00:16:3e:00:00', '00:16:3e:00:00:01:02', '0:16:3e:0:0:1', '00-16-3e-00-00-01', '00:16:3e:00:00:0g'])(
  'no mac: %j',
  (text) => {
    expect(textToMac(text)).toBeUndefined();
  },
);

test.each([
  ['10.0.0.1', 0x0a00_0001],
  ['255.255.255.255', 0xffff_ffff],
  ['0.0.0.0', 0],
])('ip %s', (text, ip) => {
  expect(textToIp(text)).toBe(ip);
  expect(ipToText(ip)).toBe(text);
});

test.each(['', '10.0.0', '10.0.0.1.2', '10.0.0.256', '10.0.0.01', '10.0.0.-1', '10.0.0. 1', '1e1.0.0.1', '10..0.1'])(
  'no ip: %j',
  (text) => {
    expect(textToIp(text)).toBeUndefined();
  },
);

describe('kinds', () => {
  test.each([
    ['00:16:3e:00:00:01', false],
    ['01:80:c2:00:00:00', true],
    ['33:33:00:00:00:01', true],
    ['fe:ff:ff:ff:ff:ff', false],
    ['ff:ff:ff:ff:ff:ff', true],
  ])('%s is a group: %s', (text, group) => {
    expect(isGroupMac(textToMac(text)!)).toBe(group);
  });

  test.each([
    ['0.0.0.0', false],
    ['1.0.0.0', true],
    ['10.0.0.1', true],
    ['223.255.255.255', true],
    ['224.0.0.1', false],
    ['255.255.255.255', false],
  ])('%s is one host: %s', (text, unicast) => {
    expect(isUnicastIp(textToIp(text)!)).toBe(unicast);
  });

  test.each([
    ['10.0.0.1', '10.0.0.255', '255.255.255.0', true],
    ['10.0.0.1', '10.0.1.1', '255.255.255.0', false],
    ['192.168.0.1', '64.168.0.1', '255.0.0.0', false],
    ['10.0.0.1', '200.0.0.1', '0.0.0.0', true],
  ])('%s and %s under %s: %s', (a, b, netmask, same) => {
    expect(sameSubnet(textToIp(a)!, textToIp(b)!, textToIp(netmask)!)).toBe(same);
  });
});

test('text and back', () => {
  fc.assert(fc.property(fc.maxSafeNat(), (n) => textToMac(macToText(n % 2 ** 48)) === n % 2 ** 48));
  fc.assert(fc.property(fc.nat(0xffff_ffff), (ip) => textToIp(ipToText(ip)) === ip));
});
