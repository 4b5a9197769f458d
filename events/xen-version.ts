// xen_version (public/version.h): what Xen tells about itself. All but the version needs no argument that could be wrong.
import { int, operation, text } from './schema.ts';

export const operations = {
  /** Major version in the upper 16 bits. */
  'xen_version.version': operation({ domid: int }, { version: int }),
  'xen_version.extraversion': operation({ domid: int }, { extraversion: text }),
  'xen_version.compile_info': operation(
    { domid: int },
    { compiler: text, compile_by: text, compile_domain: text, compile_date: text },
  ),
  'xen_version.capabilities': operation({ domid: int }, { capabilities: text }),
  'xen_version.changeset': operation({ domid: int }, { changeset: text }),
  /** `virt_start` in hexadecimal: it is a 64-bit address. */
  'xen_version.platform_parameters': operation({ domid: int }, { virt_start: text }),
  /** `submap` has a bit for each XENFEAT_* of the submap. */
  'xen_version.get_features': operation({ domid: int, submap_idx: int }, { submap: int }),
  'xen_version.pagesize': operation({ domid: int }, { pagesize: int }),
  'xen_version.guest_handle': operation({ domid: int }, { handle: text }),
  'xen_version.commandline': operation({ domid: int }, { commandline: text }),
  'xen_version.build_id': operation({ domid: int }, { build_id: text }),
} as const;
