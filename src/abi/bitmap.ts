// What tools say sets of pCPUs and nodes with (public/domctl.h).
import { uint32_t, uint64_aligned_t } from './scalars.ts';
import { struct } from './struct.ts';

/** A bit for each pCPU or node, `nr_bits` of them at `bitmap`. */
export const xenctl_bitmap = struct('xenctl_bitmap', { bitmap: uint64_aligned_t, nr_bits: uint32_t });
