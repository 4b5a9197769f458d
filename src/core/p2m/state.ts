// Who has which page of the machine: each domain's p2m, and the heap of free frames.
import type { DomId, Gfn, Mfn, Pages } from '../../../events/units.ts';
import type { Journal } from '../../tables/journal.ts';
import { Records } from '../../tables/records.ts';
import { mix, Table } from '../../tables/table.ts';
import { insert, lookup, overlaps, type Range, type Ranges, remove, slice } from './ranges.ts';

/** Frames below this one are the hypervisor's own, as its image and the low megabytes are. */
export const FIRST_FREE_MFN = 0x1000;
const none: Ranges = [];
/** Up to so many ranges are looked through faster than they are put in order. */
const FEW_RANGES = 8;

/**
 * From here on stand pages that a domain has without a page number of its own: what increase_reservation gives a PV domain, which
 * knows them by their frames. Page UNPLACED + mfn is frame mfn.
 */
export const UNPLACED = 2 ** 40;
/** From here on stand the pages that a domain has for what is to be populated on demand, in the same way. */
export const POD_CACHE = 2 ** 41;
/** Rows in no order: a frame that a PV domain has given back and that others still have mapped, plus one. */
export const releasedSchema = { mfn_plus_1: 'f64' } as const;
export const claimSchema = { pages: 'f64' } as const;
/** Rows in no order: a page that shows a frame which is not of the domain's memory. `dom` is whose frame it is. */
export const slotSchema = { mfn_plus_1: 'f64', gfn: 'f64', dom: 'u16' } as const;
/** Row 0: where the next search for empty pages begins, and the highest page that a guest had populated on demand. */
export const sweepSchema = { reclaim_single: 'f64', max_guest: 'f64' } as const;
/** What a PV guest has made of a frame's entry in the machine-to-physical table, plus two: -1 is nobody's page. The owner is a run of 64 frames. */
export const m2pSchema = { gpfn_plus_2: 'f64' } as const;
/** A domain's memory map as its builder gave it: struct e820entry, one char a byte. */
export interface MemoryMap {
  readonly entries: string;
}
const M2P_RUN = 64;
export interface Slot {
  readonly row: number;
  readonly gfn: Gfn;
  readonly mfn: Mfn;
  readonly dom: DomId;
}

export interface P2mSnapshot {
  readonly domains: readonly (readonly [DomId, Ranges])[];
  readonly pod: readonly (readonly [DomId, Ranges])[];
  readonly free: Ranges;
}

/** Ranges are immutable values; replacing one is the only write, so one closure in the journal undoes it. */
export class P2m {
  private readonly domains: (Ranges | undefined)[] = [];
  /** Ranges never change, so what was made of them is good for as long as they are the domain's. */
  private readonly inverse: ({ readonly of: Ranges; readonly byFrame: Ranges } | undefined)[] = [];
  /** Pages that are to be populated on demand; gfn and mfn of these ranges are the same number. */
  private readonly onDemand: (Ranges | undefined)[] = [];
  /** Free frames; gfn and mfn of these ranges are the same number. */
  private freeFrames: Ranges;
  private readonly journal: Journal;
  readonly totalPages: Pages;
  /** Row 0 of a domain: how many pages are set aside for it, beyond those that it has. Only those with a claim have a row. */
  readonly claims: Table<typeof claimSchema>;
  readonly released: Table<typeof releasedSchema>;
  readonly slots: Table<typeof slotSchema>;
  readonly sweeps: Table<typeof sweepSchema>;
  readonly m2p: Table<typeof m2pSchema>;
  readonly memoryMaps: Records<MemoryMap>;

  constructor(journal: Journal, totalPages: Pages) {
    this.journal = journal;
    this.claims = new Table('claim', claimSchema, journal, 1);
    this.released = new Table('released', releasedSchema, journal, 4);
    this.slots = new Table('slot', slotSchema, journal, 4);
    this.sweeps = new Table('sweep', sweepSchema, journal, 1);
    this.m2p = new Table('m2p', m2pSchema, journal, M2P_RUN);
    this.memoryMaps = new Records('memory_map', journal);
    this.totalPages = totalPages;
    const count = totalPages - FIRST_FREE_MFN;
    this.freeFrames = count > 0 ? [{ gfn: FIRST_FREE_MFN, mfn: FIRST_FREE_MFN, count }] : none;
  }

