// What differs between the versions of C xenstored, as recorded in test/golden/xenstored.
import type { Errno } from '../../events/errno.ts';
import type { RequestType } from '../../events/xenstore.ts';
import type { XenVersion } from '../host-config.ts';

/** The quotas of an unprivileged domain, by the names that GET_QUOTA knows, in its order. */
export const quotaNames = [
  'nodes',
  'watches',
  'outstanding',
  /** Bytes: of its nodes, watches, transactions and unread events together. Above `memory` it is refused, `soft-memory` is only noted. */
  'memory',
  'soft-memory',
  'transactions',
  'transaction-nodes',
  'node-permissions',
  'path-max',
  /** Bytes of header, permissions, value and child list together. */
  'node-size',
] as const;
export type QuotaName = (typeof quotaNames)[number];
export type Quotas = Readonly<Record<QuotaName, number>>;

export interface Profile {
  readonly version: XenVersion;
  /** What a domain gets, as Xen says it; 0 is no limit. */
  readonly quotas: Quotas;
  /** What is really allowed is as much more: the comparisons are not all alike. */
  readonly slack: Quotas;
  /** What CONTROL quota calls them, in its order. */
  readonly controlQuotas: readonly (readonly [shown: string, name: QuotaName])[];
  /** Quotas of each domain, and requests for them and for features. */
  readonly quotaRequests: boolean;
  /** INTRODUCE writes a domain's features into its ring page. */
  readonly tellsFeatures: boolean;
  /** CONTROL log has switches, and shows them. */
  readonly traceSwitches: readonly string[];
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
  /** `@releaseDomain/5`: what becomes of domain 5 alone; a watch with a depth hears that name of every domain. */
  readonly specialsNameDomains: boolean;
  /** DOMID_ANY (32757) in a permission matches every domain. */
  readonly domidAny: boolean;
  /** Whether entries of a domain that is gone are still shown. */
  readonly showsGone: boolean;
}

const xen417: Profile = {
  version: '4.17',
  quotas: {
    nodes: 1000,
    watches: 128,
    outstanding: 20,
    memory: 2_621_440,
    'soft-memory': 2_097_152,
    transactions: 10,
    'transaction-nodes': 1024,
    'node-permissions': 5,
    'path-max': 2048,
    'node-size': 2048,
  },
  slack: {
    nodes: 0,
    watches: 1,
    outstanding: -1,
    memory: -1,
    'soft-memory': -1,
    transactions: 1,
    'transaction-nodes': 0,
    'node-permissions': 0,
    'path-max': 0,
    'node-size': -1,
  },
  controlQuotas: [
    ['nodes', 'nodes'],
    ['watches', 'watches'],
    ['transactions', 'transactions'],
    ['outstanding', 'outstanding'],
    ['transaction-nodes', 'transaction-nodes'],
    ['memory', 'memory'],
    ['node-size', 'node-size'],
    ['path-max', 'path-max'],
    ['permissions', 'node-permissions'],
  ],
  quotaRequests: false,
  tellsFeatures: false,
  traceSwitches: [],
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
  specialsNameDomains: false,
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
    slack: {
      nodes: -1,
      watches: -1,
      outstanding: -1,
      memory: -1,
      'soft-memory': -1,
      transactions: -1,
      'transaction-nodes': -1,
      'node-permissions': -1,
      'path-max': -1,
      'node-size': -1,
    },
    controlQuotas: quotaNames.flatMap((name) => (name === 'soft-memory' ? [] : [[name, name] as const])),
    quotaRequests: true,
    tellsFeatures: true,
    traceSwitches: ['obj', 'io', 'wrl', 'acc', 'tdb'],
    pathLimitForAll: false,
    tooManyWatches: 'ENOSPC',
    nodeHeader: 16,
    notOneArgument: () => 'EINVAL',
    domidIsStrict: true,
    watchDepth: true,
    unwatchBadPath: 'EINVAL',
    releasePerms: ['n0', 'r32757'],
    specialsAreNodes: true,
    specialsNameDomains: true,
    domidAny: true,
    showsGone: false,
  },
} as const satisfies Record<XenVersion, Profile>;
export type XenstoreVersion = keyof typeof profiles;
