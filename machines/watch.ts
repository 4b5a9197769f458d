import { assign, setup } from 'xstate';
import type { FactOf } from '../events/vocabulary.ts';

interface WatchInput {
  readonly conn: number;
  readonly path: string;
  readonly token: string;
  /** The actor that has set it, or ''. */
  readonly owner: string;
}

/** A mirror: a XenStore watch, and how often it has fired. Order and firing are the store's own decisions. */
export const watch = setup({
  types: {
    input: {} as WatchInput,
    context: {} as WatchInput & { fired: number },
    events: {} as FactOf<'xenstore.watch_fired'>,
  },
  actions: {
    count: assign({ fired: ({ context }) => context.fired + 1 }),
  },
}).createMachine({
  id: 'watch',
  context: ({ input }) => ({ ...input, fired: 0 }),
  initial: 'registered',
  states: {
    registered: { on: { 'xenstore.watch_fired': { target: 'fired', actions: 'count' } } },
    fired: { on: { 'xenstore.watch_fired': { actions: 'count' } } },
  },
});
