import { expect, test } from 'vitest';
import { eventsOf } from '../../events/step.ts';
import { FIRST_SOCKET, type XenstoreCommand } from '../../events/xenstore.ts';
import { Journal } from '../tables/journal.ts';
import { isCharged, NEVER, writeDelay } from './credit.ts';
import { decide } from './decide.ts';
import { evolve } from './evolve.ts';
import { XenStore } from './state.ts';

const S = FIRST_SOCKET;

/** Domain 3 at home, and a socket of dom0; `write` answers how long domain 3 has to wait after it. */
function started() {
  const store = new XenStore(new Journal());
  const run = (command: XenstoreCommand): void => {
    const outcome = decide(store, command, { exists: () => true });
    expect(outcome.ok, JSON.stringify(command)).toBe(true);
    for (const event of eventsOf(outcome)) evolve(store, event, 0);
  };
  run({ type: 'xenstore.connect', domid: 0 });
  run({ type: 'xenstore.introduce', conn: S, tx: 0, domid: 3, mfn: 1, port: 1 });
  run({ type: 'xenstore.mkdir', conn: S, tx: 0, path: '/local/domain/3' });
  run({ type: 'xenstore.set_perms', conn: S, tx: 0, path: '/local/domain/3', perms: ['n3'] });
  const write = (ms: number, conn = 3, path = 'a'): number => {
    run({ type: 'xenstore.tick', ms });
    run({ type: 'xenstore.write', conn, tx: 0, path, value: `${ms}` });
    return writeDelay(store, 3, ms);
  };
  return { store, run, write };
}
const open = { type: 'xenstore.transaction_start', conn: S, tx: 0 } as const;
const times = (count: number, each: () => number): number[] => Array.from({ length: count }, each);

test('while no transaction is open, writing costs nothing', () => {
  const { store, write } = started();
  expect(isCharged(store, 3)).toBe(false);
  expect(times(50, () => write(1))).toEqual(new Array(50).fill(0));
});

test('while one is: ten at once, then as many as the rate allows for the domains that there are', () => {
  const { store, run, write } = started();
  run(open);
  expect([isCharged(store, 3), isCharged(store, 0)]).toEqual([true, false]);
  expect(times(10, () => write(0))).toEqual(new Array(10).fill(0));
  // 200 a second for two domains: a write earns its cost in 10 ms, in half of that with what dom0 does not need.
  expect(write(0)).toBe(10);
  expect([writeDelay(store, 3, 4), writeDelay(store, 3, 5)]).toEqual([6, 0]);
  expect(write(5)).toBe(10);
});

test('what others do not need is lent to who writes, a thousand writes at most', () => {
  const { store, run, write } = started();
  run(open);
  expect(times(1010, () => write(60_000))).toEqual(new Array(1010).fill(0));
  expect([store.rate.reserve, write(60_000)]).toEqual([0, 10]);
  // Half of what there is to earn is its own, half is lent: 200 a second, whoever is idle.
  let written = 0;
  for (let ms = 60_000; ms < 70_000; ms++) {
    if (writeDelay(store, 3, ms) > 0) continue;
    write(ms);
    written++;
  }
  expect(written).toBe(1999);
});

test('a domain that wrote, and stopped, lends like the others as soon as it has its burst again', () => {
  const { store, run, write } = started();
  run({ type: 'xenstore.introduce', conn: S, tx: 0, domid: 4, mfn: 2, port: 1 });
  run({ type: 'xenstore.mkdir', conn: S, tx: 0, path: '/local/domain/4' });
  run({ type: 'xenstore.set_perms', conn: S, tx: 0, path: '/local/domain/4', perms: ['n4'] });
  run(open);
  for (let i = 0; i < 10; i++) run({ type: 'xenstore.write', conn: 4, tx: 0, path: 'a', value: '' });
  for (let i = 0; i < 11; i++) write(150);
  // dom0 and domain 3 have lent ten writes each, of which one is spent, and domain 4 has earned its ten back, no more.
  expect([store.rate.reserve, store.domains.get(3)!.credit]).toEqual([19_000, 0]);
  expect([store.domains.get(4)!.credit, store.domains.get(4)!.credited_ms]).toEqual([10_000, NEVER]);
  for (let i = 0; i < 10; i++) write(300);
  expect([store.domains.get(4)!.credit, writeDelay(store, 4, 300)]).toEqual([10_000, 0]);
});

test('dom0 is never charged, nor what is read', () => {
  const { store, run, write } = started();
  run(open);
  expect(times(50, () => write(1, S, '/b'))).toEqual(new Array(50).fill(0));
  for (let i = 0; i < 50; i++) run({ type: 'xenstore.directory', conn: 3, tx: 0, path: '/local/domain/3' });
  expect(store.domains.get(3)!.credit).toBe(10_000);
});

test('a transaction is charged once, at its end, and only where another is open', () => {
  const { store, run } = started();
  const transact = (): number => {
    run({ type: 'xenstore.transaction_start', conn: 3, tx: 0 });
    const tx = store.connections.get(3)!.lastTx;
    for (const path of ['a', 'b', 'c']) run({ type: 'xenstore.write', conn: 3, tx, path, value: '' });
    run({ type: 'xenstore.transaction_end', conn: 3, tx, commit: true });
    return store.domains.get(3)!.credit;
  };
  expect(transact()).toBe(10_000);
  run(open);
  expect([transact(), transact()]).toEqual([9000, 8000]);
});

test('the clock does not go back', () => {
  const { store, run } = started();
  run({ type: 'xenstore.tick', ms: 5 });
  run({ type: 'xenstore.tick', ms: 3 });
  expect(store.rate.clock_ms).toBe(5);
});