  /** Tables in which only a domain that needs them has rows. */
  get sparseTables() {
    return [this.claims, this.released, this.slots, this.sweeps] as const;
  }
  get maxMfn(): Mfn {
    return this.totalPages - 1;
  }
  get free(): Ranges {
    return this.freeFrames;
  }
  get freePages(): Pages {
    return this.freeFrames.reduce((sum, range) => sum + range.count, 0);
  }
  /** How many pages are set aside for a domain (outstanding_pages of struct domain). */
  claimed(domid: DomId): Pages {
    return this.claims.of(domid)?.pages.at(0) ?? 0;
  }
  get allClaimed(): Pages {
    let pages = 0;
    for (const domid of this.claims.ids()) pages += this.claimed(domid);
    return pages;
  }
  isReleased(domid: DomId, mfn: Mfn): boolean {
    return this.releasedRow(domid, mfn) >= 0;
  }
  /** Notes that a frame waits for its last mapping, or (false) that it does no more. Only `evolve` calls this. */
  release(domid: DomId, mfn: Mfn, waits: boolean): void {
    const row = this.releasedRow(domid, mfn);
    if (row >= 0 === waits) return;
    if (!waits) {
      this.released.of(domid)!.mfn_plus_1.put(row, 0);
      return;
    }
    const { mfn_plus_1 } = this.released.of(domid) ?? this.released.add(domid);
    let free = 0;
    while (mfn_plus_1.at(free) !== 0) free++;
    mfn_plus_1.put(free, mfn + 1);
  }
  private releasedRow(domid: DomId, mfn: Mfn): number {
    const rows = this.released.of(domid);
    for (let row = 0; rows !== undefined && row < rows.length; row++) if (rows.mfn_plus_1.at(row) === mfn + 1) return row;
    return -1;
  }
  of(domid: DomId): Ranges {
    return this.domains[domid] ?? none;
  }
  /** The frame behind a domain's page, or -1. */
  mfn(domid: DomId, gfn: Gfn): Mfn {
    return lookup(this.of(domid), gfn);
  }

  /** The page of a domain that a frame backs, or -1. */
  gfn(domid: DomId, mfn: Mfn): Gfn {
    const ranges = this.of(domid);
    if (ranges.length > FEW_RANGES) return lookup(this.byFrame(domid, ranges), mfn);
    for (const range of ranges) if (mfn >= range.mfn && mfn < range.mfn + range.count) return range.gfn + (mfn - range.mfn);
    return -1;
  }
  /** The ranges of a domain with its frames for pages: what is looked up by frame. Made when it is first asked for. */
  private byFrame(domid: DomId, ranges: Ranges): Ranges {
    const known = this.inverse[domid];
    if (known?.of === ranges) return known.byFrame;
    const byFrame = ranges.map(({ gfn, mfn, count }) => ({ gfn: mfn, mfn: gfn, count })).sort((a, b) => a.gfn - b.gfn);
    this.inverse[domid] = { of: ranges, byFrame };
    return byFrame;
  }

