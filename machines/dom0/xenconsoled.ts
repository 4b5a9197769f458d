import { assign, emit, setup } from 'xstate';
import type { Command, FactOf, Returned } from '../../events/vocabulary.ts';

interface Xenconsoled {
  readonly conn: number;
  readonly known: readonly number[];
  /** The domain that the scan has come to. */
  readonly at: number;
}

/** xenconsoled (a party of dom0): whenever a domain is introduced it looks for domains that it does not know, and opens their consoles. */
export const xenconsoled = setup({
  types: {
    input: {} as { domid: number; name: string },
    context: {} as Xenconsoled,
    events: {} as FactOf<'xenstore.watch_fired'> | Returned<'xenstore.connect' | 'domctl.getdomaininfo'>,
    emitted: {} as Command,
  },
  guards: {
    isNew: ({ context, event }) =>
      event.type === 'accepted.domctl.getdomaininfo' && event.domain > 0 && !context.known.includes(event.domain),
  },
  actions: {
    connect: emit({ type: 'xenstore.connect', domid: 0 }),
    keepConnection: assign(({ event }) => (event.type === 'accepted.xenstore.connect' ? { conn: event.conn } : {})),
    watchIntroductions: emit(({ context }) => ({
      type: 'xenstore.watch',
      conn: context.conn,
      path: '@introduceDomain',
      token: 'd0.xenconsoled',
    })),
    startScan: assign({ at: 1 }),
    askDomain: emit(({ context }) => ({ type: 'domctl.getdomaininfo', domid: 0, domain: context.at })),
    passDomain: assign(({ event }) => (event.type === 'accepted.domctl.getdomaininfo' ? { at: event.domain + 1 } : {})),
    keepDomain: assign(({ context, event }) =>
      event.type === 'accepted.domctl.getdomaininfo' ? { known: [...context.known, event.domain] } : {},
    ),
    openConsole: emit(({ context, event }) => {
      const domain = event.type === 'accepted.domctl.getdomaininfo' ? event.domain : 0;
      return {
        type: 'guest.spawn',
        domid: 0,
        name: `console.${domain}`,
        program: 'consoleDaemon',
        args: [String(domain), String(context.conn)],
      };
    }),
  },
}).createMachine({
  id: 'xenconsoled',
  context: { conn: 0, known: [], at: 1 },
  initial: 'connecting',
  states: {
    connecting: {
      entry: 'connect',
      on: { 'accepted.xenstore.connect': { target: 'waiting', actions: 'keepConnection' } },
    },
    waiting: {
      entry: 'watchIntroductions',
      on: { 'xenstore.watch_fired': 'scanning' },
    },
    scanning: {
      entry: ['startScan', 'askDomain'],
      on: {
        'accepted.domctl.getdomaininfo': [
          { guard: 'isNew', actions: ['keepDomain', 'openConsole', 'passDomain', 'askDomain'] },
          { actions: ['passDomain', 'askDomain'] },
        ],
        'refused.domctl.getdomaininfo': 'idle', // the last domain is behind us
        'xenstore.watch_fired': { target: 'scanning', reenter: true },
      },
    },
    idle: { on: { 'xenstore.watch_fired': 'scanning' } },
  },
});
