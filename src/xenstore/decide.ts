// What xenstored answers: docs/misc/xenstore.txt, tools/xenstore/xenstored_*.c. What is recorded in test/golden/xenstored decides.
import type { Errno } from '../../events/errno.ts';
import { accept, refuse } from '../../events/step.ts';
import type { RequestType, XenstoreCommand, XenstoreFact } from '../../events/xenstore.ts';
import { commit } from './commit.ts';
import { control } from './control.ts';
import { charged } from './credit.ts';
import { connectionEnds, type Domains, domainGoes, introduce } from './domains.ts';
import { fire, fireSpecial, PAYLOAD_MAX } from './fire.ts';
import { create, remove, setPerms, write } from './nodes.ts';
import { acceptWith, type Outcome } from './outcome.ts';
import { homeOf, isValid, parentOf } from './path.ts';
import { DOMID_ANY, GONE, OWNER, type Permission, parsePermission, READ, showPermission, WRITE } from './perms.ts';
import type { Profile } from './profiles.ts';
import { getFeature, getQuota, setFeature, setQuota } from './quota.ts';
import { requestTypeOf } from './request.ts';
import { type Connection, isSpecial, type XenStore } from './state.ts';
import { View } from './view.ts';
import { sizeOfWatch, watchKey } from './watches.ts';

/** A command that a client has sent. */
type Request = Exclude<XenstoreCommand, { readonly type: `xenstore.${'connect' | 'domain_shutdown' | 'domain_gone' | 'tick'}` }>;
type Of<T extends string> = Extract<XenstoreCommand, { readonly type: `xenstore.${T}` }>;

/**
 * Checks a request. Refused with the name that goes to the client, or, which never leaves the daemon, with ENOTCONN: there is no
 * such connection, or it is no longer listened to.
 */
export function decide(store: XenStore, command: XenstoreCommand, domains: Domains): Outcome {
  switch (command.type) {
    case 'xenstore.connect': {
      const { domid } = command;
      if (!store.domains.get(domid)?.introduced) return refuse('ENOENT');
      const conn = store.counters.lastSocket + 1;
      return accept({ conn }, { type: 'xenstore.connected', conn, domid });
    }
    case 'xenstore.domain_shutdown': {
      const { domid } = command;
      const domain = store.domains.get(domid);
      if (!domain?.introduced || domain.shutdown) return accept();
      return acceptWith([
        { type: 'xenstore.domain_shut_down', domid },
        ...fireSpecial(store, '@releaseDomain', domid, { first: 'one' }),
      ]);
    }
    case 'xenstore.domain_gone':
      return acceptWith(domainGoes(store, command.domid));
    case 'xenstore.tick':
      return command.ms > store.rate.clock_ms ? accept({}, { type: 'xenstore.clock_set', ms: command.ms }) : accept();
    default: {
      const connection = store.connections.get(command.conn);
      if (!connection || connection.ignored) return refuse('ENOTCONN');
      return charged(store, connection, transactionIdOf(command), decideRequest(store, connection, command, domains));
    }
  }
}

