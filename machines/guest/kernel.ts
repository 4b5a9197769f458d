import { assign, emit, setup } from 'xstate';
import { MS, SECOND } from '../../events/units.ts';
import type { Command, FactOf, Returned } from '../../events/vocabulary.ts';
import { VIRQ } from '../../src/abi/virq.ts';
import { vdevName, vdevNumber } from '../../src/toolstack/cfg/vdev.ts';
import { type Client, client, read, storeActions, watch, write } from '../xenbus/requests.ts';
import {
  banner,
  cpusUp,
  diskFound,
  goingDown,
  initStarts,
  leaseBound,
  leaseFailed,
  multiUser,
  panic,
  rootMounted,
  stopped,
  vifFound,
  xenbusFound,
} from './boot-log.ts';

/** A device as `vbd/51712`. */
type DeviceName = string;
interface Kernel extends Client {
  readonly domid: number;
  readonly id: string;
  readonly kernel: string;
  readonly cmdline: string;
  readonly nr_vcpus: number;
  readonly nr_pages: number;
  /** The next vCPU to bring up. */
  readonly vcpu: number;
  readonly timerPort: number;
  readonly devices: readonly DeviceName[];
  /** Devices whose drivers are still to be started. */
  readonly toProbe: readonly DeviceName[];
  readonly connected: readonly DeviceName[];
  readonly address: string;
  /** How it was asked to stop. */
  readonly stopping: Reason;
  /** Workloads that init has still to start. */
  readonly toStart: readonly string[];
}
type Reason = 'poweroff' | 'reboot' | 'halt';
const reasons: readonly string[] = ['poweroff', 'reboot', 'halt'];

/** How long init waits for disks and interfaces before it goes on without them. */
const DEVICE_TIMEOUT = 10 * SECOND;

/** A word of the kernel's command line: `root=/dev/xvda1`. */
const parameter = ({ cmdline }: Kernel, name: string): string =>
  cmdline
    .split(/\s+/)
    .find((word) => word.startsWith(`${name}=`))
    ?.slice(name.length + 1) ?? '';
