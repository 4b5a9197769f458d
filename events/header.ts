// How a file of a run begins.
//
//   header   "XENOLOG\n"  u32 format  u32 length  u32 crc32(everything before and the JSON)  JSON, `length` bytes of UTF-8
import { byteString, crc32, joined, sameBytes } from './bytes.ts';
import { currentShape, type Shape } from './shape.ts';
import type { Source } from './source.ts';
import { FORMAT_VERSION, namedAsToday, STATE_VERSION } from './upcast.ts';

/** What a run starts from. It holds no wall time, no host name and no path of the recording machine. */
export interface RunHeader {
  readonly xenolog: string;
  readonly seed: number;
  readonly xen_version: string;
  /** The host's configuration, as `src/scenario` defines it. */
  readonly host: unknown;
  /** The immutable images that the run reads, in the order of their numbers in blobs. */
  readonly images: readonly ImageDigest[];
  /** What the log carries of the pieces of images that were read: themselves, or their digests, or nothing. Absent: `reads`. */
  readonly embed?: Embed;
  /** Where this file goes on from another; absent in the first file of a run. */
  readonly part?: Part;
  /** Of which version the state is whose digests it has (STATE_VERSION): what was read always says so, and what is new is of this code's. */
  readonly state?: number;
}
export interface ImageDigest {
  readonly path: string;
  readonly sectors: number;
  readonly sha256: string;
}
/** What of the images a log carries. */
export const embeds = ['reads', 'hashes', 'none'] as const;
export type Embed = (typeof embeds)[number];

/** How a file follows another one of its run. Digests are SHA-256, as 64 hexadecimal digits. */
export interface Part {
  /** 2 for the second file, and so on. */
  readonly number: number;
  /** The number of its first step. */
  readonly first: number;
  /** Which run it is: SHA-256 of the header of the first file. */
  readonly run: string;
  /** The chain value of the last block of the file before (of none: the SHA-256 of its header). */
  readonly follows: string;
}

/** Why a log can not be used: what is wrong, where, and what to do. */
export class LogError extends Error {
  override readonly name = 'LogError';
  /** Where a damaged block begins, in bytes, in which file of the run (0 is the first that was given). */
  readonly place: { readonly file: number; readonly at: number } | undefined;
  constructor(message: string, place?: { readonly file: number; readonly at: number }) {
    super(message);
    this.place = place;
  }
}

const MAGIC = 'XENOLOG\n';
const HEADER_SIZE = 20;

export function encodeHeader(header: RunHeader, shape: Shape = currentShape): Uint8Array {
  const { state = STATE_VERSION, ...rest } = header;
  // Headers of version 1 never said so.
  const content = { ...rest, ...(state > 1 && { state }), vocabulary: shape };
  const json = new TextEncoder().encode(JSON.stringify(content));
  const bytes = new Uint8Array(HEADER_SIZE + json.length);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < MAGIC.length; i++) bytes[i] = MAGIC.charCodeAt(i);
  view.setUint32(8, FORMAT_VERSION, true);
  view.setUint32(12, json.length, true);
  bytes.set(json, HEADER_SIZE);
  view.setUint32(16, headerCrc(bytes), true);
  return bytes;
}

/** Over everything but the CRC's own four bytes. */
const headerCrc = (bytes: Uint8Array): number => crc32(joined([bytes.subarray(0, 16), bytes.subarray(HEADER_SIZE)]));

let ours: string | undefined;
/** The vocabulary of this code as text, made once: whoever opens many logs compares it with each. */
function ourShape(): string {
  ours ??= JSON.stringify(currentShape);
  return ours;
}

export interface ReadHeader {
  readonly header: RunHeader;
  /** The vocabulary that the file carries, by today's names; the very `currentShape` where it is ours. */
  readonly shape: Shape;
  readonly format: number;
  /** All of it, with its JSON. */
  readonly bytes: Uint8Array;
}

/** The one that was read last: whoever looks at a run again and again reads and judges its 70 KB of words once. */
let last: ReadHeader | undefined;

/** @throws LogError */
export function readHeader(source: Source): ReadHeader {
  if (last) {
    const found = source.read(0, last.bytes.length);
    if (sameBytes(found, last.bytes)) return last;
  }
  last = readAnew(source);
  return last;
}

function readAnew(source: Source): ReadHeader {
  const start = source.read(0, HEADER_SIZE);
  if (byteString(start.subarray(0, MAGIC.length)) !== MAGIC.slice(0, start.length) || start.length === 0)
    throw new LogError('not a Xenolog run: it does not start with "XENOLOG"');
  if (start.length < HEADER_SIZE) throw new LogError(`the header is cut off after ${start.length} bytes; record the run again`);
  const view = new DataView(start.buffer, start.byteOffset, start.byteLength);
  const format = view.getUint32(8, true);
  const length = view.getUint32(12, true);
  const whole = source.size >= HEADER_SIZE + length;
  const bytes = whole ? source.read(0, HEADER_SIZE + length) : start;
  const intact = whole && headerCrc(bytes) === view.getUint32(16, true);
  if (intact && format > FORMAT_VERSION)
    throw new LogError(`the log has format ${format}; this xenolog reads up to ${FORMAT_VERSION}: use a newer xenolog`);
  if (!whole && length < source.size + 1e6) throw new LogError('the header is cut off; record the run again');
  if (!intact || format < 1) throw new LogError('the header is damaged: its checksum differs; take another copy of the log');
  const json = JSON.parse(new TextDecoder().decode(bytes.subarray(HEADER_SIZE)));
  const { vocabulary, ...header } = json as RunHeader & { vocabulary: Shape };
  const shape = JSON.stringify(vocabulary) === ourShape() ? currentShape : namedAsToday(vocabulary);
  // A source's bytes are its own: these stay.
  return { header: { ...header, state: header.state ?? 1 }, shape, format, bytes: bytes.slice() };
}
