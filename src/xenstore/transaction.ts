// Transactions: docs/misc/xenstore.txt, tools/xenstore/xenstored_transaction.c.
import { mix } from '../tables/table.ts';
import { hashText } from './hash.ts';
import { nameOf, parentOf } from './path.ts';
import { hashPermissions, type Permissions } from './perms.ts';
import type { NodeSizes, NodeView, StoreNode } from './tree.ts';
import type { Undoable } from './undo.ts';

/** The generation of what is not there. */
export const NO_GENERATION = -1;

/**
 * A node as a transaction sees it: copied from the store when first looked at, and changed here from then on.
 *
 * The child list is not copied: it is the store's, without `removed` and with `added`, until the store's changes (`frozen`).
 */
export class Access implements NodeView {
  readonly path: string;
  /** How many nodes the transaction had looked at before: events fire in this order. */
  readonly index: number;
  /** The store's node; undefined where there was none. */
  readonly origin: StoreNode | undefined;
  /** The store's generation then: another one at the end is a conflict. */
  readonly expected: number;
  /** The store's permissions then: who could read the node may know that it has gone. */
  readonly before: Permissions | undefined;

  exists: boolean;
  value: string;
  perms: Permissions;
  generation: number;
  childBytes: number;
  /** Counts creations in this transaction, from 1; 0 while the node is the store's. */
  born = 0;
  /** Any change, that of the child list included. */
  modified = false;
  written = false;
  permsSet = false;
  /** Which watches it will fire. */
  queued: 'none' | 'exact' | 'subtree' = 'none';
  frozen: readonly string[] | undefined;
  readonly added = new Map<string, number>();
  readonly removed = new Set<string>();

  constructor(path: string, index: number, origin: StoreNode | undefined) {
    this.path = path;
    this.index = index;
    this.origin = origin;
    this.expected = origin?.generation ?? NO_GENERATION;
    this.before = origin?.perms;
    this.exists = origin !== undefined;
    this.value = origin?.value ?? '';
    this.perms = origin?.perms ?? [];
    this.generation = this.expected;
    this.childBytes = origin?.childBytes ?? 0;
  }

  /** The store's child list as it was when the transaction first looked. */
  base(): readonly string[] {
    return this.frozen ?? this.origin?.names() ?? [];
  }

  names(): readonly string[] {
    const added = [...this.added].sort(([, a], [, b]) => a - b).map(([name]) => name);
    return [...this.base().filter((name) => !this.removed.has(name)), ...added];
  }

  lists(name: string): boolean {
    return this.added.has(name) || this.inherits(name);
  }
  /** Whether the name is in the list since before the transaction. */
  inherits(name: string): boolean {
    if (this.removed.has(name)) return false;
    return this.frozen ? this.frozen.includes(name) : this.origin?.lists(name) === true;
  }

  hash(): number {
    let hash = hashText(mix(mix(17, this.expected), this.generation), this.path);
    hash = hashPermissions(hashText(hash, this.value), this.perms);
    hash = hashPermissions(mix(hash, 3), this.before ?? []);
    hash = mix(mix(hash, this.born), +this.exists | (+this.modified << 1) | (+this.written << 2) | (+this.permsSet << 3));
    hash = hashText(hash, this.queued);
    for (const name of this.names()) hash = hashText(hash, name);
    return hash;
  }
}

/** What of a copy a request changes. */
type Content = Pick<Access, 'exists' | 'value' | 'perms' | 'childBytes'>;
const contentKeys = ['exists', 'value', 'perms', 'childBytes'] as const satisfies readonly (keyof Content)[];

export class Transaction {
  readonly conn: number;
  readonly id: number;
  /** By path, in the order of first access: nothing is ever taken out. */
  readonly accesses = new Map<string, Access>();
  /** How many nodes each owner has gained or lost. */
  readonly owned = new Map<number, number>();
  /** END will answer ENOMEM. */
  failed = false;
  /** How many nodes it has created. */
  births = 0;
  /** What its copies take. */
  bytes = 0;
  /** The store's generation when it began: its copies are stored under paths that start with it. */
  readonly generation: number;
  private readonly sizes: NodeSizes;

