// Each vCPU's two timers, and all armed ones in the order in which they are due.
import type { DomId, Ns } from '../../../events/units.ts';
import { Heap } from '../../tables/heap.ts';
import type { Journal } from '../../tables/journal.ts';
import { Table } from '../../tables/table.ts';

export type TimerKind = 'singleshot' | 'periodic' | 'poll' | 'watchdog';
/** Row vcpu * 2 is the singleshot timer, row vcpu * 2 + 1 the periodic one; see `timerRow`. */
export const timerSchema = {
  state: ['off', 'armed'],
  deadline_ns: 'f64',
  period_ns: 'f64',
  /** The step that set it: the cause of its firing. */
  armed_by: 'f64',
} as const;

/** Where those stand that few have: above the two of the last vCPU. */
const POLL_ROWS = 256;
const WATCHDOG_ROWS = 384;
export function timerRow(vcpu: number, kind: TimerKind): number {
  switch (kind) {
    case 'singleshot':
      return vcpu * 2;
    case 'periodic':
      return vcpu * 2 + 1;
    case 'poll':
      return POLL_ROWS + vcpu;
    case 'watchdog':
      return WATCHDOG_ROWS + vcpu;
  }
}
/** The timer that a row is; the `vcpu` of a watchdog is its slot. */
export function timerOf(row: number): { readonly vcpu: number; readonly kind: TimerKind } {
  if (row >= WATCHDOG_ROWS) return { vcpu: row - WATCHDOG_ROWS, kind: 'watchdog' };
  if (row >= POLL_ROWS) return { vcpu: row - POLL_ROWS, kind: 'poll' };
  return { vcpu: row >> 1, kind: (row & 1) === 1 ? 'periodic' : 'singleshot' };
}
/** xen/include/xen/sched.h. */
export const NR_DOMAIN_WATCHDOG_TIMERS = 2;
const ROWS_PER_DOMAIN = 512;
export const timerId = (domid: DomId, vcpu: number, kind: TimerKind): number => domid * ROWS_PER_DOMAIN + timerRow(vcpu, kind);

export interface DueTimer {
  readonly domid: DomId;
  readonly vcpu: number;
  readonly kind: TimerKind;
  readonly deadline_ns: Ns;
  readonly armed_by: number;
}

export class Timers {
  readonly rows: Table<typeof timerSchema>;
  /** Earliest deadline first, then by id. */
  readonly due: Heap;
  constructor(journal: Journal) {
    this.rows = new Table('timer', timerSchema, journal, 4);
    this.due = new Heap('timers', journal, (a, b) => {
      const order = this.deadline(a) - this.deadline(b);
      return order !== 0 ? order < 0 : a < b;
    });
  }
  get tables() {
    return [this.rows, this.due.items, this.due.places] as const;
  }
  /** The timer that is due first, or undefined. */
  next(): DueTimer | undefined {
    const id = this.due.peek();
    if (id === undefined) return undefined;
    const domid = Math.floor(id / ROWS_PER_DOMAIN);
    const row = id % ROWS_PER_DOMAIN;
    const { deadline_ns, armed_by } = this.rows.of(domid)!;
    return {
      domid,
      ...timerOf(row),
      deadline_ns: deadline_ns.at(row),
      armed_by: armed_by.at(row),
    };
  }
  private deadline(id: number): Ns {
    return this.rows.of(Math.floor(id / ROWS_PER_DOMAIN))!.deadline_ns.at(id % ROWS_PER_DOMAIN);
  }
}
