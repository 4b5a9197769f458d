import type { Invariant } from '../invariants.ts';
import type { Xen } from '../xen.ts';
import { ENTRIES_PER_FRAME } from './state.ts';

interface Pins {
  readers: number;
  writers: number;
  readonly mfns: Set<number>;
  readonly users: Set<number>;
}

export const invariants: Readonly<Record<string, Invariant>> = {
  *'gnttab.activeCountsMatchMappings'(xen) {
    const pins = pinsOf(xen);
    for (const domid of xen.gnttab.active.ids())
      for (let ref = 0; ref < xen.gnttab.active.of(domid)!.length; ref++) {
        const row = xen.gnttab.active.row(domid, ref);
        const { readers, writers, mfns, users } = pins.get(`${domid} ${ref}`) ?? none;
        pins.delete(`${domid} ${ref}`);
        const who = `d${domid} ref ${ref}`;
        if (row.readers !== readers || row.writers !== writers)
          yield `${who} counts ${row.readers} readers and ${row.writers} writers, there are ${readers} and ${writers}`;
        if ([...mfns, row.mfn].some((mfn) => mfn !== row.mfn) || (mfns.size === 0 && row.mfn !== 0))
          yield `${who} is of frame ${row.mfn}, mapped are ${[...mfns].join(' ')}`;
        if ([...users, row.domid].some((user) => user !== row.domid) || (users.size === 0 && row.domid !== 0))
          yield `${who} is in use by d${row.domid}, mapped by ${[...users].join(' ')}`;
      }
    for (const entry of pins.keys()) yield `d${entry.replace(' ', ' ref ')} is mapped, and has no counts`;
  },

  *'gnttab.mappedFrameBelongsToItsGranter'(xen) {
    for (const domid of xen.gnttab.maptrack.ids())
      for (const [handle, { dom, mfn }] of xen.gnttab.maptrack.inUse(domid))
        if (!xen.exists(dom) || xen.p2m.gfn(dom, mfn) < 0)
          yield `d${domid} handle ${handle} maps frame ${mfn}, which is not d${dom}'s`;
  },

  *'gnttab.foreignMapsAreCounted'(xen) {
    const counts = new Map<number, number>();
    for (const domid of xen.gnttab.maptrack.ids())
      for (const [, { dom }] of xen.gnttab.maptrack.inUse(domid)) counts.set(dom, (counts.get(dom) ?? 0) + 1);
    const { foreign_maps } = xen.domain.of(0)!;
    for (const domid of xen.domids())
      if (foreign_maps.at(domid) !== (counts.get(domid) ?? 0))
        yield `d${domid} counts ${foreign_maps.at(domid)} mappings, there are ${counts.get(domid) ?? 0}`;
  },

  *'gnttab.tableIsWithinItsLimit'(xen) {
    const { nr_grant_frames, max_grant_frames } = xen.domain.of(0)!;
    for (const domid of xen.gnttab.frames.ids()) {
      const count = nr_grant_frames.at(domid);
      if (count > max_grant_frames.at(domid)) yield `d${domid} has ${count} frames of at most ${max_grant_frames.at(domid)}`;
      const frames = [...xen.gnttab.frames.inUse(domid)].map(([i]) => i);
      if (frames.length !== count || frames.some((i) => i >= count))
        yield `d${domid} has the frames ${frames.join(' ')}, counted ${count}`;
      const { mfn, length } = xen.gnttab.active.of(domid)!;
      for (let ref = count * ENTRIES_PER_FRAME; ref < length; ref++)
        if (mfn.at(ref) !== 0) yield `d${domid} ref ${ref} is in use and not in the table`;
    }
  },

  *'gnttab.noHandleIsFreeBelowTheHint'(xen) {
    const { free_handle_hint } = xen.domain.of(0)!;
    for (const domid of xen.gnttab.maptrack.ids())
      for (let handle = 0; handle < free_handle_hint.at(domid); handle++)
        if (xen.gnttab.maptrack.of(domid)!.state.at(handle) === 0)
          yield `d${domid} handle ${handle} is free, and the search starts at ${free_handle_hint.at(domid)}`;
  },
};

const none: Pins = { readers: 0, writers: 0, mfns: new Set(), users: new Set() };

/** What the mappings of all domains say about each entry, by `domid ref`. */
function pinsOf(xen: Xen): Map<string, Pins> {
  const pins = new Map<string, Pins>();
  for (const domid of xen.gnttab.maptrack.ids())
    for (const [, { dom, ref, mfn, readonly }] of xen.gnttab.maptrack.inUse(domid)) {
      const entry = pins.get(`${dom} ${ref}`) ?? { readers: 0, writers: 0, mfns: new Set(), users: new Set() };
      pins.set(`${dom} ${ref}`, entry);
      if (readonly === 1) entry.readers++;
      else entry.writers++;
      entry.mfns.add(mfn);
      entry.users.add(domid);
    }
  return pins;
}
