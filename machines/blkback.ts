import { assign, emit, setup } from 'xstate';
import type { Command, FactOf, Returned } from '../events/vocabulary.ts';
import { type Client, client, isNumber, read, storeActions, unwatch, watch, write, XenbusState } from './xenbus/requests.ts';

interface Blkback extends Client {
  readonly domid: number;
  readonly name: string;
  readonly frontend: number;
  readonly vdev: number;
  readonly sectors: number;
  readonly info: number;
  readonly ringMfn: number;
  readonly ringHandle: number;
  readonly port: number;
}

const dir = (c: Blkback): string => `backend/vbd/${c.frontend}/${c.vdev}`;
const frontendDir = (c: Blkback): string => c.keys['frontend'] ?? '';

type BlkbackEvent =
  | FactOf<'xenstore.watch_fired'>
  | Returned<
      | 'xenstore.read'
      | 'xenstore.transaction_start'
      | 'xenstore.transaction_end'
      | 'vbd.open_disk'
      | 'gnttab.map_grant_ref'
      | 'evtchn.bind_interdomain'
    >;

/** xen-blkback (a party of its domain): waits for the disk and for the frontend's ring, connects them, and ends with the frontend. */
export const blkback = setup({
  types: {
    input: {} as { domid: number; name: string; args: readonly string[] },
    context: {} as Blkback,
    events: {} as BlkbackEvent,
    emitted: {} as Command,
  },
  guards: {
    hasAnswers: ({ context }) => context.asked.length === 0,
    hasDisk: ({ context }) =>
      context.asked.length === 0 && context.keys['physical-device'] !== '' && context.keys['physical-device'] !== undefined,
    frontendIs: ({ context }, { states }: { states: readonly XenbusState[] }) =>
      context.asked.length === 0 && states.includes(context.keys['frontend/state'] as XenbusState),
    frontendIsGone: ({ context }) => context.asked.length === 0 && context.keys['frontend/state'] === '',
    isOffered: ({ context: c }) => c.asked.length === 0 && isNumber(c.keys['ring-ref']) && isNumber(c.keys['event-channel']),
    isListed: ({ context: c }) => c.asked.length === 0 && c.keys['state'] !== '',
    isPhysicalDevice: ({ event }) => event.type === 'xenstore.watch_fired' && event.path.endsWith('/physical-device'),
    isFrontend: ({ event }) => event.type === 'xenstore.watch_fired' && event.path.includes('/device/'),
  },
  actions: {
    ...storeActions<Blkback, BlkbackEvent>(),
    forgetState: assign(({ context: c }) => ({ keys: { ...c.keys, state: '' } })),
    readOwn: emit(({ context: c }, { key }: { key: string }) => read(c, `${dir(c)}/${key}`)),
    readFrontend: emit(({ context: c }, { key }: { key: string }) => read(c, `${frontendDir(c)}/${key}`)),
    watchDisk: emit(({ context: c }) => watch(c, `${dir(c)}/physical-device`, c.name)),
    watchFrontend: emit(({ context: c }) => watch(c, `${frontendDir(c)}/state`, c.name)),
    unwatchDisk: emit(({ context: c }) => unwatch(c, `${dir(c)}/physical-device`, c.name)),
    unwatchFrontend: emit(({ context: c }) => unwatch(c, `${frontendDir(c)}/state`, c.name)),
    write: emit(({ context: c }, { key, value }: { key: string; value: string }) => write(c, `${dir(c)}/${key}`, value)),
    openDisk: emit(({ context: c }) => ({
      type: 'vbd.open_disk',
      domid: c.domid,
      frontend: c.frontend,
      vdev: c.vdev,
      params: c.keys['params'] ?? '',
      readonly: c.keys['mode'] !== 'w',
    })),
    keepDisk: assign(({ event }) =>
      event.type === 'accepted.vbd.open_disk' ? { sectors: event.sectors, info: event.info } : {},
    ),
    mapRing: emit(({ context: c }) => ({
      type: 'gnttab.map_grant_ref',
      domid: c.domid,
      dom: c.frontend,
      ref: Number(c.keys['ring-ref']),
      readonly: false,
    })),
    keepRing: assign(({ event }) =>
      event.type === 'accepted.gnttab.map_grant_ref' ? { ringMfn: event.mfn, ringHandle: event.handle } : {},
    ),
    bindChannel: emit(({ context: c }) => ({
      type: 'evtchn.bind_interdomain',
      domid: c.domid,
      remote_dom: c.frontend,
      remote_port: Number(c.keys['event-channel']),
    })),
    keepChannel: assign(({ event }) => (event.type === 'accepted.evtchn.bind_interdomain' ? { port: event.local_port } : {})),
    bindIrq: emit(({ context: c }) => ({
      type: 'guest.bind_irq',
      domid: c.domid,
      port: c.port,
      handler: 'vbd',
      dev: c.vdev,
      peer: c.frontend,
    })),
    connect: emit(({ context: c }) => ({
      type: 'vbd.connect_backend',
      domid: c.domid,
      frontend: c.frontend,
      vdev: c.vdev,
      ring_mfn: c.ringMfn,
      ring_handle: c.ringHandle,
      port: c.port,
    })),
    disconnect: emit(({ context: c }) => ({ type: 'vbd.disconnect', domid: c.domid, frontend: c.frontend, vdev: c.vdev })),
    closeChannel: emit(({ context: c }) => ({ type: 'evtchn.close', domid: c.domid, port: c.port })),
    unmapRing: emit(({ context: c }) => ({ type: 'gnttab.unmap_grant_ref', domid: c.domid, handle: c.ringHandle })),
    exit: emit(({ context: c }) => ({ type: 'guest.exit', domid: c.domid, name: c.name })),
  },
}).createMachine({
  id: 'blkback',
  context: ({ input }) => ({
    ...client(input.domid),
    domid: input.domid,
    name: input.name,
    frontend: Number(input.args[0] ?? 0),
    vdev: Number(input.args[1] ?? 0),
    sectors: 0,
    info: 0,
    ringMfn: 0,
    ringHandle: 0,
    port: 0,
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
        guard: 'isPhysicalDevice',
        actions: [
          { type: 'readOwn', params: { key: 'physical-device' } },
          { type: 'ask', params: { keys: ['physical-device'] } },
        ],
      },
    ],
    'accepted.xenstore.read': { actions: 'keepAnswer' },
    'refused.xenstore.read': { actions: 'keepAnswer' },
  },
  states: {
    Initialising: {
      entry: [
        { type: 'readOwn', params: { key: 'frontend-id' } },
        { type: 'readOwn', params: { key: 'frontend' } },
        { type: 'ask', params: { keys: ['frontend-id', 'frontend'] } },
      ],
      always: { guard: 'hasAnswers', target: 'InitWait' },
    },
    InitWait: {
      initial: 'announcing',
      entry: [
        { type: 'write', params: { key: 'feature-max-indirect-segments', value: '0' } },
        { type: 'write', params: { key: 'multi-queue-max-queues', value: '1' } },
        'watchDisk',
        { type: 'write', params: { key: 'max-ring-page-order', value: '0' } },
        { type: 'write', params: { key: 'state', value: XenbusState.InitWait } },
        'watchFrontend',
      ],
      states: {
        announcing: {
          always: [
            { guard: 'frontendIsGone', target: '#blkback.Closed' },
            { guard: 'hasDisk', target: 'readingMode' },
          ],
        },
        readingMode: {
          entry: [
            { type: 'readOwn', params: { key: 'mode' } },
            { type: 'readOwn', params: { key: 'params' } },
            { type: 'readFrontend', params: { key: 'device-type' } },
            { type: 'ask', params: { keys: ['mode', 'params', 'device-type'] } },
          ],
          always: { guard: 'hasAnswers', target: 'opening' },
        },
        opening: {
          entry: 'openDisk',
          on: {
            'accepted.vbd.open_disk': { target: '#blkback.waiting', actions: 'keepDisk' },
            'refused.vbd.open_disk': '#blkback.Closed',
          },
        },
      },
    },
    // Still InitWait for the frontend: it has not offered its ring yet.
    waiting: {
      id: 'waiting',
      always: [
        { guard: 'frontendIsGone', target: 'Closed' },
        {
          guard: { type: 'frontendIs', params: { states: [XenbusState.Initialised, XenbusState.Connected] } },
          target: 'Initialised',
        },
        { guard: { type: 'frontendIs', params: { states: [XenbusState.Closing, XenbusState.Closed] } }, target: 'Closing' },
      ],
    },
    Initialised: {
      initial: 'reading',
      states: {
        reading: {
          entry: [
            { type: 'readFrontend', params: { key: 'protocol' } },
            { type: 'readFrontend', params: { key: 'feature-persistent' } },
            { type: 'readFrontend', params: { key: 'multi-queue-num-queues' } },
            { type: 'readFrontend', params: { key: 'ring-page-order' } },
            { type: 'readFrontend', params: { key: 'event-channel' } },
            { type: 'readFrontend', params: { key: 'ring-ref' } },
            {
              type: 'ask',
              params: {
                keys: [
                  'protocol',
                  'frontend/feature-persistent',
                  'multi-queue-num-queues',
                  'ring-page-order',
                  'event-channel',
                  'ring-ref',
                ],
              },
            },
          ],
          always: [
            { guard: 'isOffered', target: 'mapping' },
            { guard: 'hasAnswers', target: '#blkback.Closed' }, // the guest wrote nonsense where the ring should be
          ],
        },
        mapping: {
          entry: ['mapRing', 'bindChannel'],
          on: {
            'accepted.gnttab.map_grant_ref': { actions: 'keepRing' },
            'accepted.evtchn.bind_interdomain': { target: 'starting', actions: 'keepChannel' },
            'refused.gnttab.map_grant_ref': '#blkback.Closing',
            'refused.evtchn.bind_interdomain': '#blkback.Closing',
          },
        },
        starting: {
          entry: 'startTransaction',
          on: { 'accepted.xenstore.transaction_start': { target: 'writing', actions: 'keepTransaction' } },
        },
        writing: {
          entry: [
            { type: 'write', params: { key: 'feature-flush-cache', value: '1' } },
            { type: 'write', params: { key: 'discard-granularity', value: '4096' } },
            { type: 'write', params: { key: 'discard-alignment', value: '0' } },
            { type: 'write', params: { key: 'discard-secure', value: '0' } },
            { type: 'write', params: { key: 'feature-discard', value: '1' } },
            { type: 'write', params: { key: 'feature-barrier', value: '1' } },
            { type: 'write', params: { key: 'feature-persistent', value: '1' } },
            { type: 'write', params: ({ context }) => ({ key: 'sectors', value: String(context.sectors) }) },
            { type: 'write', params: ({ context }) => ({ key: 'info', value: String(context.info) }) },
            { type: 'write', params: { key: 'sector-size', value: '512' } },
            { type: 'write', params: { key: 'physical-sector-size', value: '512' } },
            'endTransaction',
          ],
          exit: 'forgetTransaction',
          on: {
            'accepted.xenstore.transaction_end': '#blkback.Connected',
            'refused.xenstore.transaction_end': 'starting',
          },
        },
      },
    },
    Connected: {
      entry: ['bindIrq', 'connect', { type: 'write', params: { key: 'state', value: XenbusState.Connected } }],
      always: [
        { guard: 'frontendIsGone', target: 'Closing' },
        { guard: { type: 'frontendIs', params: { states: [XenbusState.Closing, XenbusState.Closed] } }, target: 'Closing' },
      ],
    },
    Closing: {
      entry: ['disconnect', 'closeChannel', 'unmapRing'],
      always: 'Closed',
    },
    Closed: {
      initial: 'looking',
      states: {
        // The toolstack may have removed the directory already: it is not to be made again.
        looking: {
          entry: ['forgetState', { type: 'readOwn', params: { key: 'state' } }, { type: 'ask', params: { keys: ['state'] } }],
          always: [
            {
              guard: 'isListed',
              target: 'leaving',
              actions: { type: 'write', params: { key: 'state', value: XenbusState.Closed } },
            },
            { guard: 'hasAnswers', target: 'leaving' },
          ],
        },
        leaving: { entry: ['unwatchFrontend', 'unwatchDisk', 'exit'] },
      },
    },
  },
});
