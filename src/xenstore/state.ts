// The state of XenStore: the tree, connections with their watches and transactions, and the domains that xenstored knows of.
import { FIRST_SOCKET } from '../../events/xenstore.ts';
import type { Journal } from '../tables/journal.ts';
import { mix } from '../tables/table.ts';
import { BURST, NEVER } from './credit.ts';
import { hashText } from './hash.ts';
import { absolute } from './path.ts';
import {
  DOMID_ANY,
  GONE,
  hashPermissions,
  type Permissions,
  readPermissions,
  type Subject,
  showPermission,
  writePermissions,
} from './perms.ts';
import { type Profile, profiles, type QuotaName, type Quotas, quotaNames } from './profiles.ts';
import { Access, Transaction } from './transaction.ts';
import { type SavedNode, type StoreNode, Tree } from './tree.ts';
import { Undoable } from './undo.ts';
import { sizeOfEvent, sizeOfWatch, type Watch, WatchIndex, watchKey } from './watches.ts';

/** A client: the ring of a domain, or a socket of one. */
export class Connection {
  readonly conn: number;
  readonly domid: number;
  /** When it came, among connections and watches. */
  readonly order: number;
  /** It sent what can not be framed, and is no longer listened to. */
  ignored = false;
  /** The last transaction id given out. */
  lastTx = 0;
  /** It does not read what it is sent; the events that wait for it since then, as `watchKey` has them. */
  blocked = false;
  readonly unread = new Set<string>();
  /** What its watches take, and the events that wait. */
  bytes = 0;
  readonly watches = new Map<string, Watch>();
  readonly transactions = new Map<number, Transaction>();

  constructor(conn: number, domid: number, order: number) {
    this.conn = conn;
    this.domid = domid;
    this.order = order;
  }

  /** Oldest first. */
  watchesInOrder(): Watch[] {
    return [...this.watches.values()].sort((a, b) => a.order - b.order);
  }
  transactionsInOrder(): Transaction[] {
    return [...this.transactions.values()].sort((a, b) => a.id - b.id);
  }
}

/** A domain that was introduced, or named in a permission while it existed. */
export interface Domain {
  readonly domid: number;
  /** Its incarnation: permissions given to an earlier domain with this id have another. */
  readonly since: number;
  introduced: boolean;
  mfn: number;
  port: number;
  /** It was seen to have shut down, and @releaseDomain has fired for it. */
  shutdown: boolean;
  /** The domain whose rights it has too, or -1. */
  target: number;
  /** Bits of XENSTORE_SERVER_FEATURE_*. */
  features: number;
  quotas: Quotas;
  /** For writes, in thousandths of one, and when it was last counted: NEVER where it is full. */
  credit: number;
  credited_ms: number;
}

/** The special nodes, which have permissions and nothing else. */
export type Special = '@introduceDomain' | '@releaseDomain';
export const specials: readonly Special[] = ['@introduceDomain', '@releaseDomain'];
export const isSpecial = (path: string): path is Special => path === '@introduceDomain' || path === '@releaseDomain';

/** One line of `xenstore-ls -f -p`. */
export interface Listed {
  readonly path: string;
  readonly value: string;
  readonly perms: readonly string[];
}

/** Plain data: see `XenStore.snapshot`. */
export interface XenStoreSnapshot {
  readonly counters: Counters;
  readonly root: SavedNode;
  readonly specials: readonly (readonly [Special, Permissions])[];
  readonly domains: readonly Readonly<Domain>[];
  readonly settings: Settings;
  readonly rate: Rate;
  readonly connections: readonly {
    conn: number;
    domid: number;
    order: number;
    ignored: boolean;
    lastTx: number;
    blocked: boolean;
    unread: readonly string[];
    watches: readonly Watch[];
    transactions: readonly TransactionSnapshot[];
  }[];
}

/** What only ever grows, and so gives everything its order. */
interface Counters {
  generation: number;
  births: number;
  arrivals: number;
  incarnations: number;
  lastSocket: number;
}

/** What dom0 may change of the daemon itself. */
interface Settings {
  /** Of every new domain; where a version has none of each domain, of all. */
  quotas: Quotas;
  /** The switches of CONTROL log that are on. */
  traces: readonly string[];
}

/** What the write rate of guests depends on. */
interface Rate {
  clock_ms: number;
  /** Credit that nobody has needed so far, and when everybody was counted for it. */
  reserve: number;
  counted_ms: number;
  /** How many transactions are open, and how many domains introduced. */
  transactions: number;
  domains: number;
}

