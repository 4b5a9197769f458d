// HVM_PARAM_*: who may set and read which, and what each may be (xen/arch/x86/hvm/hvm.c, hvm_set_param()).
import type { Errno } from '../../../events/errno.ts';
import { accept, type GuestReader, refuse } from '../../../events/step.ts';
import type { DomId, Ns } from '../../../events/units.ts';
import type { CommandOf, Fact, Outcome } from '../../../events/vocabulary.ts';
import { XEN_DOMCTL_CDF, XEN_X86_EMU } from '../../abi/domctl.ts';
import { hex64, isHex64, wordsOf } from '../../abi/u64.ts';
import { crash } from '../domain/crash.ts';
import type { Xen } from '../xen.ts';
import { isPrivileged, permits } from '../xsm.ts';
import { isHvm, targetOf } from './decide.ts';
import { HVM_NR_PARAMS, HVM_PARAM } from './state.ts';

const P = HVM_PARAM;
/** What a guest may set itself, and what it may read besides. */
const guestSets: readonly number[] = [
  P.CALLBACK_IRQ,
  P.VM86_TSS,
  P.VM86_TSS_SIZED,
  P.ACPI_IOPORTS_LOCATION,
  P.VM_GENERATION_ID_ADDR,
  P.STORE_EVTCHN,
  P.CONSOLE_EVTCHN,
  P.X87_FIP_WIDTH,
];
const guestReads: readonly number[] = [...guestSets, P.STORE_PFN, P.CONSOLE_PFN, P.ALTP2M];
/** Nobody sets or reads these any more. */
const deprecated: readonly number[] = [
  P.PAE_ENABLED,
  P.DM_DOMAIN,
  P.MEMORY_EVENT_CR0,
  P.MEMORY_EVENT_CR3,
  P.MEMORY_EVENT_CR4,
  P.MEMORY_EVENT_INT3,
  P.NESTEDHVM,
  P.MEMORY_EVENT_SINGLE_STEP,
  P.BUFIOREQ_EVTCHN,
  P.MEMORY_EVENT_MSR,
];
/** Once they are something, they stay that. */
const onceOnly: readonly number[] = [
  P.VIRIDIAN,
  P.IOREQ_PFN,
  P.BUFIOREQ_PFN,
  P.IOREQ_SERVER_PFN,
  P.NR_IOREQ_SERVER_PAGES,
  P.ALTP2M,
  P.MCA_CAP,
];

export function setParam(xen: Xen, command: CommandOf<'hvm.set_param'>, now: Ns, guest: GuestReader): Outcome {
  const { domid, dom, index } = command;
  if (index < 0 || index >= HVM_NR_PARAMS) return refuse('EINVAL');
  const target = targetOf(xen, domid, dom);
  if (target === undefined) return refuse('ESRCH');
  if (!isHvm(xen, target) || !isHex64(command.value)) return refuse('EINVAL');
  if (!permits(xen, 'target', domid, target)) return refuse('EPERM');
  if (deprecated.includes(index)) return refuse('EINVAL');
  if (!guestSets.includes(index) && domid === target) return refuse('EPERM');
  const value = hex64(wordsOf(command.value));
  const before = xen.hvm.param(target, index);
  if (onceOnly.includes(index) && before !== '0x0' && value !== before) return refuse('EEXIST');
  const set = (at: number, to: string): Outcome =>
    xen.hvm.param(target, at) === to ? accept() : accept({}, { type: 'hvm.param_set', domid: target, index: at, value: to });

  const { low, high } = wordsOf(value);
  switch (index) {
    case P.ACPI_S_STATE: {
      if (high !== 0 || (low !== 0 && low !== 3)) return refuse('EINVAL');
      const suspended = low === 3;
      const changes: Fact[] =
        (xen.control.row.s3_suspended.at(target) === 1) === suspended ? [] : [{ type: 'hvm.s3_set', domid: target, suspended }];
      return accept({}, ...changes);
    }
    case P.VM86_TSS:
    case P.VM86_TSS_SIZED: {
      const size = index === P.VM86_TSS ? 128 : high;
      const isBad = index === P.VM86_TSS ? high !== 0 : size < TSS_SIZE;
      // A guest that gets its own wrong does not live on.
      if (isBad)
        return refuse(
          'EINVAL',
          undefined,
          ...(domid === target ? crash(xen, target, { vcpu: 0, why: 'a TSS that can not be' }, now, guest) : []),
        );
      if (index === P.VM86_TSS && low === 0) return set(P.VM86_TSS_SIZED, '0x0');
      return set(P.VM86_TSS_SIZED, hex64({ low, high: Math.min(size, LARGEST_TSS) }));
    }
    default: {
      const errno = flawOf(xen, domid, target, index, low, high);
      return errno === undefined ? set(index, value) : refuse(errno);
    }
  }
}

