// What a domain is told that its machine is like: virtual NUMA nodes and the CPU policy.
import { accept, refuse } from '../../../events/step.ts';
import { type DomId, PAGE_SIZE } from '../../../events/units.ts';
import type { CommandOf, Outcome } from '../../../events/vocabulary.ts';
import { isHex64 } from '../../abi/u64.ts';
import { leavesOf, msrValuesOf, POLICY_MSRS } from '../cpu-policies.ts';
import type { Xen } from '../xen.ts';

const MAX_NUMNODES = 64;
/** sizeof(unsigned int) of a distance, sizeof(struct xen_vmemrange) of a range: neither table is larger than a page. */
const DISTANCE_SIZE = 4;
const VMEMRANGE_SIZE = 24;

/** vnuma_init(). `vmemranges` has four numbers for each range. */
export function setvnumainfo(xen: Xen, command: CommandOf<'domctl.setvnumainfo'>): Outcome {
  const { domain, nr_vnodes, vmemranges, vdistance, vcpu_to_vnode, vnode_to_pnode } = command;
  const ranges = vmemranges.length / 4;
  if (vcpu_to_vnode.length !== xen.domain.of(0)!.max_vcpus.at(domain)) return refuse('EINVAL');
  if (nr_vnodes <= 0 || nr_vnodes > Math.floor(PAGE_SIZE / DISTANCE_SIZE / nr_vnodes)) return refuse('EINVAL');
  if (ranges > Math.floor(PAGE_SIZE / VMEMRANGE_SIZE)) return refuse('EINVAL');
  // Fewer numbers than that are an array that ends where nothing is mapped.
  if (vdistance.length < nr_vnodes * nr_vnodes || !Number.isInteger(ranges) || vnode_to_pnode.length < nr_vnodes)
    return refuse('EFAULT');
  if (vcpu_to_vnode.some((vnode) => vnode < 0 || vnode >= nr_vnodes)) return refuse('E2BIG');
  if (vnode_to_pnode.slice(0, nr_vnodes).some((pnode) => pnode < 0 || pnode >= MAX_NUMNODES)) return refuse('E2BIG');
  if (vmemranges.some((value, i) => i % 4 === 2 && value !== 0)) return refuse('EINVAL');
  const json = JSON.stringify({
    nr_vnodes,
    vmemranges,
    vdistance: vdistance.slice(0, nr_vnodes * nr_vnodes),
    vcpu_to_vnode,
    vnode_to_pnode: vnode_to_pnode.slice(0, nr_vnodes),
  });
  return accept({}, { type: 'domain.setting_set', domid: domain, setting: 'vnuma', json });
}

/**
 * recalculate_cpuid_policy(): AMD's leaf repeats the features of the first that stood there before Intel's had any, and no guest sees more
 * than 48 bits of virtual addresses, for there is no table of five levels.
 */
function ofDomain(leaves: readonly number[]): number[] {
  const own = [...leaves];
  const at = (leaf: number): number => own.findIndex((value, i) => i % NUMBERS_OF_A_LEAF === 0 && value === leaf);
  const [first, amd, sizes] = [at(1), at(0x80000001), at(0x80000008)];
  own[amd + EDX] = (own[amd + EDX]! | (own[first + EDX]! & COMMON_1D)) >>> 0;
  own[sizes + EAX] = (own[sizes + EAX]! & ~0xff00) | (48 << 8);
  // What SVM can do is told to those with nested virtualisation.
  const svm = at(0x8000000a);
  if (svm >= 0) own.fill(0, svm + EAX, svm + EDX + 1);
  return own;
}
const EAX = 2;
const EDX = 5;
/** CPUID_COMMON_1D_FEATURES */
const COMMON_1D = 0x0183f3ff;

interface Policy {
  readonly leaves: readonly number[];
  readonly msr_indices: readonly number[];
  readonly msr_values: readonly string[];
}
const NUMBERS_OF_A_LEAF = 6;
/** xen/include/xen/lib/x86/cpu-policy.h */
const MAX_LEAVES = 120;
const MAX_MSRS = 2;
const NO_SUBLEAF = 0xffffffff;

