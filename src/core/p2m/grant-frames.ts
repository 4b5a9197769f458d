// The frames of grant tables and of their statuses: a domain shares them with Xen, and may have them in its physmap
// (gnttab_grow_table(), gnttab_get_shared_frame_mfn() and gnttab_get_status_frame_mfn() in xen/common/grant_table.c).
import type { DomId, Mfn } from '../../../events/units.ts';
import type { Fact } from '../../../events/vocabulary.ts';
import type { Xen } from '../xen.ts';
import { allocateFrames } from './heap.ts';

export const isV2 = (xen: Xen, dom: DomId): boolean => xen.domain.of(0)!.grant_version.at(dom) === 1;

/** A status word is 2 bytes, an entry of version 2 is 16. */
export const GRANT_FRAMES_PER_STATUS_FRAME = 8;
/** Status frames for as many frames of entries (grant_to_status_frames()). */
export const statusFramesFor = (frames: number): number => Math.ceil(frames / GRANT_FRAMES_PER_STATUS_FRAME);

/** What it takes for a table to have so many frames, and the status frames that go with them; undefined where the heap has not enough. */
function grown(xen: Xen, dom: DomId, nr_frames: number): Fact[] | undefined {
  const row = xen.domain.of(0)!;
  const entries = Math.max(0, nr_frames - row.nr_grant_frames.at(dom));
  const statuses = isV2(xen, dom) ? Math.max(0, statusFramesFor(nr_frames) - row.nr_status_frames.at(dom)) : 0;
  const added = allocateFrames(xen, entries + statuses);
  if (added.length < entries + statuses) return undefined;
  const facts: Fact[] = [];
  if (entries > 0) facts.push({ type: 'gnttab.table_grown', domid: dom, frames: added.slice(0, entries) });
  if (statuses > 0) facts.push({ type: 'gnttab.status_frames_added', domid: dom, frames: added.slice(entries) });
  return facts;
}

/** A table's first frames, or those of its statuses, and what it takes for there to be so many; undefined where there can not be. */
export function firstFrames(
  xen: Xen,
  dom: DomId,
  { count, statuses }: { readonly count: number; readonly statuses: boolean },
): { readonly frames: readonly Mfn[]; readonly facts: readonly Fact[] } | undefined {
  const row = xen.domain.of(0)!;
  if (statuses && !isV2(xen, dom)) return undefined;
  const have = (statuses ? row.nr_status_frames : row.nr_grant_frames).at(dom);
  // As many status frames as are wanted come with the most frames that they are for (status_to_grant_frames()).
  const nr_frames = statuses ? count * GRANT_FRAMES_PER_STATUS_FRAME : count;
  if (count > have && nr_frames > row.max_grant_frames.at(dom)) return undefined;
  const facts = count > have ? grown(xen, dom, nr_frames) : [];
  if (facts === undefined) return undefined;
  const { mfn_plus_1 } = (statuses ? xen.gnttab.statusFrames : xen.gnttab.frames).of(dom)!;
  const frames: Mfn[] = [];
  for (let i = 0; i < Math.min(have, count); i++) frames.push(mfn_plus_1.at(i) - 1);
  const added = statuses ? 'gnttab.status_frames_added' : 'gnttab.table_grown';
  for (const fact of facts) if (fact.type === added) frames.push(...fact.frames);
  return { frames, facts };
}
