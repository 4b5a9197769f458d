import type { Invariant } from '../invariants.ts';
import { NR_MEMTYPES } from '../platform/state.ts';
import { flaw } from '../rangeset.ts';
import { NR_IRQS_GSI } from './state.ts';

export const invariants: Readonly<Record<string, Invariant>> = {
  *'physdev.deviceHasOneOwner'(xen) {
    const seen = new Set<number>();
    for (const [, { sbdf, state, domid }] of xen.physdev.pci.inUse(0)) {
      if (seen.has(sbdf)) yield `device ${sbdf.toString(16)} is there twice`;
      seen.add(sbdf);
      if (state === 'quarantined' ? domid !== 0 : !xen.isAlive(domid))
        yield `device ${sbdf.toString(16)} is ${state}, and d${domid}'s`;
    }
  },

  *'physdev.onlyGsisAreRegistered'(xen) {
    for (const [gsi] of xen.physdev.gsi.inUse(0)) if (gsi >= NR_IRQS_GSI) yield `GSI ${gsi} is registered`;
    for (const [pin] of xen.physdev.ioapic.inUse(0)) if (pin >= NR_IRQS_GSI) yield `pin ${pin} of the IO-APIC has an entry`;
  },

  *'physdev.memtypesAreUsed'(xen) {
    for (let reg = 0; reg < xen.platform.memtypes.of(0)!.length; reg++) {
      const { nr_mfns, uses } = xen.platform.memtypes.row(0, reg);
      if (nr_mfns > 0 !== uses > 0 || (uses > 0 && reg >= NR_MEMTYPES))
        yield `memory type ${reg} has ${nr_mfns} frames and ${uses} uses`;
    }
    const { offlineFrames } = xen.platform;
    if (flaw(offlineFrames) !== undefined) yield `frames offline: ${flaw(offlineFrames)}`;
  },
};
