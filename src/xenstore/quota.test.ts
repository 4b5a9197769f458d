import { expect, test } from 'vitest';
import { eventsOf } from '../../events/step.ts';
import { FIRST_SOCKET, requestTypes, type XenstoreFact } from '../../events/xenstore.ts';
import { Journal } from '../tables/journal.ts';
import { answerOf, encodeRequest } from './client.ts';
import { decide } from './decide.ts';
import { evolve } from './evolve.ts';
import { invariants } from './invariants.ts';
import { profiles, quotaNames, type XenstoreVersion } from './profiles.ts';
import { XenStore } from './state.ts';
import { decode, encodeReply } from './wire.ts';

const S = FIRST_SOCKET;
const domains = { exists: (domid: number) => domid < 100 };

/** A store with domain 3, which owns its home. `ask` takes a message as `OP text|text|` and answers its reply likewise. */
function started(version: XenstoreVersion) {
  const store = new XenStore(new Journal(), profiles[version]);
  const run = (command: Parameters<typeof decide>[1]) => {
    const outcome = decide(store, command, domains);
    for (const event of eventsOf(outcome)) evolve(store, event, 0);
    for (const [name, invariant] of Object.entries(invariants)) expect([...invariant(store)], name).toEqual([]);
    return outcome;
  };
  const ask = (conn: number, text: string, tx = 0): string => {
    const [, op, body] = /^(\S+) ?(.*)$/.exec(text)!;
    const type = requestTypes.indexOf(op as (typeof requestTypes)[number]);
    const command = decode(type, tx, body!.replaceAll('|', '\0'), conn, store.profile);
    const reply = encodeReply(command, run(command));
    return `${requestTypes[reply.type] === op ? '' : `${requestTypes[reply.type]} `}${reply.payload.replaceAll('\0', '|')}`;
  };
  run({ type: 'xenstore.connect', domid: 0 });
  for (const text of ['INTRODUCE 3|1|1|', 'WRITE /local/domain/3|', 'SET_PERMS /local/domain/3|n3|']) ask(S, text);
  return { store, run, ask };
}

test.each<[XenstoreVersion, number, string, string]>([
  ['4.22', S, 'GET_FEATURE', '14|'],
  ['4.22', 3, 'GET_FEATURE', '14|'],
  ['4.22', 3, 'GET_FEATURE 3|', 'ERROR EACCES|'],
  ['4.22', 3, 'GET_FEATURE 0|1|', 'ERROR EACCES|'],
  ['4.22', S, 'GET_FEATURE 0|1|', 'ERROR EINVAL|'],
  ['4.22', S, 'GET_FEATURE 500|', 'ERROR ENOENT|'],
  ['4.22', S, 'SET_FEATURE 3|2|', 'ERROR EBUSY|'],
  ['4.22', S, 'SET_FEATURE 7|16|', 'ERROR EINVAL|'],
  ['4.22', S, 'SET_FEATURE 7|2|', 'OK|'],
  ['4.22', S, 'GET_QUOTA', `${quotaNames.join(' ')}|`],
  ['4.22', S, 'GET_QUOTA watches|', '128|'],
  ['4.22', S, 'GET_QUOTA soft-watches|', 'ERROR EINVAL|'],
  ['4.22', S, 'GET_QUOTA 7|nodes|', '1000|'],
  ['4.22', S, 'GET_QUOTA 500|nodes|', 'ERROR ENOENT|'],
  ['4.22', 3, 'GET_QUOTA nodes|', 'ERROR EACCES|'],
  ['4.22', S, 'SET_QUOTA nodes|', 'ERROR EINVAL|'],
  ['4.22', S, 'SET_QUOTA nodes|-1|', 'ERROR EINVAL|'],
  ['4.22', S, 'SET_QUOTA nodes|5|', 'OK|'],
  ['4.22', S, 'CONTROL log|', 'Tracing:\nobj     : on\nio      : on\nwrl     : off\nacc     : off\ntdb     : off\n|'],
  ['4.22', S, 'CONTROL log|+wrl|', 'OK|'],
  ['4.22', S, 'CONTROL log|*wrl|', 'ERROR EINVAL|'],
  ['4.17', S, 'CONTROL log|', 'ERROR EINVAL|'],
  ['4.17', S, 'CONTROL log|on|', 'OK|'],
  [
    '4.17',
    S,
    'CONTROL quota|nosuch|',
    'Domain 0:\nnodes           :        5\nwatches         :        0\ntransactions    :        0\noutstanding     :        0\nmemory          :      230\n|',
  ],
  ['4.17', S, 'CONTROL quota|500|', 'ERROR ENOENT|'],
  ['4.17', S, 'CONTROL quota|set|nodes|0|', 'ERROR EINVAL|'],
  ['4.17', S, 'CONTROL quota|set|nosuch|5|', 'ERROR EINVAL|'],
  ['4.17', S, 'CONTROL quota-soft|set|memory|5|', 'OK|'],
  ['4.17', S, 'CONTROL quota-soft|', 'Quotas of a domain:\nmemory           :  2097152\n|'],
  ['4.17', S, 'GET_QUOTA nodes|', 'ERROR ENOSYS|'],
  ['4.17', S, 'GET_FEATURE', 'ERROR ENOSYS|'],
])('%s: %d asks %s', (version, conn, request, reply) => {
  expect(started(version).ask(conn, request)).toBe(reply);
});

