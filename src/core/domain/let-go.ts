// What follows when somebody lets go of a frame that its domain has given back, or of the last one that kept a dead domain.
import { FRAME_FIELDS } from '../../../events/mm.ts';
import type { GuestReader } from '../../../events/step.ts';
import type { DomId, Mfn, Ns } from '../../../events/units.ts';
import type { Fact, Outcome } from '../../../events/vocabulary.ts';
import { VIRQ } from '../../abi/virq.ts';
import { raiseGlobalVirq } from '../evtchn/decide.ts';
import type { Xen } from '../xen.ts';

/** The outcome with what it leads to. Grants see to it themselves (gnttab's `unmapped`). */
export function letGo(xen: Xen, outcome: Outcome, now: Ns, guest: GuestReader): Outcome {
  const events = outcome.events ?? [];
  const gone = released(xen, events);
  if (gone.length === 0) return outcome;
  const facts: Fact[] = [];
  for (const dom of new Set(gone.map((hold) => hold.dom))) {
    const own = gone.filter((hold) => hold.dom === dom);
    const holds = own.reduce((sum, hold) => sum + hold.holds, 0);
    if (xen.isZombie(dom) && xen.holdsOn(dom) === holds) {
      facts.push({ type: 'domain.destroyed', domid: dom }, ...raiseGlobalVirq(xen, VIRQ.DOM_EXC, now, guest));
      continue;
    }
    for (const mfn of new Set(own.map((hold) => hold.mfn))) {
      const waits = xen.isZombie(dom) || xen.p2m.isReleased(dom, mfn);
      const gfn = xen.p2m.gfn(dom, mfn);
      if (xen.hvm.isLeft(dom, mfn) && !isStillHeld(xen, dom, mfn, own))
        facts.push({ type: 'dm.ioreq_pages_freed', domid: dom, frames: [mfn] });
      if (waits && gfn >= 0 && !isStillHeld(xen, dom, mfn, own))
        facts.push({ type: 'p2m.removed', domid: dom, gfn, nr_pages: 1 });
    }
  }
  return facts.length === 0 ? outcome : { ...outcome, events: [...events, ...facts] };
}

/** What ends of the holds on a frame: how many references to it, and how many of them were others'. */
interface Hold {
  readonly dom: DomId;
  readonly mfn: Mfn;
  readonly kind: 'slot' | 'table';
  readonly refs: number;
  readonly holds: number;
}

function released(xen: Xen, events: readonly Fact[]): Hold[] {
  const gone: Hold[] = [];
  for (const event of events) {
    if (event.type === 'p2m.slot_unmapped') {
      const slot = xen.p2m.slot(event.domid, event.gfn);
      if (slot !== undefined && slot.dom !== event.domid) gone.push({ ...slot, kind: 'slot', refs: 1, holds: 1 });
    } else if (event.type === 'mm.frames_changed') {
      const { frames } = event;
      for (let i = 0; i + FRAME_FIELDS <= frames.length; i += FRAME_FIELDS) {
        const mfn = frames[i]!;
        const { domid, refs, foreign_refs } = xen.mm.frame(mfn);
        const [now, foreign] = [frames[i + 4]!, frames[i + 5]!];
        if (now !== refs && refs > 0)
          gone.push({ dom: domid, mfn, kind: 'table', refs: refs - now, holds: foreign_refs - foreign });
      }
    }
  }
  return gone;
}

/** Whether anybody holds a frame besides those who now let go of it. */
function isStillHeld(xen: Xen, dom: DomId, mfn: Mfn, gone: readonly Hold[]): boolean {
  if (xen.isGrantMapped(mfn) || xen.isUsedByXen(dom, mfn)) return true;
  const ended = (kind: Hold['kind']): number =>
    gone.filter((hold) => hold.mfn === mfn && hold.kind === kind).reduce((sum, hold) => sum + hold.refs, 0);
  const slots = xen.shownBy(dom).filter((slot) => slot.mfn === mfn).length;
  return slots > ended('slot') || xen.mm.frame(mfn).refs > ended('table');
}
