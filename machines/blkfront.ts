import { assign, emit, setup } from 'xstate';
import type { Command, FactOf, Returned } from '../events/vocabulary.ts';
import { type Client, client, keyDomid, read, storeActions, watch, write, XenbusState } from './xenbus/requests.ts';

interface Blkfront extends Client {
  readonly domid: number;
  readonly vdev: number;
  readonly name: string;
  readonly ringRef: number;
  readonly ringGfn: number;
  readonly port: number;
}

const dir = (c: Blkfront): string => `device/vbd/${c.vdev}`;
const backend = (c: Blkfront): string => c.keys['backend'] ?? '';
const backendId = (c: Blkfront): number => keyDomid(c.keys['backend-id']);

/** What the backend's directory says of the disk. */
const DISK_KEYS = [
  'sectors',
  'info',
  'sector-size',
  'physical-sector-size',
  'feature-barrier',
  'feature-flush-cache',
  'feature-discard',
  'discard-granularity',
  'discard-alignment',
  'discard-secure',
  'feature-persistent',
  'feature-max-indirect-segments',
] as const;

type BlkfrontEvent =
  | FactOf<'xenstore.watch_fired' | 'guest.devices_stopping'>
  | Returned<
      | 'xenstore.read'
      | 'xenstore.transaction_start'
      | 'xenstore.transaction_end'
      | 'guest.grant_page'
      | 'guest.end_access'
      | 'evtchn.alloc_unbound'
      | 'vbd.connect_frontend'
    >;

