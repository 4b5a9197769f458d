// The hypervisor's state: every table that the core's `evolve` writes, and the questions that all subsystems ask of them.

import type { GuestReader } from '../../events/step.ts';
import { DOMID_SELF, type DomId, type Gfn, type Mfn, type Pages } from '../../events/units.ts';
import { EVTCHN_FIFO } from '../abi/event-channel.ts';
import type { Journal } from '../tables/journal.ts';
import type { Records } from '../tables/records.ts';
import { type Cell, digestOf, mix, type Rows, type Table, type TableSchema, type TableSnapshot } from '../tables/table.ts';
import { Console } from './console/state.ts';
import { Control } from './control/state.ts';
import { Domains, type domainSchema } from './domain/state.ts';
import { mustNotBlock } from './evtchn/pending.ts';
import { EVTCHN_2L_NR_CHANNELS, EVTCHN_2L_NR_CHANNELS_32, Evtchn } from './evtchn/state.ts';
import { Gnttab, isPinnedToWrite } from './gnttab/state.ts';
import { Hvm } from './hvm/state.ts';
import { Mm } from './mm/state.ts';
import { P2m, type P2mSnapshot, type Slot, UNPLACED } from './p2m/state.ts';
import { type Parameters, parametersOf } from './parameters.ts';
import { Physdev } from './physdev/state.ts';
import { Platform } from './platform/state.ts';
import { DEFAULT_WEIGHT } from './sched/credit2-arithmetic.ts';
import { Sched, type SchedOptions } from './sched/state.ts';
import { Clock, type ClockOptions } from './time/state.ts';
import { Timers } from './timer/state.ts';
import { Trace } from './trace/state.ts';

export interface XenOptions extends SchedOptions {
  readonly totalPages: Pages;
  /** What Xen was booted with, as xen_version tells it. */
  readonly commandline?: string;
  /** Whether there are 32-bit PV domains (pv=32). */
  readonly pv32?: boolean;
  readonly clock?: ClockOptions;
  /** Whether Xen was built with CONFIG_VERBOSE_DEBUG, where every domain may write on its console. */
  readonly verboseDebug?: boolean;
  /** Whether the machine has an IOMMU that Xen uses. */
  readonly iommu?: boolean;
  /** Whether Xen was built for the debugger gdbsx (CONFIG_GDBSX), which the recorded one was not. */
  readonly gdbsx?: boolean;
}

const noSlots: readonly Slot[] = [];

export interface XenSnapshot {
  readonly tables: readonly TableSnapshot[];
  readonly records: readonly ReadonlyMap<number, object>[];
  readonly p2m: P2mSnapshot;
}

export class Xen {
  readonly journal: Journal;
  readonly p2m: P2m;
  readonly mm: Mm;
  readonly sched: Sched;
  readonly evtchn: Evtchn;
  readonly timers: Timers;
  readonly gnttab: Gnttab;
  readonly domains: Domains;
  /** The domains' rows, asked several times in every step: held, and not looked up. */
  private readonly row: Rows<typeof domainSchema>;
  readonly console: Console;
  readonly physdev: Physdev;
  readonly control: Control;
  readonly hvm: Hvm;
  readonly platform: Platform;
  readonly trace: Trace;
  /** Every table of the core, in a fixed order. */
  readonly tables: readonly Table<TableSchema>[];
  /** Those in which a domain has rows of its own. */
  readonly tablesPerDomain: readonly Table<TableSchema>[];
  /** Those in which only a domain that needs them has rows. */
  readonly sparseTables: readonly Table<TableSchema>[];
  /** The columns of which each domain has one value. */
  readonly domainCells: readonly Cell[];
  /** Cold state, in a fixed order. */
  readonly records: readonly Records<object>[];
  /** Those of which a domain has at most one, by its id. */
  readonly recordsPerDomain: readonly Records<object>[];

  readonly commandline: string;
  readonly parameters: Parameters;
  readonly verboseDebug: boolean;
  readonly iommu: boolean;
  readonly gdbsx: boolean;
  readonly pv32: boolean;
  readonly clock: Clock;

