// Accepting and refusing with any number of facts: those of a large subtree are more than a call can have arguments.
import type { Errno } from '../../events/errno.ts';
import type { Answer, OutcomeOf } from '../../events/step.ts';
import type { XenstoreFact } from '../../events/xenstore.ts';

export type Outcome = OutcomeOf<XenstoreFact>;

export const acceptWith = (facts: Iterable<XenstoreFact>, value: Answer = {}): Outcome => ({
  ok: true,
  value,
  events: [...facts],
});

export const refuseWith = (errno: Errno, facts: readonly XenstoreFact[]): Outcome =>
  facts.length === 0 ? { ok: false, errno } : { ok: false, errno, events: facts };
