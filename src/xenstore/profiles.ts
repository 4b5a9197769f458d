// What differs between the versions of C xenstored, as recorded in test/golden/xenstored.
import type { Errno } from '../../events/errno.ts';
import type { RequestType } from '../../events/xenstore.ts';

/** Limits of unprivileged domains: the largest value that is still allowed. */
export interface Quota {
  readonly nodes: number;
  /** Nodes of a domain when its transaction commits. */
  readonly nodes_at_commit: number;
  readonly watches: number;
  readonly transactions: number;
  readonly transaction_nodes: number;
  readonly node_permissions: number;
  /** Bytes of header, permissions, value and child list together. */
  readonly node_size: number;
  readonly path_max: number;
}

export interface Profile {
  readonly version: '4.17' | '4.22';
  readonly quota: Quota;
  /** Whether the limit of a path's length is for privileged clients too. */
  readonly pathLimitForAll: boolean;
  /** What a watch too many is refused with. */
  readonly tooManyWatches: Errno;
  /** sizeof the header of a stored node, and of a permission in it. */
  readonly nodeHeader: number;
  readonly permissionSize: number;
  /** What a request that needs one argument answers when it has none, or several. */
  readonly notOneArgument: (op: RequestType) => Errno;
  /** What a domain id is read with: junk is 0, or refused. */
  readonly domidIsStrict: boolean;
  /** The optional third argument of WATCH. */
  readonly watchDepth: boolean;
  /** What unwatching an impossible path is refused with. */
  readonly unwatchBadPath: Errno;
  /** Who may know of domains that come and go, at first. */
  readonly introducePerms: readonly string[];
  readonly releasePerms: readonly string[];
  /** GET_PERMS of @introduceDomain and @releaseDomain; SET_PERMS of them fires their watches. */
  readonly specialsAreNodes: boolean;
  /** What SET_PERMS of any other @name is refused with. */
  readonly unknownSpecial: Errno;
  /** DOMID_ANY (32757) in a permission matches every domain. */
  readonly domidAny: boolean;
  /** Whether entries of a domain that is gone are still shown. */
  readonly showsGone: boolean;
}

const xen417: Profile = {
  version: '4.17',
  quota: {
    nodes: 1000,
    nodes_at_commit: 999,
    watches: 129,
    transactions: 11,
    transaction_nodes: 1024,
    node_permissions: 5,
    node_size: 2047,
    path_max: 2048,
  },
  pathLimitForAll: true,
  tooManyWatches: 'E2BIG',
  nodeHeader: 24,
  permissionSize: 8,
  // The missing path makes the lookup fail with whatever errno was left, and only these two look at the path itself.
  notOneArgument: (op) =>
    op === 'MKDIR' || op === 'RM' ? 'ENOMEM' : op === 'READ' || op === 'DIRECTORY' || op === 'GET_PERMS' ? 'ENOENT' : 'EINVAL',
  domidIsStrict: false,
  watchDepth: false,
  unwatchBadPath: 'ENOENT',
  introducePerms: ['n0'],
  releasePerms: ['n0'],
  specialsAreNodes: false,
  unknownSpecial: 'EINVAL',
  domidAny: false,
  showsGone: true,
};

/** The versions that can be asked for; 4.17 is the default everywhere. */
export const profiles = {
  '4.17': xen417,
  '4.22': {
    ...xen417,
    version: '4.22',
    // It compares with >=, so every limit is one lower than its number.
    quota: {
      nodes: 999,
      nodes_at_commit: 999,
      watches: 127,
      transactions: 9,
      transaction_nodes: 1023,
      node_permissions: 4,
      node_size: 2047,
      path_max: 2047,
    },
    pathLimitForAll: false,
    tooManyWatches: 'ENOSPC',
    nodeHeader: 16,
    notOneArgument: () => 'EINVAL',
    domidIsStrict: true,
    watchDepth: true,
    unwatchBadPath: 'EINVAL',
    releasePerms: ['n0', 'r32757'],
    specialsAreNodes: true,
    unknownSpecial: 'ENOENT',
    domidAny: true,
    showsGone: false,
  },
} as const satisfies Record<string, Profile>;
export type XenstoreVersion = keyof typeof profiles;
