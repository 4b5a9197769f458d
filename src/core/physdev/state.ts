// The machine's PCI devices as dom0 has told Xen of them, and its interrupt controllers' registers.
import type { DomId } from '../../../events/units.ts';
import type { Journal } from '../../tables/journal.ts';
import { Table } from '../../tables/table.ts';

/** Rows in the order in which the devices came. */
export const pciSchema = {
  /** "quarantined" devices belong to nobody: DOMID_IO has them. */
  state: ['none', 'assigned', 'quarantined'],
  /** segment << 16 | bus << 8 | devfn */
  sbdf: 'u32',
  domid: 'u16',
  is_extfn: 'u8',
  is_virtfn: 'u8',
  physfn: 'u32',
  /** Its MSI-X table is kept for whoever gets it. */
  msix_prepared: 'u8',
} as const;
/** Row GSI: whether it is set up, and how (bit 0 triggering, bit 1 polarity). */
export const gsiSchema = { state: ['none', 'registered'], mode: 'u8' } as const;
/** Row pin: the lower half of its redirection entry, as the difference to a masked one. */
export const ioapicSchema = { unmasked: 'u32' } as const;
/** What an entry is until somebody writes it: masked. */
export const MASKED = 1 << 16;
/** GSIs of a machine with one IO-APIC. */
export const NR_IRQS_GSI = 24;

export class Physdev {
  readonly pci: Table<typeof pciSchema>;
  readonly gsi: Table<typeof gsiSchema>;
  readonly ioapic: Table<typeof ioapicSchema>;
  constructor(journal: Journal) {
    this.pci = new Table('pci', pciSchema, journal, 8);
    this.gsi = new Table('gsi', gsiSchema, journal, 8);
    this.ioapic = new Table('ioapic', ioapicSchema, journal, 8);
    for (const table of this.tables) table.add(0);
  }
  get tables() {
    return [this.pci, this.gsi, this.ioapic] as const;
  }
  /** The row of a device, or -1. */
  find(sbdf: number): number {
    for (const [row, device] of this.pci.inUse(0)) if (device.sbdf === sbdf) return row;
    return -1;
  }
  /** Those that a domain has been given. */
  *of(domid: DomId): Generator<number> {
    for (const [row, { state, domid: owner }] of this.pci.inUse(0)) if (state === 'assigned' && owner === domid) yield row;
  }
  /** The pins of the IO-APIC: the lower half of each entry, and what the interrupt was set up as. */
  *pins(): Generator<{ readonly pin: number; readonly entry: number; readonly isMasked: boolean; readonly setUp: string }> {
    const { unmasked } = this.ioapic.of(0)!;
    const { state, mode } = this.gsi.of(0)!;
    for (let pin = 0; pin < NR_IRQS_GSI; pin++) {
      const entry = (unmasked.at(pin) ^ MASKED) >>> 0;
      const how = `${mode.at(pin) & 1 ? 'level' : 'edge'}, active ${mode.at(pin) & 2 ? 'low' : 'high'}`;
      yield { pin, entry, isMasked: (entry & MASKED) !== 0, setUp: state.is(pin) === 'none' ? '' : how };
    }
  }
  /** Those whose MSI-X tables are set aside. */
  *prepared(): Generator<{ readonly sbdf: string; readonly domid: DomId }> {
    for (const [, { sbdf, domid, msix_prepared }] of this.pci.inUse(0))
      if (msix_prepared === 1) yield { sbdf: sbdfText(sbdf), domid };
  }
  *devices(): Generator<{ readonly sbdf: string; readonly domid: DomId }> {
    for (const [, { sbdf, domid }] of this.pci.inUse(0)) yield { sbdf: sbdfText(sbdf), domid };
  }
}

/** segment << 16 | bus << 8 | devfn, of as many bits as each has. */
export const sbdfOf = (seg: number, bus: number, devfn: number): number =>
  (seg & 0xffff) * 2 ** 16 + ((bus & 0xff) << 8) + (devfn & 0xff);

/** ssss:bb:dd.f */
export function sbdfText(sbdf: number): string {
  const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0');
  const devfn = sbdf & 0xff;
  return `${hex(sbdf >>> 16, 4)}:${hex((sbdf >>> 8) & 0xff, 2)}:${hex(devfn >> 3, 2)}.${devfn & 7}`;
}
