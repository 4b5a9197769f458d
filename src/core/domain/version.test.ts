import { expect, test } from 'vitest';
import { bootedHost } from '../../../tools/fuzz/booted-host.ts';
import { smallMachine } from '../../../tools/fuzz/core-host.ts';
import type { CoreCommand } from '../index.ts';

test.each<[CoreCommand, unknown]>([
  [{ type: 'xen_version.version', domid: 1 }, { version: (4 << 16) | 17 }],
  [{ type: 'xen_version.extraversion', domid: 1 }, { extraversion: '.7' }],
  [{ type: 'xen_version.pagesize', domid: 1 }, { pagesize: 4096 }],
  [{ type: 'xen_version.platform_parameters', domid: 1 }, { virt_start: '0xffff800000000000' }],
  [{ type: 'xen_version.get_features', domid: 0, submap_idx: 0 }, { submap: 141552 }],
  [{ type: 'xen_version.get_features', domid: 1, submap_idx: 0 }, { submap: 139504 }],
  [{ type: 'xen_version.get_features', domid: 2, submap_idx: 0 }, { submap: 74501 }],
  [{ type: 'xen_version.get_features', domid: 1, submap_idx: 1 }, 'EINVAL'],
  [{ type: 'xen_version.guest_handle', domid: 1 }, { handle: '00112233-4455-6677-8899-aabbccddeeff' }],
  [{ type: 'xen_version.commandline', domid: 0 }, { commandline: 'noreboot' }],
  [{ type: 'xen_version.commandline', domid: 1 }, { commandline: '<denied>' }],
  [{ type: 'xen_version.build_id', domid: 0 }, { build_id: '151b373fd64b321593bf987fd923cd10dabadac4' }],
  [{ type: 'xen_version.build_id', domid: 1 }, 'EPERM'],
])('%o', (command, expected) => {
  expect(bootedHost({ ...smallMachine, commandline: 'noreboot' }).answer(command)).toEqual(expected);
});
