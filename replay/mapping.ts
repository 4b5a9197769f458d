// A checkpoint of another version as this code has it: tables, columns, records, actors and fields are found again by their names, and
// what can not be is as state-changes.ts says. What neither covers is refused.
import type { AnyStateMachine } from 'xstate';
import { type Kind, kinds } from '../machines/kinds.ts';
import type { ActorSnapshot } from '../machines/system/directory.ts';
import type { Checkpoint } from '../machines/system/dispatcher.ts';
import type { Host } from '../src/host.ts';
import type { TableSnapshot } from '../src/tables/table.ts';
import { type StateLayout, stateLayout } from './layout.ts';
import { isObject, mapAt, valuesAt } from './places.ts';
import type { PlainActor, StateChange } from './state-changes.ts';
import { contextFields, type Fields, partFields, recordFields } from './state-fields.ts';
import { checkTable, mapTable, NotOurs } from './table-mapping.ts';

export interface Mapped {
  readonly checkpoint: Checkpoint;
  /** Tables that the other version had not: every domain that exists is still to get its rows in them. */
  readonly newTables: ReadonlySet<string>;
  /** Parts that are not to be compared with the digests that they had, by the names that the other version has for them (`Host.digests`). */
  readonly changed: ReadonlySet<string>;
}

/** As a checkpoint has them, before anything of it is known to be right. */
interface Raw {
  readonly host: {
    readonly xen: { readonly tables: readonly TableSnapshot[]; readonly records: readonly ReadonlyMap<number, object>[] };
    readonly tables: readonly TableSnapshot[];
    readonly records: readonly ReadonlyMap<number, object>[];
  };
  readonly actors: ReadonlyMap<string, ActorSnapshot>;
}

/**
 * @param from the layout that the checkpoint has
 * @param changes what became of it since then, a version after the other
 * @param fresh a host in which nothing has happened
 * @param size of the checkpoint in bytes
 * @throws NotOurs
 */
export function mapCheckpoint(
  raw: unknown,
  from: Pick<StateLayout, 'tables' | 'records'>,
  changes: readonly StateChange[],
  fresh: Host,
  size: number,
): Mapped {
  const changed = new Set<string>();
  let value = raw;
  for (const { parts = {} } of changes)
    for (const [place, to] of Object.entries(parts)) {
      value = mapAt(value, place, to);
      for (const digest of digestsOf(place)) changed.add(digest);
    }
  for (const [place, fields] of Object.entries(partFields))
    for (const part of valuesAt(value, place)) checkFields(part, fields, place === '' ? 'it' : place);
  const { host, actors, ...rest } = value as Raw & Omit<Checkpoint, 'host' | 'actors'>;
  const { seq, now, debt, due } = rest;
  for (const number of [seq, now, debt]) if (!Number.isSafeInteger(number) || number < 0) throw new NotOurs('its moment is none');
  if (typeof due !== 'number') throw new NotOurs('its moment is none');

  const tables = mapTables([...listOf(host.xen.tables), ...listOf(host.tables)], from, changes, fresh, size, changed);
  const records = mapRecords([...listOf(host.xen.records), ...listOf(host.records)], from, changes, fresh, changed);
  const { xen } = fresh;
  return {
    checkpoint: {
      ...rest,
      host: {
        ...(host as unknown as Checkpoint['host']),
        xen: {
          ...(host.xen as Checkpoint['host']['xen']),
          tables: tables.all.slice(0, xen.tables.length),
          records: records.slice(0, xen.records.length),
        },
        tables: tables.all.slice(xen.tables.length),
        records: records.slice(xen.records.length),
      },
      actors: mapActors(actors, changes, changed),
    },
    newTables: tables.added,
    changed,
  };
}

/** A table, record or kind of actor through the versions: by which name it goes now (undefined: it has gone), and each step on the way. */
function through<C extends object>(
  name: string,
  changes: readonly (Readonly<Record<string, 'gone' | ({ readonly name?: string } & C)>> | undefined)[],
): { readonly name: string | undefined; readonly steps: readonly C[] } {
  let now = name;
  const steps: C[] = [];
  for (const change of changes) {
    const step = change && Object.hasOwn(change, now) ? change[now] : undefined;
    if (step === 'gone') return { name: undefined, steps: [] };
    if (!step) continue;
    steps.push(step);
    now = step.name ?? now;
  }
  return { name: now, steps };
}

function mapTables(
  snapshots: readonly TableSnapshot[],
  from: Pick<StateLayout, 'tables'>,
  changes: readonly StateChange[],
  fresh: Host,
  size: number,
  changed: Set<string>,
): { readonly all: readonly TableSnapshot[]; readonly added: ReadonlySet<string> } {
  if (snapshots.length !== from.tables.length) throw new NotOurs('it has not the tables that it says');
  const layouts = new Map(stateLayout().tables.map((layout) => [layout[0], layout]));
  const found = new Map<string, TableSnapshot>();
  for (const [i, layout] of from.tables.entries()) {
    const [name] = layout;
    const snapshot = snapshots[i]!;
    checkTable(snapshot, layout, size);
    const now = through(
      name,
      changes.map(({ tables }) => tables),
    );
    if (now.name === undefined) {
      changed.add(`table ${name}`);
      continue;
    }
    const to = layouts.get(now.name);
    if (!to) {
      if (snapshot.chunks.some(({ columns }) => columns.some((column) => column.some((value) => value !== 0))))
        throw new NotOurs(`the table ${name} has gone`);
      continue;
    }
    const steps = now.steps.flatMap(({ row }) => row ?? []);
    const mapped = mapTable(snapshot, layout, to, steps, fresh.table(now.name)!);
    if (mapped.changed) changed.add(`table ${name}`);
    found.set(now.name, mapped.snapshot);
  }
  const added = new Set(fresh.tableNames.filter((name) => !found.has(name)));
  return { all: fresh.allTables.map((table) => found.get(table.name) ?? table.snapshot()), added };
}

