import { createHash } from 'node:crypto';
import type { Hash } from '../../events/log.ts';

/** The chain's hash by node:crypto: the same digests as the default, several times faster. */
export const sha256: Hash = (bytes) => new Uint8Array(createHash('sha256').update(bytes).digest());
