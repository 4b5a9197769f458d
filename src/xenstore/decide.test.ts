import { expect, test } from 'vitest';
import { eventsOf, type OutcomeOf } from '../../events/step.ts';
import { FIRST_SOCKET, type XenstoreCommand, type XenstoreFact } from '../../events/xenstore.ts';
import { Journal } from '../tables/journal.ts';
import { decide } from './decide.ts';
import { evolve } from './evolve.ts';
import { invariants } from './invariants.ts';
import { profiles } from './profiles.ts';
import { XenStore } from './state.ts';

const S = FIRST_SOCKET;
const home = '/local/domain/3';
const domains = { exists: (domid: number) => domid < 100 };

function submit(store: XenStore, command: XenstoreCommand): OutcomeOf<XenstoreFact> {
  const outcome = decide(store, command, domains);
  for (const event of eventsOf(outcome)) evolve(store, event, 0);
  for (const [name, invariant] of Object.entries(invariants)) expect([...invariant(store)], name).toEqual([]);
  return outcome;
}

/** dom0 has a socket, domain 3 its home, and dom0 keeps a secret. */
function started(version: '4.17' | '4.22' = '4.17'): XenStore {
  const store = new XenStore(new Journal(), profiles[version]);
  for (const command of [
    { type: 'xenstore.connect', domid: 0 },
    { type: 'xenstore.introduce', conn: S, tx: 0, domid: 3, mfn: 7, port: 1 },
    { type: 'xenstore.write', conn: S, tx: 0, path: `${home}/name`, value: 'web' },
    { type: 'xenstore.set_perms', conn: S, tx: 0, path: home, perms: ['n3'] },
    { type: 'xenstore.set_perms', conn: S, tx: 0, path: `${home}/name`, perms: ['n0', 'r3'] },
    { type: 'xenstore.write', conn: S, tx: 0, path: '/secret', value: 'dom0' },
  ] as const)
    expect(submit(store, command).ok).toBe(true);
  return store;
}

/** The value or the errno, then the facts: `write /a` for a fact about the node /a. */
function shown(outcome: OutcomeOf<XenstoreFact>): string {
  const facts = eventsOf(outcome).map(({ type, ...fact }) => {
    const subject = 'path' in fact ? ` ${fact.path}` : 'domid' in fact ? ` d${fact.domid}` : '';
    const who =
      type === 'xenstore.watch_fired' && 'token' in fact
        ? ` ${fact.token}`
        : 'tx' in fact && fact.tx !== 0
          ? ` tx${fact.tx}`
          : '';
    return `${type.slice('xenstore.'.length)}${subject}${who}`;
  });
  return [outcome.ok ? JSON.stringify(outcome.value) : outcome.errno, ...facts].join(', ');
}

type Row = readonly [what: string, setup: readonly XenstoreCommand[], command: XenstoreCommand, outcome: string];
const read = (conn: number, path: string, tx = 0): XenstoreCommand => ({ type: 'xenstore.read', conn, tx, path });
const write = (conn: number, path: string, tx = 0): XenstoreCommand => ({ type: 'xenstore.write', conn, tx, path, value: 'v' });
const mkdir = (conn: number, path: string, tx = 0): XenstoreCommand => ({ type: 'xenstore.mkdir', conn, tx, path });
const rm = (conn: number, path: string, tx = 0): XenstoreCommand => ({ type: 'xenstore.rm', conn, tx, path });
const perms = (conn: number, path: string, list: readonly string[]): XenstoreCommand => ({
  type: 'xenstore.set_perms',
  conn,
  tx: 0,
  path,
  perms: list,
});
const watch = (conn: number, path: string, token: string): XenstoreCommand => ({ type: 'xenstore.watch', conn, path, token });
const start = (conn: number): XenstoreCommand => ({ type: 'xenstore.transaction_start', conn, tx: 0 });
const end = (conn: number, tx: number, commit = true): XenstoreCommand => ({
  type: 'xenstore.transaction_end',
  conn,
  tx,
  commit,
});
const gone = (domid: number): XenstoreCommand => ({ type: 'xenstore.domain_gone', domid });

