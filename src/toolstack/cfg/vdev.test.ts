import fc from 'fast-check';
import { expect, test } from 'vitest';
import { vdevName, vdevNumber } from './vdev.ts';

// The forms and figures of docs/man/xen-vbd-interface.7.pandoc.
test.each([
  ['xvda', 51712],
  ['xvda1', 51713],
  ['xvdb', 51728],
  ['xvdp15', 51967],
  ['xvda16', (1 << 28) | 16],
  ['xvdq', (1 << 28) | (16 << 8)],
  ['xvdaa1', (1 << 28) | (26 << 8) | 1],
  ['d0', undefined],
  ['d0p0', 51712],
  ['d16p1', (1 << 28) | (16 << 8) | 1],
  ['hda', 768],
  ['hdb2', 834],
  ['hdc', 5632],
  ['hdd63', 5759],
  ['hde', undefined],
  ['hda64', undefined],
  ['sda1', 2049],
  ['sdp15', 2303],
  ['sdq', undefined],
  ['sda16', undefined],
  ['51712', 51712],
  ['0xca00', 51712],
  ['2147483648', undefined],
  ['xvd', undefined],
  ['xvda01', undefined],
  ['xvda256', undefined],
  ['xvdA', undefined],
  ['xvda1x', undefined],
  ['', 0],
  ['vda', undefined],
])('%s is %s', (vdev, number) => {
  expect(vdevNumber(vdev)).toBe(number);
});

test('a xen disk has its name back from its number', () => {
  fc.assert(
    fc.property(fc.nat((1 << 20) - 1), fc.nat(255), (disk, partition) => {
      const number = vdevNumber(`d${disk}p${partition}`)!;
      expect(vdevNumber(vdevName(number))).toBe(number);
    }),
  );
  expect(['xvda', 'xvdp15', 'xvdz', 'xvdaa', 'xvdzz255'].map((name) => vdevName(vdevNumber(name)!))).toEqual([
    'xvda',
    'xvdp15',
    'xvdz',
    'xvdaa',
    'xvdzz255',
  ]);
});

test('any text is a number or nothing', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const number = vdevNumber(text);
      expect(number === undefined || (Number.isInteger(number) && number >= 0)).toBe(true);
    }),
  );
});
