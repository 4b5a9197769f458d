// Where vCPUs may run and where they would rather (xen/common/sched/core.c, vcpu_affinity_domctl()).
import { accept, refuse } from '../../../events/step.ts';
import type { DomId, Ns } from '../../../events/units.ts';
import type { CommandOf, Fact, Outcome } from '../../../events/vocabulary.ts';
import { XEN_VCPUAFFINITY } from '../../abi/scheduler.ts';
import type { Xen } from '../xen.ts';
import { isPrivileged } from '../xsm.ts';
import { preempted } from './leave.ts';
import { cpusIn, isInSoft, savedMask } from './masks.ts';
import { cpuOf, handedOn } from './null.ts';
import { replaced } from './place.ts';
import { schedulerOfDomain } from './schedulers.ts';
import { vcpuId } from './state.ts';

type AffinityOp = 'domctl.setvcpuaffinity' | 'domctl.getvcpuaffinity';

function check(xen: Xen, { domid, domain, vcpu, flags }: CommandOf<AffinityOp>): Outcome | undefined {
  if (!xen.exists(domain)) return refuse('ESRCH');
  if (!isPrivileged(domid)) return refuse('EPERM');
  if (vcpu < 0 || vcpu >= xen.domain.of(0)!.max_vcpus.at(domain)) return refuse('EINVAL');
  if (!xen.hasVcpu(domain, vcpu)) return refuse('ESRCH');
  return flags === 0 ? refuse('EINVAL') : undefined;
}
/** A flag of a number that may be larger than 32 bits, or negative. */
const has = (flags: number, flag: number): boolean => ((flags | 0) & flag) !== 0;

export function setAffinity(xen: Xen, command: CommandOf<'domctl.setvcpuaffinity'>, now: Ns): Outcome {
  const wrong = check(xen, command);
  if (wrong) return wrong;
  const { sched } = xen;
  const { domain: domid, vcpu, flags } = command;
  const rows = sched.vcpu.of(domid)!;
  const online = sched.cpusOf(xen.poolOf(domid));
  const inForce = (cpus: Iterable<number>): number[] => {
    const set = new Set(cpus);
    return online.filter((cpu) => set.has(cpu));
  };
  const facts: Fact[] = [];
  let hard = cpusIn(xen, domid, vcpu, 'hard');
  let overridden = rows.overridden.at(vcpu) === 1;
  if (has(flags, XEN_VCPUAFFINITY.FORCE) && overridden) {
    overridden = false;
    const saved = savedMask(sched, domid, vcpu);
    hard = saved.length > 0 ? saved : allCpus(xen);
    facts.push({ type: 'vcpu.affinity_restored', domid, vcpu });
  }
  const answered = { cpumap_hard: [] as number[], cpumap_soft: [] as number[] };
  const asked = { hard: has(flags, XEN_VCPUAFFINITY.HARD), soft: has(flags, XEN_VCPUAFFINITY.SOFT) };
  // What FORCE has undone stays undone, whatever is refused after it.
  const failed = (errno: 'EINVAL' | 'EBUSY'): Outcome => refuse(errno, undefined, ...settled(xen, domid, vcpu, facts, hard, now));
  if (asked.hard) {
    const cpus = inHost(xen, command.cpumap_hard);
    if (inForce(cpus).length === 0) return failed('EINVAL');
    if (overridden) return failed('EBUSY');
    hard = cpus;
    facts.push({ type: 'vcpu.affinity_set', domid, vcpu, cpus });
    answered.cpumap_hard = inForce(hard);
  }
  if (asked.soft) {
    const cpus = inHost(xen, command.cpumap_soft);
    if (overridden) return failed('EBUSY');
    facts.push({ type: 'vcpu.soft_affinity_set', domid, vcpu, cpus });
    answered.cpumap_soft = inForce(hard).filter((cpu) => cpus.includes(cpu));
  }
  return accept(answered, ...settled(xen, domid, vcpu, facts, hard, now));
}

const allCpus = ({ sched }: Xen): number[] => Array.from({ length: sched.nrCpus }, (_, cpu) => cpu);
/** The pCPUs that the host has, ascending and once. */
const inHost = (xen: Xen, cpus: readonly number[]): number[] =>
  [...new Set(cpus.filter((cpu) => xen.sched.isCpu(cpu)))].sort((a, b) => a - b);

