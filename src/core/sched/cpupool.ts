// Pools of pCPUs (xen/common/sched/cpupool.c), pCPUs that come and go (xen/common/cpu.c), and what can be asked about them.
import { accept, refuse } from '../../../events/step.ts';
import { type DomId, type Ns, PAGE_SIZE } from '../../../events/units.ts';
import type { CommandOf, CpupoolCommand, Fact, Outcome } from '../../../events/vocabulary.ts';
import { CPUPOOL_PAR_ANY, XEN_SYSCTL_CPUPOOL_OP as OP, XEN_SYSCTL_CPU_HOTPLUG } from '../../abi/scheduler.ts';
import type { Xen } from '../xen.ts';
import { isPrivileged } from '../xsm.ts';
import { movedDomain, poolStops } from './cpupool-moves.ts';
import { handedOn } from './null.ts';
import { adjustGlobal } from './params.ts';
import { schedulerById, schedulerOf } from './schedulers.ts';
import { coreOf, runqueueFor, socketOf } from './topology.ts';

export function decideCpupool(xen: Xen, command: CpupoolCommand, now: Ns): Outcome {
  if (!isPrivileged(command.domid)) return refuse('EPERM');
  switch (command.type) {
    case 'sysctl.cpupool_op':
      return cpupoolOp(xen, command, now);
    case 'sysctl.cpu_hotplug':
      return hotplug(xen, command, now);
    case 'sysctl.scheduler_op': {
      const { cmd, cpupool_id, sched_id } = command;
      if (cmd !== 0 && cmd !== 1) return refuse('EINVAL');
      const pool = placeOf(xen, cpupool_id);
      if (pool === undefined) return refuse('ESRCH');
      return sched_id === schedulerOf(xen, pool).sched_id ? adjustGlobal(xen, command, pool, now) : refuse('EINVAL');
    }
    case 'sysctl.getcpuinfo': {
      const count = Math.max(0, Math.min(command.max_cpus, xen.sched.nrCpus));
      return accept({ idletime: Array.from({ length: count }, (_, cpu) => idleTime(xen, cpu, now)) });
    }
    case 'sysctl.cputopoinfo': {
      const { nrCpus, topology } = xen.sched;
      const cpus = Array.from({ length: Math.max(0, Math.min(command.num_cpus, nrCpus)) }, (_, cpu) => cpu);
      return accept({
        // Who has room for fewer is told of no more.
        total: command.num_cpus > 0 ? cpus.length : nrCpus,
        core: cpus.map((cpu) => coreOf(topology, cpu)),
        socket: cpus.map((cpu) => socketOf(topology, cpu)),
        node: cpus.map(() => 0),
      });
    }
    case 'sysctl.numainfo': {
      const shown = command.num_nodes >= 1;
      return accept({
        total: 1,
        memsize: shown ? [xen.p2m.totalPages * PAGE_SIZE] : [],
        memfree: shown ? [xen.p2m.freePages * PAGE_SIZE] : [],
        distance: shown ? [LOCAL_DISTANCE] : [],
      });
    }
    default:
      return command satisfies never;
  }
}
/** A node's distance to itself, as ACPI counts. */
const LOCAL_DISTANCE = 10;

/** The place of a pool with this id, or undefined. */
export function placeOf({ sched }: Xen, id: number): number | undefined {
  const { cpupool_id } = sched.pools.of(0)!;
  for (let pool = 0; pool < sched.maxPools; pool++) if (sched.isPool(pool) && cpupool_id.at(pool) === id) return pool;
  return undefined;
}
/** The pools that there are: ids with their places, by id. */
export function poolsById({ sched }: Xen): { readonly id: number; readonly pool: number }[] {
  const { cpupool_id } = sched.pools.of(0)!;
  const found: { id: number; pool: number }[] = [];
  for (let pool = 0; pool < sched.maxPools; pool++) if (sched.isPool(pool)) found.push({ id: cpupool_id.at(pool), pool });
  return found.sort((a, b) => a.id - b.id);
}
export function domainsIn(xen: Xen, pool: number): DomId[] {
  return [...xen.domids()].filter((domid) => xen.poolOf(domid) === pool);
}
const freeCpus = ({ sched }: Xen): number[] => {
  const cpus = sched.pcpu.of(0)!;
  return Array.from({ length: sched.nrCpus }, (_, cpu) => cpu).filter(
    (cpu) => cpus.free.at(cpu) === 1 && cpus.state.is(cpu) !== 'offline',
  );
};
const isOnline = ({ sched }: Xen, cpu: number): boolean => sched.pcpu.of(0)!.state.is(cpu) !== 'offline';

