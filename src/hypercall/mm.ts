// Memory management of PV guests by registers and structures (xen/arch/x86/mm.c, xen/arch/x86/pv). A 32-bit kernel
// passes 64 bits in two registers, and a code segment before each address to be called.
import { type Errno, errnoNumber } from '../../events/errno.ts';
import { DOMID_IO, DOMID_SELF } from '../../events/units.ts';
import type { Command } from '../../events/vocabulary.ts';
import * as abi from '../abi/mmu.ts';
import { uint32_t, uint64_t, xen_ulong_t } from '../abi/scalars.ts';
import type { Struct } from '../abi/struct.ts';
import { CALLBACKOP, MMUEXT, XENNMI } from '../abi/sub-operations.ts';
import { type Call, done, goOn, type Result, uint } from './call.ts';
import { type Codecs, codec, toNumber } from './codec.ts';
import type { Plain } from './guest-memory.ts';

export const callbackOp: Codecs = {
  [CALLBACKOP.register]: codec('callback.register', abi.callback_register, { args: { callback: 'type' } }),
  [CALLBACKOP.unregister]: codec('callback.unregister', abi.callback_unregister, { args: { callback: 'type' } }),
};
export const nmiOp: Codecs = {
  [XENNMI.register_callback]: codec('nmi.register_callback', abi.xennmi_callback),
  [XENNMI.unregister_callback]: codec('nmi.unregister_callback'),
};

/** A value of 64 bits as the two words of an entry. */
const words = (value: bigint): { val_lo: number; val_hi: number } => ({
  val_lo: Number(value & 0xffff_ffffn),
  val_hi: Number((value >> 32n) & 0xffff_ffffn),
});

/**
 * A list with a place for how many are done (`pdone`). An element that is refused ends it; one that has to wait is counted where the list
 * goes on from.
 */
function list(call: Call, struct: Struct<unknown>, element: (given: Plain) => Command | Errno): Result {
  const { guest } = call;
  // Whose pages they are is looked at before the list is, and the caller is itself by no other name than DOMID_SELF.
  const owner = uint(call.arg(3)) & 0xffff;
  const isKnown = owner === DOMID_SELF || owner === DOMID_IO || (owner !== call.caller.domid && call.xen.exists(owner));
  if (!isKnown) return call.refuse('ESRCH');
  const [uops, pdone] = [call.arg(0), call.arg(2)];
  const wanted = uint(call.arg(1));
  const isLater = wanted >= abi.MMU_UPDATE_PREEMPTED;
  const count = isLater ? wanted - abi.MMU_UPDATE_PREEMPTED : wanted;
  const before = isLater && pdone !== 0n ? (guest.list(uint32_t, pdone, 1)[0] ?? 0) : 0;
  const size = BigInt(struct[guest.width].size);
  const steps = count > 1 || isLater ? call.asList() : call;
  let rc = 0;
  let i = 0;
  const note = (): void => {
    if (pdone !== 0n) guest.putList(uint32_t, pdone, [(before + i) >>> 0]);
  };
  for (; i < count && rc === 0; i++) {
    const at = uops + BigInt(i) * size;
    if (i > 0 && call.port.preempt()) {
      note();
      return goOn(call.number, [at, BigInt(count - i + abi.MMU_UPDATE_PREEMPTED), pdone, call.arg(3)]);
    }
    const given = guest.read(struct, at);
    const command = given === undefined ? 'EFAULT' : element(given);
    if (typeof command === 'string') rc = steps.refused(command);
    else {
      const outcome = steps.step(command);
      if (!outcome.ok) rc = errnoNumber(outcome.errno);
    }
    if (rc !== 0) break;
  }
  note();
  return done(rc);
}

export function performMmuUpdate(call: Call): Result {
  const { domid, vcpu } = call.caller;
  const foreigndom = uint(call.arg(3));
  return list(call, abi.mmu_update, ({ ptr, val }) => ({
    type: 'mm.mmu_update',
    domid,
    vcpu,
    foreigndom,
    ptr: toNumber(ptr as bigint),
    ...words(val as bigint),
  }));
}

const mmuextNames = new Map<number, keyof typeof MMUEXT>(
  Object.entries(MMUEXT).map(([name, number]) => [number, name as keyof typeof MMUEXT]),
);

