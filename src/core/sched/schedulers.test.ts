import { describe, expect, test } from 'vitest';
import { DOMID_XEN, MS, SECOND, US } from '../../../events/units.ts';
import { build } from '../../../tools/fuzz/arbitraries/domain.ts';
import { CoreHost, smallMachine } from '../../../tools/fuzz/core-host.ts';
import { spin } from '../../../tools/fuzz/spin.ts';
import { CPUPOOL_PAR_ANY, XEN_SYSCTL_CPUPOOL_OP as OP, XEN_SCHEDULER } from '../../abi/scheduler.ts';
import type { CoreCommand } from '../index.ts';
import type { SchedOptions, SchedulerName } from './state.ts';

interface Guest {
  readonly vcpus?: number;
  readonly weight?: number;
  readonly cap?: number;
}
const adjust = (scheduler: SchedulerName, domain: number, some: object): CoreCommand => ({
  type: 'domctl.scheduler_op',
  domid: 0,
  domain,
  sched_id: XEN_SCHEDULER[scheduler],
  cmd: 0,
  weight: 0,
  cap: 0,
  period: 0,
  budget: 0,
  vcpus: [],
  ...some,
});
const pool = (op: number, some: object = {}): CoreCommand => ({
  type: 'sysctl.cpupool_op',
  domid: 0,
  op,
  cpupool_id: 0,
  sched_id: 6,
  domain: 0,
  cpu: 0,
  ...some,
});
/** A host whose dom0 needs no pCPU, and domains from 1 on whose vCPUs are all up. */
function hostWith(
  scheduler: SchedulerName,
  nrCpus: number,
  guests: readonly Guest[],
  options: Partial<SchedOptions> = {},
  checked = false,
): CoreHost {
  const host = new CoreHost({ ...smallMachine, nrCpus, scheduler, ...options, ...(checked ? {} : { invariants: {} }) });
  host.prepare(...build(0, { vcpus: 1, pages: 1, hvm: false, caller: DOMID_XEN }), { type: 'sched.detach', domid: 0, vcpu: 0 });
  guests.forEach(({ vcpus = 1, weight = 0, cap = 0 }, i) => {
    const domid = i + 1;
    host.prepare(...build(domid, { vcpus, pages: 1, hvm: false }));
    for (let vcpu = 1; vcpu < vcpus; vcpu++)
      host.prepare({ type: 'vcpu.initialise', domid, vcpu }, { type: 'vcpu.up', domid, vcpu });
    if (weight > 0 || cap > 0) host.prepare(adjust(scheduler, domid, { weight, cap }));
  });
  return host;
}
/** Percent of a pCPU that each domain from 1 on has had, all its vCPUs together. */
const shares = (host: CoreHost, count: number): number[] =>
  Array.from({ length: count }, (_, i) => {
    const rows = host.xen.sched.vcpu.of(i + 1)!;
    let ran = 0;
    for (let vcpu = 0; vcpu < host.xen.domain.of(0)!.nr_vcpus.at(i + 1); vcpu++) ran += rows.time_running.at(vcpu);
    return (ran * 100) / host.now;
  });

describe.each(['credit2', 'credit'] as const)('%s over two virtual minutes', (scheduler) => {
  test.each([1, 2, 4])('weights of 2:1:1 hold on %i pCPUs', (cpus) => {
    const host = hostWith(scheduler, cpus, [{ vcpus: cpus, weight: 512 }, { vcpus: cpus }, { vcpus: cpus }]);
    spin(host, 120 * SECOND);
    const [first, second, third] = shares(host, 3) as [number, number, number];
    expect(Math.abs(first / cpus - 50)).toBeLessThan(1.5);
    expect(Math.abs(second / cpus - 25)).toBeLessThan(1.5);
    expect(Math.abs(third / cpus - 25)).toBeLessThan(1.5);
  });

  test.each([1, 2, 4])('a cap of 25 % holds on %i pCPUs, and the rest is shared', (cpus) => {
    const host = hostWith(scheduler, cpus, [{ vcpus: cpus, cap: 25 }, { vcpus: cpus }, { vcpus: cpus }]);
    spin(host, 120 * SECOND);
    const [capped, second, third] = shares(host, 3) as [number, number, number];
    expect(Math.abs(capped - 25)).toBeLessThan(0.5);
    const rest = (cpus * 100 - 25) / 2;
    expect(Math.abs(second - rest)).toBeLessThan(1);
    expect(Math.abs(third - rest)).toBeLessThan(1);
  });
});