const rows: readonly Row[] = [
  ['a guest reads what it may', [], read(3, 'name'), '{"value":"web"}'],
  ['and by the absolute path', [], read(3, `${home}/name`), '{"value":"web"}'],
  ['not what it may not', [], read(3, '/secret'), 'EACCES'],
  ['nor learns what is missing there', [], read(3, '/secret/x'), 'EACCES'],
  ['but in its home', [], read(3, 'x/y'), 'ENOENT'],
  ['it may not write what it may read', [], write(3, 'name'), 'EACCES'],
  ['a write creates the parents', [], write(3, 'a/b'), `{}, node_created ${home}/a, node_created ${home}/a/b`],
  ['a write replaces', [write(3, 'a')], write(3, 'a'), `{}, node_written ${home}/a`],
  ['mkdir of what is there does nothing', [write(3, 'a')], mkdir(3, 'a'), '{}'],
  ['a path that can not be', [], write(S, '/a//b'), 'EINVAL'],
  ['rm goes from the leaves up', [write(3, 'a/b/c')], rm(3, 'a/b'), `{}, node_removed ${home}/a/b/c, node_removed ${home}/a/b`],
  ['rm of what is not there', [], rm(S, '/local/none'), '{}'],
  ['rm of what is not there either', [], rm(S, '/none/none'), 'ENOENT'],
  ['rm of the root', [], rm(S, '/'), 'EINVAL'],

  [
    'a node has its creator for owner',
    [write(3, 'a')],
    { type: 'xenstore.get_perms', conn: S, tx: 0, path: `${home}/a` },
    '{"perms":["n3"]}',
  ],
  ['which can not give it away', [write(3, 'a')], perms(3, 'a', ['n0']), 'EPERM'],
  ['a permission for a domain never seen', [], perms(S, '/secret', ['n0', 'r9']), '{}, domain_noticed d9, perms_set /secret'],
  ['an owner that does not exist', [], perms(S, '/secret', ['n500']), 'ENOENT'],
  ['no permission at all', [], perms(S, '/secret', ['x0']), 'EINVAL'],
  ['more of them than a guest may set', [write(3, 'a')], perms(3, 'a', ['n3', 'r0', 'r0', 'r0', 'r0', 'r0']), 'ENOSPC'],
  ['who knows of domains', [], perms(3, '@releaseDomain', ['n3']), 'EACCES'],
  ['no other name with @', [], perms(S, '@other', ['n0']), 'EINVAL'],

  ['a watch fires at once', [], watch(3, 'a', 't'), '{}, watch_registered a, watch_fired a t'],
  [
    'and with a change below it',
    [watch(3, 'a', 't')],
    write(S, `${home}/a/b`),
    `{}, node_created ${home}/a, node_created ${home}/a/b, watch_fired a/b t`,
  ],
  ['not for a guest that may not look', [watch(3, '/', 't')], write(S, '/secret'), '{}, node_written /secret'],
  ['the same watch twice', [watch(3, 'a', 't')], watch(3, `${home}/a`, 't'), 'EEXIST'],
  [
    'one event for one token',
    [watch(S, '/', 't'), watch(S, '/secret', 't')],
    write(S, '/secret'),
    '{}, node_written /secret, watch_fired /secret t',
  ],
  [
    'oldest first',
    [watch(S, '/secret', 'b'), watch(S, '/', 'a')],
    write(S, '/secret'),
    '{}, node_written /secret, watch_fired /secret b, watch_fired /secret a',
  ],
  [
    'a removal is seen on what is gone, and above the root of it',
    [write(S, '/d/x'), watch(S, '/d/x', 'x'), watch(S, '/', 't')],
    rm(S, '/d'),
    '{}, node_removed /d/x, watch_fired /d/x x, node_removed /d, watch_fired /d t',
  ],
  ['no watch of that name', [], { type: 'xenstore.unwatch', conn: 3, path: 'a', token: 't' }, 'ENOENT'],

  [
    'a transaction takes a copy',
    [start(3)],
    write(3, 'a', 1),
    `{}, node_accessed ${home}/a tx1, node_accessed ${home} tx1, node_created ${home}/a tx1, watch_queued ${home}/a tx1`,
  ],
  ['nobody else sees it', [start(3), write(3, 'a', 1)], read(S, `${home}/a`), 'ENOENT'],
  [
    'it commits',
    [watch(S, home, 't'), start(3), write(3, 'a', 1)],
    end(3, 1),
    `{}, transaction_committed tx1, node_created ${home}/a, watch_fired ${home}/a t`,
  ],
  ['or not', [start(3), write(3, 'a', 1)], end(3, 1, false), '{}, transaction_aborted tx1'],
  [
    'not after a change of what it read',
    [start(S), read(S, '/secret', 1), write(S, '/secret')],
    end(S, 1),
    'EAGAIN, transaction_aborted tx1',
  ],
  ['nor of what it did not find', [start(S), read(S, '/x', 1), write(S, '/x')], end(S, 1), 'EAGAIN, transaction_aborted tx1'],
  [
    'it sees others where it had not looked',
    [start(S), write(S, '/secret')],
    read(S, '/secret', 1),
    '{"value":"v"}, node_accessed /secret tx1',
  ],
  ['another client does not know it', [start(S)], read(3, 'name', 1), 'ENOENT'],
  ['no transaction in one', [start(S)], { type: 'xenstore.transaction_start', conn: S, tx: 1 }, 'EBUSY'],
  ['none to end', [], end(S, 0), 'ENOENT'],

  ['a guest may not introduce', [], { type: 'xenstore.introduce', conn: 3, tx: 9, domid: 4, mfn: 1, port: 1 }, 'EACCES'],
  [
    'dom0 may',
    [watch(S, '@introduceDomain', 't')],
    { type: 'xenstore.introduce', conn: S, tx: 0, domid: 4, mfn: 1, port: 1 },
    '{}, domain_noticed d4, domain_introduced d4, watch_fired @introduceDomain t',
  ],
  ['what does not exist', [], { type: 'xenstore.introduce', conn: S, tx: 0, domid: 400, mfn: 1, port: 1 }, 'EINVAL'],
  [
    'once more: its ring starts again',
    [watch(3, 'a', 't')],
    { type: 'xenstore.introduce', conn: S, tx: 0, domid: 3, mfn: 1, port: 2 },
    '{}, watch_removed a, domain_reintroduced d3',
  ],
  [
    'a domain goes with its nodes',
    [watch(S, '@releaseDomain', 't')],
    gone(3),
    `{}, node_removed ${home}/name, node_removed ${home}, domain_released d3, watch_fired @releaseDomain t`,
  ],
  ['once', [gone(3)], gone(3), '{}'],
  ['then its ring is no connection', [gone(3)], read(3, 'name'), 'ENOTCONN'],
  [
    'a shutdown is told',
    [watch(S, '@releaseDomain', 't')],
    { type: 'xenstore.domain_shutdown', domid: 3 },
    '{}, domain_shut_down d3, watch_fired @releaseDomain t',
  ],
  ['once', [{ type: 'xenstore.domain_shutdown', domid: 3 }], { type: 'xenstore.domain_shutdown', domid: 3 }, '{}'],
  ['dom0 stays', [], { type: 'xenstore.release', conn: S, tx: 0, domid: 0 }, 'EINVAL'],
  [
    "a stub domain gets its target's rights",
    [
      { type: 'xenstore.introduce', conn: S, tx: 0, domid: 4, mfn: 1, port: 1 },
      { type: 'xenstore.set_target', conn: S, tx: 0, domid: 4, target: 3 },
    ],
    read(4, `${home}/name`),
    '{"value":"web"}',
  ],

  [
    'what can not be framed closes a socket',
    [watch(S, '/', 't')],
    { type: 'xenstore.ignore_connection', conn: S },
    '{}, watch_removed /, disconnected',
  ],
  ['and silences a ring', [{ type: 'xenstore.ignore_connection', conn: 3 }], read(3, 'name'), 'ENOTCONN'],
  ['an unknown request', [], { type: 'xenstore.malformed', conn: 3, tx: 0, op: 'unknown', payload: '' }, 'ENOSYS'],
  ['a request without its argument', [], { type: 'xenstore.malformed', conn: 3, tx: 0, op: 'MKDIR', payload: '' }, 'ENOMEM'],
  ['right before payload', [], { type: 'xenstore.malformed', conn: 3, tx: 0, op: 'RELEASE', payload: '' }, 'EACCES'],
  ['transaction before payload', [], { type: 'xenstore.malformed', conn: 3, tx: 5, op: 'READ', payload: '' }, 'ENOENT'],
];

