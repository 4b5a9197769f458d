// The hypervisor: every hypercall of the core's subsystems, their facts, and what these write into guest memory.
import * as conringGroup from '../../events/conring.ts';
import * as controlGroup from '../../events/control.ts';
import type { Errno } from '../../events/errno.ts';
import * as hvmGroup from '../../events/hvm.ts';
import * as mmGroup from '../../events/mm.ts';
import * as physdevGroup from '../../events/physdev.ts';
import * as platformGroup from '../../events/platform.ts';
import { accept, type GuestReader, refuse } from '../../events/step.ts';
import * as traceGroup from '../../events/trace.ts';
import { DOMID_XEN, type DomId, type Ns } from '../../events/units.ts';
import type {
  ConringCommand,
  ConringFact,
  ControlCommand,
  ControlFact,
  CpupoolCommand,
  CpupoolFact,
  DomainCommand,
  DomainFact,
  EvtchnCommand,
  EvtchnFact,
  GnttabCommand,
  GnttabFact,
  HvmCommand,
  HvmFact,
  HypercallCommand,
  MemoryCommand,
  MmCommand,
  MmFact,
  Outcome,
  P2mFact,
  PhysdevCommand,
  PhysdevFact,
  PlatformCommand,
  PlatformFact,
  SchedCommand,
  SchedFact,
  TimeCommand,
  TimeFact,
  TimerCommand,
  TimerFact,
  TraceCommand,
  TraceFact,
  VcpuCommand,
  VcpuFact,
  VersionCommand,
} from '../../events/vocabulary.ts';
import { VIRQ } from '../abi/virq.ts';
import type { Memory } from '../memory/memory.ts';
import * as console from './console/index.ts';
import * as control from './control/index.ts';
import * as domain from './domain/index.ts';
import { raiseGlobalVirq } from './evtchn/decide.ts';
import * as evtchn from './evtchn/index.ts';
import * as gnttab from './gnttab/index.ts';
import * as hvm from './hvm/index.ts';
import * as mm from './mm/index.ts';
import * as p2m from './p2m/index.ts';
import * as physdev from './physdev/index.ts';
import * as platform from './platform/index.ts';
import * as sched from './sched/index.ts';
import * as time from './time/index.ts';
import * as timer from './timer/index.ts';
import * as trace from './trace/index.ts';
import * as vcpu from './vcpu/index.ts';
import type { Xen } from './xen.ts';

export type CoreCommand =
  | MemoryCommand
  | MmCommand
  | SchedCommand
  | VcpuCommand
  | EvtchnCommand
  | TimerCommand
  | TimeCommand
  | HypercallCommand
  | GnttabCommand
  | DomainCommand
  | PhysdevCommand
  | VersionCommand
  | ConringCommand
  | ControlCommand
  | HvmCommand
  | PlatformCommand
  | CpupoolCommand
  | TraceCommand;
export type CoreFact =
  | P2mFact
  | MmFact
  | SchedFact
  | VcpuFact
  | EvtchnFact
  | TimerFact
  | TimeFact
  | GnttabFact
  | DomainFact
  | PhysdevFact
  | ConringFact
  | ControlFact
  | HvmFact
  | PlatformFact
  | CpupoolFact
  | TraceFact;

export function decide(xen: Xen, command: CoreCommand, now: Ns, guest: GuestReader): Outcome {
  const outcome = sched.follow(xen, decideAlone(xen, command, now, guest), now);
  return xen.trace.isOn ? trace.traced(xen, command, outcome, now) : outcome;
}

