// Both ends of an interface against a real XenStore; the hypervisor and the kernels answer by rote. Judged by what Linux's drivers asked.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type AnyActor, type AnyStateMachine, createActor } from 'xstate';
import { accept, eventsOf, refuse } from '../events/step.ts';
import { type Command, type CommandType, facts, type Outcome, operations, returnOf } from '../events/vocabulary.ts';
import { FIRST_SOCKET, type XenstoreCommand } from '../events/xenstore.ts';
import { Journal } from '../src/tables/journal.ts';
import { decide, evolve, profiles, XenStore } from '../src/xenstore/index.ts';
import { netback } from './netback.ts';
import { netfront } from './netfront.ts';

const FRONT = '/local/domain/1/device/vif/0';
const BACK = '/local/domain/0/backend/vif/1/0';
const machines = { netfront, netback } as const;
type Party = keyof typeof machines;
/** Every state that any test has been in. */
const visited: Record<Party, Set<string>> = { netfront: new Set(), netback: new Set() };

/** What answers a command in place of the hypervisor and the kernels; a type in `refusing` is refused, that often. */
class World {
  readonly asked: { readonly party: Party; readonly command: Command }[] = [];
  readonly refusing = new Map<CommandType, number>();
  private readonly store = new XenStore(new Journal(), profiles['4.17']);
  private readonly actors = new Map<Party, AnyActor>();
  private readonly queue: { readonly party: Party; readonly command: Command }[] = [];
  private readonly next = { ref: 522, port: 9, handle: 3, local_port: 30 };

  constructor(keys: Readonly<Record<string, string>> = {}) {
    this.tool({ type: 'xenstore.connect', domid: 0 });
    this.tool({ type: 'xenstore.introduce', conn: FIRST_SOCKET, tx: 0, domid: 1, mfn: 7, port: 1 });
    const written = {
      [`${FRONT}/backend`]: BACK,
      [`${FRONT}/backend-id`]: '0',
      [`${FRONT}/state`]: '1',
      [`${FRONT}/handle`]: '0',
      [`${FRONT}/mac`]: '00:16:3e:00:00:01',
      [`${FRONT}/trusted`]: '1',
      [`${BACK}/frontend`]: FRONT,
      [`${BACK}/frontend-id`]: '1',
      [`${BACK}/online`]: '1',
      [`${BACK}/state`]: '1',
      [`${BACK}/script`]: '/etc/xen/scripts/vif-bridge',
      [`${BACK}/mac`]: '00:16:3e:00:00:01',
      [`${BACK}/bridge`]: 'xenbr0',
      [`${BACK}/handle`]: '0',
      [`${BACK}/hotplug-status`]: '',
      ...keys,
    };
    for (const [path, value] of Object.entries(written)) this.write(path, value);
    for (const [path, perms] of [
      [FRONT, ['n1', 'r0']],
      [BACK, ['n0', 'r1']],
    ] as const)
      for (const node of [
        '',
        ...Object.keys(written).flatMap((key) => (key.startsWith(`${path}/`) ? key.slice(path.length) : [])),
      ])
        this.tool({ type: 'xenstore.set_perms', conn: FIRST_SOCKET, tx: 0, path: `${path}${node}`, perms });
  }