/** What a domain's kind begins with, and what was set in its place. */
export function getCpuPolicy(xen: Xen, { domain }: CommandOf<'domctl.get_cpu_policy'>): Outcome {
  return accept(policyOf(xen, domain));
}

function policyOf(xen: Xen, domain: DomId): Policy {
  const kind = xen.domain.of(0)!.hvm.at(domain) === 1 ? 'hvm' : 'pv';
  const first = { leaves: ofDomain(leavesOf(kind)), msr_indices: [...POLICY_MSRS], msr_values: msrValuesOf(kind) };
  return xen.control.setting<Policy>(domain, 'cpu_policy') ?? first;
}

export function setCpuPolicy(xen: Xen, command: CommandOf<'domctl.set_cpu_policy'>): Outcome {
  const { domid, domain, leaves, msr_indices, msr_values } = command;
  if (domid === domain) return refuse('EINVAL');
  if (xen.control.row.creation_finished.at(domain) === 1) return refuse('EEXIST');
  if (leaves.length > MAX_LEAVES * NUMBERS_OF_A_LEAF || msr_indices.length > MAX_MSRS) return refuse('E2BIG');
  if (leaves.length % NUMBERS_OF_A_LEAF !== 0 || msr_values.length < msr_indices.length) return refuse('EFAULT');
  if (leaves.some((word) => word < 0 || word >= 2 ** 32)) return refuse('ERANGE');
  for (let i = 0; i < leaves.length; i += NUMBERS_OF_A_LEAF) if (!isLeaf(leaves[i]!, leaves[i + 1]!)) return refuse('ERANGE');
  if (msr_indices.some((index) => !POLICY_MSRS.includes(index))) return refuse('ERANGE');
  if (msr_values.some((value) => !isHex64(value))) return refuse('EOVERFLOW');
  const merged = merge(policyOf(xen, domain), { leaves, msr_indices, msr_values });
  return accept({}, { type: 'domain.setting_set', domid: domain, setting: 'cpu_policy', json: JSON.stringify(merged) });
}

/** Leaves of a policy: basic, of the hypervisor, and extended; subleaves where the leaf has some. */
function isLeaf(leaf: number, subleaf: number): boolean {
  const most: Readonly<Record<number, number>> = { 4: 5, 7: 2, 11: 1, 13: 62 };
  if (leaf <= 0xd) return leaf in most ? subleaf <= most[leaf]! : subleaf === NO_SUBLEAF;
  const isHypervisors = leaf === 0x40000000 || leaf === 0x40000100;
  return (isHypervisors || (leaf >= 0x80000000 && leaf <= 0x80000021)) && subleaf === NO_SUBLEAF;
}

/** A leaf, or an MSR, that is set again takes the place of what it was. */
function merge(before: Policy | undefined, { leaves, msr_indices, msr_values }: Policy): Policy {
  const byLeaf = new Map<string, readonly number[]>();
  for (const all of [before?.leaves ?? [], leaves])
    for (let i = 0; i < all.length; i += NUMBERS_OF_A_LEAF)
      byLeaf.set(`${all[i]} ${all[i + 1]}`, all.slice(i, i + NUMBERS_OF_A_LEAF));
  const byMsr = new Map<number, string>();
  for (const [i, index] of (before?.msr_indices ?? []).entries()) byMsr.set(index, before!.msr_values[i]!);
  for (const [i, index] of msr_indices.entries()) byMsr.set(index, msr_values[i]!);
  const ordered = [...byLeaf.values()].sort(([a = 0, b = 0], [c = 0, d = 0]) => a - c || b - d);
  const msrs = [...byMsr].sort(([a], [b]) => a - b);
  return { leaves: ordered.flat(), msr_indices: msrs.map(([index]) => index), msr_values: msrs.map(([, value]) => value) };
}
