// PCI devices for domains (xen/drivers/passthrough/pci.c, iommu.c): with an IOMMU, and refused where there is none.
import { accept, type GuestReader, refuse } from '../../../events/step.ts';
import { DOMID_INVALID, DOMID_IO, type DomId, type Ns } from '../../../events/units.ts';
import type { CommandOf, Outcome } from '../../../events/vocabulary.ts';
import { printk } from '../console/printk.ts';
import { sbdfText } from '../physdev/state.ts';
import type { Xen } from '../xen.ts';
import { permits } from '../xsm.ts';
import { hasIommu } from './access.ts';

const DEV_PCI = 0;
const DEV_RDM_RELAXED = 1;
/** Devices that nobody has are DOMID_IO's. */
const iommuOf = (xen: Xen, domain: DomId): boolean =>
  domain === DOMID_IO || domain === DOMID_INVALID ? xen.iommu : hasIommu(xen, domain);

export function assignDevice(xen: Xen, command: CommandOf<'domctl.assign_device'>): Outcome {
  const { domid, domain, dev, flags, machine_sbdf } = command;
  if (!iommuOf(xen, domain)) return refuse('EOPNOTSUPP');
  if (domain === domid) return refuse('EINVAL');
  if (dev !== DEV_PCI) return refuse('ENODEV');
  if ((domain !== DOMID_IO && !xen.isAlive(domain)) || (flags & ~DEV_RDM_RELAXED) !== 0) return refuse('EINVAL');
  const row = xen.physdev.find(machine_sbdf);
  // Whoever is given one must not run yet with another, and dom0 is who has it (device_assigned()).
  if (row < 0 || !isFree(xen, row)) return refuse('ENODEV');
  if (domain !== DOMID_IO && xen.control.row.log_dirty.at(domain) === 1) return refuse('EXDEV');
  return accept(
    {},
    {
      type: 'physdev.device_assigned',
      domid: domain === DOMID_IO ? 0 : domain,
      sbdf: machine_sbdf,
      quarantined: domain === DOMID_IO,
    },
  );
}

export function testAssignDevice(
  xen: Xen,
  command: CommandOf<'domctl.test_assign_device'>,
  now: Ns,
  guest: GuestReader,
): Outcome {
  const { domid, domain, dev, flags, machine_sbdf } = command;
  if (!iommuOf(xen, domain)) return refuse('EOPNOTSUPP');
  if (domain === domid) return refuse('EINVAL');
  if (dev !== DEV_PCI) return refuse('ENODEV');
  if (flags !== 0) return refuse('EINVAL');
  const row = xen.physdev.find(machine_sbdf);
  if (row >= 0 && isFree(xen, row)) return accept();
  const text = `${sbdfText(machine_sbdf)} is there for nobody`;
  return refuse('EINVAL', undefined, ...printk(xen, now, guest, [{ level: 'info', guest: true, text }]));
}

export function deassignDevice(xen: Xen, command: CommandOf<'domctl.deassign_device'>): Outcome {
  const { domid, domain, dev, flags, machine_sbdf } = command;
  if (!iommuOf(xen, domain)) return refuse('EOPNOTSUPP');
  if (domain === domid) return refuse('EINVAL');
  if (dev !== DEV_PCI) return refuse('ENODEV');
  if (flags !== 0) return refuse('EINVAL');
  const row = xen.physdev.find(machine_sbdf);
  const device = row < 0 ? undefined : xen.physdev.pci.row(0, row);
  const isTheirs =
    domain === DOMID_IO ? device?.state === 'quarantined' : device?.state === 'assigned' && device.domid === domain;
  if (!isTheirs) return refuse('ENODEV');
  return accept({}, { type: 'physdev.device_assigned', domid: 0, sbdf: machine_sbdf, quarantined: domain !== DOMID_IO });
}

/** Every device is a group of its own here: each has a path to the IOMMU alone. */
export function getDeviceGroup(xen: Xen, command: CommandOf<'domctl.get_device_group'>): Outcome {
  const { domid, domain, machine_sbdf, max_sdevs } = command;
  if (!hasIommu(xen, domain)) return refuse('EOPNOTSUPP');
  if (!permits(xen, 'priv', domid, undefined)) return refuse('EPERM');
  const row = xen.physdev.find(machine_sbdf);
  return accept({ sdevs: row < 0 || max_sdevs < 1 ? [] : [machine_sbdf] });
}

const isFree = (xen: Xen, row: number): boolean => {
  const { state, domid } = xen.physdev.pci.row(0, row);
  return state === 'quarantined' || domid === 0;
};
