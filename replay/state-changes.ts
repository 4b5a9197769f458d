// What became of the state from one version to the next, for checkpoints that start a file: events/upcast.ts does the same for steps.
//
// Tables, columns, names of a column, records, kinds of actors and fields are found again by their names. What is new needs no entry: it
// is as in a host where nothing of it has happened. What has gone, has another name, or means something else, has one here. Whoever
// changes a table, a record or the context of a machine raises STATE_VERSION (events/upcast.ts), adds an entry, and keeps a log:
// test/golden/logs/starts.test.ts says how.
import { STATE_VERSION } from '../events/upcast.ts';

export { STATE_VERSION };

/** A row: numbers, and names where the column has such. */
export type PlainRow = Readonly<Record<string, number | string>>;
/** An actor's chart: the state it is in, as XState has it, and its context. */
export interface PlainActor {
  readonly value: unknown;
  readonly context: Readonly<Record<string, unknown>>;
}

/**
 * What one version changed. Everything is named as the version before had it. Fields of records and contexts are to come out in the order
 * in which this version makes them: digests are of their JSON.
 */
export interface StateChange {
  /** `row` makes the new columns of those that were, of each row that is in use: a column that it leaves out has gone. */
  readonly tables?: Readonly<Record<string, 'gone' | { readonly name?: string; readonly row?: (row: PlainRow) => PlainRow }>>;
  readonly records?: Readonly<Record<string, 'gone' | { readonly name?: string; readonly record?: (record: never) => object }>>;
  /** Of every actor of a kind. */
  readonly actors?: Readonly<
    Record<string, 'gone' | { readonly name?: string; readonly actor?: (actor: PlainActor) => PlainActor }>
  >;
  /** Of everything else, by the place in the checkpoint: `guests.guests.*`, with `*` for each item of a list or a map. */
  readonly parts?: Readonly<Record<string, (part: never) => unknown>>;
  /** New columns that facts from before fill too, as `domain/weight`: they do not count where a digest is compared that had none of them. */
  readonly filled?: readonly string[];
  /** Digests that are others since then for another reason. */
  readonly digests?: readonly DigestPart[];
}
/** A digest of the host as the log has them. */
export const digestParts = ['state', 'memory', 'actors', 'executors'] as const;
export type DigestPart = (typeof digestParts)[number];

/** By the version that was changed: the entry of 1 makes version 2 of it. A version that only added something has none. */
export const stateChanges: Readonly<Record<number, StateChange>> = {};

/** The changes from a version up to this code's, one for each, oldest first. */
export function changesSince(version: number, all = stateChanges, now = STATE_VERSION): readonly StateChange[] {
  return Array.from({ length: Math.max(0, now - version) }, (_, i) => all[version + i] ?? {});
}

/** The digests that mean the same in a version of the state as in this code's; none, where the version is newer. */
export function equalDigests(version: number, all = stateChanges, now = STATE_VERSION): readonly DigestPart[] {
  if (version > now) return [];
  const others = new Set<DigestPart>();
  for (const { tables, records, actors, parts = {}, digests = [] } of changesSince(version, all, now)) {
    if (tables || records) others.add('state');
    if (actors) others.add('actors');
    for (const place of Object.keys(parts)) others.add(digestOf(place));
    for (const digest of digests) others.add(digest);
  }
  return digestParts.filter((part) => !others.has(part));
}

/** Columns that are new since a version and do not count for its digests; undefined where there are none. */
export function columnsSince(version: number, all = stateChanges, now = STATE_VERSION): ReadonlySet<string> | undefined {
  const columns = changesSince(version, all, now).flatMap(({ filled = [] }) => filled);
  return columns.length === 0 ? undefined : new Set(columns);
}

function digestOf(place: string): DigestPart {
  if (place === 'memory' || place === 'actors') return place;
  return /^(guests|dom0)/.test(place) ? 'executors' : 'state';
}
