// Domctls about a domain as a whole: its handle, its debugger, who is its device model, who listens to it.
import { accept, type GuestReader, refuse } from '../../../events/step.ts';
import { DOMID_FIRST_RESERVED, type DomId, type Ns } from '../../../events/units.ts';
import type { CommandOf, ControlCommand, Fact, Outcome } from '../../../events/vocabulary.ts';
import { NR_VIRQS } from '../../abi/virq.ts';
import { printk } from '../console/printk.ts';
import { crash } from '../domain/crash.ts';
import { forEachVcpu } from '../domain/decide.ts';
import { parseHandle } from '../domain/state.ts';
import { leaveFifo } from '../evtchn/fifo.ts';
import { isGlobalVirq } from '../evtchn/state.ts';
import { isPinned } from '../gnttab/state.ts';
import { allocate, available } from '../p2m/heap.ts';
import type { Xen } from '../xen.ts';
import { permits } from '../xsm.ts';

type SettingCommand = Extract<
  ControlCommand,
  {
    type: `domctl.${
      | 'setdomainhandle'
      | 'setdebugging'
      | 'subscribe'
      | 'set_access_required'
      | 'mem_sharing_op'
      | 'psr_cmt_op'
      | 'psr_alloc'
      | 'vuart_op'
      | 'vmtrace_op'}`;
  }
>;

/** Those that set one thing, or answer what this machine has. */
export function domainSetting(xen: Xen, command: SettingCommand): Outcome {
  const { domid, domain } = command;
  const isHvm = xen.domain.of(0)!.hvm.at(domain) === 1;
  switch (command.type) {
    case 'domctl.setdomainhandle':
      // Any 16 bytes are a handle; what is none can not have come from a guest.
      if (!parseHandle(command.handle)) return refuse('EINVAL');
      return accept({}, { type: 'domain.handle_set', domid: domain, handle: command.handle });
    case 'domctl.setdebugging':
      if (domain === domid) return refuse('EINVAL');
      return accept({}, { type: 'domain.debugger_attached', domid: domain, attached: command.enable });
    case 'domctl.subscribe':
      // Whether there is such a port is seen when it is raised.
      return accept({}, { type: 'domain.suspend_port_set', domid: domain, port: command.port >>> 0 });
    case 'domctl.set_access_required':
      if (domain === domid) return refuse('EPERM');
      return isHvm
        ? accept({}, { type: 'domain.access_required_set', domid: domain, required: command.access_required })
        : accept();
    case 'domctl.mem_sharing_op': // neither pages nor domains are shared by this build (CONFIG_MEM_SHARING)
    case 'domctl.vuart_op': // an Arm domain's UART
      return refuse('ENOSYS');
    case 'domctl.psr_cmt_op':
      return refuse('ENODEV'); // the processor does not monitor its caches
    case 'domctl.psr_alloc':
      // Nor does it share them out by classes: psr_get_val() and psr_set_val() find no such socket.
      return refuse(command.cmd >= 0 && command.cmd <= LAST_PSR_COMMAND ? 'ENODEV' : 'EOPNOTSUPP');
    case 'domctl.vmtrace_op':
      return refuse('EINVAL'); // no domain can be created with a buffer for it
    default:
      return command satisfies never;
  }
}
/** XEN_DOMCTL_PSR_* has eight to set and get caches, and two for the bandwidth of memory. */
const LAST_PSR_COMMAND = 9;

export function setTarget(xen: Xen, { domid, domain, target }: CommandOf<'domctl.set_target'>): Outcome {
  if (target < 0 || target >= DOMID_FIRST_RESERVED || !xen.exists(target)) return refuse('ESRCH');
  if (domain === target) return refuse('EINVAL');
  if (xen.domain.of(0)!.hvm.at(target) === 0) return refuse('EOPNOTSUPP');
  if (!permits(xen, 'priv', domid, domain)) return refuse('EPERM');
  if (xen.control.row.target_plus_1.at(domain) !== 0) return refuse('EINVAL');
  return accept({}, { type: 'domain.target_set', domid: domain, target });
}

