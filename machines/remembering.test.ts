import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type AnyStateMachine, createActor } from 'xstate';
import type { Fact } from '../events/vocabulary.ts';
import { domain } from './domain.ts';
import { kinds } from './kinds.ts';
import { pcpu } from './pcpu.ts';
import { remembering } from './remembering.ts';
import { vcpu } from './vcpu.ts';
import { watch } from './watch.ts';

/** Machines as they are, and what they start from. */
const mirrors = {
  domain: { machine: domain, input: { domid: 3 } },
  vcpu: { machine: vcpu, input: { domid: 3, vcpu: 0 } },
  pcpu: { machine: pcpu, input: { cpu: 1 } },
  watch: { machine: watch, input: { conn: 0, path: '/a', token: 't', owner: '' } },
} as const;

const reasons = ['poweroff', 'reboot', 'suspend', 'crash', 'watchdog', 'soft_reset'] as const;
/** Every fact that a mirror hears of, with whatever its transitions may look at. */
const heard = (machine: AnyStateMachine) =>
  fc.record({
    type: fc.constantFrom(...(machine.events as Fact['type'][])),
    cpu: fc.nat(3),
    vcpu: fc.nat(3),
    reason: fc.constantFrom(...reasons),
    at_ns: fc.nat(),
  });

test.each(Object.entries(mirrors))('%s: what is remembered is what XState says', (kind, { machine, input }) => {
  const plainMachine = machine as unknown as AnyStateMachine;
  fc.assert(
    fc.property(fc.array(heard(plainMachine), { minLength: 1, maxLength: 200 }), (events) => {
      const plain = createActor(plainMachine, { input }).start();
      const remembered = createActor(kinds[kind as keyof typeof mirrors], { input }).start();
      for (const event of events) {
        plain.send(event);
        remembered.send(event);
        const { value, context, status } = plain.getSnapshot();
        expect(remembered.getSnapshot()).toMatchObject({ value, context, status });
      }
      // From a snapshot on as well, as after a rewind.
      const snapshot = remembered.getSnapshot();
      const again = createActor(kinds[kind as keyof typeof mirrors], { snapshot, input } as never).start();
      plain.send(events[0]!);
      again.send(events[0]!);
      expect(again.getSnapshot().value).toEqual(plain.getSnapshot().value);
    }),
    { numRuns: 300 },
  );
});

test.each(Object.values(mirrors))('$machine.id has no effects', ({ machine }) => {
  for (const [name, action] of Object.entries(machine.implementations.actions as Record<string, { type?: string }>))
    expect([name, action.type]).toEqual([name, 'xstate.assign']);
});

test('a state that comes again is the same snapshot, of one actor and not of two', () => {
  const [a, b] = [0, 1].map((at) => createActor(kinds.vcpu, { input: { domid: 1, vcpu: at } }).start());
  const seen = new Set<unknown>();
  for (let i = 0; i < 20; i++)
    for (const actor of [a!, b!])
      for (const type of ['vcpu.blocked', 'vcpu.woken'] as const) {
        actor.send({ type });
        seen.add(actor.getSnapshot());
      }
  expect(seen.size).toBe(4);
});

test('an actor that never comes back to a state goes on all the same', () => {
  const actor = createActor(kinds.vcpu, { input: { domid: 1, vcpu: 0 } }).start();
  for (let i = 0; i < 500; i++) actor.send({ type: 'vcpu.paused' });
  for (let i = 0; i < 500; i++) actor.send({ type: 'vcpu.unpaused' });
  expect(actor.getSnapshot().context.pauses).toBe(1);
});

test('a field that transitions look at, and that is not named, would be found', () => {
  const forgetful = createActor(remembering(vcpu as unknown as AnyStateMachine), { input: { domid: 1, vcpu: 0 } }).start();
  forgetful.send({ type: 'vcpu.brought_up' });
  forgetful.send({ type: 'vcpu.unpaused' });
  forgetful.send({ type: 'vcpu.scheduled', cpu: 1 });
  forgetful.send({ type: 'vcpu.preempted' });
  forgetful.send({ type: 'vcpu.scheduled', cpu: 2 });
  expect(forgetful.getSnapshot().context.cpu).toBe(1);
});
