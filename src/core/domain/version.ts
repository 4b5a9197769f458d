// xen_version (xen/common/kernel.c): what Xen tells about itself, and to whom it does not.
import { accept, refuse } from '../../../events/step.ts';
import { type DomId, PAGE_SIZE } from '../../../events/units.ts';
import type { Outcome, VersionCommand } from '../../../events/vocabulary.ts';
import type { Xen } from '../xen.ts';
import { isPrivileged } from '../xsm.ts';
import { formatHandle } from './state.ts';

export function decideVersion(xen: Xen, command: VersionCommand): Outcome {
  const { domid } = command;
  switch (command.type) {
    case 'xen_version.version':
      return accept({ version: (MAJOR << 16) | MINOR });
    case 'xen_version.extraversion':
      return accept({ extraversion: EXTRAVERSION });
    case 'xen_version.compile_info':
      return accept(COMPILE_INFO);
    case 'xen_version.capabilities':
      return accept({ capabilities: CAPABILITIES });
    case 'xen_version.changeset':
      return accept({ changeset: '' });
    case 'xen_version.platform_parameters':
      return accept({ virt_start: HYPERVISOR_VIRT_START });
    case 'xen_version.get_features':
      return features(xen, domid, command.submap_idx);
    case 'xen_version.pagesize':
      return accept({ pagesize: PAGE_SIZE });
    case 'xen_version.guest_handle': {
      const words = xen.domains.handles.of(0)!;
      return accept({ handle: formatHandle([words.a.at(domid), words.b.at(domid), words.c.at(domid), words.d.at(domid)]) });
    }
    case 'xen_version.commandline':
      return accept({ commandline: isPrivileged(domid) ? xen.commandline : DENIED });
    case 'xen_version.build_id':
      return isPrivileged(domid) ? accept({ build_id: BUILD_ID }) : refuse('EPERM');
    default:
      return command satisfies never;
  }
}

const MAJOR = 4;
const MINOR = 17;
const EXTRAVERSION = '.7';
/** The recorded build's, as `xl info` shows them. */
const COMPILE_INFO = {
  compiler: 'x86_64-linux-gnu-gcc (Debian 12.2.0-14+deb12u1) 12.2.0',
  compile_by: 'pkg-xen-devel',
  compile_domain: 'lists.alioth.debian.org',
  compile_date: 'Wed Nov  4 16:52:28 UTC 2026',
};
const BUILD_ID = '151b373fd64b321593bf987fd923cd10dabadac4';
const DENIED = '<denied>';
const HYPERVISOR_VIRT_START = '0xffff800000000000';
/** A build for PV guests of 64 bits alone, on a processor with hardware virtualisation (arch_get_xen_caps()). */
const CAPABILITIES = 'xen-3.0-x86_64 hvm-3.0-x86_32 hvm-3.0-x86_32p hvm-3.0-x86_64 ';

/** public/features.h, XENFEAT_*: bit numbers. */
const XENFEAT = {
  writable_page_tables: 0,
  auto_translated_physmap: 2,
  pae_pgdir_above_4gb: 4,
  mmu_pt_update_preserve_ad: 5,
  highmem_assist: 6,
  gnttab_map_avail_bits: 7,
  hvm_callback_vector: 8,
  hvm_safe_pvclock: 9,
  dom0: 11,
  memory_op_vnode_supported: 13,
  not_direct_mapped: 16,
  direct_mapped: 17,
} as const;

function features(xen: Xen, domid: DomId, submap_idx: number): Outcome {
  if (submap_idx !== 0) return refuse('EINVAL', { submap: 0 });
  const has: number[] = [XENFEAT.memory_op_vnode_supported];
  if (domid === 0) has.push(XENFEAT.dom0);
  if (xen.domain.of(0)!.hvm.at(domid) === 1)
    has.push(
      XENFEAT.writable_page_tables,
      XENFEAT.auto_translated_physmap,
      XENFEAT.hvm_callback_vector,
      XENFEAT.hvm_safe_pvclock,
      XENFEAT.not_direct_mapped,
    );
  else
    has.push(
      XENFEAT.pae_pgdir_above_4gb, // every kernel of today asks for it
      XENFEAT.mmu_pt_update_preserve_ad,
      XENFEAT.highmem_assist,
      XENFEAT.gnttab_map_avail_bits,
      XENFEAT.direct_mapped,
    );
  return accept({ submap: has.reduce((submap, bit) => submap | (1 << bit), 0) });
}
