// physdev_op (xen/arch/x86/physdev.c, xen/drivers/pci/physdev.c): interrupts and devices of the machine.
import { accept, type GuestReader, refuse } from '../../../events/step.ts';
import type { DomId, Ns } from '../../../events/units.ts';
import type { CommandOf, Fact, Outcome, PhysdevCommand } from '../../../events/vocabulary.ts';
import { printk } from '../console/printk.ts';
import { decide as decideEvtchn } from '../evtchn/decide.ts';
import { isOfIsa, NR_PIRQS } from '../evtchn/state.ts';
import type { Xen } from '../xen.ts';
import { isPrivileged, permits } from '../xsm.ts';
import { apicRead, apicWrite } from './ioapic.ts';
import { NR_IRQS_GSI, sbdfOf, sbdfText } from './state.ts';

export function decide(xen: Xen, command: PhysdevCommand, now: Ns, guest: GuestReader): Outcome {
  const { domid } = command;
  // Xen itself asks for none of these.
  if (!xen.exists(domid)) return refuse('ESRCH');
  if (xen.domain.of(0)!.hvm.at(domid) === 1 && !hvmMay(domid, command.type)) return refuse('ENOSYS');
  switch (command.type) {
    case 'physdev.map_pirq':
      return mapPirq(xen, command);
    case 'physdev.unmap_pirq':
      return unmapPirq(xen, command);
    case 'physdev.eoi':
      return eoi(xen, command, now, guest);
    case 'physdev.irq_status_query': {
      const { irq } = command;
      if (irq < 0 || irq >= NR_PIRQS) return refuse('EINVAL');
      if (xen.domain.of(0)!.hvm.at(domid) === 1 && !isKnown(xen, domid, irq)) return refuse('EINVAL');
      return accept({ flags: XENIRQSTAT_needs_eoi });
    }
    case 'physdev.set_iopl': {
      const { vcpu, iopl } = command;
      if (iopl < 0 || iopl > 3) return refuse('EINVAL');
      return xen.hasVcpu(domid, vcpu) ? accept({}, { type: 'physdev.iopl_set', domid, vcpu, iopl }) : refuse('ENOENT');
    }
    case 'physdev.set_iobitmap': {
      const { vcpu, nr_ports, mapped } = command;
      if (!mapped || nr_ports < 0 || nr_ports > 65536) return refuse('EINVAL');
      return xen.hasVcpu(domid, vcpu) ? accept({}, { type: 'physdev.iobitmap_set', domid, vcpu, nr_ports }) : refuse('ENOENT');
    }
    case 'physdev.apic_read':
      return isPrivileged(domid) ? apicRead(xen, command) : refuse('EPERM');
    case 'physdev.apic_write':
      return isPrivileged(domid) ? apicWrite(xen, command, now, guest) : refuse('EPERM');
    case 'physdev.alloc_irq_vector':
      // Vectors are Xen's own affair: the answer is the interrupt's number.
      return isPrivileged(domid) ? accept({ vector: command.irq }) : refuse('EPERM');
    case 'physdev.free_irq_vector':
      return refuse('ENOSYS'); // no Xen since 3.2 has it
    case 'physdev.manage_pci_add':
      return addDevice(xen, { domid, seg: 0, bus: command.bus, devfn: command.devfn, info: undefined }, now, guest);
    case 'physdev.manage_pci_add_ext': {
      const { bus, devfn, is_extfn, is_virtfn, physfn_bus, physfn_devfn } = command;
      if (is_extfn < 0 || is_extfn > 1 || is_virtfn < 0 || is_virtfn > 1) return refuse('EINVAL');
      const info = { is_extfn: is_extfn === 1, is_virtfn: is_virtfn === 1, physfn: sbdfOf(0, physfn_bus, physfn_devfn) };
      return addDevice(xen, { domid, seg: 0, bus, devfn, info }, now, guest);
    }
    case 'physdev.pci_device_add': {
      const { seg, bus, devfn, flags, physfn_bus, physfn_devfn } = command;
      const is_virtfn = (flags & XEN_PCI_DEV.VIRTFN) !== 0;
      const physfn = is_virtfn ? sbdfOf(seg, physfn_bus, physfn_devfn) : 0;
      const info = { is_extfn: (flags & XEN_PCI_DEV.EXTFN) !== 0, is_virtfn, physfn };
      return addDevice(xen, { domid, seg, bus, devfn, info }, now, guest);
    }
    case 'physdev.manage_pci_remove':
      return removeDevice(xen, domid, sbdfOf(0, command.bus, command.devfn), now, guest);
    case 'physdev.pci_device_remove':
      return removeDevice(xen, domid, sbdfOf(command.seg, command.bus, command.devfn), now, guest);
    case 'physdev.restore_msi':
    case 'physdev.restore_msi_ext': {
      const seg = command.type === 'physdev.restore_msi' ? 0 : command.seg;
      if (xen.physdev.find(sbdfOf(seg, command.bus, command.devfn)) < 0) return refuse('ENODEV');
      return isPrivileged(domid) ? accept() : refuse('EPERM'); // no MSI is set up: there is none to restore
    }
    case 'physdev.prepare_msix':
    case 'physdev.release_msix': {
      if (!isPrivileged(domid)) return refuse('EPERM');
      const sbdf = sbdfOf(command.seg, command.bus, command.devfn);
      const row = xen.physdev.find(sbdf);
      if (row < 0) return refuse('ENODEV');
      const prepared = command.type === 'physdev.prepare_msix';
      if ((xen.physdev.pci.of(0)!.msix_prepared.at(row) === 1) === prepared) return refuse('EBUSY');
      return accept({}, { type: 'physdev.msix_prepared', sbdf, prepared });
    }
    case 'physdev.pirq_eoi_gmfn_v1':
    case 'physdev.pirq_eoi_gmfn_v2': {
      const mfn = xen.grantedFrame(domid, command.gmfn);
      if (mfn < 0 || xen.mm.isProtected(mfn)) return refuse('EINVAL');
      if (xen.control.row.pirq_eoi_mfn_plus_1.at(domid) !== 0) return refuse('EBUSY');
      return accept({}, { type: 'physdev.eoi_map_set', domid, mfn, auto_unmask: command.type === 'physdev.pirq_eoi_gmfn_v1' });
    }
    case 'physdev.setup_gsi': {
      const { gsi, triggering, polarity } = command;
      if (gsi < 0 || gsi >= NR_IRQS_GSI) return refuse('EINVAL');
      if (!isPrivileged(domid)) return refuse('EPERM');
      if (xen.physdev.gsi.of(0)!.state.is(gsi) === 'registered') return refuse('EEXIST');
      return accept({}, { type: 'physdev.gsi_registered', gsi, triggering: triggering & 1, polarity: polarity & 1 });
    }
    case 'physdev.get_free_pirq': {
      const pirq = freePirq(xen, domid, command.pirq_type);
      return pirq < 0 ? refuse('ENOSPC') : accept({ pirq }, { type: 'physdev.pirq_allocated', domid, pirq });
    }
    case 'physdev.pci_mmcfg_reserved':
      if (!isPrivileged(domid)) return refuse('EPERM');
      return refuse((command.flags & ~PCI_MMCFG_RESERVED) !== 0 ? 'EINVAL' : 'ENODEV'); // this machine has no such window
    case 'physdev.dbgp_op':
      return isPrivileged(domid) ? accept() : refuse('EPERM'); // Xen has no debug port of a USB controller in use
    default:
      return command satisfies never;
  }
}

