import * as fc from 'fast-check';
import type { DomId, Mfn } from '../../../events/units.ts';
import { vcpu_guest_context } from '../../../src/abi/vcpu-context.ts';
import type { CoreCommand } from '../../../src/core/index.ts';
import { PAGE } from '../../../src/core/mm/pte.ts';
import type { CoreHost } from '../core-host.ts';
import { pte, putPte, words, writePaeTables, writeTables } from '../page-tables.ts';
import { type Acts, act, aLiveDomain, pick, someDomain } from './act.ts';

const SELF = 0x7ff0;
const { present, rw, user } = PAGE;

const numbers = fc.record({
  domain: fc.nat(),
  dom: fc.nat(),
  page: fc.nat(7),
  target: fc.nat(9),
  slot: fc.oneof(fc.nat(7), fc.constantFrom(255, 256, 271, 272, 300, 511)),
  level: fc.nat(3),
  flags: fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(0, present, present | user, present | rw, present | rw | user) },
    { weight: 1, arbitrary: fc.nat(0xfff) },
  ),
  cmd: fc.constantFrom(0, 0, 0, 1, 2, 3, 4),
});
const levels = ['pin_l1_table', 'pin_l2_table', 'pin_l3_table', 'pin_l4_table'] as const;

/** A frame of a domain by its page; pages beyond its own are its shared info page, another's, a device's. */
function frameOf(host: CoreHost, domid: DomId, page: number): Mfn {
  const mfn = host.xen.exists(domid) ? host.xen.p2m.mfn(domid, page) : -1;
  return mfn >= 0 ? mfn : pick([host.xen.sharedInfo(domid), host.xen.p2m.mfn(0, 1), 0xa0, 512, 2 ** 40 - 1], page)!;
}
/** A page table of a domain's, if it has any. */
function aTable(host: CoreHost, domid: DomId, index: number, pinned = false): Mfn | undefined {
  const tables = [...host.xen.mm.all()].filter(
    ([mfn, info]) => info.domid === domid && host.xen.mm.isProtected(mfn) && (info.pinned || !pinned),
  );
  return tables.length === 0 ? undefined : pick(tables, index)![0];
}
/** Mostly a PV guest: no other has page tables that Xen knows of. */
function aPvDomain(host: CoreHost, index: number): DomId {
  const pv = [...host.xen.domids()].filter((domid) => host.xen.isAlive(domid) && host.xen.domain.of(0)!.hvm.at(domid) === 0);
  return index % 16 === 0 ? aLiveDomain(host, index) : pick(pv, index)!;
}
const ext = (
  type: (typeof levels)[number] | 'unpin_table' | 'new_baseptr' | 'new_user_baseptr' | 'clear_page',
  domid: DomId,
  mfn: Mfn,
) => ({ type: `mmuext.${type}`, domid, vcpu: 0, foreigndom: SELF, mfn }) as CoreCommand;

