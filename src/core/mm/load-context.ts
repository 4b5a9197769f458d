// The state that a vCPU of a PV domain begins with, and what it has then (arch_set_info_guest() in xen/arch/x86/domain.c,
// arch_get_info_guest() in xen/arch/x86/domctl.c): struct vcpu_guest_context, as wide as the domain.
import { byteString } from '../../../events/bytes.ts';
import type { Errno } from '../../../events/errno.ts';
import type { DomId, Mfn } from '../../../events/units.ts';
import type { Fact, GuestReader } from '../../../events/vocabulary.ts';
import { VGCF, vcpu_guest_context } from '../../abi/vcpu-context.ts';
import type { Xen } from '../xen.ts';
import { CALLBACKTYPE, PV_ASSISTS, setDebugreg } from './context.ts';
import { ringThree } from './descriptor.ts';
import { Pages } from './pages.ts';
import type { VcpuContext } from './state.ts';
import { rootType } from './tables.ts';

type Given = Readonly<Record<string, bigint>> & {
  readonly user_regs: Readonly<Record<string, bigint | number>>;
  readonly trap_ctxt: readonly { vector: number; flags: number; cs: number; address: bigint }[];
  readonly gdt_frames: readonly bigint[];
  readonly ctrlreg: readonly bigint[];
  readonly debugreg: readonly bigint[];
};
type Loaded =
  | { readonly ok: true; readonly facts: Fact[]; readonly online: boolean }
  | { readonly ok: false; readonly errno: Errno };
const failed = (errno: Errno): Loaded => ({ ok: false, errno });

export const contextLayout = (xen: Xen, domid: DomId) => vcpu_guest_context[xen.is32bit(domid) ? 'x86_32' : 'x86_64'];
const isPv = (xen: Xen, domid: DomId): boolean => xen.domain.of(0)!.hvm.at(domid) === 0;

const MAX_LDT_ENTRIES = 8192n;
/** Sixteen frames of 512, without the part that is Xen's own. */
const MAX_GDT_ENTRIES = 14n * 512n;
const EFLAGS_IOPL = 0x3000;
const EFLAGS_IF = 0x200;

/** What it takes to give a vCPU this state; or why it can not have it. */
export function loadContext(xen: Xen, domid: DomId, vcpu: number, context: Uint8Array, guest: GuestReader): Loaded {
  const layout = contextLayout(xen, domid);
  if (context.length !== layout.size) return failed('EFAULT');
  const given = layout.read(context) as unknown as Given;
  const online = (given['flags']! & BigInt(VGCF.online)) !== 0n;
  if (!isPv(xen, domid)) return { ok: true, facts: [], online };
  const flaw = flawOf(xen, domid, vcpu, given);
  if (flaw !== undefined) return failed(flaw);
  const is32bit = xen.is32bit(domid);
  const isFirst = xen.sched.vcpu.of(domid)!.initialised.at(vcpu) === 0;
  const loaded: Fact = { type: 'mm.context_loaded', domid, vcpu, context };
  if (!isFirst) return isSame(xen, domid, vcpu, given) ? { ok: true, facts: [loaded], online } : failed('EOPNOTSUPP');

  const pages = new Pages(xen, guest);
  for (const mfn of xen.mm.context(domid, vcpu).gdt_frames) pages.putBoth(mfn, domid);
  for (const mfn of gdtFrames(given)) if (pages.getBoth(mfn, domid, 'seg_desc_page') !== undefined) return failed('EINVAL');
  const bases: Fact[] = [];
  for (const user of is32bit ? [false] : [false, true]) {
    const cr3 = given.ctrlreg[user ? 1 : 3]!;
    const old = xen.mm.baseptr(domid, vcpu, user);
    const mfn = user && cr3 === 0n ? -1 : is32bit ? mfnOfCompatCr3(cr3) : mfnOfCr3(cr3);
    if ((mfn >= 0 || !user) && pages.getBoth(mfn, domid, rootType(xen, domid)) !== undefined) return failed('EINVAL');
    if (old >= 0) pages.putBoth(old, domid);
    if (old !== mfn) bases.push({ type: 'mm.baseptr_set', domid, vcpu, user, mfn });
  }
  const assists = vcpu === 0 ? assistsOf(xen, domid, given['vm_assist']!) : [];
  return { ok: true, facts: [...pages.facts(), ...bases, ...assists, loaded], online };
}

