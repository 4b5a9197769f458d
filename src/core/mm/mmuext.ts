// mmuext_op (do_mmuext_op() in xen/arch/x86/mm.c).
import type { Errno } from '../../../events/errno.ts';
import { accept, refuse } from '../../../events/step.ts';
import { DOMID_FIRST_RESERVED, type DomId, type Mfn, PAGE_SIZE } from '../../../events/units.ts';
import type { CommandOf, Fact, GuestReader, MmCommand, Outcome } from '../../../events/vocabulary.ts';
import type { Xen } from '../xen.ts';
import { type Page, Pages } from './pages.ts';
import { isGuestAddress } from './pte.ts';
import { levelOf, mayCache, rootType, tableTypes } from './tables.ts';
import { mayAsk, pgOwner } from './update.ts';

export type MmuextCommand = Extract<MmCommand, { type: `mmuext.${string}` }>;

const LDT_ENTRIES = 8192;

export function mmuext(xen: Xen, command: MmuextCommand, guest: GuestReader): Outcome {
  const { domid, vcpu } = command;
  const pg_owner = pgOwner(xen, domid, command.foreigndom);
  if (pg_owner === undefined) return refuse('ESRCH');
  const isHvm = (dom: DomId): boolean => dom < DOMID_FIRST_RESERVED && xen.domain.of(0)!.hvm.at(dom) === 1;
  if (isHvm(pg_owner)) return refuse('EINVAL');
  if (!mayAsk(domid, pg_owner)) return refuse('EPERM');
  const pages = new Pages(xen, guest);

  switch (command.type) {
    case 'mmuext.pin_l1_table':
      return done(pages, pin(pages, pg_owner, command.mfn, 0));
    case 'mmuext.pin_l2_table':
      return done(pages, pin(pages, pg_owner, command.mfn, 1));
    case 'mmuext.pin_l3_table':
      return done(pages, pin(pages, pg_owner, command.mfn, 2));
    case 'mmuext.pin_l4_table':
      // A domain of 32 bits has no such table, and is not told.
      return xen.is32bit(pg_owner) ? accept() : done(pages, pin(pages, pg_owner, command.mfn, 3));
    case 'mmuext.unpin_table':
      return done(pages, unpin(pages, pages.page(command.mfn, pg_owner)));
  }
  if (isHvm(domid)) return refuse('EOPNOTSUPP');
  const isOwn = pg_owner === domid;

  switch (command.type) {
    case 'mmuext.new_baseptr':
    case 'mmuext.new_user_baseptr':
      return isOwn ? newBaseptr(pages, command) : refuse('EPERM');
    case 'mmuext.tlb_flush_local':
    case 'mmuext.tlb_flush_all':
    case 'mmuext.invlpg_local':
    case 'mmuext.invlpg_all':
    case 'mmuext.tlb_flush_multi':
    case 'mmuext.invlpg_multi':
      return isOwn ? accept() : refuse('EPERM'); // nothing here remembers translations
    case 'mmuext.flush_cache':
      return isOwn ? (mayCache(xen, domid) ? accept() : refuse('EACCES')) : refuse('EPERM');
    case 'mmuext.flush_cache_global':
      return isOwn ? (mayCache(xen, domid) ? accept() : refuse('EINVAL')) : refuse('EPERM');
    case 'mmuext.set_ldt': {
      if (!isOwn) return refuse('EPERM');
      // The number of entries has 32 bits; below zero it is far above.
      const ents = command.nr_ents >>> 0;
      const base = ents === 0 ? 0 : command.linear_addr;
      if (ents > LDT_ENTRIES || (ents > 0 && (base % PAGE_SIZE !== 0 || !isGuestAddress(base)))) return refuse('EINVAL');
      const { ldt_base, ldt_ents } = xen.mm.context(domid, vcpu);
      return ldt_base === base && ldt_ents === ents ? accept() : accept({}, { type: 'mm.ldt_set', domid, vcpu, base, ents });
    }
    case 'mmuext.clear_page': {
      const { mfn } = command;
      return isWritableMemory(pages, pg_owner, mfn) ? accept({}, { type: 'mm.page_cleared', mfn }) : refuse('EINVAL');
    }
    case 'mmuext.copy_page': {
      const { mfn, src_mfn } = command;
      if (pages.page(src_mfn, pg_owner) === undefined) return refuse('EINVAL');
      return isWritableMemory(pages, pg_owner, mfn) ? accept({}, { type: 'mm.page_copied', mfn, src_mfn }) : refuse('EINVAL');
    }
    case 'mmuext.mark_super':
    case 'mmuext.unmark_super':
      return refuse('EOPNOTSUPP');
    default:
      return command satisfies never;
  }
}

const done = (pages: Pages, wrong: Errno | undefined): Outcome =>
  wrong === undefined ? accept({}, ...pages.facts()) : refuse(wrong);

/** Holds a frame as a table of this level, whether or not anything maps it. */
function pin(pages: Pages, domid: DomId, mfn: Mfn, level: number): Errno | undefined {
  const page = pages.page(mfn, domid);
  if (page === undefined) return 'EINVAL';
  const wrong = pages.getType(page, tableTypes[level]!);
  if (wrong !== undefined) return wrong;
  if (page.pinned) return 'EINVAL';
  pages.get(page, domid);
  page.pinned = true;
  return undefined;
}

export function unpin(pages: Pages, page: Page | undefined): Errno | undefined {
  if (page === undefined || !page.pinned) return 'EINVAL';
  page.pinned = false;
  pages.putType(page);
  pages.put(page, page.domid);
  return undefined;
}

function newBaseptr(pages: Pages, command: CommandOf<'mmuext.new_baseptr' | 'mmuext.new_user_baseptr'>): Outcome {
  const { domid, vcpu, mfn } = command;
  const user = command.type === 'mmuext.new_user_baseptr';
  const old = pages.xen.mm.baseptr(domid, vcpu, user);
  // No table is number 0: only a user's can be taken away.
  const isNone = user && mfn === 0;
  if (old === mfn || (isNone && old < 0)) return accept();
  if (!isNone) {
    const wrong = pages.getBoth(mfn, domid, user ? 'l4_page_table' : rootType(pages.xen, domid));
    if (wrong !== undefined) return refuse(wrong);
  }
  if (old >= 0) pages.putBoth(old, domid);
  const set: Fact = { type: 'mm.baseptr_set', domid, vcpu, user, mfn: isNone ? -1 : mfn };
  return accept({}, ...pages.facts(), set);
}

function isWritableMemory(pages: Pages, domid: DomId, mfn: Mfn): boolean {
  const page = pages.page(mfn, domid);
  return page !== undefined && levelOf(page.type) === 0 && page.type !== 'seg_desc_page';
}
