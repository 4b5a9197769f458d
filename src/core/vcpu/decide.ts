// vcpu_op (xen/common/domain.c, do_vcpu_op()): the life of a vCPU and what can be asked about it.
import { accept, refuse } from '../../../events/step.ts';
import { type DomId, type Ns, PAGE_SIZE } from '../../../events/units.ts';
import type { CommandOf, Fact, Outcome, VcpuCommand } from '../../../events/vocabulary.ts';
import { vcpu_info, vcpu_time_info } from '../../abi/shared-info.ts';
import { isBacked } from '../p2m/area.ts';
import { offCpu, wake } from '../sched/decide.ts';
import { hasVcpuInfo, type Vcpus } from '../sched/state.ts';
import type { Xen } from '../xen.ts';
import { isPrivileged } from '../xsm.ts';
import { runstateSize } from './runstate.ts';

export function decide(xen: Xen, command: VcpuCommand, now: Ns): Outcome {
  switch (command.type) {
    case 'domctl.setvcpucontext': {
      const { domain, vcpu } = command;
      const rows = xen.sched.vcpu.of(domain);
      if (!rows) return refuse('ESRCH');
      if (!isPrivileged(command.domid)) return refuse('EPERM');
      if (domain === command.domid || !xen.hasVcpu(domain, vcpu)) return refuse('EINVAL');
      const facts: Fact[] = [];
      if (rows.initialised.at(vcpu) === 0) facts.push({ type: 'vcpu.initialised', domid: domain, vcpu });
      if (rows.up.at(vcpu) === 0) facts.push({ type: 'vcpu.brought_up', domid: domain, vcpu, at_ns: now });
      return accept({}, ...facts);
    }
    case 'domctl.getvcpuinfo': {
      const { domain, vcpu } = command;
      const rows = xen.sched.vcpu.of(domain);
      if (!rows) return refuse('ESRCH');
      if (!isPrivileged(command.domid)) return refuse('EPERM');
      if (vcpu < 0 || vcpu >= xen.domain.of(0)!.max_vcpus.at(domain)) return refuse('EINVAL');
      if (!xen.hasVcpu(domain, vcpu)) return refuse('ESRCH');
      return accept({
        online: rows.up.at(vcpu),
        blocked: rows.blocked.at(vcpu),
        running: isRunning(rows, command.domid, domain, vcpu) ? 1 : 0,
        cpu_time: timeIn('running', rows, vcpu, now),
        cpu: rows.cpu.at(vcpu),
      });
    }
  }
  const { domid, vcpu } = command;
  const rows = xen.sched.vcpu.of(domid);
  if (!rows) return refuse('ESRCH');
  if (!xen.hasVcpu(domid, vcpu)) return refuse('ENOENT');
  switch (command.type) {
    case 'vcpu.initialise':
      // Nothing could be told to a vCPU that has no vcpu_info.
      if (!hasVcpuInfo(vcpu) && rows.info_mfn_plus_1.at(vcpu) === 0) return refuse('EINVAL');
      return rows.initialised.at(vcpu) === 1 ? refuse('EEXIST') : accept({}, { type: 'vcpu.initialised', domid, vcpu });
    case 'vcpu.up':
      if (rows.initialised.at(vcpu) === 0) return refuse('EINVAL');
      return rows.up.at(vcpu) === 1 ? accept() : accept({}, { type: 'vcpu.brought_up', domid, vcpu, at_ns: now });
    case 'vcpu.down':
      if (rows.up.at(vcpu) === 0) return accept();
      return accept({}, ...offCpu(xen, domid, vcpu, now), { type: 'vcpu.brought_down', domid, vcpu, at_ns: now });
    case 'vcpu.is_up':
      return accept({ up: rows.up.at(vcpu) });
    case 'vcpu.get_runstate_info': {
      const state = rows.runstate.is(vcpu);
      const time = (['running', 'runnable', 'blocked', 'offline'] as const).map((name) => timeIn(name, rows, vcpu, now));
      return accept({ state, state_entry_time: rows.entry_ns.at(vcpu), time });
    }
    case 'vcpu.register_vcpu_info':
      return registerInfo(xen, command, now);
    case 'vcpu.register_runstate_memory_area': {
      const { addr } = command;
      if (!isBacked(xen, domid, addr, runstateSize(xen, domid))) return refuse('EFAULT');
      return accept({}, { type: 'vcpu.runstate_area_registered', domid, vcpu, addr, at_ns: now });
    }
    case 'vcpu.register_vcpu_time_memory_area': {
      const { addr } = command;
      if (!isBacked(xen, domid, addr, vcpu_time_info.x86_64.size)) return refuse('EFAULT');
      return accept({}, { type: 'vcpu.time_area_registered', domid, vcpu, addr, at_ns: now });
    }
    case 'vcpu.send_nmi':
      return accept({}, ...sendNmi(xen, domid, vcpu, now));
    default:
      return command satisfies never;
  }
}

