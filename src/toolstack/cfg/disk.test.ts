import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseDisk } from './disk.ts';

const rw = { format: 'raw', readwrite: 1 };

test.each([
  // docs/man/xl-disk-configuration.5.pod.in: one disk in many ways.
  ['/dev/vg/guest,raw,xvda,rw', { ...rw, pdev_path: '/dev/vg/guest', vdev: 'xvda' }],
  ['/dev/vg/guest,,xvda', { ...rw, pdev_path: '/dev/vg/guest', vdev: 'xvda' }],
  ['format=raw, vdev=xvda, access=rw, target=/dev/vg/guest', { ...rw, pdev_path: '/dev/vg/guest', vdev: 'xvda' }],
  ['raw:/dev/vg/guest,xvda,w', { ...rw, pdev_path: '/dev/vg/guest', vdev: 'xvda' }],
  ['/root/a.qcow2,qcow2,xvdb,ro', { pdev_path: '/root/a.qcow2', format: 'qcow2', vdev: 'xvdb', readwrite: 0 }],
  // The old prefixes.
  ['phy:/dev/vg/a,sda1,w', { ...rw, pdev_path: '/dev/vg/a', vdev: 'sda1' }],
  ['file:/a.img,xvda1,r', { format: 'raw', pdev_path: '/a.img', vdev: 'xvda1', readwrite: 0 }],
  ['tap:aio:/a.img,xvda,w', { ...rw, pdev_path: '/a.img', vdev: 'xvda' }],
  ['tap2:qcow2:/a.img,xvda,w', { pdev_path: '/a.img', format: 'qcow2', vdev: 'xvda', readwrite: 1 }],
  ['drbd:web,xvda,w', { ...rw, pdev_path: 'web', script: 'block-drbd', vdev: 'xvda' }],
  // A CD drive, empty or not, old and new.
  [',,hdc:cdrom', { pdev_path: '', format: 'empty', vdev: 'hdc', is_cdrom: 1, removable: 1, readwrite: 0 }],
  ['vdev=hdc,cdrom', { format: 'empty', vdev: 'hdc', is_cdrom: 1, removable: 1, readwrite: 0 }],
  ['file:/x.iso,hdc:cdrom,r', { pdev_path: '/x.iso', format: 'raw', vdev: 'hdc', is_cdrom: 1, removable: 1, readwrite: 0 }],
  // Everything by name.
  [
    'vdev=xvda,backend=disks,backendtype=qdisk,script=block-x,direct-io-safe,no-discard,untrusted,target=a,b=c',
    {
      ...rw,
      vdev: 'xvda',
      backend_domname: 'disks',
      backend: 'qdisk',
      script: 'block-x',
      direct_io_safe: true,
      discard_enable: false,
      trusted: false,
      pdev_path: 'a,b=c',
    },
  ],
  // A lone `=` at the end goes unnoticed in libxlu.
  ['vdev=xvda,a=', { ...rw, vdev: 'xvda', pdev_path: 'a' }],
])('%s', (spec, disk) => {
  expect(parseDisk(spec)).toEqual({ ok: true, disk });
});

test.each([
  ['/a.img', 1, /no vdev/],
  ['vdev=xvda', 1, /no target/],
  ['/a.img,raw,xvda,rw,more', 1, /one word too many/],
  ['/a.img,raw,xvda,x', 1, /access is/],
  ['/a.img,iso,xvda', 1, /format is one of/],
  ['format=raw,format=vhd,vdev=xvda,target=/a', 1, /format is given twice/],
  ['vdev=xvda,vdev=xvdb,target=/a', 1, /vdev is given twice/],
  ['foo:/a,xvda,w', 1, /no disk prefix 'foo:'/],
  ['phy:/a,hdc:tape,r', 1, /cdrom or disk/],
  ['vdev=xvda,colour=red,target=/a', 1, /no parameter 'colour'/],
  ['vdev=xvda,colo-port=x,target=/a', 1, /colo-port/],
])('%s is refused', (spec, count, message) => {
  const parsed = parseDisk(spec);
  expect(parsed).toMatchObject({ ok: false, rc: 1 });
  const errors = parsed.ok ? [] : parsed.errors;
  expect(errors.length).toBe(count);
  expect(errors[0]).toMatch(message);
});

test('several arguments fill one disk', () => {
  expect(parseDisk('phy:/a', 'xvdb', 'r')).toEqual({
    ok: true,
    disk: { format: 'raw', pdev_path: '/a', vdev: 'xvdb', readwrite: 0 },
  });
});

test('any text is a disk or an error', () => {
  const words = fc.constantFrom(
    'vdev=',
    'xvda',
    ',',
    '=',
    'phy:',
    '/a',
    'raw',
    ' ',
    '\n',
    'cdrom',
    'target=',
    ':',
    'access=r',
    'toString',
  );
  const text = fc.oneof(
    fc.string(),
    fc.array(words, { maxLength: 12 }).map((parts) => parts.join('')),
  );
  fc.assert(
    fc.property(text, (spec) => {
      const parsed = parseDisk(spec);
      if (parsed.ok) expect(parsed.disk.vdev).toBeDefined();
      else expect(parsed.errors.length).toBeGreaterThan(0);
    }),
    { numRuns: 1000 },
  );
});