/** The facts, and what else must happen where a vCPU may no longer be where it is. */
function settled(xen: Xen, domid: DomId, vcpu: number, facts: readonly Fact[], hard: readonly number[], now: Ns): Fact[] {
  if (facts.length === 0) return [];
  const { sched } = xen;
  const id = vcpuId(domid, vcpu);
  const rows = sched.vcpu.of(domid)!;
  const pool = xen.poolOf(domid);
  const mayBe = (cpu: number): boolean => hard.includes(cpu);
  const runs = rows.runstate.is(vcpu) === 'running' && rows.detached.at(vcpu) === 0;
  const off = runs && !mayBe(rows.cpu.at(vcpu)) ? preempted(schedulerOfDomain(xen, domid), xen, id, now) : [];
  if (sched.kindOf(pool) === 'null') return [...off, ...facts, ...ownCpu(xen, domid, vcpu, mayBe, now)];
  const stays = runs && off.length === 0;
  return [...off, ...facts, ...(stays ? [] : replaced(xen, id, pool, now, mayBe))];
}
/** Under null: another pCPU where its own is not allowed any more, or a place in the queue. */
function ownCpu(xen: Xen, domid: DomId, vcpu: number, mayBe: (cpu: number) => boolean, now: Ns): Fact[] {
  const { sched } = xen;
  const id = vcpuId(domid, vcpu);
  const cpu = cpuOf(xen, id);
  if (cpu === undefined ? !sched.waitq.has(id) : mayBe(cpu)) return [];
  const { unit } = sched.pcpu.of(0)!;
  const free = sched.cpusOf(xen.poolOf(domid)).filter((one) => mayBe(one) && unit.at(one) === 0);
  const liked = free.find((one) => isInSoft(xen, domid, vcpu, one)) ?? free[0];
  if (cpu === undefined && liked === undefined) return [];
  const facts: Fact[] = [
    { type: 'null.unassigned', domid, vcpu },
    { type: 'null.assigned', domid, vcpu, cpu: liked ?? -1, since: now },
  ];
  if (cpu !== undefined) facts.push(...handedOn(xen, cpu, xen.poolOf(domid), now, new Set([id])));
  return facts;
}

export function getAffinity(xen: Xen, command: CommandOf<'domctl.getvcpuaffinity'>): Outcome {
  const wrong = check(xen, command);
  if (wrong) return wrong;
  const { domain, vcpu, flags } = command;
  return accept({
    cpumap_hard: has(flags, XEN_VCPUAFFINITY.HARD) ? cpusIn(xen, domain, vcpu, 'hard') : [],
    cpumap_soft: has(flags, XEN_VCPUAFFINITY.SOFT) ? cpusIn(xen, domain, vcpu, 'soft') : [],
  });
}

/** A host has one node, to which every domain has an affinity; what else it has been given one to is kept, and never comes (MAX_NUMNODES). */
export function nodeAffinity(xen: Xen, command: CommandOf<'domctl.setnodeaffinity' | 'domctl.getnodeaffinity'>): Outcome {
  if (!xen.exists(command.domain)) return refuse('ESRCH');
  if (!isPrivileged(command.domid)) return refuse('EPERM');
  const kept = xen.control.setting<readonly number[]>(command.domain, 'nodemap') ?? [0];
  if (command.type === 'domctl.getnodeaffinity') return accept({ nodemap: kept });
  const nodemap = [...new Set(command.nodemap)].filter((node) => node >= 0 && node < MAX_NUMNODES).sort((a, b) => a - b);
  if (!nodemap.includes(0)) return refuse('EINVAL');
  if (kept.length === nodemap.length && kept.every((node, i) => node === nodemap[i])) return accept();
  const json = JSON.stringify(nodemap);
  return accept({}, { type: 'domain.setting_set', domid: command.domain, setting: 'nodemap', json });
}
const MAX_NUMNODES = 64;

/** vcpu_temporary_affinity(), as SCHEDOP_pin_override asks for it. */
export function pinOverride(xen: Xen, { domid, vcpu, pcpu }: CommandOf<'sched.pin_override'>, now: Ns): Outcome {
  if (domid !== 0) return refuse('EPERM');
  if (!xen.hasVcpu(domid, vcpu)) return refuse('ENOENT');
  const { sched } = xen;
  const overridden = sched.vcpu.of(domid)!.overridden.at(vcpu) === 1;
  if (pcpu < 0) {
    if (!overridden) return refuse('EINVAL');
    const saved = savedMask(sched, domid, vcpu);
    const hard = saved.length > 0 ? saved : allCpus(xen);
    return accept({}, ...settled(xen, domid, vcpu, [{ type: 'vcpu.affinity_restored', domid, vcpu }], hard, now));
  }
  if (!sched.isCpu(pcpu)) return refuse('EINVAL');
  if (overridden) return refuse('EBUSY');
  if (!sched.isIn(pcpu, xen.poolOf(domid))) return refuse('EINVAL');
  return accept({}, ...settled(xen, domid, vcpu, [{ type: 'vcpu.affinity_overridden', domid, vcpu, cpu: pcpu }], [pcpu], now));
}

/** VCPUOP_get_physid (xen/arch/x86/domain.c): pCPUs have their own numbers as APIC and ACPI ids. */
export function getPhysid(xen: Xen, { domid, vcpu }: CommandOf<'vcpu.get_physid'>): Outcome {
  if (!xen.hasVcpu(domid, vcpu)) return refuse('ENOENT');
  if (domid !== 0 || cpusIn(xen, domid, vcpu, 'hard').length !== 1) return refuse('EINVAL');
  return accept({ phys_id: vcpu * 2 ** 32 + vcpu });
}