/** XENSTORE_SERVER_FEATURE_ERROR, _WATCHDEPTH and _DOMID_ANY (public/io/xs_wire.h). */
export const FEATURES = 2 | 4 | 8;
/** What is on at first, of the switches that there are. */
const TRACED = ['obj', 'io'];

export class XenStore {
  readonly journal: Journal;
  readonly profile: Profile;
  readonly connections = new Map<number, Connection>();
  readonly domains = new Map<number, Domain>();
  readonly specialPerms = new Map<Special, Permissions>();
  readonly counters: Counters = { generation: 0, births: 0, arrivals: 0, incarnations: 0, lastSocket: FIRST_SOCKET - 1 };
  readonly settings: Settings;
  readonly rate: Rate = { clock_ms: 0, reserve: 0, counted_ms: 0, transactions: 0, domains: 1 };
  readonly undo: Undoable;
  tree: Tree;
  watches: WatchIndex;

  /** As xenstored starts: dom0 introduced, /tool/xenstored in the store, and nothing else. */
  constructor(journal: Journal, profile: Profile = profiles['4.17']) {
    this.journal = journal;
    this.profile = profile;
    this.settings = { quotas: profile.quotas, traces: profile.traceSwitches.filter((name) => TRACED.includes(name)) };
    this.undo = new Undoable(journal);
    this.tree = new Tree(this.undo, this.profile);
    this.watches = new WatchIndex(this.undo);
    this.domains.set(0, { ...this.newDomain(0, 0), introduced: true });
    this.connections.set(0, new Connection(0, 0, this.counters.arrivals++));
    this.specialPerms.set('@introduceDomain', readPermissions(profile.introducePerms, this.incarnationOf));
    this.specialPerms.set('@releaseDomain', readPermissions(profile.releasePerms, this.incarnationOf));
    const perms = readPermissions(['n0'], this.incarnationOf);
    for (const path of ['/', '/tool', '/tool/xenstored'])
      this.tree.create(path, { value: '', perms, generation: ++this.counters.generation }, this.counters.births++);
  }

  /** A node of the store, whatever transactions have made of it. */
  node(path: string): StoreNode | undefined {
    return this.tree.get(path);
  }

  /** Everything below `path`, itself included, in the order of xenstore-ls: children as they were created. Nothing if it is missing. */
  *ls(path = '/'): Generator<Listed> {
    const from = this.node(path);
    if (from) for (const node of from.walk()) yield { path: node.path, value: node.value, perms: this.showPerms(node.perms) };
  }

  /** The incarnation that a permission has to name in order to count. */
  readonly incarnationOf = (domid: number): number => {
    const domain = this.domains.get(domid);
    if (domain) return domain.since;
    return domid === DOMID_ANY && this.profile.domidAny ? 0 : GONE;
  };

  /** For `accessFor`. */
  subjectOf(connection: Connection): Subject {
    return { domid: connection.domid, target: this.domains.get(connection.domid)?.target ?? -1 };
  }

  /** A domain that xenstored has just come to know. */
  newDomain(domid: number, since: number): Domain {
    const { quotas } = this.settings;
    return {
      domid,
      since,
      introduced: false,
      mfn: 0,
      port: 0,
      shutdown: false,
      target: -1,
      features: FEATURES,
      quotas,
      credit: BURST,
      credited_ms: NEVER,
    };
  }

  /** The most of something that a domain may have. */
  limitOf(domid: number, name: QuotaName): number {
    const { quotaRequests, slack } = this.profile;
    const { quotas } = (quotaRequests ? this.domains.get(domid) : undefined) ?? this.settings;
    return quotas[name] === 0 ? Number.MAX_SAFE_INTEGER : quotas[name] + slack[name];
  }

  /** Bytes that a domain takes of the daemon: its nodes, and its ring's watches, transactions and unread events. */
  memoryOf(domid: number): number {
    const ring = this.connections.get(domid);
    let bytes = this.tree.bytesOf(domid) + (ring?.bytes ?? 0);
    if (ring) for (const transaction of ring.transactions.values()) bytes += transaction.bytes;
    return bytes;
  }

  /** The permissions of a node as facts have them. */
  permsOf(perms: Permissions): string[] {
    return writePermissions(this.visible(perms), this.incarnationOf);
  }
  /** As GET_PERMS shows them. */
  showPerms(perms: Permissions): string[] {
    return this.visible(perms).map(showPermission);
  }

