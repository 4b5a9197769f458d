// Power management (xen/drivers/acpi/pmstat.c, xen/drivers/cpufreq): what dom0 has found in ACPI's tables, and what is answered from it.
import { accept, refuse } from '../../../events/step.ts';
import type { CommandOf, Outcome } from '../../../events/vocabulary.ts';
import type { Xen } from '../xen.ts';
import { isOnline } from './cpus.ts';

const XEN_PM = { CX: 0, PX: 1, TX: 2, PDC: 3 } as const;
/** More states than these no processor has (CPUFREQ and ACPI limits). */
const MAX_STATES = 64;

export function setPminfo(xen: Xen, { id, pm_type, states }: CommandOf<'platform.set_processor_pminfo'>): Outcome {
  switch (pm_type) {
    case XEN_PM.CX:
    case XEN_PM.PX:
      if (!isOnline(xen, id) || states.length > MAX_STATES) return refuse('EINVAL');
      return accept({}, { type: 'platform.pminfo_set', cpu: id, pm_type, states });
    case XEN_PM.TX:
      return refuse('ENOSYS');
    case XEN_PM.PDC:
      return states.length < 3 ? refuse('EINVAL') : accept();
    default:
      return refuse('EINVAL');
  }
}

const PMSTAT = { PX: 0x10, CX: 0x20, get_max_cx: 0x21, get_cxstat: 0x22, reset_cxstat: 0x23 } as const;

export function pmstat(xen: Xen, { cpuid, pm_type }: CommandOf<'sysctl.get_pmstat'>): Outcome {
  if (!isOnline(xen, cpuid)) return refuse('EINVAL');
  switch (pm_type & 0xf0) {
    case PMSTAT.PX:
      return refuse('ENODEV'); // no driver changes this processor's frequency
    case PMSTAT.CX: {
      const states = xen.platform.pminfo.get(cpuid)?.cx.length ?? 0;
      if (pm_type === PMSTAT.reset_cxstat) return accept({ total: 0 });
      // Without what dom0 has to tell, a processor runs or halts: C0 and C1.
      return pm_type === PMSTAT.get_max_cx || pm_type === PMSTAT.get_cxstat
        ? accept({ total: Math.max(2, states + 1) })
        : refuse('ENOSYS');
    }
    default:
      return refuse('ENODEV');
  }
}

const PM_OP = {
  SET_SCHED_OPT_SMT: 0x21,
  GET_MAX_CSTATE: 0x22,
  SET_MAX_CSTATE: 0x23,
  ENABLE_TURBO: 0x26,
  DISABLE_TURBO: 0x27,
} as const;
const CPUFREQ_PARA = 0x10;
const CX_UNLIMITED = 2 ** 32 - 1;

export function pmOp(xen: Xen, { cmd, cpuid, value }: CommandOf<'sysctl.pm_op'>): Outcome {
  const pm = xen.platform.pm.of(0)!;
  switch (cmd) {
    case PM_OP.SET_SCHED_OPT_SMT: {
      if (cpuid !== 0) return refuse('EINVAL');
      return accept({ value: pm.sched_smt.at(0) }, { type: 'platform.pm_set', cmd, cpuid, value: value !== 0 ? 1 : 0 });
    }
    case PM_OP.GET_MAX_CSTATE:
      if (cpuid !== 0 && cpuid !== 1) return refuse('EINVAL');
      return accept({ value: limitOf((cpuid === 0 ? pm.max_cstate : pm.max_csubstate).at(0)) });
    case PM_OP.SET_MAX_CSTATE:
      if (cpuid !== 0 && cpuid !== 1) return refuse('EINVAL');
      return accept({ value }, { type: 'platform.pm_set', cmd, cpuid, value: storedLimit(value) });
  }
  if (!isOnline(xen, cpuid)) return refuse('EINVAL');
  // P-states that dom0 has told of would be needed, and a driver for them.
  if ((cmd & 0xf0) === CPUFREQ_PARA) return refuse('EINVAL');
  return refuse(cmd === PM_OP.ENABLE_TURBO || cmd === PM_OP.DISABLE_TURBO ? 'EACCES' : 'ENOSYS');
}
/** A limit stands plus one, so that none is 0. */
const storedLimit = (value: number): number => (value < 0 || value >= 2 ** 31 - 1 ? 0 : value + 1);
const limitOf = (stored: number): number => (stored === 0 ? CX_UNLIMITED : stored - 1);
