import { join } from 'node:path';
import { expect, test } from 'vitest';
import { hypercallsPage } from './hypercalls-table.ts';

test('docs/hypercalls.md is what the code says', async () => {
  await expect(hypercallsPage()).toMatchFileSnapshot(join(import.meta.dirname, '../../docs/hypercalls.md'));
});

test.each([
  ['event_channel_op', 'bind_virq', 'done'],
  ['grant_table_op', 'transfer', 'done'],
  ['xsm_op', '', '-ENOSYS, as Xen without FLASK'],
  ['set_timer_op', '', 'done'],
])('%s %s is %s', (hypercall, name, status) => {
  const line = hypercallsPage()
    .split('\n')
    .find((row) => row.startsWith(`| ${hypercall} `) && row.includes(`| ${name} |`.replace('  ', ' ')));
  expect(line?.endsWith(`| ${status} |`)).toBe(true);
});
