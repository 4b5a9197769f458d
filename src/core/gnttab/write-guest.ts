import type { GnttabFact } from '../../../events/vocabulary.ts';
import type { Frames } from '../../memory/memory.ts';
import type { Xen } from '../xen.ts';
import { entryFrame, entryOffset } from './decide.ts';
import { GRANT_ENTRY_SIZE, GTF_permit_access } from './state.ts';

/** What a fact writes into grant tables and granted frames. Live and in re-enactment only, before `evolve`. */
export function writeGuest(xen: Xen, frames: Frames, event: GnttabFact): void {
  switch (event.type) {
    case 'gnttab.ref_mapped':
    case 'gnttab.ref_unmapped': {
      const table = entryFrame(xen, event.dom, event.ref);
      const at = entryOffset(event.ref);
      const flags = frames.get16(table, at);
      const after = event.type === 'gnttab.ref_mapped' ? flags | event.set_flags : flags & ~event.clear_flags;
      if (after !== flags) frames.put16(table, at, after);
      return;
    }
    case 'gnttab.copied': {
      const bytes = frames.read(event.source_mfn, event.source_offset, event.len).slice();
      frames.write(event.dest_mfn, event.dest_offset, bytes);
      return;
    }
    case 'gnttab.refs_swapped': {
      const { domid, ref_a, ref_b } = event;
      const [a, b] = [ref_a, ref_b].map((ref) => ({ mfn: entryFrame(xen, domid, ref), at: entryOffset(ref) }));
      const first = frames.read(a!.mfn, a!.at, GRANT_ENTRY_SIZE).slice();
      frames.write(a!.mfn, a!.at, frames.read(b!.mfn, b!.at, GRANT_ENTRY_SIZE).slice());
      frames.write(b!.mfn, b!.at, first);
      return;
    }
    case 'gnttab.entry_seeded': {
      const table = entryFrame(xen, event.domid, event.ref);
      const at = entryOffset(event.ref);
      frames.put16(table, at + 2, event.backend);
      frames.put32(table, at + 4, xen.grantFrameNumber(event.domid, event.gfn));
      frames.put16(table, at, GTF_permit_access);
      return;
    }
  }
}