  /** What a PV guest has put into a frame's entry of the machine-to-physical table; undefined where it has not. */
  machphys(mfn: Mfn): number | undefined {
    const gpfn = (this.m2p.of(Math.floor(mfn / M2P_RUN))?.gpfn_plus_2.at(mfn % M2P_RUN) ?? 0) - 2;
    return gpfn < -1 ? undefined : gpfn;
  }
  /** The slot that a page of a domain is, or the one that shows a frame. */
  slot(domid: DomId, gfn: Gfn): Slot | undefined {
    return this.slotsOf(domid).find((slot) => slot.gfn === gfn);
  }
  slotsOf(domid: DomId): Slot[] {
    return [...this.slots.inUse(domid)].map(([row, { mfn_plus_1, gfn, dom }]) => ({ row, gfn, mfn: mfn_plus_1 - 1, dom }));
  }
  /** Slots of other domains that show frames of this one. */
  shownBy(dom: DomId): Slot[] {
    const shown: Slot[] = [];
    for (const domid of this.slots.ids())
      if (domid !== dom) shown.push(...this.slotsOf(domid).filter((slot) => slot.dom === dom));
    return shown;
  }
  pod(domid: DomId): Ranges {
    return this.onDemand[domid] ?? none;
  }
  isOnDemand(domid: DomId, gfn: Gfn): boolean {
    return overlaps(this.pod(domid), gfn, 1);
  }
  /** How many pages are to be populated on demand (pod.entry_count). */
  podEntries(domid: DomId): Pages {
    return this.pod(domid).reduce((sum, { count }) => sum + count, 0);
  }
  /** The pages that there are for that (pod.count of them). */
  podCache(domid: DomId): readonly Range[] {
    return slice(this.of(domid), POD_CACHE, UNPLACED);
  }

  /** Only `evolve` calls this; without a page, the entry is again what Xen has put there. */
  setMachphys(mfn: Mfn, gpfn?: number): void {
    const run = Math.floor(mfn / M2P_RUN);
    if (gpfn === undefined && this.m2p.of(run) === undefined) return;
    (this.m2p.of(run) ?? this.m2p.add(run)).gpfn_plus_2.put(mfn % M2P_RUN, gpfn === undefined ? 0 : gpfn + 2);
  }
  /** Frames go to other hands: what was put into their entries is gone. */
  private forgetMachphys(mfn: Mfn, count: number): void {
    const last = Math.floor((mfn + count - 1) / M2P_RUN);
    for (const run of this.m2p.ids())
      if (run >= Math.floor(mfn / M2P_RUN) && run <= last)
        for (const [row] of [...this.m2p.inUse(run)]) {
          const frame = run * M2P_RUN + row;
          if (frame >= mfn && frame < mfn + count) this.setMachphys(frame);
        }
  }

  /** Backs pages of a domain with frames from the heap. Only `evolve` calls this, and what follows. */
  populate(domid: DomId, range: Range): void {
    this.take(range.mfn, range.count);
    this.set(domid, insert(this.of(domid), range));
  }
  unpopulate(domid: DomId, gfn: Gfn, parts: readonly Range[]): void {
    for (const part of parts) this.giveBack(part.mfn, part.count);
    const last = parts[parts.length - 1]!;
    this.set(domid, remove(this.of(domid), gfn, last.gfn + last.count - gfn));
  }
  /** Pages stand elsewhere from now on; there is nothing in the place yet. */
  move(domid: DomId, gfn: Gfn, count: number, to: Gfn): void {
    const parts = slice(this.of(domid), gfn, count);
    let ranges = remove(this.of(domid), gfn, count);
    for (const part of parts) ranges = insert(ranges, { ...part, gfn: to + (part.gfn - gfn) });
    this.set(domid, ranges);
  }
  markOnDemand(domid: DomId, gfn: Gfn, count: number): void {
    this.setOnDemand(domid, insert(remove(this.pod(domid), gfn, count), { gfn, mfn: gfn, count }));
  }
  clearOnDemand(domid: DomId, gfn: Gfn, count: number): void {
    this.setOnDemand(domid, remove(this.pod(domid), gfn, count));
  }
  /** Makes a page of one domain another's, or another page. What was there, where Xen translates, is that domain's still, and in no place. */
  hand(from: { readonly domid: DomId; readonly gfn: Gfn }, to: { readonly domid: DomId; readonly gfn: Gfn }): void {
    const mfn = this.mfn(from.domid, from.gfn);
    this.setMachphys(mfn);
    this.set(from.domid, remove(this.of(from.domid), from.gfn, 1));
    const there = this.mfn(to.domid, to.gfn);
    if (there >= 0) {
      const rest = remove(this.of(to.domid), to.gfn, 1);
      this.set(to.domid, insert(rest, { gfn: UNPLACED + there, mfn: there, count: 1 }));
    }
    this.set(to.domid, insert(this.of(to.domid), { gfn: to.gfn, mfn, count: 1 }));
  }
  /** Frames that belong to a domain without being in its p2m: its shared info page, its grant table. */
  take(mfn: Mfn, count: number): void {
    this.setFree(remove(this.freeFrames, mfn, count));
  }
  giveBack(mfn: Mfn, count: number): void {
    this.forgetMachphys(mfn, count);
    this.setFree(insert(this.freeFrames, { gfn: mfn, mfn, count }));
  }

