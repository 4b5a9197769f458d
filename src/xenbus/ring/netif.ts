// Network devices (public/io/netif.h): two rings, `tx` from the guest and `rx` to it. The same bytes for either width of guest.
import type { Gref, Mfn } from '../../../events/units.ts';
import { int16_t, uint8_t, uint16_t, uint32_t } from '../../abi/scalars.ts';
import { bytes, struct } from '../../abi/struct.ts';
import type { Frames } from '../../memory/memory.ts';
import { type Protocol, ringSize } from './ring.ts';

/** A fragment to send: `offset` and `size` are bytes, `size` of the first fragment is that of the whole packet. */
export interface NetifTxRequest {
  readonly gref: Gref;
  readonly offset: number;
  /** NETTXF.*. */
  readonly flags: number;
  readonly id: number;
  readonly size: number;
}
export interface NetifTxResponse {
  readonly id: number;
  /** NETIF_RSP.*. */
  readonly status: number;
}
/** A frame for a packet to come. */
export interface NetifRxRequest {
  readonly id: number;
  readonly gref: Gref;
}
/** A fragment that came: `status` is its size in bytes, or NETIF_RSP.* below 0. It stands in the slot of its request. */
export interface NetifRxResponse {
  readonly id: number;
  readonly offset: number;
  /** NETRXF.*. */
  readonly flags: number;
  readonly status: number;
}
/** What a slot after one with the flag `extra_info` holds, and one after an extra with XEN_NETIF_EXTRA_FLAG_MORE. */
export interface NetifExtraInfo {
  /** XEN_NETIF_EXTRA_TYPE.*. */
  readonly type: number;
  readonly flags: number;
  /** Six bytes, of which the type knows the meaning. */
  readonly data: Uint8Array;
}

/** `NETTXF_*`. */
export const NETTXF = { csum_blank: 1 << 0, data_validated: 1 << 1, more_data: 1 << 2, extra_info: 1 << 3 } as const;
/** `NETRXF_*`. */
export const NETRXF = {
  data_validated: 1 << 0,
  csum_blank: 1 << 1,
  more_data: 1 << 2,
  extra_info: 1 << 3,
  gso_prefix: 1 << 4,
} as const;
/** `NETIF_RSP_*`; NULL answers an extra. */
export const NETIF_RSP = { OKAY: 0, ERROR: -1, DROPPED: -2, NULL: 1 } as const;
/** `XEN_NETIF_EXTRA_TYPE_*`. */
export const XEN_NETIF_EXTRA_TYPE = { NONE: 0, GSO: 1, MCAST_ADD: 2, MCAST_DEL: 3, HASH: 4 } as const;
export const XEN_NETIF_EXTRA_FLAG_MORE = 1;

export const netif_tx_request = struct('netif_tx_request', {
  gref: uint32_t,
  offset: uint16_t,
  flags: uint16_t,
  id: uint16_t,
  size: uint16_t,
});
export const netif_tx_response = struct('netif_tx_response', { id: uint16_t, status: int16_t });
export const netif_rx_request = struct('netif_rx_request', { id: uint16_t, pad: uint16_t, gref: uint32_t });
export const netif_rx_response = struct('netif_rx_response', {
  id: uint16_t,
  offset: uint16_t,
  flags: uint16_t,
  status: int16_t,
});
export const netif_extra_info = struct('netif_extra_info', { type: uint8_t, flags: uint8_t, u: bytes(6) });

const txRequest = netif_tx_request.x86_64.offset;
const txResponse = netif_tx_response.x86_64.offset;
const rxRequest = netif_rx_request.x86_64.offset;
const rxResponse = netif_rx_response.x86_64.offset;
const extraInfo = netif_extra_info.x86_64.offset;

const tx_entry_size = netif_tx_request.x86_64.size;
const rx_entry_size = netif_rx_response.x86_64.size;

