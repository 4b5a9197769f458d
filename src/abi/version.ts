// What `xen_version` answers (public/version.h, public/features.h); the texts end with a NUL.
import { uint32_t, xen_ulong_t } from './scalars.ts';
import { bytes, struct } from './struct.ts';

export const XEN_EXTRAVERSION_LEN = 16;
export const XEN_CAPABILITIES_INFO_LEN = 1024;
export const XEN_CHANGESET_INFO_LEN = 64;
export const XEN_COMMANDLINE_LEN = 1024;

export const xen_compile_info = struct('xen_compile_info', {
  compiler: bytes(64),
  compile_by: bytes(16),
  compile_domain: bytes(32),
  compile_date: bytes(32),
});
export const xen_platform_parameters = struct('xen_platform_parameters', { virt_start: xen_ulong_t });
export const xen_feature_info = struct('xen_feature_info', { submap_idx: uint32_t, submap: uint32_t });
/** `len` bytes follow. */
export const xen_build_id = struct('xen_build_id', { len: uint32_t });
