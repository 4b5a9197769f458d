// Memory management of PV guests: who may ask for what. What each of them does is beside this.
import { accept, refuse } from '../../../events/step.ts';
import type { CommandOf, GuestReader, MmCommand, Outcome } from '../../../events/vocabulary.ts';
import { XEN_DOMCTL_PFINFO } from '../../abi/domctl.ts';
import type { Xen } from '../xen.ts';
import { isPrivileged } from '../xsm.ts';
import {
  getDebugreg,
  iret,
  registerCallback,
  registerNmi,
  setCallbacks,
  setDebugreg,
  setGdt,
  setSegmentBase,
  setTrapTable,
  unregisterCallback,
  unregisterNmi,
  updateDescriptor,
  vmAssist,
} from './context.ts';
import { ringThree } from './descriptor.ts';
import { type MmuextCommand, mmuext } from './mmuext.ts';
import { levelOf } from './tables.ts';
import { mmuUpdate, updateVaMapping } from './update.ts';

/** Those that are about a vCPU's beginning as well as about its tables (src/core/index.ts). */
export type BeginCommand = CommandOf<'domctl.setvcpucontext_from' | 'vcpu.initialise_from'>;

export function decide(xen: Xen, command: Exclude<MmCommand, BeginCommand>, guest: GuestReader): Outcome {
  if (command.type === 'domctl.getpageframeinfo3') {
    const { domain, gfns } = command;
    if (!xen.exists(domain)) return refuse('ESRCH');
    if (!isPrivileged(command.domid)) return refuse('EPERM');
    if (gfns.length > MAX_PAGES_AT_ONCE) return refuse('E2BIG');
    return accept({ types: gfns.map((gfn) => pageFrameInfo(xen, domain, gfn)) });
  }
  if (command.type === 'mm.vm_assist') return vmAssist(xen, command);
  const { domid, vcpu } = command;
  if (!xen.hasVcpu(domid, vcpu)) return refuse('ENOENT');
  if (command.type.startsWith('mmuext.')) return mmuext(xen, command as MmuextCommand, guest);
  // A guest for which Xen translates has none of what follows.
  if (xen.domain.of(0)!.hvm.at(domid) === 1) return refuse('ENOSYS');

  switch (command.type) {
    case 'mm.mmu_update':
      return mmuUpdate(xen, command, guest);
    case 'mm.update_va_mapping':
    case 'mm.update_va_mapping_otherdomain':
      return updateVaMapping(xen, command, guest);
    case 'mm.set_trap_table':
      return setTrapTable(command);
    case 'mm.set_gdt':
      return setGdt(xen, command, guest);
    case 'mm.update_descriptor':
      return updateDescriptor(xen, command, guest);
    case 'mm.stack_switch':
      return accept({}, { type: 'mm.stack_switched', domid, vcpu, ss: ringThree(command.ss), esp: command.esp });
    case 'mm.set_callbacks':
      return setCallbacks(command);
    case 'callback.register':
      return registerCallback(command);
    case 'callback.unregister':
      return unregisterCallback(command);
    case 'mm.set_segment_base':
      return setSegmentBase(command);
    case 'mm.set_debugreg':
      return setDebugreg(command);
    case 'mm.get_debugreg':
      return getDebugreg(xen, command);
    case 'mm.fpu_taskswitch':
      return accept({}, { type: 'mm.taskswitch_set', domid, vcpu, ts: command.set !== 0 });
    case 'mm.iret': {
      const resumed = iret(xen, command);
      return resumed === undefined ? refuse('EFAULT') : accept({}, resumed);
    }
    case 'nmi.register_callback':
      return registerNmi(domid, vcpu, command.handler_address);
    case 'nmi.unregister_callback':
      return unregisterNmi(domid, vcpu);
    default:
      return command satisfies MmuextCommand as never;
  }
}

/** More are refused (XEN_DOMCTL_getpageframeinfo3). */
const MAX_PAGES_AT_ONCE = 1024;

/** What a page is, for whoever saves a domain: `gfn` is a frame of a PV domain, a page of any other. */
function pageFrameInfo(xen: Xen, domain: number, gfn: number): number {
  const isPv = xen.domain.of(0)!.hvm.at(domain) === 0;
  const isMemory = isPv ? xen.p2m.gfn(domain, gfn) >= 0 : xen.p2m.isOnDemand(domain, gfn) || xen.p2m.mfn(domain, gfn) >= 0;
  if (!isMemory) return XEN_DOMCTL_PFINFO.XTAB;
  if (!isPv) return XEN_DOMCTL_PFINFO.NOTAB;
  const { type, pinned } = xen.mm.frame(gfn);
  return (levelOf(type) * XEN_DOMCTL_PFINFO.L1TAB + (pinned ? XEN_DOMCTL_PFINFO.LPINTAB : 0)) >>> 0;
}
