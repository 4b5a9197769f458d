// Memory: memory_op (public/memory.h) as far as it gives and takes pages. Facts carry extents, never single frames.
import { bool, bytes, int, ints, oneOf, operation, text } from './schema.ts';

/** public/memory.h, struct xen_pod_target. All are pages. */
const podTarget = { tot_pages: int, pod_cache_pages: int, pod_entries: int };
/** The types that Xen gives to what stands in a physmap, as far as there are any here (xen/arch/x86/include/asm/p2m.h). */
export const p2mType = oneOf('invalid', 'ram_rw', 'populate_on_demand', 'map_foreign');

export const operations = {
  /** Gives `dom` the pages `gfn` .. `gfn + nr_pages - 1`. Answers how many it could. */
  'memory.populate_physmap': operation({ domid: int, dom: int, gfn: int, nr_pages: int }, { nr_done: int }),
  'memory.decrease_reservation': operation({ domid: int, dom: int, gfn: int, nr_pages: int }, { nr_done: int }),
  'memory.current_reservation': operation({ domid: int, dom: int }, { nr_pages: int }),
  'memory.maximum_reservation': operation({ domid: int, dom: int }, { nr_pages: int }),
  /**
   * As struct xen_memory_reservation has it: `nr_extents` extents of 2^`extent_order` pages each, all of an extent or nothing of it.
   * Answers how many extents it could, and where they are. `mem_flags` are XENMEMF_*.
   */
  'memory.increase_reservation': operation(
    { domid: int, dom: int, nr_extents: int, extent_order: int, mem_flags: int },
    { nr_done: int, frames: ints },
  ),
  /** populate_physmap by extents: those of `gpfns` begin at one page each. */
  'memory.populate_physmap_extents': operation(
    { domid: int, dom: int, gpfns: ints, extent_order: int, mem_flags: int },
    { nr_done: int, frames: ints },
  ),
  /** decrease_reservation by extents, each of which begins at one of `gmfns`: a frame of a PV domain, a page of any other. */
  'memory.decrease_reservation_extents': operation({ domid: int, dom: int, gmfns: ints, extent_order: int }, { nr_done: int }),
  'memory.maximum_gpfn': operation({ domid: int, dom: int }, { gpfn: int }),
  'memory.maximum_ram_page': operation({ domid: int }, { page: int }),
  /** `pages` is what the domain will have in all; 0 gives the claim up. */
  'memory.claim_pages': operation({ domid: int, dom: int, pages: int, extent_order: int }),
  /** Only domains whose memory Xen translates have a physmap to add to. */
  'memory.add_to_physmap': operation({ domid: int, dom: int, space: int, idx: int, gpfn: int }),
  'memory.set_pod_target': operation({ domid: int, dom: int, target_pages: int }, podTarget),
  'memory.get_pod_target': operation({ domid: int, dom: int }, podTarget),
  /**
   * Extents of 2^`in_order` frames go back, and as many pages come for them in extents of 2^`out_order`, at `gpfns`. `nr_exchanged` counts
   * extents of the first list: those before are done. Answers it as it is then, and the frames that came.
   */
  'memory.exchange': operation(
    {
      domid: int,
      in_dom: int,
      in_order: int,
      gmfns: ints,
      out_dom: int,
      out_order: int,
      gpfns: ints,
      mem_flags: int,
      nr_exchanged: int,
    },
    { nr_exchanged: int, frames: ints },
  ),
  /** The frames of the machine-to-physical table, 2 MiB each. */
  'memory.machphys_mfn_list': operation({ domid: int, max_extents: int }, { frames: ints }),
  'memory.machphys_compat_mfn_list': operation({ domid: int, max_extents: int }, { frames: ints }),
  /** Addresses in hexadecimal. */
  'memory.machphys_mapping': operation({ domid: int }, { v_start: text, v_end: text, max_mfn: int }),
  /** `entries` is an array of struct e820entry: 20 bytes each. */
  'memory.memory_map': operation({ domid: int, nr_entries: int }, { nr_entries: int, entries: bytes }),
  'memory.set_memory_map': operation({ domid: int, dom: int, nr_entries: int, entries: bytes }),
  /** `store` is false where no buffer is given: then only the number is asked for. */
  'memory.machine_memory_map': operation({ domid: int, nr_entries: int, store: bool }, { nr_entries: int, entries: bytes }),
  'memory.remove_from_physmap': operation({ domid: int, dom: int, gpfn: int }),
  /**
   * add_to_physmap in the space gmfn_range: one page a step, from the page `start` of the range on. Answers ERESTART and how many pages are
   * done until all are.
   */
  'memory.add_to_physmap_range': operation({ domid: int, dom: int, idx: int, gpfn: int, size: int, start: int }, { done: int }),
  /** One element of a batch; `err` is what its place in `errs` gets. `u` is `foreign_domid`, or `res0`. */
  'memory.add_to_physmap_batch': operation({ domid: int, dom: int, space: int, u: int, idx: int, gpfn: int }, { err: int }),
  'memory.get_sharing_freed_pages': operation({ domid: int }, { nr_pages: int }),
  'memory.get_sharing_shared_pages': operation({ domid: int }, { nr_pages: int }),
  'memory.paging_op': operation({ domid: int, dom: int, op: int }),
  'memory.access_op': operation({ domid: int, dom: int, op: int }),
  'memory.sharing_op': operation({ domid: int, dom: int, op: int }),
  /** Answers the room that it takes, also where the caller has less; `vmemranges` is [start, end, flags, nid, ...]. */
  'memory.get_vnumainfo': operation(
    { domid: int, dom: int, nr_vnodes: int, nr_vcpus: int, nr_vmemranges: int },
    { nr_vnodes: int, nr_vcpus: int, nr_vmemranges: int, vmemranges: ints, vdistance: ints, vcpu_to_vnode: ints },
  ),
  /** `flags` are XENMEM_RDM_*. Answers how many regions there are. */
  'memory.reserved_device_memory_map': operation({ domid: int, flags: int, nr_entries: int }, { nr_entries: int }),
  /**
   * `size` is true where no list is given: then `nr_frames` is answered. `resource` is XENMEM_resource_*. A caller whose memory Xen translates
   * gets the frames at its own pages `gfns`.
   */
  'memory.acquire_resource': operation(
    { domid: int, dom: int, resource: int, id: int, frame: int, nr_frames: int, size: bool, gfns: ints },
    { nr_frames: int, frames: ints },
  ),
  /** A guest whose memory Xen translates touches a page that is to be populated on demand (p2m_pod_demand_populate()). */
  'memory.pod_demand_populate': operation({ domid: int, gfn: int }, { mfn: int }),
  /** What a domain's physmap has at a page. `mfn` is -1 where there is no frame. */
  'memory.get_gfn': operation({ domid: int, dom: int, gfn: int }, { mfn: int, p2mt: p2mType }),
  /** What the machine-to-physical table says of a frame; -1 where it is nobody's page. Every PV guest can read the table. */
  'memory.machphys': operation({ domid: int, mfn: int }, { gpfn: int }),
} as const;

