// How the state of a host is laid out: what a checkpoint relies on in the code that made it, as data, so that it can go with it.
import type { Kind } from '../machines/kinds.ts';
import { Host } from '../src/host.ts';
import { defaultHost } from '../src/host-config.ts';
import type { ColumnType, TableSchema } from '../src/tables/table.ts';
import { STATE_VERSION } from './state-changes.ts';
import { contextFields, type Fields, partFields, recordFields } from './state-fields.ts';

/** A column is numbers of a type, or names of which a row has the index. */
export type ColumnLayout = readonly [name: string, type: ColumnType | readonly string[]];
/** A table, how many rows a page of it has, and its columns in their order. */
export type TableLayout = readonly [name: string, pageRows: number, columns: readonly ColumnLayout[]];
/** Names of fields in their order; one that may be missing has a question mark behind it. */
type FieldList = readonly string[];

export interface StateLayout {
  readonly version: number;
  /** In the order in which a checkpoint has them, Xen's first; and so the records. */
  readonly tables: readonly TableLayout[];
  readonly records: readonly string[];
  /** Of records (by name and place), of actors' contexts (by kind), and of everything else (by place). */
  readonly fields: {
    readonly records: Readonly<Record<string, Readonly<Record<string, FieldList>>>>;
    readonly actors: Readonly<Partial<Record<Kind, FieldList>>>;
    readonly parts: Readonly<Record<string, FieldList>>;
  };
}

let layout: StateLayout | undefined;
/** That of this code. */
export function stateLayout(): StateLayout {
  if (layout) return layout;
  const host = new Host({ config: defaultHost, seed: 0 });
  layout = {
    version: STATE_VERSION,
    tables: host.allTables.map(({ name, shift, schema }) => [name, 1 << shift, Object.entries(schema)]),
    records: host.allRecords.map(({ name }) => name),
    fields: {
      records: mapped(recordFields, (places) => mapped(places, listOf)),
      actors: mapped(contextFields, listOf),
      parts: mapped(partFields, listOf),
    },
  };
  return layout;
}

export const schemaOf = ([, , columns]: TableLayout): TableSchema => Object.fromEntries(columns);

const listOf = (fields: Fields): FieldList =>
  Object.entries(fields)
    .map(([name, mark]) => name + mark)
    .sort();
const mapped = <T, R>(from: Readonly<Record<string, T>>, to: (value: T) => R): Readonly<Record<string, R>> =>
  Object.fromEntries(Object.entries(from).map(([name, value]) => [name, to(value)]));
