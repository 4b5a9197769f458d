// What the toolstack, or a debugger, does to single vCPUs.

import { byteString } from '../../../events/bytes.ts';
import { accept, type GuestReader, refuse } from '../../../events/step.ts';
import type { DomId, Ns } from '../../../events/units.ts';
import type { CommandOf, Fact, Outcome } from '../../../events/vocabulary.ts';
import { hex64, isCanonical, isHex64, wordsOf } from '../../abi/u64.ts';
import { VGCF } from '../../abi/vcpu-context.ts';
import { VIRQ } from '../../abi/virq.ts';
import { printk } from '../console/printk.ts';
import { crash } from '../domain/crash.ts';
import { forEachVcpu } from '../domain/decide.ts';
import { raiseGlobalVirq } from '../evtchn/decide.ts';
import { saveContext } from '../mm/load-context.ts';
import { offCpu } from '../sched/decide.ts';
import { sendNmi } from '../vcpu/decide.ts';
import type { Xen } from '../xen.ts';

const SENDTRIGGER = { NMI: 0, POWER: 3, SLEEP: 4 } as const;
const MAX_PAUSES = 255;

/** Whether the vCPU is the caller's own, which runs while it asks. A domain of more vCPUs asks on its first here. */
const isCurrent = (domid: DomId, domain: DomId, vcpu: number): boolean => domid === domain && vcpu === 0;

export function getvcpucontext(xen: Xen, { domid, domain, vcpu }: CommandOf<'domctl.getvcpucontext'>): Outcome {
  if (!xen.hasVcpu(domain, vcpu) || isCurrent(domid, domain, vcpu)) return refuse('EINVAL');
  const rows = xen.sched.vcpu.of(domain)!;
  if (rows.initialised.at(vcpu) === 0) return refuse('ENODATA');
  const inKernel = xen.domain.of(0)!.hvm.at(domain) === 0 && !xen.mm.context(domain, vcpu).user;
  const flags = (inKernel ? VGCF.in_kernel : 0) | (rows.up.at(vcpu) === 1 ? VGCF.online : 0);
  return accept({ flags, context: saveContext(xen, domain, vcpu, flags) });
}

export function sendtrigger(xen: Xen, { domain, trigger, vcpu }: CommandOf<'domctl.sendtrigger'>, now: Ns): Outcome {
  if (!xen.hasVcpu(domain, vcpu)) return refuse('ESRCH');
  const isHvm = xen.domain.of(0)!.hvm.at(domain) === 1;
  switch (trigger) {
    case SENDTRIGGER.NMI:
      return accept({}, ...sendNmi(xen, domain, vcpu, now));
    case SENDTRIGGER.POWER:
      return isHvm ? accept({}, { type: 'domain.button_pressed', domid: domain, button: 'power' }) : refuse('EINVAL');
    case SENDTRIGGER.SLEEP:
      return isHvm ? accept({}, { type: 'domain.button_pressed', domid: domain, button: 'sleep' }) : refuse('EINVAL');
    default:
      return refuse('ENOSYS');
  }
}

interface ExtContext {
  readonly vcpu: number;
  readonly sysenter_cs: number;
  readonly sysenter_eip: string;
  readonly sysenter_disables_events: boolean;
  readonly syscall32_cs: number;
  readonly syscall32_eip: string;
  readonly syscall32_disables_events: boolean;
}

export function getExtVcpucontext(xen: Xen, { domid, domain, vcpu }: CommandOf<'domctl.get_ext_vcpucontext'>): Outcome {
  if (!xen.hasVcpu(domain, vcpu) || isCurrent(domid, domain, vcpu)) return refuse('ESRCH');
  const kept = xen.control.setting<readonly ExtContext[]>(domain, 'ext_vcpucontext')?.find((one) => one.vcpu === vcpu);
  const { vcpu: _, ...context } = kept ?? {
    vcpu,
    sysenter_cs: 0,
    sysenter_eip: '0x0',
    sysenter_disables_events: false,
    syscall32_cs: 0,
    syscall32_eip: '0x0',
    syscall32_disables_events: false,
  };
  return accept(context);
}

