// The page tables of a dying domain, let go of in stages (domain_relinquish_resources() and relinquish_memory() in xen/arch/x86/domain.c).
import type { DomId } from '../../../events/units.ts';
import type { Fact, GuestReader } from '../../../events/vocabulary.ts';
import type { Xen } from '../xen.ts';
import { unpin } from './mmuext.ts';
import { Pages } from './pages.ts';
import { demote, levelOf } from './tables.ts';

/** How many tables one step lets go of. */
const BATCH = 16;

/** What the next stage does; nothing where all is done. */
export function relinquish(xen: Xen, domid: DomId, guest: GuestReader): Fact[] {
  const pages = new Pages(xen, guest);
  for (let vcpu = 0; vcpu < xen.domain.of(0)!.nr_vcpus.at(domid); vcpu++) {
    const facts = leaveVcpu(pages, domid, vcpu);
    if (facts.length > 0) return facts;
  }
  const own = [...xen.mm.all()].filter(([, info]) => info.domid === domid);
  const pinned = own.filter(([, info]) => info.pinned).slice(0, BATCH);
  if (pinned.length > 0) {
    for (const [mfn] of pinned) unpin(pages, pages.page(mfn, domid));
    return pages.facts();
  }
  // Nobody uses a table any more but those that map each other, or themselves: they let go all at once.
  for (const level of [4, 3, 2, 1]) {
    const left = own.filter(([, info]) => levelOf(info.type) === level);
    if (left.length === 0) continue;
    for (const [mfn] of left) {
      const page = pages.page(mfn, domid)!;
      if (!page.validated) continue;
      page.validated = false;
      demote(pages, page);
    }
    return pages.facts();
  }
  return [];
}

function leaveVcpu(pages: Pages, domid: DomId, vcpu: number): Fact[] {
  const { mm } = pages.xen;
  const facts: Fact[] = [];
  for (const user of [false, true]) {
    const mfn = mm.baseptr(domid, vcpu, user);
    if (mfn < 0) continue;
    pages.putBoth(mfn, domid);
    facts.push({ type: 'mm.baseptr_set', domid, vcpu, user, mfn: -1 });
  }
  const { gdt_frames } = mm.context(domid, vcpu);
  for (const mfn of gdt_frames) pages.putBoth(mfn, domid);
  if (gdt_frames.length > 0) facts.push({ type: 'mm.gdt_set', domid, vcpu, frames: [], ents: 0 });
  return [...pages.facts(), ...facts];
}
