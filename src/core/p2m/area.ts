// A guest's own memory by its addresses: its page numbers times 4096, and so on. How else a pointer may be meant is not ours to know here.
import { type DomId, type Gfn, PAGE_SIZE } from '../../../events/units.ts';
import type { Frames } from '../../memory/memory.ts';
import type { Xen } from '../xen.ts';

/** Whether all of an area is backed by frames. */
export function isBacked(xen: Xen, domid: DomId, addr: number, size: number): boolean {
  if (addr < 0 || addr + size > Number.MAX_SAFE_INTEGER) return false;
  for (let gfn: Gfn = Math.floor(addr / PAGE_SIZE); gfn * PAGE_SIZE < addr + size; gfn++)
    if (xen.p2m.mfn(domid, gfn) < 0) return false;
  return true;
}

/** Writes what of it is backed; the rest is lost. */
export function writeArea(xen: Xen, frames: Frames, domid: DomId, addr: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) {
    const offset = (addr + done) % PAGE_SIZE;
    const length = Math.min(bytes.length - done, PAGE_SIZE - offset);
    const mfn = xen.p2m.mfn(domid, Math.floor((addr + done) / PAGE_SIZE));
    // What a guest may not write to is not written to for it.
    if (mfn >= 0 && !xen.mm.isProtected(mfn)) frames.write(mfn, offset, bytes.subarray(done, done + length));
    done += length;
  }
}