export const mmActs: readonly Acts[] = [
  // A guest's own stores: a small address space, on which its vCPU then runs; or one entry anywhere, in pages that are no tables yet.
  act(numbers, (host, { domain, target, level }) => {
    const domid = aPvDomain(host, domain);
    const frames = [0, 1, 2, 3].map((page) => host.xen.p2m.mfn(domid, page));
    if (frames.some((mfn) => mfn < 0 || host.xen.mm.isProtected(mfn))) return '-';
    const is32bit = host.xen.is32bit(domid);
    const [root] = (is32bit ? writePaeTables : writeTables)(host, domid, Math.min(target, 6)).tables;
    return level === 0
      ? `d${domid} writes page tables into its pages 0 to 3`
      : [ext(is32bit ? 'pin_l3_table' : 'pin_l4_table', domid, root!), ext('new_baseptr', domid, root!)];
  }),
  act(numbers, (host, { domain, page, slot, target, flags }) => {
    const domid = aPvDomain(host, domain);
    const table = host.xen.p2m.mfn(domid, page);
    if (table < 0 || host.xen.mm.isProtected(table)) return '-';
    putPte(host, table, slot, pte(frameOf(host, domid, target), flags));
    return `d${domid} writes page ${target} with flags ${flags} into slot ${slot} of its page ${page}`;
  }),
  act(numbers, (host, { domain, page, level }) => {
    const domid = aPvDomain(host, domain);
    return [ext(levels[level]!, domid, frameOf(host, domid, page))];
  }),
  // The whole of it at once: what is pinned is used, by vCPU 0 and by its users.
  act(numbers, (host, { domain, page, level }) => {
    const domid = aPvDomain(host, domain);
    const root = frameOf(host, domid, page < 5 ? 0 : page);
    const use = pick(['new_baseptr', 'new_user_baseptr'] as const, level)!;
    return [ext(host.xen.is32bit(domid) ? 'pin_l3_table' : 'pin_l4_table', domid, root), ext(use, domid, root)];
  }),
  act(numbers, (host, { domain, page, level }) => {
    const domid = aPvDomain(host, domain);
    const mfn = aTable(host, domid, page) ?? frameOf(host, domid, page);
    return [
      ext(
        pick(['unpin_table', 'new_baseptr', 'new_user_baseptr', 'clear_page'] as const, level)!,
        domid,
        level > 1 && page === 0 ? 0 : mfn,
      ),
    ];
  }),
  act(numbers, (host, { domain, dom, page, slot, target, flags, cmd }) => {
    const domid = aPvDomain(host, domain);
    // Mostly one's own frames in one's own tables; dom0 also maps those of others.
    const other = domid === 0 && target % 2 === 0 ? someDomain(host, dom) : domid;
    const table = page % 3 === 0 ? frameOf(host, domid, page) : (aTable(host, domid, page) ?? frameOf(host, domid, page));
    const shown = host.xen.exists(other) && host.xen.domain.of(0)!.hvm.at(other) === 1 && other !== domid;
    const value = pte(shown ? target : frameOf(host, other, target), flags);
    const foreigndom = other === domid ? SELF : other;
    return [{ type: 'mm.mmu_update', domid, vcpu: 0, foreigndom, ptr: table * 4096 + slot * 8 + cmd, ...words(value) }];
  }),
  // Tables of a guest that dom0 changes, as a domain builder does.
  act(numbers, (host, { dom, page, slot, target, flags }) => {
    const domain = someDomain(host, dom);
    const table = aTable(host, domain, page) ?? frameOf(host, domain, page);
    const foreigndom = ((domain + 1) << 16) | (domain === 0 ? SELF : domain);
    const value = words(pte(frameOf(host, domain, target), flags));
    return [{ type: 'mm.mmu_update', domid: 0, vcpu: 0, foreigndom, ptr: table * 4096 + slot * 8, ...value }];
  }),
  act(numbers, (host, { domain, slot, target, flags }) => {
    const domid = aPvDomain(host, domain);
    const value = words(pte(frameOf(host, domid, target), flags));
    return [{ type: 'mm.update_va_mapping', domid, vcpu: 0, va: slot * 4096, ...value, flags: 0 }];
  }),
  act(numbers, (host, { domain, page, level, slot, target }) => {
    const domid = aPvDomain(host, domain);
    const frames = Array.from({ length: level }, (_, i) => frameOf(host, domid, page + i));
    return [
      { type: 'mm.set_gdt', domid, vcpu: 0, frames, entries: level * 512 },
      {
        type: 'mm.update_descriptor',
        domid,
        vcpu: 0,
        maddr: frameOf(host, domid, page) * 4096 + slot * 8,
        desc_a: 0xffff,
        desc_b: target % 2 === 0 ? 0x00cf9b00 : 0x8900,
      },
      {
        type: 'mmuext.copy_page',
        domid,
        vcpu: 0,
        foreigndom: SELF,
        mfn: frameOf(host, domid, page),
        src_mfn: frameOf(host, domid, target),
      },
    ];
  }),
  act(numbers, (host, { domain, page, slot, target, flags }) => {
    const domid = aPvDomain(host, domain);
    const me = { domid, vcpu: page % 2 };
    return pick<CoreCommand[]>(
      [
        [{ type: 'mm.set_trap_table', ...me, traps: [slot, 0, 0xe033, target * 4096, 0, 0, 0, 0], clear: page === 0 }],
        [{ type: 'callback.register', ...me, callback: page, flags: 1, address: slot * 16 }],
        [
          { type: 'nmi.register_callback', ...me, handler_address: slot },
          { type: 'nmi.unregister_callback', ...me },
        ],
        [{ type: 'mm.vm_assist', domid, cmd: page % 2, assist: slot % 7 }],
        [
          { type: 'mm.set_debugreg', ...me, reg: page, value: slot * 8 },
          { type: 'mm.get_debugreg', ...me, reg: page },
        ],
        [{ type: 'mmuext.set_ldt', ...me, foreigndom: SELF, linear_addr: slot * 4096, nr_ents: target }],
        [{ type: 'mm.iret', ...me, rip: slot, cs: flags, rflags: flags, rsp: slot, ss: flags, flags: 0 }],
        [
          { type: 'mm.set_segment_base', ...me, which: page % 4, base: slot * 4096 },
          { type: 'mm.stack_switch', ...me, ss: slot, esp: slot },
        ],
      ],
      target,
    )!;
  }),
  // A vCPU's first state, or another one, on the tables in page 0, mostly.
  act(numbers, (host, { dom, page, level, target, slot }) => {
    const domain = someDomain(host, dom);
    if (!host.xen.exists(domain)) return [];
    const is32bit = host.xen.is32bit(domain);
    const layout = vcpu_guest_context[is32bit ? 'x86_32' : 'x86_64'];
    const context = new Uint8Array(layout.size);
    const cr3 = (page: number): bigint => BigInt.asUintN(is32bit ? 32 : 64, BigInt(frameOf(host, domain, page)) << 12n);
    const user = level === 3 ? cr3(target) : 0n;
    layout.write(context, {
      flags: BigInt(page % 3 === 0 ? 0x24 : level === 3 ? 0x20 : 0x24),
      ctrlreg: [0n, user, 0n, cr3(page < 5 ? 0 : page)],
      gdt_frames: [BigInt(frameOf(host, domain, target))],
      gdt_ents: level === 2 ? 1n : 0n,
      ldt_ents: BigInt(slot % 5),
    } as never);
    const bytes = slot === 511 ? context.subarray(1) : context;
    return page % 4 === 3
      ? [{ type: 'vcpu.initialise_from', domid: aPvDomain(host, dom), vcpu: page % 3, context: bytes }]
      : [
          { type: 'domctl.setvcpucontext_from', domid: 0, domain, vcpu: page % 3, context: bytes },
          { type: 'domctl.getvcpucontext', domid: 0, domain, vcpu: page % 3 },
        ];
  }),
  act(numbers, (host, { dom, page }) => {
    const domain = someDomain(host, dom);
    const gfns = Array.from({ length: page }, (_, i) => frameOf(host, domain, i));
    return [{ type: 'domctl.getpageframeinfo3', domid: 0, domain, gfns }];
  }),
];
