// The page of a PV console (public/io/console.h): `in` is what the guest reads, `out` what it prints.
import type { Mfn } from '../../../events/units.ts';
import { uint32_t } from '../../abi/scalars.ts';
import { bytes, struct } from '../../abi/struct.ts';
import type { Frames } from '../../memory/memory.ts';
import { type ByteStream, getBytes, putBytes } from './byte-stream.ts';

/** For the backend: keys to the guest. Answers how many bytes fitted; 0 where the guest made nonsense of the indices. */
export const writeIn = (frames: Frames, mfn: Mfn, data: Uint8Array): number => putBytes(frames, mfn, input, data);
/** For the guest: what was typed, up to `limit` bytes. */
export const readIn = (frames: Frames, mfn: Mfn, limit?: number): Uint8Array => getBytes(frames, mfn, input, limit);
/** For the guest: prints. Answers how many bytes fitted. */
export const writeOut = (frames: Frames, mfn: Mfn, data: Uint8Array): number => putBytes(frames, mfn, output, data);
/** For the backend: what was printed, up to `limit` bytes; none where the guest made nonsense of the indices. */
export const readOut = (frames: Frames, mfn: Mfn, limit?: number): Uint8Array => getBytes(frames, mfn, output, limit);

export const xencons_interface = struct('xencons_interface', {
  in: bytes(1024),
  out: bytes(2048),
  in_cons: uint32_t,
  in_prod: uint32_t,
  out_cons: uint32_t,
  out_prod: uint32_t,
});

const { offset } = xencons_interface.x86_64;
const input: ByteStream = { data: offset.in, size: 1024, cons: offset.in_cons, prod: offset.in_prod };
const output: ByteStream = { data: offset.out, size: 2048, cons: offset.out_cons, prod: offset.out_prod };
