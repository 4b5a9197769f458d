// Domains: one row each, the row is the domain id.
import type { Journal } from '../../tables/journal.ts';
import { Table } from '../../tables/table.ts';

export const domainSchema = {
  /** "dying" gives things back; "dead" has nothing left but the frames that others have mapped. */
  state: ['none', 'alive', 'dying', 'dead'],
  /** How often the toolstack has paused it (controller_pause_count). */
  controller_pause_count: 'i32',
  shut_down: ['no', 'poweroff', 'reboot', 'suspend', 'crash', 'watchdog', 'soft_reset'],
  hvm: 'u8',
  ssidref: 'u32',
  max_vcpus: 'u16',
  nr_vcpus: 'u16',
  tot_pages: 'f64',
  max_pages: 'f64',
  shared_info_mfn: 'f64',
  max_evtchn_port: 'f64',
  max_grant_frames: 'u32',
  max_maptrack_frames: 'u32',
  nr_grant_frames: 'u32',
  /** How many mappings other domains have of this one's frames: it can not go before they do. */
  foreign_maps: 'i32',
  weight: 'u16',
  /** How many pages of other domains' physmaps show frames of this one. */
  shown_slots: 'i32',
  /** Where the search for a free port, or (in old logs) handle, starts: none is free below. */
  free_port_hint: 'u32',
  free_handle_hint: 'u32',
  /** Its structures are those of a 32-bit guest. */
  is_32bit: 'u8',
  /** How far its wall clock is ahead of the host's. */
  time_offset_s: 'f64',
  /** Its time stamp counter: see `domain.tsc_set`. */
  tsc_mode: ['default', 'always_emulate', 'never_emulate'],
  vtsc: 'u8',
  tsc_offset_ns: 'f64',
  tsc_khz: 'u32',
  /** 0: nobody has set it yet. */
  tsc_incarnation_plus_1: 'f64',
  /** What a grant table is, and the highest version that it may be; nothing is said of domains that may have version 1 alone. */
  grant_version: ['v1', 'v2'],
  max_grant_version: ['v1', 'v2'],
  nr_status_frames: 'u32',
  /** The list of free handles (gnttab/maptrack.ts): how many handles there are, and where it begins and ends. */
  maptrack_limit: 'u32',
  maptrack_head: 'u32',
  maptrack_tail: 'u32',
  /** The place of its pool, plus one. */
  cpupool_plus_1: 'u16',
  /** Percent of a pCPU that its vCPUs may use together; 0: no limit. */
  cap: 'u16',
  /** credit2's cap: what is left of this period, and when the next one begins. */
  budget: 'f64',
  next_repl_ns: 'f64',
  /** SCHEDOP_shutdown_code: what its shutdown will be called, plus one. */
  shutdown_code_plus_1: 'u16',
} as const;

/** Row 0: the last domain id given out (xen/common/domctl.c goes on from there). */
export const roverSchema = { domid: 'u16' } as const;
/** The 16 bytes of a domain's handle (its UUID), four to a column. */
export const handleSchema = { a: 'u32', b: 'u32', c: 'u32', d: 'u32' } as const;

export class Domains {
  readonly rows: Table<typeof domainSchema>;
  readonly rover: Table<typeof roverSchema>;
  readonly handles: Table<typeof handleSchema>;
  constructor(journal: Journal) {
    this.rows = new Table('domain', domainSchema, journal, 16);
    this.rover = new Table('rover', roverSchema, journal, 1);
    this.handles = new Table('handle', handleSchema, journal, 16);
    for (const table of this.tables) table.add(0);
  }
  get tables() {
    return [this.rows, this.rover, this.handles] as const;
  }
}

export { formatHandle, parseHandle } from '../handle.ts';