/** set_global_virq_handler() */
export function setVirqHandler(xen: Xen, { domain, virq }: CommandOf<'domctl.set_virq_handler'>): Outcome {
  if (virq < 0 || virq >= NR_VIRQS || !isGlobalVirq(virq)) return refuse('EINVAL');
  if (xen.evtchn.handlers.of(0)!.domid.at(virq) === domain) return accept();
  if (!xen.isAlive(domain)) return refuse('EINVAL');
  return accept({}, { type: 'evtchn.virq_handler_set', domid: domain, virq });
}

const VM_EVENT = { ENABLE: 0, DISABLE: 1, RESUME: 2, GET_VERSION: 3 } as const;
const VM_EVENT_MODE = { PAGING: 1, MONITOR: 2, SHARING: 3 } as const;
const VM_EVENT_INTERFACE_VERSION = 7;

/** Nobody can listen: there is no ring for it. What Xen answers to those who try. */
export function vmEventOp(xen: Xen, { domid, domain, op, mode }: CommandOf<'domctl.vm_event_op'>): Outcome {
  if (op === VM_EVENT.GET_VERSION) return accept({ port: 0, version: VM_EVENT_INTERFACE_VERSION });
  if (domain >= DOMID_FIRST_RESERVED) return refuse('ESRCH');
  if (!permits(xen, 'priv', domid, domain)) return refuse('EPERM');
  const nothing = { port: 0, version: 0 };
  if (domain === domid) return refuse('EINVAL');
  if (!xen.isAlive(domain)) return accept(nothing);
  if (xen.domain.of(0)!.nr_vcpus.at(domain) === 0) return refuse('EINVAL');
  // Paging and sharing are not in this build (CONFIG_MEM_PAGING, CONFIG_MEM_SHARING).
  if (mode !== VM_EVENT_MODE.MONITOR) return refuse('ENOSYS');
  switch (op) {
    case VM_EVENT.ENABLE:
      return refuse('EOPNOTSUPP'); // no ring of the guest's was chosen for it
    case VM_EVENT.DISABLE:
      return refuse('EINVAL');
    case VM_EVENT.RESUME:
      return refuse('ENODEV');
    default:
      return refuse('ENOSYS');
  }
}

const MONITOR_OP = { ENABLE: 0, DISABLE: 1, GET_CAPABILITIES: 2, EMULATE_EACH_REP: 3, CONTROL_REGISTERS: 4 } as const;
/** What can be reported of an HVM domain on AMD's processors, a bit for each XEN_DOMCTL_MONITOR_EVENT_*. */
const CAPABILITIES = [0, 1, 3, 4, 5, 6, 8, 9, 10, 11, 12].reduce((all, event) => all | (1 << event), 0);
/** What needs no listener to be asked for: a guest's own requests. */
const GUEST_REQUEST = 4;

export function monitorOp(xen: Xen, { domid, domain, op, event }: CommandOf<'domctl.monitor_op'>): Outcome {
  if (domain === domid) return refuse('EPERM');
  const capabilities = xen.domain.of(0)!.hvm.at(domain) === 1 ? CAPABILITIES : 0;
  const before = xen.control.row.monitor.at(domain);
  switch (op) {
    case MONITOR_OP.ENABLE:
    case MONITOR_OP.DISABLE: {
      if (event < 0 || event > 31) return refuse('EINVAL');
      if (((capabilities >>> event) & 1) === 0) return refuse('EOPNOTSUPP');
      const isOn = ((before >>> event) & 1) === 1;
      const wanted = op === MONITOR_OP.ENABLE;
      if (isOn === wanted) return refuse('EEXIST');
      // MSRs, CPUID's leaves and the like are written down where a listener has set up its tables: there is none.
      if (wanted && event !== GUEST_REQUEST && event === 1) return refuse('ENXIO');
      return accept({ event }, { type: 'domain.monitor_set', domid: domain, events: (before ^ (1 << event)) >>> 0 });
    }
    case MONITOR_OP.GET_CAPABILITIES:
      return accept({ event: capabilities });
    case MONITOR_OP.EMULATE_EACH_REP:
      return refuse('EINVAL');
    case MONITOR_OP.CONTROL_REGISTERS:
      return accept({ event });
    default:
      return refuse('EOPNOTSUPP');
  }
}