/** xen_cr3_to_pfn(): a frame's number of more than 40 bits goes on in the lowest twelve. */
const mfnOfCr3 = (cr3: bigint): Mfn => Number(((cr3 >> 12n) | (cr3 << 52n)) & 0xf_ffff_ffff_ffffn);
/** compat_cr3_to_pfn(): 32 bits, of which the lowest twelve are the highest of the number. */
const mfnOfCompatCr3 = (cr3: bigint): Mfn => Number(((cr3 >> 12n) | (cr3 << 20n)) & 0xffff_ffffn);
const compatCr3Of = (mfn: Mfn): bigint => BigInt.asUintN(32, (BigInt(mfn) << 12n) | (BigInt(mfn) >> 20n));
const gdtFrames = ({ gdt_frames, ...rest }: Given): Mfn[] =>
  gdt_frames.slice(0, Math.ceil(Number(rest['gdt_ents']!) / 512)).map((frame) => Number(frame));

function flawOf(xen: Xen, domid: DomId, vcpu: number, given: Given): Errno | undefined {
  const is32bit = xen.is32bit(domid);
  const { ldt_base, ldt_ents, gdt_ents, flags, vm_assist } = given;
  if (!is32bit && !addressesAreCanonical(given)) return 'EINVAL';
  if ((ldt_base! & 0xfffn) !== 0n || ldt_ents! > MAX_LDT_ENTRIES) return 'EINVAL';
  const valid = PV_ASSISTS.reduce((mask, assist) => mask | (1n << BigInt(assist)), 0n);
  if (vcpu === 0 && (vm_assist! & ~valid) !== 0n) return 'EINVAL';
  if (gdt_ents! > MAX_GDT_ENTRIES) return 'EINVAL';
  // A user's page tables are needed where the vCPU does not begin in its kernel.
  const isFirst = xen.sched.vcpu.of(domid)!.initialised.at(vcpu) === 0;
  const inKernel = (flags! & BigInt(VGCF.in_kernel)) !== 0n;
  return isFirst && !is32bit && !inKernel && given.ctrlreg[1] === 0n ? 'EINVAL' : undefined;
}

const isCanonical = (address: bigint): boolean => BigInt.asIntN(48, address) === BigInt.asIntN(64, address);
/** Below the hole, or above what is Xen's own. */
const isGuests = (address: bigint): boolean => address < 1n << 47n || address >= 0xffff_8800_0000_0000n;

function addressesAreCanonical(given: Given): boolean {
  const single = [
    'kernel_sp',
    'fs_base',
    'gs_base_kernel',
    'gs_base_user',
    'event_callback_eip',
    'syscall_callback_eip',
    'failsafe_callback_eip',
    ...(given['ldt_ents'] === 0n ? [] : ['ldt_base']),
  ].map((name) => given[name]!);
  const { rip, rsp } = given.user_regs as { rip: bigint; rsp: bigint };
  return (
    [rip, rsp, ...single, ...given.trap_ctxt.map(({ address }) => address)].every(isCanonical) && isGuests(given['ldt_base']!)
  );
}

