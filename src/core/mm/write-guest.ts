import { PAGE_SIZE } from '../../../events/units.ts';
import type { MmFact } from '../../../events/vocabulary.ts';
import type { Frames } from '../../memory/memory.ts';
import { infoFrame, infoOffset, UPCALL_MASK } from '../evtchn/pending.ts';
import type { Xen } from '../xen.ts';
import { takesEvents } from './context.ts';
import { checkDescriptor, DESCRIPTORS } from './descriptor.ts';
import {
  adjusted,
  ENTRIES,
  FIRST_PAE_XEN_SLOT,
  FIRST_XEN_SLOT,
  isPresent,
  LAST_XEN_SLOT,
  type Level,
  PAE_ROOT_ENTRIES,
  PTE_SIZE,
  samePte,
} from './pte.ts';

const empty = new Uint8Array(PAGE_SIZE);

/** What a fact writes into page tables and pages. Live and in re-enactment only, before `evolve`. */
export function writeGuest(xen: Xen, frames: Frames, event: MmFact): void {
  switch (event.type) {
    case 'mm.entry_written':
      frames.put32(event.mfn, event.offset, event.lo);
      frames.put32(event.mfn, event.offset + 4, event.hi);
      return;
    case 'mm.table_adjusted':
      adjustTable(frames, event.mfn, event.level as Level);
      return;
    case 'mm.pae_table_adjusted':
      adjustPae(frames, event.mfn, event.level);
      return;
    case 'mm.descriptors_adjusted':
      for (let at = 0; at < DESCRIPTORS * 8; at += 8) {
        const before = { a: frames.get32(event.mfn, at), b: frames.get32(event.mfn, at + 4) };
        const after = checkDescriptor(before) ?? before;
        if (after.a !== before.a) frames.put32(event.mfn, at, after.a);
        if (after.b !== before.b) frames.put32(event.mfn, at + 4, after.b);
      }
      return;
    case 'mm.page_cleared':
      frames.write(event.mfn, 0, empty);
      return;
    case 'mm.page_copied':
      frames.write(event.mfn, 0, frames.read(event.src_mfn, 0, PAGE_SIZE).slice());
      return;
    case 'mm.iret_done': {
      const { domid, vcpu } = event;
      const info = infoFrame(xen, domid, vcpu);
      if (info >= 0) frames.put8(info, infoOffset(xen, domid, vcpu) + UPCALL_MASK, takesEvents(event.rflags) ? 0 : 1);
      return;
    }
  }
}

/** Entries get the bits that Xen wants in them; Xen's own slots of a root table are not the guest's to see. */
function adjustTable(frames: Frames, mfn: number, level: Level): void {
  for (let slot = 0; slot < ENTRIES; slot++) {
    const at = slot * PTE_SIZE;
    if (level === 4 && slot >= FIRST_XEN_SLOT && slot <= LAST_XEN_SLOT) {
      frames.put64(mfn, at, 0n);
      continue;
    }
    const before = { lo: frames.get32(mfn, at), hi: frames.get32(mfn, at + 4) };
    const after = adjusted(before, level);
    if (!isPresent(before) || samePte(before, after)) continue;
    frames.put32(mfn, at, after.lo);
    frames.put32(mfn, at + 4, after.hi);
  }
}

function adjustPae(frames: Frames, mfn: number, level: number): void {
  const first = level === 3 ? PAE_ROOT_ENTRIES : FIRST_PAE_XEN_SLOT;
  for (let slot = first; slot < ENTRIES; slot++) frames.put64(mfn, slot * PTE_SIZE, 0n);
  for (let slot = 0; level === 3 && slot < PAE_ROOT_ENTRIES; slot++) {
    const at = slot * PTE_SIZE;
    const { lo } = adjusted({ lo: frames.get32(mfn, at), hi: frames.get32(mfn, at + 4) }, 3, true);
    frames.put32(mfn, at, lo);
  }
}