test('run queues of one pool are balanced: weights hold across them', () => {
  const topology = { cores_per_socket: 2, threads_per_core: 1 };
  const host = hostWith('credit2', 4, [{ vcpus: 4, weight: 512 }, { vcpus: 4 }, { vcpus: 4 }], { topology });
  expect([0, 1, 2, 3].map((cpu) => host.xen.sched.pcpu.of(0)!.runqueue.at(cpu))).toEqual([0, 0, 1, 1]);
  spin(host, 30 * SECOND);
  const found = shares(host, 3);
  [200, 100, 100].forEach((wanted, i) => {
    expect(Math.abs(found[i]! - wanted)).toBeLessThan(8);
  });
});

describe('rtds', () => {
  test('budgets hold: 2, 4 and 6 of every 10 ms, without extratime', () => {
    const host = hostWith('rtds', 2, [{}, {}, {}]);
    for (const domain of [1, 2, 3]) host.prepare(adjust('rtds', domain, { cmd: 2, vcpus: [0, 10_000, domain * 2000, 0] }));
    spin(host, 20 * SECOND);
    expect(shares(host, 3).map(Math.round)).toEqual([20, 40, 60]);
  });
  test('with extratime what is left is used', () => {
    const host = hostWith('rtds', 1, [{}, {}]);
    spin(host, 10 * SECOND);
    expect(shares(host, 2).reduce((sum, share) => sum + share, 0)).toBeGreaterThan(99);
  });
  test.each([
    ['no such vCPU', [3, 10_000, 4000, 0]],
    ['a budget above the period', [0, 4000, 4001, 0]],
    ['a period below 10 us', [0, 9, 9, 0]],
    ['a budget below 10 us', [0, 1000, 9, 0]],
  ])('it refuses %s', (_, vcpus) => {
    expect(hostWith('rtds', 1, [{}]).answer(adjust('rtds', 1, { cmd: 2, vcpus }))).toBe('EINVAL');
  });
});

test('arinc653 follows its table, frame after frame', () => {
  const host = hostWith('arinc653', 1, [{ vcpus: 2 }]);
  const handle = '00112233-4455-6677-8899-aabbccddeeff';
  const table: CoreCommand = {
    type: 'sysctl.scheduler_op',
    domid: 0,
    cpupool_id: 0,
    sched_id: XEN_SCHEDULER.arinc653,
    cmd: 0,
    tslice_ms: 0,
    ratelimit_us: 0,
    vcpu_migr_delay_us: 0,
    major_frame: 20 * MS,
    dom_handles: [handle, handle],
    vcpu_ids: [1, 0],
    runtimes: [5 * MS, 3 * MS],
  };
  host.prepare(table);
  expect(host.answer({ ...table, cmd: 1 })).toMatchObject({ major_frame: 20 * MS, vcpu_ids: [1, 0], runtimes: [5 * MS, 3 * MS] });
  const order: number[] = [];
  spin(host, 10 * SECOND, (_cpu, _domid, vcpu) => order.push(vcpu));
  const { time_running } = host.xen.sched.vcpu.of(1)!;
  expect([time_running.at(0), time_running.at(1)]).toEqual([1500 * MS, 2500 * MS]);
  expect(order.slice(0, 4)).toEqual([1, 0, 1, 0]);
  expect(host.answer({ ...table, runtimes: [15 * MS, 6 * MS] })).toBe('EINVAL');
});

