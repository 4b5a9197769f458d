// What Xen tells a guest of time: in shared info, in each vcpu_info, and in the areas that vCPUs have registered.
import type { DomId, Mfn, Ns } from '../../../events/units.ts';
import { SECOND } from '../../../events/units.ts';
import type { FactOf, TimeFact, VcpuFact } from '../../../events/vocabulary.ts';
import { SHARED_INFO, VCPU_INFO, vcpu_time_info } from '../../abi/shared-info.ts';
import type { Frames } from '../../memory/memory.ts';
import {
  infoFrame,
  infoOffset,
  PENDING_SEL,
  PENDING_SEL_32,
  UPCALL_MASK,
  UPCALL_PENDING,
  VCPU_INFO_SIZE,
  vcpuInfo,
} from '../evtchn/pending.ts';
import { writeArea } from '../p2m/area.ts';
import { hasVcpuInfo } from '../sched/state.ts';
import { entering, registered, writeRunstate } from '../vcpu/runstate.ts';
import type { Xen } from '../xen.ts';
import { domainTsc, timeScale, tscKhz, wordsOfTsc } from './tsc.ts';

export type TimeWriting = TimeFact | VcpuFact | FactOf<'vcpu.scheduled' | 'vcpu.blocked' | 'vcpu.preempted' | 'vcpu.detached'>;

/** Live and in re-enactment only, before `evolve`. */
export function writeGuest(xen: Xen, frames: Frames, event: TimeWriting): void {
  switch (event.type) {
    case 'vcpu.scheduled': {
      const { domid, vcpu, at_ns } = event;
      if (xen.sched.vcpu.of(domid)!.runstate_addr_plus_1.at(vcpu) !== 0)
        writeRunstate(xen, frames, event, entering(xen, domid, vcpu, 'running', at_ns));
      updateTime(xen, frames, { domid, vcpu, at_ns });
      return;
    }
    case 'vcpu.blocked':
    case 'vcpu.preempted': {
      const { domid, vcpu, at_ns } = event;
      if (xen.sched.vcpu.of(domid)!.runstate_addr_plus_1.at(vcpu) !== 0)
        writeRunstate(
          xen,
          frames,
          event,
          entering(xen, domid, vcpu, event.type === 'vcpu.blocked' ? 'blocked' : 'runnable', at_ns),
        );
      return;
    }
    case 'vcpu.detached':
      updateTime(xen, frames, event);
      return;
    case 'vcpu.initialised':
      // As soon as somebody could look (arch_set_info_guest()).
      if (event.vcpu === 0) writeWallclock(xen, frames, event.domid, wallclockOf(xen, event.domid));
      return;
    case 'vcpu.info_registered':
      moveInfo(xen, frames, event);
      return;
    case 'vcpu.runstate_area_registered':
      writeRunstate(xen, frames, event, registered(xen, event.domid, event.vcpu, event.at_ns), event.addr);
      return;
    case 'vcpu.time_area_registered':
      updateTime(xen, frames, { ...event, isForced: true });
      return;
    case 'domain.time_offset_set': {
      const { sec, nsec } = wallclockOf(xen, event.domid);
      const before = xen.domain.of(0)!.time_offset_s.at(event.domid);
      writeWallclock(xen, frames, event.domid, { sec: sec - before + event.seconds, nsec });
      return;
    }
    case 'time.wallclock_set':
      for (const domid of xen.domids())
        writeWallclock(xen, frames, domid, { sec: event.sec + xen.domain.of(0)!.time_offset_s.at(domid), nsec: event.nsec });
      return;
  }
}

interface Wallclock {
  readonly sec: number;
  readonly nsec: number;
}
/** The Unix time at system time 0 as a domain is told it. */
function wallclockOf(xen: Xen, domid: DomId): Wallclock {
  const { sec, nsec } = xen.clock.wallclock.of(0)!;
  return { sec: sec.at(0) + xen.domain.of(0)!.time_offset_s.at(domid), nsec: nsec.at(0) };
}

/** update_domain_wallclock_time() in xen/common/time.c. */
function writeWallclock(xen: Xen, frames: Frames, domid: DomId, { sec, nsec }: Wallclock): void {
  const page = xen.sharedInfo(domid);
  const at = xen.is32bit(domid) ? SHARED_INFO.x86_32 : SHARED_INFO.x86_64;
  const unsigned = BigInt.asUintN(64, BigInt(sec));
  frames.put32(page, at.wc_sec, Number(unsigned & 0xffff_ffffn));
  frames.put32(page, at.wc_nsec, nsec);
  frames.put32(page, at.wc_sec_hi, Number(unsigned >> 32n));
  frames.put32(page, at.wc_version, nextVersion(frames.get32(page, at.wc_version)));
}

