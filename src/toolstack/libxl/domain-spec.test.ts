import fc from 'fast-check';
import { expect, test } from 'vitest';
import { domainSpec } from './domain-spec.ts';

const spec = (config: object) => domainSpec(JSON.stringify(config))!;

test("libxl's defaults where the configuration says nothing", () => {
  expect(spec({})).toMatchObject({
    type: 'pv',
    max_vcpus: 1,
    avail_vcpus: [0],
    target_memkb: 32 * 1024,
    max_memkb: 32 * 1024,
    event_channels: 1023,
    max_grant_frames: -1,
    max_grant_version: 1,
    disks: [],
    nics: [],
    actions: { poweroff: 'destroy', reboot: 'destroy', crash: 'destroy' },
  });
});

test.each([
  [
    'a disk is read-only unless it says otherwise',
    { vdev: 'xvda', pdev_path: '/a' },
    { devid: 51712, writable: false, discard: false },
  ],
  ['a writable one discards', { vdev: 'xvdb', readwrite: 1 }, { devid: 51728, writable: true, discard: true, trusted: true }],
  ['unless it must not', { vdev: 'xvdb', readwrite: 1, discard_enable: 'False' }, { writable: true, discard: false }],
  ['a CD-ROM', { vdev: 'hdc', is_cdrom: 1, removable: 1 }, { devid: 5632, cdrom: true, removable: true }],
  ['a script of its own', { vdev: 'xvda', script: 'block-nbd' }, { script: '/etc/xen/scripts/block-nbd' }],
  ['an absolute one', { vdev: 'xvda', script: '/opt/block' }, { script: '/opt/block' }],
  ['no disk at all', { vdev: 'zzz' }, { devid: undefined, vdev: 'zzz' }],
])('%s', (_, disk, expected) => {
  expect(spec({ disks: [disk] }).disks[0]).toMatchObject(expected);
});

test.each([
  ['defaults', {}, { devid: 0, bridge: 'xenbr0', script: '/etc/xen/scripts/vif-bridge', mtu: 1500, rate: '' }],
  ['rate', { rate_bytes_per_interval: 62500, rate_interval_usecs: 50000 }, { rate: '62500,50000' }],
  ['ids of its own', { devid: 7, mac: '00:16:3e:01:02:03' }, { devid: 7, mac: '00:16:3e:01:02:03' }],
])('a network interface: %s', (_, nic, expected) => {
  expect(spec({ nics: [nic] }).nics[0]).toMatchObject(expected);
});

test.each([
  [-1, 1],
  [1, 1],
  [2, 2],
])('max_grant_version %i is version %i', (max_grant_version, version) => {
  expect(spec({ b_info: { max_grant_version } })).toMatchObject({ max_grant_version: version });
});

test('memory below maxmem, and above', () => {
  expect(spec({ b_info: { target_memkb: 1000, max_memkb: 2000 } })).toMatchObject({ target_memkb: 1000, max_memkb: 2000 });
  expect(spec({ b_info: { target_memkb: 3000, max_memkb: 2000 } })).toMatchObject({ target_memkb: 3000, max_memkb: 3000 });
  expect(spec({ b_info: { max_memkb: 2000 } })).toMatchObject({ target_memkb: 2000, max_memkb: 2000 });
});

test('any JSON is a domain, any other text is none, and a domain is plain JSON', () => {
  expect(domainSpec('{')).toBeUndefined();
  fc.assert(
    fc.property(fc.json({ maxDepth: 4 }), (json) => {
      const read = domainSpec(json);
      expect(read).toBeDefined();
      expect(JSON.parse(JSON.stringify(read))).toEqual(read);
    }),
  );
  fc.assert(
    fc.property(
      fc.record({
        c_info: fc.jsonValue(),
        b_info: fc.jsonValue(),
        disks: fc.array(fc.jsonValue()),
        nics: fc.array(fc.jsonValue()),
      }),
      (config) => {
        expect(spec(config).disks.length).toBe(config.disks.length);
      },
    ),
  );
});
