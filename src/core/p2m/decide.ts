// memory_op (xen/common/memory.c): who may ask for what. What each of them does is beside this.
import { accept, refuse } from '../../../events/step.ts';
import type { DomId, Gfn, Pages } from '../../../events/units.ts';
import type { GuestReader, MemoryCommand, Outcome } from '../../../events/vocabulary.ts';
import { XENMEM_RDM_ALL } from '../../abi/memory.ts';
import type { Xen } from '../xen.ts';
import { resolve } from '../xsm.ts';
import { exchange } from './exchange.ts';
import { claim, decrease, increase, nothingDone, populate } from './extents.ts';
import { allocate, available, pagesIn } from './heap.ts';
import {
  accessOp,
  getGfn,
  machineMemoryMap,
  machphys,
  machphysMapping,
  machphysMfnList,
  memoryMap,
  setMemoryMap,
  vnumainfo,
} from './memory-map.ts';
import { addBatch, addRange, addToPhysmap, frameAt, removeFromPhysmap } from './physmap.ts';
import { getPodTarget, setPodTarget } from './pod.ts';
import { overlaps, slice } from './ranges.ts';
import { acquireResource } from './resource.ts';
import { UNPLACED } from './state.ts';

export function decide(xen: Xen, command: MemoryCommand, guest: GuestReader): Outcome {
  switch (command.type) {
    case 'memory.maximum_ram_page':
      return accept({ page: xen.p2m.totalPages });
    case 'memory.claim_pages':
      return claim(xen, command);
    case 'memory.exchange':
      return exchange(xen, command);
    case 'memory.machphys_mfn_list':
      return machphysMfnList(xen, command);
    case 'memory.machphys_compat_mfn_list':
      return refuse('EOPNOTSUPP'); // there are no 32-bit PV guests
    case 'memory.machphys_mapping':
      return machphysMapping(xen, command);
    case 'memory.machphys':
      return accept({ gpfn: machphys(xen, command.mfn) });
    case 'memory.memory_map':
      return memoryMap(xen, command);
    case 'memory.set_memory_map':
      return setMemoryMap(xen, command);
    case 'memory.machine_memory_map':
      return machineMemoryMap(xen, command);
    case 'memory.add_to_physmap':
      return addToPhysmap(xen, command, guest);
    case 'memory.add_to_physmap_range':
      return addRange(xen, command, guest);
    case 'memory.add_to_physmap_batch':
      return addBatch(xen, command, guest);
    case 'memory.remove_from_physmap':
      return removeFromPhysmap(xen, command, guest);
    case 'memory.set_pod_target':
      return setPodTarget(xen, command);
    case 'memory.get_pod_target':
      return getPodTarget(xen, command);
    case 'memory.pod_demand_populate': {
      const { domid, gfn } = command;
      const isOnDemand = xen.p2m.isOnDemand(domid, gfn);
      const { mfn, facts } = frameAt(xen, domid, gfn, guest);
      return mfn < 0 ? refuse(isOnDemand ? 'ENOMEM' : 'ENOENT') : accept({ mfn }, ...facts);
    }
    case 'memory.get_sharing_freed_pages':
    case 'memory.get_sharing_shared_pages':
      return accept({ nr_pages: 0 });
    case 'memory.paging_op':
    case 'memory.sharing_op':
      return refuse('ENOSYS'); // Xen is not built with them
    case 'memory.access_op':
      return accessOp(xen, command);
    case 'memory.acquire_resource':
      return acquireResource(xen, command);
    case 'memory.reserved_device_memory_map':
      // No device of this machine has memory of its own set aside.
      return (command.flags & ~XENMEM_RDM_ALL) !== 0 ? refuse('EINVAL') : accept({ nr_entries: 0 });
  }
  const target = resolve(xen, command.domid, command.dom);
  if (!target.ok) {
    switch (command.type) {
      // These answer how far they came, whatever stopped them (do_memory_op()).
      case 'memory.populate_physmap':
      case 'memory.decrease_reservation':
      case 'memory.decrease_reservation_extents':
        return accept({ nr_done: 0 });
      case 'memory.increase_reservation':
      case 'memory.populate_physmap_extents':
        return accept(nothingDone);
      default:
        return refuse(target.errno);
    }
  }
  const { dom } = target;
  const row = xen.domain.of(0)!;

  switch (command.type) {
    case 'memory.populate_physmap': {
      const { gfn, nr_pages } = command;
      // Stops where it can not go on: nobody who dies gets anything.
      if (nr_pages <= 0 || gfn < 0 || gfn + nr_pages > UNPLACED || !xen.isAlive(dom)) return accept({ nr_done: 0 });
      if (isTaken(xen, dom, gfn, nr_pages)) return accept({ nr_done: 0 });
      const room = row.max_pages.at(dom) - row.tot_pages.at(dom);
      const extents = allocate(xen, Math.min(nr_pages, room, available(xen, dom)));
      if (extents.length === 0) return accept({ nr_done: 0 });
      const done = pagesIn(extents);
      return accept({ nr_done: done }, { type: 'p2m.populated', domid: dom, gfn, extents });
    }
    case 'memory.decrease_reservation': {
      const { gfn, nr_pages } = command;
      const nr_done = removable(xen, dom, gfn, nr_pages);
      return nr_done === 0
        ? accept({ nr_done })
        : accept({ nr_done }, { type: 'p2m.removed', domid: dom, gfn, nr_pages: nr_done });
    }
    case 'memory.current_reservation':
      return accept({ nr_pages: row.tot_pages.at(dom) });
    case 'memory.maximum_reservation':
      return accept({ nr_pages: row.max_pages.at(dom) });
    case 'memory.increase_reservation':
      return increase(xen, command, dom);
    case 'memory.populate_physmap_extents':
      return populate(xen, command, dom);
    case 'memory.decrease_reservation_extents':
      return decrease(xen, command, dom);
    case 'memory.maximum_gpfn':
      return accept({ gpfn: maximumGpfn(xen, dom) });
    case 'memory.get_gfn':
      return getGfn(xen, dom, command.gfn);
    case 'memory.get_vnumainfo':
      return vnumainfo(xen, dom, command);
    default:
      return command satisfies never;
  }
}