  constructor(journal: Journal, options: XenOptions) {
    const { totalPages, commandline = '', pv32 = false, clock = {}, verboseDebug = false, iommu = false } = options;
    this.gdbsx = options.gdbsx ?? false;
    this.journal = journal;
    this.commandline = commandline;
    this.parameters = parametersOf(commandline);
    this.verboseDebug = verboseDebug;
    this.iommu = iommu;
    this.pv32 = pv32;
    this.clock = new Clock(journal, clock);
    this.p2m = new P2m(journal, totalPages);
    this.mm = new Mm(journal);
    this.sched = new Sched(journal, options);
    this.evtchn = new Evtchn(journal);
    this.timers = new Timers(journal);
    this.gnttab = new Gnttab(journal);
    this.domains = new Domains(journal);
    this.row = this.domains.rows.of(0)!;
    this.console = new Console(journal, this.parameters, options.nrCpus);
    this.physdev = new Physdev(journal);
    this.control = new Control(journal);
    this.hvm = new Hvm(journal);
    this.platform = new Platform(journal);
    this.trace = new Trace(journal);
    this.sparseTables = [
      ...this.p2m.sparseTables,
      ...this.mm.sparseTables,
      ...this.sched.sparse,
      this.evtchn.pirqs,
      ...this.evtchn.fifoTables,
      this.gnttab.statusFrames,
      ...this.control.sparseTables,
      ...this.hvm.sparseTables,
    ] as unknown as Table<TableSchema>[];
    this.tables = [
      ...this.domains.tables,
      ...this.sched.tables,
      ...this.evtchn.tables,
      ...this.timers.tables,
      ...this.gnttab.tables,
      this.evtchn.handlers,
      ...this.console.tables,
      ...this.physdev.tables,
      ...this.platform.tables,
      ...this.trace.tables,
      this.control.rows,
      ...this.sparseTables,
      ...this.clock.tables,
      this.mm.frames,
      this.p2m.m2p,
    ] as unknown as Table<TableSchema>[];
    this.tablesPerDomain = [
      this.sched.vcpu,
      ...this.evtchn.tables,
      this.timers.rows,
      ...this.gnttab.tables,
    ] as unknown as Table<TableSchema>[];
    this.domainCells = [this.domains.rows, this.domains.handles, this.control.rows].flatMap((table) => {
      const rows = (table as unknown as Table<TableSchema>).of(0)!;
      return Object.keys(table.schema).map((column) => rows[column] as unknown as Cell);
    });
    this.recordsPerDomain = [this.console.lines, ...this.control.records, ...this.hvm.records] as unknown as Records<object>[];
    this.records = [
      this.p2m.memoryMaps,
      this.mm.contexts,
      ...this.recordsPerDomain,
      this.console.typed,
      ...this.platform.records,
      this.trace.placed,
    ] as unknown as Records<object>[];
  }

