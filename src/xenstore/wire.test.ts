import fc from 'fast-check';
import { expect, test } from 'vitest';
import { accept, refuse } from '../../events/step.ts';
import { requestTypes } from '../../events/xenstore.ts';
import { profiles } from './profiles.ts';
import { decode, encodeReply, encodeStep, encodeWatchEvent } from './wire.ts';

const typeOf = (name: string): number => requestTypes.indexOf(name as (typeof requestTypes)[number]);

test.each([
  ['READ', '/a\0', { type: 'xenstore.read', path: '/a' }],
  ['READ', '/a', { type: 'xenstore.malformed', op: 'READ', payload: '/a' }],
  ['READ', '/a\0\0', { type: 'xenstore.malformed', op: 'READ', payload: '/a\0\0' }],
  ['WRITE', '/a\0v\0', { type: 'xenstore.write', path: '/a', value: 'v\0' }],
  ['WRITE', '/a\0', { type: 'xenstore.write', path: '/a', value: '' }],
  ['SET_PERMS', '/a\0n0\0r1\0tail', { type: 'xenstore.set_perms', path: '/a', perms: ['n0', 'r1'] }],
  ['DIRECTORY_PART', '/a\x0012\0', { type: 'xenstore.directory_part', path: '/a', offset: 12 }],
  ['TRANSACTION_END', 'T\0', { type: 'xenstore.transaction_end', commit: true }],
  ['TRANSACTION_END', 'X\0', { type: 'xenstore.malformed', op: 'TRANSACTION_END', payload: 'X\0' }],
  ['INTRODUCE', '3\x005\x00-3\0', { type: 'xenstore.introduce', domid: 3, mfn: 5, port: 4294967293 }],
  ['GET_DOMAIN_PATH', 'junk\0', { type: 'xenstore.get_domain_path', domid: 0 }],
  ['RESET_WATCHES', 'anything', { type: 'xenstore.reset_watches' }],
  ['WATCH', '/a\0t\x001\0', { type: 'xenstore.malformed', op: 'WATCH', payload: '/a\0t\x001\0' }],
])('decode %s %j', (op, payload, command) => {
  expect(decode(typeOf(op), 5, payload, 3)).toEqual({ conn: 3, tx: 5, ...command });
});

test('WATCH and UNWATCH have no transaction; 4.22 knows a depth, and is strict with domain ids', () => {
  expect(decode(typeOf('WATCH'), 5, '/a\0t\0', 3)).toEqual({ type: 'xenstore.watch', conn: 3, path: '/a', token: 't' });
  const strict = profiles['4.22'];
  expect(decode(typeOf('WATCH'), 5, '/a\0t\x001x\0', 3, strict)).toEqual({
    type: 'xenstore.watch_depth',
    conn: 3,
    path: '/a',
    token: 't',
    depth: 1,
  });
  expect(decode(typeOf('RELEASE'), 0, '3x\0', 3, strict)).toMatchObject({ type: 'xenstore.malformed', op: 'RELEASE' });
});

test('a number of no request', () => {
  expect(decode(99, 0, '', 3)).toEqual({ type: 'xenstore.malformed', conn: 3, tx: 0, op: 'unknown', payload: '' });
});

const bytes = fc.string({ unit: fc.nat({ max: 255 }).map((code) => String.fromCharCode(code)) });
test('decode never throws, and keeps connection and transaction', () => {
  fc.assert(
    fc.property(fc.nat(), fc.nat(), bytes, fc.constantFrom(profiles['4.17'], profiles['4.22']), (type, tx, payload, profile) => {
      const command = decode(type % 40, tx, payload, 7, profile);
      expect(command).toMatchObject('tx' in command ? { conn: 7, tx } : { conn: 7 });
    }),
  );
});

test('a path and a value come back as they were sent, whatever the bytes', () => {
  const path = fc.string({ unit: fc.integer({ min: 1, max: 255 }).map((code) => String.fromCharCode(code)) });
  fc.assert(
    fc.property(path, bytes, (at, value) => {
      const command = decode(typeOf('WRITE'), 0, `${at}\0${value}`, 0);
      expect(command).toMatchObject({ path: at, value });
      expect(encodeReply({ type: 'xenstore.read', conn: 0, tx: 0, path: at }, accept({ value }))).toEqual({
        type: typeOf('READ'),
        payload: value,
      });
    }),
  );
});

test('replies', () => {
  const read = { type: 'xenstore.read', conn: 3, tx: 0, path: '/a' } as const;
  const list = { ...read, type: 'xenstore.directory' } as const;
  expect(encodeReply(read, refuse('ENOENT'))).toEqual({ type: typeOf('ERROR'), payload: 'ENOENT\0' });
  expect(encodeReply(list, accept({ children: [] }))).toEqual({ type: typeOf('DIRECTORY'), payload: '' });
  expect(encodeReply(list, accept({ children: ['b', 'a'] }))).toEqual({ type: typeOf('DIRECTORY'), payload: 'b\0a\0' });
  expect(encodeReply(list, accept({ children: ['x'.repeat(4096)] }))).toEqual({ type: typeOf('ERROR'), payload: 'E2BIG\0' });
  expect(encodeReply({ ...read, type: 'xenstore.rm' }, accept())).toEqual({ type: typeOf('RM'), payload: 'OK\0' });
  expect(encodeWatchEvent({ path: '/a', token: 't' })).toEqual({ type: typeOf('WATCH_EVENT'), payload: '/a\0t\0' });
});

test('events come before the reply, but for the first of a watch and the deferred end of a domain', () => {
  const fired = { type: 'xenstore.watch_fired', conn: 3, path: '/a', token: 't' } as const;
  const order = (...of: Parameters<typeof encodeStep>): boolean[] => encodeStep(...of).map(({ reply }) => reply);
  expect(order({ type: 'xenstore.mkdir', conn: 3, tx: 0, path: '/a' }, accept({}, fired))).toEqual([false, true]);
  expect(order({ type: 'xenstore.watch', conn: 3, path: '/a', token: 't' }, accept({}, fired))).toEqual([true, false]);
  expect(order({ type: 'xenstore.release', conn: 0, tx: 0, domid: 4 }, accept({ deferred: true }, fired))).toEqual([true, false]);
  expect(order({ type: 'xenstore.domain_gone', domid: 4 }, accept({}, fired))).toEqual([false]);
});
