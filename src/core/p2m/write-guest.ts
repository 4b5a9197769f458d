import type { P2mFact } from '../../../events/vocabulary.ts';
import type { Memory } from '../../memory/memory.ts';
import type { Xen } from '../xen.ts';
import { slice } from './ranges.ts';
import { POD_CACHE } from './state.ts';

/** Frames that go back to the heap are scrubbed: nobody finds another domain's bytes in them. So are those of the cache. */
export function writeGuest(xen: Xen, memory: Memory, event: P2mFact): void {
  const goes = event.type === 'p2m.removed' || (event.type === 'p2m.moved' && event.to >= POD_CACHE);
  if (!goes) return;
  for (const { mfn, count } of slice(xen.p2m.of(event.domid), event.gfn, event.nr_pages)) memory.scrub(mfn, count);
}
