import { assign, emit, setup } from 'xstate';
import type { Command, FactOf, Returned } from '../events/vocabulary.ts';
import {
  type Client,
  client,
  emitEach,
  isNumber,
  read,
  storeActions,
  unwatch,
  watch,
  write,
  XenbusState,
} from './xenbus/requests.ts';

interface Netback extends Client {
  readonly domid: number;
  readonly name: string;
  readonly frontend: number;
  readonly devid: number;
  /** The rings as they were mapped, and the channels: that of tx first, then that of rx. */
  readonly rings: readonly { readonly handle: number; readonly mfn: number }[];
  readonly ports: readonly number[];
  /** How many mappings and channels were refused. */
  readonly refused: number;
}

const dir = (c: Netback): string => `backend/vif/${c.frontend}/${c.devid}`;
const frontendDir = (c: Netback): string => c.keys['frontend'] ?? '';
/** A frontend without `event-channel-tx` has one channel, `event-channel`, for both rings. */
const isSplit = ({ keys }: Netback): boolean => keys['event-channel-tx'] !== '';

/** What the frontend's directory says, in the order in which xenvif asks. */
const FRONTEND_KEYS = [
  'request-rx-copy',
  'feature-rx-notify',
  'feature-sg',
  'feature-gso-tcpv4',
  'feature-gso-tcpv6',
  'feature-no-csum-offload',
  'feature-ipv6-csum-offload',
  'xdp-headroom',
  'ctrl-ring-ref',
  'tx-ring-ref',
  'rx-ring-ref',
  'event-channel-tx',
  'event-channel-rx',
] as const;
const RING_KEYS = ['tx-ring-ref', 'rx-ring-ref'] as const;
const channelKeys = (c: Netback) =>
  isSplit(c) ? (['event-channel-tx', 'event-channel-rx'] as const) : (['event-channel'] as const);

const CLOSED = [XenbusState.Closing, XenbusState.Closed] as const;
/** What goes when the frontend does; the rings last, for nobody may look at them any more. */
const UNWATCHING = ['unwatchMulticast', 'unwatchRate'] as const;
const RELEASING = ['closeChannels', 'unmapRings'] as const;

type NetbackEvent =
  | FactOf<'xenstore.watch_fired'>
  | Returned<
      | 'xenstore.read'
      | 'xenstore.transaction_start'
      | 'xenstore.transaction_end'
      | 'gnttab.map_grant_ref'
      | 'evtchn.bind_interdomain'
      | 'vif.connect_backend'
    >;

/**
 * xen-netback (a party of its domain): says what it can do, waits for the frontend's rings and for the interface to be on its bridge,
 * connects them, and ends with the frontend. The keys are those of Linux; a feature that we do not have stands there as 0.
 */
