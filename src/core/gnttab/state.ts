// Grant tables as Xen keeps them: which entries are in use, and who has mapped what.
import type { Mfn } from '../../../events/units.ts';
import type { Journal } from '../../tables/journal.ts';
import { type Rows, Table } from '../../tables/table.ts';

/** public/grant_table.h: an entry of version 1 is { u16 flags; u16 domid; u32 frame }. */
export const GRANT_ENTRY_SIZE = 8;
/** Of version 1; half as many are in a frame of version 2. */
export const ENTRIES_PER_FRAME = 512;
export const GTF_type_mask = 3;
export const GTF_permit_access = 1;
export const GTF_accept_transfer = 2;
export const GTF_transitive = 3;
export const GTF_readonly = 4;
export const GTF_reading = 8;
export const GTF_writing = 16;
export const GTF_sub_page = 256;
/** These two where the type is GTF_accept_transfer. */
export const GTF_transfer_committed = 4;
export const GTF_transfer_completed = 8;

/**
 * An entry in use, in the granting domain's rows: how often it is mapped, of which frame, and by whom. `readers` and `writers` are
 * mappings for the CPU (hstr and hstw in struct active_grant_entry), `devr` and `devw` those for devices.
 */
export const activeSchema = { readers: 'u8', writers: 'u8', mfn: 'f64', domid: 'u16', devr: 'u8', devw: 'u8' } as const;
export type Active = Rows<typeof activeSchema>;
/** The frames of the table itself, or of its status words: row i is the i-th, plus one so that frame 0 can stand there. */
export const gframeSchema = { mfn_plus_1: 'f64' } as const;
/**
 * A mapping, in the mapping domain's rows; the row is the handle. `flags` are GNTMAP_*, 0 in a row from an old log; `next` links what is
 * free (see maptrack.ts).
 */
export const maptrackSchema = {
  state: ['free', 'mapped'],
  dom: 'u16',
  ref: 'u32',
  mfn: 'f64',
  readonly: 'u8',
  flags: 'u16',
  host_addr: 'f64',
  next: 'i32',
} as const;
export type Maptrack = Rows<typeof maptrackSchema>;

/** Where a mapping is that was made by its kernel without saying so. No page table entry can be there. */
export const UNTOLD_ADDRESS = -1;

export class Gnttab {
  readonly active: Table<typeof activeSchema>;
  readonly frames: Table<typeof gframeSchema>;
  readonly maptrack: Table<typeof maptrackSchema>;
  /** The status frames of the tables of version 2. Only these have rows. */
  readonly statusFrames: Table<typeof gframeSchema>;
  /** How many entries in use are of a frame. It follows from `active`, and is there so that nobody has to look through that. */
  private readonly uses = new Map<Mfn, number>();
  private readonly journal: Journal;
  constructor(journal: Journal) {
    this.journal = journal;
    this.active = new Table('grant', activeSchema, journal, 32);
    this.frames = new Table('gframe', gframeSchema, journal, 4);
    this.maptrack = new Table('maptrack', maptrackSchema, journal, 32);
    this.statusFrames = new Table('gstatus', gframeSchema, journal, 4);
  }
  get tables() {
    return [this.active, this.frames, this.maptrack] as const;
  }

  /** How many entries in use are of this frame, whoever mapped them. */
  usesOf(mfn: Mfn): number {
    return this.uses.get(mfn) ?? 0;
  }
  /** Notes that an entry of a frame has come into use, or (-1) is no longer. Only `evolve` calls this. */
  use(mfn: Mfn, by: 1 | -1): void {
    const uses = this.usesOf(mfn) + by;
    if (uses === 0) this.uses.delete(mfn);
    else this.uses.set(mfn, uses);
    if (this.journal.depth > 0)
      this.journal.recordUndo(() => {
        if (uses === by) this.uses.delete(mfn);
        else this.uses.set(mfn, uses - by);
      });
  }
  /** Counts anew, after the tables have been put back. */
  recount(): void {
    this.uses.clear();
    for (const domid of this.active.ids()) {
      const active = this.active.of(domid)!;
      for (let ref = 0; ref < active.length; ref++)
        if (isPinned(active, ref)) this.uses.set(active.mfn.at(ref), this.usesOf(active.mfn.at(ref)) + 1);
    }
  }
  /** Every frame that an entry in use is of, and how many there are. */
  get usesByFrame(): ReadonlyMap<Mfn, number> {
    return this.uses;
  }
}

/** Whether an entry is mapped at all (`pin` of struct active_grant_entry is not 0). */
export const isPinned = ({ readers, writers, devr, devw }: Active, ref: number): boolean =>
  readers.at(ref) > 0 || writers.at(ref) > 0 || devr.at(ref) > 0 || devw.at(ref) > 0;

/** Whether anybody has it mapped to write. */
export const isPinnedToWrite = ({ writers, devw }: Active, ref: number): boolean => writers.at(ref) > 0 || devw.at(ref) > 0;
