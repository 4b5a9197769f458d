// Permissions of nodes: docs/misc/xenstore.txt, perm_for_conn() and domain_adjust_node_perms() in tools/xenstore.
import { mix } from '../tables/table.ts';
import { strtol } from './numbers.ts';

/**
 * One entry: what `domid` may do. The first entry of a node names the owner, and its letter is for everybody not named.
 *
 * `since` is the incarnation of the domain that was meant (see Domain), or GONE: a later domain with the same id inherits nothing.
 */
export interface Permission {
  readonly access: number;
  readonly domid: number;
  readonly since: number;
}
export type Permissions = readonly Permission[];

/** public/xen.h: in a permission, any domain, where the version knows it. */
export const DOMID_ANY = 32757;

/** tools/xenstore/include/xenstore_lib.h, XS_PERM_*. */
export const READ = 1;
export const WRITE = 2;
export const OWNER = 4;

/** No domain's incarnation: the entry is shown and never matches. */
export const GONE = -1;

/** Who asks: `target` is the domain whose rights it has as well (SET_TARGET), or -1. */
export interface Subject {
  readonly domid: number;
  readonly target: number;
}
export type Incarnations = (domid: number) => number;

/** What `who` may do with a node of these permissions: READ, WRITE and OWNER. */
export function accessFor(who: Subject, perms: Permissions, incarnationOf: Incarnations): number {
  const owner = perms[0]!;
  if (who.domid === 0 || matches(owner, who)) return READ | WRITE | OWNER;
  for (let i = 1; i < perms.length; i++) {
    const entry = perms[i]!;
    if ((matches(entry, who) || entry.domid === DOMID_ANY) && entry.since !== GONE && entry.since === incarnationOf(entry.domid))
      return entry.access;
  }
  return owner.access;
}

/** A permission as a client writes it (`r3`, but also `r0x3` or `r 03`), or undefined. */
export function parsePermission(text: string): { access: number; domid: number } | undefined {
  const access = letters.indexOf(text.charAt(0));
  if (access < 0) return undefined;
  const { value, length } = strtol(text.slice(1), 0);
  if (length === 0 || length !== text.length - 1) return undefined;
  return { access, domid: Number(BigInt.asIntN(32, value)) };
}

/** As GET_PERMS shows it. */
export const showPermission = ({ access, domid }: { access: number; domid: number }): string => letters.charAt(access) + domid;

/** As in a fact: an entry that no longer counts ends in `-`. */
export const writePermissions = (perms: Permissions, incarnationOf: Incarnations): string[] =>
  perms.map((entry, i) =>
    i > 0 && (entry.since === GONE || entry.since !== incarnationOf(entry.domid))
      ? `${showPermission(entry)}-`
      : showPermission(entry),
  );

/** The permissions that a fact sets, now. */
export const readPermissions = (texts: readonly string[], incarnationOf: Incarnations): Permissions =>
  texts.map((text) => {
    const gone = text.endsWith('-');
    const domid = Number(text.slice(1, gone ? -1 : undefined));
    return { access: letters.indexOf(text.charAt(0)), domid, since: gone ? GONE : incarnationOf(domid) };
  });

export const hashPermissions = (hash: number, perms: Permissions): number => {
  for (const { access, domid, since } of perms) hash = mix(mix(mix(hash, access + 1), domid), since);
  return hash;
};

const letters = 'nrwb';
const matches = (entry: Permission, who: Subject): boolean =>
  entry.domid === who.domid || (who.target >= 0 && entry.domid === who.target);
