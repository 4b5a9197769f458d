import type { DomId } from '../../../events/units.ts';
import { GNTMAP } from '../../abi/grant-table.ts';
import type { Frames } from '../../memory/memory.ts';
import type { Invariant } from '../invariants.ts';
import { isV2, statusFramesFor } from '../p2m/grant-frames.ts';
import type { Xen } from '../xen.ts';
import { entriesOf, statusPlace } from './entries.ts';
import { PARTS } from './map.ts';
import { flagsOf, MAPTRACK_PER_FRAME, nextFree } from './maptrack.ts';
import { GTF_reading, GTF_writing, isPinned, isPinnedToWrite } from './state.ts';

interface Pins {
  readers: number;
  writers: number;
  devr: number;
  devw: number;
  readonly mfns: Set<number>;
  readonly users: Set<number>;
}
const ways = ['readers', 'writers', 'devr', 'devw'] as const;
/** What a byte counts without its highest bit's help, and once more (GNTPIN_incr2oflow_mask()). */
const MAX_PINS = 128;

export const invariants: Readonly<Record<string, Invariant>> = {
  *'gnttab.activeCountsMatchMappings'(xen) {
    const pins = pinsOf(xen);
    for (const domid of xen.gnttab.active.ids())
      for (let ref = 0; ref < xen.gnttab.active.of(domid)!.length; ref++) {
        const row = xen.gnttab.active.row(domid, ref);
        const mapped = pins.get(`${domid} ${ref}`) ?? none;
        pins.delete(`${domid} ${ref}`);
        const { mfns, users } = mapped;
        const who = `d${domid} ref ${ref}`;
        for (const way of ways) if (row[way] !== mapped[way]) yield `${who} counts ${row[way]} ${way}, there are ${mapped[way]}`;
        if ([...mfns, row.mfn].some((mfn) => mfn !== row.mfn) || (mfns.size === 0 && row.mfn !== 0))
          yield `${who} is of frame ${row.mfn}, mapped are ${[...mfns].join(' ')}`;
        if ([...users, row.domid].some((user) => user !== row.domid) || (users.size === 0 && row.domid !== 0))
          yield `${who} is in use by d${row.domid}, mapped by ${[...users].join(' ')}`;
      }
    for (const entry of pins.keys()) yield `d${entry.replace(' ', ' ref ')} is mapped, and has no counts`;
  },

  *'gnttab.pinsFitIntoTheirCounters'(xen) {
    for (const domid of xen.gnttab.active.ids())
      for (let ref = 0; ref < xen.gnttab.active.of(domid)!.length; ref++)
        for (const way of ways) {
          const count = xen.gnttab.active.of(domid)![way].at(ref);
          if (count < 0 || count > MAX_PINS) yield `d${domid} ref ${ref} counts ${count} ${way}`;
        }
  },

  *'gnttab.mappingHasItsParts'(xen) {
    const { hvm } = xen.domain.of(0)!;
    for (const domid of xen.gnttab.maptrack.ids()) {
      const maps = xen.gnttab.maptrack.of(domid)!;
      for (let handle = 0; handle < maps.length; handle++) {
        const { state, dom, ref, mfn, readonly, host_addr, flags: kept } = xen.gnttab.maptrack.row(domid, handle);
        const who = `d${domid} handle ${handle}`;
        if (state === 'free') {
          if (dom + ref + mfn + readonly + kept !== 0 || host_addr !== 0)
            yield `${who} is free, and has flags ${kept} and frame ${mfn}`;
          continue;
        }
        const flags = flagsOf(maps, handle);
        if ((flags & PARTS) === 0) yield `${who} has no part`;
        if (((flags & GNTMAP.readonly) !== 0) !== (readonly === 1)) yield `${who} has flags ${flags}, and is to read ${readonly}`;
        if (hvm.at(domid) === 1 && (flags & ~GNTMAP.readonly) !== GNTMAP.host_map)
          yield `${who} has flags ${flags}, where Xen translates`;
      }
    }
  },

  *'gnttab.mappedFrameBelongsToItsGranter'(xen) {
    for (const domid of xen.gnttab.maptrack.ids())
      for (const [handle, { dom, mfn }] of xen.gnttab.maptrack.inUse(domid))
        if (!xen.exists(dom) || xen.p2m.gfn(dom, mfn) < 0)
          yield `d${domid} handle ${handle} maps frame ${mfn}, which is not d${dom}'s`;
  },

  *'gnttab.usesOfFramesAreCounted'(xen) {
    const uses = new Map<number, number>();
    for (const domid of xen.gnttab.active.ids()) {
      const active = xen.gnttab.active.of(domid)!;
      for (let ref = 0; ref < active.length; ref++)
        if (isPinned(active, ref)) uses.set(active.mfn.at(ref), (uses.get(active.mfn.at(ref)) ?? 0) + 1);
    }
    for (const [mfn, count] of uses)
      if (xen.gnttab.usesOf(mfn) !== count)
        yield `frame ${mfn} counts ${xen.gnttab.usesOf(mfn)} entries in use, there are ${count}`;
    for (const mfn of xen.gnttab.usesByFrame.keys()) if (!uses.has(mfn)) yield `frame ${mfn} is counted, and of no entry in use`;
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
      const active = xen.gnttab.active.of(domid)!;
      for (let ref = entriesOf(xen, domid); ref < active.length; ref++)
        if (active.mfn.at(ref) !== 0 || isPinned(active, ref)) yield `d${domid} ref ${ref} is in use and not in the table`;
    }
  },

  *'gnttab.statusFramesAreOfVersion2'(xen) {
    const { nr_grant_frames, nr_status_frames, max_grant_version } = xen.domain.of(0)!;
    for (const domid of xen.domids()) {
      const v2 = isV2(xen, domid);
      if (v2 && max_grant_version.is(domid) === 'v1') yield `d${domid} has a table of version 2, and may not`;
      const wanted = v2 ? statusFramesFor(nr_grant_frames.at(domid)) : 0;
      const frames = [...xen.gnttab.statusFrames.inUse(domid)].map(([i]) => i);
      if (nr_status_frames.at(domid) !== wanted || frames.length !== wanted || frames.some((i) => i >= wanted))
        yield `d${domid} has the status frames ${frames.join(' ')}, counted ${nr_status_frames.at(domid)}, and needs ${wanted}`;
    }
  },

  *'gnttab.freeHandlesAreListed'(xen) {
    const { maptrack_limit, max_maptrack_frames } = xen.domain.of(0)!;
    for (const domid of xen.domids()) {
      const limit = maptrack_limit.at(domid);
      if (limit > max_maptrack_frames.at(domid) * MAPTRACK_PER_FRAME) yield `d${domid} has ${limit} handles`;
      if (limit > 0 && xen.isAlive(domid)) yield* unlisted(xen, domid, limit);
    }
  },

  /** In logs from before handles were listed. */
  *'gnttab.noHandleIsFreeBelowTheHint'(xen) {
    const { free_handle_hint } = xen.domain.of(0)!;
    for (const domid of xen.gnttab.maptrack.ids())
      for (let handle = 0; handle < free_handle_hint.at(domid); handle++)
        if (xen.gnttab.maptrack.of(domid)!.state.at(handle) === 0)
          yield `d${domid} handle ${handle} is free, and the search starts at ${free_handle_hint.at(domid)}`;
  },
};

