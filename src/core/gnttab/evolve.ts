import type { FactOf, GnttabFact } from '../../../events/vocabulary.ts';
import { GNTMAP } from '../../abi/grant-table.ts';
import { countPages } from '../p2m/evolve.ts';
import type { Xen } from '../xen.ts';
import { flagsOf, putHandle, takeHandle } from './maptrack.ts';
import { type Active, isPinned } from './state.ts';

/** Applies a fact to the tables. Total; the only writer of this slice. */
export function evolve(xen: Xen, event: GnttabFact): void {
  const row = xen.domain.of(0)!;
  switch (event.type) {
    case 'gnttab.table_grown': {
      const frames = xen.gnttab.frames.of(event.domid)!;
      for (const mfn of event.frames) {
        xen.p2m.take(mfn, 1);
        frames.mfn_plus_1.put(row.nr_grant_frames.at(event.domid), mfn + 1);
        row.nr_grant_frames.add(event.domid, 1);
      }
      return;
    }
    case 'gnttab.mapped': {
      const { domid, handle, dom, ref, mfn, flags, host_addr } = event;
      takeHandle(xen, domid, handle);
      const maps = xen.gnttab.maptrack.of(domid)!;
      maps.state.become(handle, 'mapped');
      maps.dom.put(handle, dom);
      maps.ref.put(handle, ref);
      maps.mfn.put(handle, mfn);
      maps.readonly.put(handle, flags & GNTMAP.readonly ? 1 : 0);
      maps.flags.put(handle, flags);
      maps.host_addr.put(handle, host_addr);
      const active = xen.gnttab.active.of(dom)!;
      if (!isPinned(active, ref)) {
        active.mfn.put(ref, mfn);
        active.domid.put(ref, domid);
        xen.gnttab.use(mfn, 1);
      }
      pin(active, ref, flags, 1);
      row.foreign_maps.add(dom, 1);
      return;
    }
    case 'gnttab.unmapped': {
      const { domid, handle, dom, ref, parts } = event;
      const maps = xen.gnttab.maptrack.of(domid)!;
      const flags = flagsOf(maps, handle);
      const active = xen.gnttab.active.of(dom)!;
      pin(active, ref, parts | (flags & GNTMAP.readonly), -1);
      if (!isPinned(active, ref)) {
        xen.gnttab.use(active.mfn.at(ref), -1);
        active.mfn.put(ref, 0);
        active.domid.put(ref, 0);
      }
      const left = flags & ~parts;
      if ((left & (GNTMAP.host_map | GNTMAP.device_map)) !== 0) {
        maps.flags.put(handle, left);
        return;
      }
      freeRow(xen, domid, handle);
      maps.flags.put(handle, 0);
      maps.host_addr.put(handle, 0);
      row.foreign_maps.add(dom, -1);
      putHandle(xen, domid, handle);
      return;
    }
    case 'gnttab.handle_put_back':
      takeHandle(xen, event.domid, event.handle);
      putHandle(xen, event.domid, event.handle);
      return;
    case 'gnttab.max_version_set':
      row.max_grant_version.become(event.domid, event.max_version === 2 ? 'v2' : 'v1');
      return;
    case 'gnttab.status_frames_added': {
      const { domid } = event;
      const { mfn_plus_1 } = xen.gnttab.statusFrames.of(domid) ?? xen.gnttab.statusFrames.add(domid);
      for (const mfn of event.frames) {
        xen.p2m.take(mfn, 1);
        mfn_plus_1.put(row.nr_status_frames.at(domid), mfn + 1);
        row.nr_status_frames.add(domid, 1);
      }
      return;
    }
    case 'gnttab.version_set': {
      const { domid, version } = event;
      row.grant_version.become(domid, version === 2 ? 'v2' : 'v1');
      if (version === 2) return;
      const frames = xen.gnttab.statusFrames.of(domid);
      for (let i = 0; i < row.nr_status_frames.at(domid); i++) xen.p2m.giveBack(frames!.mfn_plus_1.at(i) - 1, 1);
      xen.gnttab.statusFrames.remove(domid);
      row.nr_status_frames.put(domid, 0);
      return;
    }
    case 'gnttab.page_transferred': {
      const { domid, gfn, dom, to_gfn } = event;
      xen.p2m.hand({ domid, gfn }, { domid: dom, gfn: to_gfn });
      countPages(xen, domid, -1);
      countPages(xen, dom, 1);
      return;
    }
    case 'gnttab.ref_mapped':
      mapOfOldLog(xen, event);
      return;
    case 'gnttab.ref_unmapped':
      unmapOfOldLog(xen, event);
      return;
    case 'gnttab.copied':
    case 'gnttab.entry_seeded':
    case 'gnttab.refs_swapped':
    case 'gnttab.flags_cleared':
    case 'gnttab.flags_raised':
      return; // bytes in guest memory
    default:
      event satisfies never;
  }
}

/** Counts a mapping, or (-1) one less. */
function pin({ readers, writers, devr, devw }: Active, ref: number, flags: number, by: 1 | -1): void {
  const isReadonly = (flags & GNTMAP.readonly) !== 0;
  if ((flags & GNTMAP.host_map) !== 0) (isReadonly ? readers : writers).add(ref, by);
  if ((flags & GNTMAP.device_map) !== 0) (isReadonly ? devr : devw).add(ref, by);
}

function freeRow(xen: Xen, domid: number, handle: number): void {
  const maps = xen.gnttab.maptrack.of(domid)!;
  maps.state.become(handle, 'free');
  maps.dom.put(handle, 0);
  maps.ref.put(handle, 0);
  maps.mfn.put(handle, 0);
  maps.readonly.put(handle, 0);
  const { free_handle_hint } = xen.domain.of(0)!;
  if (handle < free_handle_hint.at(domid)) free_handle_hint.put(domid, handle);
}

/** Handles were the lowest free ones then, and mappings had no flags but GNTMAP_readonly. */
function mapOfOldLog(xen: Xen, event: FactOf<'gnttab.ref_mapped'>): void {
  const { domid, handle, dom, ref, mfn, readonly } = event;
  const row = xen.domain.of(0)!;
  const maps = xen.gnttab.maptrack.of(domid)!;
  maps.state.become(handle, 'mapped');
  maps.dom.put(handle, dom);
  maps.ref.put(handle, ref);
  maps.mfn.put(handle, mfn);
  maps.readonly.put(handle, readonly ? 1 : 0);
  const active = xen.gnttab.active.of(dom)!;
  if (!isPinned(active, ref)) xen.gnttab.use(mfn, 1);
  (readonly ? active.readers : active.writers).add(ref, 1);
  active.mfn.put(ref, mfn);
  active.domid.put(ref, domid);
  row.foreign_maps.add(dom, 1);
  if (row.free_handle_hint.at(domid) === handle) row.free_handle_hint.put(domid, handle + 1);
}

function unmapOfOldLog(xen: Xen, event: FactOf<'gnttab.ref_unmapped'>): void {
  const { domid, handle, dom, ref } = event;
  const active = xen.gnttab.active.of(dom)!;
  const isReadonly = xen.gnttab.maptrack.of(domid)!.readonly.at(handle) === 1;
  (isReadonly ? active.readers : active.writers).add(ref, -1);
  if (!isPinned(active, ref)) {
    xen.gnttab.use(active.mfn.at(ref), -1);
    active.mfn.put(ref, 0);
    active.domid.put(ref, 0);
  }
  freeRow(xen, domid, handle);
  xen.domain.of(0)!.foreign_maps.add(dom, -1);
}
