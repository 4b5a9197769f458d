// The processor of the recorded machine (QEMU's `max`, as TCG has it) as Xen's CPU policies have it: every leaf of CPUID that
// XEN_SYSCTL_get_cpu_policy answers, recorded (test/golden/hypercalls).

export type Policy = 'raw' | 'host' | 'pv_max' | 'hvm_max' | 'pv' | 'hvm';
/** XEN_SYSCTL_cpu_policy_*: the index is the number. */
export const POLICIES: readonly Policy[] = ['raw', 'host', 'pv_max', 'hvm_max', 'pv', 'hvm'];

/** Leaf, subleaf, eax, ebx, ecx and edx of each, in the order of leaves and subleaves. */
export const leavesOf = (policy: Policy): number[] => [...LEAVES.get(policy)!];

function leavesFrom({ has, lacks }: Difference): number[] {
  const lines = new Map([...HOST, ...has].map((line) => [keyOf(line), line]));
  for (const key of lacks) lines.delete(key);
  return Array.from(lines.values(), wordsOf)
    .sort(([leafA, subleafA], [leafB, subleafB]) => leafA! - leafB! || subleafA! - subleafB!)
    .flat();
}
const keyOf = (line: string): string => line.split(' ', 2).join(' ');
function wordsOf(line: string): number[] {
  const [leaf = '', subleaf = '', ...registers] = line.split(' ');
  const words = registers.length === 0 ? [0, 0, 0, 0] : registers.map((word) => Number.parseInt(word, 16));
  return [Number.parseInt(leaf, 16), subleaf === '-' ? NO_SUBLEAF : Number.parseInt(subleaf, 16), ...words];
}
const NO_SUBLEAF = 0xffffffff;

/** A word of the register `register` (0 eax to 3 edx) of a leaf; 0 where the policy has no such leaf. */
export function wordOf(policy: Policy, leaf: number, subleaf: number, register: number): number {
  const leaves = LEAVES.get(policy)!;
  for (let i = 0; i < leaves.length; i += 6)
    if (leaves[i] === leaf && leaves[i + 1] === subleaf) return leaves[i + 2 + register]!;
  return 0;
}

/** PLATFORM_INFO and ARCH_CAPABILITIES. */
export const POLICY_MSRS: readonly number[] = [0xce, 0x10a];
/** Whether faulting on CPUID can be offered is what the first says: to HVM guests it can. */
export const msrValuesOf = (policy: Policy): string[] => [policy.startsWith('hvm') ? '0x80000000' : '0x0', '0x0'];

/** In hexadecimal; `-` is a leaf without subleaves, and what ends after them is all zero. */
const HOST: readonly string[] = [
  '0 - d 68747541 444d4163 69746e65',
  '1 - 60fb1 20800 f6d8320b 1fcbf3fd',
  '2 -',
  '3 -',
  '4 0',
  '5 -',
  '6 -',
  '7 0 0 18843a9 20c 0',
  '8 -',
  '9 -',
  'a -',
  'b 0',
  'c -',
  'd 0 21f 0 a88 0',
  'd 1 5 0 0 0',
  'd 2 100 240 0 0',
  'd 3 40 3c0 0 0',
  'd 4 40 400 0 0',
  'd 5',
  'd 6',
  'd 7',
  'd 8',
  'd 9 8 a80 0 0',
  '40000000 -',
  '40000100 -',
  '80000000 - 80000021 68747541 444d4163 69746e65',
  '80000001 - 60fb1 0 77 edd3fbfd',
  '80000002 - 554d4551 47435420 55504320 72657620',
  '80000003 - 6e6f6973 352e3220 2b 0',
  '80000004 -',
  '80000005 - 1ff01ff 1ff01ff 40020140 40020140',
  '80000006 - 0 42004200 2008140 808140',
  '80000007 -',
  '80000008 - 3928 0 1001 0',
  '80000009 -',
  '8000000a - 1 10 0 31',
  '8000000b -',
  '8000000c -',
  '8000000d -',
  '8000000e -',
  '8000000f -',
  '80000010 -',
  '80000011 -',
  '80000012 -',
  '80000013 -',
  '80000014 -',
  '80000015 -',
  '80000016 -',
  '80000017 -',
  '80000018 -',
  '80000019 -',
  '8000001a -',
  '8000001b -',
  '8000001c -',
  '8000001d -',
  '8000001e -',
  '8000001f -',
  '80000020 -',
  '80000021 - 4 0 0 0',
];

/** What a policy has otherwise than the host's, and which of its leaves it has not. */
interface Difference {
  readonly has: readonly string[];
  readonly lacks: readonly string[];
}
const DIFFERENCES: Readonly<Record<Policy, Difference>> = {
  host: { has: [], lacks: [] },
  raw: {
    has: [
      '1 - 60fb1 20800 fed8320b 1fcbfbfd',
      '5 - 0 0 3 0',
      '6 - 4 0 0 0',
      '7 0 0 1c843a9 8001021c 0',
      'b 0 0 1 100 0',
      'b 1 1 2 201 0',
      'd 0 21f a88 a88 0',
      'd 1 5 3c8 0 0',
      '80000000 - 8000000a 68747541 444d4163 69746e65',
      '8000000a - 1 10 0 10010001',
    ],
    lacks: Array.from({ length: 23 }, (_, i) => `${(0x8000000b + i).toString(16)} -`),
  },
  pv_max: {
    has: [
      '1 - 60fb1 20800 f6f83203 1fc9c3f5',
      '7 0 2 1880329 200 0',
      '7 1',
      '7 2',
      'd 0 7 0 340 0',
      '80000001 - 60fb1 0 63 e8500800',
      '8000000a -',
      '80000021 - 24 0 0 0',
    ],
    lacks: ['d 3', 'd 4', 'd 5', 'd 6', 'd 7', 'd 8', 'd 9'],
  },
  hvm_max: {
    has: [
      '1 - 60fb1 20800 f6f83203 1fcbfbfd',
      '7 0 2 18843a9 20c 0',
      '7 1',
      '7 2',
      '80000001 - 60fb1 0 77 ec500800',
      '80000008 - 3928 100000 1001 0',
      '80000021 - 24 0 0 0',
    ],
    lacks: [],
  },
  pv: {
    has: [
      '1 - 60fb1 20800 f6d83203 1fc9c3f5',
      '7 0 0 1880329 200 0',
      'd 0 7 0 340 0',
      '80000001 - 60fb1 0 63 e8500800',
      '8000000a -',
    ],
    lacks: ['d 3', 'd 4', 'd 5', 'd 6', 'd 7', 'd 8', 'd 9'],
  },
  hvm: {
    has: [
      '1 - 60fb1 20800 f6f83203 1fcbfbfd',
      '7 0 0 18803a9 20c 0',
      'd 0 207 0 a88 0',
      'd 3',
      'd 4',
      '80000001 - 60fb1 0 73 ec500800',
      '80000008 - 3928 100000 1001 0',
    ],
    lacks: [],
  },
};

const LEAVES: ReadonlyMap<Policy, readonly number[]> = new Map(
  POLICIES.map((policy) => [policy, leavesFrom(DIFFERENCES[policy])]),
);
