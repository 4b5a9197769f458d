// Frames while one hypercall counts on them: who owns a frame, what it is used as, who refers to it (get_page() and get_page_type() of
// xen/arch/x86/mm.c). Nothing of it happens before the facts of `facts()` do; whoever fails throws the whole away.
import type { Errno } from '../../../events/errno.ts';
import { DOMID_FIRST_RESERVED, DOMID_IO, DOMID_XEN, type DomId, type Mfn } from '../../../events/units.ts';
import type { Fact, GuestReader } from '../../../events/vocabulary.ts';
import { contains } from '../rangeset.ts';
import type { Xen } from '../xen.ts';
import { validateDescriptors } from './descriptor.ts';
import { type PageType, pageTypes } from './state.ts';
import { demote, promote } from './tables.ts';

/** What is counted of a frame within the hypercall. */
export interface Page {
  readonly mfn: Mfn;
  readonly domid: DomId;
  type: PageType;
  type_count: number;
  refs: number;
  foreign_refs: number;
  pinned: boolean;
  linear: number;
  /** Whether its type has been looked at and found right: not while that is being done. */
  validated: boolean;
}

export class Pages {
  readonly xen: Xen;
  readonly guest: GuestReader;
  /** What is to be written into guest memory, in order. */
  readonly writes: Fact[] = [];
  private readonly pages = new Map<Mfn, Page>();
  private readonly owners = new Map<DomId, Owner>();

  constructor(xen: Xen, guest: GuestReader) {
    this.xen = xen;
    this.guest = guest;
  }

  owner(domid: DomId): Owner {
    let owner = this.owners.get(domid);
    if (owner === undefined) {
      owner = new Owner(this.xen, domid);
      this.owners.set(domid, owner);
    }
    return owner;
  }
  /** Whose frame it is: a domain, DOMID_XEN, DOMID_IO for what is no memory, or -1 for what is nobody's. */
  ownerOf(mfn: Mfn, guess: DomId): DomId {
    if (mfn < 0 || mfn >= this.xen.p2m.totalPages || mfn < FIRST_MIB) return DOMID_IO;
    if (guess < DOMID_FIRST_RESERVED && this.owner(guess).has(mfn)) return guess;
    for (const domid of this.xen.domids()) if (domid !== guess && this.owner(domid).has(mfn)) return domid;
    return mfn < XENS_OWN ? DOMID_XEN : -1;
  }
  /** A domain's frame, or undefined where it is not its. */
  page(mfn: Mfn, domid: DomId): Page | undefined {
    const known = this.pages.get(mfn);
    if (known !== undefined) return known.domid === domid ? known : undefined;
    if (!this.owner(domid).has(mfn)) return undefined;
    const { type, type_count, refs, foreign_refs, pinned, linear } = this.xen.mm.frame(mfn);
    const page: Page = { mfn, domid, type, type_count, refs, foreign_refs, pinned, linear, validated: type_count > 0 };
    this.pages.set(mfn, page);
    return page;
  }
  /** A frame that this hypercall has looked at. */
  known(mfn: Mfn): Page | undefined {
    return this.pages.get(mfn);
  }
  /** Refers to a frame, on behalf of a domain. */
  get(page: Page, by: DomId): void {
    page.refs++;
    if (by !== page.domid) page.foreign_refs++;
  }
  put(page: Page, by: DomId): void {
    page.refs = Math.max(0, page.refs - 1);
    if (by !== page.domid) page.foreign_refs = Math.max(0, page.foreign_refs - 1);
  }
  /** Takes a frame for a use (_get_page_type()): it is looked through when it was not in that use before. */
  getType(page: Page, type: PageType): Errno | undefined {
    if (page.type_count > 0) {
      if (page.type !== type || !page.validated) return 'EINVAL';
      page.type_count++;
      return undefined;
    }
    if (type !== 'writable_page' && this.owner(page.domid).isWritten(page.mfn)) return 'EINVAL';
    page.type = type;
    page.type_count = 1;
    page.linear = 0;
    const wrong = this.validate(page, type);
    if (wrong !== undefined) {
      page.type = 'none';
      page.type_count = 0;
      return wrong;
    }
    page.validated = true;
    return undefined;
  }
  private validate(page: Page, type: PageType): Errno | undefined {
    switch (type) {
      case 'writable_page':
      case 'none':
        return undefined;
      case 'seg_desc_page':
        if (!validateDescriptors(this.guest, page.mfn)) return 'EINVAL';
        this.writes.push({ type: 'mm.descriptors_adjusted', mfn: page.mfn });
        return undefined;
      default:
        return promote(this, page);
    }
  }
  /** Leaves a use. A page table that nobody uses any more lets go of what it maps. `table` is the one that mapped it. */
  putType(page: Page, table?: Page): void {
    const { type } = page;
    page.type_count = Math.max(0, page.type_count - 1);
    const isLinear = table !== undefined && table.type === type;
    if (page.type_count === 0 && page.validated) {
      page.validated = false;
      demote(this, page);
    }
    if (isLinear) {
      page.linear++;
      table.linear--;
    }
    if (page.type_count > 0) return;
    page.type = 'none';
    page.linear = 0;
  }
  /** get_page_and_type_from_mfn() */
  getBoth(mfn: Mfn, domid: DomId, type: PageType): Errno | undefined {
    const page = this.page(mfn, domid);
    if (page === undefined) return 'EINVAL';
    const wrong = this.getType(page, type);
    if (wrong === undefined) this.get(page, domid);
    return wrong;
  }
  putBoth(mfn: Mfn, domid: DomId): void {
    const page = this.page(mfn, domid);
    if (page === undefined) return;
    this.putType(page);
    this.put(page, domid);
  }
  /** Whether a domain may map the memory of a device (iomem_access_permitted()). */
  mayMapDevice(domid: DomId, mfn: Mfn): boolean {
    return contains(this.xen.control.access(domid).iomem, mfn, mfn);
  }
  /** What has been counted, and what is to be written. */
  facts(): Fact[] {
    const frames: number[] = [];
    for (const page of [...this.pages.values()].sort((a, b) => a.mfn - b.mfn)) {
      const before = this.xen.mm.frame(page.mfn);
      const { mfn, domid, type, type_count, refs, foreign_refs, pinned, linear } = page;
      const isSame =
        before.refs === refs &&
        before.type === type &&
        before.type_count === type_count &&
        before.foreign_refs === foreign_refs &&
        before.pinned === pinned &&
        before.linear === linear;
      if (isSame) continue;
      if (refs === 0) frames.push(mfn, 0, 0, 0, 0, 0, 0, 0);
      else frames.push(mfn, domid, pageTypes.indexOf(type), type_count, refs, foreign_refs, pinned ? 1 : 0, linear);
    }
    return frames.length === 0 ? this.writes : [...this.writes, { type: 'mm.frames_changed', frames }];
  }
}

