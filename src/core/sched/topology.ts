// Which pCPUs are one core and one socket, and which of them share a run queue.
export interface CpuTopology {
  readonly cores_per_socket: number;
  readonly threads_per_core: number;
}
/** credit2_runqueue: what makes pCPUs share a run queue (docs/misc/xen-command-line). A host has one node. */
export type RunqueueBy = 'cpu' | 'core' | 'socket' | 'node' | 'all';
/** No run queue of credit2 has more pCPUs than that (sched_credit2_max_cpus_runqueue). */
export const MAX_CPUS_RUNQ = 16;

/** The numbers of pCPUs go up by thread, then by core, then by socket. */
export const coreOf = ({ cores_per_socket, threads_per_core }: CpuTopology, cpu: number): number =>
  Math.floor(cpu / threads_per_core) % cores_per_socket;
export const socketOf = ({ cores_per_socket, threads_per_core }: CpuTopology, cpu: number): number =>
  Math.floor(cpu / (threads_per_core * cores_per_socket));
const coreOnHost = ({ threads_per_core }: CpuTopology, cpu: number): number => Math.floor(cpu / threads_per_core);

/** Whether two pCPUs may share a run queue. */
export function mayShare(kind: string, by: RunqueueBy, topology: CpuTopology, a: number, b: number): boolean {
  if (kind === 'credit') return false; // each its own
  if (kind !== 'credit2') return true; // one for the pool
  switch (by) {
    case 'cpu':
      return false;
    case 'core':
      return coreOnHost(topology, a) === coreOnHost(topology, b);
    case 'socket':
      return socketOf(topology, a) === socketOf(topology, b);
    case 'node':
    case 'all':
      return true;
  }
}

/** How many pCPUs a run queue takes, so that all have about the same (cpu_add_to_runqueue() in xen/common/sched/credit2.c). */
export const maxCpusOf = (kind: string, nrCpus: number): number =>
  kind === 'credit2' ? Math.floor(nrCpus / (Math.floor((nrCpus - 1) / MAX_CPUS_RUNQ) + 1)) : nrCpus;

/** The run queue of each pCPU at boot, when all are Pool-0's. */
export function runqueuesOf(kind: string, by: RunqueueBy, topology: CpuTopology, nrCpus: number): number[] {
  const queues: number[] = [];
  for (let cpu = 0; cpu < nrCpus; cpu++) queues.push(runqueueFor(kind, by, topology, nrCpus, cpu, queues));
  return queues;
}

/**
 * The run queue for one more pCPU: the emptiest of those that it may share, or a new one, the lowest that is not in use. `queues` has the
 * queue of each other pCPU of its pool, undefined elsewhere; `taken` says which are in use on the host.
 */
export function runqueueFor(
  kind: string,
  by: RunqueueBy,
  topology: CpuTopology,
  nrCpus: number,
  cpu: number,
  queues: readonly (number | undefined)[],
  taken: ReadonlySet<number> = new Set(queues.filter((queue) => queue !== undefined)),
): number {
  const members = new Map<number, number[]>();
  queues.forEach((queue, other) => {
    if (queue !== undefined) members.set(queue, [...(members.get(queue) ?? []), other]);
  });
  let best: number | undefined;
  for (const queue of [...members.keys()].sort((a, b) => a - b)) {
    const cpus = members.get(queue)!;
    if (!mayShare(kind, by, topology, cpus[0]!, cpu)) continue;
    // Threads of a core never stand apart.
    if (kind === 'credit2' && cpus.some((other) => coreOnHost(topology, other) === coreOnHost(topology, cpu))) return queue;
    if (cpus.length >= maxCpusOf(kind, nrCpus)) continue;
    if (best === undefined || cpus.length < members.get(best)!.length) best = queue;
  }
  if (best !== undefined) return best;
  let free = 0;
  while (taken.has(free)) free++;
  return free;
}
