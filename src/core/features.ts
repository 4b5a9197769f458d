// The processors of the recorded machine, as Xen's featuresets have them (xen/include/xen/lib/x86/cpu-policy.h, FEATURESET_*).
import { type Policy, wordOf } from './cpu-policies.ts';

/** How many words a featureset of Xen 4.17 has. */
export const FSCAPINTS = 19;

/** What Xen itself uses of the first eight words ("hw_caps" of `xl info`): on AMD's processors, word 2 without what word 0 has too. */
export const HW_CAP: readonly number[] = [
  ...[0x1fcbf3fd, 0xf6d8320b, 0xec500800, 0x00000077],
  ...[0x00000005, 0x018843a9, 0x0000020c, 0x00000000],
];

/** XEN_SYSCTL_cpu_featureset_*: the index is the number. */
export const FEATURESETS: readonly Policy[] = ['raw', 'host', 'pv', 'hvm', 'pv_max', 'hvm_max'];

const NO_SUBLEAF = 0xffffffff;
/** Where each word stands: leaf, subleaf and register. The words behind are those of leaves that this processor has not. */
const PLACES: readonly (readonly [leaf: number, subleaf: number, register: number])[] = [
  [0x1, NO_SUBLEAF, 3],
  [0x1, NO_SUBLEAF, 2],
  [0x80000001, NO_SUBLEAF, 3],
  [0x80000001, NO_SUBLEAF, 2],
  [0xd, 1, 0],
  [0x7, 0, 1],
  [0x7, 0, 2],
  [0x80000007, NO_SUBLEAF, 3],
  [0x80000008, NO_SUBLEAF, 1],
  [0x7, 0, 3],
  [0x7, 1, 0],
  [0x80000021, NO_SUBLEAF, 0],
  [0x7, 1, 1],
  [0x7, 2, 3],
  [0x7, 1, 2],
  [0x7, 1, 3],
];

export function featureset(policy: Policy): number[] {
  const words: number[] = Array(FSCAPINTS).fill(0);
  for (const [i, [leaf, subleaf, register]] of PLACES.entries()) words[i] = wordOf(policy, leaf, subleaf, register);
  return words;
}