/** The operation's own outcome, before the schedulers make of it what they make. */
function decideAlone(xen: Xen, command: CoreCommand, now: Ns, guest: GuestReader): Outcome {
  // Nobody asks whose vCPUs will never run: a domain that is not there, or is dying. Timers are the clock's to expire.
  const { domid } = command as { readonly domid?: DomId };
  if (domid !== undefined && domid !== DOMID_XEN && !xen.isAlive(domid) && command.type !== 'timer.expire')
    return refuse('ESRCH');
  switch (command.type) {
    case 'evtchn.alloc_unbound':
    case 'evtchn.bind_interdomain':
    case 'evtchn.bind_virq':
    case 'evtchn.bind_ipi':
    case 'evtchn.close':
    case 'evtchn.send':
    case 'evtchn.status':
    case 'evtchn.unmask':
    case 'evtchn.bind_pirq':
    case 'evtchn.bind_vcpu':
    case 'evtchn.reset':
    case 'evtchn.reset_cont':
    case 'evtchn.init_control':
    case 'evtchn.expand_array':
    case 'evtchn.set_priority':
    case 'sched.poll':
      return evtchn.decide(xen, command, now, guest);
    case 'sched.yield':
    case 'sched.block':
    case 'sched.schedule':
    case 'sched.preempt':
    case 'sched.charge':
    case 'sched.detach':
    case 'domctl.setvcpuaffinity':
    case 'domctl.scheduler_op':
    case 'sched.expire':
    case 'domctl.getvcpuaffinity':
    case 'domctl.setnodeaffinity':
    case 'domctl.getnodeaffinity':
    case 'sched.pin_override':
    case 'vcpu.get_physid':
      return sched.decide(xen, command, now, guest);
    case 'platform.cpu_online':
    case 'platform.cpu_offline': {
      const allowed = platform.decide(xen, command, now, guest);
      const hotplug = allowed.ok ? platform.hotplugOf(xen, command) : undefined;
      return hotplug === undefined ? allowed : decideAlone(xen, hotplug, now, guest);
    }
    case 'sysctl.cpu_hotplug': {
      const moved = sched.decideCpupool(xen, command, now);
      if (!moved.ok) return moved;
      return accept(moved.value, ...moved.events, ...raiseGlobalVirq(xen, VIRQ.PCPU_STATE, now, guest));
    }
    case 'sysctl.cpupool_op':
    case 'sysctl.scheduler_op':
    case 'sysctl.getcpuinfo':
    case 'sysctl.cputopoinfo':
    case 'sysctl.numainfo':
      return sched.decideCpupool(xen, command, now);
    case 'vcpu.initialise':
    case 'vcpu.up':
    case 'vcpu.is_up':
    case 'vcpu.get_runstate_info':
    case 'vcpu.register_vcpu_info':
    case 'vcpu.register_runstate_memory_area':
    case 'vcpu.register_vcpu_time_memory_area':
    case 'vcpu.send_nmi':
    case 'domctl.setvcpucontext':
    case 'domctl.getvcpuinfo':
      return vcpu.decide(xen, command, now);
    case 'vcpu.down': {
      const { domid } = command;
      return vcpu.isLastUp(xen, domid, command.vcpu)
        ? domain.decide(xen, { type: 'sched.shutdown', domid, reason: 'poweroff' }, now, guest)
        : vcpu.decide(xen, command, now);
    }
    case 'timer.set_timer_op':
    case 'vcpu.set_singleshot_timer':
    case 'vcpu.stop_singleshot_timer':
    case 'vcpu.set_periodic_timer':
    case 'vcpu.stop_periodic_timer':
    case 'sched.watchdog':
      return timer.decide(xen, command, now, guest);
    case 'hypercall.note_refused':
      return refuse(command.errno);
    case 'sched.shutdown_with':
      return domain.shutdownWith(xen, command.domid, command.code, now, guest);
    case 'domctl.settimeoffset':
    case 'domctl.gettscinfo':
    case 'domctl.settscinfo':
      return time.decide(xen, command, now);
    case 'timer.expire': {
      const fired = timer.decide(xen, command, now, guest);
      if (!fired.ok || command.kind !== 'watchdog') return fired;
      const shutdown = domain.decide(xen, { type: 'sched.shutdown', domid: command.domid, reason: 'watchdog' }, now, guest);
      return accept({}, ...fired.events, ...(shutdown.events ?? []));
    }
    case 'gnttab.setup_table':
    case 'gnttab.query_size':
    case 'gnttab.map_grant_ref':
    case 'gnttab.unmap_grant_ref':
    case 'gnttab.copy':
    case 'gnttab.seed':
    case 'gnttab.unmap_device_map':
    case 'gnttab.set_version':
    case 'gnttab.get_version':
    case 'gnttab.get_status_frames':
    case 'gnttab.swap_grant_ref':
    case 'gnttab.map_grant_ref_at':
    case 'gnttab.unmap_grant_ref_at':
    case 'gnttab.unmap_and_replace':
    case 'gnttab.transfer':
    case 'gnttab.dump_table':
    case 'gnttab.cache_flush':
      return gnttab.decide(xen, command, now, guest);
    case 'memory.populate_physmap':
    case 'memory.decrease_reservation':
    case 'memory.current_reservation':
    case 'memory.maximum_reservation':
    case 'memory.increase_reservation':
    case 'memory.populate_physmap_extents':
    case 'memory.decrease_reservation_extents':
    case 'memory.maximum_gpfn':
    case 'memory.maximum_ram_page':
    case 'memory.claim_pages':
    case 'memory.add_to_physmap':
    case 'memory.set_pod_target':
    case 'memory.get_pod_target':
    case 'memory.exchange':
    case 'memory.machphys_mfn_list':
    case 'memory.machphys_compat_mfn_list':
    case 'memory.machphys_mapping':
    case 'memory.machphys':
    case 'memory.memory_map':
    case 'memory.set_memory_map':
    case 'memory.machine_memory_map':
    case 'memory.remove_from_physmap':
    case 'memory.add_to_physmap_range':
    case 'memory.add_to_physmap_batch':
    case 'memory.get_sharing_freed_pages':
    case 'memory.get_sharing_shared_pages':
    case 'memory.paging_op':
    case 'memory.access_op':
    case 'memory.sharing_op':
    case 'memory.get_vnumainfo':
    case 'memory.reserved_device_memory_map':
    case 'memory.acquire_resource':
    case 'memory.get_gfn':
      return domain.letGo(xen, p2m.decide(xen, command, guest), now, guest);
    case 'memory.pod_demand_populate': {
      const populated = p2m.decide(xen, command, guest);
      if (populated.ok || populated.errno !== 'ENOMEM') return populated;
      // Nothing is left to populate it with (p2m_pod_demand_populate()): the guest can not go on.
      return crash(xen, command.domid, 'ENOMEM', 'out of populate-on-demand memory', now, guest);
    }
    case 'xen_version.version':
    case 'xen_version.extraversion':
    case 'xen_version.compile_info':
    case 'xen_version.capabilities':
    case 'xen_version.changeset':
    case 'xen_version.platform_parameters':
    case 'xen_version.get_features':
    case 'xen_version.pagesize':
    case 'xen_version.guest_handle':
    case 'xen_version.commandline':
    case 'xen_version.build_id':
      return domain.decideVersion(xen, command);
    default: {
      const decider = coldDeciders.get(command.type);
      return decider === undefined
        ? domain.decide(xen, command as DomainCommand, now, guest)
        : decider(xen, command as never, now, guest);
    }
  }
}

