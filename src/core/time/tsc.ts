// Time stamp counters: from ticks to nanoseconds as pvclock has it (public/xen.h, struct vcpu_time_info), and back. All in integers.
import type { DomId, Ns } from '../../../events/units.ts';
import { SECOND } from '../../../events/units.ts';
import type { Xen } from '../xen.ts';

/** ns = (ticks << shift) * mul / 2^32; a negative `shift` shifts to the right. */
export interface TimeScale {
  readonly mul: number;
  readonly shift: number;
}

/** The host's counter unless its configuration says otherwise: two ticks a nanosecond, which no scale has to round. */
export const DEFAULT_TSC_KHZ = 2_000_000;

const NS_PER_SECOND = BigInt(SECOND);

/** set_time_scale() in xen/arch/x86/time.c. `khz` is a positive integer. */
export function timeScale(khz: number): TimeScale {
  let ticks = BigInt(khz) * 1000n;
  let shift = 0;
  for (; ticks > NS_PER_SECOND * 2n; ticks >>= 1n) shift--;
  for (; ticks <= NS_PER_SECOND; ticks <<= 1n) shift++;
  return { mul: Number((NS_PER_SECOND << 32n) / ticks), shift };
}

/** scale_delta(): what a guest computes of a difference of its counter. */
export function ticksToNs(ticks: bigint, { mul, shift }: TimeScale): bigint {
  const shifted = shift < 0 ? ticks >> BigInt(-shift) : ticks << BigInt(shift);
  return (shifted * BigInt(mul)) >> 32n;
}

/** The host's counter at a system time. It starts at 0 with the host. */
export const hostTsc = (xen: Xen, at: Ns): bigint => ticksIn(BigInt(at), xen.clock.tscKhz);

/** A domain's counter at a system time: the host's, or the one that Xen keeps for it (gtime_to_gtsc()). */
export function domainTsc(xen: Xen, domid: DomId, at: Ns): bigint {
  const row = xen.domain.of(0)!;
  if (row.vtsc.at(domid) === 0) return hostTsc(xen, at);
  const since = row.hvm.at(domid) === 1 ? BigInt(at) : BigInt(at) - BigInt(row.tsc_offset_ns.at(domid));
  const ticks = ticksIn(since < 0n ? -since : since, tscKhz(xen, domid));
  return BigInt.asUintN(64, since < 0n ? -ticks : ticks);
}

/** A counter, whole and in two words. */
export interface Tsc {
  readonly tsc: bigint;
  readonly low: number;
  readonly high: number;
}
export const wordsOfTsc = (tsc: bigint): Tsc => ({ tsc, low: Number(tsc & 0xffff_ffffn), high: Number(tsc >> 32n) });

/** The frequency that a domain's counter has for it. */
export const tscKhz = (xen: Xen, domid: DomId): number => xen.domain.of(0)!.tsc_khz.at(domid) || xen.clock.tscKhz;

export const ticksIn = (ns: bigint, khz: number): bigint => (ns * BigInt(khz)) / 1_000_000n;
