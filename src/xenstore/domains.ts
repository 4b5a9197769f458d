// Domains that come and go: tools/xenstore/xenstored_domain.c.
import { refuse } from '../../events/step.ts';
import type { XenstoreCommand, XenstoreFact } from '../../events/xenstore.ts';
import { fireSpecial } from './fire.ts';
import { removal } from './nodes.ts';
import { acceptWith, type Outcome } from './outcome.ts';
import type { Permissions } from './perms.ts';
import { type Connection, specials, type XenStore } from './state.ts';
import type { StoreNode } from './tree.ts';

/** What xenstored asks the hypervisor. */
export interface Domains {
  exists(domid: number): boolean;
}

type Introduce = Extract<XenstoreCommand, { readonly type: 'xenstore.introduce' }>;

/** INTRODUCE. Of a domain that is introduced already, the ring starts again: no event, no watches, no transactions. */
export function introduce(store: XenStore, { domid, mfn, port }: Introduce, domains: Domains): Outcome {
  if (port === 0) return refuse('EINVAL');
  const known = store.domains.get(domid);
  if (known?.introduced) {
    const ends = connectionEnds(store.connections.get(domid)!);
    return acceptWith([...ends, { type: 'xenstore.domain_reintroduced', domid, mfn, port }]);
  }
  if (!domains.exists(domid)) return refuse('EINVAL'); // Its ring can not be mapped.
  const facts: XenstoreFact[] = known ? [] : [{ type: 'xenstore.domain_noticed', domid }];
  facts.push({ type: 'xenstore.domain_introduced', domid, mfn, port });
  return acceptWith([...facts, ...fireSpecial(store, '@introduceDomain', domid)]);
}

/** A domain is released, or is no longer there: all that was its own goes with it. Nothing happens if it is not known. */
export function* domainGoes(store: XenStore, domid: number): Generator<XenstoreFact> {
  const domain = store.domains.get(domid);
  if (!domain || domid === 0) return;
  for (const connection of store.connectionsInOrder()) {
    if (connection.domid !== domid) continue;
    yield* connectionEnds(connection);
    // The ring goes with the domain, at the end.
    if (connection.conn !== domid) yield { type: 'xenstore.disconnected', conn: connection.conn };
  }

  for (const node of ownTrees(store, domid)) yield* removal(store, node, 0, domid);
  if (store.tree.root.perms[0]!.domid === domid)
    yield {
      type: 'xenstore.perms_set',
      conn: 0,
      tx: 0,
      path: '/',
      perms: store.permsOf(withoutDomain(store.tree.root.perms, domid)),
    };

  for (const special of specials) {
    const perms = store.specialPerms.get(special)!;
    if (perms.some((entry) => entry.domid === domid))
      yield { type: 'xenstore.perms_set', conn: 0, tx: 0, path: special, perms: store.permsOf(withoutDomain(perms, domid)) };
  }
  if (!domain.introduced) {
    yield { type: 'xenstore.domain_forgotten', domid };
    return;
  }
  yield { type: 'xenstore.domain_released', domid };
  const audience = [withoutDomain(store.specialPerms.get('@releaseDomain')!, domid)];
  yield* fireSpecial(store, '@releaseDomain', domid, { audience, without: domid });
}

/** A connection's watches and transactions end. */
export function* connectionEnds(connection: Connection): Generator<XenstoreFact> {
  const { conn } = connection;
  for (const { path, token } of connection.watchesInOrder()) yield { type: 'xenstore.watch_removed', conn, path, token };
  for (const { id } of connection.transactionsInOrder()) yield { type: 'xenstore.transaction_aborted', conn, tx: id };
}

/** The topmost nodes that a domain owns, in tree order. What others own below them goes too; the root stays. */
function ownTrees(store: XenStore, domid: number): StoreNode[] {
  const owned = store.tree.ownedBy(domid).filter(({ parent }) => parent);
  const mine = new Set(owned);
  const isBelow = (node: StoreNode): boolean => {
    for (let at = node.parent; at; at = at.parent) if (mine.has(at)) return true;
    return false;
  };
  return owned.filter((node) => !isBelow(node));
}

/** What is left of permissions when a domain goes: dom0 is the owner then, and entries for the domain go. */
const withoutDomain = (perms: Permissions, domid: number): Permissions => [
  perms[0]!.domid === domid ? { ...perms[0]!, domid: 0, since: 0 } : perms[0]!,
  ...perms.slice(1).filter((entry) => entry.domid !== domid),
];
