// CPU policies in their serialised form (public/arch-x86/xen.h): lists of leaves and of MSRs.
import type { Struct } from '../abi/struct.ts';
import { xen_cpuid_leaf, xen_msr_entry } from '../abi/sysctl.ts';
import type { Call } from './call.ts';
import { EFAULT, type Source } from './codec.ts';
import type { Plain } from './guest-memory.ts';

/** What the lists can have at most; the numbers that are told where no list is given (CPUID_MAX_SERIALISED_LEAVES and its like). */
const MAX_LEAVES = 120;
const MAX_MSRS = 2;
const NUMBERS = ['leaf', 'subleaf', 'a', 'b', 'c', 'd'] as const;

/** Writes both lists and their lengths. `offset` is where the structure stands in the hypercall's own. */
export const putPolicy =
  (struct: Struct<unknown>, offset: number) =>
  ({ leaves, msr_indices, msr_values }: Plain, given: Plain, call: Call): boolean | 'ENOBUFS' => {
    const { guest } = call;
    const at = call.arg(0) + BigInt(offset);
    const flat = leaves as readonly number[];
    const list = Array.from({ length: flat.length / NUMBERS.length }, (_, i) =>
      Object.fromEntries(NUMBERS.map((name, j) => [name, flat[i * NUMBERS.length + j]!])),
    );
    if (given['leaves'] === 0n) {
      if (!guest.write(struct, at, { nr_leaves: MAX_LEAVES })) return false;
    } else {
      if (list.length > (given['nr_leaves'] as number)) return 'ENOBUFS';
      if (guest.putList(xen_cpuid_leaf, given['leaves'] as bigint, list) < list.length) return false;
      if (!guest.write(struct, at, { nr_leaves: list.length })) return false;
    }
    const msrs = (msr_indices as readonly number[]).map((idx, i) => ({
      idx,
      flags: 0,
      val: BigInt((msr_values as readonly string[])[i]!),
    }));
    if (given['msrs'] === 0n) return guest.write(struct, at, { nr_msrs: MAX_MSRS });
    if (msrs.length > (given['nr_msrs'] as number)) return 'ENOBUFS';
    return (
      guest.putList(xen_msr_entry, given['msrs'] as bigint, msrs) === msrs.length &&
      guest.write(struct, at, { nr_msrs: msrs.length })
    );
  };

const leavesOf: Source = ({ nr_leaves, leaves }, { guest }) => {
  // More than there can be is refused for that, whatever stands there.
  const wanted = Math.min(nr_leaves as number, MAX_LEAVES + 1);
  const list = guest.list(xen_cpuid_leaf, leaves as bigint, wanted);
  return list.length < wanted ? EFAULT : list.flatMap((leaf) => NUMBERS.map((name) => leaf[name]));
};
const msrsOf =
  (field: 'idx' | 'val'): Source =>
  ({ nr_msrs, msrs }, { guest }) => {
    const wanted = Math.min(nr_msrs as number, MAX_MSRS + 1);
    const list = guest.list(xen_msr_entry, msrs as bigint, wanted);
    if (list.length < wanted) return EFAULT;
    return list.map((msr) => (field === 'idx' ? msr.idx : `0x${msr.val.toString(16)}`));
  };
/** Where the arguments of set_cpu_policy come from. */
export const policyArgs = { leaves: leavesOf, msr_indices: msrsOf('idx'), msr_values: msrsOf('val') };
