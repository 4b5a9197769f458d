import { END_OF_TIME, type Ns, SECOND } from '../../events/units.ts';
import { type Ip, isGroupMac, type Mac } from './address.ts';
import { type Dhcp, emptyDhcp, INFINITE_LEASE } from './dhcp.ts';

/** What a server gives out. It is the only one on its network, and so answers with authority (see `serve`). */
export interface DhcpConfig {
  /** The server's own address; never leased. */
  readonly ip: Ip;
  readonly netmask: Ip;
  /** 0 for none. */
  readonly router: Ip;
  readonly dns: readonly Ip[];
  /** First and last address to lease, both included; of a wider pool the first `MAX_POOL` are used. None when `last` is below `first`. */
  readonly pool: { readonly first: Ip; readonly last: Ip };
  /** Seconds; `INFINITE_LEASE` for ever. */
  readonly lease_s: number;
  /** Addresses that belong to one client each, within the pool or outside. */
  readonly statics: readonly { readonly mac: Mac; readonly ip: Ip }[];
}

/** An address and who has it; kept beyond its end, so that a client that comes back finds its old address. At most one for a MAC and for an IP. */
export interface Lease {
  readonly ip: Ip;
  /** 0 for a declined address: somebody uses it, and nobody knows who. */
  readonly mac: Mac;
  /** As the client gave it, a byte string; empty when it gave none. */
  readonly hostname: string;
  readonly state: 'offered' | 'bound' | 'declined';
  /** From this time on the address may be given to another; `END_OF_TIME` for ever. */
  readonly expires_ns: Ns;
}
/** Ascending by address. */
export type Leases = readonly Lease[];

/** What happened, for whoever logs it. `hostname` is a byte string that the guest chose. */
export type LeaseNote =
  | { readonly type: 'lease_offered'; readonly mac: Mac; readonly ip: Ip; readonly hostname: string }
  | { readonly type: 'lease_given'; readonly mac: Mac; readonly ip: Ip; readonly hostname: string; readonly expires_ns: Ns }
  | { readonly type: 'lease_refused'; readonly mac: Mac; readonly ip: Ip }
  | { readonly type: 'lease_released'; readonly mac: Mac; readonly ip: Ip }
  | { readonly type: 'address_declined'; readonly mac: Mac; readonly ip: Ip }
  | { readonly type: 'pool_exhausted'; readonly mac: Mac };

export interface Served {
  readonly leases: Leases;
  readonly reply?: Dhcp;
  readonly notes: readonly LeaseNote[];
}

export const MAX_POOL = 65_536;
/** How long an offered address waits for its request. */
const OFFER_NS = 60 * SECOND;

/**
 * Answers one message of a client (RFC 2131 4.3). Being alone on the network, it also acknowledges an address that it has no record of,
 * where that is free, and refuses any other at once: a guest that comes back from another host need not wait for a timeout.
 * Relayed messages and those of no station are met with silence, as are clients for whom no address is left.
 */
export function serve(leases: Leases, config: DhcpConfig, message: Dhcp, now: Ns): Served {
  const { chaddr: mac, hostname } = message;
  const silence: Served = { leases, notes: [] };
  if (message.op !== 'request' || message.giaddr !== 0 || mac === 0 || isGroupMac(mac)) return silence;
  const own = leases.find((lease) => lease.mac === mac);

  switch (message.message_type) {
    case 'discover': {
      const ip = choose(leases, config, { mac, wanted: message.requested_ip }, now);
      if (ip === undefined) return { leases, notes: [{ type: 'pool_exhausted', mac }] };
      const binding = own?.ip === ip && own.state === 'bound' && own.expires_ns > now;
      const offer: Lease = { ip, mac, hostname, state: 'offered', expires_ns: later(now, OFFER_NS) };
      return {
        leases: binding ? leases : hold(leases, offer),
        reply: { ...answer(message, config), message_type: 'offer', yiaddr: ip, lease_s: config.lease_s },
        notes: [{ type: 'lease_offered', mac, ip, hostname }],
      };
    }
    case 'request': {
      // The client tells everybody whose offer it takes; if it is another's, ours is free again.
      if (message.server_id !== 0 && message.server_id !== config.ip)
        return own?.state === 'offered' ? { leases: hold(leases, { ...own, expires_ns: now }), notes: [] } : silence;
      const ip = message.requested_ip || message.ciaddr;
      if (!mayHave(leases, config, { mac, ip }, now))
        return { leases, reply: refusal(message, config), notes: [{ type: 'lease_refused', mac, ip }] };
      const expires_ns = config.lease_s === INFINITE_LEASE ? END_OF_TIME : later(now, config.lease_s * SECOND);
      const lease: Lease = { ip, mac, hostname: hostname || (own?.hostname ?? ''), state: 'bound', expires_ns };
      return {
        leases: hold(leases, lease),
        reply: {
          ...answer(message, config),
          message_type: 'ack',
          ciaddr: message.ciaddr,
          yiaddr: ip,
          lease_s: config.lease_s,
        },
        notes: [{ type: 'lease_given', mac, ip, hostname: lease.hostname, expires_ns }],
      };
    }
    case 'release': {
      if (own === undefined || own.ip !== message.ciaddr || own.expires_ns <= now) return silence;
      return { leases: hold(leases, { ...own, expires_ns: now }), notes: [{ type: 'lease_released', mac, ip: own.ip }] };
    }
    case 'decline': {
      if (own === undefined || own.ip !== message.requested_ip) return silence;
      const expires_ns = later(now, config.lease_s * SECOND);
      return {
        leases: hold(leases, { ip: own.ip, mac: 0, hostname: '', state: 'declined', expires_ns }),
        notes: [{ type: 'address_declined', mac, ip: own.ip }],
      };
    }
    case 'inform':
      return { leases, reply: { ...answer(message, config), message_type: 'ack', ciaddr: message.ciaddr }, notes: [] };
    case 'offer':
    case 'ack':
    case 'nak':
      return silence;
  }
}