function mapRecords(
  snapshots: readonly ReadonlyMap<number, object>[],
  from: Pick<StateLayout, 'records'>,
  changes: readonly StateChange[],
  fresh: Host,
  changed: Set<string>,
): readonly ReadonlyMap<number, object>[] {
  if (snapshots.length !== from.records.length) throw new NotOurs('it has not the records that it says');
  const ours = new Map(fresh.allRecords.map((records) => [records.name, records]));
  const found = new Map<string, ReadonlyMap<number, object>>();
  for (const [i, name] of from.records.entries()) {
    const snapshot = snapshots[i]!;
    if (!(snapshot instanceof Map) || [...snapshot.keys()].some((key) => !Number.isSafeInteger(key)))
      throw new NotOurs(`the records ${name} are none`);
    const now = through(
      name,
      changes.map(({ records }) => records),
    );
    if (now.steps.length > 0 || now.name === undefined) changed.add(`record ${name}`);
    if (now.name === undefined) continue;
    if (!ours.has(now.name)) {
      if (snapshot.size > 0) throw new NotOurs(`the records ${name} have gone`);
      continue;
    }
    const steps = now.steps.flatMap(({ record }) => record ?? []);
    const mapped: ReadonlyMap<number, object> =
      steps.length === 0
        ? snapshot
        : new Map([...snapshot].map(([key, record]) => [key, steps.reduce<object>((one, step) => step(one as never), record)]));
    for (const record of mapped.values())
      for (const [place, fields] of Object.entries(recordFields[now.name]!))
        for (const part of valuesAt(record, place)) checkFields(part, fields, `the record ${now.name}`);
    found.set(now.name, mapped);
  }
  return fresh.allRecords.map((records) => found.get(records.name) ?? records.snapshot());
}

function mapActors(
  actors: ReadonlyMap<string, ActorSnapshot>,
  changes: readonly StateChange[],
  changed: Set<string>,
): ReadonlyMap<string, ActorSnapshot> {
  if (!(actors instanceof Map)) throw new NotOurs('its actors are none');
  const mapped = new Map<string, ActorSnapshot>();
  for (const [id, { kind, snapshot }] of actors) {
    if (typeof id !== 'string' || typeof kind !== 'string' || !isObject(snapshot)) throw new NotOurs('its actors are none');
    const now = through(
      kind,
      changes.map(({ actors: some }) => some),
    );
    if (now.steps.length > 0 || now.name === undefined) changed.add('actors');
    if (now.name === undefined) continue;
    if (!Object.hasOwn(kinds, now.name)) throw new NotOurs(`the actor ${id} is a ${kind}, which there is none of`);
    let chart = snapshot as unknown as PlainActor;
    for (const { actor } of now.steps) if (actor) chart = { ...chart, ...actor(chart) };
    if (!isState(kinds[now.name as Kind].root, chart.value))
      throw new NotOurs(`the actor ${id} is in a state that a ${now.name} has not: ${JSON.stringify(chart.value)}`);
    checkFields(chart.context, contextFields[now.name as Kind], `the actor ${id}`);
    mapped.set(id, { kind: now.name as Kind, snapshot: chart as unknown as ActorSnapshot['snapshot'] });
  }
  return mapped;
}

/** Whether a chart has such a state: a name, or names by the region that they are in. */
function isState(node: AnyStateMachine['root'], value: unknown): boolean {
  if (typeof value === 'string') return Object.hasOwn(node.states, value);
  if (!isObject(value)) return false;
  return Object.entries(value).every(([name, inner]) => {
    if (!Object.hasOwn(node.states, name)) return false;
    const state = node.states[name]!;
    return isState(state, inner) || (isObject(inner) && Object.keys(inner).length === 0);
  });
}

/** @throws NotOurs where there is a field that we have not, or none that we have */
function checkFields(value: unknown, fields: Fields, what: string): void {
  if (value === undefined) return;
  if (!isObject(value) || Array.isArray(value) || value instanceof Map) throw new NotOurs(`${what} is nothing with fields`);
  for (const name of Object.keys(value)) if (!Object.hasOwn(fields, name)) throw new NotOurs(`${what} has a field ${name}`);
  for (const [name, mark] of Object.entries(fields))
    if (mark === '' && !Object.hasOwn(value, name)) throw new NotOurs(`${what} has no field ${name}`);
}

/** Parts whose digests a place is of. */
function digestsOf(place: string): readonly string[] {
  if (place.startsWith('host.xen.p2m')) return ['p2m'];
  if (place.startsWith('host.store')) return ['store'];
  if (place.startsWith('dom0')) return ['xenstored'];
  const [first = ''] = place.split('.');
  return [first];
}

const listOf = <T>(list: readonly T[]): readonly T[] => {
  if (!Array.isArray(list)) throw new NotOurs('it has no lists of tables and records');
  return list;
};