/** Whether a vCPU that has begun would keep its tables: they are not changed so. */
function isSame(xen: Xen, domid: DomId, vcpu: number, given: Given): boolean {
  const { gdt_frames, gdt_ents, ldt_base, ldt_ents } = xen.mm.context(domid, vcpu);
  const base = (user: boolean): Mfn => xen.mm.baseptr(domid, vcpu, user);
  const { flags } = given;
  if (xen.is32bit(domid)) {
    if (base(false) >= 0 && compatCr3Of(base(false)) !== given.ctrlreg[3]) return false;
  } else {
    if (cr3Of(base(false)) !== given.ctrlreg[3]) return false;
    if (cr3Of(base(true)) !== given.ctrlreg[1]) return false;
    if (base(true) < 0 && (flags! & BigInt(VGCF.in_kernel)) === 0n) return false;
  }
  const frames = gdtFrames(given);
  return (
    BigInt(gdt_ents) === given['gdt_ents'] &&
    frames.length === gdt_frames.length &&
    frames.every((mfn, i) => mfn === gdt_frames[i]) &&
    BigInt(ldt_ents) === given['ldt_ents'] &&
    (ldt_ents === 0 || BigInt.asUintN(64, BigInt(ldt_base)) === given['ldt_base'])
  );
}
const cr3Of = (mfn: Mfn): bigint => (mfn < 0 ? 0n : BigInt.asUintN(64, (BigInt(mfn) << 12n) | (BigInt(mfn) >> 52n)));

function assistsOf(xen: Xen, domid: DomId, vm_assist: bigint): Fact[] {
  return PV_ASSISTS.flatMap((assist): Fact[] => {
    const on = ((vm_assist >> BigInt(assist)) & 1n) === 1n;
    return xen.mm.hasAssist(domid, assist) === on ? [] : [{ type: 'mm.assist_set', domid, assist, on }];
  });
}

/** What a vCPU has told of itself, where it was told so at once: for `evolve`. */
export function contextOf(is32bit: boolean, context: Uint8Array): Partial<VcpuContext> {
  const given = vcpu_guest_context[is32bit ? 'x86_32' : 'x86_64'].read(context) as unknown as Given;
  const signed = (value: bigint): number => Number(BigInt.asIntN(64, value));
  const selector = (value: bigint | number): number => (is32bit ? Number(value) & 0xffff : ringThree(Number(value) & 0xffff));
  const { user_regs: regs } = given;
  const [rip, rflags, rsp] = (is32bit ? ['eip', 'eflags', 'esp'] : ['rip', 'rflags', 'rsp']).map((name) => BigInt(regs[name]!));
  const eflags = Number(rflags! & 0xffff_ffffn);
  const callback = (name: string) => ({ address: signed(given[name]!), flags: 0 });
  const debug = given.debugreg.map((value, reg) =>
    setDebugreg({ type: 'mm.set_debugreg', domid: 0, vcpu: 0, reg, value: signed(value) }),
  );
  const register = (reg: number, other: number): number => {
    const fact = debug[reg]?.events?.[0];
    return fact?.type === 'mm.debugreg_set' ? fact.value : other;
  };
  return {
    trap_table: Object.fromEntries(
      given.trap_ctxt.flatMap(({ flags, cs, address }, vector) =>
        address === 0n ? [] : [[vector, { flags, cs: selector(cs), address: signed(address) }]],
      ),
    ),
    gdt_frames: gdtFrames(given),
    gdt_ents: Number(given['gdt_ents']!),
    ldt_ents: Number(given['ldt_ents']!),
    ldt_base: given['ldt_ents'] === 0n ? 0 : signed(given['ldt_base']!),
    kernel_ss: selector(given['kernel_ss']!),
    kernel_sp: signed(given['kernel_sp']!),
    callbacks: {
      [CALLBACKTYPE.event]: callback('event_callback_eip'),
      [CALLBACKTYPE.failsafe]: callback('failsafe_callback_eip'),
      ...(is32bit ? {} : { [CALLBACKTYPE.syscall]: callback('syscall_callback_eip') }),
    },
    segment_bases: is32bit
      ? {}
      : { 0: signed(given['fs_base']!), 1: signed(given['gs_base_user']!), 2: signed(given['gs_base_kernel']!) },
    dr: [0, 1, 2, 3].map((reg) => register(reg, 0)),
    dr6: register(6, 0xffff0ff0),
    dr7: register(7, 0x400),
    dr7_emul: 0,
    ts: (given.ctrlreg[0]! & 8n) !== 0n,
    iopl: (eflags & EFLAGS_IOPL) >> 12,
    user: !is32bit && (given['flags']! & BigInt(VGCF.in_kernel)) === 0n,
    regs: {
      ...{ rip: signed(rip!), cs: selector(regs['cs']!), rflags: ((eflags & ~EFLAGS_IOPL) | EFLAGS_IF) >>> 0 },
      ...{ rsp: signed(rsp!), ss: selector(regs['ss']!) },
    },
    loaded: byteString(context),
  };
}