/** A PC's first megabyte is for devices. */
const FIRST_MIB = 0x100;
/** Frames below are Xen's. */
const XENS_OWN = 0x1000;

/** A domain's frames, for the time of a hypercall: the ranges by frame, and those that are written to without a page table. */
class Owner {
  private readonly ranges: readonly { readonly mfn: Mfn; readonly count: number }[];
  private special: ReadonlySet<Mfn> | undefined;
  private written: ReadonlySet<Mfn> | undefined;
  private readonly xen: Xen;
  private readonly domid: DomId;
  constructor(xen: Xen, domid: DomId) {
    this.xen = xen;
    this.domid = domid;
    const ranges = xen.exists(domid) ? xen.p2m.of(domid) : [];
    this.ranges = ranges.length > 1 ? ranges.toSorted((a, b) => a.mfn - b.mfn) : ranges;
  }
  has(mfn: Mfn): boolean {
    return this.hasMemory(mfn) || this.isSpecial(mfn);
  }
  /** A page that Xen has made for the domain, and no memory of its own: is_special_page(). */
  isSpecial(mfn: Mfn): boolean {
    this.special ??= this.xen.specialFrames(this.domid);
    return this.special.has(mfn);
  }
  /** Whether a grant lets others write to it, or Xen does so itself: as much as a writable mapping. */
  isWritten(mfn: Mfn): boolean {
    this.written ??= this.xen.writtenFrames(this.domid);
    return this.isSpecial(mfn) || this.written.has(mfn);
  }
  private hasMemory(mfn: Mfn): boolean {
    let low = 0;
    let high = this.ranges.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const range = this.ranges[middle]!;
      if (mfn < range.mfn) high = middle - 1;
      else if (mfn >= range.mfn + range.count) low = middle + 1;
      else return true;
    }
    return false;
  }
}
