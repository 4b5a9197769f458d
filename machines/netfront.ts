import { assign, emit, setup } from 'xstate';
import type { Command, FactOf, Returned } from '../events/vocabulary.ts';
import { textToMac } from '../src/net/address.ts';
import {
  type Client,
  client,
  emitEach,
  keyDomid,
  read,
  storeActions,
  unwatch,
  watch,
  write,
  XenbusState,
} from './xenbus/requests.ts';

interface Netfront extends Client {
  readonly domid: number;
  readonly devid: number;
  readonly name: string;
  /** The pages of the rings, and the channels: that of tx first, then that of rx. */
  readonly rings: readonly { readonly ref: number; readonly gfn: number }[];
  readonly ports: readonly number[];
  /** How many pages and channels the kernel or the hypervisor refused. */
  readonly refused: number;
}

const dir = (c: Netfront): string => `device/vif/${c.devid}`;
const backend = (c: Netfront): string => c.keys['backend'] ?? '';
const backendId = (c: Netfront): number => keyDomid(c.keys['backend-id']);

/** What the backend's directory says that it can do. */
const BACKEND_FEATURES = ['feature-sg', 'feature-ipv6-csum-offload', 'feature-gso-tcpv4', 'feature-gso-tcpv6'] as const;

type NetfrontEvent =
  | FactOf<'xenstore.watch_fired'>
  | Returned<
      | 'xenstore.read'
      | 'xenstore.transaction_start'
      | 'xenstore.transaction_end'
      | 'guest.grant_page'
      | 'evtchn.alloc_unbound'
      | 'vif.connect_frontend'
    >;

/**
 * xen-netfront (a party of its guest): from the keys that the toolstack wrote to an interface that can send, and back. It uses one queue
 * and a channel for each ring; a backend that can not split them, or not copy, it leaves alone.
 */
