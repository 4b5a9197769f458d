// grant_table_op (public/grant_table.h). The entries themselves are guest memory.
import { bool, int, ints, operation } from './schema.ts';

export const operations = {
  'gnttab.setup_table': operation({ domid: int, dom: int, nr_frames: int }, { frames: ints }),
  'gnttab.query_size': operation({ domid: int, dom: int }, { nr_frames: int, max_nr_frames: int }),
  /** A kernel's mapping for itself (GNTMAP_host_map), at an address that is its own affair. */
  'gnttab.map_grant_ref': operation({ domid: int, dom: int, ref: int, readonly: bool }, { handle: int, mfn: int }),
  /** Takes away all that stands behind a handle, wherever it is mapped. */
  'gnttab.unmap_grant_ref': operation({ domid: int, handle: int }),
  /**
   * One segment; a side is a grant reference of its domain, or a page of one's own (`*_is_ref` false, then `*_ref` is a gmfn: a frame
   * of a PV domain, a gfn of any other).
   */
  'gnttab.copy': operation({
    domid: int,
    source_dom: int,
    source_ref: int,
    source_is_ref: bool,
    source_offset: int,
    dest_dom: int,
    dest_ref: int,
    dest_is_ref: bool,
    dest_offset: int,
    len: int,
  }),
  /** The domain builder's grants of the console and xenstore pages (entries 0 and 1) to dom0. */
  'gnttab.seed': operation({ domid: int, dom: int, ref: int, gfn: int, backend: int }),
  /**
   * unmap_grant_ref of a mapping made for devices alone (GNTMAP_device_map), which names it by its frame as well: `frame` is that of
   * dev_bus_addr, 0 where no address is given.
   */
  'gnttab.unmap_device_map': operation({ domid: int, handle: int, frame: int }),
  /** Answers the version that is then in use, whatever came of it. */
  'gnttab.set_version': operation({ domid: int, version: int }, { version: int }),
  'gnttab.get_version': operation({ domid: int, dom: int }, { version: int }),
  'gnttab.get_status_frames': operation({ domid: int, dom: int, nr_frames: int }, { frames: ints }),
  'gnttab.swap_grant_ref': operation({ domid: int, ref_a: int, ref_b: int }),
  /**
   * As struct gnttab_map_grant_ref has it. `flags` are GNTMAP_*; `host_addr` is an address in bytes, signed, so that the upper half of
   * the address space is below zero. `vcpu` is the one that asks, on whose page tables the address is looked up.
   */
  'gnttab.map_grant_ref_at': operation(
    { domid: int, dom: int, ref: int, flags: int, host_addr: int, vcpu: int },
    { handle: int, mfn: int },
  ),
  /** As struct gnttab_unmap_grant_ref has it: takes away the part, or the parts, whose address is not 0. Addresses in bytes. */
  'gnttab.unmap_grant_ref_at': operation({ domid: int, handle: int, host_addr: int, dev_bus_addr: int, vcpu: int }),
  /** `new_addr` is where the page table entry that replaces the mapping stands; 0 leaves nothing in its place. */
  'gnttab.unmap_and_replace': operation({ domid: int, handle: int, host_addr: int, new_addr: int, vcpu: int }),
  /** `mfn` goes from the caller to `dom`, which says in its entry `ref` that it takes one. */
  'gnttab.transfer': operation({ domid: int, mfn: int, dom: int, ref: int }),
  'gnttab.dump_table': operation({ domid: int, dom: int }),
  /** `op` is GNTTAB_CACHE_*, `dev_bus_addr` the address of a frame in bytes. */
  'gnttab.cache_flush': operation({ domid: int, dev_bus_addr: int, offset: int, length: int, op: int }),
} as const;

/** Beside the flags of a mapping: its entry stands in its domain's page tables. */
export const IN_TABLES = 0x8000;

export const facts = {
  'gnttab.table_grown': { domid: int, frames: ints },
  /** As `gnttab.mapped`, in logs from before flags and handles were kept as Xen keeps them. */
  'gnttab.ref_mapped': {
    domid: int,
    handle: int,
    dom: int,
    ref: int,
    mfn: int,
    readonly: bool,
    set_flags: int,
  },
  /** As `gnttab.unmapped`, in the same logs. */
  'gnttab.ref_unmapped': { domid: int, handle: int, dom: int, ref: int, clear_flags: int },
  'gnttab.copied': { source_mfn: int, source_offset: int, dest_mfn: int, dest_offset: int, len: int },
  'gnttab.entry_seeded': { domid: int, ref: int, gfn: int, backend: int },
  /** Two entries that nobody uses have changed places in guest memory. */
  'gnttab.refs_swapped': { domid: int, ref_a: int, ref_b: int },
  /** `flags` are GNTMAP_*, and IN_TABLES; `set_flags` are the GTF flags that go up with this mapping, in the entry or in its status word. */
  'gnttab.mapped': {
    domid: int,
    handle: int,
    dom: int,
    ref: int,
    mfn: int,
    flags: int,
    host_addr: int,
    set_flags: int,
  },
  /** `parts` are those of GNTMAP_host_map and GNTMAP_device_map that are gone; with the last of them the handle is free. */
  'gnttab.unmapped': { domid: int, handle: int, dom: int, ref: int, parts: int, clear_flags: int },
  /** A mapping that came to nothing had taken this handle, and has put it back behind the free ones. */
  'gnttab.handle_put_back': { domid: int, handle: int },
  /** GTF flags that Xen takes down although they were up before it came: a guest had raised them itself. */
  'gnttab.flags_cleared': { dom: int, ref: int, flags: int },
  /** The highest version that a domain may choose; 1 where nothing is said. */
  'gnttab.max_version_set': { domid: int, max_version: int },
  'gnttab.status_frames_added': { domid: int, frames: ints },
  /** Entries are cleared but for the reserved ones, which are written in the new form; status frames go with version 2. */
  'gnttab.version_set': { domid: int, version: int },
  /** Frame `mfn`, page `gfn` of `domid`, is page `to_gfn` of `dom` now, whose entry `ref` says so. */
  'gnttab.page_transferred': { domid: int, gfn: int, mfn: int, dom: int, ref: int, to_gfn: int },
  /** GTF flags that a use which is over leaves up, because others use the entry: a guest had written over them. */
  'gnttab.flags_raised': { dom: int, ref: int, flags: int },
} as const;
