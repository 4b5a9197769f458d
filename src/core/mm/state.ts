// What Xen counts of the frames of PV guests, and what their vCPUs have told it of themselves.
import type { DomId, Mfn } from '../../../events/units.ts';
import type { Journal } from '../../tables/journal.ts';
import { Records } from '../../tables/records.ts';
import { Table } from '../../tables/table.ts';

/** PGT_*: what a frame is used as, while its type is counted. */
export const pageTypes = [
  'none',
  'l1_page_table',
  'l2_page_table',
  'l3_page_table',
  'l4_page_table',
  'seg_desc_page',
  'writable_page',
  // Of a 32-bit domain: the table of the last gigabyte, where Xen has entries of its own (PGT_pae_xen_l2).
  'pae_xen_l2_table',
] as const;
export type PageType = (typeof pageTypes)[number];

/**
 * Frames of which anything is counted; all others need no row. `refs` are those of page tables, pins, base pointers and descriptor
 * tables: the one of being allocated, and those of grants, are elsewhere. `foreign_refs` of them are other domains'. The owner in the table is a
 * run of 64 frames. `linear` counts root tables that map each other: above 0 the frame maps others so, below 0 others map it.
 */
export const frameSchema = {
  refs: 'f64',
  domid: 'u16',
  type: pageTypes,
  type_count: 'f64',
  foreign_refs: 'f64',
  pinned: 'u8',
  linear: 'i32',
} as const;
/** A vCPU's two page tables, plus one so that frame 0 can stand there. */
export const baseSchema = { guest_table_plus_1: 'f64', guest_table_user_plus_1: 'f64' } as const;
/** Row n is assist n (VMASST_TYPE_*). */
export const assistSchema = { on: 'u8' } as const;

/** What is counted of one frame. */
export interface FrameInfo {
  readonly domid: DomId;
  readonly type: PageType;
  readonly type_count: number;
  readonly refs: number;
  readonly foreign_refs: number;
  readonly pinned: boolean;
  readonly linear: number;
}

export interface Trap {
  readonly flags: number;
  readonly cs: number;
  readonly address: number;
}
/** What a PV vCPU has told Xen of itself: struct pv_vcpu, as far as nothing else follows from it. */
export interface VcpuContext {
  /** By vector. */
  readonly trap_table: Readonly<Record<number, Trap>>;
  readonly gdt_frames: readonly Mfn[];
  readonly gdt_ents: number;
  readonly ldt_base: number;
  readonly ldt_ents: number;
  readonly kernel_ss: number;
  readonly kernel_sp: number;
  /** By CALLBACKTYPE_*. */
  readonly callbacks: Readonly<Record<number, { readonly address: number; readonly flags: number }>>;
  /** By SEGBASE_*. */
  readonly segment_bases: Readonly<Record<number, number>>;
  readonly dr: readonly number[];
  readonly dr6: number;
  readonly dr7: number;
  readonly dr7_emul: number;
  /** CR0.TS. */
  readonly ts: boolean;
  readonly iopl: number;
  readonly user: boolean;
  readonly regs: {
    readonly rip: number;
    readonly cs: number;
    readonly rflags: number;
    readonly rsp: number;
    readonly ss: number;
  };
  /** What it began with, where that was said in bytes: a byte a character. */
  readonly loaded: string;
}
export const X86_DR6_DEFAULT = 0xffff0ff0;
export const X86_DR7_DEFAULT = 0x400;
/** A vCPU that has said nothing. */
export const noContext: VcpuContext = {
  trap_table: {},
  gdt_frames: [],
  gdt_ents: 0,
  ldt_base: 0,
  ldt_ents: 0,
  kernel_ss: 0,
  kernel_sp: 0,
  callbacks: {},
  segment_bases: {},
  dr: [0, 0, 0, 0],
  dr6: X86_DR6_DEFAULT,
  dr7: X86_DR7_DEFAULT,
  dr7_emul: 0,
  ts: false,
  iopl: 0,
  user: false,
  regs: { rip: 0, cs: 0, rflags: 0, rsp: 0, ss: 0 },
  loaded: '',
};
const unused: FrameInfo = { domid: 0, type: 'none', type_count: 0, refs: 0, foreign_refs: 0, pinned: false, linear: 0 };