test.each(rows)('%s', (_, setup, command, outcome) => {
  const store = started();
  for (const each of setup) submit(store, each);
  expect(shown(submit(store, command))).toBe(outcome);
});

test('a later domain with the same id inherits no permission', () => {
  const store = started();
  for (const command of [perms(S, '/secret', ['n0', 'r4']), mkdir(S, '/secret/below')]) submit(store, command);
  const introduce = { type: 'xenstore.introduce', conn: S, tx: 0, domid: 4, mfn: 1, port: 1 } as const;
  submit(store, introduce);
  expect(shown(submit(store, read(4, '/secret')))).toBe('{"value":"dom0"}');
  for (const command of [gone(4), introduce, mkdir(S, '/secret/later')]) submit(store, command);
  for (const path of ['/secret', '/secret/below', '/secret/later']) expect(shown(submit(store, read(4, path)))).toBe('EACCES');
  expect([...store.ls('/secret')].map((node) => node.perms.join())).toEqual(['n0,r4', 'n0,r4', 'n0,r4']);
});

test('4.22: a watch with a depth', () => {
  const store = started('4.22');
  submit(store, { type: 'xenstore.watch_depth', conn: S, path: '/d', token: 't', depth: 1 });
  const heard = ['/d', '/d/x', '/d/x/y'].filter((path) => shown(submit(store, write(S, path))).includes('watch_fired'));
  expect(heard).toEqual(['/d', '/d/x']);
});

