import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseRate, parseVif } from './vif.ts';

test.each([
  ['', {}],
  ['mac=00:16:3E:1:2:3, bridge=xenbr0', { mac: '00:16:3e:01:02:03', bridge: 'xenbr0' }],
  ['type=ioemu,model=e1000,vifname=web0,ip=10.0.0.9', { nictype: 'vif_ioemu', model: 'e1000', ifname: 'web0', ip: '10.0.0.9' }],
  ['script=vif-route,backend=net,gatewaydev=eth0', { script: 'vif-route', backend_domname: 'net', gatewaydev: 'eth0' }],
  ['devid=3,mtu=9000,untrusted', { devid: 3, mtu: 9000, trusted: false }],
  ['forwarddev=f,colo_compare_out=o', { coloft_forwarddev: 'f', colo_compare_out: 'o' }],
  ['mac=00:00:00:00:00:00', {}],
])('%s', (spec, nic) => {
  expect(parseVif(spec)).toEqual({ ok: true, nic, refused: [], warnings: [] });
});

test.each([
  ['bridge = xenbr0', {}, 1],
  ['type=netfront,ip=1', { ip: '1' }, 1],
  ['mac=00:16', { mac: '00:16:00:00:00:00' }, 1],
  // xl reads on behind the comma: the b of bridge is a byte of this address.
  ['mac=00:16,bridge=x', { mac: '00:16:0b:00:00:00', bridge: 'x' }, 1],
  ['mac=100:16:3e:0:0:1', {}, 1],
  ['toString=1,__proto__=2', {}, 2],
])('%s has words that are refused', (spec, nic, count) => {
  const parsed = parseVif(spec);
  expect(parsed).toMatchObject({ ok: true });
  expect(parsed.ok && parsed.nic).toEqual(nic);
  expect(parsed.ok && parsed.refused.length).toBe(count);
});

test('what is set for every interface counts until the specification says otherwise', () => {
  const parsed = parseVif('bridge=b', { bridge: 'a', script: 's' });
  expect(parsed.ok && parsed.nic).toEqual({ bridge: 'b', script: 's' });
});

test.each(['mtu=abc', 'devid=', 'mtu=18446744073709551615', 'rate=10'])('%s ends xl', (spec) => {
  expect(parseVif(spec)).toMatchObject({ ok: false, rc: 1 });
});

test.each([
  ['10Mb/s', 62_500n, 50_000],
  ['250KB/s', 12_500n, 50_000],
  ['1GB/s@20ms', 20_000_000n, 20_000],
  ['1MB/s@1', 1_000_000n, 1_000_000],
  ['8b/s@1000000u', 1n, 1_000_000],
  ['010MB/s', 400_000n, 50_000],
])('rate %s', (rate, rate_bytes_per_interval, rate_interval_usecs) => {
  expect(parseRate(rate)).toEqual({ ok: true, rate_bytes_per_interval, rate_interval_usecs });
});

test.each(['', '10', '10MB', '0MB/s', '4294967296B/s', '1MB/s@', '1MB/s@5m5', '1MB/s@0', '1MB/s@4295s'])(
  'rate %s is refused',
  (rate) => {
    expect(parseRate(rate).ok).toBe(false);
  },
);

test('any text is read or refused', () => {
  fc.assert(fc.property(fc.string(), (spec) => void parseVif(`mac=${spec},rate=1B/s@${spec},${spec}`)));
});
