// XenStore: the requests of public/io/xs_wire.h, what connections and domains do to the daemon, and what happens in the store.
//
// `conn` is a connection: domain N's ring is connection N, a socket has a number from FIRST_SOCKET on.
// `tx` is a transaction of that connection, 0 for none. In a fact, `tx` 0 is the store itself, any other the transaction's own copy.
// A request's `path` is what the client sent, so it may be relative to /local/domain/<domid>; a node's path in a fact is absolute.
import { bool, int, type Message, oneOf, operation, type Requests, text, texts } from './schema.ts';

/** Socket connections are numbered from here; below are the domains' rings. */
export const FIRST_SOCKET = 0x10000;

/** public/io/xs_wire.h, enum xsd_sockmsg_type: the index is the number on the wire. */
export const requestTypes = [
  'CONTROL',
  'DIRECTORY',
  'READ',
  'GET_PERMS',
  'WATCH',
  'UNWATCH',
  'TRANSACTION_START',
  'TRANSACTION_END',
  'INTRODUCE',
  'RELEASE',
  'GET_DOMAIN_PATH',
  'WRITE',
  'MKDIR',
  'RM',
  'SET_PERMS',
  'WATCH_EVENT',
  'ERROR',
  'IS_DOMAIN_INTRODUCED',
  'RESUME',
  'SET_TARGET',
  'RESTRICT',
  'RESET_WATCHES',
  'DIRECTORY_PART',
  'GET_FEATURE',
  'SET_FEATURE',
  'GET_QUOTA',
  'SET_QUOTA',
  /** Any other number. */
  'unknown',
] as const;
export type RequestType = (typeof requestTypes)[number];

const request = { conn: int, tx: int } as const;
const node = { ...request, path: text } as const;

export const operations = {
  /** A tool of this domain opens the socket. */
  'xenstore.connect': operation({ domid: int }, { conn: int }),
  'xenstore.disconnect': operation({ conn: int }),
  /** What came can not be framed (a payload above 4096 bytes): a socket is closed, a ring is no longer listened to. */
  'xenstore.ignore_connection': operation({ conn: int }),

  'xenstore.control': operation({ ...request, args: texts }, { reply: text }),
  'xenstore.directory': operation(node, { children: texts }),
  /** `part` is the child list, each name with its NUL, from byte `offset` on as far as a reply holds; its end is an empty name. */
  'xenstore.directory_part': operation({ ...node, offset: int }, { generation: int, part: text }),
  'xenstore.read': operation(node, { value: text }),
  /** A permission is a letter (n, r, w, b) and a domain id: `n0`, `r3`. The first names the owner and what all others may do. */
  'xenstore.get_perms': operation(node, { perms: texts }),
  'xenstore.watch': operation({ conn: int, path: text, token: text }),
  /** A watch that ends so many levels below its path (Xen 4.21 and later). */
  'xenstore.watch_depth': operation({ conn: int, path: text, token: text, depth: int }),
  'xenstore.unwatch': operation({ conn: int, path: text, token: text }),
  'xenstore.reset_watches': operation(request),
  'xenstore.transaction_start': operation(request, { tx: int }),
  'xenstore.transaction_end': operation({ ...request, commit: bool }),
  'xenstore.introduce': operation({ ...request, domid: int, mfn: int, port: int }),
  /** `deferred`: the domain's end, and all its events, come after the reply. */
  'xenstore.release': operation({ ...request, domid: int }, { deferred: bool }),
  'xenstore.is_domain_introduced': operation({ ...request, domid: int }, { introduced: bool }),
  'xenstore.get_domain_path': operation({ ...request, domid: int }, { path: text }),
  'xenstore.resume': operation({ ...request, domid: int }),
  /** `domid` (a stub domain) gets the rights of `target`. */
  'xenstore.set_target': operation({ ...request, domid: int, target: int }),
  'xenstore.write': operation({ ...node, value: text }),
  'xenstore.mkdir': operation(node),
  'xenstore.rm': operation(node),
  'xenstore.set_perms': operation({ ...node, perms: texts }),
  /** A request of unknown type, or with a payload that its type does not have. Always refused. */
  'xenstore.malformed': operation({ ...request, op: oneOf(...requestTypes), payload: text }),

  /** What xenstored learns from VIRQ_DOM_EXC: the domain has shut down; it is dying or no longer there. */
  'xenstore.domain_shutdown': operation({ domid: int }),
  'xenstore.domain_gone': operation({ domid: int }),

  /** Requests of Xen 4.21 and later. `domid` -1: the connection's own. `features` are the bits of XENSTORE_SERVER_FEATURE_*. */
  'xenstore.get_feature': operation({ ...request, domid: int }, { features: int }),
  'xenstore.set_feature': operation({ ...request, domid: int, features: int }),
  /** `domid` -1: what new domains get; `name` '': the names of all quotas, with a blank between. */
  'xenstore.get_quota': operation({ ...request, domid: int, name: text }, { value: text }),
  'xenstore.set_quota': operation({ ...request, domid: int, name: text, value: int }),

  /** So late it is, by a clock that starts anywhere: given before a request that is charged by time. */
  'xenstore.tick': operation({ ms: int }),
  /** What is sent to a connection is not read any more: from here on events wait, and one that waits already is not queued again. */
  'xenstore.connection_blocks': operation({ conn: int }),
  /** All that waited has been read, or given up. */
  'xenstore.connection_drains': operation({ conn: int }),
} as const;

