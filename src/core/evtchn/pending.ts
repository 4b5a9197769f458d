// The two-level ABI in guest memory: pending and mask bits in the shared info page, selector and flag in each vcpu_info (public/xen.h).
import type { GuestReader } from '../../../events/step.ts';
import type { DomId, Mfn, Port } from '../../../events/units.ts';
import { SHARED_INFO, VCPU_INFO } from '../../abi/shared-info.ts';
import type { Frames } from '../../memory/memory.ts';
import { hasVcpuInfo } from '../sched/state.ts';
import type { Xen } from '../xen.ts';

/** The pending bits stand at the same place for guests of either width. */
export const EVTCHN_PENDING = SHARED_INFO.x86_64.evtchn_pending;
export const EVTCHN_MASK = SHARED_INFO.x86_64.evtchn_mask;
const EVTCHN_MASK_32 = SHARED_INFO.x86_32.evtchn_mask;
/** struct vcpu_info at either width: those of the first vCPUs follow one another from the start of the shared info page. */
export const VCPU_INFO_SIZE = 64;
export const UPCALL_PENDING = VCPU_INFO.x86_64.evtchn_upcall_pending;
export const UPCALL_MASK = VCPU_INFO.x86_64.evtchn_upcall_mask;
export const PENDING_SEL = VCPU_INFO.x86_64.evtchn_pending_sel;
export const PENDING_SEL_32 = VCPU_INFO.x86_32.evtchn_pending_sel;

/** Where the shared info page has a vCPU's vcpu_info, until it registers one of its own. */
export const vcpuInfo = (vcpu: number): number => vcpu * VCPU_INFO_SIZE;
/** The frame in which a vCPU's vcpu_info stands now, -1 where it has none; `infoOffset` says where in it. */
export function infoFrame(xen: Xen, domid: DomId, vcpu: number): Mfn {
  const own = xen.sched.vcpu.of(domid)!.info_mfn_plus_1.at(vcpu);
  if (own !== 0) return own - 1;
  return hasVcpuInfo(vcpu) ? xen.sharedInfo(domid) : -1;
}
export function infoOffset(xen: Xen, domid: DomId, vcpu: number): number {
  const rows = xen.sched.vcpu.of(domid)!;
  return rows.info_mfn_plus_1.at(vcpu) === 0 ? vcpuInfo(vcpu) : rows.info_offset.at(vcpu);
}
export const maskOffset = (xen: Xen, domid: DomId): number => (xen.is32bit(domid) ? EVTCHN_MASK_32 : EVTCHN_MASK);

const wordOf = (port: Port): number => (port >>> 5) * 4;
const bitOf = (port: Port): number => 1 << (port & 31);

export const isPending = (guest: GuestReader, sharedInfo: Mfn, port: Port): boolean =>
  (guest.get32(sharedInfo, EVTCHN_PENDING + wordOf(port)) & bitOf(port)) !== 0;
export const isMasked = (xen: Xen, domid: DomId, guest: GuestReader, port: Port, sharedInfo = xen.sharedInfo(domid)): boolean =>
  (guest.get32(sharedInfo, maskOffset(xen, domid) + wordOf(port)) & bitOf(port)) !== 0;