/** The parts whose commands no guest lives by: found by the group of the vocabulary that a command or a fact stands in. */
type Decider = (xen: Xen, command: never, now: Ns, guest: GuestReader) => Outcome;
const coldDeciders: ReadonlyMap<string, Decider> = byName<Decider>([
  [physdevGroup.operations, physdev.decide],
  [conringGroup.operations, console.decide],
  [controlGroup.operations, control.decide],
  [hvmGroup.operations, hvm.decide],
  [mmGroup.operations, decideMm],
  [platformGroup.operations, platform.decide],
  [traceGroup.operations, trace.decide],
]);
type Evolver = (xen: Xen, event: never, seq: number) => void;
const coldEvolvers: ReadonlyMap<string, Evolver> = byName<Evolver>([
  [physdevGroup.facts, physdev.evolve],
  [conringGroup.facts, console.evolve],
  [controlGroup.facts, control.evolve],
  [hvmGroup.facts, hvm.evolve],
  [mmGroup.facts, mm.evolve],
  [platformGroup.facts, platform.evolve],
  [traceGroup.facts, trace.evolve],
]);
function byName<T>(groups: readonly (readonly [group: object, part: T])[]): Map<string, T> {
  return new Map(groups.flatMap(([group, part]) => Object.keys(group).map((name) => [name, part] as const)));
}