/** A PV domain says in its shared info page how far its pages go; none of ours does (domain_get_maximum_gpfn()). */
function maximumGpfn(xen: Xen, dom: DomId): Gfn {
  if (xen.domain.of(0)!.hvm.at(dom) === 0) return 0;
  const last = slice(xen.p2m.of(dom), 0, UNPLACED).at(-1);
  const pod = xen.p2m.pod(dom).at(-1);
  const ends = [last, pod].map((range) => (range === undefined ? 0 : range.gfn + range.count - 1));
  return Math.max(...ends, ...xen.p2m.slotsOf(dom).map(({ gfn }) => gfn));
}

function isTaken(xen: Xen, dom: DomId, gfn: Gfn, nr_pages: Pages): boolean {
  const { p2m } = xen;
  if (overlaps(p2m.of(dom), gfn, nr_pages) || overlaps(p2m.pod(dom), gfn, nr_pages)) return true;
  return p2m.slotsOf(dom).some((slot) => slot.gfn >= gfn && slot.gfn < gfn + nr_pages);
}

const FEW_PAGES = 64;

/** How many pages from `gfn` on can be given back: up to a hole, or to a frame that another domain has mapped. */
function removable(xen: Xen, dom: DomId, gfn: Gfn, nr_pages: Pages): Pages {
  // One page, or a few, are looked at one by one; of many, all that are mapped.
  const mapped = nr_pages > FEW_PAGES ? [...xen.mappedFrames(dom)] : undefined;
  let next = gfn;
  for (const range of slice(xen.p2m.of(dom), gfn, nr_pages)) {
    if (range.gfn !== next) break;
    const end = range.mfn + range.count;
    let stop = range.mfn;
    if (mapped !== undefined) stop = mapped.reduce((least, mfn) => (mfn >= range.mfn && mfn < least ? mfn : least), end);
    else while (stop < end && !xen.isKept(dom, stop)) stop++;
    next += stop - range.mfn;
    if (stop !== end) break;
  }
  return next - gfn;
}