  start(party: Party): void {
    const input =
      party === 'netback' ? { domid: 0, name: 'backend.vif.1.0', args: ['1', '0'] } : { domid: 1, name: 'vif.0', args: ['0'] };
    const actor = createActor(machines[party] as AnyStateMachine, { id: party, input });
    actor.on('*', (command) => this.queue.push({ party, command: command as unknown as Command }));
    actor.subscribe({
      error: (error) => {
        throw error;
      },
    });
    this.actors.set(party, actor);
    actor.start();
    this.settle();
  }
  /** As xl or a hotplug script would. */
  write(path: string, value: string): void {
    this.tool({ type: 'xenstore.write', conn: FIRST_SOCKET, tx: 0, path, value });
  }
  remove(path: string): void {
    this.tool({ type: 'xenstore.rm', conn: FIRST_SOCKET, tx: 0, path });
  }
  read(path: string): string | undefined {
    const outcome = decide(this.store, { type: 'xenstore.read', conn: FIRST_SOCKET, tx: 0, path }, { exists: () => true });
    return outcome.ok ? (outcome.value as { value: string }).value : undefined;
  }
  state(party: Party): string {
    return JSON.stringify(this.actors.get(party)!.getSnapshot().value).replaceAll(/[{}"]/g, '').replaceAll(':', '.');
  }
  /** Types of what a party asked for, other than of XenStore, after the first `from` of all. */
  types(party: Party, from = 0): string[] {
    return this.asked
      .slice(from)
      .filter((one) => one.party === party && !one.command.type.startsWith('xenstore.'))
      .map((one) => one.command.type);
  }
  commands<K extends CommandType>(type: K): Command[] {
    return this.asked.flatMap(({ command }) => (command.type === type ? [command] : []));
  }

  private tool(command: XenstoreCommand): void {
    const outcome = this.perform(command);
    expect(outcome, JSON.stringify(command)).toMatchObject({ ok: true });
    this.settle();
  }
  private perform(command: XenstoreCommand): Outcome {
    const outcome = decide(this.store, command, { exists: () => true }) as Outcome;
    for (const event of eventsOf(outcome)) {
      evolve(this.store, event as Parameters<typeof evolve>[1], 0);
      if (event.type !== 'xenstore.watch_fired') continue;
      this.send(event.conn === 0 ? 'netback' : 'netfront', event);
    }
    return outcome;
  }
  private settle(): void {
    for (let one = this.queue.shift(); one; one = this.queue.shift()) {
      this.asked.push(one);
      const { command, party } = one;
      this.send(party, returnOf({ command, outcome: this.answer(command) }));
    }
  }
  private send(party: Party, event: { readonly type: string }): void {
    const actor = this.actors.get(party);
    if (!actor) return;
    actor.send(event as never);
    const node = (value: unknown, path: string): void => {
      if (typeof value === 'string') visited[party].add(`${path}${value}`);
      else
        for (const [name, inner] of Object.entries(value as object)) {
          visited[party].add(`${path}${name}`);
          node(inner, `${path}${name}.`);
        }
    };
    node(actor.getSnapshot().value, '');
  }
  private answer(command: Command): Outcome {
    const refusals = this.refusing.get(command.type) ?? 0;
    if (refusals > 0) {
      this.refusing.set(command.type, refusals - 1);
      // EAGAIN ends the transaction, as another's write would.
      if (command.type === 'xenstore.transaction_end') this.perform({ ...command, commit: false });
      return refuse(command.type === 'xenstore.transaction_end' ? 'EAGAIN' : 'ENOMEM');
    }
    switch (command.type) {
      case 'guest.grant_page':
        return accept({ ref: this.next.ref, gfn: 1000 + this.next.ref++ });
      case 'evtchn.alloc_unbound':
        return accept({ port: this.next.port++ });
      case 'gnttab.map_grant_ref':
        return accept({ handle: this.next.handle++, mfn: 9000 + command.ref });
      case 'evtchn.bind_interdomain':
        return accept({ local_port: this.next.local_port++ });
      default:
        return command.type.startsWith('xenstore.') ? this.perform(command as XenstoreCommand) : accept();
    }
  }

  /** Requests in the recording's form, after the first `from` of all. */
  requests(party: Party, from = 0): string[] {
    return this.asked.slice(from).flatMap(({ party: who, command }) => {
      if (who !== party || !('path' in command)) return [];
      const [, op] = command.type.split('.');
      const value = command.type === 'xenstore.write' ? ` ${command.value}` : '';
      return [`${op!.toUpperCase()} (${command.path}${value})`];
    });
  }
}

/** Both ends connected, the script having done its part. */
function connected(keys: Readonly<Record<string, string>> = {}): World {
  const world = new World(keys);
  world.start('netback');
  world.write(`${BACK}/hotplug-status`, 'connected');
  world.start('netfront');
  return world;
}

const recorded = (name: string): string[] =>
  readFileSync(new URL(`../test/golden/devices/vif-${name}.txt`, import.meta.url), 'utf8')
    .trim()
    .split('\n');
const prefix = { netback: 'dom0-kernel ', netfront: 'domU ' } as const;

/** What one driver asked: without what the bus asks for it (its own state, the other's before the watch on it), and nothing read twice. */
function essence(requests: readonly string[], party: Party): string[] {
  const own = party === 'netback' ? /^READ \(backend.*\/(state|online)\)$/ : /^READ \(device.*\/state\)$/;
  const drivers = requests.filter(
    (request, i) => !own.test(request) && !(request.startsWith('READ') && requests.indexOf(request.replace('READ', 'WATCH')) > i),
  );
  return drivers.filter((request, i) => !(request.startsWith('READ') && drivers.indexOf(request) !== i));
}
const golden = (name: string, party: Party): string[] =>
  essence(
    recorded(name).flatMap((line) => (line.startsWith(prefix[party]) ? line.slice(prefix[party].length) : [])),
    party,
  );
/** Another domain and device of the recording, as ours. */
const renumbered = (requests: readonly string[], domid: number, devid: number): string[] =>
  requests.map((request) =>
    request
      .replace(`backend/vif/${domid}/${devid}`, 'backend/vif/1/0')
      .replace(`/local/domain/${domid}/`, '/local/domain/1/')
      .replace(`device/vif/${devid}`, 'device/vif/0'),
  );

describe('as recorded', () => {
  /** What Linux's netback can do and ours can not. */
  const lacking: Readonly<Record<string, string>> = {
    'feature-gso-tcpv4 1': 'feature-gso-tcpv4 0',
    'feature-gso-tcpv6 1': 'feature-gso-tcpv6 0',
    'feature-ipv6-csum-offload 1': 'feature-ipv6-csum-offload 0',
    'multi-queue-max-queues 2': 'multi-queue-max-queues 1',
    'feature-ctrl-ring 1': 'feature-ctrl-ring 0',
  };

  test('create: the frontend', () => {
    const world = connected();
    expect(essence(world.requests('netfront'), 'netfront')).toEqual(golden('create', 'netfront'));
  });

  test('create: the backend', () => {
    const world = connected();
    const expected = golden('create', 'netback').map((request) =>
      request.replace(/([a-z0-9-]+ \d)\)$/, (whole, key: string) => (lacking[key] ? `${lacking[key]})` : whole)),
    );
    expect(essence(world.requests('netback'), 'netback')).toEqual(expected);
  });

  test.each(['netfront', 'netback'] as const)('network-detach: the %s', (party) => {
    const world = connected();
    const from = world.asked.length;
    world.write(`${BACK}/online`, '0');
    world.write(`${BACK}/state`, '5');
    expect([world.read(`${FRONT}/state`), world.read(`${BACK}/state`)]).toEqual(['6', '6']);
    world.remove(BACK);
    world.remove(FRONT);
    expect(essence(world.requests(party, from), party)).toEqual(renumbered(golden('detach', party), 1, 1));
  });

  test('destroy: the backend, whose frontend is gone', () => {
    const world = connected();
    const from = world.asked.length;
    world.remove(FRONT);
    expect(essence(world.requests('netback', from), 'netback')).toEqual(renumbered(golden('destroy', 'netback'), 2, 0));
    expect(world.types('netback', from)).toEqual([
      'vif.disconnect',
      'evtchn.close',
      'evtchn.close',
      'gnttab.unmap_grant_ref',
      'gnttab.unmap_grant_ref',
      'guest.exit',
    ]);
  });
});

test('what both ends tell the model, and the kernel', () => {
  const world = connected();
  expect([world.state('netfront'), world.state('netback')]).toEqual(['Connected', 'Connected']);
  expect(world.commands('vif.connect_frontend')).toEqual([
    {
      type: 'vif.connect_frontend',
      domid: 1,
      devid: 0,
      mac: 0x0016_3e00_0001,
      tx_gfn: 1522,
      tx_ref: 522,
      rx_gfn: 1523,
      rx_ref: 523,
      tx_port: 9,
      rx_port: 10,
      backend: 0,
    },
  ]);
  expect(world.commands('vif.connect_backend')).toEqual([
    {
      type: 'vif.connect_backend',
      domid: 0,
      frontend: 1,
      devid: 0,
      tx_mfn: 9522,
      tx_handle: 3,
      rx_mfn: 9523,
      rx_handle: 4,
      tx_port: 30,
      rx_port: 31,
      xdp_headroom: 0,
    },
  ]);
  expect(world.commands('guest.note_device')).toEqual([
    { type: 'guest.note_device', domid: 1, device: 'vif', dev: 0, state: 'connected', info: '00:16:3e:00:00:01' },
  ]);
  expect(world.commands('guest.bind_irq')).toMatchObject([
    { domid: 1, port: 9, dev: 0 },
    { domid: 1, port: 10, dev: 0 },
    { domid: 0, port: 30, dev: 0, peer: 1 },
    { domid: 0, port: 31, dev: 0, peer: 1 },
  ]);
});

test('the backend waits for the script, however long', () => {
  const world = new World();
  world.start('netback');
  world.start('netfront');
  expect([world.state('netback'), world.read(`${BACK}/state`)]).toEqual(['InitWait.hotplugging', '2']);
  world.write(`${BACK}/hotplug-status`, 'error');
  expect(world.state('netback')).toBe('InitWait.hotplugging');
  world.write(`${BACK}/hotplug-status`, 'connected');
  expect([world.state('netback'), world.read(`${BACK}/state`)]).toEqual(['Connected', '4']);
});

test('a detached interface gives everything back, and the rings only when the backend has let them go', () => {
  const world = connected();
  const from = world.asked.length;
  world.write(`${BACK}/state`, '5');
  expect(world.types('netfront', from)).toEqual([
    'guest.note_device',
    'vif.disconnect',
    ...['guest.unbind_irq', 'evtchn.close', 'guest.unbind_irq', 'evtchn.close'],
    ...['guest.end_access', 'guest.end_access'],
  ]);
  const order = world.asked.slice(from).map(({ command }) => command.type);
  expect(order.indexOf('guest.end_access')).toBeGreaterThan(order.lastIndexOf('gnttab.unmap_grant_ref'));
  world.remove(BACK);
  expect(world.types('netfront', from).at(-1)).toBe('guest.exit');
  expect(world.commands('guest.exit')).toEqual([
    { type: 'guest.exit', domid: 0, name: 'backend.vif.1.0' },
    { type: 'guest.exit', domid: 1, name: 'vif.0' },
  ]);
});

test.each<[string, (world: World) => void, netfront: string, netback: string]>([
  ['the frontend closes while the script runs', (world) => world.write(`${FRONT}/state`, '6'), 'Closed.released', 'Closed'],
  ['the frontend goes while the script runs', (world) => world.remove(FRONT), 'Closed.released', 'Closed'],
  ['the backend goes', (world) => world.remove(BACK), 'Closed.removed', 'Closed'],
])('%s', (_, happen, front, back) => {
  const world = new World();
  world.start('netback');
  world.start('netfront');
  happen(world);
  expect([world.state('netfront'), world.state('netback')]).toEqual([front, back]);
});

test('a frontend that is closed, or gone, before it has begun', () => {
  for (const happen of [(world: World) => world.write(`${FRONT}/state`, '6'), (world: World) => world.remove(FRONT)]) {
    const world = new World();
    world.start('netback');
    expect(world.state('netback')).toBe('InitWait.waiting');
    happen(world);
    expect([world.state('netback'), world.read(`${BACK}/state`)]).toEqual(['Closed', '6']);
    expect(world.types('netback')).toEqual(['guest.exit']);
  }
});

test('a backend that closes before the frontend has begun', () => {
  const world = new World();
  world.start('netfront');
  expect(world.state('netfront')).toBe('Initialising.waiting');
  world.write(`${BACK}/state`, '5');
  expect([world.state('netfront'), world.read(`${FRONT}/state`)]).toEqual(['Closed.waiting', '6']);
});

test.each<[string, Readonly<Record<string, string>>]>([
  ['no copying', { 'feature-rx-copy': '0', 'feature-split-event-channels': '1' }],
  ['no split channels', { 'feature-rx-copy': '1' }],
  ['no address', { 'feature-rx-copy': '1', 'feature-split-event-channels': '1', [`${FRONT}/mac`]: 'nonsense' }],
])('a backend that the frontend leaves alone: %s', (_, keys) => {
  const paths = Object.entries(keys).map(([key, value]) => [key.startsWith('/') ? key : `${BACK}/${key}`, value]);
  const world = new World(Object.fromEntries(paths));
  world.start('netfront');
  world.write(`${BACK}/state`, '2');
  expect([world.state('netfront'), world.read(`${FRONT}/state`)]).toEqual(['Closed.waiting', '6']);
  expect(world.types('netfront')).toEqual([]);
});

const offered = {
  'request-rx-copy': '1',
  'tx-ring-ref': '8',
  'rx-ring-ref': '9',
  'event-channel-tx': '3',
  'event-channel-rx': '4',
} as const;
/** A frontend of somebody else, which offers this. */
function stranger(keys: Readonly<Record<string, string>>): World {
  const world = new World({ [`${BACK}/hotplug-status`]: 'connected' });
  world.start('netback');
  for (const [key, value] of Object.entries(keys)) world.write(`${FRONT}/${key}`, value);
  world.write(`${FRONT}/state`, '4');
  return world;
}

test.each<[string, Readonly<Record<string, string>>, Readonly<Record<string, number>> | undefined]>([
  ['two channels', offered, { tx_port: 30, rx_port: 31 }],
  ['one channel', { ...offered, 'event-channel-tx': '', 'event-channel': '5' }, { tx_port: 30, rx_port: 30 }],
  ['one queue', { ...offered, 'multi-queue-num-queues': '1' }, { tx_port: 30 }],
  ['room for XDP', { ...offered, 'xdp-headroom': '256' }, { xdp_headroom: 256 }],
  ['much room for XDP', { ...offered, 'xdp-headroom': '65536' }, { xdp_headroom: 0x7fff }],
  ['two queues', { ...offered, 'multi-queue-num-queues': '2' }, undefined],
  ['no copying', { ...offered, 'request-rx-copy': '0' }, undefined],
  ['no ring', { ...offered, 'rx-ring-ref': '' }, undefined],
  ['a ring that is no number', { ...offered, 'tx-ring-ref': '-1' }, undefined],
  ['a channel that is no number', { ...offered, 'event-channel-rx': 'x' }, undefined],
  ['no channel', { ...offered, 'event-channel-tx': '' }, undefined],
])('what a frontend may offer: %s', (_, keys, connection) => {
  const world = stranger(keys);
  const connections = world.commands('vif.connect_backend');
  if (connection) expect(connections).toMatchObject([connection]);
  else {
    expect(connections).toEqual([]);
    expect([world.state('netback'), world.types('netback')]).toEqual(['Closed', ['guest.exit']]);
  }
});

test('transactions that others disturb are begun again', () => {
  const world = new World();
  world.refusing.set('xenstore.transaction_end', 2);
  world.start('netback');
  world.refusing.set('xenstore.transaction_end', 3);
  world.write(`${BACK}/hotplug-status`, 'connected');
  world.start('netfront');
  expect([world.state('netfront'), world.state('netback')]).toEqual(['Connected', 'Connected']);
  expect(world.commands('xenstore.transaction_start')).toHaveLength(7);
});

test.each<[CommandType, times: number, Party, readonly string[]]>([
  ['guest.grant_page', 1, 'netfront', ['guest.unbind_irq', 'evtchn.close', 'guest.unbind_irq', 'evtchn.close']],
  ['guest.grant_page', 2, 'netfront', ['guest.unbind_irq', 'evtchn.close', 'guest.unbind_irq', 'evtchn.close']],
  ['evtchn.alloc_unbound', 1, 'netfront', ['guest.unbind_irq', 'evtchn.close']],
  ['vif.connect_frontend', 1, 'netfront', ['guest.unbind_irq', 'evtchn.close', 'guest.unbind_irq', 'evtchn.close']],
  ['gnttab.map_grant_ref', 1, 'netback', ['evtchn.close', 'evtchn.close', 'gnttab.unmap_grant_ref', 'guest.exit']],
  ['evtchn.bind_interdomain', 2, 'netback', ['gnttab.unmap_grant_ref', 'gnttab.unmap_grant_ref', 'guest.exit']],
  [
    'vif.connect_backend',
    1,
    'netback',
    ['evtchn.close', 'evtchn.close', 'gnttab.unmap_grant_ref', 'gnttab.unmap_grant_ref', 'guest.exit'],
  ],
])('%s refused (%d times): what there was is given back', (type, times, party, released) => {
  const world = new World();
  world.refusing.set(type, times);
  world.start('netback');
  world.write(`${BACK}/hotplug-status`, 'connected');
  world.start('netfront');
  const giving = world.types(party).filter((one) => /unbind|close|unmap|exit/.test(one));
  expect(giving).toEqual(released);
  expect(world.state(party)).toMatch(/^Closed/);
});

test.each(['netfront', 'netback'] as const)('%s: every state was entered, and every event is one that can happen', (party) => {
  const known = new Set([
    ...Object.keys(facts),
    ...Object.keys(operations).flatMap((type) => [`accepted.${type}`, `refused.${type}`]),
  ]);
  const machine = machines[party] as AnyStateMachine;
  expect(machine.events.filter((type) => !known.has(type))).toEqual([]);
  const pathsIn = (node: AnyStateMachine['root']): string[] => [
    node.path.join('.'),
    ...Object.values(node.states).flatMap(pathsIn),
  ];
  const states = pathsIn(machine.root).slice(1);
  expect(states.length).toBeGreaterThan(8);
  // A state that is left as it is entered is never seen from outside.
  const passing = new Set(['Closing']);
  expect(states.filter((path) => !visited[party].has(path) && !passing.has(path))).toEqual([]);
});
