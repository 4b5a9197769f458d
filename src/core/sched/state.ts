// vCPUs as the schedulers see them, the pCPUs, the pools that these are in, and the run queues.
import type { DomId } from '../../../events/units.ts';
import { XEN_LEGACY_MAX_VCPUS } from '../../abi/shared-info.ts';
import { Heap } from '../../tables/heap.ts';
import type { Journal } from '../../tables/journal.ts';
import { type Rows, Table } from '../../tables/table.ts';
import { type CpuTopology, type RunqueueBy, runqueuesOf } from './topology.ts';

export const vcpuSchema = {
  /** RUNSTATE_* of public/vcpu.h; "none" is a row that no vCPU has. */
  runstate: ['none', 'running', 'runnable', 'blocked', 'offline'],
  initialised: 'u8',
  /** Online: not VPF_down. */
  up: 'u8',
  /** VPF_blocked: waits for an event. */
  blocked: 'u8',
  /** How many reasons there are not to run: its domain is paused, shut down. */
  pauses: 'i32',
  /** Runs without a pCPU: see `sched.detach`. */
  detached: 'u8',
  /** The pCPU that it runs on, or ran on last, or is to run on. */
  cpu: 'u16',
  /** Since when in this runstate, and until when its slice lasts. */
  entry_ns: 'f64',
  until_ns: 'f64',
  time_running: 'f64',
  time_runnable: 'f64',
  time_blocked: 'f64',
  time_offline: 'f64',
  /** Relative to its run queue's `base`: what it has is credit + base. See credit2-arithmetic.ts. */
  credit: 'f64',
  /** The step that made it runnable: the cause of its next slice, and its place among equals. */
  woken_by: 'f64',
  /** Where its vcpu_info stands, the frame plus one; 0: in the shared info page. */
  info_mfn_plus_1: 'f64',
  info_offset: 'u32',
  /** Byte addresses in the domain's pages, plus one, where it wants its runstate and a second vcpu_time_info; 0: nowhere. */
  runstate_addr_plus_1: 'f64',
  time_addr_plus_1: 'f64',
  nmi_pending: 'u8',
  runqueue: 'u16',
  /** What goes before credit in a run queue's order: the priority of credit, the level and deadline of rtds. */
  rank: 'u32',
  deadline_ns: 'f64',
  /** The pCPU that was tickled for it, plus one. */
  tickled: 'u16',
  /** VPF_parked: its cap is used up. */
  parked: 'u8',
  /** Whether it has masks that leave a pCPU out; they stand in `masks`. */
  hard: 'u8',
  soft: 'u8',
  /** SCHEDOP_pin_override: its hard mask is another for the time being (affinity_broken). */
  overridden: 'u8',
  /** What it has taken of its domain's budget and not used (credit2 with a cap). */
  budget: 'f64',
  /** Under null: since which step it waits for a pCPU, plus one. */
  waits_since: 'f64',
  /** How much it has run of late (credit2 with several run queues), and until when that is so. */
  avgload: 'f64',
  load_ns: 'f64',
} as const;
export type Vcpus = Rows<typeof vcpuSchema>;

export const pcpuSchema = {
  state: ['none', 'idle', 'running', 'offline'],
  domid: 'u16',
  vcpu: 'u8',
  /** Until when this pCPU's past reaches: its next slice starts here or later. */
  local_ns: 'f64',
  /** The place of its pool; or it is free. */
  pool: 'u16',
  free: 'u8',
  runqueue: 'u16',
  /** It has been told to look for work, because of this vCPU (as a number, plus one). */
  tickled_for: 'f64',
  /** It has just taken off the vCPU that stands here, which waits in its queue, and (2) asked for that. */
  relieved: 'u8',
  busy_ns: 'f64',
  /** When it went, or 0; and how long it was away before. */
  away_since: 'f64',
  away_ns: 'f64',
  /** Under null: the vCPU (as a number) that has this pCPU for itself, plus one. */
  unit: 'f64',
} as const;

