// Giving a page to a domain that waits for one (gnttab_transfer() in xen/common/grant_table.c).
import { accept, type GuestReader, refuse } from '../../../events/step.ts';
import type { DomId, Gfn, Mfn } from '../../../events/units.ts';
import type { CommandOf, Fact, Outcome } from '../../../events/vocabulary.ts';
import { overlaps } from '../p2m/ranges.ts';
import { UNPLACED } from '../p2m/state.ts';
import type { Xen } from '../xen.ts';
import { type Entry, entryAt, pageNumberOf } from './entries.ts';
import { GTF_accept_transfer } from './state.ts';

/** Once the caller has let go of its page, it is gone, whatever comes of the transfer. */
export function transfer(xen: Xen, command: CommandOf<'gnttab.transfer'>, guest: GuestReader): Outcome {
  const { domid, dom, ref } = command;
  const row = xen.domain.of(0)!;
  if (row.hvm.at(domid) === 1) return refuse(xen.grantedFrame(domid, command.mfn) < 0 ? 'bad_page' : 'general_error');
  const { mfn } = command;
  const gfn = xen.p2m.gfn(domid, mfn);
  // steal_page(): the domain's own, with no other reference to it than that.
  if (gfn < 0 || xen.isHeld(domid, mfn) || xen.isUsedByXen(domid, mfn)) return refuse('bad_page');
  const gone: Fact = { type: 'p2m.removed', domid, gfn, nr_pages: 1 };
  if (!xen.exists(dom)) return refuse('bad_domain', undefined, gone);
  const tot_pages = row.tot_pages.at(dom) - (dom === domid ? 1 : 0);
  if (!xen.isAlive(dom) || tot_pages >= row.max_pages.at(dom)) return refuse('general_error', undefined, gone);
  const entry = entryAt(xen, dom, ref);
  if (entry === undefined || !accepts(guest, entry, domid)) return refuse('general_error', undefined, gone);
  const wanted = pageNumberOf(guest, entry);
  const to_gfn = placeOf(xen, { domid, gfn, mfn, dom, wanted });
  const facts: Fact[] = [{ type: 'gnttab.page_transferred', domid, gfn, mfn, dom, ref, to_gfn }];
  if (xen.p2m.isOnDemand(dom, to_gfn)) facts.unshift({ type: 'p2m.pod_cleared', domid: dom, gfn: to_gfn, nr_pages: 1 });
  // It has the page, and no place for it.
  return row.hvm.at(dom) === 1 && to_gfn !== wanted ? refuse('general_error', undefined, ...facts) : accept({}, ...facts);
}

/** gnttab_prepare_for_transfer(): the entry says that, and nothing else. */
const accepts = (guest: GuestReader, { mfn, at }: Entry, from: DomId): boolean =>
  guest.get16(mfn, at) === GTF_accept_transfer && guest.get16(mfn, at + 2) === from;

/**
 * Where the page comes to be: where Xen translates, in the place of what is there; to a PV domain the number is a note about the frame,
 * which it can do without.
 */
function placeOf(xen: Xen, { domid, gfn, mfn, dom, wanted }: { domid: DomId; gfn: Gfn; mfn: Mfn; dom: DomId; wanted: Gfn }): Gfn {
  if (wanted >= UNPLACED) return UNPLACED + mfn;
  if (xen.domain.of(0)!.hvm.at(dom) === 1) return xen.p2m.slot(dom, wanted) === undefined ? wanted : UNPLACED + mfn;
  const isTaken = overlaps(xen.p2m.of(dom), wanted, 1) && !(dom === domid && wanted === gfn);
  return isTaken ? UNPLACED + mfn : wanted;
}