export const netback = setup({
  types: {
    input: {} as { domid: number; name: string; args: readonly string[] },
    context: {} as Netback,
    events: {} as NetbackEvent,
    emitted: {} as Command,
  },
  guards: {
    hasAnswers: ({ context }) => context.asked.length === 0,
    frontendIs: ({ context }, { states }: { states: readonly XenbusState[] }) =>
      context.asked.length === 0 && states.includes(context.keys['frontend/state'] as XenbusState),
    frontendIsGone: ({ context }) => context.asked.length === 0 && context.keys['frontend/state'] === '',
    isFrontend: ({ context, event }) => event.type === 'xenstore.watch_fired' && event.path === `${frontendDir(context)}/state`,
    isHotplug: ({ context, event }) => event.type === 'xenstore.watch_fired' && event.path === `${dir(context)}/hotplug-status`,
    isOnBridge: ({ context }) => context.asked.length === 0 && context.keys['hotplug-status'] === 'connected',
    /** It wants pages flipped, or several queues, or does not say where its rings are. */
    isUnsuited: ({ context: { asked, keys } }) =>
      asked.length === 0 &&
      (keys['request-rx-copy'] !== '1' ||
        !['', '1'].includes(keys['multi-queue-num-queues'] ?? '') ||
        !RING_KEYS.every((key) => isNumber(keys[key]))),
    hasOneChannel: ({ context: c }) => c.asked.length === 0 && !isSplit(c) && c.keys['event-channel'] === undefined,
    hasChannels: ({ context: c }) => c.asked.length === 0 && channelKeys(c).every((key) => isNumber(c.keys[key])),
    hasNoChannels: ({ context: c }) => c.asked.length === 0 && !channelKeys(c).every((key) => isNumber(c.keys[key])),
    hasRings: ({ context: c }) => c.rings.length === 2 && c.ports.length === channelKeys(c).length,
    lacksRings: ({ context: c }) => c.refused > 0 && c.rings.length + c.ports.length + c.refused === 2 + channelKeys(c).length,
  },
  actions: {
    ...storeActions<Netback, NetbackEvent>(),
    readOwn: emit(({ context: c }, { key }: { key: string }) => read(c, `${dir(c)}/${key}`)),
    readFrontend: emit(({ context: c }, { key }: { key: string }) => read(c, `${frontendDir(c)}/${key}`)),
    watchFrontend: emit(({ context: c }) => watch(c, `${frontendDir(c)}/state`, c.name)),
    unwatchFrontend: emit(({ context: c }) => unwatch(c, `${frontendDir(c)}/state`, c.name)),
    watchRate: emit(({ context: c }) => watch(c, `${dir(c)}/rate`, c.name)),
    unwatchRate: emit(({ context: c }) => unwatch(c, `${dir(c)}/rate`, c.name)),
    watchMulticast: emit(({ context: c }) => watch(c, `${frontendDir(c)}/request-multicast-control`, c.name)),
    unwatchMulticast: emit(({ context: c }) => unwatch(c, `${frontendDir(c)}/request-multicast-control`, c.name)),
    watchHotplug: emit(({ context: c }) => watch(c, `${dir(c)}/hotplug-status`, c.name)),
    unwatchHotplug: emit(({ context: c }) => unwatch(c, `${dir(c)}/hotplug-status`, c.name)),
    removeHotplug: emit(({ context: c }) => ({
      type: 'xenstore.rm',
      conn: c.conn,
      tx: c.tx,
      path: `${dir(c)}/hotplug-status`,
    })),
    write: emit(({ context: c }, { key, value }: { key: string; value: string }) => write(c, `${dir(c)}/${key}`, value)),
    mapRings: emitEach<Netback, NetbackEvent>(({ domid, frontend, keys }) =>
      RING_KEYS.map((key) => ({
        type: 'gnttab.map_grant_ref',
        domid,
        dom: frontend,
        ref: Number(keys[key]),
        readonly: false,
      })),
    ),
    keepRing: assign(({ context: c, event }) =>
      event.type === 'accepted.gnttab.map_grant_ref' ? { rings: [...c.rings, { handle: event.handle, mfn: event.mfn }] } : {},
    ),
    bindChannels: emitEach<Netback, NetbackEvent>((c) =>
      channelKeys(c).map((key) => ({
        type: 'evtchn.bind_interdomain',
        domid: c.domid,
        remote_dom: c.frontend,
        remote_port: Number(c.keys[key]),
      })),
    ),
    keepChannel: assign(({ context: c, event }) =>
      event.type === 'accepted.evtchn.bind_interdomain' ? { ports: [...c.ports, event.local_port] } : {},
    ),
    countRefusal: assign(({ context }) => ({ refused: context.refused + 1 })),
    bindIrqs: emitEach<Netback, NetbackEvent>(({ domid, frontend, devid, ports }) =>
      ports.map((port) => ({ type: 'guest.bind_irq', domid, port, handler: 'vif', dev: devid, peer: frontend })),
    ),
    connect: emit(({ context: c }) => ({
      type: 'vif.connect_backend',
      domid: c.domid,
      frontend: c.frontend,
      devid: c.devid,
      tx_mfn: c.rings[0]?.mfn ?? 0,
      tx_handle: c.rings[0]?.handle ?? 0,
      rx_mfn: c.rings[1]?.mfn ?? 0,
      rx_handle: c.rings[1]?.handle ?? 0,
      tx_port: c.ports[0] ?? 0,
      rx_port: c.ports[1] ?? c.ports[0] ?? 0,
      xdp_headroom: isNumber(c.keys['xdp-headroom']) ? Math.min(Number(c.keys['xdp-headroom']), XEN_NETIF_MAX_XDP_HEADROOM) : 0,
    })),
    disconnect: emit(({ context: c }) => ({ type: 'vif.disconnect', domid: c.domid, frontend: c.frontend, devid: c.devid })),
    closeChannels: emitEach<Netback, NetbackEvent>(({ domid, ports }) =>
      ports.map((port) => ({ type: 'evtchn.close', domid, port })),
    ),
    unmapRings: emitEach<Netback, NetbackEvent>(({ domid, rings }) =>
      rings.map(({ handle }) => ({ type: 'gnttab.unmap_grant_ref', domid, handle })),
    ),
    exit: emit(({ context: c }) => ({ type: 'guest.exit', domid: c.domid, name: c.name })),
  },
}).createMachine({
  id: 'netback',
  context: ({ input }) => ({
    ...client(input.domid),
    domid: input.domid,
    name: input.name,
    frontend: Number(input.args[0] ?? 0),
    devid: Number(input.args[1] ?? 0),
    rings: [],
    ports: [],
    refused: 0,
  }),
  initial: 'Initialising',
  on: {
    'xenstore.watch_fired': [
      {
        guard: 'isFrontend',
        actions: [
          { type: 'readFrontend', params: { key: 'state' } },
          { type: 'ask', params: { keys: ['frontend/state'] } },
        ],
      },
      {
        guard: 'isHotplug',
        actions: [
          { type: 'readOwn', params: { key: 'hotplug-status' } },
          { type: 'ask', params: { keys: ['hotplug-status'] } },
        ],
      },
    ],
    'accepted.xenstore.read': { actions: 'keepAnswer' },
    'refused.xenstore.read': { actions: 'keepAnswer' },
  },
  states: {
    Initialising: {
      initial: 'reading',
      states: {
        reading: {
          entry: [
            { type: 'readOwn', params: { key: 'frontend-id' } },
            { type: 'readOwn', params: { key: 'frontend' } },
            { type: 'ask', params: { keys: ['frontend-id', 'frontend'] } },
          ],
          always: { guard: 'hasAnswers', target: 'starting' },
        },
        starting: {
          entry: 'startTransaction',
          on: { 'accepted.xenstore.transaction_start': { target: 'writing', actions: 'keepTransaction' } },
        },
        writing: {
          entry: [
            { type: 'write', params: { key: 'feature-sg', value: '1' } },
            { type: 'write', params: { key: 'feature-gso-tcpv4', value: '0' } },
            { type: 'write', params: { key: 'feature-gso-tcpv6', value: '0' } },
            { type: 'write', params: { key: 'feature-ipv6-csum-offload', value: '0' } },
            { type: 'write', params: { key: 'feature-rx-copy', value: '1' } },
            { type: 'write', params: { key: 'feature-xdp-headroom', value: '1' } },
            { type: 'write', params: { key: 'feature-rx-flip', value: '0' } },
            { type: 'write', params: { key: 'feature-multicast-control', value: '1' } },
            { type: 'write', params: { key: 'feature-dynamic-multicast-control', value: '1' } },
            'endTransaction',
          ],
          exit: 'forgetTransaction',
          on: {
            'accepted.xenstore.transaction_end': '#netback.InitWait',
            'refused.xenstore.transaction_end': 'starting', // EAGAIN: somebody else was faster
          },
        },
      },
    },
    InitWait: {
      initial: 'waiting',
      states: {
        waiting: {
          entry: [
            { type: 'write', params: { key: 'feature-split-event-channels', value: '1' } },
            { type: 'write', params: { key: 'multi-queue-max-queues', value: '1' } },
            { type: 'write', params: { key: 'feature-ctrl-ring', value: '0' } },
            { type: 'write', params: { key: 'state', value: XenbusState.InitWait } },
            { type: 'readOwn', params: { key: 'script' } },
            { type: 'readOwn', params: { key: 'handle' } },
            { type: 'ask', params: { keys: ['script', 'handle'] } },
            'watchFrontend',
          ],
          always: [
            { guard: 'frontendIsGone', target: '#netback.Closing' },
            { guard: { type: 'frontendIs', params: { states: [XenbusState.Connected] } }, target: 'reading' },
            { guard: { type: 'frontendIs', params: { states: CLOSED } }, target: '#netback.Closing' },
          ],
        },
        reading: {
          entry: [
            { type: 'readFrontend', params: { key: 'multi-queue-num-queues' } },
            { type: 'readOwn', params: { key: 'mac' } },
            { type: 'readOwn', params: { key: 'rate' } },
            'watchRate',
            'watchMulticast',
            ...FRONTEND_KEYS.map((key) => ({ type: 'readFrontend' as const, params: { key } })),
            { type: 'ask', params: { keys: ['multi-queue-num-queues', 'mac', 'rate', ...FRONTEND_KEYS] } },
          ],
          always: [
            { guard: 'isUnsuited', target: '#netback.Closing', actions: UNWATCHING },
            { guard: 'hasOneChannel', target: 'readingChannel' },
            { guard: 'hasChannels', target: 'mapping' },
            { guard: 'hasNoChannels', target: '#netback.Closing', actions: UNWATCHING },
          ],
        },
        readingChannel: {
          entry: [
            { type: 'readFrontend', params: { key: 'event-channel' } },
            { type: 'ask', params: { keys: ['event-channel'] } },
          ],
          always: [
            { guard: 'hasChannels', target: 'mapping' },
            { guard: 'hasNoChannels', target: '#netback.Closing', actions: UNWATCHING },
          ],
        },
        mapping: {
          entry: ['mapRings', 'bindChannels'],
          on: {
            'accepted.gnttab.map_grant_ref': { actions: 'keepRing' },
            'accepted.evtchn.bind_interdomain': { actions: 'keepChannel' },
            'refused.gnttab.map_grant_ref': { actions: 'countRefusal' },
            'refused.evtchn.bind_interdomain': { actions: 'countRefusal' },
          },
          always: [
            { guard: 'hasRings', target: 'hotplugging' },
            { guard: 'lacksRings', target: '#netback.Closing', actions: [...UNWATCHING, ...RELEASING] },
          ],
        },
        hotplugging: {
          entry: [
            'watchHotplug',
            { type: 'readOwn', params: { key: 'rate' } },
            { type: 'readFrontend', params: { key: 'request-multicast-control' } },
            { type: 'ask', params: { keys: ['rate', 'request-multicast-control'] } },
          ],
          always: [
            { guard: 'frontendIsGone', target: '#netback.Closing', actions: ['unwatchHotplug', ...UNWATCHING, ...RELEASING] },
            {
              guard: { type: 'frontendIs', params: { states: CLOSED } },
              target: '#netback.Closing',
              actions: ['unwatchHotplug', ...UNWATCHING, ...RELEASING],
            },
            { guard: 'isOnBridge', target: '#netback.Connected' },
          ],
        },
      },
    },
    Connected: {
      entry: ['bindIrqs', 'connect', { type: 'write', params: { key: 'state', value: XenbusState.Connected } }, 'unwatchHotplug'],
      on: { 'refused.vif.connect_backend': { target: 'Closing', actions: [...UNWATCHING, ...RELEASING] } },
      always: [
        { guard: 'frontendIsGone', target: 'Closing', actions: [...UNWATCHING, 'disconnect', ...RELEASING] },
        {
          guard: { type: 'frontendIs', params: { states: CLOSED } },
          target: 'Closing',
          actions: [...UNWATCHING, 'disconnect', ...RELEASING],
        },
      ],
    },
    Closing: {
      entry: { type: 'write', params: { key: 'state', value: XenbusState.Closing } },
      always: 'Closed',
    },
    Closed: {
      entry: [{ type: 'write', params: { key: 'state', value: XenbusState.Closed } }, 'unwatchFrontend', 'removeHotplug', 'exit'],
    },
  },
});

/** public/io/netif.h */
const XEN_NETIF_MAX_XDP_HEADROOM = 0x7fff;
