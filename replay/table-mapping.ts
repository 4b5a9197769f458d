// A table of a checkpoint as this code has it: found again by the names of its columns.
import { Journal } from '../src/tables/journal.ts';
import { type Cell, type Chunk, Table, type TableSchema, type TableSnapshot } from '../src/tables/table.ts';
import { type ColumnLayout, schemaOf, type TableLayout } from './layout.ts';
import type { PlainRow } from './state-changes.ts';

/** What of a checkpoint this code can not make its own, in words. */
export class NotOurs extends Error {
  override readonly name = 'NotOurs';
}

/** Rows in a chunk, unless a page has more (src/tables/table.ts). */
const CHUNK_ROWS = 1024;
/** Bytes that a number of a column may take, and of which there are as many as `Room` of values.ts gives. */
const NUMBER = 8;

/**
 * Whether a snapshot is one of a table of this layout, so that restoring it can not fail. `size` is that of the checkpoint in bytes.
 *
 * @throws NotOurs
 */
export function checkTable(snapshot: TableSnapshot, [name, pageRows, columns]: TableLayout, size: number): void {
  const check = (right: boolean): void => {
    if (!right) throw new NotOurs(`the table ${name} is none`);
  };
  const { chunks, owners, used, spare } = snapshot;
  check(Array.isArray(chunks) && Array.isArray(owners) && Number.isSafeInteger(used) && used >= 0 && Array.isArray(spare));
  let rows = 0;
  for (const chunk of chunks) {
    check(Number.isSafeInteger(chunk?.rows) && chunk.rows > 0 && chunk.rows <= Math.max(CHUNK_ROWS, pageRows));
    check(Array.isArray(chunk.columns) && chunk.columns.length === columns.length);
    for (const column of chunk.columns)
      check(ArrayBuffer.isView(column) && !(column instanceof DataView) && (column.length === 0 || column.length === chunk.rows));
    rows += chunk.rows;
  }
  check(new Set(chunks).size === chunks.length && rows === used * pageRows);
  check(rows * columns.length * NUMBER <= 2 ** 24 + size * 4096);
  const taken = new Uint8Array(used);
  const take = (page: number): void => {
    check(Number.isSafeInteger(page) && page >= 0 && page < used && taken[page] === 0);
    taken[page] = 1;
  };
  for (const pages of owners) {
    check(pages === undefined || Array.isArray(pages));
    pages?.forEach(take);
  }
  spare.forEach(take);
}

export interface MappedTable {
  readonly snapshot: TableSnapshot;
  /** Whether its digest may be another than before. */
  readonly changed: boolean;
}

/**
 * The rows of a table, column by column, as a table of this code has them: a column that is new has what it has in a fresh host, which is
 * mostly nothing.
 *
 * @param steps what became of the rows from version to version
 * @throws NotOurs where a column has gone, or can not hold what was in it, and no step says what to do
 */