test('4.22: a domain keeps the quotas that it began with; what is set for all is for those who come', () => {
  const { ask } = started('4.22');
  ask(S, 'SET_QUOTA watches|7|');
  expect([ask(S, 'GET_QUOTA 3|watches|'), ask(S, 'GET_QUOTA 8|watches|')]).toEqual(['128|', '7|']);
  ask(S, 'SET_QUOTA 3|watches|2|');
  expect(['a', 'b'].map((token) => ask(3, `WATCH x|${token}|`))).toEqual(['OK|', 'ERROR ENOSPC|']);
  ask(S, 'SET_QUOTA 3|watches|0|'); // no limit
  expect(ask(3, 'WATCH x|b|')).toBe('OK|');
});

test('4.17: CONTROL sets quotas of all', () => {
  const { ask } = started('4.17');
  ask(S, 'CONTROL quota|set|nodes|3|');
  expect(['a', 'b', 'c'].map((name) => ask(3, `WRITE ${name}|`))).toEqual(['OK|', 'OK|', 'ERROR ENOSPC|']);
});

test('switches stay as they were set', () => {
  const { ask } = started('4.22');
  ask(S, 'CONTROL log|+wrl|');
  ask(S, 'CONTROL log|-io|');
  expect(ask(S, 'CONTROL log|')).toMatch(/^obj {5}: on\nio {6}: off\nwrl {5}: on$/m);
});

test('a domain has so much memory: nodes, watches, transactions and unread events together', () => {
  const { store, run, ask } = started('4.22');
  ask(S, 'SET_QUOTA 3|memory|4000|');
  const value = 'v'.repeat(900);
  const writes = ['a', 'b', 'c', 'd', 'e'].map((name) => ask(3, `WRITE ${name}|${value}`));
  expect(writes).toEqual(['OK|', 'OK|', 'OK|', 'OK|', 'ERROR ENOMEM|']);
  expect(store.memoryOf(3)).toBeLessThan(4000);
  expect(ask(3, `WATCH a|${'t'.repeat(2000)}|`)).toBe('ERROR ENOMEM|');
  expect(ask(3, 'RM a|')).toBe('OK|');
  expect(ask(3, 'WATCH b|t|')).toBe('OK|');
  // A transaction copies what it looks at.
  const tx = Number.parseInt(ask(3, 'TRANSACTION_START |'), 10);
  expect([ask(3, 'READ b|', tx), ask(3, 'READ c|', tx)]).toEqual([value, 'ERROR ENOMEM|']);
  expect(ask(3, 'TRANSACTION_END T|', tx)).toBe('ERROR ENOMEM|');
  // Events that wait take what is left, and no more.
  run({ type: 'xenstore.connection_blocks', conn: 3 });
  const fired = (text: string): number => {
    const command = decode(11, 0, text.replaceAll('|', '\0'), S, store.profile);
    return eventsOf(run(command)).filter(({ type }) => type === 'xenstore.watch_fired').length;
  };
  let heard = 0;
  for (let i = 0; i < 200; i++) heard += fired(`/local/domain/3/b/${i}|`);
  expect(heard).toBeGreaterThan(0);
  expect(heard).toBeLessThan(50);
});