const rootDevice = (c: Kernel): string => parameter(c, 'root').replace(/^\/dev\//, '');
/** The disk that the root file system is on, without its partition: xvda1 is on xvda. */
const rootDisk = (c: Kernel): number => {
  const named = vdevNumber(rootDevice(c).replace(/\d+$/, ''));
  if (typeof named === 'number') return named;
  const first = c.devices.find((device) => device.startsWith('vbd/'));
  return first === undefined ? -1 : Number(first.slice(4));
};
const hostname = (c: Kernel): string => c.keys['name'] || `domU${c.domid}`;

type KernelEvent =
  | FactOf<'xenstore.watch_fired' | 'guest.device_changed' | 'guest.work_finished' | 'guest.process_exited'>
  | Returned<
      | 'evtchn.bind_virq'
      | 'vcpu.up'
      | 'xenstore.directory'
      | 'xenstore.read'
      | 'xenstore.transaction_start'
      | 'xenstore.transaction_end'
      | 'guest.spawn'
    >;

/** The kernel and init of an actor guest (a party): from start of day to multi-user, and down again. */
export const guestKernel = setup({
  types: {
    input: {} as FactOf<'guest.started'>,
    context: {} as Kernel,
    events: {} as KernelEvent,
    emitted: {} as Command,
  },
  guards: {
    cpusAreUp: ({ context: c }) => c.vcpu >= c.nr_vcpus,
    hasAnswers: ({ context: c }) => c.asked.length === 0,
    nothingToProbe: ({ context: c }) => c.toProbe.length === 0,
    devicesAreThere: ({ context: c }) => c.devices.every((device) => c.connected.includes(device)),
    hasRoot: ({ context: c }) => c.connected.includes(`vbd/${rootDisk(c)}`),
    wantsRoot: ({ context: c }) => rootDevice(c) !== '',
    hasNetwork: ({ context: c }) => c.connected.includes('vif/0'),
    nothingToStart: ({ context: c }) => c.toStart.length === 0,
    succeeded: ({ event }) => event.type === 'guest.work_finished' && event.errno === '',
    isWork: ({ event }, { kind }: { kind: FactOf<'guest.work_finished'>['kind'] }) =>
      event.type === 'guest.work_finished' && event.kind === kind,
    isShutdownRequest: ({ event }) => event.type === 'xenstore.watch_fired' && event.path === 'control/shutdown',
    disksAreClosed: ({ context: c }) => !c.connected.some((device) => device.startsWith('vbd/')),
    mustStop: ({ context: c }) => c.asked.length === 0 && reasons.includes(c.keys['control/shutdown'] ?? ''),
  },
  actions: {
    ...storeActions<Kernel, KernelEvent>(),
    print: emit(({ context: c }, { text }: { text: string }) => ({ type: 'hvc.write', domid: c.domid, text })),
    work: emit(({ context: c }, { kind, args }: { kind: FactOf<'guest.work_started'>['kind']; args: readonly string[] }) => ({
      type: 'guest.start_work',
      domid: c.domid,
      issuer: c.id,
      kind,
      args,
    })),
    bindTimer: emit(({ context: c }) => ({ type: 'evtchn.bind_virq', domid: c.domid, virq: VIRQ.TIMER, vcpu: 0 })),
    keepTimerPort: assign(({ event }) => (event.type === 'accepted.evtchn.bind_virq' ? { timerPort: event.port } : {})),
    handleTimer: emit(({ context: c }) => ({
      type: 'guest.bind_irq',
      domid: c.domid,
      port: c.timerPort,
      handler: 'timer',
      dev: 0,
      peer: 0,
    })),
    initialiseCpu: emit(({ context: c }) => ({ type: 'vcpu.initialise', domid: c.domid, vcpu: c.vcpu })),
    bringUpCpu: emit(({ context: c }) => ({ type: 'vcpu.up', domid: c.domid, vcpu: c.vcpu })),
    nextCpu: assign(({ context: c }) => ({ vcpu: c.vcpu + 1 })),
    watchShutdown: emit(({ context: c }) => watch(c, 'control/shutdown', 'kernel')),
    announcePoweroff: emit(({ context: c }) => write(c, 'control/feature-poweroff', '1')),
    announceReboot: emit(({ context: c }) => write(c, 'control/feature-reboot', '1')),
    list: emit(({ context: c }, { path }: { path: string }) => ({ type: 'xenstore.directory', conn: c.conn, tx: 0, path })),
    read: emit(({ context: c }, { path }: { path: string }) => read(c, path)),
    keepList: assign(({ context: c, event }) => {
      const [key = '', ...asked] = c.asked;
      const children = event.type === 'accepted.xenstore.directory' ? event.children : [];
      const found = children.map((child) => `${key.slice('device/'.length)}/${child}`);
      return { asked, devices: [...c.devices, ...found], toProbe: [...c.toProbe, ...found] };
    }),
    startDriver: emit(({ context: c }) => {
      const [kind = '', dev = ''] = (c.toProbe[0] ?? '').split('/');
      return {
        type: 'guest.spawn',
        domid: c.domid,
        name: `${kind}.${dev}`,
        program: kind === 'vbd' ? 'blkfront' : 'netfront',
        args: [dev],
      };
    }),
    probed: assign(({ context: c }) => ({ toProbe: c.toProbe.slice(1) })),
    noteDevice: assign(({ context: c, event }) => {
      if (event.type !== 'guest.device_changed') return {};
      const name = `${event.device}/${event.dev}`;
      const others = c.connected.filter((one) => one !== name);
      return { connected: event.state === 'connected' ? [...others, name] : others };
    }),
    printDevice: emit(({ context: c, event }) => ({
      type: 'hvc.write',
      domid: c.domid,
      text: event.type === 'guest.device_changed' ? deviceLine(c.connected.length, event) : '',
    })),
    keepAddress: assign(({ event }) => (event.type === 'guest.work_finished' ? { address: event.result } : {})),
    startTty: emit(({ context: c }) => ({
      type: 'guest.spawn',
      domid: c.domid,
      name: 'tty',
      program: 'tty',
      args: [hostname(c), String(rootDisk(c))],
    })),
    startWorkload: emit(({ context: c }) => {
      const [program = '', ...args] = (c.toStart[0] ?? '').split(':');
      return {
        type: 'guest.spawn',
        domid: c.domid,
        name: `workload.${c.toStart.length}`,
        program: 'workload',
        args: [program, String(rootDisk(c)), ...args],
      };
    }),
    started: assign(({ context: c }) => ({ toStart: c.toStart.slice(1) })),
    keepReason: assign(({ context: c }) => ({ stopping: c.keys['control/shutdown'] as Reason })),
    stopDevices: emit(({ context: c }) => ({ type: 'guest.stop_devices', domid: c.domid })),
    acknowledge: emit(({ context: c }) => write(c, 'control/shutdown', '')),
    powerOff: emit(({ context: c }) => ({
      type: 'sched.shutdown',
      domid: c.domid,
      reason: c.stopping === 'reboot' ? 'reboot' : 'poweroff',
    })),
    crash: emit(({ context: c }) => ({ type: 'sched.shutdown', domid: c.domid, reason: 'crash' })),
  },
}).createMachine({
  id: 'guestKernel',
  context: ({ input }) => ({
    ...client(input.domid),
    domid: input.domid,
    id: `d${input.domid}.kernel`,
    kernel: input.kernel,
    cmdline: input.cmdline,
    nr_vcpus: input.nr_vcpus,
    nr_pages: input.nr_pages,
    vcpu: 1,
    timerPort: 0,
    devices: [],
    toProbe: [],
    connected: [],
    address: '',
    stopping: 'poweroff',
    toStart: workloadsOf(input.cmdline),
  }),
  initial: 'startOfDay',
  on: {
    'accepted.xenstore.read': { actions: 'keepAnswer' },
    'refused.xenstore.read': { actions: 'keepAnswer' },
    'guest.device_changed': { actions: ['noteDevice', 'printDevice'] },
    'xenstore.watch_fired': {
      guard: 'isShutdownRequest',
      actions: [
        { type: 'read', params: { path: 'control/shutdown' } },
        { type: 'ask', params: { keys: ['control/shutdown'] } },
      ],
    },
  },
  states: {
    startOfDay: {
      entry: [{ type: 'print', params: ({ context }) => ({ text: banner(context) }) }, 'bindTimer'],
      on: { 'accepted.evtchn.bind_virq': { target: 'bringingUpCpus', actions: 'keepTimerPort' } },
    },
    bringingUpCpus: {
      entry: 'handleTimer',
      initial: 'next',
      states: {
        next: {
          always: [{ guard: 'cpusAreUp', target: '#guestKernel.earlyBoot' }, { target: 'starting' }],
        },
        starting: {
          entry: ['initialiseCpu', 'bringUpCpu'],
          on: {
            'accepted.vcpu.up': { target: 'next', actions: 'nextCpu' },
            'refused.vcpu.up': { target: 'next', actions: 'nextCpu' },
          },
        },
      },
    },
    earlyBoot: {
      entry: [
        { type: 'print', params: ({ context }) => ({ text: cpusUp(context) }) },
        { type: 'work', params: { kind: 'compute', args: [String(350 * MS)] } },
      ],
      on: { 'guest.work_finished': 'xenbus' },
    },
    xenbus: {
      entry: [
        'watchShutdown',
        'announcePoweroff',
        'announceReboot',
        { type: 'list', params: { path: 'device/vbd' } },
        { type: 'list', params: { path: 'device/vif' } },
        { type: 'read', params: { path: 'name' } },
        { type: 'ask', params: { keys: ['device/vbd', 'device/vif', 'name'] } },
      ],
      on: {
        'accepted.xenstore.directory': { actions: 'keepList' },
        'refused.xenstore.directory': { actions: 'keepList' },
      },
      always: { guard: 'hasAnswers', target: 'probing' },
    },
    probing: {
      entry: { type: 'print', params: ({ context }) => ({ text: xenbusFound(context.devices) }) },
      initial: 'next',
      states: {
        next: { always: [{ guard: 'nothingToProbe', target: '#guestKernel.waitingForDevices' }, { target: 'starting' }] },
        starting: {
          entry: 'startDriver',
          on: {
            'accepted.guest.spawn': { target: 'next', actions: 'probed' },
            'refused.guest.spawn': { target: 'next', actions: 'probed' },
          },
        },
      },
    },
    waitingForDevices: {
      entry: { type: 'work', params: { kind: 'sleep', args: [String(DEVICE_TIMEOUT)] } },
      always: { guard: 'devicesAreThere', target: 'mounting' },
      on: { 'guest.work_finished': { guard: { type: 'isWork', params: { kind: 'sleep' } }, target: 'mounting' } },
    },
    mounting: {
      initial: 'looking',
      states: {
        looking: {
          always: [
            { guard: 'hasRoot', target: 'reading' },
            { guard: 'wantsRoot', target: 'missing' },
            { target: '#guestKernel.init' }, // a guest without disks lives in its initramfs
          ],
        },
        reading: {
          entry: { type: 'work', params: ({ context }) => ({ kind: 'mount', args: [String(rootDisk(context))] }) },
          on: {
            'guest.work_finished': [
              {
                guard: 'succeeded',
                target: '#guestKernel.init',
                actions: {
                  type: 'print',
                  params: ({ context, event }) => ({
                    text: rootMounted(rootDevice(context) || vdevName(rootDisk(context)), event.result.replace(/^\d+ /, '')),
                  }),
                },
              },
              {
                guard: { type: 'isWork', params: { kind: 'mount' } },
                target: '#guestKernel.panicked',
                actions: {
                  type: 'print',
                  params: ({ context, event }) => ({ text: panic(rootDevice(context), event.result || event.errno) }),
                },
              },
            ],
          },
        },
        missing: {
          entry: { type: 'print', params: ({ context }) => ({ text: panic(rootDevice(context), 'no such device') }) },
          always: '#guestKernel.panicked',
        },
      },
    },
    init: {
      entry: [
        { type: 'print', params: ({ context }) => ({ text: initStarts(hostname(context)) }) },
        { type: 'work', params: { kind: 'compute', args: [String(150 * MS)] } },
      ],
      on: {
        'guest.work_finished': { guard: { type: 'isWork', params: { kind: 'compute' } }, target: 'configuringNetwork' },
      },
    },
    configuringNetwork: {
      initial: 'looking',
      states: {
        looking: { always: [{ guard: 'hasNetwork', target: 'asking' }, { target: '#guestKernel.multiUser' }] },
        asking: {
          entry: {
            type: 'work',
            params: ({ context }) => ({ kind: 'dhcp', args: [hostname(context), String(0x3e000000 + context.domid)] }),
          },
          on: {
            'guest.work_finished': [
              {
                guard: { type: 'isWork', params: { kind: 'sleep' } }, // the devices' timeout, which nobody waits for any more
              },
              {
                guard: 'succeeded',
                target: '#guestKernel.multiUser',
                actions: [
                  'keepAddress',
                  {
                    type: 'print',
                    params: ({ event }) => {
                      const [ip = '', , router = ''] = event.result.split(' ');
                      return { text: leaseBound(ip, router) };
                    },
                  },
                ],
              },
              {
                target: '#guestKernel.multiUser',
                actions: { type: 'print', params: ({ event }) => ({ text: leaseFailed(event.errno) }) },
              },
            ],
          },
        },
      },
    },
    multiUser: {
      entry: [{ type: 'print', params: { text: multiUser() } }, 'startTty'],
      on: {
        'accepted.guest.spawn': 'startingWorkloads',
        'refused.guest.spawn': 'startingWorkloads',
      },
    },
    startingWorkloads: {
      initial: 'next',
      states: {
        next: { always: [{ guard: 'nothingToStart', target: '#guestKernel.running' }, { target: 'starting' }] },
        starting: {
          entry: 'startWorkload',
          on: {
            'accepted.guest.spawn': { target: 'next', actions: 'started' },
            'refused.guest.spawn': { target: 'next', actions: 'started' },
          },
        },
      },
    },
    running: { always: { guard: 'mustStop', target: 'shuttingDown', actions: 'keepReason' } },
    shuttingDown: {
      initial: 'acknowledging',
      states: {
        acknowledging: {
          entry: 'startTransaction',
          on: { 'accepted.xenstore.transaction_start': { target: 'clearing', actions: 'keepTransaction' } },
        },
        clearing: {
          entry: [
            { type: 'read', params: { path: 'control/shutdown' } },
            { type: 'ask', params: { keys: ['control/shutdown'] } },
            'acknowledge',
            'endTransaction',
          ],
          exit: 'forgetTransaction',
          on: {
            'accepted.xenstore.transaction_end': 'stoppingServices',
            'refused.xenstore.transaction_end': 'acknowledging', // EAGAIN: the toolstack wrote there at the same time
          },
        },
        stoppingServices: {
          entry: [
            { type: 'print', params: ({ context }) => ({ text: goingDown(context.stopping) }) },
            { type: 'work', params: { kind: 'sleep', args: [String(400 * MS)] } },
          ],
          on: { 'guest.work_finished': { guard: { type: 'isWork', params: { kind: 'sleep' } }, target: 'closingDisks' } },
        },
        // A backend that does not answer does not keep the machine on.
        closingDisks: {
          entry: ['stopDevices', { type: 'work', params: { kind: 'sleep', args: [String(SECOND)] } }],
          always: { guard: 'disksAreClosed', target: '#guestKernel.stopped' },
          on: { 'guest.work_finished': { guard: { type: 'isWork', params: { kind: 'sleep' } }, target: '#guestKernel.stopped' } },
        },
      },
    },
    stopped: {
      entry: [{ type: 'print', params: ({ context }) => ({ text: stopped(context.stopping) }) }, 'powerOff'],
    },
    panicked: { entry: 'crash' },
  },
});

function deviceLine(nth: number, { device, dev, state, info }: FactOf<'guest.device_changed'>): string {
  if (state === 'closed') return '';
  return device === 'vbd' ? diskFound(nth, vdevName(dev), Number(info)) : vifFound(nth, dev, info);
}

/** `workload=cpu:50,disk` on the command line, as a scenario's `workloads` puts it there. */
function workloadsOf(cmdline: string): readonly string[] {
  const word = cmdline.split(/\s+/).find((one) => one.startsWith('workload='));
  return word === undefined
    ? []
    : word
        .slice('workload='.length)
        .split(',')
        .filter((one) => one !== '');
}
