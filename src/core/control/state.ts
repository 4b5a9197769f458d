// What the toolstack has said about domains that stand, beyond what makes, runs and ends them.
import { SETTINGS } from '../../../events/control.ts';
import type { DomId, Pages } from '../../../events/units.ts';
import type { Journal } from '../../tables/journal.ts';
import { Records } from '../../tables/records.ts';
import { Table } from '../../tables/table.ts';
import { NR_IRQS_GSI } from '../physdev/state.ts';
import { nothing, type RangeSet, rangesOf } from '../rangeset.ts';

/** The row is the domain. */
export const controlSchema = {
  debugger_attached: 'u8',
  /** The domain that this one is the device model of, plus one. */
  target_plus_1: 'u16',
  /** XEN_DOMCTL_CDF_* and the emulators that it was created with. */
  cdf: 'u32',
  emulation_flags: 'u32',
  misc_flags: 'u32',
  /** It has been unpaused for the first time: what it is can not be changed any more. */
  creation_finished: 'u8',
  suspend_evtchn: 'u32',
  access_required: 'u8',
  log_dirty: 'u8',
  /** A bit for each XEN_DOMCTL_MONITOR_EVENT_* that is reported. */
  monitor: 'u32',
  /** physdev's map of pirqs that need an EOI: its frame plus one, and whether an EOI unmasks. */
  pirq_eoi_mfn_plus_1: 'f64',
  auto_unmask: 'u8',
  /** HVM: ACPI S3. */
  s3_suspended: 'u8',
} as const;

/** Row vcpu; only domains of which a vCPU has any of it have rows. */
export const controlVcpuSchema = {
  /** How often the toolstack has paused this vCPU alone (gdbsx). */
  controller_pause_count: 'u16',
  /** The trap that a debugger is to be told of. */
  debug_event: 'u8',
  iopl: 'u8',
  iobmp_limit: 'u32',
  /** HVM: the vector that an event is delivered by, and the event that the device model has injected, plus one. */
  upcall_vector: 'u8',
  injected_plus_1: 'u16',
} as const;

export interface Access {
  readonly irqs: RangeSet;
  readonly iomem: RangeSet;
  readonly ioports: RangeSet;
}
export type Setting = (typeof SETTINGS)[number];
/** Each as JSON, as it was set; what was not is not there. */
export type Settings = Readonly<Partial<Record<Setting, string>>>;

/** Numbers of the machine that everybody has (xen/arch/x86/dom0_build.c, dom0_setup_permissions()). */
export const LAST_IOPORT = 0xffff;
/** Machine frames that an address of 40 bits reaches, as the recorded machine's processor has them. */
export const LAST_FRAME = 2 ** 28 - 1;

/** Where messages of interrupts go, the local APIC's registers among them; and what AMD's processors keep for HyperTransport. */
const MSI = { first: 0xfee00, last: 0xfeeff } as const;
const HYPERTRANSPORT = 0xfd00000;
/** dom0 has the machine but for what Xen drives itself: interrupt controllers, timers (0x608 is ACPI's), com1, PCI's configuration. */
const dom0Access: Access = {
  irqs: [1, NR_IRQS_GSI - 1],
  iomem: [0, MSI.first - 1, MSI.last + 1, HYPERTRANSPORT - 1],
  ioports: [0, 0x1f, 0x22, 0x3f, 0x44, 0x60, 0x62, 0x9f, 0xa2, 0x3f7, 0x400, 0x607, 0x60c, 0xcfb, 0xd00, LAST_IOPORT],
};
const noAccess: Access = { irqs: nothing, iomem: nothing, ioports: nothing };

export class Control {
  readonly rows: Table<typeof controlSchema>;
  readonly vcpus: Table<typeof controlVcpuSchema>;
  readonly settings: Records<Settings>;
  /** A domain's pool of pages for page tables, as ranges of frames. */
  private readonly pools: Records<{ readonly frames: RangeSet }>;
  private readonly accesses: Records<Access>;
  constructor(journal: Journal) {
    this.rows = new Table('control', controlSchema, journal, 16);
    this.vcpus = new Table('control.vcpu', controlVcpuSchema, journal, 4);
    this.pools = new Records('control.pools', journal);
    this.settings = new Records('control.settings', journal);
    this.accesses = new Records('control.access', journal);
    this.rows.add(0);
  }
  get sparseTables() {
    return [this.vcpus] as const;
  }
  get records() {
    return [this.settings, this.accesses, this.pools] as const;
  }
  get row() {
    return this.rows.of(0)!;
  }
  /** What a domain may use of the machine. */
  access(domid: DomId): Access {
    return this.accesses.get(domid) ?? (domid === 0 ? dom0Access : noAccess);
  }
  setAccess(domid: DomId, name: keyof Access, ranges: RangeSet): void {
    const { irqs, iomem, ioports } = this.access(domid);
    this.accesses.set(domid, { irqs, iomem, ioports, [name]: [...ranges] });
  }
  setting<T>(domid: DomId, name: Setting): T | undefined {
    const json = this.settings.get(domid)?.[name];
    return json === undefined ? undefined : (JSON.parse(json) as T);
  }
  /** Always in one order, so that equal settings are equal states. */
  set(domid: DomId, name: Setting, json: string): void {
    const all = { ...this.settings.get(domid), [name]: json };
    const ordered = SETTINGS.filter((setting) => all[setting] !== undefined).map((setting) => [setting, all[setting]]);
    this.settings.set(domid, Object.fromEntries(ordered) as Settings);
  }
  /** How often the toolstack has paused one vCPU. */
  pausesOf(domid: DomId, vcpu: number): number {
    return this.vcpus.of(domid)?.controller_pause_count.at(vcpu) ?? 0;
  }
  pool(domid: DomId): RangeSet {
    return this.pools.get(domid)?.frames ?? nothing;
  }
  setPool(domid: DomId, frames: RangeSet): void {
    if (frames.length === 0) this.pools.delete(domid);
    else this.pools.set(domid, { frames: [...frames] });
  }
  poolPages(domid: DomId): Pages {
    let pages = 0;
    for (const [first, last] of rangesOf(this.pool(domid))) pages += last - first + 1;
    return pages;
  }
  /** What a debug key prints of a domain. */
  *describe(domid: DomId): Generator<string> {
    const { irqs, iomem, ioports } = this.access(domid);
    const shown = (set: RangeSet): string =>
      [...rangesOf(set)].map(([a, b]) => (a === b ? a.toString(16) : `${a.toString(16)}-${b.toString(16)}`)).join(', ');
    yield `Interrupts      { ${[...rangesOf(irqs)].map(([a, b]) => (a === b ? `${a}` : `${a}-${b}`)).join(', ')} }`;
    yield `I/O Memory      { ${shown(iomem)} }`;
    yield `I/O Ports       { ${shown(ioports)} }`;
  }
}