// What both daemons were seen to count; in a transaction it has to do with how long their generation is in decimal.
test.each<[XenstoreVersion, number[]]>([
  ['4.17', [47, 98, 116, 171, 179, 197, 217, 217, 287, 272, 386, 386, 217, 199, 136]],
  ['4.22', [39, 82, 100, 147, 155, 173, 193, 193, 255, 240, 338, 338, 193, 175, 120]],
])('%s: what each thing takes of it', (version, bytes) => {
  const { store, ask } = started(version);
  for (let i = 0; i < 10; i++) ask(S, `WRITE /other|${i}`); // A generation of two digits.
  const counted = [store.memoryOf(3)];
  const requests = ['WRITE k|', `WRITE k|${'v'.repeat(18)}`, 'WRITE k2|vv', 'SET_PERMS k2|n3|r0|', 'WATCH k|t|'];
  const before = [...requests, 'WATCH /local/domain/3/k2|tt|', 'TRANSACTION_START |'];
  const inside = ['READ k|', 'WRITE k|abc', 'WRITE k3|abc', 'READ nope|', 'TRANSACTION_END F|'];
  const count = (requests: readonly string[], tx = 0): void => {
    for (const text of requests) {
      ask(3, text, tx);
      counted.push(store.memoryOf(3));
    }
  };
  count(before);
  count(inside, store.connections.get(3)!.lastTx);
  count(['UNWATCH k|t|', 'RM k2|']);
  expect(counted).toEqual(bytes);
});

test('who does not read hears of each thing once, whatever happens how often; of domains always', () => {
  const { store, run } = started('4.17');
  const fired = (command: Parameters<typeof decide>[1]): number =>
    eventsOf(run(command)).filter((event: XenstoreFact) => event.type === 'xenstore.watch_fired').length;
  run({ type: 'xenstore.watch', conn: S, path: '/a', token: 't' });
  run({ type: 'xenstore.watch', conn: S, path: '@releaseDomain', token: 't' });
  const write = { type: 'xenstore.write', conn: 0, tx: 0, path: '/a', value: '' } as const;
  const gone = { type: 'xenstore.domain_shutdown', domid: 3 } as const;
  const resume = { type: 'xenstore.resume', conn: 0, tx: 0, domid: 3 } as const;
  expect([fired(write), fired(write)]).toEqual([1, 1]);
  run({ type: 'xenstore.connection_blocks', conn: S });
  expect([fired(write), fired(write), fired(gone), fired(resume), fired(gone)]).toEqual([1, 0, 1, 0, 1]);
  run({ type: 'xenstore.connection_drains', conn: S });
  expect([fired(write), store.connections.get(S)!.unread.size]).toEqual([1, 0]);
});

test.each([
  { type: 'xenstore.get_feature', conn: S, tx: 0, domid: -1 },
  { type: 'xenstore.get_feature', conn: S, tx: 0, domid: 3 },
  { type: 'xenstore.set_feature', conn: S, tx: 0, domid: 3, features: 2 },
  { type: 'xenstore.get_quota', conn: S, tx: 0, domid: -1, name: '' },
  { type: 'xenstore.get_quota', conn: S, tx: 0, domid: -1, name: 'nodes' },
  { type: 'xenstore.get_quota', conn: S, tx: 0, domid: 3, name: 'nodes' },
  { type: 'xenstore.set_quota', conn: S, tx: 0, domid: -1, name: 'nodes', value: 5 },
  { type: 'xenstore.set_quota', conn: S, tx: 0, domid: 3, name: 'nodes', value: 5 },
] as const)('goes onto the wire and comes back: %j', (command) => {
  const { type, tx, payload } = encodeRequest(command)!;
  expect(decode(type, tx, payload, S, profiles['4.22'])).toEqual(command);
});

test('answers of both come back from the wire', () => {
  expect(answerOf('xenstore.get_feature', '14\0')).toEqual({ features: 14 });
  expect(answerOf('xenstore.get_quota', '1000\0')).toEqual({ value: '1000' });
});
