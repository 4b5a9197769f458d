// The write rate of guests while somebody has a transaction open, which their writes may spoil: wrl_* in xenstored_domain.c.
import type { XenstoreFact } from '../../events/xenstore.ts';
import type { Outcome } from './outcome.ts';
import type { Connection, Domain, XenStore } from './state.ts';

/** Credit that is full, in thousandths of a write: what a domain starts with. */
export const BURST = 10_000;
/** When the credit of a domain has been counted that has not been charged yet. */
export const NEVER = -1;
/** Thousandths of a write a second, for all domains together. */
const RATE = 200_000;
const COST = 1000;
/** What domains that do not write leave to those that do. */
const MOST_RESERVE = 1_000_000;
/** Longer than this nobody has to be remembered for. */
const MOST_MS = 1_000_000_000;

/** Milliseconds, from `now_ms` on, until a domain's next request may be read; 0: now. */
export function writeDelay(store: XenStore, domid: number, now_ms: number): number {
  const domain = store.domains.get(domid);
  if (!domain || domid === 0 || domain.credit >= 0) return 0;
  const { credit } = credited(store, domain, now_ms);
  return credit >= 0 ? 0 : Math.max(1, divided(-credit * 1000 * introduced(store), RATE));
}

/** Whether a write of a domain would be charged now, so that time matters. */
export const isCharged = (store: XenStore, domid: number): boolean => domid !== 0 && store.rate.transactions > 0;

/** The outcome of a request, with what it is charged: outside of transactions each changed node, in the end a transaction as one. */
export function charged(store: XenStore, connection: Connection, tx: number, outcome: Outcome): Outcome {
  const { domid, conn } = connection;
  if (!isCharged(store, domid) || !outcome.events) return outcome;
  const isCommit = outcome.events[0]?.type === 'xenstore.transaction_committed';
  if (tx !== 0 && (!isCommit || store.rate.transactions === 1)) return outcome;
  const isWrite = (event: XenstoreFact): boolean => changes.has(event.type) && 'conn' in event && event.conn === conn;
  const count = isCommit ? 1 : outcome.events.filter(isWrite).length;
  if (count === 0) return outcome;
  const at_ms = store.rate.clock_ms;
  const { credit, reserve } = credited(store, store.domains.get(domid)!, at_ms);
  const fact: XenstoreFact = { type: 'xenstore.write_charged', domid, credit: credit - count * COST, reserve, at_ms };
  return { ...outcome, events: [...outcome.events, fact] };
}

const changes: ReadonlySet<string> = new Set([
  'xenstore.node_created',
  'xenstore.node_written',
  'xenstore.node_removed',
  'xenstore.perms_set',
]);

/** What a domain's credit is by now, and what is left in reserve: wrl_credit_update(). */
function credited(store: XenStore, domain: Domain, now_ms: number): { credit: number; reserve: number } {
  if (domain.credited_ms === NEVER) return { credit: domain.credit, reserve: store.rate.reserve };
  const ms = Math.min(Math.max(now_ms - domain.credited_ms, 0), MOST_MS);
  const earned = domain.credit + divided(ms * RATE, introduced(store) * 1000);
  const lent = Math.min(Math.max(-earned, 0), store.rate.reserve);
  const surplus = Math.max(earned - BURST, 0);
  const credit = earned + lent - surplus;
  return { credit, reserve: Math.min(store.rate.reserve - lent + surplus, MOST_RESERVE) };
}

const introduced = (store: XenStore): number => store.rate.domains;
/** Of integers, rounded down. */
const divided = (a: number, b: number): number => (a - (a % b)) / b;
