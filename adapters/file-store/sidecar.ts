// RUN.xlog-wal: the steps since the last sealed block, row by row. A row is either whole or not there.
//
//   header  "XENOWAL\n"  u32 format  u64 first_seq  32 bytes run  32 bytes chain  u32 crc32(the 84 bytes before)
//   row     u32 length  u32 crc32(payload)  u64 seq  u32 crc32(chain, the 16 bytes before)  payload, `length` bytes: `putRow`
//
// run = SHA-256 of the log's header; chain = that of the block that the rows follow (of none: run). All little-endian. That the chain
// is in every row's CRC makes each row say what it follows: a damaged header costs no step.
import { ByteWriter, byteString, bytesOf, crc32, sameBytes } from '../../events/bytes.ts';
import type { Log, SealedPart } from '../../events/log.ts';
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
  private seed = 0;
  /** The header of a new sidecar, before its rows. */
  begin(place: SidecarPlace): void {
    this.rows.clear();
    this.rows.raw(sidecarHeader(place));
    this.seed = crc32(place.chain);
  }
  add(row: Row): void {
    const { rows } = this;
    const at = rows.length;
    const payload = at + ROW_HEADER_SIZE;
    rows.skip(ROW_HEADER_SIZE);
    putRow(rows, row);
    const { seq } = row.step;
    rows.u32(at, rows.length - payload);
    rows.u32(at + 4, rows.crc32(payload, rows.length));
    rows.u32(at + 8, seq % 2 ** 32);
    rows.u32(at + 12, Math.floor(seq / 2 ** 32));
    rows.u32(at + 16, rows.crc32(at, at + 16, this.seed));
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
  /** Whole rows that follow the log's last block. */
  | {
      readonly kind: 'rows';
      readonly rows: readonly Row[];
      /** Bytes of one more row that was never written to the end. */
      readonly torn: number;
      /** What of it can not be read, for people: the rows are those before that. */
      readonly damage?: string;
    }
  /** Its steps are in the log: the program was stopped between sealing them and emptying it. */
  | { readonly kind: 'folded' }
  /** Nothing of it may be used; why, for people. */
  | { readonly kind: 'refused'; readonly why: string };

/** What a sidecar is judged by: where the log is whole up to, and which earlier blocks it has. */
export type SealedLog = Pick<Log, 'sealed' | 'followerOf' | 'shape'>;

/** Judges the bytes of a sidecar. Total on any bytes; a row is taken only with both its checksums right and in its place. */
export function readSidecar(bytes: Uint8Array, log: SealedLog): Sidecar {
  // The header and the first rows are written in one call: what is shorter has never been acknowledged.
  if (bytes.length < SIDECAR_HEADER_SIZE) return { kind: 'rows', rows: [], torn: bytes.length };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { run, chain, steps } = log.sealed;
  let version = FORMAT_VERSION;
  if (isHeader(bytes)) {
    version = view.getUint32(8, true);
    if (!sameBytes(bytes.subarray(20, 52), run)) return { kind: 'refused', why: 'the sidecar is that of another run' };
    const follows = bytes.subarray(52, 84);
    if (!sameBytes(follows, chain)) {
      if (log.followerOf(follows)) return { kind: 'folded' };
      const first = Number(view.getBigUint64(12, true));
      return { kind: 'refused', why: `the sidecar goes on from step ${first}, but the log has only ${steps} steps` };
    }
  } else {
    // Rows say themselves which block they follow: those of another run, or of an earlier block, are none here.
    const found = readRows(bytes, view, version, log);
    if (found.rows.length === 0) return { kind: 'refused', why: 'the header of the sidecar is damaged' };
    return { ...found, damage: ['its header is damaged', ...(found.damage === undefined ? [] : [found.damage])].join(', ') };
  }
  return readRows(bytes, view, version, log);
}

const isHeader = (bytes: Uint8Array): boolean => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return byteString(bytes.subarray(0, MAGIC.length)) === MAGIC && view.getUint32(84, true) === crc32(bytes.subarray(0, 84));
};

function readRows(
  bytes: Uint8Array,
  view: DataView,
  version: number,
  { sealed, shape }: SealedLog,
): Extract<Sidecar, { kind: 'rows' }> {
  const seed = version < 2 ? 0 : crc32(sealed.chain);
  const rows: Row[] = [];
  // Zeros stand where rows were to come, or where they have never reached the disk.
  const end = bytes.findLastIndex((byte) => byte !== 0) + 1;
  for (let at = SIDECAR_HEADER_SIZE; at < end; ) {
    const rest = bytes.length - at;
    const seq = sealed.steps + rows.length;
    const damaged = {
      kind: 'rows',
      rows,
      torn: 0,
      damage: `it is damaged where step ${seq} should be, ${end - at} bytes are lost`,
    } as const;
    if (rest < ROW_HEADER_SIZE) return { kind: 'rows', rows, torn: rest };
    if (view.getUint32(at + 16, true) !== crc32(bytes, seed, at, at + 16)) return damaged;
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
