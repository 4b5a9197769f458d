// How a log's blocks are laid out; docs/log-format.md has the same in a table.
//
//   block    "XBLK"  u32 kind  u32 length  u32 count  u64 first_seq  u32 crc32(payload)  32 bytes chain  u32 crc32(the 60 bytes before)
//            payload, `length` bytes
//
// chain = SHA-256(chain of the block before, or SHA-256(header) at first; bytes 4 to 27 of this header; payload). All little-endian.
import { crc32, joined } from './bytes.ts';

export type Hash = (bytes: Uint8Array) => Uint8Array;

export const BLOCK_HEADER_SIZE = 64;
const BLOCK_MAGIC = 0x4b4c4258; // "XBLK"
const CHAIN_AT = 28;

/** What a block holds: steps; the end of a file; the checkpoint that a later file of a run starts from. */
export const STEPS = 1;
export const END = 2;
export const START = 3;

export interface BlockHeader {
  readonly kind: number;
  /** Of the payload, in bytes. */
  readonly length: number;
  readonly count: number;
  readonly firstSeq: number;
  /** CRC-32 of the payload. */
  readonly crc: number;
  readonly chain: Uint8Array;
}

/** A piece of an image that a run has read for the first time while the steps of a block were made. */
export interface Blob {
  readonly image: number;
  readonly chunk: number;
  readonly bytes: Uint8Array;
}

/** What a host was before a step: for finding where two runs part. Digests are numbers of 32 bits, equal for equal hosts. */
export interface Digest {
  /** The step. */
  readonly seq: number;
  readonly state: number;
  readonly memory: number;
  readonly actors: number;
  /** What kernels and dom0's services hold in memory of their own. */
  readonly executors: number;
}

/** A block as it stands in a log, behind one with the chain value `before`: its header and its payload. */
export function sealBlock(
  { kind, count, firstSeq }: Pick<BlockHeader, 'kind' | 'count' | 'firstSeq'>,
  payload: Uint8Array,
  before: Uint8Array,
  hash: Hash,
): { readonly header: Uint8Array; readonly chain: Uint8Array } {
  const header = new Uint8Array(BLOCK_HEADER_SIZE);
  const view = new DataView(header.buffer);
  view.setUint32(0, BLOCK_MAGIC, true);
  view.setUint32(4, kind, true);
  view.setUint32(8, payload.length, true);
  view.setUint32(12, count, true);
  view.setBigUint64(16, BigInt(firstSeq), true);
  view.setUint32(24, crc32(payload), true);
  const chain = chainAfter(before, header, payload, hash);
  header.set(chain, CHAIN_AT);
  view.setUint32(60, crc32(header.subarray(0, 60)), true);
  return { header, chain };
}

/** Undefined where the bytes are no block's header, or a damaged one. */
export function readBlockHeader(bytes: Uint8Array): BlockHeader | undefined {
  if (bytes.length < BLOCK_HEADER_SIZE) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, BLOCK_HEADER_SIZE);
  if (view.getUint32(0, true) !== BLOCK_MAGIC || view.getUint32(60, true) !== crc32(bytes.subarray(0, 60))) return undefined;
  return {
    kind: view.getUint32(4, true),
    length: view.getUint32(8, true),
    count: view.getUint32(12, true),
    firstSeq: Number(view.getBigUint64(16, true)),
    crc: view.getUint32(24, true),
    chain: bytes.slice(CHAIN_AT, CHAIN_AT + 32),
  };
}

/** The chain value of a block by its content: what stands in its header, unless one of the two was changed. */
export const chainAfter = (before: Uint8Array, header: Uint8Array, payload: Uint8Array, hash: Hash): Uint8Array =>
  hash(joined([before, header.subarray(4, CHAIN_AT), payload]));
