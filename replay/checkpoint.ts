// A checkpoint as bytes and back: everything that a host is at a quiet moment, for another process to go on from.
import { sha256 } from '@noble/hashes/sha2.js';
import { ByteReader, ByteWriter, bytesOf, joined, sameBytes } from '../events/bytes.ts';
import { type Log, LogError } from '../events/log.ts';
import { kinds } from '../machines/kinds.ts';
import type { Checkpoint } from '../machines/system/dispatcher.ts';
import { Host, type HostSnapshot } from '../src/host.ts';
import { defaultHost } from '../src/host-config.ts';
import type { SavedNode } from '../src/xenstore/tree.ts';
import { type FoundPiece, type PieceForm, type Pieces, ValueReader, ValueWriter } from './values.ts';

/** Of the bytes that a checkpoint is written as. */
const VERSION = 2;

let layout: Uint8Array | undefined;
/**
 * SHA-256 of what a checkpoint relies on in the code that made it: the tables and their columns, the records, the machines. Code of
 * another layout makes its own checkpoints, from the log.
 */
export function checkpointLayout(): Uint8Array {
  layout ??= sha256(bytesOf(JSON.stringify([VERSION, new Host({ config: defaultHost, seed: 0 }).layout(), Object.keys(kinds)])));
  return layout;
}

/** Writes a checkpoint; what stays the same from one to the next (pages, actors' snapshots, records) goes to `pieces`. */
export function writeCheckpoint(checkpoint: Checkpoint, pieces: Pieces): Uint8Array {
  const forms = piecesOf(checkpoint.host);
  for (const { snapshot } of checkpoint.actors.values()) forms.set(snapshot, persisted);
  const writer = new ValueWriter(pieces, forms);
  writer.write(checkpoint);
  return writer.take();
}
/** The same of the state alone. */
export function writeState(state: HostSnapshot, pieces: Pieces): Uint8Array {
  const writer = new ValueWriter(pieces, piecesOf(state));
  writer.write(state);
  return writer.take();
}

function piecesOf({ xen, tables, records, store }: HostSnapshot): Map<object, PieceForm> {
  const forms = new Map<object, PieceForm>();
  for (const table of [...xen.tables, ...tables]) for (const part of [table.owners, ...table.chunks]) forms.set(part, asItIs);
  for (const one of [...xen.records, ...records]) for (const record of one.values()) forms.set(record, asItIs);
  addBranches(store.root, forms);
  return forms;
}
const asItIs = (value: object): unknown => value;

export const readCheckpoint = (bytes: Uint8Array, find: (number: number) => FoundPiece): Checkpoint =>
  new ValueReader(bytes, find).read() as Checkpoint;

/** The largest parts of XenStore that are small enough to be written again when one node in them changes. */
function addBranches(node: SavedNode, forms: Map<object, PieceForm>): void {
  if (node.size <= BRANCH) forms.set(node, 'nodes');
  else for (const child of node.children) addBranches(child, forms);
}
const BRANCH = 64;

/** What of an actor's snapshot makes it again: XState finds the rest in the machine. */
function persisted(snapshot: object): object {
  const { status, value, context, output, error, historyValue } = snapshot as Readonly<Record<string, unknown>>;
  return { status, value, context, output, error, historyValue: states(historyValue), children: {} };
}
/** A history's states by their ids. */
function states(history: unknown): unknown {
  if (typeof history !== 'object' || history === null || Object.keys(history).length === 0) return history;
  const byId = (list: readonly { readonly id: string }[]) => list.map(({ id }) => ({ id }));
  return Object.fromEntries(Object.entries(history).map(([key, list]) => [key, byId(list)]));
}

/** A checkpoint by itself: its layout, its pieces, and the rest. What a file starts with that follows another one. */
export function encodeCheckpoint(checkpoint: Checkpoint): Uint8Array {
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
  const lengths = new ByteWriter();
  lengths.uint(pieces.length);
  for (const { length } of pieces) lengths.uint(length);
  return joined([checkpointLayout(), lengths.view(), ...pieces, state]);
}

/** Undefined where code of another layout has made it. */
export function decodeCheckpoint(bytes: Uint8Array): Checkpoint | undefined {
  if (!sameBytes(bytes.subarray(0, 32), checkpointLayout())) return undefined;
  const from = new ByteReader(bytes.subarray(32));
  const lengths = Array.from({ length: from.uint() }, () => from.uint());
  const pieces = lengths.map((length) => from.raw(length));
  return readCheckpoint(from.raw(from.rest), (number) => ({ bytes: pieces[number]!, note() {} }));
}

/**
 * Where a log without its first files starts; undefined where it starts at the beginning.
 *
 * @throws LogError where that can not be used
 */
export function startOf(log: Log): Checkpoint | undefined {
  if (log.first === 0) return undefined;
  const { start } = log;
  const checkpoint = start && decodeCheckpoint(start);
  if (!checkpoint)
    throw new LogError(
      `the log starts at step ${log.first}, and ${start ? 'another version of xenolog has made its checkpoint' : 'it has no checkpoint'}: ` +
        'bring the files before it',
    );
  return checkpoint;
}
