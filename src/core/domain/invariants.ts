import type { Invariant } from '../invariants.ts';

export const invariants: Readonly<Record<string, Invariant>> = {
  *'domain.deadKeepsOnlyMappedFrames'(xen) {
    for (const domid of xen.domids()) {
      if (!xen.isZombie(domid)) continue;
      const mapped = xen.mappedFrames(domid);
      for (const { mfn, count } of xen.p2m.of(domid))
        for (let i = 0; i < count; i++) if (!mapped.has(mfn + i)) yield `d${domid} is dead and keeps frame ${mfn + i}`;
    }
  },

  *'domain.deadIsKeptByMappingsAlone'(xen) {
    for (const domid of xen.domids()) {
      if (!xen.isZombie(domid)) continue;
      if (xen.holdsOn(domid) === 0) yield `d${domid} is dead, and nobody maps it`;
      for (const [port] of xen.evtchn.ports.inUse(domid)) yield `d${domid} is dead and has port ${port}`;
      for (const [handle] of xen.gnttab.maptrack.inUse(domid)) yield `d${domid} is dead and has handle ${handle}`;
      for (const { gfn } of xen.p2m.slotsOf(domid)) yield `d${domid} is dead and shows a frame at ${gfn}`;
      for (const [row] of xen.timers.rows.inUse(domid)) yield `d${domid} is dead and has timer ${row}`;
    }
  },

  *'domain.thereIsAsRowsAre'(xen) {
    for (const table of xen.tablesPerDomain) {
      for (const domid of table.ids()) if (!xen.exists(domid)) yield `${table.name} has rows of d${domid}, which does not exist`;
      for (const domid of xen.domids()) if (!table.of(domid)) yield `${table.name} has no rows of d${domid}`;
    }
    for (const table of xen.sparseTables)
      for (const domid of table.ids()) if (!xen.exists(domid)) yield `${table.name} has rows of d${domid}, which does not exist`;
    for (const [domid] of [...xen.p2m.snapshot().domains, ...xen.p2m.snapshot().pod])
      if (!xen.exists(domid)) yield `p2m has pages of d${domid}, which does not exist`;
  },

  *'domain.noneHoldsNothing'(xen) {
    for (let domid = 0; domid < xen.domain.of(0)!.length; domid++)
      if (!xen.exists(domid) && xen.domainCells.some((cell) => cell.at(domid) !== 0))
        yield `d${domid} does not exist and has ${JSON.stringify(xen.domain.row(0, domid))}`;
  },

  *'domain.pauseCountIsNotNegative'(xen) {
    const { controller_pause_count } = xen.domain.of(0)!;
    for (const domid of xen.domids())
      if (controller_pause_count.at(domid) < 0) yield `d${domid} is paused ${controller_pause_count.at(domid)} times`;
  },
};
