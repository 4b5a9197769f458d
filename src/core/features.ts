// The processors of the recorded machine, as Xen's featuresets have them (xen/include/xen/lib/x86/cpu-policy.h, FEATURESET_*).

/** How many words a featureset of Xen 4.17 has. */
export const FSCAPINTS = 19;

/** Words 0 to 7 of the recorded machine's processor ("hw_caps" of `xl info`): no recording shows those behind. */
export const HW_CAP: readonly number[] = [
  ...[0x1fcbf3fd, 0xf6d8320b, 0xec500800, 0x00000077],
  ...[0x00000005, 0x018843a9, 0x0000020c, 0x00000000],
];

/** What guests may have at all, by default and at most: the annotations in public/arch-x86/cpufeatureset.h as masks of these words. */
const masks = {
  pv: [0x1fc9cbf5, 0xf6d83203, 0xea500800, 0x042109e3, 0x7, 0xfdaf0b29, 0x02405f43, 0x0],
  pv_max: [0x1fc9cbf5, 0xf6d83203, 0xea500800, 0x042109e3, 0x7, 0xfdaf0b39, 0x1a405f43, 0x100],
  hvm: [0x1fcbfbff, 0xf7fa3203, 0xee500800, 0x042109f3, 0xf, 0xfdbf0fab, 0x02405f4f, 0x0],
  hvm_max: [0x1fcbfbff, 0xf7fa3223, 0xee500800, 0x042109f7, 0xf, 0xfdbf4fbb, 0x1a405f4f, 0x100],
} as const;
/** CPUID 1.ECX, bit 31: a guest runs under a hypervisor. */
const HYPERVISOR = 0x80000000;

export type Featureset = 'raw' | 'host' | keyof typeof masks;
/** XEN_SYSCTL_cpu_featureset_* and XEN_SYSCTL_cpu_policy_*: the index is the number. */
export const FEATURESETS: readonly Featureset[] = ['raw', 'host', 'pv', 'hvm', 'pv_max', 'hvm_max'];
export const POLICIES: readonly Featureset[] = ['raw', 'host', 'pv_max', 'hvm_max', 'pv', 'hvm'];

export function featureset(name: Featureset): number[] {
  const words: number[] = Array(FSCAPINTS).fill(0);
  for (const [i, word] of HW_CAP.entries()) words[i] = name === 'raw' || name === 'host' ? word : (word & masks[name][i]!) >>> 0;
  if (name !== 'raw' && name !== 'host') words[1] = (words[1]! | HYPERVISOR) >>> 0;
  return words;
}

const NO_SUBLEAF = 0xffffffff;
/** The leaves of CPUID in which those words stand: leaf, subleaf, eax, ebx, ecx and edx of each. */
export function leavesOf(words: readonly number[]): number[] {
  const word = (i: number): number => words[i] ?? 0;
  return [
    ...[0x1, NO_SUBLEAF, 0, 0, word(1), word(0)],
    ...[0x7, 0, 0, word(5), word(6), word(9)],
    ...[0xd, 1, word(4), 0, 0, 0],
    ...[0x80000001, NO_SUBLEAF, 0, 0, word(3), word(2)],
    ...[0x80000007, NO_SUBLEAF, 0, 0, 0, word(7)],
  ];
}
