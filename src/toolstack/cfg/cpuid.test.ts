import { expect, test } from 'vitest';
import { CpuidMasks } from './cpuid.ts';

const mask = (bits: Readonly<Record<number, string>>): string =>
  Array.from({ length: 32 }, (_, i) => bits[31 - i] ?? 'x').join('');

test.each([
  ['tm=0', { leaf: 1, edx: mask({ 29: '0' }) }],
  ['avx2=k', { leaf: 7, subleaf: 0, ebx: mask({ 5: 'k' }) }],
  ['itsc=1', { leaf: 0x80000007, edx: mask({ 8: '1' }) }],
  ['stepping=5', { leaf: 1, eax: mask({ 3: '0', 2: '1', 1: '0', 0: '1' }) }],
  ['model=0x3a', { leaf: 1, eax: 'xxxxxxxxxxxx0011xxxxxxxx1010xxxx' }],
  ['family=6', { leaf: 1, eax: 'xxxx00000000xxxxxxxx0110xxxxxxxx' }],
  ['family=21', { leaf: 1, eax: 'xxxx00000110xxxxxxxx1111xxxxxxxx' }],
])('%s', (entry, leaf) => {
  const masks = new CpuidMasks();
  expect(masks.set(entry)).toBeUndefined();
  expect(masks).toEqual({ cpuid: [leaf], msr: [] });
});

test('an MSR has its bits counted from the right of 64', () => {
  const masks = new CpuidMasks();
  expect([masks.set('rdcl-no=1'), masks.set('its-no=s')]).toEqual([undefined, undefined]);
  expect(masks.msr).toEqual([{ index: 0x10a, policy: `xk${'x'.repeat(61)}1` }]);
  expect(masks.cpuid).toEqual([]);
});

test.each(['tm', 'nosuch=1', 'tm=q', 'tm=', '__proto__=1', 'rdcl-no=10'])('%s is refused', (entry) => {
  expect(new CpuidMasks().set(entry)).toBeDefined();
});

test('the old form: registers of a leaf, the good ones before a bad one stay', () => {
  const masks = new CpuidMasks();
  const bits = '0'.repeat(32);
  expect(masks.setRegisters(`0x7,0:eax=${bits}, edx=${bits}`)).toBeUndefined();
  expect(masks.setRegisters(`1:ecx=${bits},exx=1`)).toBeDefined();
  expect(masks.setRegisters('eax=0')).toBeDefined();
  expect(masks.setRegisters('1,:eax=0')).toBeDefined();
  expect(masks.setRegisters('1')).toBeDefined();
  expect(masks.cpuid).toEqual([
    { leaf: 7, subleaf: 0, eax: bits, edx: bits },
    { leaf: 1, ecx: bits },
  ]);
});