test('null never migrates: a vCPU has its pCPU, and the third waits until one is free', () => {
  const host = hostWith('null', 2, [{}, {}, {}]);
  const seen = new Set<string>();
  spin(host, SECOND, (cpu, domid) => seen.add(`d${domid} on ${cpu}`));
  expect(seen.size).toBe(2);
  expect(host.xen.sched.waitq.size).toBe(1);
  const first = [...seen][0]!;
  const gone = Number(first[1]);
  while (host.answer({ type: 'domctl.destroydomain', domid: 0, domain: gone }) === 'ERESTART');
  spin(host, SECOND, (cpu, domid) => seen.add(`d${domid} on ${cpu}`));
  expect(seen.size).toBe(3);
  expect(host.xen.sched.waitq.size).toBe(0);
});

describe('pools', () => {
  const host = (): CoreHost => hostWith('credit2', 4, [{}, {}], {}, true);
  const withPool = (sched_id: number = XEN_SCHEDULER.credit): CoreHost =>
    host().prepare(
      pool(OP.CREATE, { cpupool_id: CPUPOOL_PAR_ANY, sched_id }),
      pool(OP.RMCPU, { cpu: 3 }),
      pool(OP.ADDCPU, { cpupool_id: 1, cpu: 3 }),
      pool(OP.MOVEDOMAIN, { cpupool_id: 1, domain: 1 }),
    );

  test.each<[string, () => CoreHost, CoreCommand, unknown]>([
    ['Pool-0 has all', host, pool(OP.INFO), { cpupool_id: 0, sched_id: 6, n_dom: 3, cpumap: [0, 1, 2, 3] }],
    ['the next pool is shown', withPool, pool(OP.INFO, { cpupool_id: 1 }), { cpupool_id: 1, sched_id: 5, n_dom: 1, cpumap: [3] }],
    ['... and none after the last', withPool, pool(OP.INFO, { cpupool_id: 2 }), 'ENOENT'],
    ['an id is taken', withPool, pool(OP.CREATE, { cpupool_id: 1 }), 'EEXIST'],
    ['no such scheduler', host, pool(OP.CREATE, { cpupool_id: 5, sched_id: 4 }), 'ENOENT'],
    ['a pool in use stays', withPool, pool(OP.DESTROY, { cpupool_id: 1 }), 'EBUSY'],
    ['no pool to destroy', host, pool(OP.DESTROY, { cpupool_id: 9 }), 'ENOENT'],
    ['a pCPU that is not free', host, pool(OP.ADDCPU, { cpu: 0 }), 'ENODEV'],
    ['a pCPU that there is not', host, pool(OP.ADDCPU, { cpu: 4 }), 'EINVAL'],
    ['none is free', host, pool(OP.ADDCPU, { cpu: CPUPOOL_PAR_ANY }), 'ENODEV'],
    ['pCPU 0 stays in Pool-0', host, pool(OP.RMCPU, { cpu: 0 }), 'EINVAL'],
    ['the last pCPU of a pool with a domain', withPool, pool(OP.RMCPU, { cpupool_id: 1, cpu: 3 }), 'EBUSY'],
    ["another pool's pCPU", withPool, pool(OP.RMCPU, { cpu: 3 }), 'EADDRNOTAVAIL'],
    ['nobody moves itself', withPool, pool(OP.MOVEDOMAIN, { cpupool_id: 1, domain: 0 }), 'EPERM'],
    ['no domain to move', withPool, pool(OP.MOVEDOMAIN, { cpupool_id: 1, domain: 77 }), 'ESRCH'],
    ['no pool to move to', withPool, pool(OP.MOVEDOMAIN, { cpupool_id: 4, domain: 1 }), 'ENOENT'],
    ['nothing is free', host, pool(OP.FREEINFO), { cpupool_id: 0, sched_id: 0, n_dom: 0, cpumap: [] }],
    ['no such operation', host, pool(99), 'ENOSYS'],
    ['no guest', host, { ...pool(OP.INFO), domid: 1 } as CoreCommand, 'EPERM'],
  ])('%s', (_, made, command, expected) => {
    expect(made().answer(command)).toEqual(expected);
  });

  test.each(Object.entries(XEN_SCHEDULER))('a domain goes to a pool of %s and back', (name, sched_id) => {
    const lab = withPool(sched_id);
    spin(lab, 250 * MS, (cpu, domid) => {
      expect(domid === 1).toBe(cpu === 3);
    });
    if (name !== 'arinc653') expect(lab.xen.sched.vcpu.of(1)!.time_running.at(0)).toBeGreaterThan(20 * MS);
    lab.prepare(pool(OP.MOVEDOMAIN, { cpupool_id: 0, domain: 1 }), pool(OP.RMCPU, { cpupool_id: 1, cpu: 3 }));
    lab.prepare(pool(OP.DESTROY, { cpupool_id: 1 }));
    expect(lab.answer(pool(OP.FREEINFO))).toMatchObject({ cpumap: [3] });
  });

  test('a pCPU goes offline with nobody on it, and comes back', () => {
    const lab = host().prepare({ type: 'sched.schedule', cpu: 0 }, { type: 'sched.schedule', cpu: 1 });
    const plug = (cpu: number, op: number): CoreCommand => ({ type: 'sysctl.cpu_hotplug', domid: 0, cpu, op });
    expect([plug(0, 1), plug(4, 1), plug(1, 0), plug(1, 9)].map((command) => lab.answer(command))).toEqual([
      'EINVAL',
      'EINVAL',
      'EEXIST',
      'EOPNOTSUPP',
    ]);
    lab.now = 5 * MS;
    lab.prepare(plug(1, 1));
    expect(lab.xen.sched.pcpu.row(0, 1)).toMatchObject({ state: 'offline', free: 1 });
    expect(lab.answer(plug(1, 1))).toBe('EEXIST');
    lab.now = 9 * MS;
    lab.prepare(plug(1, 0));
    lab.now = 10 * MS;
    // Busy for 5 ms, away for 4, idle for 1; pCPU 3 never did anything.
    expect(lab.answer({ type: 'sysctl.getcpuinfo', domid: 0, max_cpus: 8 })).toEqual({
      idletime: [0, MS, 10 * MS, 10 * MS],
    });
  });
});

