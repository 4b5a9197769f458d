import { expect, test } from 'vitest';
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
