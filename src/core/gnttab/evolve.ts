import type { GnttabFact } from '../../../events/vocabulary.ts';
import type { Xen } from '../xen.ts';

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
    case 'gnttab.ref_mapped': {
      const { domid, handle, dom, ref } = event;
      const maps = xen.gnttab.maptrack.of(domid)!;
      maps.state.become(handle, 'mapped');
      maps.dom.put(handle, dom);
      maps.ref.put(handle, ref);
      maps.mfn.put(handle, event.mfn);
      maps.readonly.put(handle, event.readonly ? 1 : 0);
      const active = xen.gnttab.active.of(dom)!;
      (event.readonly ? active.readers : active.writers).add(ref, 1);
      active.mfn.put(ref, event.mfn);
      active.domid.put(ref, domid);
      row.foreign_maps.add(dom, 1);
      if (row.free_handle_hint.at(domid) === handle) row.free_handle_hint.put(domid, handle + 1);
      return;
    }
    case 'gnttab.ref_unmapped': {
      const { domid, handle, dom, ref } = event;
      const maps = xen.gnttab.maptrack.of(domid)!;
      const active = xen.gnttab.active.of(dom)!;
      (maps.readonly.at(handle) === 1 ? active.readers : active.writers).add(ref, -1);
      if (active.readers.at(ref) + active.writers.at(ref) === 0) {
        active.mfn.put(ref, 0);
        active.domid.put(ref, 0);
      }
      maps.state.become(handle, 'free');
      maps.dom.put(handle, 0);
      maps.ref.put(handle, 0);
      maps.mfn.put(handle, 0);
      maps.readonly.put(handle, 0);
      row.foreign_maps.add(dom, -1);
      if (handle < row.free_handle_hint.at(domid)) row.free_handle_hint.put(domid, handle);
      return;
    }
    case 'gnttab.copied':
    case 'gnttab.entry_seeded':
    case 'gnttab.refs_swapped':
      return; // bytes in guest memory
    default:
      event satisfies never;
  }
}