/** Since boot, what nobody ran and what it was there (get_cpu_idle_time()). */
function idleTime({ sched }: Xen, cpu: number, now: Ns): Ns {
  const cpus = sched.pcpu.of(0)!;
  const runs = cpus.state.is(cpu) === 'running' ? sched.vcpu.of(cpus.domid.at(cpu))!.entry_ns.at(cpus.vcpu.at(cpu)) : now;
  const away = cpus.away_ns.at(cpu) + (cpus.state.is(cpu) === 'offline' ? now - cpus.away_since.at(cpu) : 0);
  return Math.max(0, now - cpus.busy_ns.at(cpu) - Math.max(0, now - runs) - away);
}

const empty = { cpupool_id: 0, sched_id: 0, n_dom: 0, cpumap: [] as number[] };

function cpupoolOp(xen: Xen, command: CommandOf<'sysctl.cpupool_op'>, now: Ns): Outcome {
  const { sched } = xen;
  switch (command.op) {
    case OP.CREATE:
      return create(xen, command);
    case OP.DESTROY: {
      const pool = placeOf(xen, command.cpupool_id);
      if (pool === undefined) return refuse('ENOENT');
      if (domainsIn(xen, pool).length > 0 || sched.cpusOf(pool).length > 0) return refuse('EBUSY');
      return accept({ ...empty, cpupool_id: command.cpupool_id }, { type: 'cpupool.destroyed', pool });
    }
    case OP.INFO: {
      const found = poolsById(xen).find(({ id }) => id >= command.cpupool_id);
      if (found === undefined) return refuse('ENOENT');
      const { id, pool } = found;
      const n_dom = domainsIn(xen, pool).length;
      return accept({ cpupool_id: id, sched_id: schedulerOf(xen, pool).sched_id, n_dom, cpumap: sched.cpusOf(pool) });
    }
    case OP.ADDCPU: {
      const pool = placeOf(xen, command.cpupool_id);
      if (pool === undefined) return refuse('ENOENT');
      let { cpu } = command;
      if (cpu === CPUPOOL_PAR_ANY) {
        const [first] = freeCpus(xen);
        if (first === undefined) return refuse('ENODEV');
        cpu = first;
      }
      if (!sched.isCpu(cpu)) return refuse('EINVAL');
      if (!freeCpus(xen).includes(cpu)) return refuse('ENODEV');
      return accept({ ...empty, cpupool_id: command.cpupool_id }, ...added(xen, pool, cpu, now));
    }
    case OP.RMCPU: {
      const pool = placeOf(xen, command.cpupool_id);
      if (pool === undefined) return refuse('ENOENT');
      const cpu = command.cpu === CPUPOOL_PAR_ANY ? (sched.cpusOf(pool).at(-1) ?? -1) : command.cpu;
      if (!sched.isCpu(cpu)) return refuse('EINVAL');
      return remove(xen, pool, cpu, now);
    }
    case OP.MOVEDOMAIN: {
      const { domain, cpupool_id } = command;
      if (!xen.exists(domain)) return refuse('ESRCH');
      if (domain === command.domid) return refuse('EPERM'); // nobody moves itself
      if (sched.pools.of(0)!.cpupool_id.at(xen.poolOf(domain)) === cpupool_id) return accept(empty);
      const pool = placeOf(xen, cpupool_id);
      if (pool === undefined || sched.cpusOf(pool).length === 0) return refuse('ENOENT');
      if (isOverridden(xen, domain)) return refuse('EBUSY');
      return accept({ ...empty, cpupool_id }, ...movedDomain(xen, domain, pool, now));
    }
    case OP.FREEINFO:
      return accept({ ...empty, cpumap: freeCpus(xen) });
    default:
      return refuse('ENOSYS');
  }
}

/** cpupool_create(): with the id that is asked for, or the one after the last. */
function create(xen: Xen, { cpupool_id, sched_id }: CommandOf<'sysctl.cpupool_op'>): Outcome {
  const { sched } = xen;
  const pools = poolsById(xen);
  if (pools.length >= sched.maxPools) return refuse('ENOSPC');
  if (cpupool_id < 0 || cpupool_id > CPUPOOL_PAR_ANY) return refuse('EINVAL'); // 32 bits
  let id = cpupool_id;
  if (id === CPUPOOL_PAR_ANY) {
    const last = pools.at(-1)!.id;
    const gap = last === CPUPOOL_PAR_ANY - 1 ? pools.find(({ id: one }, i) => pools[i + 1]?.id !== one + 1)!.id : last;
    id = gap + 1;
  } else if (placeOf(xen, id) !== undefined) return refuse('EEXIST');
  const name = schedulerById(sched_id);
  if (name === undefined) return refuse('ENOENT');
  let pool = 1;
  while (sched.isPool(pool)) pool++;
  return accept({ ...empty, cpupool_id: id }, { type: 'cpupool.created', pool, cpupool_id: id, sched: name });
}

