import type { DomainFact } from '../../../events/vocabulary.ts';
import type { Memory } from '../../memory/memory.ts';
import type { Xen } from '../xen.ts';
import { framesOf } from './evolve.ts';

/** What is left of a domain is scrubbed when it goes. Live and in re-enactment only, before `evolve`. */
export function writeGuest(xen: Xen, memory: Memory, event: DomainFact): void {
  if (event.type !== 'domain.destroyed') return;
  for (const { mfn, count } of framesOf(xen, event.domid)) memory.scrub(mfn, count);
}