const TSS_SIZE = 104;
/** With the redirection bitmap, a bit for each port, and a byte behind. */
const LARGEST_TSS = TSS_SIZE + 32 + 8192 + 1;
const VIRIDIAN_FEATURES = (1 << 13) - 1;
const LAST_TIMER_MODE = 3;
const LAST_SHUTDOWN = 5;
const LAST_ALTP2M = 3;
const IOREQ_PAGES = 64;

function flawOf(xen: Xen, caller: DomId, target: DomId, index: number, low: number, high: number): Errno | undefined {
  const isAtMost = (most: number): boolean => high === 0 && low <= most;
  const check = (isRight: boolean): Errno | undefined => (isRight ? undefined : 'EINVAL');
  switch (index) {
    case P.TIMER_MODE:
      return check(isAtMost(LAST_TIMER_MODE));
    case P.VIRIDIAN:
      return check(high === 0 && (low & ~VIRIDIAN_FEATURES) === 0 && (low & 1) === 1);
    case P.ACPI_IOPORTS_LOCATION:
      if ((xen.control.row.emulation_flags.at(target) & XEN_X86_EMU.PM) === 0) return 'ENODEV';
      return check(isAtMost(1));
    case P.ALTP2M:
      if (!isPrivileged(caller)) return 'EPERM';
      return check(isAtMost(LAST_ALTP2M) && (low === 0 || (xen.control.row.cdf.at(target) & XEN_DOMCTL_CDF.nested_virt) === 0));
    case P.TRIPLE_FAULT_REASON:
      return check(isAtMost(LAST_SHUTDOWN));
    case P.NR_IOREQ_SERVER_PAGES:
      return check(low !== 0 && isAtMost(IOREQ_PAGES));
    case P.X87_FIP_WIDTH:
      return check(high === 0 && (low === 0 || low === 4 || low === 8));
    case P.MCA_CAP:
      // LMCE (bit 0) is Intel's.
      return check(low === 0 && high === 0);
    default:
      return undefined;
  }
}

export function getParam(xen: Xen, { domid, dom, index }: CommandOf<'hvm.get_param'>): Outcome {
  if (index < 0 || index >= HVM_NR_PARAMS) return refuse('EINVAL');
  const target = targetOf(xen, domid, dom);
  if (target === undefined) return refuse('ESRCH');
  if (!isHvm(xen, target)) return refuse('EINVAL');
  if (!permits(xen, 'target', domid, target)) return refuse('EPERM');
  if (deprecated.includes(index)) return refuse('EINVAL');
  if (!guestReads.includes(index) && domid === target) return refuse('EPERM');
  if (index === P.ACPI_S_STATE) return accept({ value: xen.control.row.s3_suspended.at(target) === 1 ? '0x3' : '0x0' });
  if (index === P.VM86_TSS)
    return accept({ value: hex64({ low: wordsOf(xen.hvm.param(target, P.VM86_TSS_SIZED)).low, high: 0 }) });
  return accept({ value: xen.hvm.param(target, index) });
}
