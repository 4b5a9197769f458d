// Affinity: masks of pCPUs, as wide as the host is.
import type { DomId } from '../../../events/units.ts';
import type { Xen } from '../xen.ts';
import type { Sched } from './state.ts';

export type MaskKind = 'hard' | 'soft' | 'saved';

/** Whether a mask that a vCPU has set lets a pCPU in. */
const inMask = ({ masks, words }: Sched, domid: DomId, vcpu: number, cpu: number, kind: MaskKind): boolean =>
  ((masks.of(domid)?.[kind].at(vcpu * words + (cpu >> 5)) ?? 0) & (1 << (cpu & 31))) !== 0;

export function isInHard({ sched }: Xen, domid: DomId, vcpu: number, cpu: number): boolean {
  return sched.vcpu.of(domid)!.hard.at(vcpu) === 0 || inMask(sched, domid, vcpu, cpu, 'hard');
}
export function isInSoft({ sched }: Xen, domid: DomId, vcpu: number, cpu: number): boolean {
  return sched.vcpu.of(domid)!.soft.at(vcpu) === 0 || inMask(sched, domid, vcpu, cpu, 'soft');
}

/** The pCPUs of the host that a mask has, ascending. */
export function cpusIn(xen: Xen, domid: DomId, vcpu: number, kind: 'hard' | 'soft'): number[] {
  const isIn = kind === 'hard' ? isInHard : isInSoft;
  const cpus: number[] = [];
  for (let cpu = 0; cpu < xen.sched.nrCpus; cpu++) if (isIn(xen, domid, vcpu, cpu)) cpus.push(cpu);
  return cpus;
}

/** The pCPUs of its pool that a vCPU may run on, ascending. */
export const allowedCpus = (xen: Xen, domid: DomId, vcpu: number, pool: number): number[] =>
  xen.sched.cpusOf(pool).filter((cpu) => isInHard(xen, domid, vcpu, cpu));

/** Whether soft affinity says anything: it meets the hard one, and leaves out a pCPU of the pool (has_soft_affinity()). */
export function hasSoft(xen: Xen, domid: DomId, vcpu: number): boolean {
  const { sched } = xen;
  if (sched.vcpu.of(domid)!.soft.at(vcpu) === 0) return false;
  const allowed = allowedCpus(xen, domid, vcpu, xen.poolOf(domid));
  return (
    allowed.some((cpu) => isInSoft(xen, domid, vcpu, cpu)) &&
    !sched.cpusOf(xen.poolOf(domid)).every((cpu) => isInSoft(xen, domid, vcpu, cpu))
  );
}

/** Writes a mask; total, for `evolve`. Says whether it leaves a pCPU of the host out. */
export function writeMask(sched: Sched, domid: DomId, vcpu: number, kind: MaskKind, cpus: readonly number[]): boolean {
  const words = new Array<number>(sched.words).fill(0);
  for (const cpu of cpus) if (sched.isCpu(cpu)) words[cpu >> 5]! |= 1 << (cpu & 31);
  let left = 0;
  for (let cpu = 0; cpu < sched.nrCpus; cpu++) if ((words[cpu >> 5]! & (1 << (cpu & 31))) === 0) left++;
  const restricts = left > 0;
  if (restricts || sched.masks.of(domid)) {
    const rows = sched.masks.of(domid) ?? sched.masks.add(domid);
    words.forEach((word, i) => {
      rows[kind].put(vcpu * sched.words + i, restricts ? word >>> 0 : 0);
    });
  }
  return restricts;
}
/** The mask that was in force before an override, as pCPUs. */
export const savedMask = (sched: Sched, domid: DomId, vcpu: number): number[] =>
  Array.from({ length: sched.nrCpus }, (_, cpu) => cpu).filter((cpu) => inMask(sched, domid, vcpu, cpu, 'saved'));
