// A checkpoint as bytes and back: everything that a host is at a quiet moment, for another process to go on from.
import { sha256 } from '@noble/hashes/sha2.js';
import type { Checkpoint } from '../machines/system/dispatcher.ts';
import type { HostSnapshot } from '../src/host.ts';
import type { SavedNode } from '../src/xenstore/tree.ts';
import { stateLayout } from './layout.ts';
import { type PieceForm, type Pieces, ValueWriter } from './values.ts';

/** Of the bytes that a checkpoint is written as (values.ts). */
export const CHECKPOINT_VERSION = 2;

let layout: Uint8Array | undefined;
/**
 * SHA-256 of what a checkpoint in a cache relies on in the code that made it. Code of another layout makes its own, from the log; what a
 * file of a run starts from outlives that (start.ts).
 */
export function checkpointLayout(): Uint8Array {
  layout ??= sha256(new TextEncoder().encode(JSON.stringify([CHECKPOINT_VERSION, stateLayout()])));
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

/**
 * The largest parts of XenStore that are small enough to be written again when one node in them changes; and what is deeper than all that
 * is in use, for such a tree takes much of the stack in any other form.
 */
function addBranches(node: SavedNode, forms: Map<object, PieceForm>, depth = 0): void {
  if (node.size <= BRANCH || depth === DEEP) forms.set(node, 'nodes');
  else for (const child of node.children) addBranches(child, forms, depth + 1);
}
const BRANCH = 64;
const DEEP = 24;

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
