import { assign, emit, setup } from 'xstate';
import type { Command, FactOf, Returned } from '../../events/vocabulary.ts';
import { GNTTAB_RESERVED_CONSOLE } from '../../src/guest/state.ts';
import { type Client, client, keyNumber, read, storeActions, unwatch, watch, write } from '../xenbus/requests.ts';

interface ConsoleDaemon extends Client {
  readonly id: string;
  readonly name: string;
  readonly dom: number;
  readonly mfn: number;
  readonly handle: number;
  readonly port: number;
}

const dir = (c: ConsoleDaemon): string => `/local/domain/${c.dom}/console`;

type ConsoleDaemonEvent =
  | FactOf<'xenstore.watch_fired'>
  | Returned<'xenstore.read' | 'gnttab.map_grant_ref' | 'evtchn.bind_interdomain' | 'console.open'>;

/** What xenconsoled keeps for one domain (struct domain of tools/console/daemon/io.c): opens its ring when the keys are there, lets go when they are not. */
export const consoleDaemon = setup({
  types: {
    input: {} as { domid: number; name: string; args: readonly string[] },
    context: {} as ConsoleDaemon,
    events: {} as ConsoleDaemonEvent,
    emitted: {} as Command,
  },
  guards: {
    isOffered: ({ context: c }) => c.asked.length === 0 && has(c, 'ring-ref') && has(c, 'port'),
    isWithdrawn: ({ context: c }) => c.asked.length === 0 && !has(c, 'ring-ref'),
    hasAnswers: ({ context: c }) => c.asked.length === 0,
  },
  actions: {
    ...storeActions<ConsoleDaemon, ConsoleDaemonEvent>(),
    watch: emit(({ context: c }) => watch(c, dir(c), c.id)),
    unwatch: emit(({ context: c }) => unwatch(c, dir(c), c.id)),
    read: emit(({ context: c }, { key }: { key: string }) => read(c, `${dir(c)}/${key}`)),
    mapRing: emit(({ context: c }) => ({
      type: 'gnttab.map_grant_ref',
      domid: 0,
      dom: c.dom,
      ref: GNTTAB_RESERVED_CONSOLE,
      readonly: false,
    })),
    keepRing: assign(({ event }) =>
      event.type === 'accepted.gnttab.map_grant_ref' ? { mfn: event.mfn, handle: event.handle } : {},
    ),
    bindChannel: emit(({ context: c }) => ({
      type: 'evtchn.bind_interdomain',
      domid: 0,
      remote_dom: c.dom,
      remote_port: keyNumber(c.keys['port']),
    })),
    keepChannel: assign(({ event }) => (event.type === 'accepted.evtchn.bind_interdomain' ? { port: event.local_port } : {})),
    bindIrq: emit(({ context: c }) => ({
      type: 'guest.bind_irq',
      domid: 0,
      port: c.port,
      handler: 'console',
      dev: 0,
      peer: c.dom,
    })),
    open: emit(({ context: c }) => ({ type: 'console.open', domid: 0, dom: c.dom, mfn: c.mfn, local_port: c.port })),
    writeTty: emit(({ context: c }) => write(c, `${dir(c)}/tty`, `/dev/pts/${c.dom}`)),
    close: emit(({ context: c }) => ({ type: 'console.close', domid: 0, dom: c.dom })),
    closeChannel: emit(({ context: c }) => ({ type: 'evtchn.close', domid: 0, port: c.port })),
    unmapRing: emit(({ context: c }) => ({ type: 'gnttab.unmap_grant_ref', domid: 0, handle: c.handle })),
    exit: emit(({ context: c }) => ({ type: 'guest.exit', domid: 0, name: c.name })),
  },
}).createMachine({
  id: 'consoleDaemon',
  context: ({ input }) => ({
    ...client(Number(input.args[1] ?? 0)),
    id: `d${input.domid}.${input.name}`,
    name: input.name,
    dom: Number(input.args[0] ?? 0),
    mfn: 0,
    handle: 0,
    port: 0,
  }),
  initial: 'closed',
  on: {
    'accepted.xenstore.read': { actions: 'keepAnswer' },
    'refused.xenstore.read': { actions: 'keepAnswer' },
  },
  states: {
    closed: {
      entry: 'watch',
      on: {
        'xenstore.watch_fired': {
          actions: [
            { type: 'read', params: { key: 'ring-ref' } },
            { type: 'read', params: { key: 'port' } },
            { type: 'ask', params: { keys: ['ring-ref', 'port'] } },
          ],
        },
      },
      always: { guard: 'isOffered', target: 'opening' },
    },
    opening: {
      entry: [
        { type: 'read', params: { key: 'type' } },
        { type: 'read', params: { key: 'limit' } },
        { type: 'ask', params: { keys: ['type', 'limit'] } },
        'mapRing',
        'bindChannel',
      ],
      on: {
        'accepted.gnttab.map_grant_ref': { actions: 'keepRing' },
        'accepted.evtchn.bind_interdomain': { target: 'open', actions: 'keepChannel' },
        'refused.gnttab.map_grant_ref': 'gone',
        'refused.evtchn.bind_interdomain': 'gone',
      },
    },
    open: {
      entry: ['open', 'bindIrq', 'writeTty'],
      on: {
        'xenstore.watch_fired': {
          actions: [
            { type: 'read', params: { key: 'ring-ref' } },
            { type: 'ask', params: { keys: ['ring-ref'] } },
          ],
        },
      },
      always: { guard: 'isWithdrawn', target: 'closing' },
    },
    closing: { entry: ['close', 'closeChannel', 'unmapRing'], always: 'gone' },
    gone: { entry: ['unwatch', 'exit'] },
  },
});

const has = (c: ConsoleDaemon, key: string): boolean => c.keys[key] !== undefined && c.keys[key] !== '';
