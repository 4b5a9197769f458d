// Domctls upon domains that stand (xen/common/domctl.c, xen/arch/x86/domctl.c): who may ask, in Xen's order, and then what.
import { type GuestReader, refuse } from '../../../events/step.ts';
import { DOMID_FIRST_RESERVED, DOMID_INVALID, DOMID_IO, type Ns } from '../../../events/units.ts';
import type { ControlCommand, Outcome } from '../../../events/vocabulary.ts';
import type { Xen } from '../xen.ts';
import { isPrivileged, permits } from '../xsm.ts';
import {
  bindPtIrq,
  iomemPermission,
  ioportMapping,
  ioportPermission,
  irqPermission,
  memoryMapping,
  unbindPtIrq,
} from './access.ts';
import { assignDevice, deassignDevice, getDeviceGroup, testAssignDevice } from './devices.ts';
import { gethvmcontext, gethvmcontextPartial, sethvmcontext } from './hvm-context.ts';
import {
  auditP2m,
  cacheflush,
  gdbsxMemory,
  hypercallInit,
  mempoolSize,
  setBrokenPage,
  setMempoolSize,
  shadowOp,
} from './paging.ts';
import { getCpuPolicy, setCpuPolicy, setvnumainfo } from './policy.ts';
import {
  debuggerTrap,
  debugOp,
  domainCrash,
  domstatus,
  getExtVcpucontext,
  getVcpuMsrs,
  getvcpucontext,
  getvcpuextstate,
  pausevcpu,
  sendtrigger,
  setExtVcpucontext,
  setVcpuMsrs,
  setvcpuextstate,
  unpausevcpu,
} from './vcpu-state.ts';
import { domainSetting, monitorOp, setTarget, setVirqHandler, softReset, vmEventOp } from './whole-domain.ts';

export function decide(xen: Xen, command: ControlCommand, now: Ns, guest: GuestReader): Outcome {
  const { type } = command;
  // These two are a guest's own doing.
  if (type === 'vcpu.debugger_trap') return debuggerTrap(xen, command, now, guest);
  if (type === 'vcpu.domain_crash') return domainCrash(xen, command, now, guest);

  const { domid, domain } = command;
  const isNobody = domain < 0 || domain >= DOMID_FIRST_RESERVED || !xen.exists(domain);
  switch (type) {
    case 'domctl.assign_device':
    case 'domctl.deassign_device':
      if (isNobody && domain !== DOMID_IO) return refuse('ESRCH');
      break;
    // These two may be about no domain at all, which the dummy policy lets a control domain ask.
    case 'domctl.test_assign_device':
    case 'domctl.vm_event_op':
      if (isNobody && domain !== DOMID_INVALID) return refuse('ESRCH');
      break;
    default:
      if (isNobody) return refuse('ESRCH');
  }

  // Those that check their arguments, or something else, before the caller's rights.
  switch (type) {
    case 'domctl.iomem_permission':
      return iomemPermission(xen, command);
    case 'domctl.memory_mapping':
      return memoryMapping(xen, command, now, guest);
    case 'domctl.irq_permission':
      return irqPermission(xen, command);
    case 'domctl.ioport_permission':
      return ioportPermission(xen, command);
    case 'domctl.ioport_mapping':
      return ioportMapping(xen, command, now, guest);
    case 'domctl.bind_pt_irq':
      return bindPtIrq(xen, command);
    case 'domctl.unbind_pt_irq':
      return unbindPtIrq(xen, command);
    case 'domctl.set_target':
      return setTarget(xen, command);
    case 'domctl.get_device_group':
      return getDeviceGroup(xen, command);
    case 'domctl.vm_event_op':
      return vmEventOp(xen, command);
  }
  if (!(domain === DOMID_INVALID ? isPrivileged(domid) : permits(xen, 'priv', domid, domain))) return refuse('EPERM');
  if (type.startsWith('domctl.gdbsx_') && !xen.gdbsx) return refuse('ENOSYS');

  switch (type) {
    case 'domctl.getvcpucontext':
      return getvcpucontext(xen, command);
    case 'domctl.shadow_op':
      return shadowOp(xen, command);
    case 'domctl.setdomainhandle':
    case 'domctl.setdebugging':
    case 'domctl.subscribe':
    case 'domctl.set_access_required':
    case 'domctl.mem_sharing_op':
    case 'domctl.psr_cmt_op':
    case 'domctl.psr_alloc':
    case 'domctl.vuart_op':
    case 'domctl.vmtrace_op':
      return domainSetting(xen, command);
    case 'domctl.hypercall_init':
      return hypercallInit(xen, command);
    case 'domctl.sendtrigger':
      return sendtrigger(xen, command, now);
    case 'domctl.gethvmcontext':
      return gethvmcontext(xen, command);
    case 'domctl.sethvmcontext':
      return sethvmcontext(xen, command);
    case 'domctl.gethvmcontext_partial':
      return gethvmcontextPartial(xen, command);
    case 'domctl.assign_device':
      return assignDevice(xen, command);
    case 'domctl.test_assign_device':
      return testAssignDevice(xen, command, now, guest);
    case 'domctl.deassign_device':
      return deassignDevice(xen, command);
    case 'domctl.set_ext_vcpucontext':
      return setExtVcpucontext(xen, command);
    case 'domctl.get_ext_vcpucontext':
      return getExtVcpucontext(xen, command);
    case 'domctl.debug_op':
      return debugOp(xen, command);
    case 'domctl.monitor_op':
      return monitorOp(xen, command);
    case 'domctl.setvcpuextstate':
      return setvcpuextstate(xen, command);
    case 'domctl.getvcpuextstate':
      return getvcpuextstate(xen, command);
    case 'domctl.audit_p2m':
      return auditP2m();
    case 'domctl.set_virq_handler':
      return setVirqHandler(xen, command);
    case 'domctl.set_broken_page_p2m':
      return setBrokenPage(xen, command);
    case 'domctl.cacheflush':
      return cacheflush();
    case 'domctl.get_vcpu_msrs':
      return getVcpuMsrs(xen, command);
    case 'domctl.set_vcpu_msrs':
      return setVcpuMsrs(xen, command);
    case 'domctl.setvnumainfo':
      return setvnumainfo(xen, command);
    case 'domctl.soft_reset':
      return softReset(xen, command, now, guest);
    case 'domctl.get_cpu_policy':
      return getCpuPolicy(xen, command);
    case 'domctl.set_cpu_policy':
      return setCpuPolicy(xen, command);
    case 'domctl.get_paging_mempool_size':
      return mempoolSize(xen, command);
    case 'domctl.set_paging_mempool_size':
      return setMempoolSize(xen, command);
    case 'domctl.gdbsx_guestmemio':
      return gdbsxMemory(xen, command, guest);
    case 'domctl.gdbsx_pausevcpu':
      return pausevcpu(xen, command, now);
    case 'domctl.gdbsx_unpausevcpu':
      return unpausevcpu(xen, command, now, guest);
    case 'domctl.gdbsx_domstatus':
      return domstatus(xen, command);
    default:
      return command satisfies never;
  }
}