export function setExtVcpucontext(xen: Xen, command: CommandOf<'domctl.set_ext_vcpucontext'>): Outcome {
  const { domid, domain, vcpu, sysenter_eip, syscall32_eip } = command;
  if (!xen.hasVcpu(domain, vcpu) || domid === domain) return refuse('ESRCH');
  if (!isHex64(sysenter_eip) || !isHex64(syscall32_eip)) return refuse('EINVAL');
  const isHvm = xen.domain.of(0)!.hvm.at(domain) === 1;
  const sysenter_cs = command.sysenter_cs & 0xffff;
  const syscall32_cs = command.syscall32_cs & 0xffff;
  const isNothing = (cs: number, eip: string): boolean => (cs & ~3) === 0 && hex64(wordsOf(eip)) === '0x0';
  if (isHvm) return isNothing(sysenter_cs, sysenter_eip) && isNothing(syscall32_cs, syscall32_eip) ? accept() : refuse('EINVAL');
  if (!isCanonical(sysenter_eip) || !isCanonical(syscall32_eip)) return refuse('EINVAL');
  const one: ExtContext = {
    vcpu,
    sysenter_cs: guestSelector(sysenter_cs),
    sysenter_eip: hex64(wordsOf(sysenter_eip)),
    sysenter_disables_events: command.sysenter_disables_events,
    syscall32_cs: guestSelector(syscall32_cs),
    syscall32_eip: hex64(wordsOf(syscall32_eip)),
    syscall32_disables_events: command.syscall32_disables_events,
  };
  return accept({}, keep(xen, domain, 'ext_vcpucontext', one));
}
/** A kernel of 64 bits runs in ring 3 (fixup_guest_code_selector()). */
const guestSelector = (cs: number): number => cs | 3;

/** A setting that is a list with at most one entry for each vCPU. */
function keep<T extends { readonly vcpu: number }>(
  xen: Xen,
  domid: DomId,
  setting: 'ext_vcpucontext' | 'xstate' | 'msrs',
  one: T,
): Fact {
  const others = (xen.control.setting<readonly T[]>(domid, setting) ?? []).filter(({ vcpu }) => vcpu !== one.vcpu);
  const all = [...others, one].sort((a, b) => a.vcpu - b.vcpu);
  return { type: 'domain.setting_set', domid, setting, json: JSON.stringify(all) };
}

/** Single steps are a matter of Intel's processors; this machine has another. */
export function debugOp(xen: Xen, { domid, domain, op, vcpu }: CommandOf<'domctl.debug_op'>): Outcome {
  if (!xen.hasVcpu(domain, vcpu) || isCurrent(domid, domain, vcpu)) return refuse('EINVAL');
  if (xen.domain.of(0)!.hvm.at(domain) === 0) return refuse('EINVAL');
  return refuse(op === 0 || op === 1 ? 'EOPNOTSUPP' : 'ENOSYS');
}

/** What XCR0 may have on the recorded machine: x87, SSE, AVX, MPX (two bits that come together) and PKRU. */
const XFEATURE_MASK = 0x21f;
const HEADER = 16;
const AREA_MIN = 576;
/** Where the last component ends in the uncompacted format (CPUID 0xd). */
function areaSize(accumulated: number): number {
  let end = AREA_MIN;
  for (const [bit, at] of COMPONENT_ENDS) if (((accumulated >>> bit) & 1) === 1) end = at;
  return end;
}
const COMPONENT_ENDS: readonly (readonly [bit: number, end: number])[] = [
  [2, 832],
  [3, 1024],
  [4, 1088],
  [9, 2696],
];
const MPX = 0x18;
interface Xstate {
  readonly vcpu: number;
  readonly xcr0: number;
  readonly accumulated: number;
  /** The XSAVE area, a byte a character. */
  readonly area: string;
}

export function getvcpuextstate(xen: Xen, { domid, domain, vcpu, size }: CommandOf<'domctl.getvcpuextstate'>): Outcome {
  if (!xen.hasVcpu(domain, vcpu)) return refuse('ESRCH');
  if (isCurrent(domid, domain, vcpu)) return refuse('EINVAL');
  const xfeature_mask = hex64({ low: XFEATURE_MASK, high: 0 });
  const nothing = new Uint8Array(0);
  if (size === 0) return accept({ xfeature_mask, size: HEADER + areaSize(XFEATURE_MASK), buffer: nothing });
  const kept = xen.control.setting<readonly Xstate[]>(domain, 'xstate')?.find((one) => one.vcpu === vcpu);
  const buffer = new Uint8Array(HEADER + (kept === undefined ? 0 : kept.area.length));
  if (size < buffer.length) return refuse('EINVAL');
  buffer[0] = kept?.xcr0 ?? 1;
  buffer[8] = kept?.accumulated ?? 0;
  for (let i = 0; kept !== undefined && i < kept.area.length; i++) buffer[HEADER + i] = kept.area.charCodeAt(i);
  return accept({ xfeature_mask, size: buffer.length, buffer });
}