/**
 * domain_soft_reset(): of a domain that has shut down. Its memory stays, what it has set up with Xen goes; its grants stay as they are,
 * which Xen only says. An HVM domain goes on after that. A PV one has no way to: its channels are gone all the same.
 */
export function softReset(xen: Xen, { domid, domain }: CommandOf<'domctl.soft_reset'>, now: Ns, guest: GuestReader): Outcome {
  const row = xen.domain.of(0)!;
  const count = row.nr_vcpus.at(domain);
  if (domain === domid || (row.shut_down.at(domain) === 0 && count > 0)) return refuse('EINVAL');
  const facts: Fact[] = [];
  for (const [port] of xen.evtchn.ports.inUse(domain)) facts.push({ type: 'evtchn.closed', domid: domain, port });
  facts.push(...leaveFifo(xen, domain));
  const shared = xen.p2m.slotsOf(domain).find((slot) => slot.dom === domain && slot.mfn === xen.sharedInfo(domain));
  const rows = xen.sched.vcpu.of(domain)!;
  for (let vcpu = 0; vcpu < count; vcpu++) {
    const time = shared !== undefined && rows.time_addr_plus_1.at(vcpu) !== 0;
    if (time || rows.runstate_addr_plus_1.at(vcpu) !== 0) facts.push({ type: 'vcpu.areas_forgotten', domid: domain, vcpu, time });
    if (rows.info_mfn_plus_1.at(vcpu) !== 0) facts.push({ type: 'vcpu.info_unmapped', domid: domain, vcpu });
  }
  if (row.hvm.at(domain) === 0)
    return refuse(
      'EINVAL',
      undefined,
      ...facts,
      ...crash(xen, domain, { vcpu: 0, why: 'a soft reset of a PV domain' }, now, guest),
    );
  if (shared !== undefined) {
    // Where it stood there is memory now, so that it can be placed anew and leaves no hole.
    const room = row.tot_pages.at(domain) < row.max_pages.at(domain) && available(xen, domain) > 0 && xen.isAlive(domain);
    if (!room)
      return refuse(
        'ENOMEM',
        undefined,
        ...facts,
        ...crash(xen, domain, { vcpu: 0, why: 'no page for a soft reset' }, now, guest),
      );
    const extents = allocate(xen, 1);
    facts.push({ type: 'p2m.slot_unmapped', domid: domain, gfn: shared.gfn });
    facts.push({ type: 'p2m.populated', domid: domain, gfn: shared.gfn, extents });
  }
  const resumed: Fact[] =
    row.shut_down.at(domain) === 0
      ? []
      : [{ type: 'domain.resumed', domid: domain, at_ns: now }, ...forEachVcpu(xen, domain, 'vcpu.unpaused', now)];
  return accept({}, ...facts, ...resumed, ...printk(xen, now, guest, activeGrants(xen, domain)));
}

/** grant_table_warn_active_grants(): the first ten, and how many there are of more. */
function activeGrants(xen: Xen, domid: DomId): { readonly level: 'debug'; readonly guest: true; readonly text: string }[] {
  const active = xen.gnttab.active.of(domid)!;
  const said: { level: 'debug'; guest: true; text: string }[] = [];
  let count = 0;
  for (let ref = 0; ref < active.length; ref++) {
    if (!isPinned(active, ref)) continue;
    count++;
    const text = `d${domid}: grant 0x${ref.toString(16)} is mapped (frame 0x${active.mfn.at(ref).toString(16)})`;
    if (count <= GRANTS_SHOWN) said.push({ level: 'debug', guest: true, text });
  }
  if (count > GRANTS_SHOWN) said.push({ level: 'debug', guest: true, text: `d${domid}: ${count} grants are mapped in all` });
  return said;
}
const GRANTS_SHOWN = 10;
