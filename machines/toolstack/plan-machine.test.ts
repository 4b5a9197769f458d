import { expect, test } from 'vitest';
import { createActor } from 'xstate';
import type { Command } from '../../events/vocabulary.ts';
import { END, type Heard, type Plan } from '../../src/toolstack/libxl/plan.ts';
import { planMachine } from './plan-machine.ts';

interface Counting {
  readonly count: number;
  readonly seen: readonly string[];
}
const read = (path: string): Command => ({ type: 'xenstore.read', conn: 1, tx: 0, path });
const fired = (path: string): Heard => ({ type: 'xenstore.watch_fired', conn: 1, path, token: 't' });

const plan: Plan<Counting> = {
  asking: {
    to: ['asking', 'waiting'],
    ask: ({ count }) => [read(`a${count}`), read(`b${count}`)],
    learn: ({ count, seen }, returns) => ({
      to: count < 2 ? 'asking' : 'waiting',
      p: { count: count + 1, seen: [...seen, ...returns.map(({ type, errno }) => errno ?? type)] },
    }),
  },
  waiting: {
    to: ['thinking'],
    hear: (p, fact) =>
      fact.type === 'xenstore.watch_fired' && fact.path === 'x' ? { to: 'thinking', p: { ...p, seen: ['x'] } } : undefined,
  },
  thinking: { to: [END, 'asking'], learn: (p) => ({ to: p.count === 9 ? 'nowhere' : END, p }) },
};
const machine = planMachine<Counting>('test', { plan }, (p) => (p.count < 0 ? undefined : { plan: 'plan', p }));

function started(count: number) {
  const asked: string[] = [];
  const actor = createActor(machine, { id: 'test', input: { count, seen: [] } });
  actor.on('*', (command) => asked.push((command as unknown as { path: string }).path));
  actor.subscribe({ error: () => {} });
  actor.start();
  const phase = () => actor.getSnapshot().value;
  return { actor, asked, phase };
}
const accepted = { type: 'accepted.xenstore.read', value: '' };
const refused = { type: 'refused.xenstore.read', errno: 'ENOENT' };

test('a phase asks for all at once, and learns when the last return has come; it may follow itself', () => {
  const { actor, asked, phase } = started(1);
  expect(asked).toEqual(['a1', 'b1']);
  actor.send(accepted);
  expect(asked).toEqual(['a1', 'b1']);
  actor.send(refused);
  expect(asked).toEqual(['a1', 'b1', 'a2', 'b2']);
  expect(phase()).toEqual({ plan: 'asking' });
  expect(actor.getSnapshot().context.p).toEqual({ count: 2, seen: ['accepted.xenstore.read', 'ENOENT'] });
});

test('a fact that comes too early is kept, once; one that nobody waits for does not end the waiting', () => {
  const { actor, phase } = started(2);
  for (const path of ['y', 'x', 'x']) actor.send(fired(path));
  expect(actor.getSnapshot().context.heard.length).toBe(2);
  actor.send(accepted);
  actor.send(accepted);
  expect(phase()).toBe(END);
  expect(actor.getSnapshot().context).toMatchObject({ p: { count: 3, seen: ['x'] }, heard: [fired('y')] });

  const late = started(2);
  late.actor.send(accepted);
  late.actor.send(accepted);
  late.actor.send(fired('y'));
  expect(late.phase()).toEqual({ plan: 'waiting' });
  late.actor.send(fired('x'));
  expect(late.phase()).toBe(END);
});

test('an actor goes on from its snapshot', () => {
  const { actor } = started(1);
  actor.send(accepted);
  const copy = JSON.parse(JSON.stringify(actor.getPersistedSnapshot()));
  const again = createActor(machine, { snapshot: copy });
  again.start();
  for (const event of [accepted, accepted, accepted]) again.send(event);
  expect(again.getSnapshot().value).toEqual({ plan: 'waiting' });
});

test('nothing to do, and nothing to begin with', () => {
  expect(started(-1).phase()).toBe(END);
  expect(createActor(machine).start().getSnapshot().value).toBe(END);
});

test('a phase that is followed by one it does not declare stops the run', () => {
  const { actor } = started(8);
  for (const event of [accepted, accepted, fired('x')]) actor.send(event);
  expect(actor.getSnapshot().status).toBe('error');
});
