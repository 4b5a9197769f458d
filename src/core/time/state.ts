// The host's clocks: its wall clock, and the frequency of its time stamp counters.
import type { Journal } from '../../tables/journal.ts';
import { Table } from '../../tables/table.ts';
import { DEFAULT_TSC_KHZ, type TimeScale, timeScale } from './tsc.ts';

/** Row 0: the Unix time at system time 0 (wc_sec and wc_nsec of xen/common/time.c). */
export const wallclockSchema = { sec: 'f64', nsec: 'u32' } as const;

export interface ClockOptions {
  /** What the real-time clock showed when the host booted, in seconds of Unix time. */
  readonly wallclock?: number;
  readonly tscKhz?: number;
}

export class Clock {
  readonly wallclock: Table<typeof wallclockSchema>;
  readonly tscKhz: number;
  readonly scale: TimeScale;
  constructor(journal: Journal, { wallclock = 0, tscKhz = DEFAULT_TSC_KHZ }: ClockOptions) {
    this.wallclock = new Table('wallclock', wallclockSchema, journal, 1);
    this.wallclock.add(0).sec.put(0, wallclock);
    this.tscKhz = tscKhz;
    this.scale = timeScale(tscKhz);
  }
  get tables() {
    return [this.wallclock] as const;
  }
}