export function performMmuextOp(call: Call): Result {
  const { domid, vcpu } = call.caller;
  const base = { domid, vcpu, foreigndom: uint(call.arg(3)) };
  return list(call, abi.mmuext_op, ({ cmd, arg1, arg2 }) => {
    const name = mmuextNames.get(cmd as number);
    if (name === undefined) return 'ENOSYS';
    const { mfn, linear_addr } = arg1 as { mfn: bigint; linear_addr: bigint };
    const { nr_ents, vcpumask, src_mfn } = arg2 as { nr_ents: number; vcpumask: bigint; src_mfn: bigint };
    const isMulti = name === 'tlb_flush_multi' || name === 'invlpg_multi';
    const vcpus = isMulti ? vcpusOf(call, vcpumask) : [];
    if (vcpus === undefined) return 'EINVAL';
    return {
      type: `mmuext.${name}`,
      ...base,
      ...pick(name, { mfn: toNumber(mfn), src_mfn: toNumber(src_mfn), linear_addr: toNumber(linear_addr), nr_ents, vcpus }),
    } as unknown as Command;
  });
}

/** Those of the arguments that a sub-operation looks at. */
function pick(name: keyof typeof MMUEXT, all: Readonly<Record<string, unknown>>): object {
  const looksAt: Readonly<Partial<Record<keyof typeof MMUEXT, readonly string[]>>> = {
    tlb_flush_local: [],
    tlb_flush_all: [],
    flush_cache: [],
    flush_cache_global: [],
    invlpg_local: ['linear_addr'],
    invlpg_all: ['linear_addr'],
    tlb_flush_multi: ['vcpus'],
    invlpg_multi: ['linear_addr', 'vcpus'],
    set_ldt: ['linear_addr', 'nr_ents'],
    copy_page: ['mfn', 'src_mfn'],
  };
  return Object.fromEntries((looksAt[name] ?? ['mfn']).map((field) => [field, all[field]]));
}

/** The vCPUs of a mask, of as many bits as the domain can have; undefined where it is not there. */
function vcpusOf(call: Call, mask: bigint): number[] | undefined {
  const max = call.xen.domain.of(0)!.max_vcpus.at(call.caller.domid);
  const count = Math.ceil(max / 64);
  const parts = call.guest.list(uint64_t, mask, count);
  if (parts.length < count) return undefined;
  return Array.from({ length: max }, (_, vcpu) => vcpu).filter((vcpu) => ((parts[vcpu >> 6]! >> BigInt(vcpu & 63)) & 1n) === 1n);
}

const one = (call: Call, command: Command, rc = (_: Plain): number => 0): Result => {
  const outcome = call.step(command);
  return done(outcome.ok ? rc(outcome.value as Plain) : errnoNumber(outcome.errno));
};

/** Those that have all they need in registers, or in one list. */
export const mmCalls: Readonly<Record<string, (call: Call) => Result>> = {
  mmu_update: performMmuUpdate,
  mmuext_op: performMmuextOp,
  update_va_mapping: (call) => one(call, { type: 'mm.update_va_mapping', ...mapping(call) }),
  update_va_mapping_otherdomain: (call) =>
    one(call, {
      type: 'mm.update_va_mapping_otherdomain',
      ...mapping(call),
      dom: uint(call.arg(is32bit(call) ? 4 : 3)) & 0xffff,
    }),
  vm_assist: (call) =>
    one(call, { type: 'mm.vm_assist', domid: call.caller.domid, cmd: uint(call.arg(0)), assist: uint(call.arg(1)) }),
  set_trap_table: performTraps,
  set_gdt: performGdt,
  update_descriptor: (call) => {
    const { val_lo: desc_a, val_hi: desc_b } = words(is32bit(call) ? joined(call, 2) : call.arg(1));
    const maddr = toNumber(is32bit(call) ? joined(call, 0) : call.arg(0));
    return one(call, { type: 'mm.update_descriptor', ...me(call), maddr, desc_a, desc_b });
  },
  stack_switch: (call) => one(call, { type: 'mm.stack_switch', ...me(call), ss: uint(call.arg(0)), esp: toNumber(call.arg(1)) }),
  set_callbacks: (call) => {
    const places = is32bit(call) ? [1, 3, 6] : [0, 1, 2];
    const [event_address, failsafe_address, syscall_address] = places.map((i) => toNumber(call.arg(i))) as [
      number,
      number,
      number,
    ];
    return one(call, { type: 'mm.set_callbacks', ...me(call), event_address, failsafe_address, syscall_address });
  },
  set_segment_base: (call) =>
    one(call, { type: 'mm.set_segment_base', ...me(call), which: uint(call.arg(0)), base: toNumber(call.arg(1)) }),
  set_debugreg: (call) =>
    one(call, { type: 'mm.set_debugreg', ...me(call), reg: uint(call.arg(0)) | 0, value: toNumber(call.arg(1)) }),
  get_debugreg: (call) =>
    one(call, { type: 'mm.get_debugreg', ...me(call), reg: uint(call.arg(0)) | 0 }, ({ value }) => Number(value)),
  iret: performIret,
  fpu_taskswitch: (call) => one(call, { type: 'mm.fpu_taskswitch', ...me(call), set: uint(call.arg(0)) | 0 }),
};
const me = ({ caller: { domid, vcpu } }: Call): { domid: number; vcpu: number } => ({ domid, vcpu });
const is32bit = (call: Call): boolean => call.caller.width === 32;
/** Two registers of 32 bits, the lower half first. */
const joined = (call: Call, from: number): bigint => call.arg(from) | (call.arg(from + 1) << 32n);
const mapping = (call: Call) => ({
  ...me(call),
  va: toNumber(call.arg(0)),
  ...words(is32bit(call) ? joined(call, 1) : call.arg(1)),
  flags: toNumber(call.arg(is32bit(call) ? 3 : 2)),
});

