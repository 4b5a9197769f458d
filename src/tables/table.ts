// Hot state: columns of numbers, owned by domains page by page, behind the host's one journal.
import type { Journal, Restorable } from './journal.ts';

// Two kinds of arrays and no more: an access that has met five kinds costs several times as much.
type ColumnArray = Int32Array | Float64Array;
const arrays = { u8: Int32Array, u16: Int32Array, u32: Float64Array, i32: Int32Array, f64: Float64Array } as const;
/** What a column's numbers may be. A `u32` wraps when it is added to, as a ring's index does; nothing else is ever out of its range. */
export type ColumnType = keyof typeof arrays;
/** A column is a number type, or a list of names of which the first is what an unused row holds. */
export type TableSchema = Readonly<Record<string, ColumnType | readonly string[]>>;
export type Row<S extends TableSchema> = { [K in keyof S]: S[K] extends readonly (infer N)[] ? N : number };

/** One column of a whole table. Growing replaces the array, so everybody holds the column and not the array. */
class Column implements Restorable {
  array: ColumnArray;
  readonly name: string;
  readonly names: readonly string[] | undefined;
  readonly wraps: boolean;
  /** Stands for the column in a hash. */
  readonly salt: number;
  readonly shift: number;
  private readonly journal: Journal;
  private readonly dirty: { pages: Uint8Array };
  constructor(name: string, type: ColumnType | readonly string[], dirty: { pages: Uint8Array }, journal: Journal, shift: number) {
    this.journal = journal;
    this.name = name;
    this.names = typeof type === 'string' ? undefined : type;
    this.wraps = type === 'u32';
    this.salt = mixText(0, name);
    this.array = new arrays[typeof type === 'string' ? type : 'u8'](0);
    this.dirty = dirty;
    this.shift = shift;
  }
  /** The only writer of a column. */
  write(index: number, value: number): void {
    const { array } = this;
    const old = array[index]!;
    if (old === value) return;
    if (this.journal.depth > 0) this.journal.record(this, index, old);
    array[index] = value;
    this.dirty.pages[index >> this.shift] = CHANGED;
  }
  restore(index: number, old: number): void {
    this.array[index] = old;
    this.dirty.pages[index >> this.shift] = CHANGED;
  }
  grow(rows: number): void {
    const grown = new (this.array.constructor as new (n: number) => ColumnArray)(rows);
    grown.set(this.array as never);
    this.array = grown;
  }
}

const NO_PAGE = -1;

// What a page has not been looked at for since it last changed: two bits.
const UNHASHED = 1;
const UNSAVED = 2;
const CHANGED = UNHASHED | UNSAVED;

/**
 * What one owner has in a table: row `r` of the owner is row `pages[r >> shift]`, `r & mask`. Its cells are put into it, by the names of
 * their columns: it is the `Rows` that everybody holds, an object of one shape for all owners. No column's name begins with $.
 */
class Extent {
  readonly $pages: number[] = [];
  /** The same as a snapshot has it, until it changes. */
  $saved: readonly number[] | undefined;
  readonly $table: Table<TableSchema>;
  constructor(table: Table<TableSchema>) {
    this.$table = table;
  }
  get length(): number {
    return this.$pages.length << this.$table.shift;
  }
  $push(page: number): void {
    this.$pages.push(page);
    this.$changed();
    if (this.$pages.length === 1) this.$tell();
  }
  $pop(): void {
    this.$pages.pop();
    this.$changed();
    if (this.$pages.length === 0) this.$tell();
  }
  $restore(saved: readonly number[]): void {
    this.$pages.splice(0, this.$pages.length, ...saved);
    this.$changed();
    this.$saved = saved;
    this.$tell();
  }
  private $changed(): void {
    this.$saved = undefined;
    this.$table.ownersChanged();
  }
  /** Every cell knows the first page by heart: most owners have no other. */
  private $tell(): void {
    const cells = this as unknown as Readonly<Record<string, Cell>>;
    for (const column of Object.keys(this.$table.schema)) cells[column]!.firstPage = this.$pages[0] ?? NO_PAGE;
  }
}

