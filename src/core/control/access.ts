// What a domain may use of the machine: interrupts, memory and ports (XEN_DOMCTL_*_permission), and how they appear in it.
import { accept, type GuestReader, refuse } from '../../../events/step.ts';
import type { DomId, Ns } from '../../../events/units.ts';
import type { CommandOf, Fact, Outcome } from '../../../events/vocabulary.ts';
import { XEN_DOMCTL_CDF } from '../../abi/domctl.ts';
import { printk } from '../console/printk.ts';
import { isOfIsa, NR_PIRQS } from '../evtchn/state.ts';
import { add, contains, type RangeSet, remove } from '../rangeset.ts';
import type { Xen } from '../xen.ts';
import { permits } from '../xsm.ts';
import { type Access, LAST_FRAME, LAST_IOPORT } from './state.ts';

/** The last of `count` numbers of 64 bits from `first` on; undefined where that is beyond them. Numbers below 0 are the upper half. */
function lastOf(first: number, count: number): number | undefined {
  const start = BigInt.asUintN(64, BigInt(first));
  const last = BigInt.asUintN(64, start + BigInt(count) - 1n);
  return last < start ? undefined : Number(last);
}

export function iomemPermission(xen: Xen, command: CommandOf<'domctl.iomem_permission'>): Outcome {
  const { domid, domain, first_mfn, nr_mfns, allow_access } = command;
  const last = lastOf(first_mfn, nr_mfns);
  if (last === undefined) return refuse('EINVAL');
  // No page has a number of the upper half, nor is there one beyond the machine's last.
  if (!permits(xen, 'priv', domid, domain) || first_mfn < 0 || last > LAST_FRAME) return refuse('EPERM');
  return changed(xen, { domid, domain, rangeset: 'iomem', first: first_mfn, last, allow_access });
}

export function irqPermission(xen: Xen, { domid, domain, pirq, allow_access }: CommandOf<'domctl.irq_permission'>): Outcome {
  if (pirq < 0 || pirq >= NR_PIRQS) return refuse('EINVAL');
  // The interrupt is known by the caller's own pirq: what it has not mapped, it can not give.
  const irq = irqOf(xen, domid, pirq);
  if (irq === 0 || !permits(xen, 'priv', domid, domain)) return refuse('EPERM');
  return changed(xen, { domid, domain, rangeset: 'irqs', first: irq, last: irq, allow_access });
}

export function ioportPermission(xen: Xen, command: CommandOf<'domctl.ioport_permission'>): Outcome {
  const { domid, domain, first_port, nr_ports, allow_access } = command;
  if (first_port < 0 || nr_ports < 1 || first_port + nr_ports > LAST_IOPORT + 1) return refuse('EINVAL');
  if (!permits(xen, 'priv', domid, domain)) return refuse('EPERM');
  const last = first_port + nr_ports - 1;
  return changed(xen, { domid, domain, rangeset: 'ioports', first: first_port, last, allow_access });
}

/** The interrupt behind a domain's pirq, 0 where it has none (domain_pirq_to_irq()). */
export const irqOf = (xen: Xen, domid: DomId, pirq: number): number =>
  isOfIsa(domid, pirq) || (pirq >= 0 && pirq < NR_PIRQS && xen.evtchn.pirqs.of(domid)?.state.is(pirq) === 'mapped') ? pirq : 0;

interface Change {
  readonly domid: DomId;
  readonly domain: DomId;
  readonly rangeset: keyof Access;
  readonly first: number;
  readonly last: number;
  readonly allow_access: boolean;
}
/** Nobody gives, or takes, what it may not use itself. */
function changed(xen: Xen, { domid, domain, rangeset, first, last, allow_access }: Change): Outcome {
  if (!contains(xen.control.access(domid)[rangeset], first, last)) return refuse('EPERM');
  const before = xen.control.access(domain)[rangeset];
  const after = allow_access ? add(before, first, last) : remove(before, first, last);
  return accept({}, ...(isSame(before, after) ? [] : [accessSet(domain, rangeset, after)]));
}
const accessSet = (domid: DomId, rangeset: keyof Access, ranges: RangeSet): Fact => ({
  type: 'domain.access_set',
  domid,
  rangeset,
  ranges,
});
const isSame = (a: RangeSet, b: RangeSet): boolean => a.length === b.length && a.every((value, i) => value === b[i]);

