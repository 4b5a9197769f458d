import type { DomId, Mfn } from '../../../events/units.ts';
import type { HvmFact } from '../../../events/vocabulary.ts';
import { add, nothing, remove } from '../rangeset.ts';
import type { Xen } from '../xen.ts';
import { type IoreqServer, LINKS, PCI_LINES, type Servers, type Types } from './state.ts';

/** Applies a fact to what HVM domains and their device models have. Total. */
export function evolve(xen: Xen, event: HvmFact): void {
  const { domid } = event;
  switch (event.type) {
    case 'hvm.param_set':
      xen.hvm.setParam(domid, event.index, event.value);
      return;
    case 'hvm.s3_set':
      xen.control.row.s3_suspended.put(domid, event.suspended ? 1 : 0);
      return;
    case 'hvm.upcall_vector_set':
      vcpus(xen, domid).upcall_vector.put(event.vcpu, event.vector);
      return;
    case 'dm.ioreq_server_created': {
      const { id, emulator, handle_bufioreq, ports, bufioreq_port } = event;
      const made: IoreqServer = {
        ...{ id, emulator, handle_bufioreq, enabled: false, ports: [...ports], bufioreq_port },
        ...{ ioreq_gfn: -1, bufioreq_gfn: -1, ioreq_mfn: -1, bufioreq_mfn: -1, port: nothing, memory: nothing, pci: nothing },
      };
      const list = [...xen.hvm.serversOf(domid), made].sort((a, b) => a.id - b.id);
      put(xen, domid, { list });
      return;
    }
    case 'dm.ioreq_pages_mapped':
      change(xen, domid, event.id, { ioreq_gfn: event.ioreq_gfn, bufioreq_gfn: event.bufioreq_gfn });
      return;
    case 'dm.io_ranges_set':
      change(xen, domid, event.id, { [event.io_range]: [...event.ranges] });
      return;
    case 'dm.ioreq_server_state_set':
      change(xen, domid, event.id, { enabled: event.enabled });
      return;
    case 'dm.ioreq_server_destroyed': {
      const { ioreq_mfn = -1, bufioreq_mfn = -1 } = xen.hvm.server(domid, event.id) ?? {};
      const list = xen.hvm.serversOf(domid).filter(({ id }) => id !== event.id);
      put(xen, domid, { list, left: [...leftOf(xen, domid), ...[ioreq_mfn, bufioreq_mfn].filter((mfn) => mfn >= 0)] });
      return;
    }
    case 'dm.ioreq_pages_allocated': {
      const { id, ioreq_mfn, bufioreq_mfn } = event;
      for (const mfn of [ioreq_mfn, bufioreq_mfn]) if (mfn >= 0) xen.p2m.take(mfn, 1);
      change(xen, domid, id, { ioreq_mfn, bufioreq_mfn });
      return;
    }
    case 'dm.ioreq_pages_freed': {
      const { frames } = event;
      for (const mfn of frames) xen.p2m.giveBack(mfn, 1);
      put(xen, domid, { left: leftOf(xen, domid).filter((mfn) => !frames.includes(mfn)) });
      return;
    }
    case 'dm.mem_type_mapped':
      // Nobody sees these pages any more: they are memory again.
      changeTypes(xen, domid, { mapped_to: event.id, ...(event.id < 0 ? { ioreq_server: nothing } : {}) });
      return;
    case 'dm.mem_type_set': {
      const { mem_type, first_pfn, nr } = event;
      const last = first_pfn + nr - 1;
      const types = xen.hvm.typesOf(domid);
      const without = (name: 'ram_ro' | 'mmio_dm' | 'ioreq_server') => {
        const left = remove(types[name], first_pfn, last);
        return mem_type === name ? add(left, first_pfn, last) : left;
      };
      changeTypes(xen, domid, {
        ram_ro: without('ram_ro'),
        mmio_dm: without('mmio_dm'),
        ioreq_server: without('ioreq_server'),
      });
      return;
    }
    case 'dm.interrupt_line_set':
      lines(xen, domid).level.put(event.line === 'pci' ? PCI_LINES + event.number : event.number, event.asserted ? 1 : 0);
      return;
    case 'dm.link_routed':
      lines(xen, domid).level.put(LINKS + event.link, event.isa_irq);
      return;
    case 'dm.event_injected':
      vcpus(xen, domid).injected_plus_1.put(event.vcpu, event.vector + 1);
      return;
    case 'dm.msi_injected':
      return; // its vCPU takes it when it next runs
    case 'dm.cacheattr_pinned': {
      const { start, end, attribute } = event;
      const pinned: number[] = [];
      const before = xen.hvm.typesOf(domid).pinned;
      for (let i = 0; i < before.length; i += 3)
        if (before[i] !== start || before[i + 1] !== end) pinned.push(...before.slice(i, i + 3));
      if (attribute !== 2 ** 32 - 1) pinned.push(start, end, attribute);
      changeTypes(xen, domid, { pinned });
      return;
    }
    default:
      event satisfies never;
  }
}

const vcpus = (xen: Xen, domid: DomId) => xen.control.vcpus.of(domid) ?? xen.control.vcpus.add(domid);
const lines = (xen: Xen, domid: DomId) => xen.hvm.lines.of(domid) ?? xen.hvm.lines.add(domid);

function change(xen: Xen, domid: DomId, id: number, part: Partial<IoreqServer>): void {
  const list = xen.hvm.serversOf(domid).map((server) => (server.id === id ? { ...server, ...part } : server));
  put(xen, domid, { list });
}
const leftOf = (xen: Xen, domid: DomId): readonly Mfn[] => xen.hvm.servers.get(domid)?.left ?? [];
function put(xen: Xen, domid: DomId, part: Partial<Servers>): void {
  const servers = { list: xen.hvm.serversOf(domid), left: leftOf(xen, domid), ...part };
  if (servers.list.length + servers.left.length === 0) xen.hvm.servers.delete(domid);
  else xen.hvm.servers.set(domid, servers);
}
function changeTypes(xen: Xen, domid: DomId, part: Partial<Types>): void {
  xen.hvm.types.set(domid, { ...xen.hvm.typesOf(domid), ...part });
}
