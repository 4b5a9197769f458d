import { expect, test } from 'vitest';
import { SECOND } from '../../../events/units.ts';
import { bootedHost } from '../../../tools/fuzz/booted-host.ts';
import type { CoreCommand } from '../index.ts';

const watchdog = (id: number, timeout: number): CoreCommand => ({ type: 'sched.watchdog', domid: 1, id, timeout });

test.each<[string, CoreCommand[], CoreCommand, unknown]>([
  ['one is armed', [], watchdog(0, 5), { id: 1 }],
  ['... then the other', [watchdog(0, 5)], watchdog(0, 5), { id: 2 }],
  ['... and no more', [watchdog(0, 5), watchdog(0, 5)], watchdog(0, 5), 'ENOSPC'],
  ['it is armed anew', [watchdog(0, 5)], watchdog(1, 5), { id: 0 }],
  ['... and disarmed', [watchdog(0, 5), watchdog(1, 0)], watchdog(1, 5), 'EINVAL'],
  ['... which frees it', [watchdog(0, 5), watchdog(1, 0)], watchdog(0, 5), { id: 1 }],
  ['one that is not armed is not', [], watchdog(1, 5), 'EINVAL'],
  ['nor one that is not there', [watchdog(0, 5), watchdog(0, 5)], watchdog(3, 5), 'EINVAL'],
])('%s', (_, before, command, expected) => {
  expect(
    bootedHost()
      .prepare(...before)
      .answer(command),
  ).toEqual(expected);
});

test('a domain that does not pat it ends', () => {
  const host = bootedHost().prepare(watchdog(0, 5));
  host.advance(4 * SECOND);
  host.prepare(watchdog(1, 5));
  host.advance(4 * SECOND);
  expect(host.xen.domain.of(0)!.shut_down.is(1)).toBe('no');
  host.advance(SECOND);
  expect(host.xen.domain.of(0)!.shut_down.is(1)).toBe('watchdog');
});