  /** The same for stores that behave the same from here on; how they came about does not matter. */
  digest(): number {
    const { generation, births, arrivals, incarnations, lastSocket } = this.counters;
    let hash = mix(this.tree.root.hash(), generation);
    hash = mix(mix(mix(mix(hash, births), arrivals), incarnations), lastSocket);
    for (const special of specials) hash = hashPermissions(hash, this.specialPerms.get(special)!);
    hash = hashQuotas(hash, this.settings.quotas, this.profile);
    for (const name of changedTraces(this.settings.traces, this.profile)) hash = hashText(hash, name);
    const { clock_ms, reserve, counted_ms } = this.rate;
    if (clock_ms !== 0) hash = mix(mix(hash, clock_ms), reserve);
    if (counted_ms !== 0) hash = mix(hash, counted_ms);
    for (const domain of this.domainsInOrder()) hash = mix(hash, hashDomain(domain, this.profile));
    for (const connection of this.connectionsInOrder()) hash = mix(hash, hashConnection(connection));
    return hash >>> 0;
  }

  /** Where this store differs from another, in words: `xenstore /local/domain/3/name: "a" -> "b"`. */
  *diff(other: XenStore): Generator<string> {
    const ours = describe(this);
    const theirs = describe(other);
    for (const [what, value] of ours) {
      const there = theirs.get(what) ?? 'absent';
      if (there !== value) yield `xenstore ${what}: ${value} -> ${there}`;
    }
    for (const [what, value] of theirs) if (!ours.has(what)) yield `xenstore ${what}: absent -> ${value}`;
  }

  /** Everything, as plain data that later changes do not touch. */
  snapshot(): XenStoreSnapshot {
    const rest = structuredClone({
      counters: this.counters,
      specials: specials.map((special) => [special, this.specialPerms.get(special)!] as const),
      domains: this.domainsInOrder(),
      settings: this.settings,
      rate: this.rate,
      connections: this.connectionsInOrder().map((connection) => ({
        conn: connection.conn,
        domid: connection.domid,
        order: connection.order,
        ignored: connection.ignored,
        lastTx: connection.lastTx,
        blocked: connection.blocked,
        unread: [...connection.unread].sort(),
        watches: connection.watchesInOrder(),
        transactions: connection.transactionsInOrder().map((transaction) => snapshotOf(transaction, this.tree)),
      })),
    });
    return { ...rest, root: this.tree.root.save() };
  }

  /** Puts a snapshot in the place of everything. Not undone by the journal: a host restores outside of any mark. */
  restore(snapshot: XenStoreSnapshot): void {
    Object.assign(this.counters, snapshot.counters);
    Object.assign(this.settings, snapshot.settings);
    Object.assign(this.rate, snapshot.rate);
    this.tree = new Tree(this.undo, this.profile);
    this.watches = new WatchIndex(this.undo);
    this.tree.restore(snapshot.root);
    this.specialPerms.clear();
    for (const [special, perms] of snapshot.specials) this.specialPerms.set(special, perms);
    this.domains.clear();
    for (const domain of snapshot.domains) this.domains.set(domain.domid, { ...domain });
    this.connections.clear();
    for (const { watches, transactions, ...saved } of snapshot.connections) {
      const connection = new Connection(saved.conn, saved.domid, saved.order);
      connection.ignored = saved.ignored;
      connection.lastTx = saved.lastTx;
      connection.blocked = saved.blocked;
      for (const event of saved.unread) {
        connection.unread.add(event);
        connection.bytes += sizeOfEvent(event);
      }
      for (const watch of watches) {
        connection.watches.set(watchKey(watch.node, watch.token), watch);
        connection.bytes += sizeOfWatch(watch);
        this.watches.add(watch);
      }
      for (const transaction of transactions)
        connection.transactions.set(transaction.id, restored(saved.conn, transaction, this));
      this.connections.set(saved.conn, connection);
    }
  }

  /** Later versions forget an entry with the domain that it named; one for a domain that never existed stays in all of them. */
  private visible(perms: Permissions): Permissions {
    if (this.profile.showsGone) return perms;
    return perms.filter(({ since, domid }, i) => i === 0 || since === GONE || since === this.incarnationOf(domid));
  }

  connectionsInOrder(): Connection[] {
    return [...this.connections.values()].sort((a, b) => a.order - b.order);
  }
  domainsInOrder(): Domain[] {
    return [...this.domains.values()].sort((a, b) => a.domid - b.domid);
  }

  /** The absolute form of a path that a client of this connection wrote. */
  resolve(path: string, connection: Connection): string {
    return absolute(path, connection.domid);
  }
}

type TransactionSnapshot = ReturnType<typeof snapshotOf>;

function snapshotOf(transaction: Transaction, tree: Tree) {
  const { id, generation, failed, births, bytes } = transaction;
  const accesses = Array.from(transaction.accesses.values(), (access) => {
    // A list that is still the store's need not be saved: it is found again by the path.
    const isStores = access.frozen === undefined && access.origin !== undefined && tree.get(access.path) === access.origin;
    return {
      ...access,
      origin: isStores,
      frozen: isStores ? undefined : access.base(),
      added: [...access.added],
      removed: [...access.removed],
    };
  });
  return { id, generation, failed, births, bytes, owned: [...transaction.owned], accesses };
}