/** A free pCPU for a pool, and the run queue that it takes from. */
function added(xen: Xen, pool: number, cpu: number, now: Ns): Fact[] {
  const { sched } = xen;
  const { runqueue } = sched.pcpu.of(0)!;
  const queues = Array.from({ length: sched.nrCpus }, (_, other) => (sched.isIn(other, pool) ? runqueue.at(other) : undefined));
  const taken = new Set<number>();
  const cpus = sched.pcpu.of(0)!;
  for (let other = 0; other < sched.nrCpus; other++)
    if (other !== cpu && cpus.free.at(other) === 0) taken.add(runqueue.at(other));
  const queue = runqueueFor(sched.kindOf(pool), sched.runqueueBy, sched.topology, sched.nrCpus, cpu, queues, taken);
  const first = sched.kindOf(pool) === 'null' ? handedOn(xen, cpu, pool, now, new Set()) : [];
  return [{ type: 'cpupool.cpu_added', pool, cpu, runqueue: queue, at_ns: now }, ...first];
}

const isOverridden = ({ sched }: Xen, domid: DomId): boolean =>
  [...sched.vcpu.inUse(domid)].some(([, { overridden }]) => overridden === 1);

/** cpupool_unassign_cpu(). The last pCPU of a pool stays as long as a domain that lives is in it; those that die go to Pool-0. */
function remove(xen: Xen, pool: number, cpu: number, now: Ns): Outcome {
  const { sched } = xen;
  if ((pool === 0 && cpu === 0) || !isOnline(xen, cpu)) return refuse('EINVAL');
  if (!sched.isIn(cpu, pool)) return refuse('EADDRNOTAVAIL');
  const leaves = leaving(xen, pool, cpu, now);
  return leaves.ok
    ? accept({ ...empty, cpupool_id: sched.pools.of(0)!.cpupool_id.at(pool) }, ...leaves.facts)
    : refuse(leaves.errno);
}
function leaving(
  xen: Xen,
  pool: number,
  cpu: number,
  now: Ns,
): { ok: true; facts: Fact[] } | { ok: false; errno: 'EBUSY' | 'EADDRINUSE' } {
  const { sched } = xen;
  const domains = domainsIn(xen, pool);
  const rest = sched.cpusOf(pool).filter((other) => other !== cpu);
  const facts: Fact[] = [];
  if (rest.length === 0 && domains.length > 0) {
    if (pool === 0 || domains.some((domid) => xen.isAlive(domid))) return { ok: false, errno: 'EBUSY' };
    for (const domid of domains) facts.push(...movedDomain(xen, domid, 0, now));
    return { ok: true, facts: [...facts, { type: 'cpupool.cpu_removed', pool, cpu, at_ns: now }] };
  }
  const stops = poolStops(xen, pool, cpu, rest, now);
  return stops === undefined ? { ok: false, errno: 'EADDRINUSE' } : { ok: true, facts: stops };
}

/** cpu_up() and cpu_down(). A pCPU goes from Pool-0 or from among the free, and comes back to Pool-0. */
function hotplug(xen: Xen, { cpu, op }: CommandOf<'sysctl.cpu_hotplug'>, now: Ns): Outcome {
  const { sched } = xen;
  switch (op) {
    case XEN_SYSCTL_CPU_HOTPLUG.ONLINE: {
      if (!sched.isCpu(cpu)) return refuse('EINVAL');
      if (isOnline(xen, cpu)) return refuse('EEXIST');
      return accept({}, { type: 'pcpu.brought_up', cpu, at_ns: now }, ...added(xen, 0, cpu, now));
    }
    case XEN_SYSCTL_CPU_HOTPLUG.OFFLINE: {
      if (!sched.isCpu(cpu) || cpu === 0) return refuse('EINVAL');
      if (!isOnline(xen, cpu)) return refuse('EEXIST');
      const down: Fact = { type: 'pcpu.brought_down', cpu, at_ns: now };
      if (sched.pcpu.of(0)!.free.at(cpu) === 1) return accept({}, down);
      if (!sched.isIn(cpu, 0)) return refuse('ENODEV');
      if (domainsIn(xen, 0).some((domid) => isOverridden(xen, domid))) return refuse('EADDRINUSE');
      const leaves = leaving(xen, 0, cpu, now);
      return leaves.ok ? accept({}, ...leaves.facts, down) : refuse(leaves.errno);
    }
    default:
      return refuse('EOPNOTSUPP'); // SMT as a whole can not be switched here
  }
}