/** Row numbers are 0 to this; what is no such number is no row: it reads as 0, and nothing is written there. */
const LAST_ROW = 2 ** 31 - 1;

/** One column of one owner's rows. Rows beyond the extent read as 0, every column's "unused"; a write makes room. */
export class Cell {
  protected readonly column: Column;
  /** Set by the extent, and by nobody else. */
  firstPage = NO_PAGE;
  private readonly extent: Extent;
  constructor(column: Column, extent: Extent) {
    this.column = column;
    this.extent = extent;
  }
  at(row: number): number {
    if ((row & LAST_ROW) !== row) return 0;
    const { column } = this;
    const { shift } = column;
    const ordinal = row >> shift;
    const page = ordinal === 0 ? this.firstPage : (this.extent.$pages[ordinal] ?? NO_PAGE);
    return page === NO_PAGE ? 0 : column.array[(page << shift) | (row & ((1 << shift) - 1))]!;
  }
  put(row: number, value: number): void {
    if ((row & LAST_ROW) !== row) return;
    const { extent, column } = this;
    const { shift } = column;
    const ordinal = row >> shift;
    let page = ordinal === 0 ? this.firstPage : (extent.$pages[ordinal] ?? NO_PAGE);
    if (page === NO_PAGE) {
      if (value === 0) return;
      page = extent.$table.extend(extent, ordinal);
    }
    column.write((page << shift) | (row & ((1 << shift) - 1)), value);
  }
  add(row: number, amount: number): void {
    const sum = this.at(row) + amount;
    this.put(row, this.column.wraps ? sum >>> 0 : sum);
  }
}

/** A column of names: typed by its own list, stored as the index. */
export class NameCell<N extends string> extends Cell {
  is(row: number): N {
    return this.column.names![this.at(row)] as N;
  }
  become(row: number, name: N): void {
    this.put(row, this.column.names!.indexOf(name));
  }
}

type Cells<S extends TableSchema> = {
  readonly [K in keyof S]: S[K] extends readonly (infer N extends string)[] ? NameCell<N> : Cell;
};
/** One owner's rows, a cell for each column. `length` is the room there is, a multiple of the page size. */
export type Rows<S extends TableSchema> = Cells<S> & { readonly length: number };

/** Numbers in as few bytes each as they need: a table's columns are mostly small ones. */
export type Packed = Uint8Array | Uint16Array | Int32Array | Float64Array;

/** Some pages of a table as they were, a list for each column; an empty one stands for zeros. Snapshots share those that did not change. */
export interface Chunk {
  readonly rows: number;
  readonly columns: readonly Packed[];
}
/** Rows in a chunk, unless a page has more. */
const CHUNK_ROWS = 1024;

export interface TableSnapshot {
  readonly chunks: readonly Chunk[];
  readonly owners: readonly (readonly number[] | undefined)[];
  readonly used: number;
  readonly spare: readonly number[];
}

const ZEROS = new Uint8Array(0);

function packed(array: ColumnArray, start: number, end: number): Packed {
  const exact = array instanceof Int32Array;
  let least = 0;
  let most = 0;
  let whole = true;
  for (let i = start; i < end; i++) {
    const value = array[i]!;
    if (value < least) least = value;
    else if (value > most) most = value;
    if (!exact && whole && !Object.is(value, value | 0)) whole = false;
  }
  const part = array.subarray(start, end);
  if (!whole) return new Float64Array(part);
  if (least < 0 || most > 0xffff) return new Int32Array(part);
  if (most === 0) return ZEROS;
  return most > 0xff ? new Uint16Array(part) : new Uint8Array(part);
}

/**
 * A table: typed access, undo, copy, digest, iteration and diff, the same for every subsystem.
 *
 * Columns are global typed arrays; an owner (a domain id; 0 where a table belongs to the host) has pages of `pageRows` rows in them.
 * A page remembers whether it changed since it was last hashed, and since it was last in a snapshot: both cost what changed.
 */
