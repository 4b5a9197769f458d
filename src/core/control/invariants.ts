import { SETTINGS } from '../../../events/control.ts';
import { XEN_DOMCTL_CDF } from '../../abi/domctl.ts';
import { isGlobalVirq } from '../evtchn/state.ts';
import type { Invariant } from '../invariants.ts';
import { flaw } from '../rangeset.ts';

export const invariants: Readonly<Record<string, Invariant>> = {
  *'control.rangesAreSortedAndApart'(xen) {
    for (const domid of xen.domids()) {
      for (const [name, set] of Object.entries(xen.control.access(domid)))
        if (flaw(set) !== undefined) yield `${name} of d${domid}: ${flaw(set)}`;
      if (flaw(xen.control.pool(domid)) !== undefined) yield `the pool of d${domid}: ${flaw(xen.control.pool(domid))}`;
    }
  },

  *'control.onlyHapDomainsHaveAPool'(xen) {
    for (const domid of xen.domids())
      if (xen.control.poolPages(domid) > 0 && (xen.control.row.cdf.at(domid) & XEN_DOMCTL_CDF.hap) === 0)
        yield `d${domid} has ${xen.control.poolPages(domid)} pages for page tables, and no HAP`;
  },

  *'control.targetIsAnHvmDomain'(xen) {
    for (const domid of xen.domids()) {
      const target = xen.control.row.target_plus_1.at(domid) - 1;
      if (target >= 0 && (!xen.exists(target) || target === domid || xen.domain.of(0)!.hvm.at(target) === 0))
        yield `d${domid} is the device model of d${target}`;
    }
  },

  *'control.virqHandlersExist'(xen) {
    for (const [virq, { domid }] of xen.evtchn.handlers.inUse(0))
      if (!isGlobalVirq(virq) || !xen.isAlive(domid)) yield `virq ${virq} goes to d${domid}, which can not take it`;
  },

  *'control.settingsAreKnown'(xen) {
    for (const [domid, settings] of xen.control.settings.entries())
      for (const name of Object.keys(settings))
        if (!SETTINGS.some((setting) => setting === name)) yield `d${domid} has ${name}, which nobody sets`;
  },

  *'control.vcpuRowsAreOfVcpus'(xen) {
    for (const domid of xen.control.vcpus.ids())
      for (let vcpu = 0; vcpu < xen.control.vcpus.of(domid)!.length; vcpu++) {
        const row = xen.control.vcpus.row(domid, vcpu);
        if (!xen.hasVcpu(domid, vcpu) && Object.values(row).some((value) => value !== 0))
          yield `d${domid}v${vcpu} is not there and has ${JSON.stringify(row)}`;
      }
  },

  *'control.recordsAreOfDomains'(xen) {
    for (const records of xen.recordsPerDomain)
      for (const domid of records.keys()) if (!xen.exists(domid)) yield `${records.name} has d${domid}, which does not exist`;
  },
};
