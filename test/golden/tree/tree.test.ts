import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { utf8ToByteString } from '../../../events/bytes.ts';
import { SECOND } from '../../../events/units.ts';
import { Dispatcher } from '../../../machines/index.ts';
import { defaultHost } from '../../../src/host-config.ts';

// What stands in XenStore while a recorded guest runs on real Xen 4.17, and what stands there while ours runs from the same file.

const here = (name: string): string => readFileSync(new URL(name, import.meta.url), 'utf8');

/** Values that are another host's own, or that say truthfully that we have less: by path, with the reason. */
const different: readonly (readonly [RegExp, string])[] = [
  [/\/ring-ref$/, 'machine frames, and the guest kernel counts its grants by itself'],
  [/\/(tx|rx)-ring-ref$/, 'as above'],
  [/\/event-channel(-tx|-rx)?$/, 'the guest kernel has bound fewer ports before'],
  [/\/(node|physical-device|physical-device-path)$/, 'loop devices are numbered by domain and disk'],
  [/\/console\/tty$/, 'terminals are numbered by domain'],
  [/\/start_time$/, 'there is no wall clock in a run'],
  [/\/feature-max-indirect-segments$/, 'no indirect requests'],
  [/\/max-ring-page-order$/, 'rings of one page'],
  [/\/multi-queue-max-queues$/, 'one queue'],
  [/backend\/vif\/.*\/feature-(ctrl-ring|gso-tcpv4|gso-tcpv6|ipv6-csum-offload)$/, 'not offered'],
  [/\/control\/feature-suspend$/, 'our guest kernel does not suspend yet'],
];
const known = (path: string): boolean => different.some(([pattern]) => pattern.test(path));

test('the tree of a running PV guest, permissions included', () => {
  const files = [
    { path: '/lab/disk1.img', kind: 'disk', image: 0, sectors: 16384, readonly: false },
    { path: '/lab/guest/vmlinux', kind: 'kernel', builtin: 'builtin:linux' },
    { path: '/lab/guest/initrd.gz', kind: 'disk', image: 0, sectors: 16384, readonly: true },
  ] as const;
  const host = new Dispatcher({
    config: { ...defaultHost, memory_mib: 4096, dom0: { memory_mib: 1024, vcpus: 2 }, files },
    seed: 1,
    images: [{ sectors: 16384, read: (_, into) => void into.fill(0) }],
  });
  host.input({ type: 'host.boot' }, 'test');
  const config = utf8ToByteString(here('pv1.cfg'));
  host.input({ type: 'xl.run', argv: ['create', '/lab/pv1.cfg'], files: ['/lab/pv1.cfg', config] }, 'test');
  host.run(20 * SECOND);

  const recorded = new Map(
    here('xenstore-11-pv1-running.txt')
      .split('\n')
      .flatMap((line) => {
        const [, path, value] = /^(\S+) = (.*)$/.exec(line.trimEnd()) ?? [];
        return path === undefined ? [] : [[path, value!] as const];
      }),
  );
  const ours = new Map(
    [...host.host.store.ls('/')]
      .filter(({ path }) => path !== '/')
      .map(({ path, value, perms }) => [path, `"${value}"   (${perms.join(',')})`] as const),
  );
  expect([...ours.keys()].sort()).toEqual([...recorded.keys()].sort());
  const permissions = (text: string): string => text.slice(text.lastIndexOf('('));
  for (const [path, value] of recorded) {
    if (known(path)) expect([path, permissions(ours.get(path)!)]).toEqual([path, permissions(value)]);
    else expect([path, ours.get(path)]).toEqual([path, value]);
  }
});
