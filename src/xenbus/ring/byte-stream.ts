// A ring of bytes with two free-running indices in a shared frame, as the console and XenStore have one for each direction.
import type { Mfn } from '../../../events/units.ts';
import type { Frames } from '../../memory/memory.ts';

/** Where in the frame things stand, in bytes: the data (`size` is a power of two), and the uint32 indices of its two ends. */
export interface ByteStream {
  readonly data: number;
  readonly size: number;
  readonly cons: number;
  readonly prod: number;
}

/** Writes as many bytes as there is room for and answers their number; 0 where the indices are nonsense. */
export function putBytes(frames: Frames, mfn: Mfn, stream: ByteStream, bytes: Uint8Array): number {
  if (!checkIndexes(frames, mfn, stream)) return 0;
  const prod = frames.get32(mfn, stream.prod);
  const count = Math.min(bytes.length, stream.size - used(frames, mfn, stream));
  const start = prod & (stream.size - 1);
  const first = Math.min(count, stream.size - start);
  frames.write(mfn, stream.data + start, bytes.subarray(0, first));
  frames.write(mfn, stream.data, bytes.subarray(first, count));
  frames.put32(mfn, stream.prod, prod + count);
  return count;
}

/** Takes the bytes that are there, up to `limit`; none where the indices are nonsense. */
export function getBytes(frames: Frames, mfn: Mfn, stream: ByteStream, limit = stream.size): Uint8Array {
  if (!checkIndexes(frames, mfn, stream)) return new Uint8Array(0);
  const cons = frames.get32(mfn, stream.cons);
  const bytes = new Uint8Array(Math.min(Math.max(limit, 0), used(frames, mfn, stream)));
  const start = cons & (stream.size - 1);
  const first = Math.min(bytes.length, stream.size - start);
  bytes.set(frames.read(mfn, stream.data + start, first));
  bytes.set(frames.read(mfn, stream.data, bytes.length - first), first);
  frames.put32(mfn, stream.cons, cons + bytes.length);
  return bytes;
}

/** Whether the indices make sense: no more bytes between them than there is room for. */
export const checkIndexes = (frames: Frames, mfn: Mfn, stream: ByteStream): boolean => used(frames, mfn, stream) <= stream.size;

const used = (frames: Frames, mfn: Mfn, stream: ByteStream): number =>
  (frames.get32(mfn, stream.prod) - frames.get32(mfn, stream.cons)) >>> 0;
