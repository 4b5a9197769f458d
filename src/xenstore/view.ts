// How a request sees the store: through its transaction, with the rights of its connection, noting what happens on the way.
import type { Errno } from '../../events/errno.ts';
import type { Answer } from '../../events/step.ts';
import type { XenstoreFact } from '../../events/xenstore.ts';
import { acceptWith, type Outcome, refuseWith } from './outcome.ts';
import { countedLength, isValid, parentOf } from './path.ts';
import { accessFor, type Permissions } from './perms.ts';
import type { QuotaName } from './profiles.ts';
import type { Connection, XenStore } from './state.ts';
import type { Transaction } from './transaction.ts';
import type { NodeView } from './tree.ts';

/** A node, or why there is none. */
export type Found = { readonly node: NodeView } | { readonly errno: Errno };

/**
 * One request at work. It reads as tools/xenstore/xenstored_core.c does, in the same order, because the order of the first
 * accesses of a transaction is seen by others: in its conflicts, and in the order of its events.
 */
export class View {
  readonly store: XenStore;
  readonly connection: Connection;
  readonly transaction: Transaction | undefined;
  readonly privileged: boolean;
  /** What has happened so far; it holds even if the request is refused in the end. */
  readonly facts: XenstoreFact[] = [];
  private fresh: Set<string> | undefined;
  /** What the transaction's copies of those take. */
  private copied = 0;
  private spoiled = false;

  constructor(store: XenStore, connection: Connection, transaction: Transaction | undefined) {
    this.store = store;
    this.connection = connection;
    this.transaction = transaction;
    this.privileged = connection.domid === 0;
  }

  get tx(): number {
    return this.transaction?.id ?? 0;
  }

  accept(value?: Answer): Outcome {
    return acceptWith(this.facts, value);
  }
  refuse(errno: Errno): Outcome {
    return refuseWith(errno, this.facts);
  }

  /** The most of something that this connection's domain may have. */
  limit(name: QuotaName): number {
    return this.store.limitOf(this.connection.domid, name);
  }

  /** The absolute path, or undefined where it can not be a node's. */
  pathOf(path: string): string | undefined {
    const node = this.store.resolve(path, this.connection);
    return this.isNodePath(node) ? node : undefined;
  }

  isNodePath(node: string): boolean {
    if (!isValid(node)) return false;
    if (this.privileged && !this.store.profile.pathLimitForAll) return true;
    const most = this.limit('path-max');
    return node.length <= most || countedLength(node) <= most;
  }

  /** The node whatever its permissions, as read_node(). ENOENT; or ENOSPC, ENOMEM when the transaction has seen too many, or too much. */
  read(path: string): Found {
    const { transaction } = this;
    if (!transaction) return foundOr(this.store.node(path));
    const access = transaction.accesses.get(path);
    if (access) return foundOr(access.exists ? access : undefined);
    if (!this.fresh?.has(path)) {
      this.fresh ??= new Set();
      if (!this.privileged && transaction.accesses.size + this.fresh.size >= this.limit('transaction-nodes')) {
        this.spoil();
        return { errno: 'ENOSPC' };
      }
      const node = this.store.node(path);
      const bytes = node ? transaction.sizeOfCopy(path, node) : 0;
      if (this.lacksMemory(bytes)) {
        this.spoil();
        return { errno: 'ENOMEM' };
      }
      this.copied += bytes;
      this.fresh.add(path);
      this.facts.push({ type: 'xenstore.node_accessed', conn: this.connection.conn, tx: this.tx, path });
    }
    return foundOr(this.store.node(path));
  }

  /** The node if the connection may do all of `wanted` with it, as get_node(). Of a node that it may not know of, nothing is told. */
  get(path: string, wanted: number): Found {
    const found = this.read(path);
    if ('node' in found && (this.rights(found.node.perms) & wanted) === wanted) return found;
    const errno = 'node' in found ? 'EACCES' : found.errno;
    return { errno: errno === 'ENOSPC' || errno === 'ENOMEM' ? errno : this.errnoFromAncestors(path, errno, wanted) };
  }

  rights(perms: Permissions): number {
    return accessFor(this.store.subjectOf(this.connection), perms, this.store.incarnationOf);
  }

  /** The nearest ancestor that exists, as ask_parents(). */
  ancestor(path: string): { path: string; found: Found } {
    for (let at = parentOf(path); ; at = parentOf(at)) {
      const found = this.read(at);
      if ('node' in found || found.errno !== 'ENOENT' || at === '/') return { path: at, found };
    }
  }

  /** Whether a node of this content is too big for its domain, as in write_node_raw(). */
  isTooBig(perms: Permissions, bytes: number): boolean {
    if (this.privileged) return false;
    const { nodeHeader, permissionSize } = this.store.profile;
    return nodeHeader + permissionSize * perms.length + bytes > this.limit('node-size');
  }

  /** Whether its domain would take too much of the daemon's memory, as domain_memory_add(). */
  lacksMemory(bytes: number): boolean {
    if (this.privileged) return false;
    return this.store.memoryOf(this.connection.domid) + this.copied + bytes > this.limit('memory');
  }

  /** The transaction can no longer commit. */
  spoil(): void {
    if (!this.transaction || this.transaction.failed || this.spoiled) return;
    this.spoiled = true;
    this.facts.push({ type: 'xenstore.transaction_failed', conn: this.connection.conn, tx: this.tx });
  }

  private errnoFromAncestors(path: string, errno: Errno, wanted: number): Errno {
    const { found } = this.ancestor(path);
    if ('errno' in found) return found.errno;
    return this.rights(found.node.perms) & wanted ? errno : 'EACCES';
  }
}

const foundOr = (node: NodeView | undefined): Found => (node ? { node } : missing);
const missing: Found = { errno: 'ENOENT' };
