// The end of a transaction that commits: finalize_transaction() in tools/xenstore/xenstored_transaction.c.
import type { XenstoreFact } from '../../events/xenstore.ts';
import type { Domains } from './domains.ts';
import { fire } from './fire.ts';
import { acceptWith, type Outcome, refuseWith } from './outcome.ts';
import { parentOf } from './path.ts';
import type { Permissions } from './perms.ts';
import type { XenStore } from './state.ts';
import { type Access, NO_GENERATION, type Transaction } from './transaction.ts';

/**
 * TRANSACTION_END with commit. Refused with ENOMEM after an error that spoiled it, or where a new owner is gone; with ENOSPC for too
 * many nodes; with EAGAIN where somebody changed what it has seen. Either way it is over.
 */
export function commit(store: XenStore, transaction: Transaction, domains: Domains): Outcome {
  const { conn, id: tx } = transaction;
  const aborted: XenstoreFact = { type: 'xenstore.transaction_aborted', conn, tx };
  if (transaction.failed) return refuseWith('ENOMEM', [aborted]);

  const limited = transaction.births > 0 && store.connections.get(conn)!.domid !== 0;
  const noticed: XenstoreFact[] = [];
  for (const [domid, change] of [...transaction.owned].sort(([a], [b]) => a - b)) {
    if (!store.domains.has(domid)) {
      if (!domains.exists(domid)) return refuseWith('ENOMEM', [aborted, ...noticed]);
      noticed.push({ type: 'xenstore.domain_noticed', domid });
    }
    if (limited && domid !== 0 && store.tree.countOf(domid) + change >= quotaAtCommit(store, domid))
      return refuseWith('ENOSPC', [aborted, ...noticed]);
  }
  for (const { path, expected } of transaction.accesses.values())
    if ((store.node(path)?.generation ?? NO_GENERATION) !== expected) return refuseWith('EAGAIN', [aborted, ...noticed]);
  return acceptWith([{ type: 'xenstore.transaction_committed', conn, tx }, ...noticed, ...changes(store, transaction)]);
}

/** All versions compare with >= here. */
function quotaAtCommit(store: XenStore, domid: number): number {
  return store.limitOf(domid, 'nodes') - store.profile.slack.nodes;
}

/** What becomes of the store: its changes with `tx` 0, then the events, in the order in which the transaction came to the nodes. */
function* changes(store: XenStore, transaction: Transaction): Generator<XenstoreFact> {
  const { conn } = transaction;
  const accesses = [...transaction.accesses.values()].filter(({ modified }) => modified);
  const touched = new Set<string>();

  // Children go before their parents, whose paths are shorter, and come after them.
  const removed = accesses.filter((access) => access.origin && (!access.exists || access.born > 0));
  for (const { path } of removed.sort((a, b) => b.path.length - a.path.length || a.index - b.index)) {
    touched.add(parentOf(path));
    yield { type: 'xenstore.node_removed', conn, tx: 0, path };
  }
  const created = accesses.filter((access) => access.exists && access.born > 0);
  for (const { path, value, perms } of created.sort((a, b) => a.born - b.born)) {
    touched.add(parentOf(path));
    yield { type: 'xenstore.node_created', conn, tx: 0, path, value, perms: store.permsOf(perms) };
  }
  for (const { path, value, perms, exists, born, written, permsSet } of accesses) {
    if (!exists || born > 0) continue;
    if (permsSet) yield { type: 'xenstore.perms_set', conn, tx: 0, path, perms: store.permsOf(perms) };
    // A child that came and went has changed the parent, though nothing of it is left to see.
    if (written || !(permsSet || touched.has(path))) yield { type: 'xenstore.node_written', conn, tx: 0, path, value };
  }
  yield* events(store, transaction, accesses);
}

function* events(store: XenStore, transaction: Transaction, accesses: readonly Access[]): Generator<XenstoreFact> {
  for (const access of accesses) {
    if (access.queued === 'none') continue;
    // Xen writes and fires node by node: a parent that comes later is still as it was.
    const parent = transaction.accesses.get(parentOf(access.path));
    const parentNow: Permissions | undefined =
      parent?.modified && parent.index <= access.index
        ? parent.exists
          ? parent.perms
          : undefined
        : store.node(parentOf(access.path))?.perms;
    yield* fire(
      store,
      access.path,
      access.queued === 'exact',
      access.exists ? [access.before, access.perms, parentNow] : [access.before],
    );
  }
}