export const netfront = setup({
  types: {
    input: {} as { domid: number; name: string; args: readonly string[] },
    context: {} as Netfront,
    events: {} as NetfrontEvent,
    emitted: {} as Command,
  },
  guards: {
    hasAnswers: ({ context }) => context.asked.length === 0,
    backendIs: ({ context }, { states }: { states: readonly XenbusState[] }) =>
      context.asked.length === 0 && states.includes(context.keys['backend/state'] as XenbusState),
    backendIsGone: ({ context }) => context.asked.length === 0 && context.keys['backend/state'] === '',
    hasProbed: ({ context }) => context.asked.length === 0 && suits(context),
    isUnsuited: ({ context }) => context.asked.length === 0 && !suits(context),
    hasRings: ({ context }) => context.rings.length === 2 && context.ports.length === 2,
    lacksRings: ({ context: { rings, ports, refused } }) => refused > 0 && rings.length + ports.length + refused === 4,
  },
  actions: {
    ...storeActions<Netfront, NetfrontEvent>(),
    readOwn: emit(({ context: c }, { key }: { key: string }) => read(c, `${dir(c)}/${key}`)),
    readBackend: emit(({ context: c }, { key }: { key: string }) => read(c, `${backend(c)}/${key}`)),
    watchBackend: emit(({ context: c }) => watch(c, `${backend(c)}/state`, c.name)),
    unwatchBackend: emit(({ context: c }) => unwatch(c, `${backend(c)}/state`, c.name)),
    write: emit(({ context: c }, { key, value }: { key: string; value: string }) => write(c, `${dir(c)}/${key}`, value)),
    grantRing: emit(({ context: c }) => ({
      type: 'guest.grant_page',
      domid: c.domid,
      remote_dom: backendId(c),
      readonly: false,
    })),
    keepRing: assign(({ context: c, event }) =>
      event.type === 'accepted.guest.grant_page' ? { rings: [...c.rings, { ref: event.ref, gfn: event.gfn }] } : {},
    ),
    allocChannel: emit(({ context: c }) => ({
      type: 'evtchn.alloc_unbound',
      domid: c.domid,
      dom: c.domid,
      remote_dom: backendId(c),
    })),
    keepChannel: assign(({ context: c, event }) =>
      event.type === 'accepted.evtchn.alloc_unbound' ? { ports: [...c.ports, event.port] } : {},
    ),
    countRefusal: assign(({ context }) => ({ refused: context.refused + 1 })),
    bindIrqs: emitEach<Netfront, NetfrontEvent>(({ domid, devid, ports }) =>
      ports.map((port) => ({ type: 'guest.bind_irq', domid, port, handler: 'vif', dev: devid, peer: 0 })),
    ),
    connect: emit(({ context: c }) => ({
      type: 'vif.connect_frontend',
      domid: c.domid,
      devid: c.devid,
      mac: textToMac(c.keys['mac'] ?? '') ?? 0,
      tx_gfn: c.rings[0]?.gfn ?? 0,
      tx_ref: c.rings[0]?.ref ?? 0,
      rx_gfn: c.rings[1]?.gfn ?? 0,
      rx_ref: c.rings[1]?.ref ?? 0,
      tx_port: c.ports[0] ?? 0,
      rx_port: c.ports[1] ?? 0,
      backend: backendId(c),
    })),
    disconnect: emit(({ context: c }) => ({ type: 'vif.disconnect', domid: c.domid, frontend: c.domid, devid: c.devid })),
    closeChannels: emitEach<Netfront, NetfrontEvent>(({ domid, ports }) =>
      ports.flatMap((port) => [
        { type: 'guest.unbind_irq', domid, port },
        { type: 'evtchn.close', domid, port },
      ]),
    ),
    endRings: emitEach<Netfront, NetfrontEvent>(({ domid, rings }) =>
      rings.map(({ ref }) => ({ type: 'guest.end_access', domid, ref })),
    ),
    tellKernel: emit(({ context: c }, { state }: { state: 'connected' | 'closed' }) => ({
      type: 'guest.note_device',
      domid: c.domid,
      device: 'vif',
      dev: c.devid,
      state,
      info: c.keys['mac'] ?? '',
    })),
    exit: emit(({ context: c }) => ({ type: 'guest.exit', domid: c.domid, name: c.name })),
  },
}).createMachine({
  id: 'netfront',
  context: ({ input }) => ({
    ...client(input.domid),
    domid: input.domid,
    name: input.name,
    devid: Number(input.args[0] ?? 0),
    rings: [],
    ports: [],
    refused: 0,
  }),
  initial: 'Initialising',
  on: {
    // What the backend does is asked for whenever it changes; the states below wait for the answer.
    'xenstore.watch_fired': {
      actions: [
        { type: 'readBackend', params: { key: 'state' } },
        { type: 'ask', params: { keys: ['backend/state'] } },
      ],
    },
    'accepted.xenstore.read': { actions: 'keepAnswer' },
    'refused.xenstore.read': { actions: 'keepAnswer' },
  },
  states: {
    Initialising: {
      initial: 'readingOwn',
      states: {
        readingOwn: {
          entry: [
            { type: 'readOwn', params: { key: 'backend-id' } },
            { type: 'readOwn', params: { key: 'backend' } },
            { type: 'ask', params: { keys: ['backend-id', 'backend'] } },
          ],
          always: { guard: 'hasAnswers', target: 'waiting' },
        },
        waiting: {
          entry: 'watchBackend',
          always: [
            { guard: { type: 'backendIs', params: { states: [XenbusState.InitWait] } }, target: 'probing' },
            {
              guard: { type: 'backendIs', params: { states: [XenbusState.Closing, XenbusState.Closed] } },
              target: '#netfront.Closed',
            },
          ],
        },
        probing: {
          entry: [
            { type: 'readBackend', params: { key: 'feature-rx-copy' } },
            { type: 'readOwn', params: { key: 'trusted' } },
            { type: 'readBackend', params: { key: 'multi-queue-max-queues' } },
            { type: 'readBackend', params: { key: 'feature-split-event-channels' } },
            { type: 'readOwn', params: { key: 'mac' } },
            { type: 'readBackend', params: { key: 'feature-xdp-headroom' } },
            {
              type: 'ask',
              params: {
                keys: [
                  'feature-rx-copy',
                  'trusted',
                  'multi-queue-max-queues',
                  'feature-split-event-channels',
                  'mac',
                  'feature-xdp-headroom',
                ],
              },
            },
          ],
          always: [
            { guard: 'hasProbed', target: 'granting' },
            { guard: 'isUnsuited', target: '#netfront.Closed' },
          ],
        },
        granting: {
          entry: [
            { type: 'write', params: { key: 'xdp-headroom', value: '0' } },
            'grantRing',
            'grantRing',
            'allocChannel',
            'allocChannel',
          ],
          on: {
            'accepted.guest.grant_page': { actions: 'keepRing' },
            'accepted.evtchn.alloc_unbound': { actions: 'keepChannel' },
            'refused.guest.grant_page': { actions: 'countRefusal' },
            'refused.evtchn.alloc_unbound': { actions: 'countRefusal' },
          },
          always: [
            { guard: 'hasRings', target: 'connecting' },
            { guard: 'lacksRings', target: '#netfront.Closed', actions: 'closeChannels' },
          ],
        },
        connecting: {
          entry: ['bindIrqs', 'connect'],
          on: {
            'accepted.vif.connect_frontend': 'starting',
            'refused.vif.connect_frontend': { target: '#netfront.Closed', actions: 'closeChannels' },
          },
        },
        starting: {
          entry: 'startTransaction',
          on: { 'accepted.xenstore.transaction_start': { target: 'writing', actions: 'keepTransaction' } },
        },
        writing: {
          entry: [
            { type: 'write', params: { key: 'multi-queue-num-queues', value: '1' } },
            { type: 'write', params: ({ context }) => ({ key: 'tx-ring-ref', value: String(context.rings[0]?.ref) }) },
            { type: 'write', params: ({ context }) => ({ key: 'rx-ring-ref', value: String(context.rings[1]?.ref) }) },
            { type: 'write', params: ({ context }) => ({ key: 'event-channel-tx', value: String(context.ports[0]) }) },
            { type: 'write', params: ({ context }) => ({ key: 'event-channel-rx', value: String(context.ports[1]) }) },
            { type: 'write', params: { key: 'request-rx-copy', value: '1' } },
            { type: 'write', params: { key: 'feature-rx-notify', value: '1' } },
            { type: 'write', params: { key: 'feature-sg', value: '1' } },
            { type: 'write', params: { key: 'feature-gso-tcpv4', value: '1' } },
            { type: 'write', params: { key: 'feature-gso-tcpv6', value: '1' } },
            { type: 'write', params: { key: 'feature-ipv6-csum-offload', value: '1' } },
            'endTransaction',
          ],
          exit: 'forgetTransaction',
          on: {
            'accepted.xenstore.transaction_end': 'reading',
            'refused.xenstore.transaction_end': 'starting', // EAGAIN: somebody else was faster
          },
        },
        reading: {
          entry: [
            ...BACKEND_FEATURES.map((key) => ({ type: 'readBackend' as const, params: { key } })),
            { type: 'ask', params: { keys: BACKEND_FEATURES } },
          ],
          always: { guard: 'hasAnswers', target: '#netfront.Connected' },
        },
      },
    },
    // As in Linux the interface is up from here on: what it sends before the backend has connected waits on the ring.
    Connected: {
      entry: [
        { type: 'write', params: { key: 'state', value: XenbusState.Connected } },
        { type: 'tellKernel', params: { state: 'connected' } },
      ],
      always: [
        { guard: { type: 'backendIs', params: { states: [XenbusState.Closing, XenbusState.Closed] } }, target: 'Closing' },
        { guard: 'backendIsGone', target: 'Closing' },
      ],
    },
    Closing: {
      entry: [{ type: 'tellKernel', params: { state: 'closed' } }, 'disconnect', 'closeChannels'],
      always: 'Closed',
    },
    Closed: {
      entry: { type: 'write', params: { key: 'state', value: XenbusState.Closed } },
      initial: 'waiting',
      states: {
        // The backend has the rings mapped until it is Closed as well.
        waiting: {
          always: [
            { guard: { type: 'backendIs', params: { states: [XenbusState.Closed] } }, target: 'released' },
            { guard: 'backendIsGone', target: 'released' },
          ],
        },
        released: { entry: 'endRings', always: { guard: 'backendIsGone', target: 'removed' } },
        removed: { entry: ['unwatchBackend', 'exit'] },
      },
    },
  },
});

/** Whether this backend and this frontend can work together, once all keys have been read. */
const suits = ({ keys }: Netfront): boolean =>
  keys['feature-rx-copy'] === '1' && keys['feature-split-event-channels'] === '1' && textToMac(keys['mac'] ?? '') !== undefined;