export class Table<S extends TableSchema> {
  readonly name: string;
  readonly schema: S;
  readonly dirty = { pages: new Uint8Array(0) };
  private readonly journal: Journal;
  readonly shift: number;
  private readonly columns: Column[];
  private hashes = new Int32Array(0);
  private owners: (Extent | undefined)[] = [];
  /** The pages of owners that were restored and that nobody has asked for since: a table has more of them than are looked at. */
  private waiting: (readonly number[] | undefined)[] = [];
  private used = 0;
  private spare: number[] = [];
  /** What the last snapshot had, or the one that was restored. */
  private chunks: readonly Chunk[] = [];
  private savedOwners: TableSnapshot['owners'] | undefined;

  constructor(name: string, schema: S, journal: Journal, pageRows = 64) {
    this.name = name;
    this.schema = schema;
    this.journal = journal;
    this.shift = Math.log2(pageRows);
    this.columns = Object.entries(schema).map(([column, type]) => new Column(column, type, this.dirty, journal, this.shift));
  }

  /** The rows of an owner, or undefined when it has none here: the domain does not exist. */
  of(owner: number): Rows<S> | undefined {
    return (this.owners[owner] ?? this.wake(owner)) as Rows<S> | undefined;
  }

  add(owner: number): Rows<S> {
    const extent = this.extent();
    this.own(owner, extent);
    return extent as unknown as Rows<S>;
  }

  /** Takes an owner's rows away; what stood in them is wiped, so that a page starts as zeros for its next owner. */
  remove(owner: number): void {
    const extent = this.owners[owner] ?? this.wake(owner);
    if (!extent) return;
    const { $pages: pages } = extent;
    for (let ordinal = pages.length - 1; ordinal >= 0; ordinal--) {
      const page = pages[ordinal]!;
      this.wipe(page);
      this.free(page);
    }
    this.own(owner, undefined);
  }

  /** Owner ids, ascending. */
  *ids(): Generator<number> {
    for (let owner = 0; owner < this.most; owner++) if (this.pagesOf(owner)) yield owner;
  }

  /** A row as a plain object, for invariants, inspection and tests. */
  row(owner: number, row: number): Row<S> {
    const rows = this.of(owner)!;
    const plain: Record<string, unknown> = {};
    for (const { name, names } of this.columns) {
      const value = (rows[name] as unknown as Cell).at(row);
      plain[name] = names ? names[value] : value;
    }
    return plain as Row<S>;
  }

  /** The rows of an owner in which the first column is not zero: [row number, row]. */
  *inUse(owner: number): Generator<[number, Row<S>]> {
    const rows = this.of(owner);
    if (!rows) return;
    const first = rows[this.columns[0]!.name] as unknown as Cell;
    for (let row = 0; row < rows.length; row++) if (first.at(row) !== 0) yield [row, this.row(owner, row)];
  }

  /**
   * A hash of every value that is not zero and of where it stands, by name: the same for equal contents, whatever their history, and
   * whatever columns have been added since. 0 for a table of zeros.
   *
   * @param without columns (`evtchn/port`) that do not count: for comparison with a time at which there were none of them
   */
  digest(without?: ReadonlySet<string>): number {
    const left = without && this.columns.filter(({ name }) => !without.has(`${this.name}/${name}`));
    const hashOf = left && left.length < this.columns.length ? (page: number) => this.hash(page, left) : undefined;
    let hash = 0;
    for (const owner of this.ids()) {
      let content = 0;
      this.pagesOf(owner)!.forEach((page, ordinal) => {
        const inPage = hashOf ? hashOf(page) : this.pageHash(page);
        if (inPage !== 0) content = mix(mix(content, ordinal), inPage);
      });
      if (content !== 0) hash = mix(mix(hash, owner), content);
    }
    return hash >>> 0;
  }