  /** The domains' rows; the owner of all is 0, the row is the domain id. */
  get domain(): Domains['rows'] {
    return this.domains.rows;
  }
  exists(domid: DomId): boolean {
    return this.row.state.is(domid) !== 'none';
  }
  /** The domains that exist, ascending. */
  *domids(): Generator<DomId> {
    for (const [domid] of this.domain.inUse(0)) yield domid;
  }
  /** Whether a domain's structures are those of a 32-bit guest (has_32bit_shinfo of struct arch_domain). */
  is32bit(domid: DomId): boolean {
    return this.row.is_32bit.at(domid) !== 0;
  }
  /** How many ports a domain's event channel ABI has. */
  maxPorts(domid: DomId): number {
    if (this.evtchn.isFifo(domid)) return EVTCHN_FIFO.NR_CHANNELS;
    return this.is32bit(domid) ? EVTCHN_2L_NR_CHANNELS_32 : EVTCHN_2L_NR_CHANNELS;
  }
  isAlive(domid: DomId): boolean {
    return this.row.state.is(domid) === 'alive';
  }
  hasVcpu(domid: DomId, vcpu: number): boolean {
    return vcpu >= 0 && vcpu < this.row.nr_vcpus.at(domid);
  }
  weight(domid: DomId): number {
    return this.row.weight.at(domid);
  }
  /** The place of a domain's pool. */
  poolOf(domid: DomId): number {
    const plus1 = this.row.cpupool_plus_1.at(domid);
    return plus1 === 0 ? 0 : plus1 - 1;
  }
  /** The highest weight of a pool's domains: what running costs is counted by it. */
  maxWeight(pool: number): number {
    const highest = this.sched.pools.of(0)!.max_weight.at(pool);
    return highest === 0 ? DEFAULT_WEIGHT : highest;
  }
  /** The domain that an argument means: DOMID_SELF is whoever asks. */
  self(caller: DomId, domid: DomId): DomId {
    return domid === DOMID_SELF ? caller : domid;
  }
  /** The frame of a domain's shared info page, 0 where it does not exist. */
  sharedInfo(domid: DomId): Mfn {
    return this.row.shared_info_mfn.at(domid);
  }
  upcallPending(domid: DomId, vcpu: number, guest: GuestReader): boolean {
    return mustNotBlock(this, domid, vcpu, guest);
  }
  /** What a guest writes into a grant entry for one of its pages: a PV guest knows machine frames, others their own. */
  grantFrameNumber(domid: DomId, gfn: Gfn): number {
    return this.row.hvm.at(domid) === 1 ? gfn : this.p2m.mfn(domid, gfn);
  }
  /** The frame that a grant entry of `domid` names, or -1 where it is not the domain's to give. */
  grantedFrame(domid: DomId, frame: number): Mfn {
    if (this.row.hvm.at(domid) === 1) return frame < UNPLACED ? this.p2m.mfn(domid, frame) : -1;
    return this.p2m.gfn(domid, frame) < 0 ? -1 : frame;
  }
  /** Whether a domain has given everything back but frames that others have mapped. */
  isZombie(domid: DomId): boolean {
    return this.row.state.is(domid) === 'dead';
  }
  /** The frames of a domain that somebody has mapped by grants, or Xen for its event words or a vcpu_info: it can not give them back. */
  mappedFrames(domid: DomId): ReadonlySet<Mfn> {
    const mapped = new Set<Mfn>();
    const { mfn, length } = this.gnttab.active.of(domid)!;
    for (let ref = 0; ref < length; ref++) if (mfn.at(ref) !== 0) mapped.add(mfn.at(ref));
    for (const slot of this.shownBy(domid)) mapped.add(slot.mfn);
    for (const [frame, info] of this.mm.all()) if (info.domid === domid) mapped.add(frame);
    for (const own of this.usedByXen(domid)) mapped.add(own);
    return mapped;
  }
  /** The frames of a domain in which Xen keeps its event words and its vcpu_infos. */
  *usedByXen(domid: DomId): Generator<Mfn> {
    for (const table of [this.evtchn.controls, this.evtchn.arrays])
      for (const [, { mfn_plus_1 }] of table.inUse(domid)) yield mfn_plus_1 - 1;
    const { info_mfn_plus_1 } = this.sched.vcpu.of(domid)!;
    for (let vcpu = 0; vcpu < this.row.nr_vcpus.at(domid); vcpu++)
      if (info_mfn_plus_1.at(vcpu) !== 0) yield info_mfn_plus_1.at(vcpu) - 1;
  }
  isUsedByXen(domid: DomId, mfn: Mfn): boolean {
    for (const own of this.usedByXen(domid)) if (own === mfn) return true;
    return false;
  }
  /** How many times others hold a domain's frames, by grants, in their physmaps or in their page tables: it can not go before they let go. */
  holdsOn(domid: DomId): number {
    const { foreign_maps, shown_slots } = this.row;
    return foreign_maps.at(domid) + shown_slots.at(domid) + this.mm.foreignRefs(domid);
  }
  /** Whether others, or the domain's own page tables, hold this frame of a domain, so that it stays when the domain gives it back. Xen's own holds are not of these. */
  isHeld(domid: DomId, mfn: Mfn): boolean {
    return this.isGrantMapped(mfn) || this.isHeldElsewhere(domid, mfn);
  }
  /** Whether a domain can not give this frame back as if nobody knew it: it is one of its `mappedFrames`. */
  isKept(domid: DomId, mfn: Mfn): boolean {
    return this.isHeld(domid, mfn) || this.isUsedByXen(domid, mfn);
  }
  /** Pages of other domains' physmaps that show frames of this one. Mostly there are none. */
  shownBy(domid: DomId): readonly Slot[] {
    return this.row.shown_slots.at(domid) === 0 ? noSlots : this.p2m.shownBy(domid);
  }
  /** Whether anything but a grant holds it, beside so many references of page tables that are about to go. */
  isHeldElsewhere(domid: DomId, mfn: Mfn, going = 0): boolean {
    return this.mm.frame(mfn).refs > going || this.shownBy(domid).some((slot) => slot.mfn === mfn);
  }
  /** Whether Xen may keep something of its own in a domain's frame: not where that is a page table, or already given back. */
  mayKeepIn(domid: DomId, mfn: Mfn): boolean {
    return mfn >= 0 && !this.mm.isProtected(mfn) && !this.p2m.isReleased(domid, mfn);
  }
  /** Pages that Xen has made for a domain, beside its memory: its shared info page, its grant table's, those of its ioreq servers. */
  specialFrames(domid: DomId): ReadonlySet<Mfn> {
    const frames = new Set<Mfn>();
    if (!this.exists(domid)) return frames;
    frames.add(this.sharedInfo(domid));
    for (const table of [this.gnttab.frames, this.gnttab.statusFrames])
      for (const [, { mfn_plus_1 }] of table.inUse(domid)) frames.add(mfn_plus_1 - 1);
    for (const mfn of this.hvm.ioreqFrames(domid)) frames.add(mfn);
    return frames;
  }
  /** Memory of a domain that is written to without its page tables: by those to whom it is granted, by Xen for events. */
  writtenFrames(domid: DomId): ReadonlySet<Mfn> {
    const frames = new Set<Mfn>();
    const active = this.gnttab.active.of(domid)!;
    for (let ref = 0; ref < active.length; ref++) if (isPinnedToWrite(active, ref)) frames.add(active.mfn.at(ref));
    for (const mfn of this.usedByXen(domid)) frames.add(mfn);
    return frames;
  }