const RUN = 64;
const idOf = (domid: DomId, vcpu: number): number => domid * 256 + vcpu;

export class Mm {
  readonly frames: Table<typeof frameSchema>;
  readonly bases: Table<typeof baseSchema>;
  readonly assists: Table<typeof assistSchema>;
  readonly contexts: Records<VcpuContext>;
  constructor(journal: Journal) {
    this.frames = new Table('frame', frameSchema, journal, RUN);
    this.bases = new Table('baseptr', baseSchema, journal, 4);
    this.assists = new Table('vm_assist', assistSchema, journal, 64);
    this.contexts = new Records('pv_vcpu', journal);
  }
  get sparseTables() {
    return [this.bases, this.assists] as const;
  }
  frame(mfn: Mfn): FrameInfo {
    const rows = this.frames.of(Math.floor(mfn / RUN));
    const row = mfn % RUN;
    if (rows === undefined || rows.refs.at(row) === 0) return unused;
    return {
      domid: rows.domid.at(row),
      type: rows.type.is(row),
      type_count: rows.type_count.at(row),
      refs: rows.refs.at(row),
      foreign_refs: rows.foreign_refs.at(row),
      pinned: rows.pinned.at(row) === 1,
      linear: rows.linear.at(row),
    };
  }
  /** Only `evolve` calls this. */
  put(mfn: Mfn, info: FrameInfo): void {
    const run = Math.floor(mfn / RUN);
    const row = mfn % RUN;
    const rows = this.frames.of(run) ?? this.frames.add(run);
    rows.refs.put(row, info.refs);
    rows.domid.put(row, info.domid);
    rows.type.become(row, info.type);
    rows.type_count.put(row, info.type_count);
    rows.foreign_refs.put(row, info.foreign_refs);
    rows.pinned.put(row, info.pinned ? 1 : 0);
    rows.linear.put(row, info.linear);
  }
  /** Every frame of which anything is counted, ascending. */
  *all(): Generator<[Mfn, FrameInfo]> {
    for (const run of this.frames.ids())
      for (const [row] of this.frames.inUse(run)) yield [run * RUN + row, this.frame(run * RUN + row)];
  }
  /** How many references other domains have to a domain's frames. */
  foreignRefs(domid: DomId): number {
    let refs = 0;
    for (const [, info] of this.all()) if (info.domid === domid) refs += info.foreign_refs;
    return refs;
  }
  /** Whether a frame may not be written to: it is a page table, or holds descriptors. */
  isProtected(mfn: Mfn): boolean {
    const { type } = this.frame(mfn);
    return type !== 'none' && type !== 'writable_page';
  }
  /** The root of a vCPU's page tables, or of those that it uses in user mode; -1 where there is none. */
  baseptr(domid: DomId, vcpu: number, user: boolean): Mfn {
    const rows = this.bases.of(domid);
    if (rows === undefined) return -1;
    return (user ? rows.guest_table_user_plus_1 : rows.guest_table_plus_1).at(vcpu) - 1;
  }
  hasAssist(domid: DomId, assist: number): boolean {
    return this.assists.of(domid)?.on.at(assist) === 1;
  }
  context(domid: DomId, vcpu: number): VcpuContext {
    return this.contexts.get(idOf(domid, vcpu)) ?? noContext;
  }
  setContext(domid: DomId, vcpu: number, changes: Partial<VcpuContext>): void {
    this.contexts.set(idOf(domid, vcpu), { ...this.context(domid, vcpu), ...changes });
  }
  /** The contexts of a domain's vCPUs: [vcpu, context]. */
  *contextsOf(domid: DomId): Generator<[number, VcpuContext]> {
    for (const [id, context] of this.contexts.entries()) if (Math.floor(id / 256) === domid) yield [id % 256, context];
  }
  forget(domid: DomId): void {
    for (const id of this.contexts.keys()) if (Math.floor(id / 256) === domid) this.contexts.delete(id);
  }
}