  constructor(conn: number, id: number, generation: number, sizes: NodeSizes) {
    this.conn = conn;
    this.id = id;
    this.generation = generation;
    this.sizes = sizes;
  }

  /** Looks at a node for the first time. */
  access(undo: Undoable, path: string, origin: StoreNode | undefined): Access {
    const access = new Access(path, this.accesses.size, origin);
    undo.put(this.accesses, path, access);
    undo.assign(this, 'bytes', this.bytes + this.sizeOf(access));
    return access;
  }

  /** What the copy of a node takes. */
  sizeOfCopy(path: string, { value, perms, childBytes }: Pick<NodeView, 'value' | 'perms' | 'childBytes'>): number {
    const { nodeHeader, permissionSize } = this.sizes;
    const name = `${this.generation}/`.length + path.length;
    return name + nodeHeader + permissionSize * perms.length + value.length + childBytes;
  }
  /** That there is no node takes nothing. */
  private sizeOf(access: Access): number {
    return access.exists ? this.sizeOfCopy(access.path, access) : 0;
  }

  create(undo: Undoable, path: string, content: { value: string; perms: Permissions; generation: number }): void {
    const access = this.accesses.get(path)!;
    undo.assign(this, 'births', this.births + 1);
    this.change(undo, access, content.generation, { exists: true, value: content.value, perms: content.perms });
    undo.assign(access, 'born', this.births);
    this.count(undo, content.perms[0]!.domid, 1);
    const parent = this.accesses.get(parentOf(path))!;
    const name = nameOf(path);
    undo.put(parent.added, name, this.births);
    this.change(undo, parent, content.generation, { childBytes: parent.childBytes + name.length + 1 });
  }

  remove(undo: Undoable, path: string, generation: number): void {
    const access = this.accesses.get(path)!;
    this.change(undo, access, generation, { exists: false });
    undo.assign(access, 'born', 0);
    this.count(undo, access.perms[0]!.domid, -1);
    const parent = this.accesses.get(parentOf(path))!;
    const name = nameOf(path);
    // The parent may have been looked at before somebody else created the child; such a transaction can only fail.
    if (!parent.lists(name)) return;
    if (parent.inherits(name)) undo.include(parent.removed, name);
    else undo.drop(parent.added, name);
    this.change(undo, parent, generation, { childBytes: parent.childBytes - name.length - 1 });
  }

  write(undo: Undoable, path: string, value: string, generation: number): void {
    const access = this.accesses.get(path)!;
    this.change(undo, access, generation, { value });
    undo.assign(access, 'written', true);
  }

  setPerms(undo: Undoable, path: string, perms: Permissions, generation: number): void {
    const access = this.accesses.get(path)!;
    this.count(undo, access.perms[0]!.domid, -1);
    this.count(undo, perms[0]!.domid, 1);
    this.change(undo, access, generation, { perms });
    undo.assign(access, 'permsSet', true);
  }

  /** The wider kind wins, as in queue_watches(). */
  queue(undo: Undoable, path: string, exact: boolean): void {
    const access = this.accesses.get(path)!;
    if (!exact) undo.assign(access, 'queued', 'subtree');
    else if (access.queued === 'none') undo.assign(access, 'queued', 'exact');
  }

  hash(): number {
    let hash = mix(mix(mix(17, this.id), +this.failed), this.births);
    for (const access of this.accesses.values()) hash = mix(hash, access.hash());
    return hash;
  }

  private change(undo: Undoable, access: Access, generation: number, content: Partial<Content>): void {
    const before = this.sizeOf(access);
    for (const key of contentKeys) if (content[key] !== undefined) undo.assign(access, key, content[key]);
    undo.assign(this, 'bytes', this.bytes + this.sizeOf(access) - before);
    undo.assign(access, 'modified', true);
    undo.assign(access, 'generation', generation);
  }

  private count(undo: Undoable, domid: number, change: number): void {
    undo.put(this.owned, domid, (this.owned.get(domid) ?? 0) + change);
  }
}