export function setvcpuextstate(xen: Xen, { domid, domain, vcpu, buffer }: CommandOf<'domctl.setvcpuextstate'>): Outcome {
  if (!xen.hasVcpu(domain, vcpu)) return refuse('ESRCH');
  if (isCurrent(domid, domain, vcpu)) return refuse('EINVAL');
  if (buffer.length < HEADER || buffer.length > HEADER + areaSize(XFEATURE_MASK)) return refuse('EINVAL');
  const view = new DataView(buffer.buffer, buffer.byteOffset, buffer.length);
  const word = (at: number): number | undefined => (view.getUint32(at + 4, true) === 0 ? view.getUint32(at, true) : undefined);
  const xcr0 = word(0);
  const accumulated = word(8);
  if (xcr0 === undefined || accumulated === undefined) return refuse('EINVAL');
  if (accumulated === 0) {
    if (xcr0 !== 0) return refuse('EINVAL');
  } else {
    if (buffer.length < HEADER + AREA_MIN) return refuse('EINVAL');
    const bv = view.getUint32(HEADER + 512, true);
    const isValid = (mask: number): boolean =>
      (mask & 1) === 1 && ((mask & 4) === 0 || (mask & 2) !== 0) && ((mask & MPX) === 0 || (mask & MPX) === MPX);
    if ((bv & ~accumulated) !== 0 || (xcr0 & ~accumulated) !== 0 || (accumulated & ~XFEATURE_MASK) !== 0) return refuse('EINVAL');
    if (!isValid(xcr0) || !isValid(accumulated)) return refuse('EINVAL');
    if (view.getUint32(HEADER + 520, true) !== 0 || view.getUint32(HEADER + 524, true) !== 0) return refuse('EOPNOTSUPP');
    for (let at = HEADER + 528; at < HEADER + AREA_MIN; at++) if (buffer[at] !== 0) return refuse('EIO');
  }
  if (buffer.length === HEADER) return accept(); // nothing to restore
  if (buffer.length !== HEADER + areaSize(accumulated)) return refuse('EINVAL');
  return accept({}, keep(xen, domain, 'xstate', { vcpu, xcr0, accumulated, area: byteString(buffer.subarray(HEADER)) }));
}

/** SPEC_CTRL, MISC_FEATURES_ENABLES, TSC_AUX and the four address masks of the debug registers (AMD). */
const MISC_FEATURES_ENABLES = 0x140;
const TSC_AUX = 0xc0000103;
const MSRS: readonly number[] = [0x48, MISC_FEATURES_ENABLES, TSC_AUX, 0xc0011027, 0xc0011019, 0xc001101a, 0xc001101b];
interface Msrs {
  readonly vcpu: number;
  /** Index and value of those that are not 0, in the order of MSRS. */
  readonly msrs: readonly (readonly [index: number, value: string])[];
}
const msrsOf = (xen: Xen, domid: DomId, vcpu: number): Msrs['msrs'] =>
  xen.control.setting<readonly Msrs[]>(domid, 'msrs')?.find((one) => one.vcpu === vcpu)?.msrs ?? [];

export function getVcpuMsrs(xen: Xen, { domid, domain, vcpu, msr_count }: CommandOf<'domctl.get_vcpu_msrs'>): Outcome {
  if (!xen.hasVcpu(domain, vcpu)) return refuse('ESRCH');
  if (isCurrent(domid, domain, vcpu) || xen.domain.of(0)!.hvm.at(domain) === 1) return refuse('EINVAL');
  const all = msrsOf(xen, domain, vcpu);
  if (msr_count === 0) return accept({ msr_count: MSRS.length, indices: [], values: [] });
  const shown = all.slice(0, Math.max(0, msr_count));
  const answer = { msr_count: all.length, indices: shown.map(([index]) => index), values: shown.map(([, value]) => value) };
  return shown.length < all.length ? refuse('ENOBUFS', answer) : accept(answer);
}

export function setVcpuMsrs(xen: Xen, { domid, domain, vcpu, indices, values }: CommandOf<'domctl.set_vcpu_msrs'>): Outcome {
  if (!xen.hasVcpu(domain, vcpu)) return refuse('ESRCH');
  if (isCurrent(domid, domain, vcpu) || xen.domain.of(0)!.hvm.at(domain) === 1) return refuse('EINVAL');
  if (indices.length > MSRS.length) return refuse('EINVAL');
  const kept = new Map(msrsOf(xen, domain, vcpu));
  let done = 0;
  for (const [i, index] of indices.entries()) {
    const value = values[i];
    // TSC_AUX is of 32 bits. Nobody can fault on CPUID, which may be said; the others are of features that the processor has not.
    if (value === undefined || !MSRS.includes(index) || !isHex64(value)) break;
    const { low, high } = wordsOf(value);
    if (high !== 0 || (index !== TSC_AUX && (index !== MISC_FEATURES_ENABLES || low !== 0))) break;
    if (low === 0) kept.delete(index);
    else kept.set(index, hex64({ low, high }));
    done++;
  }
  const msrs = MSRS.filter((index) => kept.has(index)).map((index) => [index, kept.get(index)!] as const);
  const facts = done === 0 ? [] : [keep(xen, domain, 'msrs', { vcpu, msrs })];
  return done === indices.length ? accept({ msr_count: done }, ...facts) : refuse('EINVAL', { msr_count: done }, ...facts);
}

