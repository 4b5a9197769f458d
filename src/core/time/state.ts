// The host's clocks: its wall clock, and the frequency of its time stamp counters.
import type { Ns } from '../../../events/units.ts';
import type { Journal } from '../../tables/journal.ts';
import { Table } from '../../tables/table.ts';
import { DEFAULT_TSC_KHZ, type TimeScale, type Tsc, ticksIn, timeScale, wordsOfTsc } from './tsc.ts';

/** Row 0: the Unix time at system time 0 (wc_sec and wc_nsec of xen/common/time.c). */
export const wallclockSchema = { sec: 'f64', nsec: 'u32' } as const;

export interface Stamp extends Tsc {
  readonly at: Ns;
}

export interface ClockOptions {
  /** What the real-time clock showed when the host booted, in seconds of Unix time. */
  readonly wallclock?: number;
  readonly tscKhz?: number;
}

export class Clock {
  readonly wallclock: Table<typeof wallclockSchema>;
  readonly tscKhz: number;
  readonly scale: TimeScale;
  /** The host's counter at the stamp that was asked for last: it follows from that alone, and is asked for at every schedule. */
  private last: Stamp | undefined;
  constructor(journal: Journal, { wallclock = 0, tscKhz = DEFAULT_TSC_KHZ }: ClockOptions) {
    this.wallclock = new Table('wallclock', wallclockSchema, journal, 1);
    this.wallclock.add(0).sec.put(0, wallclock);
    this.tscKhz = tscKhz;
    this.scale = timeScale(tscKhz);
  }
  stamp(at: Ns): Stamp {
    if (this.last?.at !== at) this.last = { at, ...wordsOfTsc(ticksIn(BigInt(at), this.tscKhz)) };
    return this.last;
  }
  get tables() {
    return [this.wallclock] as const;
  }
}