export function mapTable(
  snapshot: TableSnapshot,
  from: TableLayout,
  to: TableLayout,
  steps: readonly ((row: PlainRow) => PlainRow)[],
  fresh: Table<TableSchema>,
): MappedTable {
  if (steps.length === 0 && JSON.stringify(from) === JSON.stringify(to)) return { snapshot, changed: false };
  const [name, pageRows, oldColumns] = from;
  const [, , columns] = to;
  const made = new Table(to[0], schemaOf(to), new Journal(), to[1]);
  const old = oldColumns.map((column, i) => ({ column, values: valuesOf(snapshot.chunks, i) }));
  const added = columns.filter(([column]) => !oldColumns.some(([one]) => one === column));
  let changed = steps.length > 0 || !digestsStay(from, to);
  const complain = (column: string, what: string): never => {
    throw new NotOurs(`of the table ${name}, the column ${column} ${what}`);
  };

  const plainRow = (index: number): PlainRow | undefined => {
    const row: Record<string, number | string> = Object.create(null);
    let isUsed = false;
    for (const { column, values } of old) {
      const [title, type] = column;
      const value = values(index);
      isUsed ||= value !== 0;
      row[title] = typeof type === 'string' ? value : (type[value] ?? value);
    }
    return isUsed ? row : undefined;
  };
  const numberOf = ([column, type]: ColumnLayout, value: number | string): number => {
    if (typeof value === 'string') {
      const index = typeof type === 'string' ? -1 : type.indexOf(value);
      if (index >= 0) return index;
    } else if (fits(value, type) || isSame(oldColumns.find(([one]) => one === column)?.[1], type)) {
      // Where the type has stayed, a number is what it was: beyond what the type would hold, or with no name, it stands there for a reason.
      return value;
    }
    return complain(column, `has ${value}, which it can not have any more`);
  };

  for (const [owner, pages] of snapshot.owners.entries()) {
    if (!pages) continue;
    const rows = made.add(owner) as unknown as Readonly<Record<string, Cell>> & { readonly length: number };
    const freshRows = fresh.of(owner) as unknown as Readonly<Record<string, Cell>> | undefined;
    const count = pages.length * pageRows;
    // As much room as before: who looks through an owner's rows looks at as many.
    if (count > 0) made.extend(rows as never, Math.ceil(count / to[1]) - 1);
    for (let row = 0; row < count; row++) {
      let plain = plainRow(pages[Math.floor(row / pageRows)]! * pageRows + (row % pageRows));
      if (plain) {
        for (const step of steps) plain = step(plain);
        for (const [column, type] of oldColumns)
          if (!columns.some(([one]) => one === column) && plain[column] !== undefined && plain[column] !== unusedOf(type))
            complain(column, 'has gone');
        for (const column of columns)
          if (plain[column[0]] !== undefined) rows[column[0]]!.put(row, numberOf(column, plain[column[0]]!));
      }
      for (const [column] of added) {
        const value = freshRows?.[column]?.at(row) ?? 0;
        if (value === 0 || plain?.[column] !== undefined) continue;
        rows[column]!.put(row, value);
        changed = true;
      }
    }
  }
  return { snapshot: made.snapshot(), changed };
}

/** A table's digest has columns by name and names by number: those that are there stay what they are. */
const digestsStay = (from: TableLayout, to: TableLayout): boolean =>
  from[0] === to[0] &&
  from[1] === to[1] &&
  from[2].every(([column, type]) => {
    const now = to[2].find(([one]) => one === column)?.[1];
    if (now === undefined || typeof type === 'string') return now === undefined || typeof now === 'string';
    return typeof now !== 'string' && type.every((one, i) => now[i] === one);
  });

/** The numbers of a column, by the number of the row among all of the table. */
function valuesOf(chunks: readonly Chunk[], column: number): (index: number) => number {
  const parts: { readonly end: number; readonly start: number; readonly values: ArrayLike<number> }[] = [];
  let start = 0;
  for (const { rows, columns } of chunks) {
    parts.push({ start, end: start + rows, values: columns[column]! });
    start += rows;
  }
  let last = parts[0];
  return (index) => {
    if (!last || index < last.start || index >= last.end) last = parts.find(({ end }) => index < end);
    return last?.values[index - last.start] ?? 0;
  };
}

const unusedOf = (type: string | readonly string[]): number | string | undefined => (typeof type === 'string' ? 0 : type[0]);

const isSame = (before: unknown, type: unknown): boolean => JSON.stringify(before) === JSON.stringify(type);

function fits(value: number, type: string | readonly string[]): boolean {
  if (typeof type !== 'string') return false;
  if (type === 'f64') return true;
  if (!Number.isInteger(value)) return false;
  if (type === 'i32') return value === (value | 0);
  return value >= 0 && value < 2 ** { u8: 8, u16: 16, u32: 32 }[type as 'u8']!;
}
