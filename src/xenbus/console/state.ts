// The consoles that xenconsoled has open, and what was typed but does not fit into a domain's ring yet.
import type { Journal } from '../../tables/journal.ts';
import { Records } from '../../tables/records.ts';
import { Table } from '../../tables/table.ts';

/** Row: the domain. */
export const consoleSchema = { state: ['closed', 'open'], mfn: 'f64', local_port: 'u32' } as const;

export class Consoles {
  readonly rows: Table<typeof consoleSchema>;
  readonly typed: Records<{ readonly text: string; readonly by: number }>;
  constructor(journal: Journal) {
    this.rows = new Table('console', consoleSchema, journal, 16);
    this.rows.add(0);
    this.typed = new Records('typed', journal);
  }
}