/** After an update that nobody sees half of: even, and another one than before (version_update_begin() and _end()). */
const nextVersion = (version: number): number => (((version + 1) | 1) + 1) >>> 0;

const TIME = VCPU_INFO.x86_64.time;
const { version, tsc_timestamp, system_time, tsc_to_system_mul, tsc_shift } = vcpu_time_info.x86_64.offset;
const TIME_SIZE = vcpu_time_info.x86_64.size;
/** How often Xen calibrates: a stamp is that of the last time (xen/arch/x86/time.c, EPOCH). */
const EPOCH: Ns = SECOND;

interface Updating {
  readonly domid: DomId;
  readonly vcpu: number;
  readonly at_ns: Ns;
  /** Also where the stamp is there already. */
  readonly isForced?: boolean;
  /** Where its vcpu_info is about to stand. */
  readonly info?: { readonly mfn: Mfn; readonly offset: number };
  /** Of an area that is about to be registered. */
  readonly addr?: number;
}

/** __update_vcpu_system_time(): a new stamp, where there is one. Most of the time a schedule finds that there is none. */
function updateTime(xen: Xen, frames: Frames, { domid, vcpu, at_ns, isForced = false, info, addr }: Updating): void {
  const stamp = at_ns - (at_ns % EPOCH);
  const frame = info?.mfn ?? infoFrame(xen, domid, vcpu);
  const at = (info?.offset ?? infoOffset(xen, domid, vcpu)) + TIME;
  const row = xen.domain.of(0)!;
  const vtsc = row.vtsc.at(domid) === 1;
  const scale = vtsc ? timeScale(tscKhz(xen, domid)) : xen.clock.scale;
  const low = stamp % 2 ** 32;
  const high = Math.floor(stamp / 2 ** 32);
  const counter = vtsc ? wordsOfTsc(domainTsc(xen, domid, stamp)) : xen.clock.stamp(stamp);
  const isThere =
    frame >= 0 &&
    frames.get32(frame, at + system_time) === low &&
    frames.get32(frame, at + system_time + 4) === high &&
    frames.get32(frame, at + tsc_timestamp) === counter.low &&
    frames.get32(frame, at + tsc_timestamp + 4) === counter.high &&
    frames.get32(frame, at + tsc_to_system_mul) === scale.mul &&
    frames.get8(frame, at + tsc_shift) === (scale.shift & 0xff);
  if (isThere && !isForced) return;
  const bytes = new Uint8Array(TIME_SIZE);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(tsc_timestamp, counter.tsc, true);
  view.setUint32(system_time, low, true);
  view.setUint32(system_time + 4, high, true);
  view.setUint32(tsc_to_system_mul, scale.mul, true);
  view.setInt8(tsc_shift, scale.shift);
  if (frame >= 0) {
    view.setUint32(version, nextVersion(frames.get32(frame, at + version)), true);
    frames.write(frame, at, bytes);
  } else view.setUint32(version, 2, true);
  const area = addr ?? xen.sched.vcpu.of(domid)!.time_addr_plus_1.at(vcpu) - 1;
  if (area >= 0) writeArea(xen, frames, domid, area, bytes);
}

/** map_vcpu_info() in xen/common/domain.c: what stood in the old one, and everything pending, so that nothing is lost on the way. */
function moveInfo(xen: Xen, frames: Frames, { domid, vcpu, mfn, offset, at_ns }: FactOf<'vcpu.info_registered'>): void {
  const info = hasVcpuInfo(vcpu)
    ? frames.read(xen.sharedInfo(domid), vcpuInfo(vcpu), VCPU_INFO_SIZE).slice()
    : new Uint8Array(VCPU_INFO_SIZE);
  if (!hasVcpuInfo(vcpu)) info[UPCALL_MASK] = 1;
  if (xen.is32bit(domid)) info.fill(0xff, PENDING_SEL_32, PENDING_SEL_32 + 4);
  else info.fill(0xff, PENDING_SEL, PENDING_SEL + 8);
  info[UPCALL_PENDING] = 1;
  frames.write(mfn, offset, info);
  updateTime(xen, frames, { domid, vcpu, at_ns, isForced: true, info: { mfn, offset } });
}
