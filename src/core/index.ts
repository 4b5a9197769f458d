// The hypervisor: every hypercall of the core's subsystems, their facts, and what these write into guest memory.
import type { Errno } from '../../events/errno.ts';
import { accept, type GuestReader, refuse } from '../../events/step.ts';
import { DOMID_XEN, type DomId, type Ns } from '../../events/units.ts';
import { type CommandsOf, type FactsOf, groups, type Outcome } from '../../events/vocabulary.ts';
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

type Decide<C> = (xen: Xen, command: C, now: Ns, guest: GuestReader) => Outcome;
type Evolve<F> = (xen: Xen, event: F, seq: number) => void;

/** Who decides the operations of each group of the vocabulary that is the core's. */
const deciders = {
  p2m: decideMemory,
  mm: decideMm,
  sched: sched.decide,
  cpupool: decideCpupool,
  vcpu: decideVcpu,
  evtchn: evtchn.decide,
  timer: decideTimer,
  time: time.decide,
  gnttab: decideGnttab,
  domain: domain.decide,
  hypercall: decideHypercall,
  physdev: physdev.decide,
  xenVersion: domain.decideVersion,
  conring: console.decide,
  control: control.decide,
  hvm: hvm.decide,
  platform: decidePlatform,
  trace: trace.decide,
} as const satisfies Partial<{ readonly [G in keyof typeof groups]: Decide<CommandsOf<G>> }>;

/** Who applies their facts. */
const evolvers = {
  p2m: p2m.evolve,
  mm: mm.evolve,
  sched: sched.evolve,
  cpupool: sched.evolveCpupool,
  vcpu: vcpu.evolve,
  evtchn: evtchn.evolve,
  timer: timer.evolve,
  time: time.evolve,
  gnttab: gnttab.evolve,
  domain: domain.evolve,
  physdev: physdev.evolve,
  conring: console.evolve,
  control: control.evolve,
  hvm: hvm.evolve,
  platform: platform.evolve,
  trace: trace.evolve,
} as const satisfies Partial<{ readonly [G in keyof typeof groups]: Evolve<FactsOf<G>> }>;

export type CoreCommand = CommandsOf<keyof typeof deciders>;
export type CoreFact = FactsOf<keyof typeof evolvers>;

// Objects without a prototype, for a step finds its functions sooner in them than in a Map.
const decideOf: Record<string, Decide<never>> = Object.create(null);
for (const [group, decide] of Object.entries(deciders))
  for (const type of Object.keys(groups[group as keyof typeof deciders].operations)) decideOf[type] = decide;
const evolveOf: Record<string, Evolve<never>> = Object.create(null);
for (const [group, evolve] of Object.entries(evolvers))
  for (const type of Object.keys(groups[group as keyof typeof evolvers].facts)) evolveOf[type] = evolve;

export function decide(xen: Xen, command: CoreCommand, now: Ns, guest: GuestReader): Outcome {
  const outcome = sched.follow(xen, decideAlone(xen, command, now, guest), now);
  return xen.trace.isOn ? trace.traced(xen, command, outcome, now, guest) : outcome;
}

/** The operation's own outcome, before the schedulers make of it what they make. */
function decideAlone(xen: Xen, command: CoreCommand, now: Ns, guest: GuestReader): Outcome {
  // Nobody asks whose vCPUs will never run: a domain that is not there, or is dying. Timers are the clock's to expire.
  const { domid } = command as { readonly domid?: DomId };
  if (domid !== undefined && domid !== DOMID_XEN && !xen.isAlive(domid) && command.type !== 'timer.expire')
    return refuse('ESRCH');
  return decideOf[command.type]!(xen, command as never, now, guest);
}

/** The only writer of the hypervisor's state. */
export function evolve(xen: Xen, event: CoreFact, seq: number): void {
  evolveOf[event.type]!(xen, event as never, seq);
}

/** What a domain lets go of may be the last that kept a dead one; a guest that nothing is left for crashes. */
function decideMemory(xen: Xen, command: CommandsOf<'p2m'>, now: Ns, guest: GuestReader): Outcome {
  const outcome = p2m.decide(xen, command, guest);
  if (command.type !== 'memory.pod_demand_populate') return domain.letGo(xen, outcome, now, guest);
  if (outcome.ok || outcome.errno !== 'ENOMEM') return outcome;
  // p2m_pod_demand_populate()
  return crash(xen, command.domid, 'ENOMEM', 'out of populate-on-demand memory', now, guest);
}

/** What stood where a mapping comes to stand, or was to take its place, may be the last of another domain's. */
function decideGnttab(xen: Xen, command: CommandsOf<'gnttab'>, now: Ns, guest: GuestReader): Outcome {
  const outcome = gnttab.decide(xen, command, now, guest);
  switch (command.type) {
    case 'gnttab.map_grant_ref_at':
    case 'gnttab.unmap_grant_ref_at':
    case 'gnttab.unmap_and_replace':
      return domain.letGo(xen, outcome, now, guest);
    default:
      return outcome;
  }
}

