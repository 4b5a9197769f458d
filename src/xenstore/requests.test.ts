// Which requests there are, and which of them only dom0 may ask: as real ones answer, side by side.
import { expect, test } from 'vitest';
import { FIRST_SOCKET, requestTypes } from '../../events/xenstore.ts';
import { Journal } from '../tables/journal.ts';
import { decide } from './decide.ts';
import { evolve } from './evolve.ts';
import { profiles } from './profiles.ts';
import { XenStore } from './state.ts';
import { decode } from './wire.ts';

const S = FIRST_SOCKET;
function started(version: '4.17' | '4.22'): (op: number, payload: string, conn: number, tx?: number) => string {
  const store = new XenStore(new Journal(), profiles[version]);
  const submit = (command: Parameters<typeof decide>[1]): string => {
    const outcome = decide(store, command, { exists: () => true });
    for (const event of outcome.events ?? []) evolve(store, event, 0);
    return outcome.ok ? 'ok' : outcome.errno;
  };
  submit({ type: 'xenstore.connect', domid: 0 });
  submit({ type: 'xenstore.introduce', conn: S, tx: 0, domid: 3, mfn: 1, port: 1 });
  return (op, payload, conn, tx = 0) => submit(decode(op, tx, payload.replaceAll('|', '\0'), conn, store.profile));
}

const numbers = [15, 16, 20, 27, 28, 99, 0x7fffffff, 0xffffffff];
test.each(['4.17', '4.22'] as const)('%s: numbers that are no request are ENOSYS, for everybody', (version) => {
  const ask = started(version);
  const later = version === '4.17' ? [23, 24, 25, 26] : [];
  for (const op of [...numbers, ...later])
    for (const conn of [S, 3]) expect([op, conn, ask(op, '|', conn)]).toEqual([op, conn, 'ENOSYS']);
});

const privileged: Readonly<Record<string, string>> = {
  CONTROL: 'check|',
  INTRODUCE: '5|1|1|',
  RELEASE: '3|',
  IS_DOMAIN_INTRODUCED: '3|',
  RESUME: '3|',
  SET_TARGET: '3|3|',
};
test.each(Object.entries(privileged))("%s is not a guest's to ask, whatever its transaction or its arguments", (op, payload) => {
  for (const version of ['4.17', '4.22'] as const) {
    const ask = started(version);
    const number = (requestTypes as readonly (string | undefined)[]).indexOf(op);
    expect([ask(number, payload, 3), ask(number, payload, 3, 77), ask(number, '', 3)]).toEqual(['EACCES', 'EACCES', 'EACCES']);
    // dom0 may, and is told of its transaction.
    expect([ask(number, payload, S, 77), ask(number, payload, S)]).toEqual(['ENOENT', 'ok']);
  }
});