const XENIRQSTAT_needs_eoi = 1;
const PCI_MMCFG_RESERVED = 1;
const XEN_PCI_DEV = { EXTFN: 1, VIRTFN: 2 } as const;
const MAP_PIRQ_TYPE_GSI = 1;

/** hvm_physdev_op(): an HVM dom0 announces devices; pirqs are for those with emulated interrupts of their own, and there are none. */
function hvmMay(domid: DomId, type: PhysdevCommand['type']): boolean {
  switch (type) {
    case 'physdev.pci_mmcfg_reserved':
    case 'physdev.pci_device_add':
    case 'physdev.pci_device_remove':
    case 'physdev.dbgp_op':
      return domid === 0;
    default:
      return false;
  }
}

/** Whether a domain has anything to do with a pirq. */
const isKnown = (xen: Xen, domid: DomId, pirq: number): boolean =>
  isOfIsa(domid, pirq) || (xen.evtchn.pirqs.of(domid)?.state.is(pirq) ?? 'none') !== 'none';

function mapPirq(xen: Xen, { domid, dom, pirq }: CommandOf<'physdev.map_pirq'>): Outcome {
  const target = xen.self(domid, dom);
  if (!permits(xen, 'dm_priv', domid, target)) return refuse('EPERM');
  if (!xen.isAlive(target)) return refuse('ESRCH');
  if (pirq < 1 || pirq >= NR_PIRQS) return refuse('EINVAL');
  if (xen.evtchn.pirqs.of(target)?.state.is(pirq) === 'mapped') return accept({ pirq });
  return accept({ pirq }, { type: 'physdev.pirq_mapped', domid: target, pirq });
}