export interface Mapping {
  readonly guest: number;
  readonly machine: number;
  readonly count: number;
}
const setting = (domid: DomId, name: 'mmio' | 'ioports' | 'pt_irqs', value: unknown): Fact => ({
  type: 'domain.setting_set',
  domid,
  setting: name,
  json: JSON.stringify(value),
});

/** Machine memory in a guest's physmap. A PV guest has none: it maps what it may use itself. */
export function memoryMapping(xen: Xen, command: CommandOf<'domctl.memory_mapping'>, now: Ns, guest: GuestReader): Outcome {
  const { domid, domain, first_gfn, first_mfn, nr_mfns, add_mapping } = command;
  const last = lastOf(first_mfn, nr_mfns);
  if (last === undefined || first_mfn < 0 || last > LAST_FRAME || lastOf(first_gfn, nr_mfns) === undefined)
    return refuse('EINVAL');
  if (!permits(xen, 'dm_priv', domid, domain)) return refuse('EPERM');
  if (xen.domain.of(0)!.hvm.at(domain) === 0) return accept();
  const may = (who: DomId): boolean => contains(xen.control.access(who).iomem, first_mfn, last);
  if (!may(domid) || !may(domain)) return refuse('EPERM');
  const where = `d${domain} gfn=${first_gfn.toString(16)} mfn=${first_mfn.toString(16)} nr=${nr_mfns.toString(16)}`;
  const says = printk(xen, now, guest, [
    { level: 'debug', guest: true, text: `memory_map:${add_mapping ? 'add' : 'remove'}: ${where}` },
  ]);
  const maps = xen.control.setting<readonly Mapping[]>(domain, 'mmio') ?? [];
  const others = maps.filter(({ guest: at, count }) => at + count <= first_gfn || at >= first_gfn + nr_mfns);
  if (!add_mapping) return accept({}, ...(others.length === maps.length ? [] : [setting(domain, 'mmio', others)]), ...says);
  if (maps.length >= MAX_MAPPINGS) return refuse('ENOMEM', undefined, ...says);
  return accept({}, setting(domain, 'mmio', [...others, { guest: first_gfn, machine: first_mfn, count: nr_mfns }]), ...says);
}
/** Ours: as many as page tables of a domain would hold in its pool, and more than any device has. */
const MAX_MAPPINGS = 1024;

