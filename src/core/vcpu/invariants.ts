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
};
