// @introduceDomain and @releaseDomain as xenstored 4.22 knows them: whose event it is can be asked for (tools/xenstored/domain.c).
import { describe, expect, test } from 'vitest';
import { eventsOf, type OutcomeOf } from '../../events/step.ts';
import { FIRST_SOCKET, type XenstoreCommand, type XenstoreFact } from '../../events/xenstore.ts';
import { Journal } from '../tables/journal.ts';
import { decide } from './decide.ts';
import { evolve } from './evolve.ts';
import { profiles } from './profiles.ts';
import { XenStore } from './state.ts';
import { decode } from './wire.ts';

const S = FIRST_SOCKET;
function submit(store: XenStore, command: XenstoreCommand): OutcomeOf<XenstoreFact> {
  const outcome = decide(store, command, { exists: (domid) => domid < 100 });
  for (const event of eventsOf(outcome)) evolve(store, event, 0);
  return outcome;
}
const fired = (outcome: OutcomeOf<XenstoreFact>): string[] =>
  eventsOf(outcome).flatMap((event) => (event.type === 'xenstore.watch_fired' ? [`${event.path} ${event.token}`] : []));
const errnoOf = (outcome: OutcomeOf<XenstoreFact>): string => (outcome.ok ? 'ok' : outcome.errno);

/** A client with a watch of each kind, and domain 3, which is not dom0. */
function started(version: '4.17' | '4.22'): XenStore {
  const store = new XenStore(new Journal(), profiles[version]);
  submit(store, { type: 'xenstore.connect', domid: 0 });
  submit(store, { type: 'xenstore.introduce', conn: S, tx: 0, domid: 3, mfn: 1, port: 1 });
  for (const name of ['@releaseDomain', '@introduceDomain']) {
    submit(store, { type: 'xenstore.watch_depth', conn: S, path: name, token: 'deep', depth: 1 });
    submit(store, { type: 'xenstore.watch_depth', conn: S, path: name, token: 'flat', depth: 0 });
    submit(store, { type: 'xenstore.watch', conn: S, path: name, token: 'any' });
    submit(store, { type: 'xenstore.watch', conn: S, path: `${name}/5`, token: 'five' });
    submit(store, { type: 'xenstore.watch', conn: S, path: `${name}/6`, token: 'six' });
  }
  return store;
}

describe('which events there are, in order', () => {
  const introduce = { type: 'xenstore.introduce', conn: S, tx: 0, domid: 5, mfn: 1, port: 1 } as const;
  test.each([
    [
      '4.22',
      ['@introduceDomain any', '@introduceDomain/5 deep', '@introduceDomain/5 five'],
      ['@releaseDomain/5 deep', '@releaseDomain/5 five', '@releaseDomain any'],
      ['@releaseDomain any', '@releaseDomain/5 deep', '@releaseDomain/5 five'],
    ],
    ['4.17', ['@introduceDomain any'], ['@releaseDomain any'], ['@releaseDomain any']],
  ] as const)('%s', (version, introduced, shutDown, released) => {
    const store = started(version);
    expect(fired(submit(store, introduce))).toEqual(introduced);
    expect(fired(submit(store, introduce))).toEqual([]);
    expect(fired(submit(store, { type: 'xenstore.domain_shutdown', domid: 5 }))).toEqual(shutDown);
    expect(fired(submit(store, { type: 'xenstore.release', conn: S, tx: 0, domid: 5 }))).toEqual(released);
    submit(store, introduce);
    expect(fired(submit(store, { type: 'xenstore.domain_gone', domid: 5 }))).toEqual(released);
  });
});

describe('names with @ that no node has', () => {
  test.each([
    ['@none', S, 'ENOENT'],
    ['@releaseDomain/5', S, 'ENOENT'],
    ['@a b', S, 'EINVAL'],
    ['@none/', S, 'EINVAL'],
    ['@none', 3, 'EACCES'],
    // Any domain may read @releaseDomain, and so may know that there is nothing below it.
    ['@releaseDomain/5', 3, 'ENOENT'],
    ['@introduceDomain/5', 3, 'EACCES'],
  ] as const)('GET_PERMS %s by %i: %s', (path, conn, errno) => {
    expect(errnoOf(submit(started('4.22'), { type: 'xenstore.get_perms', conn, tx: 0, path }))).toBe(errno);
  });
  test.each([
    ['@none', S, 'ENOENT'],
    ['@none', 3, 'EACCES'],
    ['@releaseDomain/5', 3, 'EACCES'],
    ['@releaseDomain', 3, 'EACCES'],
    ['@releaseDomain', S, 'ok'],
  ] as const)('SET_PERMS %s by %i: %s', (path, conn, errno) => {
    expect(errnoOf(submit(started('4.22'), { type: 'xenstore.set_perms', conn, tx: 0, path, perms: ['n0'] }))).toBe(errno);
  });
  test('a guest that owns one may not give it away', () => {
    const store = started('4.22');
    submit(store, { type: 'xenstore.set_perms', conn: S, tx: 0, path: '@releaseDomain', perms: ['n3'] });
    expect(errnoOf(submit(store, { type: 'xenstore.set_perms', conn: 3, tx: 0, path: '@releaseDomain', perms: ['n0'] }))).toBe(
      'EPERM',
    );
    expect(
      errnoOf(submit(store, { type: 'xenstore.set_perms', conn: 3, tx: 0, path: '@releaseDomain', perms: ['n3', 'r0'] })),
    ).toBe('ok');
  });
});

test('GET_QUOTA: nothing asks for the names, an empty name is none', () => {
  const store = started('4.22');
  const ask = (payload: string): string => errnoOf(submit(store, decode(25, 0, payload, S, store.profile)));
  expect([ask(''), ask('\0'), ask('nodes\0'), ask('3\0nodes\0'), ask('3\0\0')]).toEqual(['ok', 'EINVAL', 'ok', 'ok', 'EINVAL']);
});

test('CONTROL: memreport and live-update take the arguments that they have', () => {
  const store = started('4.17');
  const ask = (text: string): string => {
    const outcome = submit(store, decode(0, 0, text.replaceAll('|', '\0'), S, store.profile));
    return outcome.ok ? String((outcome.value as { reply: string }).reply) : outcome.errno;
  };
  for (const text of [
    'memreport|',
    'memreport|a|b|',
    'live-update|',
    'live-update|-a|x|',
    'live-update|-c|',
    'live-update|-f|',
    'live-update|-x|',
  ])
    expect(ask(text), text).toBe('EINVAL');
  expect(ask('memreport|/a|')).toBe('OK');
  // Anything but OK is a refusal that xenstore-control shows.
  for (const text of ['live-update|-a|', 'live-update|-c|a|', 'live-update|-f|/a|', 'live-update|-s|-F|-t|9|'])
    expect(ask(text), text).toMatch(/live update|replaced/);
});
