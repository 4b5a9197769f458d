// Block devices (public/io/blkif.h): what goes through the ring, for guests of either width.
import type { Gref, Mfn } from '../../../events/units.ts';
import { int16_t, uint8_t, uint16_t, uint32_t, uint64_t } from '../../abi/scalars.ts';
import { array, each, struct, type Width } from '../../abi/struct.ts';
import type { Frames } from '../../memory/memory.ts';
import { type Protocol, ringSize } from './ring.ts';

/** Sectors `first_sect` to `last_sect` (0 to 7, both inclusive, 512 bytes each) of a granted frame. */
export interface BlkifSegment {
  readonly gref: Gref;
  readonly first_sect: number;
  readonly last_sect: number;
}
interface BlkifCommon {
  readonly handle: number;
  /** The frontend's own, echoed in the response. */
  readonly id: bigint;
  /** Where on the disk, in sectors of 512 bytes; 0 in a transfer without segments that has nonsense there. */
  readonly sector_number: number;
}
export interface BlkifTransfer extends BlkifCommon {
  readonly operation:
    | typeof BLKIF_OP.READ
    | typeof BLKIF_OP.WRITE
    | typeof BLKIF_OP.WRITE_BARRIER
    | typeof BLKIF_OP.FLUSH_DISKCACHE;
  /** Up to 11. */
  readonly segments: readonly BlkifSegment[];
}
export interface BlkifDiscard extends BlkifCommon {
  readonly operation: typeof BLKIF_OP.DISCARD;
  /** BLKIF_DISCARD_SECURE or 0. */
  readonly flag: number;
  readonly nr_sectors: number;
}
export type BlkifRequest = BlkifTransfer | BlkifDiscard;

/** What stood in a slot. A request that makes no sense still has the two fields that its response must echo, and what is wrong with it. */
export type BlkifReceived =
  | { readonly ok: true; readonly request: BlkifRequest }
  | { readonly ok: false; readonly operation: number; readonly id: bigint; readonly problem: BlkifProblem };
/** An unknown `operation`; more than 11 segments; sectors of a segment beyond its frame, or in the wrong order; a sector beyond 2^53. */
export type BlkifProblem = 'operation' | 'nr_segments' | 'segment' | 'sector_number';

export interface BlkifResponse {
  readonly id: bigint;
  readonly operation: number;
  /** BLKIF_RSP.*. */
  readonly status: number;
}

/** `BLKIF_OP_*`, without INDIRECT. */
export const BLKIF_OP = { READ: 0, WRITE: 1, WRITE_BARRIER: 2, FLUSH_DISKCACHE: 3, DISCARD: 5 } as const;
/** `BLKIF_RSP_*`. */
export const BLKIF_RSP = { OKAY: 0, ERROR: -1, EOPNOTSUPP: -2 } as const;
export const BLKIF_MAX_SEGMENTS_PER_REQUEST = 11;
/** A bit of a discard's flag. */
export const BLKIF_DISCARD_SECURE = 1;
/** Sectors in a frame. */
const SECTORS = 8;

export const blkif_request_segment = struct('blkif_request_segment', { gref: uint32_t, first_sect: uint8_t, last_sect: uint8_t });
export const blkif_request = struct('blkif_request', {
  operation: uint8_t,
  nr_segments: uint8_t,
  handle: uint16_t,
  id: uint64_t,
  sector_number: uint64_t,
  seg: array(blkif_request_segment, BLKIF_MAX_SEGMENTS_PER_REQUEST),
});
export const blkif_request_discard = struct('blkif_request_discard', {
  operation: uint8_t,
  flag: uint8_t,
  handle: uint16_t,
  id: uint64_t,
  sector_number: uint64_t,
  nr_sectors: uint64_t,
});
export const blkif_response = struct('blkif_response', { id: uint64_t, operation: uint8_t, status: int16_t });

/** The ring of a block device, by the `protocol` key of the frontend (`x86_64-abi`, `x86_32-abi`). */
export const blkif: Readonly<Record<Width, Protocol<BlkifRequest, BlkifReceived, BlkifResponse>>> = each((width) => {
  const entry_size = blkif_request[width].size;
  return {
    nr_ents: ringSize(entry_size),
    entry_size,
    writeRequest: (frames, mfn, at, request) => writeRequest(frames, mfn, at, request, width),
    readRequest: (frames, mfn, at) => readRequest(frames, mfn, at, width),
    writeResponse: (frames, mfn, at, { id, operation, status }) => {
      const { offset } = blkif_response[width];
      frames.put64(mfn, at + offset.id, id);
      frames.put8(mfn, at + offset.operation, operation);
      frames.put16(mfn, at + offset.status, status);
    },
    readResponse: (frames, mfn, at) => {
      const { offset } = blkif_response[width];
      return {
        id: frames.get64(mfn, at + offset.id),
        operation: frames.get8(mfn, at + offset.operation),
        status: (frames.get16(mfn, at + offset.status) << 16) >> 16,
      };
    },
  };
});