export const facts = {
  'xenstore.connected': { conn: int, domid: int },
  'xenstore.disconnected': { conn: int },
  'xenstore.connection_ignored': { conn: int },

  'xenstore.transaction_started': { conn: int, tx: int },
  /** The first time that a transaction looks at a node: from now on it has its own copy, or knows that there was none. */
  'xenstore.node_accessed': { conn: int, tx: int, path: text },
  /** Watches on `path`, or (unless `exact`) also above it, fire if the transaction commits. */
  'xenstore.watch_queued': { conn: int, tx: int, path: text, exact: bool },
  /** It can no longer commit: END answers ENOMEM. */
  'xenstore.transaction_failed': { conn: int, tx: int },
  /** Its changes follow as facts about the store itself. */
  'xenstore.transaction_committed': { conn: int, tx: int },
  'xenstore.transaction_aborted': { conn: int, tx: int },

  /** A new last child of its parent, which exists. A permission that no longer counts, its domain being gone, ends in `-`: `r7-`. */
  'xenstore.node_created': { conn: int, tx: int, path: text, value: text, perms: texts },
  'xenstore.node_written': { conn: int, tx: int, path: text, value: text },
  /** One node, which has no children left. */
  'xenstore.node_removed': { conn: int, tx: int, path: text },
  /** `path` may also be @introduceDomain or @releaseDomain. */
  'xenstore.perms_set': { conn: int, tx: int, path: text, perms: texts },

  /** `path` as the watcher wrote it; `depth` -1: no limit. */
  'xenstore.watch_registered': { conn: int, path: text, token: text, depth: int },
  'xenstore.watch_removed': { conn: int, path: text, token: text },
  /** `path` is relative where the watch is. */
  'xenstore.watch_fired': { conn: int, path: text, token: text },

  /** A domain that exists was named in a permission, or introduced: permissions given to it count until it is released or forgotten. */
  'xenstore.domain_noticed': { domid: int },
  'xenstore.domain_forgotten': { domid: int },
  'xenstore.domain_introduced': { domid: int, mfn: int, port: int },
  /** Introduced once more: its ring starts again, with another port perhaps. */
  'xenstore.domain_reintroduced': { domid: int, mfn: int, port: int },
  /** No longer introduced; its connection is gone. */
  'xenstore.domain_released': { domid: int },
  'xenstore.domain_shut_down': { domid: int },
  'xenstore.domain_resumed': { domid: int },
  'xenstore.target_set': { domid: int, target: int },

  'xenstore.feature_set': { domid: int, features: int },
  /** `domid` -1: what new domains get. */
  'xenstore.quota_set': { domid: int, name: text, value: int },
  /** The switches of CONTROL log that are on from now on. */
  'xenstore.trace_set': { switches: texts },

  'xenstore.clock_set': { ms: int },
  /** A guest's credit for writes, in thousandths of one, after what it has just written; and what there is in reserve. */
  'xenstore.write_charged': { domid: int, credit: int, reserve: int, at_ms: int },

  'xenstore.connection_blocked': { conn: int },
  'xenstore.connection_drained': { conn: int },

  /** Every domain's credit for writes is counted up to now; what they earned beyond their bursts is in reserve. */
  'xenstore.credits_counted': { reserve: int, at_ms: int },
} as const;

export type XenstoreCommand = Requests<typeof operations>;
export type XenstoreFact = Message<typeof facts>;
