// What the drivers' machines share: commands to XenStore, and collecting what comes back. Returns come in the order of asking.
import { assign, type EventObject, emit, enqueueActions } from 'xstate';
import { DOMID_INVALID } from '../../events/units.ts';
import type { Command, Returned } from '../../events/vocabulary.ts';

/** enum xenbus_state of public/io/xenbus.h, as it stands in XenStore. */
export const XenbusState = {
  Unknown: '0',
  Initialising: '1',
  InitWait: '2',
  Initialised: '3',
  Connected: '4',
  Closing: '5',
  Closed: '6',
} as const;
export type XenbusState = (typeof XenbusState)[keyof typeof XenbusState];

/** The part of a driver's context that its XenStore requests need. */
export interface Client {
  /** Connection: the domain's ring, or a socket of dom0. */
  readonly conn: number;
  /** The transaction that is open, 0 for none. */
  readonly tx: number;
  /** Keys that were asked for and have not been answered yet. */
  readonly asked: readonly string[];
  /** Answers: a key that does not exist is ''. */
  readonly keys: Readonly<Record<string, string>>;
}
export const client = (conn: number): Client => ({ conn, tx: 0, asked: [], keys: {} });

export const read = ({ conn, tx }: Client, path: string): Command => ({ type: 'xenstore.read', conn, tx, path });
export const write = ({ conn, tx }: Client, path: string, value: string): Command => ({
  type: 'xenstore.write',
  conn,
  tx,
  path,
  value,
});
export const watch = ({ conn }: Client, path: string, token: string): Command => ({ type: 'xenstore.watch', conn, path, token });
export const unwatch = ({ conn }: Client, path: string, token: string): Command => ({
  type: 'xenstore.unwatch',
  conn,
  path,
  token,
});
export const start = ({ conn }: Client): Command => ({ type: 'xenstore.transaction_start', conn, tx: 0 });
export const end = ({ conn, tx }: Client): Command => ({ type: 'xenstore.transaction_end', conn, tx, commit: true });

/** Context after an answer to the oldest read: its key has this value. */
export const answered = (c: Client, value: string): Pick<Client, 'asked' | 'keys'> => {
  const [key, ...asked] = c.asked;
  return key === undefined ? { asked, keys: c.keys } : { asked, keys: { ...c.keys, [key]: value } };
};

/** Whether a key is a number, as a driver writes a reference or a port; the other end may have written anything. */
export const isNumber = (key: string | undefined): boolean => /^\d{1,9}$/.test(key ?? '');
/** A key as a number; 0 where it is none. */
export const keyNumber = (key: string | undefined): number => (isNumber(key) ? Number(key) : 0);
/** A key as a domain id; where it is none, the one that no domain has. */
export const keyDomid = (key: string | undefined): number => (isNumber(key) ? Number(key) : DOMID_INVALID);

/** The returns that `storeActions` knows. */
type StoreReturn = Returned<'xenstore.read' | 'xenstore.transaction_start' | 'xenstore.transaction_end'>;
const returned = (event: EventObject): StoreReturn => event as StoreReturn;

/**
 * The actions of a machine that talks to XenStore, for its `setup()`: `ask` notes which keys' answers are to come, `keepAnswer` keeps the
 * oldest; `startTransaction`, `keepTransaction`, `endTransaction` and `forgetTransaction` are one transaction after the other.
 */
export const storeActions = <C extends Client, E extends EventObject>() => ({
  ask: assign<C, E, { keys: readonly string[] }, E, never>(({ context: c }, { keys }) =>
    part<C>({ asked: [...c.asked, ...keys] }),
  ),
  keepAnswer: assign<C, E, undefined, E, never>(({ context, event }) => {
    const answer = returned(event);
    return part<C>(answered(context, answer.type === 'accepted.xenstore.read' ? answer.value : ''));
  }),
  startTransaction: emit<C, E, undefined, E, Command>(({ context: c }) => start(c)),
  keepTransaction: assign<C, E, undefined, E, never>(({ event }) => {
    const answer = returned(event);
    return part<C>({ tx: answer.type === 'accepted.xenstore.transaction_start' ? answer.tx : 0 });
  }),
  endTransaction: emit<C, E, undefined, E, Command>(({ context: c }) => end(c)),
  forgetTransaction: assign<C, E, undefined, E, never>(part<C>({ tx: 0 })),
});
/** `emit` of as many commands as the context says. */
export const emitEach = <C extends Client, E extends EventObject>(commands: (c: C) => readonly Command[]) =>
  enqueueActions<C, E, undefined, E, never, never, never, never, Command>(({ context, enqueue }) => {
    for (const command of commands(context)) enqueue.emit(command);
  });
/** Fields of a client are fields of whatever extends it. */
const part = <C extends Client>(fields: Partial<Client>): Partial<C> => fields as Partial<C>;
