// What a later file of a run starts from: a checkpoint with a description of how it is laid out, so that later versions can read it too.
//
//   "XSTART\n\0"  u32 version of the encoding  uint length  the layout as JSON, so many bytes  uint count and so often: string, uint: digests
//   uint count and so often: uint, the lengths of the pieces  the pieces  the checkpoint
//
// Files of the first days have 32 bytes, a digest of version 1's layout, in place of all that stands before the pieces' lengths.
import { ByteReader, ByteWriter, byteString, byteStringToText, bytesOf, hexOf, joined } from '../events/bytes.ts';
import { type Log, LogError } from '../events/log.ts';
import { type Checkpoint, Dispatcher } from '../machines/system/dispatcher.ts';
import { Host } from '../src/host.ts';
import type { HostConfig } from '../src/host-config.ts';
import { CHECKPOINT_VERSION, writeCheckpoint } from './checkpoint.ts';
import { FIRST_DIGEST, firstLayout } from './first-layout.ts';
import { loggedImages } from './images.ts';
import { type StateLayout, stateLayout } from './layout.ts';
import { type Mapped, mapCheckpoint } from './mapping.ts';
import { changesSince, STATE_VERSION, type StateChange, stateChanges } from './state-changes.ts';
import { NotOurs } from './table-mapping.ts';
import { ValueReader } from './values.ts';

const MAGIC = 'XSTART\n\0';

/** A host at a quiet moment as bytes: what the next file starts from. */
export function encodeStart(dispatcher: Dispatcher): Uint8Array {
  return writeStart({ layout: stateLayout(), digests: new Map(dispatcher.digests()), checkpoint: dispatcher.checkpoint() });
}

export interface Start<C = Checkpoint, L = StateLayout> {
  readonly layout: L;
  /** Of the parts of the host, by name (`Dispatcher.digests`). */
  readonly digests: ReadonlyMap<string, number>;
  readonly checkpoint: C;
}

export function writeStart({ layout, digests, checkpoint }: Start): Uint8Array {
  const known = new Map<object, number>();
  const pieces: Uint8Array[] = [];
  const state = writeCheckpoint(checkpoint, {
    put(value, encode) {
      let number = known.get(value);
      if (number === undefined) {
        number = pieces.push(encode()) - 1;
        known.set(value, number);
      }
      return number;
    },
  });
  const head = new ByteWriter(1 << 14);
  head.raw(bytesOf(MAGIC));
  head.raw(new Uint8Array(Uint32Array.of(CHECKPOINT_VERSION).buffer));
  const json = new TextEncoder().encode(JSON.stringify(layout));
  head.uint(json.length);
  head.raw(json);
  head.uint(digests.size);
  for (const [name, digest] of digests) {
    head.string(name);
    head.uint(digest);
  }
  head.uint(pieces.length);
  for (const { length } of pieces) head.uint(length);
  return joined([head.view(), ...pieces, state]);
}

/** What a start says, before anything is made of it. */
export type FoundStart = Start<unknown, Pick<StateLayout, 'version' | 'tables' | 'records'>>;

/**
 * @throws NotOurs where its version is newer than this code, or one that had no description
 * @throws anything where the bytes are no such thing
 */
export function readStart(bytes: Uint8Array): FoundStart {
  const from = new ByteReader(bytes);
  const { layout, digests } = hexOf(bytes.subarray(0, 32)) === FIRST_DIGEST ? first(from) : described(from);
  const lengths = Array.from({ length: countOf(from) }, () => from.uint());
  const pieces = lengths.map((length) => from.raw(length));
  if (!(from.rest >= 0)) throw new NotOurs('it is cut off');
  const find = (number: number) => ({ bytes: pieces[number]!, note() {} });
  return { layout, digests, checkpoint: new ValueReader(from.raw(from.rest), find).read() };
}

function first(from: ByteReader): Omit<FoundStart, 'checkpoint'> {
  from.raw(32);
  return { layout: firstLayout(), digests: new Map() };
}

function described(from: ByteReader): Omit<FoundStart, 'checkpoint'> {
  if (byteString(from.raw(MAGIC.length)) !== MAGIC) throw new NotOurs('a version before 1 has made it');
  const [a = 0, b = 0, c = 0, d = 0] = from.raw(4);
  const version = a + b * 2 ** 8 + c * 2 ** 16 + d * 2 ** 24;
  const layout = layoutOf(JSON.parse(byteStringToText(byteString(from.raw(from.uint())))));
  if (layout.version > STATE_VERSION || version > CHECKPOINT_VERSION)
    throw new Newer(`its checkpoint is of version ${layout.version}; this xenolog reads up to ${STATE_VERSION}`);
  const digests = new Map(Array.from({ length: countOf(from) }, () => [from.string(), from.uint()] as const));
  return { layout, digests };
}