test('ls lists children as they were created', () => {
  const store = started();
  for (const path of ['/d/m', '/d/c', '/d/c/z', '/d/c/a', '/d/b']) submit(store, write(S, path));
  expect([...store.ls('/d')].map(({ path }) => path)).toEqual(['/d', '/d/m', '/d/c', '/d/c/z', '/d/c/a', '/d/b']);
});

test('diff names what differs', () => {
  const [a, b] = [started(), started()];
  submit(b, write(S, '/secret'));
  expect([...a.diff(b)]).toContain('xenstore /secret: "dom0" -> "v"');
  expect([...a.diff(started())]).toEqual([]);
});

test('a subtree of any width and depth is removed, and comes back when that is undone', () => {
  const store = started();
  const run = (command: XenstoreCommand) => {
    const outcome = decide(store, command, domains);
    for (const event of eventsOf(outcome)) evolve(store, event, 0);
    return eventsOf(outcome).length;
  };
  for (let i = 0; i < 150_000; i++) run(mkdir(S, `/wide/${i}`));
  run(mkdir(S, `${'/d'.repeat(1000)}`));
  const digest = store.digest();
  const mark = store.journal.mark();
  expect([run(rm(S, '/wide')), run(rm(S, '/d'))]).toEqual([150_001, 1000]);
  store.journal.rollback(mark);
  expect(store.digest()).toBe(digest);
});
