// vcpu_op (xen/common/domain.c, do_vcpu_op()): the life of a vCPU and what can be asked about it.
import { accept, refuse } from '../../../events/step.ts';
import type { DomId, Ns } from '../../../events/units.ts';
import type { Outcome, VcpuCommand } from '../../../events/vocabulary.ts';
import type { Vcpus } from '../sched/state.ts';
import type { Xen } from '../xen.ts';
import { isPrivileged } from '../xsm.ts';

export function decide(xen: Xen, command: VcpuCommand, now: Ns): Outcome {
  switch (command.type) {
    case 'domctl.setvcpucontext': {
      const { domain, vcpu } = command;
      if (!isPrivileged(command.domid)) return refuse('EPERM');
      const rows = xen.sched.vcpu.of(domain);
      if (!rows) return refuse('ESRCH');
      if (rows.runstate.is(vcpu) === 'none') return refuse('EINVAL');
      if (rows.initialised.at(vcpu) === 1) return refuse('EEXIST');
      return accept(
        {},
        { type: 'vcpu.initialised', domid: domain, vcpu },
        { type: 'vcpu.brought_up', domid: domain, vcpu, at_ns: now },
      );
    }
    case 'domctl.getvcpuinfo': {
      const { domain, vcpu } = command;
      if (!isPrivileged(command.domid)) return refuse('EPERM');
      const rows = xen.sched.vcpu.of(domain);
      if (!rows) return refuse('ESRCH');
      if (rows.runstate.is(vcpu) === 'none') return refuse('EINVAL');
      return accept({
        online: rows.up.at(vcpu),
        blocked: rows.blocked.at(vcpu),
        running: isRunning(rows, command.domid, domain, vcpu) ? 1 : 0,
        cpu_time: rows.time_running.at(vcpu),
        cpu: rows.cpu.at(vcpu),
      });
    }
  }
  const { domid, vcpu } = command;
  const rows = xen.sched.vcpu.of(domid);
  if (!rows) return refuse('ESRCH');
  if (vcpu < 0 || vcpu > 255 || rows.runstate.is(vcpu) === 'none') return refuse('ENOENT');
  switch (command.type) {
    case 'vcpu.initialise':
      return rows.initialised.at(vcpu) === 1 ? refuse('EEXIST') : accept({}, { type: 'vcpu.initialised', domid, vcpu });
    case 'vcpu.up':
      if (rows.initialised.at(vcpu) === 0) return refuse('EINVAL');
      return rows.up.at(vcpu) === 1 ? accept() : accept({}, { type: 'vcpu.brought_up', domid, vcpu, at_ns: now });
    case 'vcpu.down':
      return rows.up.at(vcpu) === 0 ? accept() : accept({}, { type: 'vcpu.brought_down', domid, vcpu, at_ns: now });
    case 'vcpu.is_up':
      return accept({ up: rows.up.at(vcpu) });
    case 'vcpu.get_runstate_info': {
      const state = rows.runstate.is(vcpu);
      const since = rows.entry_ns.at(vcpu);
      const spent = Math.max(0, now - since);
      const time = (name: 'running' | 'runnable' | 'blocked' | 'offline'): number =>
        rows[`time_${name}`].at(vcpu) + (state === name ? spent : 0);
      return accept({
        state: state === 'none' ? 'offline' : state,
        state_entry_time: since,
        time: [time('running'), time('runnable'), time('blocked'), time('offline')],
      });
    }
    default:
      return command satisfies never;
  }
}

/** Whoever asks about its own domain does so on a vCPU that runs, whether or not it has a slice: dom0's services need none. */
export const isRunning = (rows: Vcpus, caller: DomId, domain: DomId, vcpu: number): boolean =>
  rows.runstate.is(vcpu) === 'running' || (caller === domain && vcpu === 0);
