// Trace buffers: where they are, and what goes into them. The records themselves are in their pages alone.
import type { Mfn, Pages } from '../../../events/units.ts';
import type { Journal } from '../../tables/journal.ts';
import { Records } from '../../tables/records.ts';
import { Table } from '../../tables/table.ts';

/** Row 0. `mask` is the difference to TRC_ALL, which a fresh Xen has. */
export const traceSchema = { enabled: 'u8', pages: 'u32', mask: 'u32' } as const;
/** Row pCPU: whether its buffer was half full when it was last looked at. */
export const traceLevelSchema = { above: 'u8' } as const;

/** public/trace.h */
export const TRC_ALL = 0x0ffff000;
/** Xen's CONFIG_NR_CPUS: t_info has room for so many pCPUs before its lists begin. */
const NR_CPUS = 256;
/** In words of 32 bits: after tbuf_size and an offset for each pCPU. */
export const FIRST_OFFSET = Math.ceil((2 + 2 * NR_CPUS) / 4);
/** cons and prod of struct t_buf. */
export const T_BUF_SIZE = 8;

export interface Buffers {
  readonly cpus: number;
  /** Extents, as in the fact. */
  readonly info: readonly number[];
  readonly buffers: readonly number[];
  /** pCPUs that are left out. */
  readonly without: readonly number[];
}

export class Trace {
  readonly row: Table<typeof traceSchema>;
  readonly levels: Table<typeof traceLevelSchema>;
  /** Key 0, once there are any. */
  readonly placed: Records<Buffers>;
  /** Asked in every step: held, and not looked up. */
  private readonly enabled: { at(row: number): number };
  constructor(journal: Journal) {
    this.row = new Table('trace', traceSchema, journal, 1);
    this.levels = new Table('trace.level', traceLevelSchema, journal, 8);
    this.levels.add(0);
    this.placed = new Records('trace.buffers', journal);
    this.enabled = this.row.add(0).enabled;
  }
  get tables() {
    return [this.row, this.levels] as const;
  }
  get isOn(): boolean {
    return this.enabled.at(0) === 1;
  }
  get mask(): number {
    return (this.row.of(0)!.mask.at(0) ^ TRC_ALL) >>> 0;
  }
  get pages(): Pages {
    return this.row.of(0)!.pages.at(0);
  }
  get buffers(): Buffers | undefined {
    return this.placed.get(0);
  }
}

/** The frame at a place in a list of extents. */
export function frameAt(extents: readonly number[], index: number): Mfn {
  let left = index;
  for (let i = 0; i < extents.length; i += 2) {
    if (left < extents[i + 1]!) return extents[i]! + left;
    left -= extents[i + 1]!;
  }
  return -1;
}
