// The store itself: nodes by path, with their children in the order in which they were created.
import { mix } from '../tables/table.ts';
import { hashText } from './hash.ts';
import { childOf, nameOf, parentOf } from './path.ts';
import { hashPermissions, type Permissions } from './perms.ts';
import type { Access } from './transaction.ts';
import type { Undoable } from './undo.ts';

/** What a request sees of a node, be it the store's or a transaction's copy. */
export interface NodeView {
  readonly value: string;
  readonly perms: Permissions;
  /** Changes with every change of the node or of its list of children. */
  readonly generation: number;
  /** Length of the child list: every name with a NUL. */
  readonly childBytes: number;
  /** Names of the children, oldest first. */
  names(): readonly string[];
  /** Whether a child of this name is listed. */
  lists(name: string): boolean;
}

/** A node and all that is below it, as plain data that never changes: snapshots share what has not changed between them. */
export interface SavedNode {
  readonly name: string;
  readonly value: string;
  readonly perms: Permissions;
  readonly generation: number;
  readonly birth: number;
  /** How many nodes it is, with itself. */
  readonly size: number;
  /** Oldest first. */
  readonly children: readonly SavedNode[];
}

const NO_CHILDREN: readonly SavedNode[] = [];

export class StoreNode implements NodeView {
  readonly path: string;
  readonly name: string;
  readonly parent: StoreNode | undefined;
  /** Grows with every creation in the store: it orders the children. */
  readonly birth: number;
  value: string;
  perms: Permissions;
  generation: number;
  childBytes = 0;
  children: Map<string, StoreNode> | undefined;
  /** Transactions that have looked at this node, and rely on its list of children as it is now. */
  holders: Set<Access> | undefined;
  /** Whether `children` iterates in order of birth; undoing a removal breaks it. */
  inOrder = true;
  private hashed: number | undefined;
  private saved: SavedNode | undefined;

  constructor(
    path: string,
    parent: StoreNode | undefined,
    content: { value: string; perms: Permissions; generation: number },
    birth: number,
  ) {
    this.path = path;
    this.name = nameOf(path);
    this.parent = parent;
    this.value = content.value;
    this.perms = content.perms;
    this.generation = content.generation;
    this.birth = birth;
  }

  /** Oldest first. */
  childNodes(): Iterable<StoreNode> {
    if (!this.children) return [];
    if (!this.inOrder) {
      this.children = new Map([...this.children].sort(([, a], [, b]) => a.birth - b.birth));
      this.inOrder = true;
    }
    return this.children.values();
  }

  names(): readonly string[] {
    return Array.from(this.childNodes(), (child) => child.name);
  }

  lists(name: string): boolean {
    return this.children?.has(name) === true;
  }

  /** Depth first, parents before their children. */
  *walk(): Generator<StoreNode> {
    yield this;
    for (const child of this.childNodes()) yield* child.walk();
  }

  /** To be told of every change, and of every undo of one. What is neither hashed nor saved has nothing above it that is. */
  touch(): void {
    for (let node: StoreNode | undefined = this; node && (node.hashed !== undefined || node.saved); node = node.parent) {
      node.hashed = undefined;
      node.saved = undefined;
    }
  }

  save(): SavedNode {
    if (this.saved) return this.saved;
    const { name, value, perms, generation, birth } = this;
    let children = NO_CHILDREN;
    let size = 1;
    if (this.children && this.children.size > 0) {
      const saved: SavedNode[] = [];
      for (const child of this.childNodes()) {
        const one = child.save();
        size += one.size;
        saved.push(one);
      }
      children = saved;
    }
    this.saved = { name, value, perms, generation, birth, size, children };
    return this.saved;
  }
  /** It is as it was saved, and so is all below it. */
  isAs(saved: SavedNode): void {
    this.generation = saved.generation;
    this.saved = saved;
  }

  hash(): number {
    if (this.hashed !== undefined) return this.hashed;
    let hash = hashText(hashText(mix(17, this.generation), this.name), this.value);
    hash = hashPermissions(hash, this.perms);
    for (const child of this.childNodes()) hash = mix(hash, child.hash());
    this.hashed = hash;
    return hash;
  }
}

/** What a stored node takes besides its texts. */
export interface NodeSizes {
  readonly nodeHeader: number;
  readonly permissionSize: number;
}

export class Tree {
  readonly nodes = new Map<string, StoreNode>();
  private readonly owned = new Map<number, Set<StoreNode>>();
  /** What the nodes of a domain take. */
  private readonly bytes = new Map<number, number>();
  private readonly undo: Undoable;
  private readonly sizes: NodeSizes;
  constructor(undo: Undoable, sizes: NodeSizes) {
    this.undo = undo;
    this.sizes = sizes;
  }

  get root(): StoreNode {
    return this.nodes.get('/')!;
  }
  get(path: string): StoreNode | undefined {
    return this.nodes.get(path);
  }
  /** How many nodes a domain owns. */
  countOf(domid: number): number {
    return this.owned.get(domid)?.size ?? 0;
  }
  /** What the nodes that a domain owns take, their names included. */
  bytesOf(domid: number): number {
    return this.bytes.get(domid) ?? 0;
  }
  /** The nodes of a domain, in the order of a walk through the tree. */
  ownedBy(domid: number): StoreNode[] {
    return [...(this.owned.get(domid) ?? [])].sort(inTreeOrder);
  }