function restored(conn: number, saved: TransactionSnapshot, { tree, profile }: XenStore): Transaction {
  const transaction = new Transaction(conn, saved.id, saved.generation, profile);
  transaction.failed = saved.failed;
  transaction.births = saved.births;
  transaction.bytes = saved.bytes;
  for (const [domid, count] of saved.owned) transaction.owned.set(domid, count);
  for (const { origin, added, removed, ...content } of saved.accesses) {
    const node = origin ? tree.get(content.path) : undefined;
    const access = new Access(content.path, content.index, node);
    Object.assign(access, content);
    for (const [name, birth] of added) access.added.set(name, birth);
    for (const name of removed) access.removed.add(name);
    if (node) tree.hold(node, access);
    transaction.accesses.set(access.path, access);
  }
  return transaction;
}

// What nobody has changed leaves no trace in a digest: a state has the same one as before there was anything to change.

function hashDomain(domain: Domain, profile: Profile): number {
  const { domid, since, introduced, mfn, port, shutdown, target, features, quotas, credit, credited_ms } = domain;
  let hash = mix(mix(mix(mix(mix(mix(17, domid), since), +introduced), mfn), port), (target << 1) | +shutdown);
  if (credited_ms !== NEVER) hash = mix(mix(hash, credit), credited_ms);
  return hashQuotas(features === FEATURES ? hash : mix(hash, features), quotas, profile);
}

const hashQuotas = (hash: number, quotas: Quotas, profile: Profile): number =>
  changedQuotas(quotas, profile).reduce((sum, name) => hashText(mix(sum, quotas[name]), name), hash);

/** The quotas that are not what they were at first. */
export const changedQuotas = (quotas: Quotas, profile: Profile): QuotaName[] =>
  quotaNames.filter((name) => quotas[name] !== profile.quotas[name]);

const changedTraces = (traces: readonly string[], { traceSwitches }: Profile): string[] =>
  traceSwitches.filter((name) => traces.includes(name) !== TRACED.includes(name));

function hashConnection(connection: Connection): number {
  const { conn, domid, order, ignored, lastTx, blocked } = connection;
  let hash = mix(mix(mix(mix(mix(17, conn), domid), order), +ignored | (+blocked << 1)), lastTx);
  for (const watch of connection.watchesInOrder())
    hash = mix(hashText(hashText(mix(hash, watch.order), watch.path), watch.token), watch.depth);
  for (const transaction of connection.transactionsInOrder()) hash = mix(hash, transaction.hash());
  if (connection.blocked) for (const event of [...connection.unread].sort()) hash = hashText(mix(hash, 1), event);
  return hash;
}

/** Everything that `digest` covers, as named values. */
function describe(store: XenStore): Map<string, string> {
  const lines = new Map<string, string>();
  for (const node of store.tree.root.walk()) {
    lines.set(node.path, JSON.stringify(node.value));
    lines.set(`${node.path} perms`, store.permsOf(node.perms).join(' '));
    lines.set(`${node.path} generation`, `${node.generation}`);
    if (node.childBytes > 0) lines.set(`${node.path} children`, node.names().join(' '));
  }
  for (const special of specials) lines.set(`${special} perms`, store.permsOf(store.specialPerms.get(special)!).join(' '));
  for (const domain of store.domains.values()) lines.set(`d${domain.domid}`, JSON.stringify(domain));
  for (const connection of store.connections.values()) {
    const { conn, domid, order, ignored, lastTx, blocked, unread } = connection;
    lines.set(`conn ${conn}`, JSON.stringify({ domid, order, ignored, lastTx, blocked, unread: [...unread].sort() }));
    for (const watch of connection.watches.values())
      lines.set(`conn ${conn} watch ${watch.path} ${watch.token}`, JSON.stringify(watch));
    for (const transaction of connection.transactions.values())
      for (const access of transaction.accesses.values()) {
        const { exists, value, expected, generation, queued } = access;
        lines.set(
          `conn ${conn} tx ${transaction.id} ${access.path}`,
          JSON.stringify({
            exists,
            value,
            expected,
            generation,
            queued,
            perms: store.permsOf(access.perms),
            names: access.names(),
          }),
        );
      }
  }
  lines.set('counters', JSON.stringify(store.counters));
  lines.set('settings', JSON.stringify(store.settings));
  lines.set('rate', JSON.stringify(store.rate));
  return lines;
}
