// grant_table_op (public/grant_table.h), version 1 entries. The entries themselves are guest memory.
import { bool, int, ints, operation } from './schema.ts';

export const operations = {
  'gnttab.setup_table': operation({ domid: int, dom: int, nr_frames: int }, { frames: ints }),
  'gnttab.query_size': operation({ domid: int, dom: int }, { nr_frames: int, max_nr_frames: int }),
  'gnttab.map_grant_ref': operation({ domid: int, dom: int, ref: int, readonly: bool }, { handle: int, mfn: int }),
  'gnttab.unmap_grant_ref': operation({ domid: int, handle: int }),
  /** One segment; a side is a grant reference of its domain, or a frame of one's own (`*_is_ref` false, then `*_ref` is a gfn). */
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
} as const;

export const facts = {
  'gnttab.table_grown': { domid: int, frames: ints },
  /** `reading` and `writing` say which GTF flags go up with this mapping: those that were not up before. */
  'gnttab.ref_mapped': {
    domid: int,
    handle: int,
    dom: int,
    ref: int,
    mfn: int,
    readonly: bool,
    set_flags: int,
  },
  'gnttab.ref_unmapped': { domid: int, handle: int, dom: int, ref: int, clear_flags: int },
  'gnttab.copied': { source_mfn: int, source_offset: int, dest_mfn: int, dest_offset: int, len: int },
  'gnttab.entry_seeded': { domid: int, ref: int, gfn: int, backend: int },
  /** Two entries that nobody uses have changed places in guest memory. */
  'gnttab.refs_swapped': { domid: int, ref_a: int, ref_b: int },
} as const;