/** A table ends with an address of 0; one without an end goes on as far as there is memory, but not for ever. */
function performTraps(call: Call): Result {
  const { guest } = call;
  const at = call.arg(0);
  const traps: number[] = [];
  const size = BigInt(abi.trap_info[guest.width].size);
  for (let i = 0; at !== 0n && i < MAX_TRAPS; i++) {
    const trap = guest.read(abi.trap_info, at + BigInt(i) * size);
    if (trap === undefined) {
      traps.push(0); // cut off
      break;
    }
    const address = toNumber(trap['address'] as bigint);
    traps.push(trap['vector'] as number, trap['flags'] as number, trap['cs'] as number, address);
    if (address === 0) break;
  }
  return one(call, { type: 'mm.set_trap_table', ...me(call), traps, clear: at === 0n });
}
const MAX_TRAPS = 4096;

function performGdt(call: Call): Result {
  const entries = uint(call.arg(1));
  // More than there can be is refused for that, whatever stands there.
  const count = Math.min(Math.ceil(entries / 512), MAX_GDT_FRAMES);
  const frames = call.guest.list(xen_ulong_t, call.arg(0), count).map((frame) => toNumber(frame));
  return one(call, { type: 'mm.set_gdt', ...me(call), frames, entries });
}
const MAX_GDT_FRAMES = 15;

/** do_iret(), compat_iret(): a kernel whose frame is not there, or who may not return to where that says, does not live on. */
function performIret(call: Call): Result {
  const { caller, guest, xen } = call;
  if (caller.rsp === undefined || xen.domain.of(0)!.hvm.at(caller.domid) === 1) return call.refuse('ENOSYS');
  const frame = is32bit(call) ? compatFrame(call, BigInt.asUintN(32, caller.rsp)) : guest.read(abi.iret_context, caller.rsp);
  if (frame === undefined) return one(call, { type: 'vcpu.domain_crash', ...me(call), why: 'no frame to return by' });
  const field = (name: string): number => toNumber(frame[name] as bigint);
  const { rip, cs, rflags, rsp, ss, flags } = {
    ...{ rip: field('rip'), cs: field('cs'), rflags: field('rflags') },
    ...{ rsp: field('rsp'), ss: field('ss'), flags: field('flags') },
  };
  const outcome = call.step({ type: 'mm.iret', ...me(call), rip, cs, rflags, rsp, ss, flags });
  return done(outcome.ok ? field('rax') : 0);
}
/** Ring 1 is a 32-bit kernel's own: it returns without another stack. */
function compatFrame({ guest, xen, caller }: Call, esp: bigint): Plain | undefined {
  const words = guest.list(uint32_t, esp, 6).map((word) => BigInt(word));
  const [rax, rip, cs, rflags, rsp, ss] = words;
  if (rflags === undefined) return undefined;
  const ring = cs! & 3n;
  if (ring === 1n)
    return { rax, rip, cs, rflags, rsp: esp + 16n, ss: BigInt(xen.mm.context(caller.domid, caller.vcpu).regs.ss), flags: 0n };
  return ring === 0n || ss === undefined ? undefined : { rax, rip, cs, rflags, rsp, ss, flags: 0n };
}