/** Row vcpu: whether it polls, and for which port (0: more than one). Only domains that have ever polled have rows. */
export const pollSchema = { state: ['none', 'polling'], port: 'u32' } as const;

/** Row: a run queue. */
export const runqueueSchema = {
  base: 'f64',
  /** vCPUs that run or wait here; how many did so of late, with and without those that are to move (credit2, several queues). */
  load: 'f64',
  avgload: 'f64',
  load_ns: 'f64',
} as const;

/** Row: vcpu * words + word. Bits of pCPUs; only domains with such vCPUs have rows. */
export const maskSchema = { hard: 'u32', soft: 'u32', saved: 'u32' } as const;

/** Row: the pool's place. Pool-0 is always there. */
export const poolSchema = {
  state: ['none', 'present'],
  cpupool_id: 'f64',
  sched: ['none', 'credit', 'credit2', 'arinc653', 'rtds', 'null'],
  /** Settings that are not the default: plus one, for 0 is a setting too. */
  tslice_plus_1: 'u32',
  ratelimit_plus_1: 'u32',
  migration_delay_us: 'u32',
  /** Domains in it; those of Pool-0 are all others. */
  n_dom: 'i32',
  /** credit: what all vCPUs had together after the last accounting. */
  balance: 'f64',
  major_frame: 'f64',
  frame_start: 'f64',
  entries: 'u16',
  /** The highest weight of its domains. */
  max_weight: 'u16',
} as const;
/** The schedule of arinc653: owner is the pool's place, a row an entry. */
export const frameSchema = { runtime: 'f64', a: 'u32', b: 'u32', c: 'u32', d: 'u32', vcpu: 'u16', unit: 'f64' } as const;

/** Row vcpu: what credit keeps. */
export const creditSchema = { active: 'u8', credit: 'f64', last_ns: 'f64' } as const;
/** Row vcpu: what rtds keeps. Period and budget less their defaults; `strict` is no extratime; `left` of the budget. */
export const rtdsSchema = { period_ns: 'f64', budget_ns: 'f64', strict: 'u8', left: 'f64' } as const;
/** The row of a timer follows from its kind; the owner is its domain, or its pool's place. */
export const schedTimerSchema = { state: ['off', 'armed'], deadline_ns: 'f64', armed_by: 'f64' } as const;
/** How many domains of a pool have a weight: owner is the pool's place, the row is the weight. */
export const weightSchema = { domains: 'i32' } as const;

/** A vCPU as one number, for the run queues. */
export const vcpuId = (domid: DomId, vcpu: number): number => domid * 256 + vcpu;
export const domidOf = (id: number): DomId => Math.floor(id / 256);
export const vcpuOf = (id: number): number => id % 256;

/** Those above have no place in the shared info page: no event reaches them before they register one (xen/common/domain.c, dummy_vcpu_info). */
export const hasVcpuInfo = (vcpu: number): boolean => vcpu < XEN_LEGACY_MAX_VCPUS;

export type SchedulerName = 'credit' | 'credit2' | 'arinc653' | 'rtds' | 'null';
export interface SchedOptions {
  readonly nrCpus: number;
  readonly scheduler?: SchedulerName;
  readonly topology?: CpuTopology;
  /** credit2_runqueue on Xen's command line. */
  readonly credit2_runqueue?: RunqueueBy;
}

