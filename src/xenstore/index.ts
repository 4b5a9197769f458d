// XenStore: tree, permissions, quota, transactions, watches and the payloads of its messages.

export { answerOf, encodeRequest } from './client.ts';
export { isCharged, writeDelay } from './credit.ts';
export { decide } from './decide.ts';
export type { Domains } from './domains.ts';
export { evolve } from './evolve.ts';
export { PAYLOAD_MAX } from './fire.ts';
export { type Invariant, invariants } from './invariants.ts';
export { type Profile, profiles, type QuotaName, type Quotas, quotaNames, type XenstoreVersion } from './profiles.ts';
export { Connection, type Domain, type Listed, XenStore, type XenStoreSnapshot } from './state.ts';
export { decode, encodeReply, encodeStep, encodeWatchEvent, type Message, type Outgoing } from './wire.ts';