function decideRequest(store: XenStore, connection: Connection, command: Request, domains: Domains): Outcome {
  if (command.type === 'xenstore.malformed' && isUnsupported(store.profile, command.op)) return refuse('ENOSYS');
  if (connection.domid !== 0 && privileged.has(requestTypeOf(command))) return refuse('EACCES');
  const tx = transactionIdOf(command);
  const transaction = connection.transactions.get(tx);
  if (tx !== 0 && !transaction) return refuse('ENOENT');
  const view = new View(store, connection, transaction);

  switch (command.type) {
    case 'xenstore.disconnect':
      if (command.conn === connection.domid) return refuse('EINVAL'); // A ring goes with its domain.
      return acceptWith([...connectionEnds(connection), { type: 'xenstore.disconnected', conn: command.conn }]);
    case 'xenstore.ignore_connection': {
      const { conn } = command;
      const end: XenstoreFact =
        conn === connection.domid ? { type: 'xenstore.connection_ignored', conn } : { type: 'xenstore.disconnected', conn };
      return acceptWith([...connectionEnds(connection), end]);
    }

    case 'xenstore.connection_blocks':
      return connection.blocked ? accept() : accept({}, { type: 'xenstore.connection_blocked', conn: command.conn });
    case 'xenstore.connection_drains':
      return connection.blocked ? accept({}, { type: 'xenstore.connection_drained', conn: command.conn }) : accept();

    case 'xenstore.control':
      return control(store, command.args);
    case 'xenstore.get_feature':
      return getFeature(store, connection, command, domains);
    case 'xenstore.set_feature':
      return setFeature(store, command, domains);
    case 'xenstore.get_quota':
      return getQuota(store, command, domains);
    case 'xenstore.set_quota':
      return setQuota(store, command, domains);
    case 'xenstore.directory': {
      const found = look(view, command.path, READ);
      if ('errno' in found) return view.refuse(found.errno);
      // The reply holds the whole list or nothing; DIRECTORY_PART exists for the rest.
      return found.node.childBytes > PAYLOAD_MAX ? view.refuse('E2BIG') : view.accept({ children: found.node.names() });
    }
    case 'xenstore.directory_part':
      return directoryPart(view, command);
    case 'xenstore.read': {
      const found = look(view, command.path, READ);
      return 'errno' in found ? view.refuse(found.errno) : view.accept({ value: found.node.value });
    }
    case 'xenstore.get_perms': {
      if (store.profile.specialsAreNodes && command.path.startsWith('@')) {
        if (!isSpecial(command.path)) return view.refuse(noSpecial(view, command.path, READ));
        const perms = store.specialPerms.get(command.path)!;
        return view.rights(perms) & READ ? accept({ perms: store.showPerms(perms) }) : refuse('EACCES');
      }
      const found = look(view, command.path, READ);
      return 'errno' in found ? view.refuse(found.errno) : view.accept({ perms: store.showPerms(found.node.perms) });
    }
    case 'xenstore.write': {
      const found = look(view, command.path, WRITE);
      if ('errno' in found && found.errno !== 'ENOENT') return view.refuse(found.errno);
      const path = store.resolve(command.path, connection);
      const errno = 'node' in found ? write(view, path, found.node, command.value) : create(view, path, command.value);
      return errno ? view.refuse(errno) : view.accept();
    }
    case 'xenstore.mkdir': {
      const found = look(view, command.path, WRITE);
      if ('node' in found) return view.accept();
      if (found.errno !== 'ENOENT') return view.refuse(found.errno);
      const errno = create(view, store.resolve(command.path, connection), '');
      return errno ? view.refuse(errno) : view.accept();
    }
    case 'xenstore.rm':
      return rm(view, command);
    case 'xenstore.set_perms':
      return changePerms(view, command, domains);

    case 'xenstore.watch':
      return watch(view, command.path, command.token, -1);
    case 'xenstore.watch_depth':
      if (!store.profile.watchDepth || command.depth < 0) return refuse('EINVAL');
      return watch(view, command.path, command.token, command.depth);
    case 'xenstore.unwatch': {
      const node = store.resolve(command.path, connection);
      if (node.startsWith('@') ? !isSpecialPath(view, node) : !view.isNodePath(node)) return refuse(store.profile.unwatchBadPath);
      const { token } = command;
      const registered = connection.watches.get(watchKey(node, token));
      if (!registered) return refuse('ENOENT');
      return accept({}, { type: 'xenstore.watch_removed', conn: command.conn, path: registered.path, token });
    }
    case 'xenstore.reset_watches':
      return acceptWith(connectionEnds(connection));

    case 'xenstore.transaction_start': {
      if (transaction) return refuse('EBUSY');
      if (!view.privileged && connection.transactions.size >= view.limit('transactions')) return refuse('ENOSPC');
      const next = connection.lastTx + 1;
      return accept({ tx: next }, { type: 'xenstore.transaction_started', conn: command.conn, tx: next });
    }
    case 'xenstore.transaction_end': {
      if (!transaction) return refuse('ENOENT');
      const { conn } = command;
      if (!command.commit) return accept({}, { type: 'xenstore.transaction_aborted', conn, tx });
      return commit(store, transaction, domains);
    }

    case 'xenstore.introduce':
      return introduce(store, command, domains);
    case 'xenstore.release': {
      const errno = introducedGuest(store, command.domid);
      if (errno) return refuse(errno);
      return acceptWith(domainGoes(store, command.domid), { deferred: isNextAfter(store, connection, command.domid) });
    }
    case 'xenstore.resume': {
      const { domid } = command;
      const errno = introducedGuest(store, domid);
      return errno ? refuse(errno) : accept({}, { type: 'xenstore.domain_resumed', domid });
    }
    case 'xenstore.is_domain_introduced':
      return accept({ introduced: command.domid === DOMID_SELF || store.domains.get(command.domid)?.introduced === true });
    case 'xenstore.get_domain_path':
      return accept({ path: homeOf(command.domid) });
    case 'xenstore.set_target': {
      const { domid, target } = command;
      if (!store.domains.get(domid)?.introduced || !store.domains.get(target)?.introduced) return refuse('ENOENT');
      return accept({}, { type: 'xenstore.target_set', domid, target });
    }

    case 'xenstore.malformed':
      // What it features itself a guest may ask, of others it may not even ask wrongly.
      if (command.op === 'GET_FEATURE' && !view.privileged) return refuse('EACCES');
      return refuse(store.profile.notOneArgument(command.op));
    default:
      command satisfies never;
      return refuse('ENOSYS');
  }
}

