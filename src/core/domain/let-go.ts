// What follows when somebody lets go of a frame that its domain has given back, or of the last one that kept a dead domain.
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
  for (const [dom, frames] of byDomain(gone)) {
    if (xen.isZombie(dom) && xen.holdsOn(dom) === frames.length) {
      facts.push({ type: 'domain.destroyed', domid: dom }, ...raiseGlobalVirq(xen, VIRQ.DOM_EXC, now, guest));
      continue;
    }
    for (const mfn of new Set(frames)) {
      const waits = xen.isZombie(dom) || xen.p2m.isReleased(dom, mfn);
      const gfn = xen.p2m.gfn(dom, mfn);
      if (waits && gfn >= 0 && !isStillHeld(xen, dom, mfn, frames))
        facts.push({ type: 'p2m.removed', domid: dom, gfn, nr_pages: 1 });
    }
  }
  return facts.length === 0 ? outcome : { ...outcome, events: [...events, ...facts] };
}

interface Hold {
  readonly dom: DomId;
  readonly mfn: Mfn;
}

/** The holds on others' frames that end with these facts, one for each. */
function released(xen: Xen, events: readonly Fact[]): Hold[] {
  const holds: Hold[] = [];
  for (const event of events) {
    if (event.type !== 'p2m.slot_unmapped') continue;
    const slot = xen.p2m.slot(event.domid, event.gfn);
    if (slot !== undefined && slot.dom !== event.domid) holds.push(slot);
  }
  return holds;
}

function byDomain(holds: readonly Hold[]): Map<DomId, Mfn[]> {
  const domains = new Map<DomId, Mfn[]>();
  for (const { dom, mfn } of holds) {
    const frames = domains.get(dom);
    if (frames === undefined) domains.set(dom, [mfn]);
    else frames.push(mfn);
  }
  return domains;
}

/** Whether anybody holds a frame besides those who now let go of it. */
function isStillHeld(xen: Xen, dom: DomId, mfn: Mfn, gone: readonly Mfn[]): boolean {
  if (xen.isGrantMapped(mfn) || xen.isUsedByXen(dom, mfn)) return true;
  const count = (frames: readonly Mfn[]): number => frames.filter((frame) => frame === mfn).length;
  return count(xen.p2m.shownBy(dom).map((slot) => slot.mfn)) > count(gone);
}
