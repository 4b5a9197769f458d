// The page between a domain and xenstored (public/io/xs_wire.h): requests one way, replies and watch events the other.
import type { Mfn } from '../../../events/units.ts';
import { uint32_t } from '../../abi/scalars.ts';
import { bytes, struct } from '../../abi/struct.ts';
import type { Frames } from '../../memory/memory.ts';
import { type ByteStream, checkIndexes, getBytes, putBytes } from './byte-stream.ts';

export const XENSTORE_RING_SIZE = 1024;

/** For the guest: answers how many bytes fitted; 0 where the indices are nonsense. */
export const writeReq = (frames: Frames, mfn: Mfn, data: Uint8Array): number => putBytes(frames, mfn, req, data);
/** For xenstored: what was asked, up to `limit` bytes. Messages come in pieces as they fit. */
export const readReq = (frames: Frames, mfn: Mfn, limit?: number): Uint8Array => getBytes(frames, mfn, req, limit);
/** For xenstored: answers how many bytes fitted; 0 where the indices are nonsense. */
export const writeRsp = (frames: Frames, mfn: Mfn, data: Uint8Array): number => putBytes(frames, mfn, rsp, data);
/** For the guest. */
export const readRsp = (frames: Frames, mfn: Mfn, limit?: number): Uint8Array => getBytes(frames, mfn, rsp, limit);

/** False where the guest made nonsense of an index: xenstored then gives up on it, with XENSTORE_ERROR.RINGIDX in `error`. */
export const ringIsSane = (frames: Frames, mfn: Mfn): boolean => checkIndexes(frames, mfn, req) && checkIndexes(frames, mfn, rsp);

export const xenstore_domain_interface = struct('xenstore_domain_interface', {
  req: bytes(XENSTORE_RING_SIZE),
  rsp: bytes(XENSTORE_RING_SIZE),
  req_cons: uint32_t,
  req_prod: uint32_t,
  rsp_cons: uint32_t,
  rsp_prod: uint32_t,
  server_features: uint32_t,
  connection: uint32_t,
  error: uint32_t,
});
/** Byte offsets in the page: `frames.get32(mfn, XENSTORE_INTERFACE.connection)`. */
export const XENSTORE_INTERFACE = xenstore_domain_interface.x86_64.offset;

/** Bits of `server_features`. */
export const XENSTORE_SERVER_FEATURE = { RECONNECTION: 1, ERROR: 2 } as const;
/** Values of `connection`. */
export const XENSTORE_CONNECTED = 0;
export const XENSTORE_RECONNECT = 1;
/** Values of `error`. */
export const XENSTORE_ERROR = { NONE: 0, COMM: 1, RINGIDX: 2, PROTO: 3 } as const;

const at = XENSTORE_INTERFACE;
const req: ByteStream = { data: at.req, size: XENSTORE_RING_SIZE, cons: at.req_cons, prod: at.req_prod };
const rsp: ByteStream = { data: at.rsp, size: XENSTORE_RING_SIZE, cons: at.rsp_cons, prod: at.rsp_prod };