/** The node of a path as the client wrote it, if it may do all of `wanted` with it. */
function look(view: View, path: string, wanted: number) {
  const node = view.pathOf(path);
  return node === undefined ? ({ errno: 'EINVAL' } as const) : view.get(node, wanted);
}

/** Whether a name with @ may be one of a watch. */
function isSpecialPath(view: View, path: string): boolean {
  if (!view.store.profile.specialsAreNodes) return path.length <= SPECIAL_MAX;
  return isValid(`/${path}`) && (view.privileged || path.length <= view.limit('path-max'));
}

/** What a name with @ is refused with that no special node has: as for a node that is missing, by what is above it. */
function noSpecial(view: View, path: string, wanted: number): Errno {
  if (!isSpecialPath(view, path)) return 'EINVAL';
  const { store } = view;
  let at = path;
  for (let slash = at.lastIndexOf('/'); slash >= 0; slash = at.lastIndexOf('/')) {
    at = at.slice(0, slash);
    if (isSpecial(at)) return view.rights(store.specialPerms.get(at)!) & wanted ? 'ENOENT' : 'EACCES';
  }
  return view.rights(store.tree.root.perms) & wanted ? 'ENOENT' : 'EACCES';
}

function directoryPart(view: View, { path, offset }: Of<'directory_part'>): Outcome {
  const found = look(view, path, READ);
  if ('errno' in found) return view.refuse(found.errno);
  const { generation, childBytes } = found.node;
  if (offset < 0 || offset >= childBytes) return view.accept({ generation, part: '\0' });

  const list = found.node.names().join('\0');
  const room = PAYLOAD_MAX - `${generation}`.length - 2;
  let end = offset;
  while (end < childBytes) {
    const nul = list.indexOf('\0', end);
    const next = (nul < 0 ? list.length : nul) + 1;
    if (next - 1 - offset >= room) break;
    end = next;
  }
  // The last name of `list` has no NUL of its own; after the last of all comes an empty one.
  return view.accept({ generation, part: end === childBytes ? `${list.slice(offset)}\0\0` : list.slice(offset, end) });
}

function rm(view: View, { path }: Of<'rm'>): Outcome {
  const found = look(view, path, WRITE);
  const node = view.store.resolve(path, view.connection);
  if ('node' in found) {
    const errno = node === '/' ? 'EINVAL' : remove(view, node);
    return errno ? view.refuse(errno) : view.accept();
  }
  if (found.errno !== 'ENOENT') return view.refuse(found.errno);
  const parent = view.read(parentOf(node));
  return 'errno' in parent ? view.refuse(parent.errno) : view.accept();
}

