// The domain of the benchmarks: PV, with room for a few channels and grants.
import type { CommandOf } from '../events/vocabulary.ts';
import { pvDomain } from '../src/abi/domctl.ts';

/** Xen itself, which makes domains of any id. */
export const XEN = 0x7ff2;

export const benchDomain = (domain: number, max_vcpus = 1): CommandOf<'domctl.createdomain'> => ({
  type: 'domctl.createdomain',
  domid: XEN,
  domain,
  ssidref: 0,
  handle: '00000000-0000-0000-0000-000000000000',
  max_vcpus,
  max_evtchn_port: 1023,
  max_grant_frames: 4,
  max_maptrack_frames: 4,
  ...pvDomain,
});
