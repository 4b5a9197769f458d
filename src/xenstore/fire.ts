// Which watches an event reaches: fire_watches() and watch_permitted() in tools/xenstore/xenstored_watch.c.
import type { XenstoreFact } from '../../events/xenstore.ts';
import { accessFor, type Permissions, READ } from './perms.ts';
import type { Special, XenStore } from './state.ts';
import { seenBy, sizeOfEvent, type Watch, watchKey } from './watches.ts';

/** The longest payload of a message (public/io/xs_wire.h, XENSTORE_PAYLOAD_MAX); a longer event is not sent. */
export const PAYLOAD_MAX = 4096;

/** The permissions that decide who hears of a change; any of them that lets a connection read is enough. */
export type Audience = readonly (Permissions | undefined)[];

/** The events of a change at `path`, in order. `exact`: only for watches placed there. `without` is a domain that is going. */
export const fire = (
  store: XenStore,
  path: string,
  exact: boolean,
  audience: Audience,
  without?: number,
): Generator<XenstoreFact> => fireTo(store, path, store.watches.matching(path, exact), audience, without);

function* fireTo(
  store: XenStore,
  path: string,
  watches: readonly Watch[],
  audience: Audience,
  without?: number,
): Generator<XenstoreFact> {
  let conn = -1;
  let domid = 0;
  let permitted = false;
  let unread: ReadonlySet<string> | undefined;
  let room: number | undefined;
  const sent = new Set<string>();
  for (const watch of watches) {
    if (watch.conn !== conn) {
      conn = watch.conn;
      sent.clear();
      const connection = store.connections.get(conn)!;
      domid = connection.domid;
      unread = connection.blocked && !path.startsWith('@') ? connection.unread : undefined;
      room = connection.blocked && domid !== 0 ? store.limitOf(domid, 'memory') - store.memoryOf(domid) : undefined;
      const who = store.subjectOf(connection);
      permitted = domid !== without && audience.some((perms) => perms && accessFor(who, perms, store.incarnationOf) & READ);
    }
    const seen = seenBy(watch, path, domid);
    if (!permitted || seen.length + watch.token.length + 2 > PAYLOAD_MAX) continue;
    // An event that waits to be sent to a client is not queued for it a second time (send_event).
    const event = watchKey(seen, watch.token);
    if (sent.has(event) || unread?.has(event)) continue;
    // A guest that does not read has only so much of the daemon's memory for what waits.
    if (room !== undefined) {
      room -= sizeOfEvent(event);
      if (room < 0) continue;
    }
    sent.add(event);
    yield { type: 'xenstore.watch_fired', conn, path: seen, token: watch.token };
  }
}

/**
 * A domain was introduced, or has gone; or it has shut down, which those hear first who asked for that domain. `audience` is given where
 * the special node's permissions are about to change.
 */
export function* fireSpecial(
  store: XenStore,
  special: Special,
  domid: number,
  { first = 'all', audience = [store.specialPerms.get(special)], without = -1 }: SpecialEvent = {},
): Generator<XenstoreFact> {
  const { watches, profile } = store;
  if (!profile.specialsNameDomains) {
    yield* fireTo(store, special, watches.matching(special, true), audience, without);
    return;
  }
  if (first === 'all') yield* fireTo(store, special, watches.ofAnyDomain(special), audience, without);
  yield* fireTo(store, `${special}/${domid}`, watches.ofDomain(special, domid), audience, without);
  if (first === 'one') yield* fireTo(store, special, watches.ofAnyDomain(special), audience, without);
}
interface SpecialEvent {
  readonly first?: 'all' | 'one';
  readonly audience?: Audience;
  readonly without?: number;
}