  /** Where this table differs from another of the same schema, in words: `evtchn d1[3].state: unbound -> free`. */
  *diff(other: Table<S>): Generator<string> {
    for (let owner = 0; owner < Math.max(this.most, other.most); owner++) {
      const ours = this.of(owner);
      const theirs = other.of(owner);
      if (!ours && !theirs) continue;
      if (!ours || !theirs) {
        yield `${this.name} d${owner}: ${ours ? 'present' : 'absent'} -> ${theirs ? 'present' : 'absent'}`;
        continue;
      }
      for (let row = 0; row < Math.max(ours.length, theirs.length); row++)
        for (const { name, names } of this.columns) {
          const a = (ours[name] as unknown as Cell).at(row);
          const b = (theirs[name] as unknown as Cell).at(row);
          if (a !== b) yield `${this.name} d${owner}[${row}].${name}: ${names?.[a] ?? a} -> ${names?.[b] ?? b}`;
        }
    }
  }

  /** What did not change since the last one is shared with it. */
  snapshot(): TableSnapshot {
    this.chunks = this.saved();
    this.savedOwners ??= Array.from({ length: this.most }, (_, owner) => {
      const extent = this.owners[owner];
      if (!extent) return this.waiting[owner];
      extent.$saved ??= extent.$pages.slice();
      return extent.$saved;
    });
    return { chunks: this.chunks, owners: this.savedOwners, used: this.used, spare: this.spare.slice() };
  }

  restore(snapshot: TableSnapshot): void {
    this.used = snapshot.used;
    this.spare = snapshot.spare.slice();
    this.chunks = snapshot.chunks;
    this.columns.forEach((column, i) => {
      const array = new (column.array.constructor as new (rows: number) => ColumnArray)(snapshot.used << this.shift);
      let at = 0;
      for (const { rows, columns } of snapshot.chunks) {
        const part = columns[i]!;
        if (part.length > 0) array.set(part, at);
        at += rows;
      }
      column.array = array;
    });
    this.dirty.pages = new Uint8Array(snapshot.used).fill(UNHASHED);
    this.hashes = new Int32Array(snapshot.used);
    const before = this.owners;
    this.waiting = [];
    this.owners = snapshot.owners.map((pages, owner) => {
      if (!pages) return undefined;
      // Whoever holds the rows of an owner keeps them: only the pages behind them change.
      const extent = before[owner];
      if (extent) extent.$restore(pages);
      else this.waiting[owner] = pages;
      return extent;
    });
    this.savedOwners = snapshot.owners;
  }

  /** An owner has come, gone, or has other pages. */
  ownersChanged(): void {
    this.savedOwners = undefined;
  }

  private saved(): readonly Chunk[] {
    const { pages } = this.dirty;
    const step = Math.max(1, CHUNK_ROWS >> this.shift);
    const chunks: Chunk[] = [];
    for (let first = 0; first < this.used; first += step) {
      const end = Math.min(first + step, this.used);
      const rows = (end - first) << this.shift;
      const known = this.chunks[chunks.length];
      let changed = known?.rows !== rows;
      for (let page = first; page < end; page++) {
        if ((pages[page]! & UNSAVED) === 0) continue;
        changed = true;
        pages[page]! &= ~UNSAVED;
      }
      const start = first << this.shift;
      const columns = () => this.columns.map(({ array }) => packed(array, start, start + rows));
      chunks.push(known && !changed ? known : { rows, columns: columns() });
    }
    return chunks;
  }

  /** More than the highest owner id. */
  private get most(): number {
    return Math.max(this.owners.length, this.waiting.length);
  }
  private pagesOf(owner: number): readonly number[] | undefined {
    return this.owners[owner]?.$pages ?? this.waiting[owner];
  }
  /** Makes the rows of a restored owner. */
  private wake(owner: number): Extent | undefined {
    const pages = this.waiting[owner];
    if (!pages) return undefined;
    const extent = this.extent();
    const { savedOwners } = this;
    extent.$restore(pages);
    this.savedOwners = savedOwners;
    this.waiting[owner] = undefined;
    this.owners[owner] = extent;
    return extent;
  }