function decideMm(xen: Xen, command: CommandsOf<'mm'>, now: Ns, guest: GuestReader): Outcome {
  if (command.type === 'domctl.setvcpucontext_from' || command.type === 'vcpu.initialise_from')
    return begin(xen, command, now, guest);
  const outcome = mm.decide(xen, command, guest);
  return command.type === 'mm.iret' && !outcome.ok && outcome.errno === 'EFAULT'
    ? crash(xen, command.domid, 'EFAULT', 'an iret that leads nowhere', now, guest)
    : domain.letGo(xen, outcome, now, guest);
}

/** A vCPU gets its first state, or another: it may begin at all, and its tables are such as they must be. */
function begin(xen: Xen, command: mm.BeginCommand, now: Ns, guest: GuestReader): Outcome {
  const { domid, vcpu: id } = command;
  const isOwn = command.type === 'vcpu.initialise_from';
  const target = isOwn ? domid : command.domain;
  const outcome = isOwn
    ? vcpu.decide(xen, { type: 'vcpu.initialise', domid, vcpu: id }, now)
    : vcpu.decide(xen, { type: 'domctl.setvcpucontext', domid, domain: target, vcpu: id }, now);
  if (!outcome.ok) return outcome;
  const loaded = mm.loadContext(xen, target, id, command.context, guest);
  if (!loaded.ok) return refuse(loaded.errno);
  // Only a toolstack says whether it is online.
  const facts = outcome.events.filter(({ type }) => type !== 'vcpu.brought_up' || loaded.online);
  return accept({}, ...loaded.facts, ...facts);
}

function decideCpupool(xen: Xen, command: CommandsOf<'cpupool'>, now: Ns, guest: GuestReader): Outcome {
  const outcome = sched.decideCpupool(xen, command, now);
  return command.type === 'sysctl.cpu_hotplug' && outcome.ok
    ? accept(outcome.value, ...outcome.events, ...raiseGlobalVirq(xen, VIRQ.PCPU_STATE, now, guest))
    : outcome;
}

/** dom0 takes a pCPU away, or gives one back, as the toolstack does. */
function decidePlatform(xen: Xen, command: CommandsOf<'platform'>, now: Ns, guest: GuestReader): Outcome {
  const outcome = platform.decide(xen, command, now, guest);
  if (!outcome.ok || (command.type !== 'platform.cpu_online' && command.type !== 'platform.cpu_offline')) return outcome;
  const hotplug = platform.hotplugOf(xen, command);
  return hotplug === undefined ? outcome : decideAlone(xen, hotplug, now, guest);
}

/** A domain whose last vCPU goes down has shut down. */
function decideVcpu(xen: Xen, command: CommandsOf<'vcpu'>, now: Ns, guest: GuestReader): Outcome {
  const { domid } = command;
  return command.type === 'vcpu.down' && vcpu.isLastUp(xen, domid, command.vcpu)
    ? domain.decide(xen, { type: 'sched.shutdown', domid, reason: 'poweroff' }, now, guest)
    : vcpu.decide(xen, command, now);
}

/** A watchdog that expires shuts its domain down. */
function decideTimer(xen: Xen, command: CommandsOf<'timer'>, now: Ns, guest: GuestReader): Outcome {
  const outcome = timer.decide(xen, command, now, guest);
  if (command.type !== 'timer.expire' || command.kind !== 'watchdog' || !outcome.ok) return outcome;
  const shutdown = domain.decide(xen, { type: 'sched.shutdown', domid: command.domid, reason: 'watchdog' }, now, guest);
  return accept({}, ...outcome.events, ...(shutdown.events ?? []));
}

function decideHypercall(xen: Xen, command: CommandsOf<'hypercall'>, now: Ns, guest: GuestReader): Outcome {
  return command.type === 'hypercall.note_refused'
    ? refuse(command.errno)
    : domain.shutdownWith(xen, command.domid, command.code, now, guest);
}

/** A guest that can not go on (domain_crash()). */
function crash(xen: Xen, domid: DomId, errno: Errno, why: string, now: Ns, guest: GuestReader): Outcome {
  const shutdown = domain.decide(xen, { type: 'sched.shutdown', domid, reason: 'crash' }, now, guest);
  return refuse(errno, undefined, { type: 'domain.crashed', domid, why }, ...(shutdown.events ?? []));
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
    case 'gnttab.flags_raised':
    case 'gnttab.version_set':
    case 'gnttab.page_transferred':
      gnttab.writeGuest(xen, memory, event);
      return;
    case 'mm.entry_written':
    case 'mm.table_adjusted':
    case 'mm.pae_table_adjusted':
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
    case 'dm.ioreq_pages_freed':
      hvm.writeGuest(memory, event);
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
