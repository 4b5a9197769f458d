import { PAGE_SIZE } from '../../../events/units.ts';
import { vcpu_info } from '../../abi/shared-info.ts';
import type { Invariant } from '../invariants.ts';

export const invariants: Readonly<Record<string, Invariant>> = {
  *'vcpu.onlyTheInitialisedAreUp'(xen) {
    for (const domid of xen.sched.vcpu.ids())
      for (const [vcpu, { up, initialised }] of xen.sched.vcpu.inUse(domid))
        if (up === 1 && initialised === 0) yield `d${domid}v${vcpu} is up and has no first state`;
  },

  *'vcpu.thereAreAsManyAsAllocated'(xen) {
    const { vcpu: vcpus } = xen.sched;
    const { nr_vcpus, max_vcpus } = xen.domain.of(0)!;
    for (const domid of vcpus.ids()) {
      const count = nr_vcpus.at(domid);
      if (count !== 0 && count !== max_vcpus.at(domid)) yield `d${domid} has ${count} vCPUs of ${max_vcpus.at(domid)}`;
      for (let vcpu = 0; vcpu < Math.max(count, vcpus.of(domid)!.length); vcpu++) {
        const row = vcpus.row(domid, vcpu);
        if ((row.runstate !== 'none') !== vcpu < count) yield `d${domid}v${vcpu} is ${row.runstate}, of ${count} vCPUs`;
        if (vcpu >= count && Object.values(row).some((value) => value !== 0 && value !== 'none'))
          yield `d${domid}v${vcpu} does not exist and has ${JSON.stringify(row)}`;
      }
    }
  },

  *'vcpu.infoStandsInItsOwnPage'(xen) {
    for (const domid of xen.sched.vcpu.ids())
      for (const [vcpu, { info_mfn_plus_1, info_offset }] of xen.sched.vcpu.inUse(domid)) {
        const who = `the vcpu_info of d${domid}v${vcpu}`;
        if (info_mfn_plus_1 === 0 && info_offset !== 0) yield `${who} is in the shared page, at byte ${info_offset}`;
        if (info_mfn_plus_1 === 0) continue;
        if (xen.p2m.gfn(domid, info_mfn_plus_1 - 1) < 0) yield `${who} is in frame ${info_mfn_plus_1 - 1}, which is not its own`;
        if (info_offset + vcpu_info.x86_64.size > PAGE_SIZE) yield `${who} is at byte ${info_offset}`;
      }
  },
};