test('runstate times add up to wall time, whatever the scheduler does', () => {
  for (const scheduler of ['credit2', 'credit', 'rtds', 'null'] as const) {
    const host = hostWith(scheduler, 2, [{ vcpus: 2, cap: scheduler === 'rtds' || scheduler === 'null' ? 0 : 30 }, {}, {}]);
    spin(host, 3 * SECOND + 123 * US);
    for (const domid of [1, 2, 3]) {
      const answer = host.answer({ type: 'vcpu.get_runstate_info', domid, vcpu: 0 }) as { time: number[] };
      expect(answer.time.reduce((sum, ns) => sum + ns, 0)).toBe(host.now);
    }
  }
});

test('masks are as wide as the host', () => {
  const host = hostWith('credit2', 40, [{}], {}, true);
  const set = (flags: number, hard: number[], soft: number[]): CoreCommand => ({
    type: 'domctl.setvcpuaffinity',
    domid: 0,
    domain: 1,
    vcpu: 0,
    flags,
    cpumap_hard: hard,
    cpumap_soft: soft,
  });
  expect(host.answer(set(3, [33, 39, 77], [39, 2]))).toEqual({ cpumap_hard: [33, 39], cpumap_soft: [39] });
  expect(host.answer({ type: 'domctl.getvcpuaffinity', domid: 0, domain: 1, vcpu: 0, flags: 3 })).toEqual({
    cpumap_hard: [33, 39],
    cpumap_soft: [2, 39],
  });
  expect(host.answer({ type: 'sched.schedule', cpu: 34 })).toBe('EAGAIN');
  expect(host.answer(set(0, [1], []))).toBe('EINVAL');
  expect(host.answer(set(1, [], []))).toBe('EINVAL');
  const pin = (pcpu: number, domid = 0): CoreCommand => ({ type: 'sched.pin_override', domid, vcpu: 0, pcpu });
  expect([pin(-1), pin(50), pin(7), pin(8), pin(-1), pin(3, 1)].map((command) => host.answer(command))).toEqual([
    'EINVAL',
    'EINVAL',
    {},
    'EBUSY',
    {},
    'EPERM',
  ]);
});