export const netifTx: Protocol<NetifTxRequest, NetifTxRequest, NetifTxResponse> = {
  nr_ents: ringSize(tx_entry_size),
  entry_size: tx_entry_size,
  writeRequest: (frames, mfn, at, { gref, offset, flags, id, size }) => {
    frames.put32(mfn, at + txRequest.gref, gref);
    frames.put16(mfn, at + txRequest.offset, offset);
    frames.put16(mfn, at + txRequest.flags, flags);
    frames.put16(mfn, at + txRequest.id, id);
    frames.put16(mfn, at + txRequest.size, size);
  },
  readRequest: (frames, mfn, at) => ({
    gref: frames.get32(mfn, at + txRequest.gref),
    offset: frames.get16(mfn, at + txRequest.offset),
    flags: frames.get16(mfn, at + txRequest.flags),
    id: frames.get16(mfn, at + txRequest.id),
    size: frames.get16(mfn, at + txRequest.size),
  }),
  writeResponse: (frames, mfn, at, { id, status }) => {
    frames.put16(mfn, at + txResponse.id, id);
    frames.put16(mfn, at + txResponse.status, status);
  },
  readResponse: (frames, mfn, at) => ({
    id: frames.get16(mfn, at + txResponse.id),
    status: getInt16(frames, mfn, at + txResponse.status),
  }),
};

export const netifRx: Protocol<NetifRxRequest, NetifRxRequest, NetifRxResponse> = {
  nr_ents: ringSize(rx_entry_size),
  entry_size: rx_entry_size,
  writeRequest: (frames, mfn, at, { id, gref }) => {
    frames.put16(mfn, at + rxRequest.id, id);
    frames.put16(mfn, at + rxRequest.pad, 0);
    frames.put32(mfn, at + rxRequest.gref, gref);
  },
  readRequest: (frames, mfn, at) => ({
    id: frames.get16(mfn, at + rxRequest.id),
    gref: frames.get32(mfn, at + rxRequest.gref),
  }),
  writeResponse: (frames, mfn, at, { id, offset, flags, status }) => {
    frames.put16(mfn, at + rxResponse.id, id);
    frames.put16(mfn, at + rxResponse.offset, offset);
    frames.put16(mfn, at + rxResponse.flags, flags);
    frames.put16(mfn, at + rxResponse.status, status);
  },
  readResponse: (frames, mfn, at) => ({
    id: frames.get16(mfn, at + rxResponse.id),
    offset: frames.get16(mfn, at + rxResponse.offset),
    flags: frames.get16(mfn, at + rxResponse.flags),
    status: getInt16(frames, mfn, at + rxResponse.status),
  }),
};

/** The tx ring where the next request is an extra: `getRequest(frames, mfn, netifTxExtra, back)`. Its response is a plain one, with NULL. */
export const netifTxExtra: Protocol<NetifExtraInfo, NetifExtraInfo, NetifTxResponse> = {
  ...netifTx,
  writeRequest: writeExtra,
  readRequest: readExtra,
};

/** The rx ring where the next response is an extra. */
export const netifRxExtra: Protocol<NetifRxRequest, NetifRxRequest, NetifExtraInfo> = {
  ...netifRx,
  writeResponse: writeExtra,
  readResponse: readExtra,
};

function writeExtra(frames: Frames, mfn: Mfn, at: number, { type, flags, data }: NetifExtraInfo): void {
  frames.put8(mfn, at + extraInfo.type, type);
  frames.put8(mfn, at + extraInfo.flags, flags);
  for (let i = 0; i < 6; i++) frames.put8(mfn, at + extraInfo.u + i, data[i] ?? 0);
}

function readExtra(frames: Frames, mfn: Mfn, at: number): NetifExtraInfo {
  return {
    type: frames.get8(mfn, at + extraInfo.type),
    flags: frames.get8(mfn, at + extraInfo.flags),
    data: frames.read(mfn, at + extraInfo.u, 6).slice(),
  };
}

const getInt16 = (frames: Frames, mfn: Mfn, at: number): number => (frames.get16(mfn, at) << 16) >> 16;