/** Segments that have no room are counted in `nr_segments` but not written, so that the backend sees and refuses them. */
function writeRequest(frames: Frames, mfn: Mfn, at: number, request: BlkifRequest, width: Width): void {
  const { offset } = blkif_request[width];
  frames.put8(mfn, at + offset.operation, request.operation);
  frames.put16(mfn, at + offset.handle, request.handle);
  frames.put64(mfn, at + offset.id, request.id);
  putSectors(frames, mfn, at + offset.sector_number, request.sector_number);
  if (request.operation === BLKIF_OP.DISCARD) {
    const discard = blkif_request_discard[width].offset;
    frames.put8(mfn, at + discard.flag, request.flag);
    putSectors(frames, mfn, at + discard.nr_sectors, request.nr_sectors);
    return;
  }
  const { size, offset: segment } = blkif_request_segment[width];
  frames.put8(mfn, at + offset.nr_segments, Math.min(request.segments.length, 0xff));
  request.segments.slice(0, BLKIF_MAX_SEGMENTS_PER_REQUEST).forEach(({ gref, first_sect, last_sect }, i) => {
    const place = at + offset.seg + i * size;
    frames.put32(mfn, place + segment.gref, gref);
    frames.put8(mfn, place + segment.first_sect, first_sect);
    frames.put8(mfn, place + segment.last_sect, last_sect);
  });
}

function readRequest(frames: Frames, mfn: Mfn, at: number, width: Width): BlkifReceived {
  const { offset } = blkif_request[width];
  const operation = frames.get8(mfn, at + offset.operation);
  const id = frames.get64(mfn, at + offset.id);
  const refuse = (problem: BlkifProblem): BlkifReceived => ({ ok: false, operation, id, problem });
  const handle = frames.get16(mfn, at + offset.handle);
  const sector_number = getSectors(frames, mfn, at + offset.sector_number);
  switch (operation) {
    case BLKIF_OP.READ:
    case BLKIF_OP.WRITE:
    case BLKIF_OP.WRITE_BARRIER:
    case BLKIF_OP.FLUSH_DISKCACHE: {
      const nr_segments = frames.get8(mfn, at + offset.nr_segments);
      if (nr_segments > BLKIF_MAX_SEGMENTS_PER_REQUEST) return refuse('nr_segments');
      // Linux leaves -1 in a flush without data: a sector counts only where there is something to transfer.
      if (sector_number === undefined && nr_segments > 0) return refuse('sector_number');
      const segments: BlkifSegment[] = [];
      for (let i = 0; i < nr_segments; i++) segments.push(readSegment(frames, mfn, at + offset.seg, i, width));
      if (segments.some(({ first_sect, last_sect }) => first_sect > last_sect || last_sect >= SECTORS)) return refuse('segment');
      return { ok: true, request: { operation, handle, id, sector_number: sector_number ?? 0, segments } };
    }
    case BLKIF_OP.DISCARD: {
      const discard = blkif_request_discard[width].offset;
      const nr_sectors = getSectors(frames, mfn, at + discard.nr_sectors);
      if (sector_number === undefined || nr_sectors === undefined) return refuse('sector_number');
      return {
        ok: true,
        request: { operation, handle, id, sector_number, flag: frames.get8(mfn, at + discard.flag), nr_sectors },
      };
    }
    default:
      return refuse('operation');
  }
}

function readSegment(frames: Frames, mfn: Mfn, seg: number, index: number, width: Width): BlkifSegment {
  const { size, offset } = blkif_request_segment[width];
  const at = seg + index * size;
  return {
    gref: frames.get32(mfn, at + offset.gref),
    first_sect: frames.get8(mfn, at + offset.first_sect),
    last_sect: frames.get8(mfn, at + offset.last_sect),
  };
}

/** A count of sectors in 64 bits; undefined where it is more than a disk can have. */
function getSectors(frames: Frames, mfn: Mfn, at: number): number | undefined {
  const sectors = frames.get32(mfn, at + 4) * 2 ** 32 + frames.get32(mfn, at);
  return Number.isSafeInteger(sectors) ? sectors : undefined;
}
function putSectors(frames: Frames, mfn: Mfn, at: number, sectors: number): void {
  frames.put32(mfn, at, sectors);
  frames.put32(mfn, at + 4, Math.floor(sectors / 2 ** 32));
}
