import type { FactOf } from '../../../events/vocabulary.ts';
import type { Memory } from '../../memory/memory.ts';

/** What goes back to the heap is scrubbed. Live and in re-enactment only, before `evolve`. */
export function writeGuest(memory: Memory, { frames }: FactOf<'dm.ioreq_pages_freed'>): void {
  for (const mfn of frames) memory.scrub(mfn, 1);
}