/** As the guest asked; one that can not go on has crashed, and what it lets go of may be the last that kept a dead domain. */
function decideMm(xen: Xen, command: MmCommand, now: Ns, guest: GuestReader): Outcome {
  const outcome = mm.decide(xen, command, guest);
  return command.type === 'mm.iret' && !outcome.ok && outcome.errno === 'EFAULT'
    ? crash(xen, command.domid, 'EFAULT', 'no page tables for user mode', now, guest)
    : domain.letGo(xen, outcome, now, guest);
}

/** A guest that can not go on (domain_crash()). */
function crash(xen: Xen, domid: DomId, errno: Errno, why: string, now: Ns, guest: GuestReader): Outcome {
  const shutdown = domain.decide(xen, { type: 'sched.shutdown', domid, reason: 'crash' }, now, guest);
  return refuse(errno, undefined, { type: 'domain.crashed', domid, why }, ...(shutdown.events ?? []));
}

/** The only writer of the hypervisor's state. */
export function evolve(xen: Xen, event: CoreFact, seq: number): void {
  switch (event.type) {
    case 'evtchn.unbound_allocated':
    case 'evtchn.interdomain_bound':
    case 'evtchn.virq_bound':
    case 'evtchn.ipi_bound':
    case 'evtchn.closed':
    case 'evtchn.pending_raised':
    case 'evtchn.unmasked':
    case 'evtchn.pirq_bound':
    case 'evtchn.vcpu_bound':
    case 'evtchn.control_initialised':
    case 'evtchn.array_expanded':
    case 'evtchn.priority_set':
    case 'evtchn.pending_saved':
    case 'evtchn.fifo_raised':
    case 'evtchn.fifo_destroyed':
      evtchn.evolve(xen, event, seq);
      return;
    case 'vcpu.woken':
    case 'vcpu.blocked':
    case 'vcpu.preempted':
    case 'vcpu.scheduled':
    case 'vcpu.paused':
    case 'vcpu.unpaused':
    case 'vcpu.charged':
    case 'vcpu.detached':
    case 'sched.credits_reset':
    case 'vcpu.affinity_set':
    case 'domain.weight_set':
    case 'vcpu.polling_started':
    case 'vcpu.soft_affinity_set':
    case 'vcpu.affinity_overridden':
    case 'vcpu.affinity_restored':
    case 'sched.tickled':
    case 'vcpu.moved':
    case 'vcpu.parked':
    case 'vcpu.unparked':
    case 'domain.cap_set':
    case 'credit2.budget_set':
    case 'credit2.vcpu_budget_set':
    case 'sched.timer_set':
    case 'sched.timer_stopped':
    case 'sched.params_set':
    case 'credit.vcpu_set':
    case 'credit.accounted':
    case 'rtds.params_set':
    case 'rtds.vcpu_set':
    case 'arinc653.schedule_set':
    case 'null.assigned':
    case 'null.unassigned':
      sched.evolve(xen, event, seq);
      return;
    case 'cpupool.created':
    case 'cpupool.destroyed':
    case 'cpupool.cpu_added':
    case 'cpupool.cpu_removed':
    case 'cpupool.domain_moved':
    case 'pcpu.brought_up':
    case 'pcpu.brought_down':
      sched.evolveCpupool(xen, event);
      return;
    case 'vcpu.initialised':
    case 'vcpu.brought_up':
    case 'vcpu.brought_down':
    case 'vcpu.info_registered':
    case 'vcpu.info_unmapped':
    case 'vcpu.runstate_area_registered':
    case 'vcpu.time_area_registered':
    case 'vcpu.nmi_sent':
      vcpu.evolve(xen, event, seq);
      return;
    case 'timer.set':
    case 'timer.fired':
    case 'timer.stopped':
      timer.evolve(xen, event, seq);
      return;
    case 'domain.time_offset_set':
    case 'domain.tsc_set':
    case 'time.wallclock_set':
      time.evolve(xen, event);
      return;
    case 'gnttab.table_grown':
    case 'gnttab.ref_mapped':
    case 'gnttab.ref_unmapped':
    case 'gnttab.copied':
    case 'gnttab.entry_seeded':
    case 'gnttab.refs_swapped':
    case 'gnttab.mapped':
    case 'gnttab.unmapped':
    case 'gnttab.handle_put_back':
    case 'gnttab.flags_cleared':
    case 'gnttab.max_version_set':
    case 'gnttab.status_frames_added':
    case 'gnttab.version_set':
    case 'gnttab.page_transferred':
      gnttab.evolve(xen, event);
      return;
    case 'p2m.populated':
    case 'p2m.removed':
    case 'p2m.claimed':
    case 'p2m.released':
    case 'p2m.moved':
    case 'p2m.slot_mapped':
    case 'p2m.slot_unmapped':
    case 'p2m.pod_marked':
    case 'p2m.pod_cleared':
    case 'p2m.pod_swept':
    case 'p2m.memory_map_set':
    case 'p2m.machphys_set':
      p2m.evolve(xen, event);
      return;
    default: {
      const evolver = coldEvolvers.get(event.type);
      if (evolver === undefined) domain.evolve(xen, event as DomainFact);
      else evolver(xen, event as never, seq);
    }
  }
}