/** map_vcpu_info() in xen/common/domain.c. */
function registerInfo(xen: Xen, command: CommandOf<'vcpu.register_vcpu_info'>, now: Ns): Outcome {
  const { domid, vcpu, current, offset } = command;
  const rows = xen.sched.vcpu.of(domid)!;
  const { size, align } = vcpu_info[xen.is32bit(domid) ? 'x86_32' : 'x86_64'];
  if (offset < 0 || offset > PAGE_SIZE - size || offset % align !== 0) return refuse('ENXIO');
  if (rows.info_mfn_plus_1.at(vcpu) !== 0) return refuse('EINVAL');
  if (vcpu !== current && rows.up.at(vcpu) === 1) return refuse('EINVAL');
  const mfn = xen.grantedFrame(domid, command.mfn);
  if (!xen.mayKeepIn(domid, mfn)) return refuse('EINVAL');
  return accept({}, { type: 'vcpu.info_registered', domid, vcpu, mfn, offset, at_ns: now }, ...wake(xen, domid, vcpu, now));
}

/**
 * How long a vCPU has been in a runstate until now, all spells together (vcpu_runstate_get() in xen/common/sched/core.c). One that runs
 * without a pCPU has run for what it was charged.
 */
export function timeIn(name: 'running' | 'runnable' | 'blocked' | 'offline', rows: Vcpus, vcpu: number, now: Ns): Ns {
  const past = rows[`time_${name}`].at(vcpu);
  if (rows.runstate.is(vcpu) !== name || (name === 'running' && rows.detached.at(vcpu) === 1)) return past;
  return past + Math.max(0, now - rows.entry_ns.at(vcpu));
}

/** Whether all other vCPUs have gone down. The last does not: it ends its domain (common_vcpu_op(), VCPUOP_down). */
export function isLastUp(xen: Xen, domid: DomId, vcpu: number): boolean {
  if (!xen.hasVcpu(domid, vcpu)) return false;
  const { up } = xen.sched.vcpu.of(domid)!;
  for (let other = 0; other < xen.domain.of(0)!.nr_vcpus.at(domid); other++)
    if (other !== vcpu && up.at(other) === 1) return false;
  return true;
}

/** Whoever asks about its own domain does so on a vCPU that runs, whether or not it has a slice: dom0's services need none. */
export const isRunning = (rows: Vcpus, caller: DomId, domain: DomId, vcpu: number): boolean =>
  rows.runstate.is(vcpu) === 'running' || (caller === domain && vcpu === 0);

/** The kernel takes it when it next runs; one that is still pending is enough. */
export function sendNmi(xen: Xen, domid: DomId, vcpu: number, now: Ns): Fact[] {
  if (xen.sched.vcpu.of(domid)!.nmi_pending.at(vcpu) === 1) return [];
  return [{ type: 'vcpu.nmi_sent', domid, vcpu }, ...wake(xen, domid, vcpu, now)];
}
