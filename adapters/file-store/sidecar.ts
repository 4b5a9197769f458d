// RUN.xlog-wal: the steps since the last sealed block, row by row. A row is either whole or not there.
//
//   header  "XENOWAL\n"  u32 format  u64 first_seq  32 bytes run  32 bytes chain  u32 crc32(the 84 bytes before)
//   row     u32 length  u32 crc32(payload)  u64 seq  u32 crc32(the 16 bytes before)  payload, `length` bytes: `putRow`
//
// run = SHA-256 of the log's header; chain = that of the block that the rows follow (of none: run). All little-endian.
import { ByteWriter, byteString, bytesOf, crc32 } from '../../events/bytes.ts';
import type { Shape } from '../../events/codec.ts';
import type { SealedPart } from '../../events/store.ts';
import { FORMAT_VERSION } from '../../events/upcast.ts';
import { putRow, type Row, takeRow } from './row.ts';

/** Where the sidecar of a log is. */
export const sidecarOf = (path: string): string => `${path}-wal`;

export const SIDECAR_HEADER_SIZE = 88;
const ROW_HEADER_SIZE = 20;
const MAGIC = 'XENOWAL\n';

/** Which rows may follow: those of this run, after this block. */
export type SidecarPlace = Pick<SealedPart, 'run' | 'chain' | 'steps'>;

export function sidecarHeader({ run, chain, steps }: SidecarPlace): Uint8Array {
  const bytes = new Uint8Array(SIDECAR_HEADER_SIZE);
  const view = new DataView(bytes.buffer);
  bytes.set(bytesOf(MAGIC));
  view.setUint32(8, FORMAT_VERSION, true);
  view.setBigUint64(12, BigInt(steps), true);
  bytes.set(run, 20);
  bytes.set(chain, 52);
  view.setUint32(84, crc32(bytes.subarray(0, 84)), true);
  return bytes;
}

/** Collects rows until they are written. */
export class RowWriter {
  private readonly rows = new ByteWriter(1 << 14);
  private readonly payload = new ByteWriter(1 << 10);
  private readonly head = new Uint8Array(ROW_HEADER_SIZE);
  private readonly fields = new DataView(this.head.buffer);
  /** The header of a new sidecar, before its rows. */
  begin(place: SidecarPlace): void {
    this.rows.clear();
    this.rows.raw(sidecarHeader(place));
  }
  add(row: Row): void {
    const { payload, head, fields } = this;
    payload.clear();
    putRow(payload, row);
    const bytes = payload.view();
    fields.setUint32(0, bytes.length, true);
    fields.setUint32(4, crc32(bytes), true);
    fields.setBigUint64(8, BigInt(row.step.seq), true);
    fields.setUint32(16, crc32(head.subarray(0, 16)), true);
    this.rows.raw(head);
    this.rows.raw(bytes);
  }
  /** What was collected; only to be looked at before the next call. */
  view(): Uint8Array {
    return this.rows.view();
  }
  clear(): void {
    this.rows.clear();
  }
}

/** What a sidecar is to a log. */
export type Sidecar =
  /** Whole rows that follow the log's last block; `torn` bytes of one more were never written to the end. */
  | { readonly kind: 'rows'; readonly rows: readonly Row[]; readonly torn: number }
  /** Its steps are in the log: the program was stopped between sealing them and emptying it. */
  | { readonly kind: 'folded' }
  /** Nothing of it may be used; why, for people. */
  | { readonly kind: 'refused'; readonly why: string };

/** Judges the bytes of a sidecar. Total on any bytes; a row is taken only with both its checksums right and in its place. */
export function readSidecar(bytes: Uint8Array, log: SealedPart, shape: Shape): Sidecar {
  // The header and the first rows are written in one call: what is shorter has never been acknowledged.
  if (bytes.length < SIDECAR_HEADER_SIZE) return { kind: 'rows', rows: [], torn: bytes.length };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (byteString(bytes.subarray(0, MAGIC.length)) !== MAGIC || view.getUint32(84, true) !== crc32(bytes.subarray(0, 84)))
    return { kind: 'refused', why: 'the header of the sidecar is damaged' };
  if (!same(bytes.subarray(20, 52), log.run)) return { kind: 'refused', why: 'the sidecar is that of another run' };
  const chain = bytes.subarray(52, 84);
  const first = Number(view.getBigUint64(12, true));
  if (!same(chain, log.chain)) {
    if (log.before.some((block) => same(chain, block.chain))) return { kind: 'folded' };
    return { kind: 'refused', why: `the sidecar goes on from step ${first}, but the log has only ${log.steps} steps` };
  }
  const rows: Row[] = [];
  for (let at = SIDECAR_HEADER_SIZE; at < bytes.length; ) {
    const rest = bytes.length - at;
    const seq = log.steps + rows.length;
    const damaged: Sidecar = {
      kind: 'refused',
      why: `the sidecar is damaged where step ${seq} should be, after ${rows.length} whole steps`,
    };
    if (rest < ROW_HEADER_SIZE) return { kind: 'rows', rows, torn: rest };
    if (view.getUint32(at + 16, true) !== crc32(bytes.subarray(at, at + 16))) {
      // A file that has grown, and whose bytes have never reached the disk, ends with zeros.
      return bytes.subarray(at).every((byte) => byte === 0) ? { kind: 'rows', rows, torn: rest } : damaged;
    }
    const length = view.getUint32(at, true);
    if (rest - ROW_HEADER_SIZE < length) return { kind: 'rows', rows, torn: rest };
    const payload = bytes.subarray(at + ROW_HEADER_SIZE, at + ROW_HEADER_SIZE + length);
    if (Number(view.getBigUint64(at + 8, true)) !== seq || view.getUint32(at + 4, true) !== crc32(payload)) return damaged;
    const row = takeRow(payload, seq, shape);
    if (!row) return damaged;
    rows.push(row);
    at += ROW_HEADER_SIZE + length;
  }
  return { kind: 'rows', rows, torn: 0 };
}

const same = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && a.every((byte, i) => byte === b[i]);