const none: Pins = { readers: 0, writers: 0, devr: 0, devw: 0, mfns: new Set(), users: new Set() };

/** What the mappings of all domains say about each entry, by `domid ref`. */
function pinsOf(xen: Xen): Map<string, Pins> {
  const pins = new Map<string, Pins>();
  for (const domid of xen.gnttab.maptrack.ids())
    for (const [handle, { dom, ref, mfn }] of xen.gnttab.maptrack.inUse(domid)) {
      const flags = flagsOf(xen.gnttab.maptrack.of(domid)!, handle);
      const entry = pins.get(`${dom} ${ref}`) ?? { ...none, mfns: new Set(), users: new Set() };
      pins.set(`${dom} ${ref}`, entry);
      const isReadonly = (flags & GNTMAP.readonly) !== 0;
      if ((flags & GNTMAP.host_map) !== 0) entry[isReadonly ? 'readers' : 'writers']++;
      if ((flags & GNTMAP.device_map) !== 0) entry[isReadonly ? 'devr' : 'devw']++;
      entry.mfns.add(mfn);
      entry.users.add(domid);
    }
  return pins;
}

/** The list begins at its head, has every free handle once and ends at its tail. */
function* unlisted(xen: Xen, domid: DomId, limit: number): Generator<string> {
  const { maptrack_head, maptrack_tail } = xen.domain.of(0)!;
  const maps = xen.gnttab.maptrack.of(domid)!;
  const seen = new Set<number>();
  let last = -1;
  for (let handle = maptrack_head.at(domid); handle >= 0; handle = nextFree(maps, handle)) {
    if (handle >= limit || seen.has(handle) || maps.state.is(handle) !== 'free') {
      yield `d${domid} lists handle ${handle} as free after ${last}`;
      return;
    }
    seen.add(handle);
    last = handle;
  }
  if (last !== maptrack_tail.at(domid)) yield `d${domid}'s free handles end at ${last}, the tail is ${maptrack_tail.at(domid)}`;
  for (let handle = 0; handle < limit; handle++)
    if (maps.state.is(handle) === 'free' && !seen.has(handle)) yield `d${domid} handle ${handle} is free and not listed`;
}

/**
 * Where the status of an entry does not say who uses it: it says so for as long as the guest leaves alone what only Xen shall write, and
 * so it is no invariant of Xen's own.
 */
export function* wrongStatuses(xen: Xen, frames: Frames): Generator<string> {
  for (const domid of xen.domids()) {
    const active = xen.gnttab.active.of(domid)!;
    for (let ref = 0; ref < entriesOf(xen, domid); ref++) {
      const { mfn, at } = statusPlace(xen, domid, ref);
      const wanted = (isPinned(active, ref) ? GTF_reading : 0) | (isPinnedToWrite(active, ref) ? GTF_writing : 0);
      const status = frames.get16(mfn, at) & (GTF_reading | GTF_writing);
      // The same bits of an entry that takes a page are its own (GTF_transfer_completed).
      if (!isV2(xen, domid) && (frames.get16(mfn, at) & 3) === 2) continue;
      if (status !== wanted) yield `d${domid} ref ${ref} has status ${status}, and is used as ${wanted}`;
    }
  }
}