  forget(domid: DomId): void {
    if (this.domains[domid]) this.set(domid, undefined);
    this.inverse[domid] = undefined;
    if (this.onDemand[domid]) this.setOnDemand(domid, undefined);
    this.memoryMaps.delete(domid);
  }

  digest(): number {
    let hash = 17;
    const add = (ranges: Ranges): void => {
      for (const { gfn, mfn, count } of ranges) hash = mix(mix(mix(hash, gfn), mfn), count);
    };
    this.domains.forEach((ranges, domid) => {
      if (!ranges || ranges.length === 0) return;
      hash = mix(hash, domid);
      add(ranges);
    });
    // What there is none of counts for nothing: the digest of an older state stays as it was.
    this.onDemand.forEach((ranges, domid) => {
      if (!ranges || ranges.length === 0) return;
      hash = mix(mix(hash, -1), domid);
      add(ranges);
    });
    add(this.freeFrames);
    return hash >>> 0;
  }
  snapshot(): P2mSnapshot {
    const listOf = (from: readonly (Ranges | undefined)[]): [DomId, Ranges][] => {
      const list: [DomId, Ranges][] = [];
      from.forEach((ranges, domid) => {
        if (ranges) list.push([domid, ranges]);
      });
      return list;
    };
    return { domains: listOf(this.domains), pod: listOf(this.onDemand), free: this.freeFrames };
  }
  restore(snapshot: P2mSnapshot): void {
    this.domains.length = 0;
    for (const [domid, ranges] of snapshot.domains) this.domains[domid] = ranges;
    this.onDemand.length = 0;
    for (const [domid, ranges] of snapshot.pod) this.onDemand[domid] = ranges;
    this.freeFrames = snapshot.free;
  }
  *diff(other: P2m): Generator<string> {
    const length = Math.max(this.domains.length, other.domains.length, this.onDemand.length, other.onDemand.length);
    for (let domid = 0; domid < length; domid++) {
      const ours = JSON.stringify(this.of(domid));
      const theirs = JSON.stringify(other.of(domid));
      if (ours !== theirs) yield `p2m d${domid}: ${ours} -> ${theirs}`;
      const pod = JSON.stringify(this.pod(domid));
      const others = JSON.stringify(other.pod(domid));
      if (pod !== others) yield `p2m d${domid} on demand: ${pod} -> ${others}`;
    }
    if (JSON.stringify(this.free) !== JSON.stringify(other.free))
      yield `p2m heap: ${JSON.stringify(this.free)} -> ${JSON.stringify(other.free)}`;
  }

  private set(domid: DomId, ranges: Ranges | undefined): void {
    const old = this.domains[domid];
    if (this.journal.depth > 0)
      this.journal.recordUndo(() => {
        this.domains[domid] = old;
      });
    this.domains[domid] = ranges;
  }
  private setOnDemand(domid: DomId, ranges: Ranges | undefined): void {
    const old = this.onDemand[domid];
    if (this.journal.depth > 0)
      this.journal.recordUndo(() => {
        this.onDemand[domid] = old;
      });
    this.onDemand[domid] = ranges;
  }
  private setFree(ranges: Ranges): void {
    const old = this.freeFrames;
    if (this.journal.depth > 0)
      this.journal.recordUndo(() => {
        this.freeFrames = old;
      });
    this.freeFrames = ranges;
  }
}
