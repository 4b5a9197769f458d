// XenStore as a job of the toolstack uses it: over a socket of dom0, in the transaction that is open.
import type { Command } from '../../../events/vocabulary.ts';
import { answer, type Return } from './plan.ts';

/** Who a job is, and its way to XenStore. */
export interface Session {
  /** The job's number; a daemon of domain N, which belongs to no job, has -N. */
  readonly job: number;
  /** Its actor's id: the token of its watches. */
  readonly self: string;
  /** Its connection, 0 before it has one. */
  readonly conn: number;
  /** The transaction that is open, 0 for none. */
  readonly tx: number;
}

export const connect: Command = { type: 'xenstore.connect', domid: 0 };
export const disconnect = ({ conn }: Session): Command => ({ type: 'xenstore.disconnect', conn });
export const start = ({ conn }: Session): Command => ({ type: 'xenstore.transaction_start', conn, tx: 0 });
export const end = ({ conn, tx }: Session, commit = true): Command => ({ type: 'xenstore.transaction_end', conn, tx, commit });
export const read = ({ conn, tx }: Session, path: string): Command => ({ type: 'xenstore.read', conn, tx, path });
export const directory = ({ conn, tx }: Session, path: string): Command => ({ type: 'xenstore.directory', conn, tx, path });
export const write = ({ conn, tx }: Session, path: string, value = ''): Command => ({
  type: 'xenstore.write',
  conn,
  tx,
  path,
  value,
});
export const mkdir = ({ conn, tx }: Session, path: string): Command => ({ type: 'xenstore.mkdir', conn, tx, path });
export const rm = ({ conn, tx }: Session, path: string): Command => ({ type: 'xenstore.rm', conn, tx, path });
export const setPerms = ({ conn, tx }: Session, path: string, perms: readonly string[]): Command => ({
  type: 'xenstore.set_perms',
  conn,
  tx,
  path,
  perms,
});
export const watch = ({ conn, self }: Session, path: string): Command => ({ type: 'xenstore.watch', conn, path, token: self });
export const unwatch = ({ conn, self }: Session, path: string): Command => ({
  type: 'xenstore.unwatch',
  conn,
  path,
  token: self,
});

/** A node with a value and permissions of its own, as libxl__xs_mknod makes one: two requests. */
export const node = (s: Session, path: string, perms: readonly string[], value = ''): Command[] => [
  write(s, path, value),
  setPerms(s, path, perms),
];

/** A value that was read; a key that does not exist is ''. */
export const textOf = (given: Return | undefined): string => answer(given, 'xenstore.read')?.value ?? '';
export const txOf = (given: Return | undefined): number => answer(given, 'xenstore.transaction_start')?.tx ?? 0;
export const childrenOf = (given: Return | undefined): readonly string[] =>
  answer(given, 'xenstore.directory')?.children.filter((name) => name !== '') ?? [];

/** enum xenbus_state of public/io/xenbus.h, as far as the toolstack looks at it. */
export const XenbusState = { Initialising: '1', InitWait: '2', Closing: '5', Closed: '6' } as const;

/** Where a domain has its nodes. */
export const domainPath = (domid: number): string => `/local/domain/${domid}`;
export const libxlPath = (domid: number): string => `/libxl/${domid}`;
export const vmPath = (uuid: string): string => `/vm/${uuid}`;
