import { assign, emit, setup } from 'xstate';
import type { Command, FactOf, Returned } from '../../events/vocabulary.ts';
import { XenbusState } from '../xenbus/requests.ts';

/** A backend's directory: its class, the frontend's domain, the device. */
const DEVICE = /^backend\/(vbd|vif)\/(\d+)\/(\d+)$/;
const programs: Readonly<Record<string, string>> = { vbd: 'blkback', vif: 'netback' };

interface Dom0Kernel {
  /** Directories whose state was asked for, oldest first. */
  readonly asked: readonly string[];
  /** The one whose state has just been answered with Initialising. */
  readonly found: string;
}

/** dom0's kernel (a party): its xenbus driver finds new backends where the toolstack writes them, and starts their drivers. */
export const dom0Kernel = setup({
  types: {
    input: {} as FactOf<'guest.started'>,
    context: {} as Dom0Kernel,
    events: {} as FactOf<'xenstore.watch_fired'> | Returned<'xenstore.read'>,
    emitted: {} as Command,
  },
  guards: {
    isDevice: ({ event }) => event.type === 'xenstore.watch_fired' && DEVICE.test(event.path),
    isNew: ({ event }) => event.type === 'accepted.xenstore.read' && event.value === XenbusState.Initialising,
  },
  actions: {
    watchBackends: emit({ type: 'xenstore.watch', conn: 0, path: 'backend', token: 'kernel' }),
    startConsoles: emit({ type: 'guest.spawn', domid: 0, name: 'xenconsoled', program: 'xenconsoled', args: [] }),
    readState: emit(({ event }) => ({
      type: 'xenstore.read',
      conn: 0,
      tx: 0,
      path: `${event.type === 'xenstore.watch_fired' ? event.path : ''}/state`,
    })),
    remember: assign(({ context, event }) =>
      event.type === 'xenstore.watch_fired' ? { asked: [...context.asked, event.path] } : {},
    ),
    forget: assign(({ context }) => ({ asked: context.asked.slice(1), found: context.asked[0] ?? '' })),
    startDriver: emit(({ context }) => {
      const [, device = '', frontend = '', dev = ''] = DEVICE.exec(context.found) ?? [];
      return {
        type: 'guest.spawn',
        domid: 0,
        name: `backend.${device}.${frontend}.${dev}`,
        program: programs[device] ?? '',
        args: [frontend, dev],
      };
    }),
  },
}).createMachine({
  id: 'dom0Kernel',
  context: { asked: [], found: '' },
  initial: 'running',
  states: {
    running: {
      entry: ['watchBackends', 'startConsoles'],
      on: {
        'xenstore.watch_fired': { guard: 'isDevice', actions: ['remember', 'readState'] },
        'accepted.xenstore.read': [{ guard: 'isNew', actions: ['forget', 'startDriver'] }, { actions: 'forget' }],
        'refused.xenstore.read': { actions: 'forget' },
      },
    },
  },
});