export class Sched {
  readonly vcpu: Table<typeof vcpuSchema>;
  readonly pcpu: Table<typeof pcpuSchema>;
  readonly polls: Table<typeof pollSchema>;
  /** Row 0 is the base of all credits where there is one run queue. */
  readonly scale: Table<typeof runqueueSchema>;
  readonly masks: Table<typeof maskSchema>;
  readonly pools: Table<typeof poolSchema>;
  readonly frames: Table<typeof frameSchema>;
  readonly credits: Table<typeof creditSchema>;
  readonly rtds: Table<typeof rtdsSchema>;
  readonly timers: Table<typeof schedTimerSchema>;
  readonly weights: Table<typeof weightSchema>;
  /** Scheduler timers, earliest first. */
  readonly due: Heap;
  /** Under null: vCPUs without a pCPU, who has waited longest first. */
  readonly waitq: Heap;
  /** For each run queue, the runnable vCPUs that any of its pCPUs may take: most credit first, and among equals who has waited longest. */
  readonly shared: readonly Heap[];
  /** For each pCPU, the runnable vCPUs with a hard affinity that it may take from its own run queue. */
  readonly pinned: readonly Heap[];
  /** For each pCPU, those that it may steal from other run queues (credit). */
  readonly away: readonly Heap[];
  readonly nrCpus: number;
  /** 32-bit words of a mask of pCPUs. */
  readonly words: number;
  readonly topology: CpuTopology;
  readonly runqueueBy: RunqueueBy;
  /** Pool-0's, by Xen's command line. */
  private readonly scheduler: SchedulerName;
  /** Whether credit2 has more run queues than one on this host: only then does anybody ask how loaded they are. */
  readonly hasManyQueues: boolean;

  constructor(journal: Journal, options: SchedOptions) {
    const { nrCpus, scheduler = 'credit2', credit2_runqueue = 'socket' } = options;
    this.nrCpus = nrCpus;
    this.words = Math.ceil(nrCpus / 32);
    this.scheduler = scheduler;
    this.runqueueBy = credit2_runqueue;
    this.topology = options.topology ?? { cores_per_socket: nrCpus, threads_per_core: 1 };
    this.hasManyQueues = Math.max(...runqueuesOf('credit2', this.runqueueBy, this.topology, nrCpus)) > 0;
    this.vcpu = new Table('vcpu', vcpuSchema, journal, 4);
    this.pcpu = new Table('pcpu', pcpuSchema, journal, 16);
    this.polls = new Table('poll', pollSchema, journal, 4);
    this.scale = new Table('sched', runqueueSchema, journal, 1);
    this.masks = new Table('affinity', maskSchema, journal, 4);
    this.pools = new Table('cpupool', poolSchema, journal, 4);
    this.frames = new Table('arinc653', frameSchema, journal, 4);
    this.credits = new Table('credit', creditSchema, journal, 4);
    this.rtds = new Table('rtds', rtdsSchema, journal, 4);
    this.timers = new Table('sched.timer', schedTimerSchema, journal, 4);
    this.weights = new Table('sched.weight', weightSchema, journal, 64);
    for (const table of [this.scale, this.pools]) table.add(0);
    const cpus = this.pcpu.add(0);
    const queues = runqueuesOf(this.kindOf(0), this.runqueueBy, this.topology, nrCpus);
    for (let cpu = 0; cpu < nrCpus; cpu++) {
      cpus.state.become(cpu, 'idle');
      cpus.runqueue.put(cpu, queues[cpu]!);
    }
    this.due = new Heap('sched.timers', journal, (a, b) => {
      const order = this.deadline(a) - this.deadline(b);
      return order !== 0 ? order < 0 : a < b;
    });
    this.waitq = new Heap('null.waitq', journal, (a, b) => {
      const order = this.waitsSince(a) - this.waitsSince(b);
      return order !== 0 ? order < 0 : a < b;
    });
    const queue = (name: string): Heap => new Heap(name, journal, (a, b) => this.before(a, b));
    this.shared = Array.from({ length: nrCpus }, (_, i) => queue(i === 0 ? 'runqueue' : `runqueue.${i}`));
    this.pinned = Array.from({ length: nrCpus }, (_, cpu) => queue(`runqueue.p${cpu}`));
    this.away = Array.from({ length: nrCpus }, (_, cpu) => queue(`runqueue.a${cpu}`));
  }
  get tables() {
    const heaps = [...this.shared, ...this.pinned, ...this.away, this.due, this.waitq];
    return [
      this.vcpu,
      this.pcpu,
      this.scale,
      ...heaps.flatMap(({ items, places }) => [items, places]),
      this.pools,
      this.frames,
      this.timers,
      this.weights,
    ] as const;
  }
  /** Those in which only domains that need them have rows. */
  get sparse() {
    return [this.polls, this.masks, this.credits, this.rtds] as const;
  }