  /** Adds a last child to its parent (which exists), or the root to an empty tree. */
  create(path: string, content: { value: string; perms: Permissions; generation: number }, birth: number): StoreNode {
    const parent = path === '/' ? undefined : this.nodes.get(parentOf(path));
    const node = new StoreNode(path, parent, content, birth);
    if (parent) this.changeChildren(parent, content.generation);
    this.attach(node);
    this.undo.onUndo(() => this.detach(node));
    return node;
  }

  /** Fills an empty tree. */
  restore(saved: SavedNode, path = '/'): void {
    const node = this.create(path, saved, saved.birth);
    for (const child of saved.children) this.restore(child, childOf(path, child.name));
    // Not before: each child has changed it.
    node.isAs(saved);
  }

  /** Removes a node without children. */
  remove(node: StoreNode, generation: number): void {
    const parent = node.parent!;
    this.changeChildren(parent, generation);
    this.detach(node);
    this.undo.onUndo(() => {
      this.attach(node);
      parent.inOrder = false;
    });
  }

  write(node: StoreNode, value: string, generation: number): void {
    const old = node.value;
    const before = node.generation;
    const owner = node.perms[0]!.domid;
    node.value = value;
    node.generation = generation;
    node.touch();
    this.account(owner, value.length - old.length);
    this.undo.onUndo(() => {
      this.account(owner, old.length - value.length);
      node.value = old;
      node.generation = before;
      node.touch();
    });
  }

  setPerms(node: StoreNode, perms: Permissions, generation: number): void {
    const old = node.perms;
    const before = node.generation;
    this.own(node, perms);
    node.generation = generation;
    this.undo.onUndo(() => {
      this.own(node, old);
      node.generation = before;
    });
  }

  /** A transaction relies on the node's child list from here on, or no longer. */
  hold(node: StoreNode, access: Access): void {
    node.holders ??= new Set();
    this.undo.include(node.holders, access);
  }
  release(node: StoreNode, access: Access): void {
    this.undo.exclude(node.holders!, access);
  }

  /** Before a child comes or goes: whoever holds the node keeps the list as it was. */
  private changeChildren(parent: StoreNode, generation: number): void {
    if (parent.holders)
      for (const access of parent.holders) if (!access.frozen) this.undo.assign(access, 'frozen', parent.names());
    const before = parent.generation;
    parent.generation = generation;
    this.undo.onUndo(() => {
      parent.generation = before;
      parent.touch();
    });
  }

  private attach(node: StoreNode): void {
    const { parent } = node;
    if (parent) {
      parent.children ??= new Map();
      parent.children.set(node.name, node);
      parent.childBytes += node.name.length + 1;
      parent.touch();
      this.account(parent.perms[0]!.domid, node.name.length + 1);
    }
    this.nodes.set(node.path, node);
    this.setOf(node.perms[0]!.domid).add(node);
    this.account(node.perms[0]!.domid, this.sizeOf(node));
  }

  private detach(node: StoreNode): void {
    const parent = node.parent!;
    parent.children!.delete(node.name);
    parent.childBytes -= node.name.length + 1;
    parent.touch();
    this.account(parent.perms[0]!.domid, -node.name.length - 1);
    this.nodes.delete(node.path);
    this.setOf(node.perms[0]!.domid).delete(node);
    this.account(node.perms[0]!.domid, -this.sizeOf(node));
  }

  private own(node: StoreNode, perms: Permissions): void {
    this.setOf(node.perms[0]!.domid).delete(node);
    this.account(node.perms[0]!.domid, -this.sizeOf(node));
    node.perms = perms;
    this.setOf(perms[0]!.domid).add(node);
    this.account(perms[0]!.domid, this.sizeOf(node));
    node.touch();
  }

  private sizeOf({ path, value, perms, childBytes }: StoreNode): number {
    const { nodeHeader, permissionSize } = this.sizes;
    return path.length + nodeHeader + permissionSize * perms.length + value.length + childBytes;
  }
  private account(domid: number, change: number): void {
    if (change !== 0) this.bytes.set(domid, (this.bytes.get(domid) ?? 0) + change);
  }

  private setOf(domid: number): Set<StoreNode> {
    let set = this.owned.get(domid);
    if (!set) {
      set = new Set();
      this.owned.set(domid, set);
    }
    return set;
  }
}

/** Where a walk comes to first. Births order siblings, and an ancestor is older than what is below it. */
function inTreeOrder(a: StoreNode, b: StoreNode): number {
  const ours = birthsDownTo(a);
  const theirs = birthsDownTo(b);
  const shared = Math.min(ours.length, theirs.length);
  for (let i = 0; i < shared; i++) if (ours[i] !== theirs[i]) return ours[i]! - theirs[i]!;
  return ours.length - theirs.length;
}

function birthsDownTo(node: StoreNode): number[] {
  const births: number[] = [];
  for (let at: StoreNode | undefined = node; at; at = at.parent) births.push(at.birth);
  return births.reverse();
}
