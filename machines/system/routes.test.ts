import { expect, test } from 'vitest';
import { emit, setup } from 'xstate';
import type { Command, FactOf } from '../../events/vocabulary.ts';
import { FIRST_SOCKET } from '../../events/xenstore.ts';
import { Journal } from '../../src/tables/journal.ts';
import { Directory } from './directory.ts';
import { watchId } from './routes.ts';

// Regression: with a token in front, "a@b" on "c" and "a" on "b@c" were one actor.
test('no two watches share an actor, whatever their tokens say', () => {
  const watches = [
    { conn: 1, path: 'c', token: 'a@b' },
    { conn: 1, path: 'b@c', token: 'a' },
    { conn: 1, path: 'b', token: 'c:a' },
    { conn: 1, path: 'b', token: 'a' },
    { conn: 11, path: 'b', token: 'a' },
  ];
  expect(new Set(watches.map(watchId)).size).toBe(watches.length);
});

// Regression: any tool of dom0 that opened the socket could set a watch with an actor's name for its token, and so speak to that actor.
test('only whoever has set a watch hears of it: a token is no address', () => {
  const heard: string[] = [];
  const listener = setup({
    types: { events: {} as FactOf<'xenstore.watch_fired'>, emitted: {} as Command },
  }).createMachine({
    entry: emit({ type: 'xenstore.connect', domid: 0 }),
    on: { 'xenstore.watch_fired': { actions: ({ event }) => void heard.push(event.token) } },
  });
  const directory = new Directory(new Journal(), () => {}, { machines: { xlDaemon: listener as never } });
  directory.spawn('xl.daemon.1', 'xlDaemon', {});
  const where = { conn: FIRST_SOCKET, path: '/a', depth: -1 };
  const watches = [
    { origin: 'socket.65536', token: 'xl.daemon.1' },
    { origin: 'xl.daemon.1', token: 'mine' },
    { origin: 'd7', token: 'xl.daemon.1 ' },
  ];
  for (const conn of [FIRST_SOCKET, 0])
    for (const { origin, token } of watches) {
      directory.deliver({ type: 'xenstore.watch_registered', ...where, conn, token }, 0, origin);
      directory.deliver({ type: 'xenstore.watch_fired', conn, path: '/a', token }, 1, 'xl.daemon.1');
    }
  expect(heard).toEqual(['mine', 'mine']);
});