/** vcpu_pause_by_systemcontroller() */
export function pausevcpu(xen: Xen, { domain, vcpu }: CommandOf<'domctl.gdbsx_pausevcpu'>, now: Ns): Outcome {
  if (xen.domain.of(0)!.controller_pause_count.at(domain) === 0) return refuse('EBUSY');
  if (!xen.hasVcpu(domain, vcpu)) return refuse('EINVAL');
  const count = xen.control.pausesOf(domain, vcpu) + 1;
  if (count > MAX_PAUSES) return refuse('EOVERFLOW');
  const paused: Fact = { type: 'vcpu.controller_paused', domid: domain, vcpu, count };
  if (count > 1) return accept({}, paused);
  return accept({}, paused, ...offCpu(xen, domain, vcpu, now), { type: 'vcpu.paused', domid: domain, vcpu, at_ns: now });
}

export function unpausevcpu(xen: Xen, command: CommandOf<'domctl.gdbsx_unpausevcpu'>, now: Ns, guest: GuestReader): Outcome {
  const { domid, domain, vcpu } = command;
  if (xen.domain.of(0)!.controller_pause_count.at(domain) === 0) return refuse('EBUSY');
  if (!xen.hasVcpu(domain, vcpu)) return refuse('EINVAL');
  const count = xen.control.pausesOf(domain, vcpu);
  if (count === 0) {
    const text = `d${domid} unpauses d${domain}v${vcpu}, which is not paused`;
    return refuse('EINVAL', undefined, ...printk(xen, now, guest, [{ level: 'warning', guest: true, text }]));
  }
  const facts: Fact[] = [{ type: 'vcpu.controller_paused', domid: domain, vcpu, count: count - 1 }];
  if (count === 1) facts.push({ type: 'vcpu.unpaused', domid: domain, vcpu, at_ns: now });
  return accept({}, ...facts);
}

/** The first vCPU that a debugger has to be told of is told once. */
export function domstatus(xen: Xen, { domain }: CommandOf<'domctl.gdbsx_domstatus'>): Outcome {
  const paused = xen.domain.of(0)!.controller_pause_count.at(domain) > 0;
  const events = xen.control.vcpus.of(domain)?.debug_event;
  if (paused && events !== undefined)
    for (let vcpu = 0; vcpu < xen.domain.of(0)!.nr_vcpus.at(domain); vcpu++)
      if (events.at(vcpu) !== 0)
        return accept(
          { paused, vcpu_id: vcpu, vcpu_ev: events.at(vcpu) },
          { type: 'vcpu.debug_event_set', domid: domain, vcpu, vector: 0 },
        );
  return accept({ paused, vcpu_id: -1, vcpu_ev: 0 });
}

const TRAP = { debug: 1, int3: 3 } as const;

/** debugger_trap_entry() and domain_pause_for_debugger(): without a debugger, the trap is the guest's own. */
export function debuggerTrap(
  xen: Xen,
  { domid, vcpu, vector }: CommandOf<'vcpu.debugger_trap'>,
  now: Ns,
  guest: GuestReader,
): Outcome {
  if (!xen.hasVcpu(domid, vcpu)) return refuse('ENOENT');
  if (vector !== TRAP.debug && vector !== TRAP.int3) return refuse('EINVAL');
  if (xen.control.row.debugger_attached.at(domid) === 0) return accept({ paused: false });
  const count = xen.domain.of(0)!.controller_pause_count.at(domid);
  if (count >= MAX_PAUSES) return accept({ paused: true });
  const facts: Fact[] = [{ type: 'domain.paused', domid, at_ns: now }];
  if (count === 0) facts.push(...forEachVcpu(xen, domid, 'vcpu.paused', now));
  // gdbsx asks for the vCPU; another debugger is told by its VIRQ.
  if (vector === TRAP.int3) facts.push({ type: 'vcpu.debug_event_set', domid, vcpu, vector });
  else facts.push(...raiseGlobalVirq(xen, VIRQ.DEBUGGER, now, guest));
  return accept({ paused: true }, ...facts);
}

export function domainCrash(
  xen: Xen,
  { domid, vcpu, why }: CommandOf<'vcpu.domain_crash'>,
  now: Ns,
  guest: GuestReader,
): Outcome {
  if (!xen.hasVcpu(domid, vcpu)) return refuse('ENOENT');
  return accept({}, ...crash(xen, domid, { vcpu, why }, now, guest));
}
