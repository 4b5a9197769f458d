import { DOMID_FIRST_RESERVED, type DomId, type Mfn } from '../../../events/units.ts';
import type { Frames } from '../../memory/memory.ts';
import type { Invariant } from '../invariants.ts';
import type { Xen } from '../xen.ts';
import { Pages } from './pages.ts';
import { isPresent, isWritable, mfnOf } from './pte.ts';
import type { PageType } from './state.ts';
import { entriesOf, levelOf, rootType } from './tables.ts';

export const invariants: Readonly<Record<string, Invariant>> = {
  *'mm.countedFrameIsItsOwners'(xen) {
    const pages = new Pages(xen, noMemory);
    for (const [mfn, { domid }] of xen.mm.all()) {
      const owner = pages.ownerOf(mfn, domid);
      if (owner !== domid) yield `frame ${mfn} is counted as d${domid}'s, and is d${owner}'s`;
    }
  },

  *'mm.countsFitTogether'(xen) {
    for (const [mfn, info] of xen.mm.all()) {
      const { type, type_count, refs, foreign_refs, pinned, linear } = info;
      if ((type === 'none') !== (type_count === 0)) yield `frame ${mfn} is ${type}, ${type_count} times`;
      if (type === 'pae_xen_l2_table' && (type_count !== 1 || pinned))
        yield `frame ${mfn} is the last table of ${type_count} roots`;
      if (type_count < 0 || type_count > refs) yield `frame ${mfn} has ${refs} references, and ${type_count} of its type`;
      if (foreign_refs < 0 || foreign_refs > refs) yield `frame ${mfn} has ${refs} references, and ${foreign_refs} of others`;
      if ((pinned || linear !== 0) && levelOf(type) === 0) yield `frame ${mfn} is ${type}, and is pinned or maps itself`;
    }
  },

  *'mm.pageTableIsNeverWritten'(xen) {
    const pages = new Pages(xen, noMemory);
    for (const [mfn, { domid }] of xen.mm.all()) {
      if (xen.mm.isProtected(mfn) && xen.exists(domid) && pages.owner(domid).isWritten(mfn))
        yield `frame ${mfn} of d${domid} is ${xen.mm.frame(mfn).type}, and is written to`;
    }
  },

  *'mm.vcpuHoldsItsTables'(xen) {
    const { mm } = xen;
    for (const domid of mm.bases.ids())
      for (let vcpu = 0; vcpu < mm.bases.of(domid)!.length; vcpu++)
        for (const user of [false, true]) {
          const mfn = mm.baseptr(domid, vcpu, user);
          if (mfn < 0) continue;
          const { type, domid: owner } = mm.frame(mfn);
          if (!xen.hasVcpu(domid, vcpu) || type !== rootType(xen, domid) || owner !== domid)
            yield `d${domid}v${vcpu} runs on frame ${mfn}, which is ${type} of d${owner}`;
        }
    for (const [id, { gdt_frames }] of mm.contexts.entries()) {
      const domid = Math.floor(id / 256);
      if (!xen.hasVcpu(domid, id % 256)) yield `d${domid}v${id % 256} does not exist, and has told of itself`;
      for (const mfn of gdt_frames)
        if (mm.frame(mfn).type !== 'seg_desc_page') yield `d${domid}v${id % 256} has descriptors in frame ${mfn}, which are none`;
    }
  },
};

const noMemory = { get8: () => 0, get16: () => 0, get32: () => 0 };

interface Counts {
  refs: number;
  type_count: number;
  foreign_refs: number;
}

/**
 * Whether the references to every frame are those of the page tables in memory, of pins, of vCPUs: a line for each that is not. Guest
 * memory is looked at, which a fold has not: so this is no invariant of the tables alone.
 */
export function* tableFlaws(xen: Xen, frames: Frames): Generator<string> {
  if (xen.mm.frames.ids().next().done) return;
  const expected = new Map<Mfn, Counts>();
  const pages = new Pages(xen, frames);
  const count = (mfn: Mfn, typed: boolean, foreign: boolean): void => {
    const counts = expected.get(mfn) ?? { refs: 0, type_count: 0, foreign_refs: 0 };
    expected.set(mfn, counts);
    counts.refs++;
    if (typed) counts.type_count++;
    if (foreign) counts.foreign_refs++;
  };
  for (const [mfn, info] of xen.mm.all()) {
    if (info.pinned) count(mfn, true, false);
    if (levelOf(info.type) > 0) countEntries(pages, mfn, info.type, info.domid, count);
  }
  for (const domid of xen.mm.bases.ids())
    for (let vcpu = 0; vcpu < xen.domain.of(0)!.nr_vcpus.at(domid); vcpu++)
      for (const user of [false, true]) {
        const mfn = xen.mm.baseptr(domid, vcpu, user);
        if (mfn >= 0) count(mfn, true, false);
      }
  for (const [, { gdt_frames }] of xen.mm.contexts.entries()) for (const mfn of gdt_frames) count(mfn, true, false);

  for (const [mfn, { refs, type_count, foreign_refs }] of xen.mm.all()) {
    const { refs: r, type_count: t, foreign_refs: f } = expected.get(mfn) ?? { refs: 0, type_count: 0, foreign_refs: 0 };
    expected.delete(mfn);
    if (r !== refs || t !== type_count || f !== foreign_refs)
      yield `frame ${mfn} counts ${refs} references, ${type_count} of its type, ${foreign_refs} of others; there are ${r}, ${t} and ${f}`;
  }
  for (const mfn of expected.keys()) yield `frame ${mfn} is mapped, and nothing is counted of it`;
}

function countEntries(
  pages: Pages,
  table: Mfn,
  type: PageType,
  domid: DomId,
  count: (mfn: Mfn, typed: boolean, foreign: boolean) => void,
): void {
  const level = levelOf(type);
  for (const [, pte] of entriesOf(pages.guest, table, type, pages.xen.is32bit(domid))) {
    const mfn = mfnOf(pte);
    if (!isPresent(pte) || mfn === (level > 1 ? table : -1)) continue;
    const owner = pages.ownerOf(mfn, domid);
    if (owner < 0 || owner >= DOMID_FIRST_RESERVED) continue; // of a device, or Xen's own
    const isForeign = owner !== domid;
    const isTyped = level > 1 || (isWritable(pte) && (!isForeign || pages.xen.domain.of(0)!.hvm.at(owner) === 0));
    count(mfn, isTyped, isForeign);
  }
}