/** What the hypervisor writes when an event is raised; with `upcall`, the vCPU is told too. */
export function raise(
  xen: Xen,
  frames: Frames,
  { domid, port, vcpu, upcall }: { domid: DomId; port: Port; vcpu: number; upcall: boolean },
): void {
  const page = xen.sharedInfo(domid);
  const word = EVTCHN_PENDING + wordOf(port);
  frames.put32(page, word, frames.get32(page, word) | bitOf(port));
  if (!upcall) return;
  const rows = xen.sched.vcpu.of(domid)!;
  const own = rows.info_mfn_plus_1.at(vcpu);
  if (own === 0 && !hasVcpuInfo(vcpu)) return;
  const info = own === 0 ? page : own - 1;
  const offset = own === 0 ? vcpuInfo(vcpu) : rows.info_offset.at(vcpu);
  // A selector bit stands for a word of pending bits, of 64 or 32 bits; a selector of 64 bits is two halves.
  const is32bit = xen.is32bit(domid);
  const half = is32bit ? offset + PENDING_SEL_32 : offset + PENDING_SEL + (port >>> 11) * 4;
  frames.put32(info, half, frames.get32(info, half) | (1 << ((port >>> (is32bit ? 5 : 6)) & 31)));
  frames.put8(info, offset + UPCALL_PENDING, 1);
}
/** Tells a vCPU that there is something for it (vcpu_mark_events_pending()). */
export function tell(xen: Xen, frames: Frames, domid: DomId, vcpu: number): void {
  const info = infoFrame(xen, domid, vcpu);
  if (info >= 0) frames.put8(info, infoOffset(xen, domid, vcpu) + UPCALL_PENDING, 1);
}
export function unmask(xen: Xen, frames: Frames, domid: DomId, port: Port): void {
  const page = xen.sharedInfo(domid);
  const word = maskOffset(xen, domid) + wordOf(port);
  frames.put32(page, word, frames.get32(page, word) & ~bitOf(port));
}

/** A closed port may not stay pending for whoever gets its number next. */
export function clear(frames: Frames, sharedInfo: Mfn, port: Port): void {
  const word = EVTCHN_PENDING + wordOf(port);
  if (frames.get32(sharedInfo, word) !== 0) frames.put32(sharedInfo, word, frames.get32(sharedInfo, word) & ~bitOf(port));
}

/**
 * The guest's side of an upcall (what a kernel's evtchn_2l_handle_events() does): takes the flag and the selectors of its vCPU and
 * answers the ports that are pending and not masked, lowest first, having cleared their bits.
 */
export function takePending(xen: Xen, frames: Frames, domid: DomId, vcpu: number): Port[] {
  const frame = infoFrame(xen, domid, vcpu);
  if (frame < 0) return [];
  const info = infoOffset(xen, domid, vcpu);
  if (frames.get8(frame, info + UPCALL_PENDING) === 0) return [];
  frames.put8(frame, info + UPCALL_PENDING, 0);
  const page = xen.sharedInfo(domid);
  const is32bit = xen.is32bit(domid);
  const mask = maskOffset(xen, domid);
  const ports: Port[] = [];
  for (let half = 0; half < (is32bit ? 1 : 2); half++) {
    const selector = info + (is32bit ? PENDING_SEL_32 : PENDING_SEL + half * 4);
    const selectors = frames.get32(frame, selector);
    if (selectors === 0) continue;
    frames.put32(frame, selector, 0);
    for (let bit = 0; bit < 32; bit++) {
      if (((selectors >>> bit) & 1) === 0) continue;
      for (const word of is32bit ? [bit] : [(half * 32 + bit) * 2, (half * 32 + bit) * 2 + 1]) {
        const pending = frames.get32(page, EVTCHN_PENDING + word * 4);
        const taken = pending & ~frames.get32(page, mask + word * 4);
        if (taken === 0) continue;
        frames.put32(page, EVTCHN_PENDING + word * 4, pending & ~taken);
        for (let port = 0; port < 32; port++) if (((taken >>> port) & 1) === 1) ports.push(word * 32 + port);
      }
    }
  }
  return ports;
}

/**
 * Whether a domain's vCPU has an event to look at, for sched_op(block). Its upcall mask does not matter: to block is to take upcalls
 * (vcpu_block_enable_events() in xen/common/sched/core.c).
 */
export function mustNotBlock(xen: Xen, domid: DomId, vcpu: number, guest: GuestReader): boolean {
  const info = infoFrame(xen, domid, vcpu);
  return info >= 0 && guest.get8(info, infoOffset(xen, domid, vcpu) + UPCALL_PENDING) !== 0;
}
