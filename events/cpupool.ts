// pCPUs and the pools that they are in (public/sysctl.h): cpupool_op, cpu_hotplug, the schedulers' settings, topology.
// A pool has an id, which whoever makes it may choose, and a place (`pool` in facts) among as many as the host can have; Pool-0 has place 0.
import { int, ints, operation, text, texts } from './schema.ts';

export const operations = {
  /**
   * `op` is XEN_SYSCTL_CPUPOOL_OP_*. `cpupool_id` and `cpu` may be XEN_SYSCTL_CPUPOOL_PAR_ANY, 2^32 - 1. Answers the pool's id, scheduler,
   * domains and pCPUs; for freeinfo the pCPUs that are in no pool.
   */
  'sysctl.cpupool_op': operation(
    { domid: int, op: int, cpupool_id: int, sched_id: int, domain: int, cpu: int },
    { cpupool_id: int, sched_id: int, n_dom: int, cpumap: ints },
  ),
  /** `op` is XEN_SYSCTL_CPU_HOTPLUG_*. */
  'sysctl.cpu_hotplug': operation({ domid: int, cpu: int, op: int }),
  /**
   * `cmd` is XEN_SYSCTL_SCHEDOP_*. The schedule of arinc653 is `major_frame` and lists of equal length: handles, vCPU ids, runtimes (ns);
   * what the other schedulers have stands in the other fields.
   */
  'sysctl.scheduler_op': operation(
    {
      domid: int,
      cpupool_id: int,
      sched_id: int,
      cmd: int,
      tslice_ms: int,
      ratelimit_us: int,
      vcpu_migr_delay_us: int,
      major_frame: int,
      dom_handles: texts,
      vcpu_ids: ints,
      runtimes: ints,
    },
    {
      tslice_ms: int,
      ratelimit_us: int,
      vcpu_migr_delay_us: int,
      major_frame: int,
      dom_handles: texts,
      vcpu_ids: ints,
      runtimes: ints,
    },
  ),
  /** How long each of the first `max_cpus` pCPUs has had nothing to do, in ns. */
  'sysctl.getcpuinfo': operation({ domid: int, max_cpus: int }, { idletime: ints }),
  /** Core, socket and node of each of the first `num_cpus` pCPUs; `total` is how many there are. */
  'sysctl.cputopoinfo': operation({ domid: int, num_cpus: int }, { total: int, core: ints, socket: ints, node: ints }),
  /** Bytes of each of the first `num_nodes` nodes, and how far each is from the others. */
  'sysctl.numainfo': operation({ domid: int, num_nodes: int }, { total: int, memsize: ints, memfree: ints, distance: ints }),
} as const;

export const facts = {
  'cpupool.created': { pool: int, cpupool_id: int, sched: text },
  'cpupool.destroyed': { pool: int },
  /** A free pCPU is the pool's, and takes from this run queue. */
  'cpupool.cpu_added': { pool: int, cpu: int, runqueue: int, at_ns: int },
  /** Whoever ran there has left, and whoever belonged there has moved. */
  'cpupool.cpu_removed': { pool: int, cpu: int, at_ns: int },
  /** The domain's vCPUs have left the run queues of one pool for those of another; its parameters and affinities are as for a new one. */
  'cpupool.domain_moved': { domid: int, pool: int, at_ns: int },
  'pcpu.brought_up': { cpu: int, at_ns: int },
  'pcpu.brought_down': { cpu: int, at_ns: int },
} as const;