export function ioportMapping(xen: Xen, command: CommandOf<'domctl.ioport_mapping'>, now: Ns, guest: GuestReader): Outcome {
  const { domid, domain, first_gport, first_mport, nr_ports, add_mapping } = command;
  if (xen.domain.of(0)!.hvm.at(domain) === 0)
    return refuse(
      'EOPNOTSUPP',
      undefined,
      ...printk(xen, now, guest, [{ level: 'error', guest: true, text: `ioport_map: d${domain} is not HVM` }]),
    );
  const isPort = (port: number): boolean => port >= 0 && port + nr_ports - 1 <= LAST_IOPORT;
  const hex = (value: number): string => value.toString(16);
  const where = `d${domain} gport=${hex(first_gport)} mport=${hex(first_mport)} nr=${hex(nr_ports)}`;
  if (nr_ports < 1 || !isPort(first_gport) || !isPort(first_mport))
    return refuse(
      'EINVAL',
      undefined,
      ...printk(xen, now, guest, [{ level: 'error', guest: true, text: `ioport_map:invalid: ${where}` }]),
    );
  if (!permits(xen, 'dm_priv', domid, domain)) return refuse('EPERM');
  const last = first_mport + nr_ports - 1;
  if (!contains(xen.control.access(domid).ioports, first_mport, last)) return refuse('EPERM');
  const maps = xen.control.setting<readonly Mapping[]>(domain, 'ioports') ?? [];
  const others = maps.filter(({ machine }) => machine !== first_mport);
  const mapped = add_mapping ? [...others, { guest: first_gport, machine: first_mport, count: nr_ports }] : others;
  if (mapped.length > MAX_MAPPINGS) return refuse('ENOMEM');
  const before = xen.control.access(domain).ioports;
  const after = add_mapping ? add(before, first_mport, last) : remove(before, first_mport, last);
  return accept(
    {},
    setting(domain, 'ioports', mapped),
    ...(isSame(before, after) ? [] : [accessSet(domain, 'ioports', after)]),
    ...printk(xen, now, guest, [{ level: 'info', guest: true, text: `ioport_map:${add_mapping ? 'add' : 'remove'}: ${where}` }]),
  );
}

export interface PtIrq {
  readonly machine_irq: number;
  readonly irq_type: number;
  readonly guest_irq: number;
}
const LAST_PT_IRQ_TYPE = 5;

/** The domain's interrupt goes to its guest. Only with an IOMMU is there one to go. */
export function bindPtIrq(xen: Xen, command: CommandOf<'domctl.bind_pt_irq'>): Outcome {
  const { domid, domain, machine_irq, irq_type, guest_irq } = command;
  if (xen.domain.of(0)!.hvm.at(domain) === 0) return refuse('EINVAL');
  if (!permits(xen, 'dm_priv', domid, domain)) return refuse('EPERM');
  const irq = irqOf(xen, domain, machine_irq);
  if (!contains(xen.control.access(domid).irqs, irq, irq)) return refuse('EPERM');
  if (!hasIommu(xen, domain)) return refuse('ESRCH');
  const bound = xen.control.setting<readonly PtIrq[]>(domain, 'pt_irqs') ?? [];
  if (irq_type < 0 || irq_type > LAST_PT_IRQ_TYPE) return refuse('EOPNOTSUPP');
  if (bound.some((other) => other.machine_irq === machine_irq && other.irq_type !== irq_type)) return refuse('EBUSY');
  const others = bound.filter((other) => other.machine_irq !== machine_irq || other.guest_irq !== guest_irq);
  if (others.length >= MAX_MAPPINGS) return refuse('ENOMEM');
  return accept({}, setting(domain, 'pt_irqs', [...others, { machine_irq, irq_type, guest_irq }]));
}

export function unbindPtIrq(xen: Xen, command: CommandOf<'domctl.unbind_pt_irq'>): Outcome {
  const { domid, domain, machine_irq, guest_irq } = command;
  const irq = irqOf(xen, domain, machine_irq);
  if (xen.domain.of(0)!.hvm.at(domain) === 0) return refuse('EINVAL');
  if (!permits(xen, 'dm_priv', domid, domain)) return refuse('EPERM');
  if (!contains(xen.control.access(domid).irqs, irq, irq)) return refuse('EPERM');
  if (!hasIommu(xen, domain)) return accept();
  const bound = xen.control.setting<readonly PtIrq[]>(domain, 'pt_irqs') ?? [];
  const others = bound.filter((other) => other.machine_irq !== machine_irq || other.guest_irq !== guest_irq);
  return others.length === bound.length ? refuse('EINVAL') : accept({}, setting(domain, 'pt_irqs', others));
}

/** is_iommu_enabled() */
export const hasIommu = (xen: Xen, domid: DomId): boolean =>
  xen.iommu && (domid === 0 || (xen.control.row.cdf.at(domid) & XEN_DOMCTL_CDF.iommu) !== 0);
