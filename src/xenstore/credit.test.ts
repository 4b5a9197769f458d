import { expect, test } from 'vitest';
import { eventsOf } from '../../events/step.ts';
import { FIRST_SOCKET, type XenstoreCommand } from '../../events/xenstore.ts';
import { Journal } from '../tables/journal.ts';
import { isCharged, writeDelay } from './credit.ts';
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
  // 200 a second for two domains: a write earns its cost in 10 ms.
  expect(write(0)).toBe(10);
  expect([writeDelay(store, 3, 5), writeDelay(store, 3, 9), writeDelay(store, 3, 10)]).toEqual([5, 1, 0]);
  expect(write(10)).toBe(10);
  expect(write(1010)).toBe(0); // a full burst again
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
