// Applies facts to XenStore.
import type { XenstoreFact } from '../../events/xenstore.ts';
import { BURST, earned, NEVER } from './credit.ts';
import { readPermissions } from './perms.ts';
import { Connection, isSpecial, type XenStore } from './state.ts';
import { Transaction } from './transaction.ts';
import { sizeOfEvent, sizeOfWatch, type Watch, watchKey } from './watches.ts';

/** Applies a fact. Total; the only writer of this slice. */
export function evolve(store: XenStore, event: XenstoreFact, _seq: number): void {
  const { undo, tree, counters } = store;
  switch (event.type) {
    case 'xenstore.connected':
      undo.assign(counters, 'lastSocket', event.conn);
      addConnection(store, event.conn, event.domid);
      return;
    case 'xenstore.disconnected':
      undo.drop(store.connections, event.conn);
      return;
    case 'xenstore.connection_ignored':
      undo.assign(store.connections.get(event.conn)!, 'ignored', true);
      return;

    case 'xenstore.transaction_started': {
      const connection = store.connections.get(event.conn)!;
      undo.assign(connection, 'lastTx', event.tx);
      const generation = nextGeneration(store);
      undo.put(connection.transactions, event.tx, new Transaction(event.conn, event.tx, generation, store.profile));
      undo.assign(store.rate, 'transactions', store.rate.transactions + 1);
      return;
    }
    case 'xenstore.node_accessed': {
      const origin = tree.get(event.path);
      const access = transactionOf(store, event).access(undo, event.path, origin);
      if (origin) tree.hold(origin, access);
      return;
    }
    case 'xenstore.watch_queued':
      transactionOf(store, event).queue(undo, event.path, event.exact);
      return;
    case 'xenstore.transaction_failed':
      undo.assign(transactionOf(store, event), 'failed', true);
      return;
    case 'xenstore.transaction_committed':
    case 'xenstore.transaction_aborted': {
      for (const access of transactionOf(store, event).accesses.values()) if (access.origin) tree.release(access.origin, access);
      undo.drop(store.connections.get(event.conn)!.transactions, event.tx);
      undo.assign(store.rate, 'transactions', store.rate.transactions - 1);
      return;
    }

    case 'xenstore.node_created': {
      const { path, value } = event;
      const content = { value, perms: readPermissions(event.perms, store.incarnationOf), generation: nextGeneration(store) };
      if (event.tx !== 0) {
        transactionOf(store, event).create(undo, path, content);
        return;
      }
      undo.assign(counters, 'births', counters.births + 1);
      tree.create(path, content, counters.births);
      return;
    }
    case 'xenstore.node_written':
      if (event.tx !== 0) transactionOf(store, event).write(undo, event.path, event.value, nextGeneration(store));
      else tree.write(tree.get(event.path)!, event.value, nextGeneration(store));
      return;
    case 'xenstore.node_removed':
      if (event.tx !== 0) transactionOf(store, event).remove(undo, event.path, nextGeneration(store));
      else tree.remove(tree.get(event.path)!, nextGeneration(store));
      return;
    case 'xenstore.perms_set': {
      const perms = readPermissions(event.perms, store.incarnationOf);
      if (isSpecial(event.path)) undo.put(store.specialPerms, event.path, perms);
      else if (event.tx !== 0) transactionOf(store, event).setPerms(undo, event.path, perms, nextGeneration(store));
      else tree.setPerms(tree.get(event.path)!, perms, nextGeneration(store));
      return;
    }

    case 'xenstore.watch_registered': {
      const connection = store.connections.get(event.conn)!;
      const { conn, path, token, depth } = event;
      const node = store.resolve(path, connection);
      const watch: Watch = { conn, connOrder: connection.order, order: arrive(store), path, node, token, depth };
      undo.put(connection.watches, watchKey(node, token), watch);
      undo.assign(connection, 'bytes', connection.bytes + sizeOfWatch(watch));
      store.watches.add(watch);
      return;
    }
    case 'xenstore.watch_removed': {
      const connection = store.connections.get(event.conn)!;
      const key = watchKey(store.resolve(event.path, connection), event.token);
      const watch = connection.watches.get(key)!;
      undo.assign(connection, 'bytes', connection.bytes - sizeOfWatch(watch));
      store.watches.remove(watch);
      undo.drop(connection.watches, key);
      return;
    }
    case 'xenstore.watch_fired': {
      // It is on its way, and forgotten, unless its reader has stopped reading.
      const connection = store.connections.get(event.conn)!;
      const key = connection.blocked ? watchKey(event.path, event.token) : undefined;
      if (key === undefined || connection.unread.has(key)) return;
      undo.include(connection.unread, key);
      undo.assign(connection, 'bytes', connection.bytes + sizeOfEvent(key));
      return;
    }
    case 'xenstore.connection_blocked':
      undo.assign(store.connections.get(event.conn)!, 'blocked', true);
      return;
    case 'xenstore.connection_drained': {
      const connection = store.connections.get(event.conn)!;
      undo.assign(connection, 'blocked', false);
      for (const key of [...connection.unread]) {
        undo.exclude(connection.unread, key);
        undo.assign(connection, 'bytes', connection.bytes - sizeOfEvent(key));
      }
      return;
    }

    case 'xenstore.domain_noticed': {
      undo.assign(counters, 'incarnations', counters.incarnations + 1);
      undo.put(store.domains, event.domid, store.newDomain(event.domid, counters.incarnations));
      return;
    }
    case 'xenstore.domain_forgotten':
      undo.drop(store.domains, event.domid);
      return;
    case 'xenstore.domain_introduced':
    case 'xenstore.domain_reintroduced': {
      const domain = store.domains.get(event.domid)!;
      undo.assign(domain, 'mfn', event.mfn);
      undo.assign(domain, 'port', event.port);
      undo.assign(domain, 'introduced', true);
      if (event.type === 'xenstore.domain_reintroduced') return;
      addConnection(store, event.domid, event.domid);
      undo.assign(store.rate, 'domains', store.rate.domains + 1);
      return;
    }
    case 'xenstore.domain_released':
      undo.drop(store.connections, event.domid);
      undo.drop(store.domains, event.domid);
      undo.assign(store.rate, 'domains', store.rate.domains - 1);
      return;
    case 'xenstore.domain_shut_down':
      undo.assign(store.domains.get(event.domid)!, 'shutdown', true);
      return;
    case 'xenstore.domain_resumed':
      undo.assign(store.domains.get(event.domid)!, 'shutdown', false);
      return;
    case 'xenstore.target_set':
      undo.assign(store.domains.get(event.domid)!, 'target', event.target);
      return;
    case 'xenstore.feature_set':
      undo.assign(store.domains.get(event.domid)!, 'features', event.features);
      return;
    case 'xenstore.quota_set': {
      const holder = event.domid < 0 ? store.settings : store.domains.get(event.domid)!;
      undo.assign(holder, 'quotas', { ...holder.quotas, [event.name]: event.value });
      return;
    }
    case 'xenstore.trace_set':
      undo.assign(store.settings, 'traces', [...event.switches]);
      return;
    case 'xenstore.clock_set':
      undo.assign(store.rate, 'clock_ms', event.ms);
      return;
    case 'xenstore.write_charged': {
      const domain = store.domains.get(event.domid)!;
      undo.assign(domain, 'credit', event.credit);
      undo.assign(domain, 'credited_ms', event.at_ms);
      undo.assign(store.rate, 'reserve', event.reserve);
      return;
    }
    case 'xenstore.credits_counted': {
      for (const domain of store.domains.values()) {
        if (domain.credited_ms === NEVER) continue;
        const { credit } = earned(store, domain, event.at_ms);
        undo.assign(domain, 'credit', credit);
        undo.assign(domain, 'credited_ms', credit === BURST ? NEVER : event.at_ms);
      }
      undo.assign(store.rate, 'reserve', event.reserve);
      undo.assign(store.rate, 'counted_ms', event.at_ms);
      return;
    }
    default:
      event satisfies never;
  }
}

const transactionOf = (store: XenStore, { conn, tx }: { conn: number; tx: number }): Transaction =>
  store.connections.get(conn)!.transactions.get(tx)!;

/** The number of this change: a node has that of its last. */
function nextGeneration(store: XenStore): number {
  store.undo.assign(store.counters, 'generation', store.counters.generation + 1);
  return store.counters.generation;
}

function arrive(store: XenStore): number {
  store.undo.assign(store.counters, 'arrivals', store.counters.arrivals + 1);
  return store.counters.arrivals;
}

const addConnection = (store: XenStore, conn: number, domid: number): void =>
  store.undo.put(store.connections, conn, new Connection(conn, domid, arrive(store)));