class Newer extends NotOurs {}

function countOf(from: ByteReader): number {
  const count = from.uint();
  if (!(count <= from.rest)) throw new NotOurs('it is cut off');
  return count;
}

function layoutOf(json: unknown): StateLayout {
  const check = (right: boolean): void => {
    if (!right) throw new NotOurs('the description of its layout is none');
  };
  const { version, tables, records } = json as StateLayout;
  const isList = (list: unknown, each: (item: never) => boolean): boolean => Array.isArray(list) && list.every(each as never);
  const isText = (text: unknown): boolean => typeof text === 'string';
  check(Number.isSafeInteger(version) && version > 0);
  check(isList(records, isText) && new Set(records).size === records.length);
  check(isList(tables, Array.isArray) && new Set(tables.map(([name]) => name)).size === tables.length);
  for (const [name, pageRows, columns] of tables) {
    check(isText(name) && Number.isSafeInteger(pageRows) && pageRows > 0 && pageRows <= 2 ** 16);
    check(isList(columns, ([column]: readonly unknown[]) => isText(column)) && columns.length > 0);
    check(columns.every(([, type]) => (isText(type) ? types.includes(type as string) : isList(type, isText))));
    check(new Set(columns.map(([column]) => column)).size === columns.length);
  }
  return json as StateLayout;
}
const types: readonly string[] = ['u8', 'u16', 'u32', 'i32', 'f64'];

const starts = new WeakMap<Log, Checkpoint>();

/**
 * Where a log without its first files starts; undefined where it starts at the beginning. A start of another version is made one of ours,
 * and every part of it that both have in the same form has the digest that it had when it was written.
 *
 * @throws LogError where that can not be used
 */
export function startOf(log: Log): Checkpoint | undefined {
  if (log.first === 0) return undefined;
  let start = starts.get(log);
  if (!start) {
    start = useStart(log);
    starts.set(log, start);
  }
  return start;
}

/** The same, with other changes: for tests. */
export function useStart(
  log: Log,
  changes: Readonly<Record<number, StateChange>> = stateChanges,
  now = STATE_VERSION,
): Checkpoint {
  const { start, first, header } = log;
  const refused = (what: string, isNewer = false): LogError => {
    const other = isNewer ? 'use a newer xenolog' : `go on with a xenolog of its time (${header.xenolog})`;
    return new LogError(`the log starts at step ${first}, and ${what}; bring the files before it, or ${other}`);
  };
  if (!start) throw refused('it has no checkpoint');
  let version: number | undefined;
  try {
    const found = readStart(start);
    version = found.layout.version;
    return checked(log, found, changesSince(version, changes, now), start.length);
  } catch (error) {
    if (error instanceof LogError) throw error;
    if (error instanceof Newer) throw refused(error.message, true);
    const which = version === undefined || version === now ? '' : ` (it is of version ${version}, this xenolog's is ${now})`;
    throw refused(
      `its checkpoint can not be used${which}: ${error instanceof NotOurs ? inOneLine(error.message) : 'it is damaged'}`,
    );
  }
}
/** Names in a damaged one may be anything. */
const inOneLine = (text: string): string => text.slice(0, 200).replaceAll(/[^ -~]/g, '?');

/** The checkpoint as a host of ours has it, when it was restored. */
function checked(
  log: Log,
  { layout, digests, checkpoint }: FoundStart,
  changes: readonly StateChange[],
  size: number,
): Checkpoint {
  const options = { config: log.header.host as HostConfig, seed: log.header.seed };
  const mapped: Mapped = mapCheckpoint(checkpoint, layout, changes, new Host(options), size);
  const dispatcher = new Dispatcher({ ...options, images: loggedImages(log) });
  dispatcher.restore(mapped.checkpoint);
  if (dispatcher.seq !== log.first) throw new NotOurs(`it is one before step ${dispatcher.seq}`);
  const { host } = dispatcher;
  for (const table of host.tablesPerDomain)
    if (mapped.newTables.has(table.name)) for (const domid of host.xen.domids()) if (!table.of(domid)) table.add(domid);
  const ours = new Map(dispatcher.digests());
  for (const [name, digest] of digests)
    if (!mapped.changed.has(name) && (ours.get(name) ?? 0) !== digest)
      throw new NotOurs(`${name} is not what was written (its digest differs)`);
  return mapped.newTables.size === 0 ? mapped.checkpoint : { ...mapped.checkpoint, host: host.snapshot() };
}
