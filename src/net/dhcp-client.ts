import { END_OF_TIME, MS, type Ns, SECOND } from '../../events/units.ts';
import { BROADCAST_IP, type Ip, type Mac } from './address.ts';
import { type Dhcp, emptyDhcp, INFINITE_LEASE, OPTION } from './dhcp.ts';

/** A DHCP client, with the states of RFC 2131 figure 5. `due_ns` is when `clientDue` wants to be called. */
export type DhcpClient =
  | { readonly phase: 'init' }
  | {
      readonly phase: 'selecting';
      readonly xid: number;
      readonly since_ns: Ns;
      readonly sent: number;
      readonly due_ns: Ns;
    }
  | {
      readonly phase: 'requesting';
      readonly xid: number;
      readonly secs: number;
      readonly sent: number;
      readonly sent_ns: Ns;
      readonly due_ns: Ns;
      readonly ip: Ip;
      readonly server_id: Ip;
    }
  | { readonly phase: 'bound'; readonly xid: number; readonly due_ns: Ns; readonly lease: ClientLease }
  | {
      readonly phase: 'renewing' | 'rebinding';
      readonly xid: number;
      readonly since_ns: Ns;
      readonly sent_ns: Ns;
      readonly due_ns: Ns;
      readonly lease: ClientLease;
    };

export interface ClientLease {
  readonly ip: Ip;
  readonly netmask: Ip;
  /** 0 for none. */
  readonly router: Ip;
  readonly dns: readonly Ip[];
  readonly server_id: Ip;
  /** T1, T2 and the end; `END_OF_TIME` for a lease without end. */
  readonly renew_ns: Ns;
  readonly rebind_ns: Ns;
  readonly expires_ns: Ns;
}
/** Who asks. `hostname` is a byte string; empty for none. */
export interface ClientIdentity {
  readonly mac: Mac;
  readonly hostname: string;
}

export type DhcpClientEvent =
  | {
      readonly type: 'bound' | 'renewed';
      readonly ip: Ip;
      readonly netmask: Ip;
      readonly router: Ip;
      readonly dns: readonly Ip[];
      /** Seconds, as the server says it; `INFINITE_LEASE` for ever. */
      readonly lease: number;
    }
  /** The address is gone: its time is over, or the server refused to prolong it. The client is looking for another. */
  | { readonly type: 'lease_lost'; readonly ip: Ip; readonly why: 'expired' | 'nak' }
  /** Nobody offers an address. The client has given up until it is started again. */
  | { readonly type: 'timeout'; readonly of: 'dhcp' };

export interface ClientTurn {
  readonly client: DhcpClient;
  /** From the client's address, where `message.ciaddr` is one, to this. */
  readonly send?: { readonly message: Dhcp; readonly to: Ip };
  readonly events: readonly DhcpClientEvent[];
}

/** RFC 2131 4.1, without its random second: a run has nobody to be out of step with. */
const RETRY_S = [4, 8, 16, 32, 64] as const;
const REQUEST_TRIES = 4;
/** RFC 2131 4.4.5: not more often than once a minute. */
const RENEW_PAUSE_NS = 60 * SECOND;
/** After a refusal, so that a server that offers what it then refuses does not keep both busy without time going by. */
const NAK_PAUSE_NS = 3 * SECOND;
/** For the same reason a shorter lease is taken for a minute. */
const MIN_LEASE_S = 60;
/** Where a server gives no netmask. */
const DEFAULT_NETMASK = 0xffff_ff00;
const PARAMETERS = String.fromCharCode(OPTION.subnet_mask, OPTION.router, OPTION.dns, OPTION.lease);

export const idleClient: DhcpClient = { phase: 'init' };

/** Begins anew, whatever the client was doing. Later transactions count up from `xid`. */
export const startClient = (identity: ClientIdentity, xid: number, now: Ns): ClientTurn =>
  clientDue(selecting(xid, now, now), identity, now);

/** Hears a server's message; what is not for this client, or comes at a wrong time, is ignored. */
export function clientHears(client: DhcpClient, identity: ClientIdentity, message: Dhcp, now: Ns): ClientTurn {
  const ignored: ClientTurn = { client, events: [] };
  if (client.phase === 'init' || client.phase === 'bound') return ignored;
  if (message.op !== 'reply' || message.xid !== client.xid || message.chaddr !== identity.mac) return ignored;

  if (client.phase === 'selecting') {
    if (message.message_type !== 'offer' || message.server_id === 0 || message.yiaddr === 0) return ignored;
    const { yiaddr: ip, server_id } = message;
    const secs = elapsedSeconds(client.since_ns, now);
    return clientDue(
      { phase: 'requesting', xid: client.xid, secs, sent: 0, sent_ns: now, due_ns: now, ip, server_id },
      identity,
      now,
    );
  }
  const held = client.phase === 'requesting' ? undefined : client.lease;
  switch (message.message_type) {
    case 'nak':
      return {
        client: selecting(nextXid(client.xid), now, now + NAK_PAUSE_NS),
        events: held ? [{ type: 'lease_lost', ip: held.ip, why: 'nak' }] : [],
      };
    case 'ack': {
      if (message.yiaddr === 0 || message.lease_s === 0) return ignored;
      const lease = leaseOf(message, client.sent_ns, held?.server_id ?? (client.phase === 'requesting' ? client.server_id : 0));
      const { ip, netmask, router, dns } = lease;
      const type = held?.ip === ip ? 'renewed' : 'bound';
      return {
        client: { phase: 'bound', xid: client.xid, due_ns: lease.renew_ns, lease },
        events: [{ type, ip, netmask, router, dns, lease: message.lease_s }],
      };
    }
    default:
      return ignored;
  }
}

