import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parsePci } from './pci.ts';

test.each([
  ['03:1f.7', { domain: 0, bus: 3, dev: 31, func: 7, vfunc_mask: 1 }],
  ['1a2b:03:00.*', { domain: 0x1a2b, bus: 3, dev: 0, func: 0, vfunc_mask: 0xffffffff }],
  [
    '03:00.0@5,permissive=1,seize=0',
    { domain: 0, bus: 3, dev: 0, func: 0, vfunc_mask: 1, vdevfn: 40, permissive: true, seize: false },
  ],
  [
    'bdf=03:00.0,vslot=1f,rdm_policy=Relaxed',
    { domain: 0, bus: 3, dev: 0, func: 0, vfunc_mask: 1, vdevfn: 248, rdm_policy: 'relaxed' },
  ],
  ['name=nic0', { name: 'nic0' }],
])('%s', (spec, pci) => {
  expect(parsePci(spec)).toEqual({ ok: true, pci });
});

test.each([
  '',
  '03:00',
  '03:20.0',
  '03:00.8',
  '100:00.0',
  '03:00.0@20',
  '03:00.0 ',
  '03:00.0,x=1',
  '03:00.0,name=a',
  'permissive=1',
  '1:2:3:4.0',
])('%j is refused', (spec) => {
  expect(parsePci(spec)).toMatchObject({ ok: false, rc: 6 });
});

test('any address comes back, and any text is read or refused', () => {
  const address = fc.record({ domain: fc.nat(0xffff), bus: fc.nat(0xff), dev: fc.nat(0x1f), func: fc.nat(7) });
  fc.assert(
    fc.property(address, fc.string(), ({ domain, bus, dev, func }, text) => {
      const spec = `${[domain, bus, dev].map((n) => n.toString(16)).join(':')}.${func}`;
      expect(parsePci(spec)).toEqual({ ok: true, pci: { domain, bus, dev, func, vfunc_mask: 1 } });
      expect(typeof parsePci(text).ok).toBe('boolean');
      expect(typeof parsePci(spec + text).ok).toBe('boolean');
    }),
  );
});