  /** Gives an extent its pages up to `ordinal`; answers the last. Called by a cell that writes beyond its end. */
  extend(extent: Extent, ordinal: number): number {
    const { $pages: pages } = extent;
    while (pages.length <= ordinal) {
      const page = this.spare.pop() ?? this.used++;
      if (this.columns[0]!.array.length < (page + 1) << this.shift)
        this.growTo(Math.max(page + 1, this.dirty.pages.length * 2, 4));
      if (this.journal.depth > 0)
        this.journal.recordUndo(() => {
          extent.$pop();
          this.spare.push(page);
        });
      extent.$push(page);
    }
    return pages[ordinal]!;
  }

  private extent(): Extent {
    const extent = new Extent(this as unknown as Table<TableSchema>);
    for (const column of this.columns) {
      const value = new (column.names ? NameCell : Cell)(column, extent);
      // Put in as extent[name], some twenty columns would make a dictionary of it, where a cell is looked up by hash (V8).
      Object.defineProperty(extent, column.name, { value, enumerable: true });
    }
    return extent;
  }

  private own(owner: number, extent: Extent | undefined): void {
    const old = this.owners[owner] ?? this.wake(owner);
    if (this.journal.depth > 0)
      this.journal.recordUndo(() => {
        this.owners[owner] = old;
        this.ownersChanged();
      });
    this.owners[owner] = extent;
    this.ownersChanged();
  }

  private wipe(page: number): void {
    const start = page << this.shift;
    const end = start + (1 << this.shift);
    for (const column of this.columns) {
      if (this.journal.depth > 0) {
        for (let index = start; index < end; index++)
          if (column.array[index] !== 0) this.journal.record(column, index, column.array[index]!);
      }
      column.array.fill(0, start, end);
    }
    this.dirty.pages[page] = CHANGED;
  }

  private free(page: number): void {
    if (this.journal.depth > 0)
      this.journal.recordUndo(() => {
        this.spare.splice(this.spare.indexOf(page), 1);
      });
    this.spare.push(page);
  }

  private growTo(pages: number): void {
    for (const column of this.columns) column.grow(pages << this.shift);
    const dirty = new Uint8Array(pages);
    dirty.set(this.dirty.pages);
    this.dirty.pages = dirty;
    const hashes = new Int32Array(pages);
    hashes.set(this.hashes);
    this.hashes = hashes;
  }

  private pageHash(page: number): number {
    if ((this.dirty.pages[page]! & UNHASHED) === 0) return this.hashes[page]!;
    const hash = this.hash(page, this.columns);
    this.hashes[page] = hash;
    this.dirty.pages[page]! &= ~UNHASHED;
    return hash;
  }
  private hash(page: number, columns: readonly Column[]): number {
    let hash = 0;
    const start = page << this.shift;
    const end = start + (1 << this.shift);
    columns.forEach((column) => {
      for (let index = start; index < end; index++) {
        const value = column.array[index]!;
        if (value === 0) continue;
        hash = mix(mix(mix(mix(hash, column.salt), index - start), value | 0), Math.floor(value / 2 ** 32));
      }
    });
    return hash;
  }
}

/** One round of a 32-bit hash (FNV-1a with a shift): for comparing states, not against malice. */
export const mix = (hash: number, value: number): number => {
  const h = Math.imul(hash ^ value, 0x01000193);
  return h ^ (h >>> 15);
};

export function mixText(hash: number, text: string): number {
  let mixed = hash;
  for (let i = 0; i < text.length; i++) mixed = mix(mixed, text.charCodeAt(i));
  return mixed;
}

/** One digest of several parts. What is empty counts for nothing, so that parts may be added without changing the digest of an old state. */
export function digestOf(
  parts: Iterable<{ readonly name: string; digest(without?: ReadonlySet<string>): number }>,
  without?: ReadonlySet<string>,
): number {
  let hash = 17;
  for (const part of parts) {
    const digest = part.digest(without);
    if (digest !== 0) hash = mix(mixText(hash, part.name), digest);
  }
  return hash >>> 0;
}
