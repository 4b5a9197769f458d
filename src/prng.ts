// The host's only source of randomness: xoroshiro128+ from pure-rand, its state in the tables and its draws in facts.
import { xoroshiro128plus, xoroshiro128plusFromState } from 'pure-rand/generator/xoroshiro128plus';

/** Four 32-bit words. */
export type PrngState = readonly number[];

export const seedPrng = (seed: number): PrngState => xoroshiro128plus(seed).getState();

/** `count` bytes, and the state after them. */
export function draw(state: PrngState, count: number): { bytes: Uint8Array; state: PrngState } {
  const generator = xoroshiro128plusFromState(state);
  const bytes = new Uint8Array(count);
  for (let i = 0; i < count; i++) bytes[i] = (generator.next() >>> 8) & 0xff;
  return { bytes, state: generator.getState() };
}
