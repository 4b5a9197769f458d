// Changes of nodes, as facts: inside a transaction they are queued, outside their watches fire at once.
import type { Errno } from '../../events/errno.ts';
import type { XenstoreFact } from '../../events/xenstore.ts';
import { type Audience, fire } from './fire.ts';
import { childOf, nameOf, parentOf } from './path.ts';
import type { Permissions } from './perms.ts';
import type { XenStore } from './state.ts';
import type { NodeView, StoreNode } from './tree.ts';
import type { View } from './view.ts';

/** Writes an existing node. ENOSPC: it would be too big; ENOMEM: its domain would take too much. */
export function write(view: View, path: string, node: NodeView, value: string): Errno | undefined {
  if (view.isTooBig(node.perms, value.length + node.childBytes)) {
    view.spoil();
    return 'ENOSPC';
  }
  if (view.lacksMemory(value.length - node.value.length)) {
    view.spoil();
    return 'ENOMEM';
  }
  view.facts.push({ type: 'xenstore.node_written', conn: view.connection.conn, tx: view.tx, path, value });
  changed(view, path, [node.perms, parentPerms(view, path)]);
  return undefined;
}

/** Creates a node and the parents that it lacks, with the permissions of the nearest that exists: create_node(). */
export function create(view: View, path: string, value: string): Errno | undefined {
  const { path: existing, found } = view.ancestor(path);
  if ('errno' in found) return found.errno;
  const { node: parent } = found;

  const { connection, store } = view;
  const perms = [...parent.perms];
  if (!view.privileged) perms[0] = { ...perms[0]!, domid: connection.domid };
  const paths = [path];
  while (parentOf(paths[0]!) !== existing) paths.unshift(parentOf(paths[0]!));

  const errno = checkQuota(view, paths, perms, value.length, parent);
  if (errno) return errno;
  const texts = store.permsOf(perms);
  for (const at of paths)
    view.facts.push({
      type: 'xenstore.node_created',
      conn: connection.conn,
      tx: view.tx,
      path: at,
      value: at === path ? value : '',
      perms: texts,
    });
  changed(view, path, [perms, paths.length > 1 ? perms : parent.perms]);
  return undefined;
}

/** Removes a node and all below it, children first: rm_node(). */
export function remove(view: View, path: string): Errno | undefined {
  if (!view.transaction) {
    for (const fact of removal(view.store, view.store.node(path)!, view.connection.conn)) view.facts.push(fact);
    return undefined;
  }
  const parent = view.read(parentOf(path));
  if ('errno' in parent) return parent.errno === 'ENOENT' ? 'EINVAL' : parent.errno;
  const where = { conn: view.connection.conn, tx: view.tx };
  const gone = new Set<string>();
  const leave = (at: string): boolean => {
    const found = view.read(at);
    if ('errno' in found || gone.has(at)) return false;
    for (const name of found.node.names()) if (!leave(childOf(at, name))) return false;
    gone.add(at);
    view.facts.push({ type: 'xenstore.node_removed', ...where, path: at });
    view.facts.push({ type: 'xenstore.watch_queued', ...where, path: at, exact: at !== path });
    return true;
  };
  // Lists and nodes of a transaction do not agree where others changed them between two looks. It can not commit any more.
  return leave(path) && parent.node.lists(nameOf(path)) ? undefined : 'EIO';
}

/** Sets permissions, which are in the fact as `texts`. */
export function setPerms(
  view: View,
  path: string,
  node: NodeView,
  perms: Permissions,
  texts: readonly string[],
): Errno | undefined {
  if (view.isTooBig(perms, node.value.length + node.childBytes)) {
    view.spoil();
    return 'ENOSPC';
  }
  if (view.lacksMemory((perms.length - node.perms.length) * view.store.profile.permissionSize)) {
    view.spoil();
    return 'ENOMEM';
  }
  view.facts.push({ type: 'xenstore.perms_set', conn: view.connection.conn, tx: view.tx, path, perms: texts });
  changed(view, path, [node.perms, perms, parentPerms(view, path)]);
  return undefined;
}

/** The removal of a node of the store and of all below it, children first; each is known of by watches on it, the last one also above. */
export function* removal(store: XenStore, root: StoreNode, conn: number, without?: number): Generator<XenstoreFact> {
  function* leave(node: StoreNode): Generator<XenstoreFact> {
    for (const child of node.childNodes()) yield* leave(child);
    yield { type: 'xenstore.node_removed', conn, tx: 0, path: node.path };
    yield* fire(store, node.path, node !== root, [node.perms, node.parent?.perms], without);
  }
  yield* leave(root);
}

/** Of a node outside of any transaction; its own, in one, do not matter before it commits. */
const parentPerms = (view: View, path: string): Permissions | undefined => {
  const { parent } = view.store.node(path) ?? {};
  return (parent ?? view.store.node(parentOf(path)))?.perms;
};

function changed(view: View, path: string, audience: Audience): void {
  if (view.transaction)
    view.facts.push({ type: 'xenstore.watch_queued', conn: view.connection.conn, tx: view.tx, path, exact: false });
  else for (const event of fire(view.store, path, false, audience)) view.facts.push(event);
}

/**
 * Whether a domain may have these new nodes. Xen writes them from the last to the first, so that is how they are counted;
 * a transaction's own nodes are counted when it commits.
 */
function checkQuota(
  view: View,
  paths: readonly string[],
  perms: Permissions,
  bytes: number,
  parent: NodeView,
): Errno | undefined {
  if (view.privileged) return undefined;
  const had = view.store.tree.countOf(view.connection.domid);
  let below = '';
  for (let i = paths.length - 1; i >= 0; i--) {
    const written = paths.length - 1 - i;
    if (had + (view.transaction ? 0 : written) >= view.limit('nodes')) {
      if (written > 0) view.spoil();
      return 'ENOSPC';
    }
    if (view.isTooBig(perms, below === '' ? bytes : below.length + 1)) {
      view.spoil();
      return 'ENOSPC';
    }
    below = nameOf(paths[i]!);
  }
  if (view.isTooBig(parent.perms, parent.value.length + parent.childBytes + below.length + 1)) {
    view.spoil();
    return 'ENOSPC';
  }
  const { nodeHeader, permissionSize } = view.store.profile;
  const names = paths.reduce((sum, path) => sum + path.length + nameOf(path).length + 1, 0);
  if (!view.lacksMemory(names + paths.length * (nodeHeader + permissionSize * perms.length) + bytes)) return undefined;
  view.spoil();
  return 'ENOMEM';
}
