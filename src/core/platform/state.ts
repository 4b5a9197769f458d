// What is known of the machine as a whole: power management, memory types, and frames out of service.
import type { Mfn } from '../../../events/units.ts';
import type { Journal } from '../../tables/journal.ts';
import { Records } from '../../tables/records.ts';
import { Table } from '../../tables/table.ts';
import { add, contains, nothing, type RangeSet } from '../rangeset.ts';

/** Row register: a variable range of the MTRRs. */
export const memtypeSchema = { nr_mfns: 'f64', mfn: 'f64', memtype: 'u8', uses: 'u32' } as const;
/** Row 0: settings of power management, as the difference to what a fresh Xen has. */
export const pmSchema = { sched_smt: 'u8', max_cstate: 'i32', max_csubstate: 'i32' } as const;

export interface Pminfo {
  readonly px: readonly number[];
  readonly cx: readonly number[];
}
/** So many variable ranges have the processors of this machine. */
export const NR_MEMTYPES = 8;

export class Platform {
  readonly memtypes: Table<typeof memtypeSchema>;
  readonly pm: Table<typeof pmSchema>;
  /** By pCPU. */
  readonly pminfo: Records<Pminfo>;
  /** Key 0: the frames that were taken out of service. */
  private readonly offlined: Records<{ readonly frames: RangeSet }>;
  /** Key 0: the ids of local APICs that dom0 has told of and that came to nothing. */
  private readonly apics: Records<{ readonly ids: RangeSet }>;
  constructor(journal: Journal) {
    this.memtypes = new Table('memtype', memtypeSchema, journal, NR_MEMTYPES);
    this.pm = new Table('pm', pmSchema, journal, 1);
    this.pminfo = new Records('pminfo', journal);
    this.offlined = new Records('offlined', journal);
    this.apics = new Records('apics', journal);
    for (const table of this.tables) table.add(0);
  }
  get tables() {
    return [this.memtypes, this.pm] as const;
  }
  get records() {
    return [this.pminfo, this.offlined, this.apics] as const;
  }
  get offlineFrames(): RangeSet {
    return this.offlined.get(0)?.frames ?? nothing;
  }
  setOffline(frames: RangeSet): void {
    if (frames.length === 0) this.offlined.delete(0);
    else this.offlined.set(0, { frames: [...frames] });
  }
  knowsApic(apic_id: number): boolean {
    return contains(this.apics.get(0)?.ids ?? nothing, apic_id, apic_id);
  }
  noteApic(apic_id: number): void {
    this.apics.set(0, { ids: add(this.apics.get(0)?.ids ?? nothing, apic_id, apic_id) });
  }
  isOffline(mfn: Mfn): boolean {
    return contains(this.offlineFrames, mfn, mfn);
  }
}
