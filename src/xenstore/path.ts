// Paths of nodes: docs/misc/xenstore.txt, and is_valid_nodename() in tools/xenstore/xenstored_core.c.

/** The absolute path that a client of domain `domid` means. Names with @ (special watches) stand for themselves. */
export const absolute = (path: string, domid: number): string =>
  path.startsWith('/') || path.startsWith('@') ? path : `${homeOf(domid)}/${path}`;

/** A domain's own directory, to which its relative paths lead. */
export const homeOf = (domid: number): string => `/local/domain/${domid}`;

/** Whether an absolute path has only the characters, and the slashes, of a node's name. */
export const isValid = (path: string): boolean => shape.test(path);

/** The length that counts against the limit: what comes after /local/domain/<domid>/, or all of it. */
export const countedLength = (path: string): number => path.length - (domainPrefix.exec(path)?.[0].length ?? 0);

/** The parent's path; the root is its own parent. */
export const parentOf = (path: string): string => path.slice(0, Math.max(path.lastIndexOf('/'), 1));

export const nameOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1);

export const childOf = (path: string, name: string): string => (path === '/' ? `/${name}` : `${path}/${name}`);

/** The path and all above it, the root last. */
export function* upwards(path: string): Generator<string> {
  for (let at = path; ; at = parentOf(at)) {
    yield at;
    if (at === '/') return;
  }
}

const shape = /^\/(?:[A-Za-z0-9_@-]+(?:\/[A-Za-z0-9_@-]+)*)?$/;
const domainPrefix = /^\/local\/domain\/(?:\d{1,5}|-\d{1,4})\//;