/** xen-blkfront (a party of its guest): from the keys that the toolstack wrote to a disk that can be read, and back. */
export const blkfront = setup({
  types: {
    input: {} as { domid: number; name: string; args: readonly string[] },
    context: {} as Blkfront,
    events: {} as BlkfrontEvent,
    emitted: {} as Command,
  },
  guards: {
    hasAnswers: ({ context }) => context.asked.length === 0,
    backendIs: ({ context }, { states }: { states: readonly XenbusState[] }) =>
      context.asked.length === 0 && states.includes(context.keys['backend/state'] as XenbusState),
  },
  actions: {
    ...storeActions<Blkfront, BlkfrontEvent>(),
    readOwn: emit(({ context: c }, { key }: { key: string }) => read(c, `${dir(c)}/${key}`)),
    readBackend: emit(({ context: c }, { key }: { key: string }) => read(c, `${backend(c)}/${key}`)),
    watchBackend: emit(({ context: c }) => watch(c, `${backend(c)}/state`, c.name)),
    write: emit(({ context: c }, { key, value }: { key: string; value: string }) => write(c, `${dir(c)}/${key}`, value)),
    grantRing: emit(({ context: c }) => ({
      type: 'guest.grant_page',
      domid: c.domid,
      remote_dom: backendId(c),
      readonly: false,
    })),
    keepRing: assign(({ event }) =>
      event.type === 'accepted.guest.grant_page' ? { ringRef: event.ref, ringGfn: event.gfn } : {},
    ),
    allocChannel: emit(({ context: c }) => ({
      type: 'evtchn.alloc_unbound',
      domid: c.domid,
      dom: c.domid,
      remote_dom: backendId(c),
    })),
    keepChannel: assign(({ event }) => (event.type === 'accepted.evtchn.alloc_unbound' ? { port: event.port } : {})),
    bindIrq: emit(({ context: c }) => ({
      type: 'guest.bind_irq',
      domid: c.domid,
      port: c.port,
      handler: 'vbd',
      dev: c.vdev,
      peer: 0,
    })),
    connect: emit(({ context: c }) => ({
      type: 'vbd.connect_frontend',
      domid: c.domid,
      vdev: c.vdev,
      ring_gfn: c.ringGfn,
      ring_ref: c.ringRef,
      port: c.port,
      backend: backendId(c),
    })),
    disconnect: emit(({ context: c }) => ({ type: 'vbd.disconnect', domid: c.domid, frontend: c.domid, vdev: c.vdev })),
    unbindIrq: emit(({ context: c }) => ({ type: 'guest.unbind_irq', domid: c.domid, port: c.port })),
    closeChannel: emit(({ context: c }) => ({ type: 'evtchn.close', domid: c.domid, port: c.port })),
    endRing: emit(({ context: c }) => ({ type: 'guest.end_access', domid: c.domid, ref: c.ringRef })),
    tellKernel: emit(({ context: c }, { state }: { state: 'connected' | 'closed' }) => ({
      type: 'guest.note_device',
      domid: c.domid,
      device: 'vbd',
      dev: c.vdev,
      state,
      info: c.keys['sectors'] ?? '0',
    })),
  },
}).createMachine({
  id: 'blkfront',
  context: ({ input }) => ({
    ...client(input.domid),
    domid: input.domid,
    name: input.name,
    vdev: Number(input.args[0] ?? 0),
    ringRef: 0,
    ringGfn: 0,
    port: 0,
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
            { type: 'readOwn', params: { key: 'virtual-device' } },
            { type: 'ask', params: { keys: ['backend-id', 'backend', 'virtual-device'] } },
          ],
          always: { guard: 'hasAnswers', target: 'waiting' },
        },
        waiting: {
          entry: 'watchBackend',
          always: [
            {
              guard: { type: 'backendIs', params: { states: [XenbusState.InitWait, XenbusState.Initialised] } },
              target: 'probing',
            },
            {
              guard: { type: 'backendIs', params: { states: [XenbusState.Closing, XenbusState.Closed] } },
              target: '#blkfront.Closed',
            },
          ],
        },
        probing: {
          entry: [
            { type: 'readOwn', params: { key: 'trusted' } },
            { type: 'readBackend', params: { key: 'max-ring-page-order' } },
            { type: 'readBackend', params: { key: 'multi-queue-max-queues' } },
            { type: 'ask', params: { keys: ['trusted', 'max-ring-page-order', 'multi-queue-max-queues'] } },
          ],
          always: { guard: 'hasAnswers', target: 'granting' },
        },
        granting: {
          entry: ['grantRing', 'allocChannel'],
          on: {
            'accepted.guest.grant_page': { actions: 'keepRing' },
            'accepted.evtchn.alloc_unbound': { target: 'connecting', actions: 'keepChannel' },
            'refused.guest.grant_page': '#blkfront.Closed',
            'refused.evtchn.alloc_unbound': '#blkfront.Closed',
          },
        },
        connecting: {
          entry: ['bindIrq', 'connect'],
          on: {
            'accepted.vbd.connect_frontend': 'starting',
            'refused.vbd.connect_frontend': '#blkfront.Closed',
          },
        },
        starting: {
          entry: 'startTransaction',
          on: { 'accepted.xenstore.transaction_start': { target: 'writing', actions: 'keepTransaction' } },
        },
        writing: {
          entry: [
            { type: 'write', params: ({ context }) => ({ key: 'ring-ref', value: String(context.ringRef) }) },
            { type: 'write', params: ({ context }) => ({ key: 'event-channel', value: String(context.port) }) },
            { type: 'write', params: { key: 'protocol', value: 'x86_64-abi' } },
            { type: 'write', params: { key: 'feature-persistent', value: '1' } },
            'endTransaction',
          ],
          exit: 'forgetTransaction',
          on: {
            'accepted.xenstore.transaction_end': '#blkfront.Initialised',
            'refused.xenstore.transaction_end': 'starting', // EAGAIN: somebody else was faster
          },
        },
      },
    },
    Initialised: {
      entry: { type: 'write', params: { key: 'state', value: XenbusState.Initialised } },
      always: [
        { guard: { type: 'backendIs', params: { states: [XenbusState.Connected] } }, target: 'Connecting' },
        { guard: { type: 'backendIs', params: { states: [XenbusState.Closing, XenbusState.Closed] } }, target: 'Closing' },
      ],
    },
    Connecting: {
      entry: [
        ...DISK_KEYS.map((key) => ({ type: 'readBackend' as const, params: { key } })),
        { type: 'ask', params: { keys: DISK_KEYS } },
      ],
      always: { guard: 'hasAnswers', target: 'Connected' },
    },
    Connected: {
      entry: [
        { type: 'write', params: { key: 'state', value: XenbusState.Connected } },
        { type: 'tellKernel', params: { state: 'connected' } },
      ],
      always: { guard: { type: 'backendIs', params: { states: [XenbusState.Closing, XenbusState.Closed] } }, target: 'Closing' },
      on: { 'guest.devices_stopping': 'Stopping' },
    },
    // The kernel goes down: the backend is asked to let go first.
    Stopping: {
      entry: { type: 'write', params: { key: 'state', value: XenbusState.Closing } },
      always: { guard: { type: 'backendIs', params: { states: [XenbusState.Closed] } }, target: 'Closing' },
    },
    Closing: {
      entry: [{ type: 'tellKernel', params: { state: 'closed' } }, 'disconnect', 'unbindIrq', 'closeChannel', 'endRing'],
      always: 'Closed',
    },
    Closed: { entry: { type: 'write', params: { key: 'state', value: XenbusState.Closed } } },
  },
});
