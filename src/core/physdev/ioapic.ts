// The machine's IO-APIC, as dom0 may see and program it (xen/arch/x86/io_apic.c, ioapic_guest_read() and ioapic_guest_write()).
import { accept, type GuestReader, refuse } from '../../../events/step.ts';
import type { Ns } from '../../../events/units.ts';
import type { CommandOf, Outcome } from '../../../events/vocabulary.ts';
import { hex64, wordsOf } from '../../abi/u64.ts';
import { printk } from '../console/printk.ts';
import type { Xen } from '../xen.ts';
import { MASKED, NR_IRQS_GSI } from './state.ts';

const PHYSBASE = '0xfec00000';
const REG = { ID: 0, VERSION: 1, ARBITRATION: 2, ENTRIES: 0x10 } as const;
/** So many entries (less one) in bits 16 to 23, and the version of the chip. */
const VERSION = ((NR_IRQS_GSI - 1) << 16) | 0x20;
const LOWEST_PRIORITY = 1;

export function apicRead(xen: Xen, { apic_physbase, reg }: CommandOf<'physdev.apic_read'>): Outcome {
  if (hex64(wordsOf(apic_physbase)) !== PHYSBASE) return refuse('EINVAL');
  const entry = reg - REG.ENTRIES;
  if (entry >= 0 && entry < 2 * NR_IRQS_GSI) {
    const { unmasked } = xen.physdev.ioapic.of(0)!;
    return accept({ value: entry % 2 === 1 ? 0 : (unmasked.at(entry >> 1) ^ MASKED) >>> 0 });
  }
  return accept({ value: reg === REG.VERSION ? VERSION : 0 });
}

/** Only the lower half of an entry is dom0's: where an interrupt goes, Xen decides. */
export function apicWrite(xen: Xen, command: CommandOf<'physdev.apic_write'>, now: Ns, guest: GuestReader): Outcome {
  const { apic_physbase, reg, value } = command;
  if (hex64(wordsOf(apic_physbase)) !== PHYSBASE) return refuse('EINVAL');
  if (reg < REG.ENTRIES || (reg & 1) === 1) return accept();
  const pin = (reg - REG.ENTRIES) >> 1;
  if (((value >>> 8) & 7) > LOWEST_PRIORITY) {
    const text = `IO-APIC pin ${pin}: an entry with a delivery mode that no interrupt has (${(value >>> 0).toString(16)})`;
    return refuse('EINVAL', undefined, ...printk(xen, now, guest, [{ text }]));
  }
  if (pin >= NR_IRQS_GSI) return refuse('EINVAL');
  return accept({}, { type: 'physdev.apic_written', reg: pin, value: value >>> 0 });
}
