// hvm_op (xen/arch/x86/hvm/hvm.c).
import { accept, type GuestReader, refuse } from '../../../events/step.ts';
import { DOMID_SELF, type DomId, type Ns } from '../../../events/units.ts';
import type { CommandOf, Fact, HvmCommand, Outcome } from '../../../events/vocabulary.ts';
import { printk } from '../console/printk.ts';
import { contains } from '../rangeset.ts';
import type { Xen } from '../xen.ts';
import { permits } from '../xsm.ts';
import { decideDm } from './dm.ts';
import { getParam, setParam } from './params.ts';

export function decide(xen: Xen, command: HvmCommand, now: Ns, guest: GuestReader): Outcome {
  switch (command.type) {
    case 'hvm.set_param':
      return setParam(xen, command, now, guest);
    case 'hvm.get_param':
      return getParam(xen, command);
    case 'hvm.flush_tlbs':
      // There is no TLB to flush; whose it would be is checked all the same (hvmop_flush_tlb_all()).
      return isHvm(xen, command.domid) ? accept() : refuse('EINVAL');
    case 'hvm.pagetable_dying': {
      const target = targetOf(xen, command.domid, command.dom);
      if (target === undefined) return refuse('ESRCH');
      // Only shadow paging wants to know, and no domain here is shadowed.
      return refuse(target === command.domid ? 'EINVAL' : 'EOPNOTSUPP');
    }
    case 'hvm.get_time':
      return accept({ now });
    case 'hvm.xentrace':
      if (command.extra.length > MAX_EXTRA || (command.event & ~TRC_EVENT_MASK) !== 0) return refuse('EINVAL');
      return xen.trace.isOn ? accept({}, recorded(command)) : accept();
    case 'hvm.get_mem_type':
      return getMemType(xen, command);
    case 'hvm.set_evtchn_upcall_vector':
      return setUpcallVector(xen, command, now, guest);
    case 'hvm.guest_request_vm_event':
      return accept(); // nobody listens: the guest goes on (monitor_traps())
    case 'hvm.set_pci_intx_level':
    case 'hvm.set_isa_irq_level':
    case 'hvm.set_pci_link_route':
    case 'hvm.set_mem_access':
    case 'hvm.get_mem_access':
      return refuse('ENOSYS'); // moved to dm_op and memory_op long ago
    case 'hvm.altp2m':
      return refuse('EOPNOTSUPP'); // processors that have it are another maker's
    default:
      return decideDm(xen, command, now, guest);
  }
}

const recorded = ({ domid, event, extra }: CommandOf<'hvm.xentrace'>): Fact => ({
  ...{ type: 'trace.guest_recorded', domid, event, extra },
});
const MAX_EXTRA = 28; // TRACE_EXTRA_MAX words
const TRC_EVENT_MASK = 0xfff;

export const isHvm = (xen: Xen, domid: DomId): boolean => xen.domain.of(0)!.hvm.at(domid) === 1;
/** rcu_lock_domain_by_any_id() */
export function targetOf(xen: Xen, domid: DomId, dom: DomId): DomId | undefined {
  const target = dom === DOMID_SELF ? domid : dom;
  return target >= 0 && target < DOMID_SELF && xen.exists(target) ? target : undefined;
}

function getMemType(xen: Xen, { domid, dom, pfn }: CommandOf<'hvm.get_mem_type'>): Outcome {
  const target = targetOf(xen, domid, dom);
  if (target === undefined) return refuse('ESRCH');
  if (!permits(xen, 'target', domid, target)) return refuse('EPERM');
  if (!isHvm(xen, target)) return refuse('EINVAL');
  const types = xen.hvm.typesOf(target);
  if (contains(types.ioreq_server, pfn, pfn)) return accept({ mem_type: 'ioreq_server' });
  if (contains(types.ram_ro, pfn, pfn)) return accept({ mem_type: 'ram_ro' });
  const isRam = xen.p2m.mfn(target, pfn) >= 0 && !contains(types.mmio_dm, pfn, pfn);
  return accept({ mem_type: isRam ? 'ram_rw' : 'mmio_dm' });
}

function setUpcallVector(xen: Xen, command: CommandOf<'hvm.set_evtchn_upcall_vector'>, now: Ns, guest: GuestReader): Outcome {
  const { domid, vcpu, vector } = command;
  if (!isHvm(xen, domid) || vector < 0x10 || vector > 0xff) return refuse('EINVAL');
  if (!xen.hasVcpu(domid, vcpu)) return refuse('ENOENT');
  const text = `d${domid}v${vcpu}: upcall vector ${vector.toString(16)}`;
  return accept(
    {},
    { type: 'hvm.upcall_vector_set', domid, vcpu, vector },
    ...printk(xen, now, guest, [{ level: 'info', guest: true, text }]),
  );
}