/** The addresses in use, lowest first. */
export const activeLeases = (leases: Leases, now: Ns): Leases =>
  leases.filter((lease) => lease.state === 'bound' && lease.expires_ns > now);

/** RFC 2131 4.3.1: the client's own address, else the one that it asks for, else the first that nobody had, else the one unused for longest. */
function choose(
  leases: Leases,
  config: DhcpConfig,
  { mac, wanted }: { readonly mac: Mac; readonly wanted: Ip },
  now: Ns,
): Ip | undefined {
  const reserved = config.statics.find((entry) => entry.mac === mac);
  if (reserved !== undefined) return reserved.ip;
  const known = leases.find((lease) => lease.mac === mac)?.ip;
  for (const ip of [known, wanted]) if (ip !== undefined && mayHave(leases, config, { mac, ip }, now)) return ip;

  const held = new Set(leases.map((lease) => lease.ip));
  for (let ip = config.pool.first; ip <= poolEnd(config); ip++) if (!held.has(ip) && isLeasable(config, ip)) return ip;
  let oldest: Lease | undefined;
  for (const lease of leases)
    if (lease.expires_ns <= now && isLeasable(config, lease.ip) && !(oldest && oldest.expires_ns <= lease.expires_ns))
      oldest = lease;
  return oldest?.ip;
}

function mayHave(leases: Leases, config: DhcpConfig, { mac, ip }: { readonly mac: Mac; readonly ip: Ip }, now: Ns): boolean {
  const reserved = config.statics.find((entry) => entry.mac === mac);
  if (reserved !== undefined) return reserved.ip === ip;
  const lease = leases.find((other) => other.ip === ip);
  return isLeasable(config, ip) && (lease === undefined || lease.mac === mac || lease.expires_ns <= now);
}

const isLeasable = (config: DhcpConfig, ip: Ip): boolean =>
  ip >= config.pool.first &&
  ip <= poolEnd(config) &&
  ip !== config.ip &&
  ip !== config.router &&
  !config.statics.some((entry) => entry.ip === ip);

const poolEnd = ({ pool }: DhcpConfig): Ip => Math.min(pool.last, pool.first + MAX_POOL - 1);

/** Puts a lease in its place, instead of what its address and its client had before. */
function hold(leases: Leases, lease: Lease): Leases {
  const others = leases.filter((other) => other.ip !== lease.ip && (lease.mac === 0 || other.mac !== lease.mac));
  const at = others.findIndex((other) => other.ip > lease.ip);
  return others.toSpliced(at < 0 ? others.length : at, 0, lease);
}

/** RFC 2131 4.3.1 table 3: what every answer takes from the request and from the configuration. */
const answer = (request: Dhcp, config: DhcpConfig): Omit<Dhcp, 'message_type'> => ({
  ...emptyDhcp,
  op: 'reply',
  xid: request.xid,
  broadcast: request.broadcast,
  chaddr: request.chaddr,
  client_id: request.client_id,
  server_id: config.ip,
  subnet_mask: config.netmask,
  routers: config.router === 0 ? [] : [config.router],
  dns: config.dns,
});

/** A refusal carries no configuration. */
const refusal = (request: Dhcp, config: DhcpConfig): Dhcp => ({
  ...answer(request, config),
  message_type: 'nak',
  subnet_mask: 0,
  routers: [],
  dns: [],
});

const later = (now: Ns, by: Ns): Ns => Math.min(END_OF_TIME, now + by);