/** What a fact does to guest memory. Live and in re-enactment only; called before `evolve`. */
export function writeGuest(xen: Xen, memory: Memory, event: CoreFact): void {
  if (xen.trace.isOn) trace.record(xen, memory, event);
  switch (event.type) {
    case 'evtchn.closed':
    case 'evtchn.pending_raised':
    case 'evtchn.unmasked':
    case 'evtchn.fifo_raised':
      evtchn.writeGuest(xen, memory, event);
      return;
    case 'vcpu.scheduled':
    case 'vcpu.blocked':
    case 'vcpu.preempted':
    case 'vcpu.detached':
    case 'vcpu.initialised':
    case 'vcpu.info_registered':
    case 'vcpu.runstate_area_registered':
    case 'vcpu.time_area_registered':
    case 'domain.time_offset_set':
    case 'time.wallclock_set':
      time.writeGuest(xen, memory, event);
      return;
    case 'gnttab.ref_mapped':
    case 'gnttab.ref_unmapped':
    case 'gnttab.copied':
    case 'gnttab.entry_seeded':
    case 'gnttab.refs_swapped':
    case 'gnttab.mapped':
    case 'gnttab.unmapped':
    case 'gnttab.flags_cleared':
    case 'gnttab.version_set':
    case 'gnttab.page_transferred':
      gnttab.writeGuest(xen, memory, event);
      return;
    case 'mm.entry_written':
    case 'mm.table_adjusted':
    case 'mm.descriptors_adjusted':
    case 'mm.page_cleared':
    case 'mm.page_copied':
    case 'mm.iret_done':
      mm.writeGuest(xen, memory, event);
      return;
    case 'p2m.removed':
    case 'p2m.moved':
      p2m.writeGuest(xen, memory, event);
      return;
    case 'domain.destroyed':
      domain.writeGuest(xen, memory, event);
      return;
    case 'trace.buffers_allocated':
      trace.allocate(memory, event);
      return;
    case 'domain.hypercall_page_written':
    case 'gdbsx.memory_written':
      control.writeGuest(xen, memory, event);
      return;
  }
}

export { Xen, type XenOptions, type XenSnapshot } from './xen.ts';
