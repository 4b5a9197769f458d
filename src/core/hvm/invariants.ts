import type { Invariant } from '../invariants.ts';
import { flaw } from '../rangeset.ts';
import { HVM_NR_PARAMS, MAX_NR_IOREQ_SERVERS } from './state.ts';

export const invariants: Readonly<Record<string, Invariant>> = {
  *'hvm.onlyHvmDomainsHaveIt'(xen) {
    const { hvm } = xen.domain.of(0)!;
    for (const table of [xen.hvm.params, xen.hvm.lines])
      for (const domid of table.ids()) if (hvm.at(domid) === 0) yield `d${domid} is no HVM domain and has rows of ${table.name}`;
    for (const records of xen.hvm.records)
      for (const domid of records.keys()) if (hvm.at(domid) === 0) yield `d${domid} is no HVM domain and has ${records.name}`;
  },

  *'hvm.paramsAreKnown'({ hvm: { params } }) {
    for (const domid of params.ids())
      for (let index = HVM_NR_PARAMS; index < params.of(domid)!.length; index++)
        if (params.of(domid)!.low.at(index) !== 0) yield `d${domid} has parameter ${index}`;
  },

  *'hvm.ioreqServersAreApart'(xen) {
    for (const [domid, { list }] of xen.hvm.servers.entries()) {
      const gfns = list.flatMap(({ ioreq_gfn, bufioreq_gfn }) => [ioreq_gfn, bufioreq_gfn].filter((gfn) => gfn >= 0));
      if (new Set(gfns).size !== gfns.length) yield `two ioreq servers of d${domid} share a page: ${gfns}`;
      for (const [i, { id, port, memory, pci }] of list.entries()) {
        if (id < 0 || id >= MAX_NR_IOREQ_SERVERS || (i > 0 && id <= list[i - 1]!.id))
          yield `d${domid} has ioreq server ${id} at place ${i}`;
        for (const set of [port, memory, pci]) if (flaw(set) !== undefined) yield `ioreq server ${id} of d${domid}: ${flaw(set)}`;
      }
    }
  },

  *'hvm.typesAreOfAServer'(xen) {
    for (const [domid, { mapped_to, ioreq_server, ram_ro, mmio_dm }] of xen.hvm.types.entries()) {
      if (mapped_to >= 0 && xen.hvm.server(domid, mapped_to) === undefined)
        yield `d${domid} has pages for ioreq server ${mapped_to}`;
      if (mapped_to < 0 && ioreq_server.length > 0) yield `d${domid} has pages for no ioreq server`;
      for (const set of [ioreq_server, ram_ro, mmio_dm]) if (flaw(set) !== undefined) yield `types of d${domid}: ${flaw(set)}`;
    }
  },
};
