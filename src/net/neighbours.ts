// The ARP cache of a host: who is behind an address, and what waits until that is known.
import { END_OF_TIME, type Ns, SECOND } from '../../events/units.ts';
import type { Ip, Mac } from './address.ts';
import { fromByteString, toByteString } from './bytes.ts';

/** One address of the local network. */
export interface Neighbour {
  readonly ip: Ip;
  readonly state: 'incomplete' | 'reachable';
  /** 0 while incomplete. */
  readonly mac: Mac;
  /** When to ask again, or when what we know is too old to be used. */
  readonly due_ns: Ns;
  /** How often we have asked. */
  readonly asked: number;
  /** IPv4 packets as byte strings, oldest first; none once reachable. */
  readonly waiting: readonly string[];
}
/** Ascending by address, at most `MAX_NEIGHBOURS`. */
export type Neighbours = readonly Neighbour[];

/** Linux's `retrans_time`, `mcast_solicit` and `gc_thresh1`; reachable for a minute (RFC 1122 2.3.2.1). */
const RETRANS_NS = SECOND;
const MAX_ASKED = 3;
const MAX_NEIGHBOURS = 128;
const REACHABLE_NS = 60 * SECOND;
/** RFC 1122 2.3.2.2 wants at least one. The oldest gives way. */
const MAX_WAITING = 3;

/** Looks for the station to send a packet to. Without `mac` the packet waits, and with `ask` the caller asks the network for `ip`. */
export function resolve(
  neighbours: Neighbours,
  { ip, packet }: { readonly ip: Ip; readonly packet: Uint8Array },
  now: Ns,
): { readonly neighbours: Neighbours; readonly mac?: Mac; readonly ask: boolean } {
  const known = neighbours.find((neighbour) => neighbour.ip === ip);
  if (known?.state === 'reachable' && known.due_ns > now) return { neighbours, mac: known.mac, ask: false };
  const packetText = toByteString(packet);
  if (known?.state === 'incomplete') {
    const waiting = [...known.waiting, packetText].slice(-MAX_WAITING);
    return { neighbours: put(neighbours, { ...known, waiting }), ask: false };
  }
  const asking: Neighbour = { ip, state: 'incomplete', mac: 0, due_ns: now + RETRANS_NS, asked: 1, waiting: [packetText] };
  return { neighbours: put(neighbours, asking), ask: true };
}

/**
 * Hears of an address in an ARP packet. As RFC 826 has it, one that is known is always corrected, and one that is not is
 * entered only when the packet was for us. `released` are the packets that waited for it.
 */
export function learn(
  neighbours: Neighbours,
  { ip, mac, forUs }: { readonly ip: Ip; readonly mac: Mac; readonly forUs: boolean },
  now: Ns,
): { readonly neighbours: Neighbours; readonly released: readonly Uint8Array[] } {
  const known = neighbours.find((neighbour) => neighbour.ip === ip);
  if (known === undefined && !forUs) return { neighbours, released: [] };
  const reachable: Neighbour = { ip, state: 'reachable', mac, due_ns: now + REACHABLE_NS, asked: 0, waiting: [] };
  return { neighbours: put(neighbours, reachable), released: (known?.waiting ?? []).map(fromByteString) };
}

/** What time has brought: addresses to ask for once more, and those that nobody answers for, which are forgotten with what waited. */
export function expire(
  neighbours: Neighbours,
  now: Ns,
): { readonly neighbours: Neighbours; readonly ask: readonly Ip[]; readonly failed: readonly Ip[] } {
  const due = neighbours.filter((neighbour) => neighbour.state === 'incomplete' && neighbour.due_ns <= now);
  const [ask, failed] = [due.filter(({ asked }) => asked < MAX_ASKED), due.filter(({ asked }) => asked >= MAX_ASKED)];
  let left: Neighbours = neighbours.filter((neighbour) => !failed.includes(neighbour));
  for (const neighbour of ask) left = put(left, { ...neighbour, asked: neighbour.asked + 1, due_ns: now + RETRANS_NS });
  return { neighbours: left, ask: ask.map(({ ip }) => ip), failed: failed.map(({ ip }) => ip) };
}

/** When `expire` has something to do; `END_OF_TIME` for never. What is reachable grows old by itself. */
export const neighboursDue = (neighbours: Neighbours): Ns =>
  neighbours.reduce((due, { state, due_ns }) => (state === 'incomplete' ? Math.min(due, due_ns) : due), END_OF_TIME);

/** A full cache loses the entry that is due first. */
function put(neighbours: Neighbours, neighbour: Neighbour): Neighbours {
  let others = neighbours.filter(({ ip }) => ip !== neighbour.ip);
  if (others.length >= MAX_NEIGHBOURS) {
    const first = others.reduce((least, other) => (other.due_ns < least.due_ns ? other : least));
    others = others.filter((other) => other !== first);
  }
  const at = others.findIndex(({ ip }) => ip > neighbour.ip);
  return others.toSpliced(at < 0 ? others.length : at, 0, neighbour);
}
