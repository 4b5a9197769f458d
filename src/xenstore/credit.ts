// The write rate of guests while somebody has a transaction open, which their writes may spoil: wrl_* in xenstored_domain.c. All
// domains earn alike. What one earns beyond its burst goes into a reserve, which lends to those in debt; xenstored counts everybody in
// each turn of its loop, and here they are counted when somebody is in debt, which comes to the same.
import type { XenstoreFact } from '../../events/xenstore.ts';
import type { Outcome } from './outcome.ts';
import type { Connection, Domain, XenStore } from './state.ts';

/** Credit that is full, in thousandths of a write: what a domain starts with. */
export const BURST = 10_000;
/** When a domain's own credit was counted, where it is full: it has lent what it earned since everybody was counted last. */
export const NEVER = -1;
/** What there can be in reserve. */
export const MOST_RESERVE = 1_000_000;
/** Thousandths of a write a second, for all domains together. */
const RATE = 200_000;
const COST = 1000;
/** Longer than this nobody has to be remembered for. */
const MOST_MS = 1_000_000_000;

/** Milliseconds, from `now_ms` on, until a domain's next request may be read; 0: now. */
export function writeDelay(store: XenStore, domid: number, now_ms: number): number {
  const domain = store.domains.get(domid);
  if (!domain || domid === 0 || domain.credit >= 0) return 0;
  const { credit } = earned(store, domain, now_ms);
  if (credit + reserveAt(store, now_ms) >= 0) return 0;
  return Math.max(1, divided(-credit * 1000 * store.rate.domains, RATE));
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
  return { ...outcome, events: [...outcome.events, ...charge(store, store.domains.get(domid)!, count * COST)] };
}

const changes: ReadonlySet<string> = new Set([
  'xenstore.node_created',
  'xenstore.node_written',
  'xenstore.node_removed',
  'xenstore.perms_set',
]);

function* charge(store: XenStore, domain: Domain, cost: number): Generator<XenstoreFact> {
  const { domid } = domain;
  const at_ms = store.rate.clock_ms;
  const { credit, surplus } = earned(store, domain, at_ms);
  const left = credit - cost;
  if (left >= 0) {
    const reserve = Math.min(store.rate.reserve + surplus, MOST_RESERVE);
    yield { type: 'xenstore.write_charged', domid, credit: left, reserve, at_ms };
    return;
  }
  const reserve = reserveAt(store, at_ms);
  const lent = Math.min(-left, reserve);
  yield { type: 'xenstore.credits_counted', reserve, at_ms };
  yield { type: 'xenstore.write_charged', domid, credit: left + lent, reserve: reserve - lent, at_ms };
}

/** What a domain's credit is by now, and what it has earned beyond its burst. */
export function earned(store: XenStore, domain: Domain, now_ms: number): { credit: number; surplus: number } {
  const since = domain.credited_ms === NEVER ? store.rate.counted_ms : domain.credited_ms;
  const ms = Math.min(Math.max(now_ms - since, 0), MOST_MS);
  const all = domain.credit + divided(ms * RATE, store.rate.domains * 1000);
  const credit = Math.min(all, BURST);
  return { credit, surplus: all - credit };
}

/** What there is in reserve by now. */
function reserveAt(store: XenStore, now_ms: number): number {
  let { reserve } = store.rate;
  for (const domain of store.domains.values()) if (domain.introduced) reserve += earned(store, domain, now_ms).surplus;
  return Math.min(reserve, MOST_RESERVE);
}

/** Of integers, rounded down. */
const divided = (a: number, b: number): number => (a - (a % b)) / b;