/** Does what is due: a retransmission, the next phase of a lease, or giving up. Nothing before `clientDueAt`. */
export function clientDue(client: DhcpClient, identity: ClientIdentity, now: Ns): ClientTurn {
  if (clientDueAt(client) > now) return { client, events: [] };
  switch (client.phase) {
    case 'init':
      return { client, events: [] };
    case 'selecting': {
      const pause = RETRY_S[client.sent];
      if (pause === undefined) return { client: idleClient, events: [{ type: 'timeout', of: 'dhcp' }] };
      const message = ask(identity, client.xid, { message_type: 'discover', secs: elapsedSeconds(client.since_ns, now) });
      return {
        client: { ...client, sent: client.sent + 1, due_ns: now + pause * SECOND },
        send: { message, to: BROADCAST_IP },
        events: [],
      };
    }
    case 'requesting': {
      if (client.sent === REQUEST_TRIES) return startClient(identity, nextXid(client.xid), now);
      const { xid, secs, ip: requested_ip, server_id } = client;
      return {
        client: { ...client, sent: client.sent + 1, sent_ns: now, due_ns: now + RETRY_S[client.sent]! * SECOND },
        send: { message: ask(identity, xid, { message_type: 'request', secs, requested_ip, server_id }), to: BROADCAST_IP },
        events: [],
      };
    }
    case 'bound':
      return prolong({ ...client, phase: 'renewing', xid: nextXid(client.xid), since_ns: now, sent_ns: now }, identity, now);
    case 'renewing':
    case 'rebinding':
      return prolong(client, identity, now);
  }
}

/** `END_OF_TIME` for never. */
export const clientDueAt = (client: DhcpClient): Ns => (client.phase === 'init' ? END_OF_TIME : client.due_ns);

/** The lease that the client may use now. */
export const heldLease = (client: DhcpClient): ClientLease | undefined => ('lease' in client ? client.lease : undefined);

/** Gives the address back; the server does not answer (RFC 2131 4.4.6). */
export function releaseLease(client: DhcpClient, identity: ClientIdentity): ClientTurn {
  if (!('lease' in client)) return { client: idleClient, events: [] };
  const { ip: ciaddr, server_id } = client.lease;
  const message = { ...ask(identity, nextXid(client.xid), { message_type: 'release', ciaddr, server_id }), parameters: '' };
  return { client: idleClient, send: { message, to: server_id }, events: [] };
}

/** RFC 2131 4.4.5: asks its own server until T2 and everybody from then on, at half of the time that is left. */
function prolong(
  client: Extract<DhcpClient, { phase: 'renewing' | 'rebinding' }>,
  identity: ClientIdentity,
  now: Ns,
): ClientTurn {
  const { lease } = client;
  if (lease.expires_ns <= now)
    return {
      ...startClient(identity, nextXid(client.xid), now),
      events: [{ type: 'lease_lost', ip: lease.ip, why: 'expired' }],
    };
  const phase = lease.rebind_ns <= now ? 'rebinding' : 'renewing';
  const until = phase === 'renewing' ? lease.rebind_ns : lease.expires_ns;
  const due_ns = Math.min(until, now + Math.max(RENEW_PAUSE_NS, Math.floor((until - now) / 2)));
  const secs = elapsedSeconds(client.since_ns, now);
  return {
    client: { ...client, phase, sent_ns: now, due_ns },
    send: {
      message: ask(identity, client.xid, { message_type: 'request', secs, ciaddr: lease.ip }),
      to: phase === 'renewing' ? lease.server_id : BROADCAST_IP,
    },
    events: [],
  };
}

/** The time of a lease runs from the request, which the server has answered later. */
function leaseOf(ack: Dhcp, from: Ns, server_id: Ip): ClientLease {
  const seconds = Math.max(MIN_LEASE_S, ack.lease_s);
  const part = (eighths: number): Ns =>
    ack.lease_s === INFINITE_LEASE ? END_OF_TIME : Math.min(END_OF_TIME, from + Math.floor((seconds * 1000 * eighths) / 8) * MS);
  return {
    ip: ack.yiaddr,
    netmask: ack.subnet_mask || DEFAULT_NETMASK,
    router: ack.routers[0] ?? 0,
    dns: ack.dns,
    server_id: ack.server_id || server_id,
    renew_ns: part(4),
    rebind_ns: part(7),
    expires_ns: part(8),
  };
}

const selecting = (xid: number, since_ns: Ns, due_ns: Ns): DhcpClient => ({ phase: 'selecting', xid, since_ns, sent: 0, due_ns });

const ask = (identity: ClientIdentity, xid: number, fields: Pick<Dhcp, 'message_type'> & Partial<Dhcp>): Dhcp => ({
  ...emptyDhcp,
  op: 'request',
  xid,
  chaddr: identity.mac,
  hostname: identity.hostname,
  parameters: PARAMETERS,
  ...fields,
});

const nextXid = (xid: number): number => (xid + 1) >>> 0;
const elapsedSeconds = (since: Ns, now: Ns): number => Math.min(0xffff, Math.floor((now - since) / SECOND));
