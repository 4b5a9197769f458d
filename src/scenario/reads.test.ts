import { expect, test } from 'vitest';
import { readsOf } from './reads.ts';

test.each([
  ['create /etc/xen/a.cfg', ['/etc/xen/a.cfg']],
  ['create -c /etc/xen/a.cfg', ['/etc/xen/a.cfg']],
  ['create /etc/xen/a.cfg -c', ['/etc/xen/a.cfg']],
  ['-v create /etc/xen/a.cfg', ['/etc/xen/a.cfg']],
  ['create -f /a -p', ['/a']],
  ['create --defconfig /a', ['/a']],
  ['create --defconfig=/a', ['/a']],
  ['create /a memory=64', ['/a']],
  ['create /a /b', ['/a']],
  ['create -f', []],
  ['create', []],
  ['list', []],
  ['-v', []],
  ['destroy a', []],
])('xl %s reads %j', (line, paths) => {
  expect(readsOf(line.split(' '))).toEqual(paths);
});
test('no words, no files', () => {
  expect(readsOf([])).toEqual([]);
});