function unmapPirq(xen: Xen, { domid, dom, pirq }: CommandOf<'physdev.unmap_pirq'>): Outcome {
  const target = xen.self(domid, dom);
  if (!permits(xen, 'dm_priv', domid, target)) return refuse('EPERM');
  if (!xen.isAlive(target)) return refuse('ESRCH');
  if (pirq < 0 || pirq >= NR_PIRQS || xen.evtchn.pirqs.of(target)?.state.is(pirq) !== 'mapped') return refuse('EINVAL');
  const port = xen.evtchn.pirqs.of(target)!.port.at(pirq);
  const unmapped: Fact = { type: 'physdev.pirq_unmapped', domid: target, pirq };
  const facts: Fact[] = port === 0 ? [unmapped] : [{ type: 'evtchn.closed', domid: target, port }, unmapped];
  return accept({}, ...facts);
}

/** The interrupt is done with. With the older kind of EOI map, that unmasks its channel as well. */
function eoi(xen: Xen, { domid, irq }: CommandOf<'physdev.eoi'>, now: Ns, guest: GuestReader): Outcome {
  if (irq < 0 || irq >= NR_PIRQS || !isKnown(xen, domid, irq)) return refuse('EINVAL');
  const port = xen.evtchn.pirqs.of(domid)?.port.at(irq) ?? 0;
  if (xen.control.row.auto_unmask.at(domid) === 0 || port === 0) return accept();
  return accept({}, ...(decideEvtchn(xen, { type: 'evtchn.unmask', domid, port }, now, guest).events ?? []));
}

/** get_free_pirq(): a GSI that no interrupt of the machine's own has, or one from the end. */
function freePirq(xen: Xen, domid: DomId, type: number): number {
  if (type === MAP_PIRQ_TYPE_GSI) for (let pirq = 16; pirq < NR_IRQS_GSI; pirq++) if (!isKnown(xen, domid, pirq)) return pirq;
  for (let pirq = NR_PIRQS - 1; pirq >= NR_IRQS_GSI; pirq--) if (!isKnown(xen, domid, pirq)) return pirq;
  return -1;
}

interface Device {
  readonly domid: DomId;
  readonly seg: number;
  readonly bus: number;
  readonly devfn: number;
  readonly info: { readonly is_extfn: boolean; readonly is_virtfn: boolean; readonly physfn: number } | undefined;
}
/** Ours: no machine has more, and every device is state. */
const MAX_DEVICES = 4096;

/** pci_add_device(): the device is dom0's. A virtual function brings the device of which it is one. */
function addDevice(xen: Xen, { domid, seg, bus, devfn, info }: Device, now: Ns, guest: GuestReader): Outcome {
  if (!isPrivileged(domid)) return refuse('EPERM');
  const sbdf = sbdfOf(seg, bus, devfn);
  const count = [...xen.physdev.pci.inUse(0)].length;
  if (count + 2 > MAX_DEVICES) return refuse('ENOMEM');
  const added = (which: number, is_extfn: boolean, is_virtfn: boolean, physfn: number): Fact => ({
    type: 'physdev.device_added',
    sbdf: which,
    is_extfn,
    is_virtfn,
    physfn,
  });
  const facts: Fact[] = [];
  const physfn = info?.is_virtfn === true ? info.physfn : 0;
  const parent = info?.is_virtfn === true ? xen.physdev.find(physfn) : -1;
  if (info?.is_virtfn === true && parent < 0 && physfn !== sbdf) facts.push(added(physfn, false, false, 0));
  const is_extfn =
    info?.is_virtfn === true ? parent >= 0 && xen.physdev.pci.of(0)!.is_extfn.at(parent) === 1 : info?.is_extfn === true;
  if (xen.physdev.find(sbdf) < 0) facts.push(added(sbdf, is_extfn, info?.is_virtfn === true, physfn));
  const kind = info?.is_virtfn ? 'virtual function' : info?.is_extfn ? 'extended function' : 'device';
  return accept({}, ...facts, ...printk(xen, now, guest, [{ level: 'debug', text: `PCI add ${kind} ${sbdfText(sbdf)}` }]));
}

function removeDevice(xen: Xen, domid: DomId, sbdf: number, now: Ns, guest: GuestReader): Outcome {
  if (!isPrivileged(domid)) return refuse('EPERM');
  if (xen.physdev.find(sbdf) < 0) return refuse('ENODEV');
  const says = printk(xen, now, guest, [{ level: 'debug', text: `PCI remove device ${sbdfText(sbdf)}` }]);
  return accept({}, { type: 'physdev.device_removed', sbdf }, ...says);
}
