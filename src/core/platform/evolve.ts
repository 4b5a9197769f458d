import type { PlatformFact } from '../../../events/vocabulary.ts';
import { add, remove } from '../rangeset.ts';
import type { Xen } from '../xen.ts';

/** Applies a fact to what is known of the machine. Total. */
export function evolve(xen: Xen, event: PlatformFact): void {
  const { platform } = xen;
  switch (event.type) {
    case 'platform.pminfo_set': {
      const { px, cx } = platform.pminfo.get(event.cpu) ?? { px: [], cx: [] };
      const states = [...event.states];
      platform.pminfo.set(event.cpu, event.pm_type === 0 ? { px, cx: states } : { px: states, cx });
      return;
    }
    case 'platform.pm_set': {
      const pm = platform.pm.of(0)!;
      if (event.cmd === 0x21) pm.sched_smt.put(0, event.value);
      else (event.cpuid === 0 ? pm.max_cstate : pm.max_csubstate).put(0, event.value);
      return;
    }
    case 'platform.memtype_set': {
      const { mfn, nr_mfns, memtype, uses } = platform.memtypes.of(0)!;
      uses.add(event.reg, event.nr_mfns === 0 ? -1 : 1);
      if (event.nr_mfns === 0 && uses.at(event.reg) > 0) return;
      mfn.put(event.reg, event.mfn);
      nr_mfns.put(event.reg, event.nr_mfns);
      memtype.put(event.reg, event.memtype);
      return;
    }
    case 'platform.pages_offlined': {
      const { mfn, count, offline } = event;
      if (offline === 1) xen.p2m.take(mfn, count);
      else xen.p2m.giveBack(mfn, count);
      platform.setOffline((offline === 1 ? add : remove)(platform.offlineFrames, mfn, mfn + count - 1));
      return;
    }
    case 'platform.apic_noted':
      platform.noteApic(event.apic_id);
      return;
    case 'platform.sleep_entered':
      return; // whoever runs the machine ends it
    default:
      event satisfies never;
  }
}