/** A vCPU's state as getvcpucontext gives it back; `flags` are what is left of those that it was given. */
export function saveContext(xen: Xen, domid: DomId, vcpu: number, flags: number): Uint8Array {
  const layout = contextLayout(xen, domid);
  const bytes = new Uint8Array(layout.size);
  const had = xen.mm.context(domid, vcpu);
  for (let i = 0; i < Math.min(bytes.length, had.loaded.length); i++) bytes[i] = had.loaded.charCodeAt(i);
  const kept = layout.read(bytes) as unknown as Given;
  const given = Number(kept['flags']! & ~BigInt(VGCF.in_kernel | VGCF.online));
  if (!isPv(xen, domid)) {
    layout.write(bytes, { flags: BigInt(flags) } as never);
    return bytes;
  }
  const is32bit = xen.is32bit(domid);
  const { regs, iopl, dr, dr6, dr7, dr7_emul, trap_table, callbacks, segment_bases } = had;
  const u64 = (value: number | undefined): bigint => BigInt.asUintN(64, BigInt(value ?? 0));
  const [event, failsafe, syscall] = [CALLBACKTYPE.event, CALLBACKTYPE.failsafe, CALLBACKTYPE.syscall].map((type) =>
    u64(callbacks[type]?.address),
  );
  const rflags = u64(regs.rflags | (iopl << 12));
  const ctrlreg = kept.ctrlreg.map((value, i) =>
    is32bit
      ? i === 3 && xen.mm.baseptr(domid, vcpu, false) >= 0
        ? compatCr3Of(xen.mm.baseptr(domid, vcpu, false))
        : value
      : i === 1 || i === 3
        ? cr3Of(xen.mm.baseptr(domid, vcpu, i === 1))
        : value,
  );
  layout.write(bytes, {
    flags: BigInt(given | flags),
    user_regs: {
      ...(is32bit
        ? {
            eip: Number(BigInt.asUintN(32, u64(regs.rip))),
            eflags: Number(rflags),
            esp: Number(BigInt.asUintN(32, u64(regs.rsp))),
          }
        : { rip: u64(regs.rip), rflags, rsp: u64(regs.rsp) }),
      ...{ cs: regs.cs, ss: regs.ss },
    },
    trap_ctxt: kept.trap_ctxt.map(({ vector: was }, vector) => {
      const { flags: ti = 0, cs = 0, address = 0 } = trap_table[vector] ?? {};
      return { vector: was, flags: ti, cs, address: u64(address) };
    }),
    ...{ ldt_base: u64(had.ldt_base), ldt_ents: u64(had.ldt_ents), gdt_ents: u64(had.gdt_ents) },
    gdt_frames: Array.from({ length: 16 }, (_, i) => u64(had.gdt_frames[i])),
    ...{ kernel_ss: u64(had.kernel_ss), kernel_sp: u64(had.kernel_sp), ctrlreg },
    debugreg: [...dr, 0, 0, dr6, dr7 | dr7_emul].map(u64),
    ...{ event_callback_eip: event, failsafe_callback_eip: failsafe },
    ...(is32bit
      ? {}
      : {
          syscall_callback_eip: syscall,
          ...{ fs_base: u64(segment_bases[0]), gs_base_user: u64(segment_bases[1]), gs_base_kernel: u64(segment_bases[2]) },
        }),
    vm_assist:
      vcpu === 0
        ? PV_ASSISTS.reduce((all, assist) => all | (xen.mm.hasAssist(domid, assist) ? 1n << BigInt(assist) : 0n), 0n)
        : 0n,
  } as never);
  return bytes;
}
