// vCPUs as the scheduler sees them, the pCPUs, and the run queue.
import type { DomId } from '../../../events/units.ts';
import { XEN_LEGACY_MAX_VCPUS } from '../../abi/shared-info.ts';
import { Heap } from '../../tables/heap.ts';
import type { Journal } from '../../tables/journal.ts';
import { type Rows, Table } from '../../tables/table.ts';

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
  cpu: 'u8',
  /** Since when in this runstate, and until when its slice lasts. */
  entry_ns: 'f64',
  until_ns: 'f64',
  time_running: 'f64',
  time_runnable: 'f64',
  time_blocked: 'f64',
  time_offline: 'f64',
  /** Relative to the queue's `base`: what it has is credit + base. See credit.ts. */
  credit: 'f64',
  /** The step that made it runnable: the cause of its next slice, and its place among equals. */
  woken_by: 'f64',
  /** A bit for each of the first AFFINITY_BITS pCPUs that it may run on; 0 means all. */
  affinity: 'u32',
  /** Where its vcpu_info stands, the frame plus one; 0: in the shared info page. */
  info_mfn_plus_1: 'f64',
  info_offset: 'u32',
  /** Byte addresses in the domain's pages, plus one, where it wants its runstate and a second vcpu_time_info; 0: nowhere. */
  runstate_addr_plus_1: 'f64',
  time_addr_plus_1: 'f64',
  nmi_pending: 'u8',
} as const;
/** pCPUs above take whatever has no affinity. */
export const AFFINITY_BITS = 32;
export type Vcpus = Rows<typeof vcpuSchema>;

export const pcpuSchema = {
  state: ['none', 'idle', 'running'],
  domid: 'u16',
  vcpu: 'u8',
  /** Until when this pCPU's past reaches: its next slice starts here or later. */
  local_ns: 'f64',
} as const;

/** Row vcpu: whether it polls, and for which port (0: more than one). Only domains that have ever polled have rows. */
export const pollSchema = { state: ['none', 'polling'], port: 'u32' } as const;

export const schedSchema = { base: 'f64' } as const;

/** A vCPU as one number, for the run queue. */
export const vcpuId = (domid: DomId, vcpu: number): number => domid * 256 + vcpu;
export const domidOf = (id: number): DomId => Math.floor(id / 256);
export const vcpuOf = (id: number): number => id % 256;

/** Those above have no place in the shared info page: no event reaches them before they register one (xen/common/domain.c, dummy_vcpu_info). */
export const hasVcpuInfo = (vcpu: number): boolean => vcpu < XEN_LEGACY_MAX_VCPUS;

export class Sched {
  readonly vcpu: Table<typeof vcpuSchema>;
  readonly pcpu: Table<typeof pcpuSchema>;
  readonly polls: Table<typeof pollSchema>;
  /** One row: the base of all credits. */
  readonly scale: Table<typeof schedSchema>;
  /** The runnable vCPUs that no pCPU runs: most credit first, and among equals who has waited longest. */
  readonly runqueue: Heap;

  constructor(journal: Journal, nrCpus: number) {
    this.vcpu = new Table('vcpu', vcpuSchema, journal, 4);
    this.pcpu = new Table('pcpu', pcpuSchema, journal, 16);
    this.polls = new Table('poll', pollSchema, journal, 4);
    this.scale = new Table('sched', schedSchema, journal, 1);
    this.scale.add(0);
    const cpus = this.pcpu.add(0);
    for (let cpu = 0; cpu < nrCpus; cpu++) cpus.state.become(cpu, 'idle');
    this.runqueue = new Heap('runqueue', journal, (a, b) => {
      const left = this.vcpu.of(domidOf(a))!;
      const right = this.vcpu.of(domidOf(b))!;
      const credit = right.credit.at(vcpuOf(b)) - left.credit.at(vcpuOf(a));
      if (credit !== 0) return credit < 0;
      const waited = left.woken_by.at(vcpuOf(a)) - right.woken_by.at(vcpuOf(b));
      return waited !== 0 ? waited < 0 : a < b;
    });
  }
  get tables() {
    return [this.vcpu, this.pcpu, this.scale, this.runqueue.items, this.runqueue.places] as const;
  }
}
