import { assign, setup } from 'xstate';
import type { FactOf } from '../events/vocabulary.ts';

/** A mirror: a domain as its row says. It is created paused, and one that is paused twice must be unpaused twice. */
export const domain = setup({
  types: {
    input: {} as { domid: number },
    context: {} as { domid: number; pauses: number },
    events: {} as FactOf<
      'domain.paused' | 'domain.unpaused' | 'domain.shut_down' | 'domain.dying_started' | 'domain.relinquished'
    >,
  },
  guards: {
    isLastPause: ({ context }) => context.pauses === 1,
    hasReason: ({ event }, { reason }: { reason: FactOf<'domain.shut_down'>['reason'] }) =>
      event.type === 'domain.shut_down' && event.reason === reason,
  },
  actions: {
    countPause: assign({ pauses: ({ context }) => context.pauses + 1 }),
    countUnpause: assign({ pauses: ({ context }) => context.pauses - 1 }),
  },
}).createMachine({
  id: 'domain',
  context: ({ input }) => ({ domid: input.domid, pauses: 1 }),
  initial: 'alive',
  on: { 'domain.dying_started': '.dying' },
  states: {
    alive: {
      type: 'parallel',
      states: {
        control: {
          initial: 'paused',
          states: {
            paused: {
              on: {
                'domain.paused': { actions: 'countPause' },
                'domain.unpaused': [
                  { guard: 'isLastPause', target: 'unpaused', actions: 'countUnpause' },
                  { actions: 'countUnpause' },
                ],
              },
            },
            unpaused: { on: { 'domain.paused': { target: 'paused', actions: 'countPause' } } },
          },
        },
        shutdown: {
          initial: 'no',
          states: {
            no: {
              on: {
                'domain.shut_down': [
                  { guard: { type: 'hasReason', params: { reason: 'poweroff' } }, target: 'poweroff' },
                  { guard: { type: 'hasReason', params: { reason: 'reboot' } }, target: 'reboot' },
                  { guard: { type: 'hasReason', params: { reason: 'suspend' } }, target: 'suspend' },
                  { guard: { type: 'hasReason', params: { reason: 'crash' } }, target: 'crash' },
                  { guard: { type: 'hasReason', params: { reason: 'watchdog' } }, target: 'watchdog' },
                  { target: 'soft_reset' },
                ],
              },
            },
            poweroff: {},
            reboot: {},
            suspend: {},
            crash: {},
            watchdog: {},
            soft_reset: {},
          },
        },
      },
    },
    dying: { on: { 'domain.relinquished': 'dead' } },
    dead: {},
  },
});
