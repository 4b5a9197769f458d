// What Xen prints while it boots, as far as it is about things that are here.
import { pagesToKib } from '../../../events/units.ts';
import { type Line, said } from '../console/printk.ts';
import type { Xen } from '../xen.ts';

export function bootLines(xen: Xen): Line[] {
  const { thresholds, size } = xen.console;
  const names = ['none', 'error', 'warning', 'info', 'all'];
  const level = (lower: number, upper: number): string => `${names[lower]}/${names[upper]}`;
  let cpus = 0;
  for (const _ of xen.sched.pcpu.inUse(0)) cpus++;
  return [
    ...said(
      'Xen 4.17.7 (a model of it)',
      `Command line: ${xen.commandline}`,
      `Log levels: Xen ${level(thresholds.lower, thresholds.upper)}, guests ${level(thresholds.guest_lower, thresholds.guest_upper)}`,
      `Console ring of ${size / 1024} KiB.`,
      `System RAM: ${Math.floor(pagesToKib(xen.p2m.totalPages) / 1024)}MB (${pagesToKib(xen.p2m.totalPages)}kB)`,
      `Domain heap: ${pagesToKib(xen.p2m.freePages)}kB free`,
    ),
    { level: 'info', text: `I/O virtualisation ${xen.iommu ? 'enabled' : 'disabled'}` },
    { level: 'info', text: 'HVM: SVM enabled' },
    { level: 'info', text: 'HVM: Hardware Assisted Paging (HAP) detected' },
    ...said(`Brought up ${cpus} CPUs`),
    { level: 'info', text: '*** Building dom0 ***' },
  ];
}
