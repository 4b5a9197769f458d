// Grant tables as Xen keeps them: which entries are in use, and who has mapped what.
import type { Journal } from '../../tables/journal.ts';
import { type Rows, Table } from '../../tables/table.ts';

/** public/grant_table.h: an entry of version 1 is { u16 flags; u16 domid; u32 frame }. */
export const GRANT_ENTRY_SIZE = 8;
export const ENTRIES_PER_FRAME = 512;
export const GTF_type_mask = 3;
export const GTF_permit_access = 1;
export const GTF_readonly = 4;
export const GTF_reading = 8;
export const GTF_writing = 16;
export const GTF_sub_page = 256;

/** An entry in use, in the granting domain's rows: how many mappings read it and how many write it, of which frame, and whose. */
export const activeSchema = { readers: 'u8', writers: 'u8', mfn: 'f64', domid: 'u16' } as const;
/** The frames of the table itself: row i is the i-th, plus one so that frame 0 can stand there. */
export const gframeSchema = { mfn_plus_1: 'f64' } as const;
/** A mapping, in the mapping domain's rows; the row is the handle. */
export const maptrackSchema = { state: ['free', 'mapped'], dom: 'u16', ref: 'u32', mfn: 'f64', readonly: 'u8' } as const;
export type Maptrack = Rows<typeof maptrackSchema>;

export class Gnttab {
  readonly active: Table<typeof activeSchema>;
  readonly frames: Table<typeof gframeSchema>;
  readonly maptrack: Table<typeof maptrackSchema>;
  constructor(journal: Journal) {
    this.active = new Table('grant', activeSchema, journal, 32);
    this.frames = new Table('gframe', gframeSchema, journal, 4);
    this.maptrack = new Table('maptrack', maptrackSchema, journal, 32);
  }
  get tables() {
    return [this.active, this.frames, this.maptrack] as const;
  }
}
