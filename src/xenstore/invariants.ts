// What always holds for XenStore.
import { BURST, MOST_RESERVE, NEVER } from './credit.ts';
import { nameOf, parentOf } from './path.ts';
import { accessFor, READ } from './perms.ts';
import type { QuotaName, Quotas } from './profiles.ts';
import { changedQuotas, type XenStore } from './state.ts';
import { sizeOfEvent, sizeOfWatch, watchKey } from './watches.ts';

/** Yields a line for every violation, naming the objects at fault; silence means that it holds. */
export type Invariant = (store: XenStore) => Generator<string>;

export const invariants: Readonly<Record<string, Invariant>> = {
  *'xenstore.parentListsItsChildren'({ tree }) {
    for (const [path, node] of tree.nodes) {
      if (node.path !== path) yield `${path} holds the node ${node.path}`;
      if (path === '/') continue;
      const parent = tree.get(parentOf(path));
      if (parent !== node.parent) yield `${path} has another parent than ${parentOf(path)}`;
      if (parent?.children?.get(nameOf(path)) !== node) yield `${path} is no child of its parent`;
    }
    for (const node of tree.root.walk())
      if (tree.get(node.path) !== node) yield `${node.path} is listed by its parent and not there`;
  },

  *'xenstore.childListLengthIsCounted'({ tree }) {
    for (const node of tree.nodes.values()) {
      const length = node.names().reduce((sum, name) => sum + name.length + 1, 0);
      if (length !== node.childBytes) yield `${node.path} has ${length} bytes of child names, counted ${node.childBytes}`;
    }
  },

  *'xenstore.childrenAreInOrderOfBirth'({ tree }) {
    for (const node of tree.nodes.values()) {
      let last = -1;
      for (const child of node.childNodes()) {
        if (child.birth <= last) yield `${child.path} is listed after a younger one`;
        last = child.birth;
      }
    }
  },

  *'xenstore.ownersAreCounted'({ tree }) {
    const counts = new Map<number, number>();
    for (const node of tree.nodes.values()) counts.set(node.perms[0]!.domid, (counts.get(node.perms[0]!.domid) ?? 0) + 1);
    for (const [domid, count] of counts)
      if (tree.countOf(domid) !== count) yield `d${domid} owns ${count} nodes, counted ${tree.countOf(domid)}`;
  },

  *'xenstore.ownerIsKnown'({ tree, domains }) {
    for (const node of tree.nodes.values())
      if (!domains.has(node.perms[0]!.domid)) yield `${node.path} belongs to d${node.perms[0]!.domid}`;
  },

  *'xenstore.watchIndexAgreesWithWatches'({ watches, connections }) {
    let indexed = 0;
    for (const watch of watches) {
      indexed++;
      const known = connections.get(watch.conn)?.watches.get(watchKey(watch.node, watch.token));
      if (known !== watch) yield `the index has ${watch.node} ${watch.token} of connection ${watch.conn}, which it has not`;
    }
    let registered = 0;
    for (const connection of connections.values()) registered += connection.watches.size;
    if (indexed !== registered) yield `${registered} watches, ${indexed} in the index`;
  },

  *'xenstore.introducedHasItsRing'({ domains, connections }) {
    for (const { domid, introduced } of domains.values())
      if (introduced !== connections.has(domid))
        yield `d${domid} is ${introduced ? '' : 'not '}introduced, against its connection`;
    for (const { conn, domid } of connections.values())
      if (!domains.get(domid)?.introduced) yield `connection ${conn} is of d${domid}, which is not introduced`;
  },

  *'xenstore.quotaNeverExceeded'(store) {
    // Who has less than at first may still have what was allowed before.
    const isChanged = (quotas: Quotas): boolean => changedQuotas(quotas, store.profile).length > 0;
    if (isChanged(store.settings.quotas)) return;
    for (const { conn, domid, watches, transactions } of store.connections.values()) {
      const limit = (name: QuotaName): number => store.limitOf(domid, name);
      if (domid === 0 || isChanged(store.domains.get(domid)!.quotas)) continue;
      if (watches.size > limit('watches')) yield `connection ${conn} has ${watches.size} watches`;
      if (transactions.size > limit('transactions')) yield `connection ${conn} has ${transactions.size} transactions`;
      for (const { id, accesses } of transactions.values())
        if (accesses.size > limit('transaction-nodes'))
          yield `transaction ${id} of connection ${conn} has seen ${accesses.size} nodes`;
    }
  },

  *'xenstore.memoryIsCounted'({ tree, connections, profile }) {
    const bytes = new Map<number, number>();
    for (const { path, value, perms, childBytes } of tree.nodes.values()) {
      const size = path.length + profile.nodeHeader + profile.permissionSize * perms.length + value.length + childBytes;
      bytes.set(perms[0]!.domid, (bytes.get(perms[0]!.domid) ?? 0) + size);
    }
    for (const [domid, sum] of bytes)
      if (tree.bytesOf(domid) !== sum) yield `the nodes of d${domid} take ${sum} bytes, counted ${tree.bytesOf(domid)}`;
    for (const { conn, watches, unread, transactions, bytes: counted } of connections.values()) {
      let sum = 0;
      for (const watch of watches.values()) sum += sizeOfWatch(watch);
      for (const event of unread) sum += sizeOfEvent(event);
      if (sum !== counted) yield `connection ${conn} takes ${sum} bytes, counted ${counted}`;
      for (const transaction of transactions.values()) {
        let copies = 0;
        for (const access of transaction.accesses.values())
          if (access.exists) copies += transaction.sizeOfCopy(access.path, access);
        if (copies !== transaction.bytes)
          yield `transaction ${transaction.id} of ${conn} takes ${copies} bytes, counted ${transaction.bytes}`;
      }
    }
  },

  *'xenstore.openTransactionsAreCounted'({ connections, domains, rate }) {
    let open = 0;
    for (const { transactions } of connections.values()) open += transactions.size;
    if (open !== rate.transactions) yield `${open} transactions are open, counted ${rate.transactions}`;
    let there = 0;
    for (const { introduced } of domains.values()) if (introduced) there++;
    if (there !== rate.domains) yield `${there} domains are introduced, counted ${rate.domains}`;
  },

  *'xenstore.creditIsBounded'({ domains, rate }) {
    const { reserve, counted_ms, clock_ms } = rate;
    if (reserve < 0 || reserve > MOST_RESERVE) yield `${reserve} thousandths of a write are in reserve`;
    if (counted_ms > clock_ms) yield `credits were counted at ${counted_ms} ms, and it is ${clock_ms} ms`;
    for (const { domid, credit, credited_ms } of domains.values()) {
      if (credit > BURST || (credited_ms === NEVER && credit !== BURST)) yield `d${domid} has ${credit} thousandths of a write`;
      if (credited_ms !== NEVER && credited_ms < counted_ms) yield `d${domid} was left out when credits were counted`;
    }
  },

  *'xenstore.onlyTheBlockedHaveUnreadEvents'({ connections }) {
    for (const { conn, blocked, unread } of connections.values())
      if (!blocked && unread.size > 0) yield `connection ${conn} reads, and ${unread.size} events wait for it`;
  },

  *'xenstore.transactionsHoldWhatTheyRelyOn'({ tree, connections }) {
    for (const { conn, transactions } of connections.values())
      for (const { id, accesses } of transactions.values())
        for (const access of accesses.values()) {
          if (access.origin && !access.origin.holders?.has(access))
            yield `${access.path} is not held by transaction ${id} of ${conn}`;
          const now = tree.get(access.path);
          if (now && now === access.origin && now.generation === access.expected && access.frozen)
            yield `${access.path} is unchanged, and transaction ${id} of ${conn} has kept an old child list`;
        }
  },

  *'xenstore.dom0SeesEverything'(store) {
    const who = store.subjectOf(store.connections.get(0)!);
    for (const node of store.tree.nodes.values())
      if (!(accessFor(who, node.perms, store.incarnationOf) & READ)) yield `${node.path} is hidden from dom0`;
  },
};
