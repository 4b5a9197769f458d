// Starts of later files as other versions would have written them: a start of ours, taken apart and put together otherwise.
import { sha256 } from '../adapters/log-file.ts';
import { Log } from '../events/log.ts';
import { mergeLog } from '../events/merge.ts';
import type { ColumnLayout, StateLayout, TableLayout } from '../replay/layout.ts';
import { readStart, type Start, writeStart } from '../replay/start.ts';
import type { Chunk, TableSnapshot } from '../src/tables/table.ts';

/** The same log with another start. */
export function withStart(log: Log, start: Uint8Array): Log {
  return new Log(bytesWithStart(log, start));
}
export function bytesWithStart(log: Log, start: Uint8Array): Uint8Array {
  const parts: Uint8Array[] = [];
  const other = Object.create(log, { start: { value: start } }) as Log;
  mergeLog(other, (bytes) => parts.push(bytes.slice()), sha256);
  return new Uint8Array(Buffer.concat(parts));
}

export class OtherStart {
  layout: StateLayout;
  digests: Map<string, number>;
  checkpoint: Start['checkpoint'];

  constructor(log: Log) {
    const { layout, digests, checkpoint } = readStart(log.start!) as Start;
    this.layout = layout;
    this.digests = new Map(digests);
    this.checkpoint = checkpoint;
  }
  bytes(): Uint8Array {
    return writeStart(this);
  }

  get tables(): readonly TableSnapshot[] {
    const { xen, tables } = this.checkpoint.host;
    return [...xen.tables, ...tables];
  }
  /** Xen's and the others' in one list, for there is nothing else that tells them apart. */
  setTables(layouts: readonly TableLayout[], snapshots: readonly TableSnapshot[]): this {
    const { host } = this.checkpoint;
    this.layout = { ...this.layout, tables: layouts };
    this.checkpoint = { ...this.checkpoint, host: { ...host, xen: { ...host.xen, tables: snapshots }, tables: [] } };
    return this;
  }
  layoutOf(name: string): TableLayout {
    return this.layout.tables.find(([table]) => table === name)!;
  }
  snapshotOf(name: string): TableSnapshot {
    return this.tables[this.layout.tables.findIndex(([table]) => table === name)]!;
  }
  setTable(name: string, layout: TableLayout, snapshot: TableSnapshot): this {
    const at = this.layout.tables.findIndex(([table]) => table === name);
    return this.setTables(this.layout.tables.with(at, layout), this.tables.with(at, snapshot));
  }
  /** Other columns: each is one that there is (by name), and what it is to be; or one of a value in every row that is in use. */
  setColumns(
    name: string,
    columns: readonly { readonly of: string | number; readonly as: ColumnLayout; readonly to?: (value: number) => number }[],
  ): this {
    const [, rows, old] = this.layoutOf(name);
    const snapshot = this.snapshotOf(name);
    const chunks = snapshot.chunks.map((chunk): Chunk => {
      const isUsed = (row: number): boolean => chunk.columns.some((column) => (column[row] ?? 0) !== 0);
      const made = columns.map(({ of, to = (value) => value }) => {
        const values = typeof of === 'string' ? chunk.columns[old.findIndex(([column]) => column === of)]! : undefined;
        return Float64Array.from({ length: chunk.rows }, (_, row) =>
          isUsed(row) ? to(values ? (values[row] ?? 0) : Number(of)) : 0,
        );
      });
      return { rows: chunk.rows, columns: made };
    });
    this.digests.delete(`table ${name}`);
    return this.setTable(name, [name, rows, columns.map(({ as }) => as)], { ...snapshot, chunks });
  }
  /** The columns that there are, for `setColumns`. */
  columnsOf(name: string) {
    return this.layoutOf(name)[2].map((as) => ({ of: as[0], as }) as const);
  }
  without(name: string): this {
    const at = this.layout.tables.findIndex(([table]) => table === name);
    this.digests.delete(`table ${name}`);
    return this.setTables(this.layout.tables.toSpliced(at, 1), this.tables.toSpliced(at, 1));
  }
}
