// The two-level ABI in guest memory: pending and mask bits in the shared info page, selector and flag in each vcpu_info (public/xen.h).
import type { GuestReader } from '../../../events/step.ts';
import type { DomId, Mfn, Port } from '../../../events/units.ts';
import type { Frames } from '../../memory/memory.ts';
import { hasVcpuInfo } from '../sched/state.ts';
import type { Xen } from '../xen.ts';

/** Offsets in struct shared_info for a 64-bit guest. */
export const EVTCHN_PENDING = 0x800;
export const EVTCHN_MASK = 0xa00;
/** struct vcpu_info: 64 bytes each, from the start of the page. */
const VCPU_INFO_SIZE = 64;
const UPCALL_PENDING = 0;
const PENDING_SEL = 8;

export const vcpuInfo = (vcpu: number): number => vcpu * VCPU_INFO_SIZE;
const wordOf = (port: Port): number => (port >>> 5) * 4;
const bitOf = (port: Port): number => 1 << (port & 31);

export const isPending = (guest: GuestReader, sharedInfo: Mfn, port: Port): boolean =>
  (guest.get32(sharedInfo, EVTCHN_PENDING + wordOf(port)) & bitOf(port)) !== 0;
export const isMasked = (guest: GuestReader, sharedInfo: Mfn, port: Port): boolean =>
  (guest.get32(sharedInfo, EVTCHN_MASK + wordOf(port)) & bitOf(port)) !== 0;

/** What the hypervisor writes when an event is raised; with `upcall`, the vCPU is told too. */
export function raise(frames: Frames, sharedInfo: Mfn, port: Port, vcpu: number, upcall: boolean): void {
  const word = EVTCHN_PENDING + wordOf(port);
  frames.put32(sharedInfo, word, frames.get32(sharedInfo, word) | bitOf(port));
  if (!upcall || !hasVcpuInfo(vcpu)) return;
  const info = vcpuInfo(vcpu);
  // A selector bit stands for a 64-bit word of pending bits; the selector itself is two 32-bit halves.
  const selector = info + PENDING_SEL + (port >>> 11) * 4;
  frames.put32(sharedInfo, selector, frames.get32(sharedInfo, selector) | (1 << ((port >>> 6) & 31)));
  tell(frames, sharedInfo, vcpu);
}
/** Tells a vCPU that there is something for it (vcpu_mark_events_pending()). */
export function tell(frames: Frames, sharedInfo: Mfn, vcpu: number): void {
  if (hasVcpuInfo(vcpu)) frames.put8(sharedInfo, vcpuInfo(vcpu) + UPCALL_PENDING, 1);
}
export function unmask(frames: Frames, sharedInfo: Mfn, port: Port): void {
  const word = EVTCHN_MASK + wordOf(port);
  frames.put32(sharedInfo, word, frames.get32(sharedInfo, word) & ~bitOf(port));
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
export function takePending(frames: Frames, sharedInfo: Mfn, vcpu: number): Port[] {
  const info = vcpuInfo(vcpu);
  if (frames.get8(sharedInfo, info + UPCALL_PENDING) === 0) return [];
  frames.put8(sharedInfo, info + UPCALL_PENDING, 0);
  const ports: Port[] = [];
  for (let half = 0; half < 2; half++) {
    const selectors = frames.get32(sharedInfo, info + PENDING_SEL + half * 4);
    if (selectors === 0) continue;
    frames.put32(sharedInfo, info + PENDING_SEL + half * 4, 0);
    for (let bit = 0; bit < 32; bit++) {
      if (((selectors >>> bit) & 1) === 0) continue;
      for (const word of [(half * 32 + bit) * 2, (half * 32 + bit) * 2 + 1]) {
        const pending = frames.get32(sharedInfo, EVTCHN_PENDING + word * 4);
        const taken = pending & ~frames.get32(sharedInfo, EVTCHN_MASK + word * 4);
        if (taken === 0) continue;
        frames.put32(sharedInfo, EVTCHN_PENDING + word * 4, pending & ~taken);
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
export const mustNotBlock = (xen: Xen, domid: DomId, vcpu: number, guest: GuestReader): boolean =>
  hasVcpuInfo(vcpu) && guest.get8(xen.sharedInfo(domid), vcpuInfo(vcpu) + UPCALL_PENDING) !== 0;