  /** The scheduler of the pool at a place, or "none" where there is none. */
  kindOf(pool: number): SchedulerName | 'none' {
    if (pool === 0) return this.scheduler;
    return this.pools.of(0)!.sched.is(pool);
  }
  isPool(pool: number): boolean {
    return pool === 0 || this.pools.of(0)!.state.is(pool) === 'present';
  }
  /** The scheduler timer that is due first, or undefined. */
  nextTimer(): { kind: SchedTimerKind; id: number; deadline_ns: number; armed_by: number } | undefined {
    const item = this.due.peek();
    if (item === undefined) return undefined;
    const { owner, row } = placeOfTimer(item);
    const { deadline_ns, armed_by } = this.timers.of(owner)!;
    return { ...timerOfItem(item), deadline_ns: deadline_ns.at(row), armed_by: armed_by.at(row) };
  }
  /** As many pools as a host can have (xen/common/sched/cpupool.c, cpupool_create()). */
  get maxPools(): number {
    return 2 * this.nrCpus;
  }
  isCpu(cpu: number): boolean {
    return Number.isInteger(cpu) && cpu >= 0 && cpu < this.nrCpus;
  }
  /** Whether a pCPU works for a pool. */
  isIn(cpu: number, pool: number): boolean {
    const cpus = this.pcpu.of(0)!;
    return cpus.pool.at(cpu) === pool && cpus.free.at(cpu) === 0 && cpus.state.at(cpu) !== 0;
  }
  /** The pCPUs of a pool, ascending. */
  cpusOf(pool: number): number[] {
    const cpus: number[] = [];
    for (let cpu = 0; cpu < this.nrCpus; cpu++) if (this.isIn(cpu, pool)) cpus.push(cpu);
    return cpus;
  }

  /** The order of a run queue. */
  before(a: number, b: number): boolean {
    const left = this.vcpu.of(domidOf(a))!;
    const right = this.vcpu.of(domidOf(b))!;
    const i = vcpuOf(a);
    const j = vcpuOf(b);
    const rank = left.rank.at(i) - right.rank.at(j);
    if (rank !== 0) return rank < 0;
    const deadline = left.deadline_ns.at(i) - right.deadline_ns.at(j);
    if (deadline !== 0) return deadline < 0;
    const credit = right.credit.at(j) - left.credit.at(i);
    if (credit !== 0) return credit < 0;
    const waited = left.woken_by.at(i) - right.woken_by.at(j);
    return waited !== 0 ? waited < 0 : a < b;
  }

  private waitsSince(id: number): number {
    return this.vcpu.of(domidOf(id))!.waits_since.at(vcpuOf(id));
  }
  private deadline(item: number): number {
    const { owner, row } = placeOfTimer(item);
    return this.timers.of(owner)!.deadline_ns.at(row);
  }
}

export type SchedTimerKind = 'cap' | 'rtds' | 'accounting' | 'frame';
/** Rows of `timers`: a vCPU's own, and above the last vCPU those that a domain or a pool has one of. */
const rowOf = { cap: 128, accounting: 129, frame: 130 } as const;
/** A timer as one number, for the heap; the id is a domain, a vCPU or a pool's place. */
export const timerItem = (kind: SchedTimerKind, id: number): number => (kind === 'rtds' ? id : id * 256 + rowOf[kind]);
export const placeOfTimer = (item: number): { readonly owner: number; readonly row: number } => ({
  owner: Math.floor(item / 256),
  row: item % 256,
});
/** What a number in the heap stands for. */
export function timerOfItem(item: number): { readonly kind: SchedTimerKind; readonly id: number } {
  const { owner, row } = placeOfTimer(item);
  if (row === rowOf.cap) return { kind: 'cap', id: owner };
  if (row === rowOf.accounting) return { kind: 'accounting', id: owner };
  if (row === rowOf.frame) return { kind: 'frame', id: owner };
  return { kind: 'rtds', id: item };
}