  /** Whether somebody has mapped a frame by a grant. Its owner granted it. */
  isGrantMapped(mfn: Mfn): boolean {
    return this.gnttab.usesOf(mfn) > 0;
  }
  /** The domain to which a frame belongs, as a page of its or as a table that it shares with Xen; -1 where that is nobody. */
  ownerOf(mfn: Mfn): DomId {
    for (const domid of this.domids()) {
      if (this.p2m.gfn(domid, mfn) >= 0 || this.sharedInfo(domid) === mfn) return domid;
      for (const table of [this.gnttab.frames, this.gnttab.statusFrames])
        for (const [, { mfn_plus_1 }] of table.inUse(domid)) if (mfn_plus_1 === mfn + 1) return domid;
      if (this.hvm.ioreqFrames(domid).includes(mfn)) return domid;
    }
    return -1;
  }

  digest(without?: ReadonlySet<string>): number {
    return mix(this.p2m.digest(), digestOf([...this.tables, ...this.records], without)) >>> 0;
  }
  snapshot(): XenSnapshot {
    return {
      tables: this.tables.map((table) => table.snapshot()),
      records: this.records.map((record) => record.snapshot()),
      p2m: this.p2m.snapshot(),
    };
  }
  restore(snapshot: XenSnapshot): void {
    this.tables.forEach((table, i) => {
      table.restore(snapshot.tables[i]!);
    });
    this.records.forEach((record, i) => {
      record.restore(snapshot.records[i]!);
    });
    this.gnttab.recount();
    this.p2m.restore(snapshot.p2m);
  }
  *diff(other: Xen): Generator<string> {
    for (const [i, table] of this.tables.entries()) yield* table.diff(other.tables[i]!);
    for (const [i, record] of this.records.entries()) yield* record.diff(other.records[i]!);
    yield* this.p2m.diff(other.p2m);
  }
}