export const facts = {
  /** `extents` is [mfn, count, mfn, count, ...]; together they back the pages from `gfn` on. */
  'p2m.populated': { domid: int, gfn: int, extents: ints },
  'p2m.removed': { domid: int, gfn: int, nr_pages: int },
  /** Given back while others have it mapped: the frame goes to the heap with the last mapping. */
  'p2m.released': { domid: int, mfn: int },
  /** How many pages are set aside for the domain from now on, beyond those that it has. */
  'p2m.claimed': { domid: int, outstanding_pages: int },
  /** Pages that the domain has now stand elsewhere in its physmap; what goes to the cache for populate on demand is wiped. */
  'p2m.moved': { domid: int, gfn: int, nr_pages: int, to: int },
  /** A page shows a frame that is not of the domain's memory: its shared info page, its grant table's, or one of `dom`'s. */
  'p2m.slot_mapped': { domid: int, gfn: int, mfn: int, dom: int },
  'p2m.slot_unmapped': { domid: int, gfn: int },
  /** Pages are to be populated on demand, or (cleared) are so no more. */
  'p2m.pod_marked': { domid: int, gfn: int, nr_pages: int },
  'p2m.pod_cleared': { domid: int, gfn: int, nr_pages: int },
  /** Where the next search for empty pages begins, and the highest page that was populated on demand. */
  'p2m.pod_swept': { domid: int, reclaim_single: int, max_guest: int },
  'p2m.memory_map_set': { domid: int, entries: bytes },
  /** What the machine-to-physical table has for a frame from now on, by its owner's word. */
  'p2m.machphys_set': { domid: int, mfn: int, gpfn: int },
} as const;
