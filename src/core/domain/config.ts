// What a domain can be created as (sanitise_domain_config() in xen/common/domain.c, arch_sanitise_domain_config() in
// xen/arch/x86/domain.c), on a build without shadow paging and TBOOT, and on a machine without processor tracing and vPMU.
import type { Errno } from '../../../events/errno.ts';
import type { DomId } from '../../../events/units.ts';
import type { CommandOf } from '../../../events/vocabulary.ts';
import { XEN_DOMCTL_CDF, XEN_X86_EMU, XEN_X86_EMU_ALL, XEN_X86_MSR_RELAXED } from '../../abi/domctl.ts';
import type { Xen } from '../xen.ts';

const MAX_VIRT_CPUS = 128;
const HVM_MAX_VCPUS = 128;
const IOMMU_no_sharept = 1;
const GRANT_version_mask = 0xf;
const MAX_GRANT_VERSION = 2;
const ALL_FLAGS = Object.values(XEN_DOMCTL_CDF).reduce((all, flag) => all | flag, 0);

/** Why a domain can not be like that; undefined where it can. */
export function configFlaw(xen: Xen, command: CommandOf<'domctl.createdomain'>): Errno | undefined {
  const { hvm, flags, iommu_opts, grant_opts, max_vcpus, vmtrace_size, misc_flags } = command;
  const has = (flag: number): boolean => (flags & flag) !== 0;
  if (!isWord(flags) || (flags & ~ALL_FLAGS) !== 0 || !isWord(grant_opts) || (grant_opts & ~GRANT_version_mask) !== 0)
    return 'EINVAL';
  if (max_vcpus < 1) return 'EINVAL';
  if (has(XEN_DOMCTL_CDF.hap) && !hvm) return 'EINVAL';
  if (has(XEN_DOMCTL_CDF.iommu) ? !isWord(iommu_opts) || (iommu_opts & ~IOMMU_no_sharept) !== 0 || !xen.iommu : iommu_opts !== 0)
    return 'EINVAL';
  // No machine here traces processors or counts their events for guests, and the build has no TBOOT.
  if (vmtrace_size !== 0 || has(XEN_DOMCTL_CDF.vpmu) || has(XEN_DOMCTL_CDF.s3_integrity)) return 'EINVAL';
  if (max_vcpus > (hvm ? HVM_MAX_VCPUS : MAX_VIRT_CPUS)) return 'EINVAL';
  if (has(XEN_DOMCTL_CDF.nested_virt) && !has(XEN_DOMCTL_CDF.hap)) return 'EINVAL';
  if (!isWord(misc_flags) || (misc_flags & ~XEN_X86_MSR_RELAXED) !== 0) return 'EINVAL';
  if (grant_opts < 1 || grant_opts > MAX_GRANT_VERSION) return 'EINVAL';
  return undefined;
}

/** The same for arch_domain_create(), which comes after the grant table is made. Without shadow paging, an HVM domain has HAP or nothing. */
export function archFlaw(domid: DomId, { hvm, flags, emulation_flags }: CommandOf<'domctl.createdomain'>): Errno | undefined {
  if (!emulationIsAllowed(domid, hvm, emulation_flags)) return 'EOPNOTSUPP';
  return hvm && (flags & XEN_DOMCTL_CDF.hap) === 0 ? 'EOPNOTSUPP' : undefined;
}

const isWord = (value: number): boolean => value >= 0 && value < 2 ** 32;

/** emulation_flags_ok(): dom0 as PVH, HVM with everything, PVH, or PV with a timer or without. */
function emulationIsAllowed(domid: DomId, hvm: boolean, flags: number): boolean {
  const { LAPIC, IOAPIC, VPCI, PIT } = XEN_X86_EMU;
  if (!hvm) return flags === 0 || flags === PIT;
  if (domid === 0) return flags === (VPCI | LAPIC | IOAPIC);
  return flags === (XEN_X86_EMU_ALL & ~VPCI) || flags === LAPIC;
}
