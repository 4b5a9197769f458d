import * as fc from 'fast-check';
import { MS } from '../../../events/units.ts';
import { CPUPOOL_PAR_ANY, XEN_SCHEDULER, XEN_SYSCTL_CPUPOOL_OP } from '../../../src/abi/scheduler.ts';
import type { CoreCommand } from '../../../src/core/index.ts';
import { poolsById } from '../../../src/core/sched/cpupool.ts';
import { schedulerOf } from '../../../src/core/sched/schedulers.ts';
import type { CoreHost } from '../core-host.ts';
import { type Acts, act, pick, someDomain } from './act.ts';

const numbers = fc.record({ pool: fc.nat(), n: fc.nat(), cpu: fc.nat(), domain: fc.nat() });
const ids = Object.values(XEN_SCHEDULER);

const somePool = (host: CoreHost, index: number): number => pick([...poolsById(host.xen).map(({ id }) => id), 0, 7], index)!;
const someCpu = (host: CoreHost, index: number): number =>
  pick([...Array(host.xen.sched.nrCpus).keys(), CPUPOOL_PAR_ANY], index)!;
const poolOp = (op: number, some: { cpupool_id?: number; sched_id?: number; domain?: number; cpu?: number }): CoreCommand => ({
  type: 'sysctl.cpupool_op',
  domid: 0,
  op,
  cpupool_id: 0,
  sched_id: 0,
  domain: 0,
  cpu: 0,
  ...some,
});
const OP = XEN_SYSCTL_CPUPOOL_OP;

/** pCPUs and pools that come and go, with every scheduler, and what their schedulers are told. */
export const cpupoolActs: readonly Acts[] = [
  act(numbers, (_, { pool, n }) => [
    poolOp(OP.CREATE, { cpupool_id: pick([CPUPOOL_PAR_ANY, CPUPOOL_PAR_ANY, 3, 0], pool)!, sched_id: pick([...ids, 4], n)! }),
  ]),
  act(numbers, (host, { pool }) => [poolOp(OP.DESTROY, { cpupool_id: somePool(host, pool) })]),
  act(numbers, (host, { pool, n }) => [poolOp(pick([OP.INFO, OP.FREEINFO], n)!, { cpupool_id: somePool(host, pool) })]),
  act(numbers, (host, { pool, cpu }) => [poolOp(OP.ADDCPU, { cpupool_id: somePool(host, pool), cpu: someCpu(host, cpu) })]),
  act(numbers, (host, { pool, cpu }) => [poolOp(OP.RMCPU, { cpupool_id: somePool(host, pool), cpu: someCpu(host, cpu) })]),
  act(numbers, (host, { pool, domain }) => [
    poolOp(OP.MOVEDOMAIN, { cpupool_id: somePool(host, pool), domain: someDomain(host, domain) }),
  ]),
  // A pool that is of use: a pCPU of Pool-0's, and a domain.
  act(numbers, (host, { n, domain }) => {
    const id = (poolsById(host.xen).at(-1)?.id ?? 0) + 1;
    const cpu = host.xen.sched.nrCpus - 1;
    return [
      poolOp(OP.CREATE, { cpupool_id: id, sched_id: pick(ids, n)! }),
      poolOp(OP.RMCPU, { cpu }),
      poolOp(OP.ADDCPU, { cpupool_id: id, cpu }),
      poolOp(OP.MOVEDOMAIN, { cpupool_id: id, domain: someDomain(host, domain) }),
    ];
  }),
  act(numbers, (_, { cpu, n }) => [{ type: 'sysctl.cpu_hotplug', domid: 0, cpu: cpu % 4, op: pick([0, 1, 1, 2, 9], n)! }]),
  act(numbers, (host, { pool, n }) => {
    const id = somePool(host, pool);
    const place = poolsById(host.xen).find((one) => one.id === id)?.pool ?? 0;
    return [
      {
        type: 'sysctl.scheduler_op',
        domid: 0,
        cpupool_id: id,
        sched_id: schedulerOf(host.xen, place).sched_id,
        cmd: n % 3,
        tslice_ms: pick([30, 5, 1, 0, 1001], n)!,
        ratelimit_us: pick([0, 1000, 500, 50], n >> 2)!,
        vcpu_migr_delay_us: pick([0, 100, 100_001], n >> 1)!,
        major_frame: pick([20, 30, 5], n >> 1)! * MS,
        dom_handles: [HANDLE, HANDLE],
        vcpu_ids: [0, n % 3],
        runtimes: pick(
          [
            [10 * MS, 10 * MS],
            [5 * MS, 2 * MS],
            [0, 1],
          ],
          n,
        )!,
      },
    ];
  }),
  act(numbers, (host, { domain, n }) => [
    { type: 'domctl.getvcpuaffinity', domid: 0, domain: someDomain(host, domain), vcpu: n % 4, flags: n % 4 },
    { type: pick(['domctl.getnodeaffinity'] as const, n)!, domid: 0, domain: someDomain(host, domain) },
    { type: 'domctl.setnodeaffinity', domid: 0, domain: someDomain(host, domain), nodemap: pick([[0], [1], [0, 1], []], n)! },
    { type: 'vcpu.get_physid', domid: someDomain(host, domain), vcpu: n % 3 },
  ]),
  act(numbers, (_, { cpu, n }) => [{ type: 'sched.pin_override', domid: pick([0, 0, 1], n)!, vcpu: n % 3, pcpu: (cpu % 5) - 1 }]),
  act(numbers, (_, { n }) => [
    { type: 'sysctl.getcpuinfo', domid: 0, max_cpus: n % 5 },
    { type: 'sysctl.cputopoinfo', domid: 0, num_cpus: n % 5 },
    { type: 'sysctl.numainfo', domid: 0, num_nodes: n % 3 },
  ]),
  act(numbers, (host, { domain, n }) => {
    const domid = someDomain(host, domain);
    return domid === 0 ? [] : [{ type: 'sched.shutdown_code', domid, code: n % 300 }];
  }),
  // What a scheduler waits for.
  act(numbers, (host) => {
    const due = host.xen.sched.nextTimer();
    if (due === undefined) return [];
    host.now = Math.max(host.now, due.deadline_ns);
    return [{ type: 'sched.expire', kind: due.kind, id: due.id }];
  }),
];
const HANDLE = '00112233-4455-6677-8899-aabbccddeeff';
