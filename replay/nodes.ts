// A part of XenStore's tree as bytes and back: a checkpoint of a busy host is nodes for the most part.
import { ByteReader, ByteWriter } from '../events/bytes.ts';
import type { Permissions } from '../src/xenstore/perms.ts';
import type { SavedNode } from '../src/xenstore/tree.ts';

// One writer for all parts: they are small, and many.
const out = new ByteWriter(1 << 12);

/** A node: name, value, permissions, generation, birth, how many children, and these, each in the same form. */
export function nodesToBytes(root: SavedNode): Uint8Array {
  out.clear();
  putNode(root, []);
  return out.take();
}

function putNode({ name, value, perms, generation, birth, children }: SavedNode, known: Permissions[]): void {
  out.string(name);
  out.string(value);
  putPermissions(perms, known);
  out.int(generation);
  out.int(birth);
  out.uint(children.length);
  for (let i = 0; i < children.length; i++) putNode(children[i]!, known);
}

/** The number (from 1) of permissions that a node before has had, or 0 and these. */
function putPermissions(perms: Permissions, known: Permissions[]): void {
  for (let i = 0; i < known.length; i++)
    if (samePermissions(known[i]!, perms)) {
      out.uint(i + 1);
      return;
    }
  if (known.length < MOST_KNOWN) known.push(perms);
  out.uint(0);
  out.uint(perms.length);
  for (const { access, domid, since } of perms) {
    out.int(access);
    out.int(domid);
    out.int(since);
  }
}
const MOST_KNOWN = 8;

function samePermissions(a: Permissions, b: Permissions): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) {
    const [one, other] = [a[i]!, b[i]!];
    if (one.access !== other.access || one.domid !== other.domid || one.since !== other.since) return false;
  }
  return true;
}

/** Reads what `nodesToBytes` wrote, and nothing else. */
export function nodesFromBytes(bytes: Uint8Array): SavedNode {
  const from = new ByteReader(bytes);
  const node = takeNode(from, [], 0);
  if (from.rest !== 0) throw new Error('these bytes are no nodes');
  return node;
}
/** As deep as a path of 3072 bytes can be. */
const MOST_DEPTH = 1536;

function takeNode(from: ByteReader, known: Permissions[], depth: number): SavedNode {
  if (from.overrun || depth > MOST_DEPTH) throw new Error('these bytes are no nodes');
  const head = { name: from.string(), value: from.string(), perms: takePermissions(from, known) };
  const [generation, birth] = [from.int(), from.int()];
  const children: SavedNode[] = [];
  let size = 1;
  for (let n = from.uint(); n > 0 && !from.overrun; n--) {
    const child = takeNode(from, known, depth + 1);
    size += child.size;
    children.push(child);
  }
  return { ...head, generation, birth, size, children };
}

function takePermissions(from: ByteReader, known: Permissions[]): Permissions {
  const number = from.uint();
  const before = known[number - 1];
  if (before) return before;
  const count = from.uint();
  if (number !== 0 || !(count <= from.rest)) throw new Error('these bytes are no permissions');
  const perms = Array.from({ length: count }, () => ({ access: from.int(), domid: from.int(), since: from.int() }));
  if (known.length < MOST_KNOWN) known.push(perms);
  return perms;
}
