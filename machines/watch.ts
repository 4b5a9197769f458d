import { setup } from 'xstate';
import type { FactOf } from '../events/vocabulary.ts';

interface WatchInput {
  readonly conn: number;
  readonly path: string;
  readonly token: string;
  /** The actor that has set it, or ''. */
  readonly owner: string;
}

/** A mirror: a XenStore watch. It fires when it is registered, and then whenever the store decides so, in the store's order. */
export const watch = setup({
  types: {
    input: {} as WatchInput,
    context: {} as WatchInput,
    events: {} as FactOf<'xenstore.watch_fired'>,
  },
}).createMachine({
  id: 'watch',
  context: ({ input }) => input,
  initial: 'registered',
  states: {
    registered: { on: { 'xenstore.watch_fired': 'fired' } },
    fired: {},
  },
});
