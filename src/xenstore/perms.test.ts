import fc from 'fast-check';
import { expect, test } from 'vitest';
import { atoi } from './numbers.ts';
import { countedLength, isValid, parentOf } from './path.ts';
import { accessFor, GONE, parsePermission, READ, readPermissions, WRITE, writePermissions } from './perms.ts';

const incarnationOf = (domid: number): number => (domid < 10 ? 0 : GONE);
const of = (...texts: string[]) => readPermissions(texts, incarnationOf);

test.each([
  ['n0', 0],
  ['r0', READ],
  ['b0', READ | WRITE],
  ['b0 n3', 0],
  ['n0 n3 b3', 0],
  ['n0 w3 b3', WRITE],
  ['n0 r3-', 0],
  ['n0 b4', 0],
])('domain 3, with %s, may %i', (perms, access) => {
  expect(accessFor({ domid: 3, target: -1 }, of(...perms.split(' ')), incarnationOf)).toBe(access);
});

test('an owner, dom0, and who has the owner for target, may all', () => {
  for (const who of [
    { domid: 3, target: -1 },
    { domid: 0, target: -1 },
    { domid: 4, target: 3 },
  ])
    expect(accessFor(who, of('n3'), incarnationOf)).toBe(7);
});

test.each([
  ['r3', 3],
  ['r0x10', 16],
  ['r010', 8],
  ['r 7', 7],
  ['r-1', -1],
  ['r', undefined],
  ['r3x', undefined],
  ['r08', undefined],
  ['x3', undefined],
  ['', undefined],
])('permission %j is for domain %j', (text, domid) => {
  expect(parsePermission(text)?.domid).toBe(domid);
});

test('permissions in facts come back as they were', () => {
  const entry = fc.tuple(fc.constantFrom('n', 'r', 'w', 'b'), fc.nat({ max: 20 })).map(([letter, domid]) => `${letter}${domid}`);
  fc.assert(
    fc.property(fc.array(entry, { minLength: 1 }), (texts) => {
      const perms = of(...texts);
      expect(readPermissions(writePermissions(perms, incarnationOf), incarnationOf)).toEqual(perms);
    }),
  );
});

test.each([
  ['12', 12],
  [' 3', 3],
  ['+4', 4],
  ['5x', 5],
  ['x', 0],
  ['', 0],
  ['-1', 4294967295],
  ['4294967296', 0],
  ['99999999999999999999', 4294967295],
])('atoi(%j) is %i', (text, value) => {
  expect(atoi(text)).toBe(value);
});

test.each([
  ['/', true],
  ['/a-B_0@/c', true],
  ['', false],
  ['a', false],
  ['/a/', false],
  ['//', false],
  ['/a//b', false],
  ['/a.b', false],
  ['/a\0', false],
])('path %j: %j', (path, valid) => {
  expect(isValid(path)).toBe(valid);
});

test('what counts of a path is what comes after the home of a domain', () => {
  expect(['/local/domain/12/abc', '/local/domain/12', '/abc'].map(countedLength)).toEqual([3, 16, 4]);
  expect(['/a/b', '/a', '/'].map(parentOf)).toEqual(['/a', '/', '/']);
});