function changePerms(view: View, command: Of<'set_perms'>, domains: Domains): Outcome {
  const { store } = view;
  if (command.perms.length === 0) return refuse('EINVAL');
  if (!view.privileged && command.perms.length > view.limit('node-permissions')) return refuse('ENOSPC');
  const perms: Permission[] = [];
  let incarnation = store.counters.incarnations;
  const noticed = new Map<number, number>();
  for (const text of command.perms) {
    const entry = parsePermission(text);
    if (!entry) return refuse('EINVAL');
    const { domid } = entry;
    if (domid > 0 && !store.domains.has(domid) && !noticed.has(domid) && domains.exists(domid)) noticed.set(domid, ++incarnation);
    perms.push({ ...entry, since: noticed.get(domid) ?? store.incarnationOf(domid) });
  }
  // From here on xenstored follows these domains, whatever becomes of the request.
  for (const domid of noticed.keys()) view.facts.push({ type: 'xenstore.domain_noticed', domid });
  const owner = perms[0]!;
  if (owner.since === GONE || owner.domid === DOMID_ANY) return view.refuse('ENOENT');
  const texts = perms.map((entry) => (entry.since === GONE ? `${showPermission(entry)}-` : showPermission(entry)));

  if (command.path.startsWith('@')) {
    const areNodes = store.profile.specialsAreNodes;
    if (!isSpecial(command.path)) return view.refuse(areNodes ? noSpecial(view, command.path, WRITE | OWNER) : 'EINVAL');
    const old = store.specialPerms.get(command.path)!;
    if ((view.rights(old) & (WRITE | OWNER)) !== (WRITE | OWNER)) return view.refuse('EACCES');
    if (areNodes && !view.privileged && owner.domid !== old[0]!.domid) return view.refuse('EPERM');
    const { path, conn } = command;
    view.facts.push({ type: 'xenstore.perms_set', conn, tx: 0, path, perms: texts });
    if (store.profile.specialsAreNodes) for (const event of fire(store, path, true, [old, perms])) view.facts.push(event);
    return view.accept();
  }

  const found = look(view, command.path, WRITE | OWNER);
  if ('errno' in found) return view.refuse(found.errno);
  if (!view.privileged && owner.domid !== found.node.perms[0]!.domid) return view.refuse('EPERM');
  const errno = setPerms(view, store.resolve(command.path, view.connection), found.node, perms, texts);
  return errno ? view.refuse(errno) : view.accept();
}

function watch(view: View, path: string, token: string, depth: number): Outcome {
  const { store, connection } = view;
  const node = store.resolve(path, connection);
  if (node.startsWith('@') ? !isSpecialPath(view, node) : !view.isNodePath(node)) return refuse('EINVAL');
  if (connection.watches.has(watchKey(node, token))) return refuse('EEXIST');
  if (!view.privileged && connection.watches.size >= view.limit('watches')) return refuse(store.profile.tooManyWatches);
  if (view.lacksMemory(sizeOfWatch({ node, token }))) return refuse('ENOMEM');
  const { conn } = connection;
  const registered: XenstoreFact = { type: 'xenstore.watch_registered', conn, path, token, depth };
  // It fires at once, so that the watcher looks at what is there.
  const isSent = path.length + token.length + 2 <= PAYLOAD_MAX;
  return isSent
    ? accept<XenstoreFact>({}, registered, { type: 'xenstore.watch_fired', conn, path, token })
    : accept({}, registered);
}

/**
 * Whether a domain's ring is the next connection that xenstored will look at. It holds on to that one while it serves this request,
 * so that the domain's end, with all its events, comes after the reply.
 */
function isNextAfter(store: XenStore, connection: Connection, domid: number): boolean {
  const order = store.connections.get(domid)!.order;
  if (order < connection.order) return false;
  for (const other of store.connections.values()) if (other.order > connection.order && other.order < order) return false;
  return true;
}

/** A domain id that RELEASE and RESUME take: not dom0's. */
function introducedGuest(store: XenStore, domid: number): Errno | undefined {
  if (domid === 0) return 'EINVAL';
  return store.domains.get(domid)?.introduced ? undefined : 'ENOENT';
}

const SPECIAL_MAX = 2048;
const DOMID_SELF = 0x7ff0;

/** Only dom0 may ask for these (XS_FLAG_PRIV in xenstored_core.c). */
const privileged: ReadonlySet<RequestType | undefined> = new Set<RequestType>([
  'CONTROL',
  'INTRODUCE',
  'RELEASE',
  'IS_DOMAIN_INTRODUCED',
  'RESUME',
  'SET_TARGET',
  'SET_FEATURE',
  'GET_QUOTA',
  'SET_QUOTA',
]);
const unknown: ReadonlySet<RequestType> = new Set<RequestType>(['WATCH_EVENT', 'ERROR', 'RESTRICT', 'unknown']);
const later: ReadonlySet<RequestType> = new Set<RequestType>(['GET_FEATURE', 'SET_FEATURE', 'GET_QUOTA', 'SET_QUOTA']);
const isUnsupported = (profile: Profile, op: RequestType): boolean =>
  unknown.has(op) || (!profile.quotaRequests && later.has(op));

/** The transaction of a request; WATCH and UNWATCH take no notice of one (XS_FLAG_NOTID). */
const transactionIdOf = (command: Request): number =>
  'tx' in command && !(command.type === 'xenstore.malformed' && (command.op === 'WATCH' || command.op === 'UNWATCH'))
    ? command.tx
    : 0;
