// The domctls and sched_ops that make, pause, stop and end domains (xen/common/domctl.c, xen/common/domain.c).
import { accept, type GuestReader, refuse } from '../../../events/step.ts';
import { DOMID_FIRST_RESERVED, DOMID_XEN, type DomId, kibToPages, type Ns } from '../../../events/units.ts';
import type { CommandOf, DomainCommand, Fact, Outcome } from '../../../events/vocabulary.ts';
import { XEN_DOMCTL_CDF, XEN_DOMINF } from '../../abi/domctl.ts';
import { XEN_SYSCTL_PHYSCAP } from '../../abi/sysctl.ts';
import { VIRQ } from '../../abi/virq.ts';
import { printk } from '../console/printk.ts';
import { raiseGlobalVirq } from '../evtchn/decide.ts';
import { leaveFifo } from '../evtchn/fifo.ts';
import { HW_CAP } from '../features.ts';
import { PARTS, unmapped } from '../gnttab/map.ts';
import { relinquish } from '../mm/index.ts';
import { allocateFrames } from '../p2m/heap.ts';
import { placeOf } from '../sched/cpupool.ts';
import { offCpu } from '../sched/decide.ts';
import { schedulerOf } from '../sched/schedulers.ts';
import { timerOf } from '../timer/state.ts';
import { isRunning, timeIn } from '../vcpu/decide.ts';
import type { Xen } from '../xen.ts';
import { isPrivileged, permits } from '../xsm.ts';
import { bootLines } from './boot.ts';
import { archFlaw, configFlaw } from './config.ts';
import { letGo } from './let-go.ts';
import { drained, INITIAL_POOL, lastFree } from './pool.ts';
import { formatHandle, parseHandle } from './state.ts';

/** What a domain gets when nobody says otherwise, and the most that it can have (xen/common/grant_table.c). */
const MAX_GRANT_FRAMES = 64;
const MAX_MAPTRACK_FRAMES = 1024;
/** Times that a toolstack can pause a domain (xen/common/domain.c, _domain_pause_by_systemcontroller()). */
const MAX_PAUSES = 255;
/** max_mem's limit: struct domain counts pages in 32 bits. */
const MAX_PAGES = 2 ** 32 - 1;
/** How many ports or mappings one step of dying gives back, before others get their turn. */
const BATCH = 64;

export function decide(xen: Xen, command: DomainCommand, now: Ns, guest: GuestReader): Outcome {
  if (command.type === 'sched.shutdown_code') {
    const { domid, code } = command;
    if (!xen.exists(domid)) return refuse('ESRCH');
    const { shut_down, shutdown_code_plus_1 } = xen.domain.of(0)!;
    if (shut_down.at(domid) !== 0 || shutdown_code_plus_1.at(domid) !== 0) return accept();
    return accept({}, { type: 'domain.shutdown_code_set', domid, code: code & 0xff });
  }
  if (command.type === 'sched.shutdown') {
    const { domid, reason } = command;
    return shutdown(xen, domid, { type: 'domain.shut_down', domid, reason, at_ns: now }, now, guest);
  }
  const row = xen.domain.of(0)!;

  switch (command.type) {
    case 'domctl.createdomain':
      return isPrivileged(command.domid) ? createdomain(xen, command, now, guest) : refuse('EPERM');
    case 'sysctl.physinfo': {
      if (!isPrivileged(command.domid)) return refuse('EPERM');
      const { state } = xen.sched.pcpu.of(0)!;
      let nr_cpus = 0;
      for (let cpu = 0; cpu < xen.sched.nrCpus; cpu++) if (state.is(cpu) !== 'offline') nr_cpus++;
      return accept({
        nr_cpus,
        total_pages: xen.p2m.totalPages,
        free_pages: xen.p2m.freePages,
        scrub_pages: 0,
        outstanding_pages: xen.p2m.allClaimed,
        max_cpu_id: xen.sched.nrCpus - 1,
        ...machine(xen),
      });
    }
    case 'domctl.getdomaininfo':
      return getdomaininfo(xen, command.domid, command.domain, now);
    case 'sysctl.getdomaininfolist': {
      if (!isPrivileged(command.domid)) return refuse('EPERM');
      const domains: DomId[] = [];
      for (const domid of xen.domids()) {
        if (domains.length >= command.max_domains) break;
        if (domid >= command.first_domain) domains.push(domid);
      }
      return accept({ domains });
    }
    case 'sysctl.sched_id':
      return isPrivileged(command.domid) ? accept({ sched_id: schedulerOf(xen, 0).sched_id }) : refuse('EPERM');
  }

  const { domain } = command;
  if (!xen.exists(domain)) return refuse('ESRCH');
  if (!isPrivileged(command.domid)) return refuse('EPERM');
  switch (command.type) {
    case 'sched.remote_shutdown': {
      return shutdownWith(xen, domain, command.code, now, guest);
    }
    case 'domctl.resumedomain': {
      if (domain === command.domid) return refuse('EINVAL');
      if (row.shut_down.at(domain) === 0) return accept();
      return accept({}, { type: 'domain.resumed', domid: domain, at_ns: now }, ...forEachVcpu(xen, domain, 'vcpu.unpaused', now));
    }
    case 'domctl.set_address_size': {
      const { size } = command;
      if (row.hvm.at(domain) === 1) return refuse('EOPNOTSUPP');
      if (size === (xen.is32bit(domain) ? 32 : 64)) return accept();
      if (size !== 32) return refuse('EINVAL');
      // switch_compat() in xen/arch/x86/pv/domain.c.
      if (!xen.pv32) return refuse('EOPNOTSUPP');
      if (row.tot_pages.at(domain) !== 0) return refuse('EACCES');
      return accept({}, { type: 'domain.address_size_set', domid: domain, size });
    }
    case 'domctl.get_address_size':
      return row.hvm.at(domain) === 1 ? refuse('EOPNOTSUPP') : accept({ size: xen.is32bit(domain) ? 32 : 64 });
    case 'domctl.max_vcpus': {
      const { max } = command;
      if (domain === command.domid || max !== row.max_vcpus.at(domain)) return refuse('EINVAL');
      if (row.nr_vcpus.at(domain) > 0) return accept();
      return accept({}, { type: 'domain.vcpus_allocated', domid: domain, count: max, at_ns: now });
    }
    case 'domctl.max_mem': {
      // "Unlimited" is a negative number here and a huge one there.
      const wanted = kibToPages(command.max_memkb);
      const max_pages = wanted < 0 ? MAX_PAGES : Math.min(wanted, MAX_PAGES);
      return accept({}, { type: 'domain.max_mem_set', domid: domain, max_pages });
    }
    case 'domctl.pausedomain': {
      if (domain === command.domid) return refuse('EINVAL');
      if (row.controller_pause_count.at(domain) >= MAX_PAUSES) return refuse('EOVERFLOW');
      const paused: Fact = { type: 'domain.paused', domid: domain, at_ns: now };
      return row.controller_pause_count.at(domain) > 0
        ? accept({}, paused)
        : accept({}, paused, ...forEachVcpu(xen, domain, 'vcpu.paused', now));
    }
    case 'domctl.unpausedomain': {
      const count = row.controller_pause_count.at(domain);
      if (count === 0) return refuse('EINVAL');
      const unpaused: Fact = { type: 'domain.unpaused', domid: domain, at_ns: now };
      if (count > 1) return accept({}, unpaused);
      const finished: Fact[] =
        xen.control.row.creation_finished.at(domain) === 1 ? [] : [{ type: 'domain.creation_finished', domid: domain }];
      return accept({}, unpaused, ...forEachVcpu(xen, domain, 'vcpu.unpaused', now), ...finished);
    }
    case 'domctl.destroydomain':
      return domain === command.domid ? refuse('EINVAL') : kill(xen, domain, now, guest);
    default:
      return command satisfies never;
  }
}

const MAX_NUMNODES = 64;
/** What physinfo tells of the machine besides: its topology, and what the build and the processor can do. */
const machine = (xen: Xen) => ({
  ...xen.sched.topology,
  nr_nodes: 1,
  max_node_id: MAX_NUMNODES - 1,
  cpu_khz: xen.clock.tscKhz,
  max_mfn: xen.p2m.maxMfn,
  capabilities:
    XEN_SYSCTL_PHYSCAP.hvm |
    XEN_SYSCTL_PHYSCAP.pv |
    XEN_SYSCTL_PHYSCAP.hap |
    XEN_SYSCTL_PHYSCAP.gnttab_v1 |
    XEN_SYSCTL_PHYSCAP.gnttab_v2 |
    (xen.iommu ? XEN_SYSCTL_PHYSCAP.directio : 0),
  arch_capabilities: 0,
  hw_cap: HW_CAP,
});
/** Makes a domain with what it has from the start: a shared info page and the first frame of its grant table. */
function createdomain(xen: Xen, command: CommandOf<'domctl.createdomain'>, now: Ns, guest: GuestReader): Outcome {
  const { domain, ssidref, handle, max_vcpus, hvm } = command;
  const isChosen = domain > 0 && domain < DOMID_FIRST_RESERVED;
  const rover = xen.domains.rover.of(0)!.domid.at(0);
  if (isChosen && xen.exists(domain)) return refuse('EEXIST');
  const domid = isChosen ? domain : freeDomid(xen, command.domid);
  if (domid < 0) return refuse('ENOMEM');
  if (!parseHandle(handle)) return refuse('EINVAL');
  const errno = configFlaw(xen, command);
  if (errno !== undefined) return refuse(errno);
  // A negative limit is the host's own (grant_table_init(), evtchn_init()).
  const max_evtchn_port = command.max_evtchn_port < 0 ? 2 ** 31 - 1 : command.max_evtchn_port;
  const max_grant_frames = command.max_grant_frames < 0 ? MAX_GRANT_FRAMES : command.max_grant_frames;
  const max_maptrack_frames = command.max_maptrack_frames < 0 ? MAX_MAPTRACK_FRAMES : command.max_maptrack_frames;
  if (max_grant_frames < 1 || max_grant_frames > MAX_GRANT_FRAMES || max_maptrack_frames > MAX_MAPTRACK_FRAMES)
    return refuse('EINVAL');
  const archErrno = archFlaw(domid, command);
  if (archErrno !== undefined) return refuse(archErrno);
  const paging = (command.flags & XEN_DOMCTL_CDF.hap) === 0 ? 0 : INITIAL_POOL;
  if (paging + 2 > xen.p2m.freePages - xen.p2m.allClaimed) return refuse('ENOMEM');
  const pool = placeOf(xen, command.cpupool_id);
  if (pool === undefined) return refuse('ESRCH');
  if (xen.sched.cpusOf(pool).length === 0) return refuse('ENODEV');
  const [shared_info_mfn, grant_mfn] = allocateFrames(xen, 2);
  if (shared_info_mfn === undefined || grant_mfn === undefined) return refuse('ENOMEM');
  const { flags, emulation_flags, misc_flags } = command;
  const configured: Fact[] =
    flags === 0 && emulation_flags === 0 && misc_flags === 0
      ? []
      : [{ type: 'domain.configured', domid, flags, emulation_flags, misc_flags }];
  if (command.grant_opts === 2) configured.push({ type: 'gnttab.max_version_set', domid, max_version: 2 });
  if (paging > 0)
    configured.push({ type: 'domain.paging_pool_grown', domid, extents: lastFree(xen, paging, [shared_info_mfn, grant_mfn])! });
  return accept(
    { domain: domid },
    {
      type: 'domain.created',
      domid,
      ssidref,
      handle,
      max_vcpus,
      max_evtchn_port,
      max_grant_frames,
      max_maptrack_frames,
      hvm,
      shared_info_mfn,
      pool,
    },
    { type: 'gnttab.table_grown', domid, frames: [grant_mfn] },
    ...(isChosen && rover !== domid ? [{ type: 'domain.rover_put_back', domid: rover } as const] : []),
    ...configured,
    ...(command.domid === DOMID_XEN && domid === 0 ? printk(xen, now, guest, bootLines(xen)) : []),
  );
}

/** domain_kill(): one stage a call, ERESTART until nothing is left to do. */
function kill(xen: Xen, domid: DomId, now: Ns, guest: GuestReader): Outcome {
  const row = xen.domain.of(0)!;
  if (row.state.is(domid) === 'dead') return accept();
  if (row.state.is(domid) === 'alive')
    return refuse(
      'ERESTART',
      undefined,
      { type: 'domain.dying_started', domid, at_ns: now },
      ...forEachVcpu(xen, domid, 'vcpu.paused', now),
      ...stoppedTimers(xen, domid),
    );

  const ports = xen.evtchn.ports.of(domid)!;
  const closed: Fact[] = [];
  for (let port = 1; port < ports.length && closed.length < BATCH; port++)
    if (ports.state.at(port) !== 0) closed.push({ type: 'evtchn.closed', domid, port });
  closed.push(...(closed.length < BATCH ? leaveFifo(xen, domid) : []));
  if (closed.length > 0) return refuse('ERESTART', undefined, ...closed);

  const infos = unmappedInfos(xen, domid);
  if (infos.length > 0) return refuse('ERESTART', undefined, ...infos);

  const unmaps = nextUnmaps(xen, domid, now, guest);
  if (unmaps.length > 0) return refuse('ERESTART', undefined, ...unmaps);

  const tables = relinquish(xen, domid, guest);
  if (tables.length > 0) return letGo(xen, refuse('ERESTART', undefined, ...tables), now, guest);

  const slots = xen.p2m.slotsOf(domid);
  const next = slots.find((slot) => slot.dom !== domid) ?? slots[0];
  if (next !== undefined) {
    const unmapped = refuse<Fact>('ERESTART', undefined, { type: 'p2m.slot_unmapped', domid, gfn: next.gfn });
    return letGo(xen, unmapped, now, guest);
  }

  const released = releasable(xen, domid);
  released.push(...drained(xen, domid));
  if (released.length > 0) return refuse('ERESTART', undefined, ...released);
  // Mapped elsewhere: it stays as a zombie until the last mapping goes (see gnttab's `unmapped`).
  const end: Fact = { type: xen.holdsOn(domid) > 0 ? 'domain.relinquished' : 'domain.destroyed', domid };
  // What stays of it is Pool-0's.
  const leaves: Fact[] =
    end.type === 'domain.relinquished' && xen.poolOf(domid) !== 0
      ? [{ type: 'cpupool.domain_moved', domid, pool: 0, at_ns: now }]
      : [];
  return accept({}, ...leaves, end, ...raiseGlobalVirq(xen, VIRQ.DOM_EXC, now, guest));
}

/** The vcpu_infos that stand in pages of the domain's own (unmap_vcpu_info()). */
function unmappedInfos(xen: Xen, domid: DomId): Fact[] {
  const { info_mfn_plus_1 } = xen.sched.vcpu.of(domid)!;
  const facts: Fact[] = [];
  for (let vcpu = 0; vcpu < xen.domain.of(0)!.nr_vcpus.at(domid); vcpu++)
    if (info_mfn_plus_1.at(vcpu) !== 0) facts.push({ type: 'vcpu.info_unmapped', domid, vcpu });
  return facts;
}

/** No vCPU of a dying domain will ever run: nobody waits for its timers. */
function stoppedTimers(xen: Xen, domid: DomId): Fact[] {
  return [...xen.timers.rows.inUse(domid)].map(([row]): Fact => ({ type: 'timer.stopped', domid, ...timerOf(row) }));
}

/**
 * The next mappings that a dying domain lets go. What one of them leads to is decided on the state before all: so no entry comes
 * twice, and a zombie's comes alone, for it may take the zombie along, as does that of a page which waits to go.
 */
function nextUnmaps(xen: Xen, domid: DomId, now: Ns, guest: GuestReader): Fact[] {
  const maps = xen.gnttab.maptrack.of(domid)!;
  const facts: Fact[] = [];
  const entries = new Set<string>();
  // From the last to the first, as gnttab_release_mappings() goes: what is above is free by then.
  const end = xen.domain.of(0)!.maptrack_limit.at(domid) || maps.length;
  for (let handle = end - 1; handle >= 0 && facts.length < BATCH; handle--) {
    if (maps.state.is(handle) === 'free') continue;
    const dom = maps.dom.at(handle);
    if (xen.isZombie(dom) || xen.p2m.isReleased(dom, maps.mfn.at(handle)))
      return facts.length > 0 ? facts : unmapped(xen, domid, handle, PARTS, now, guest);
    const entry = `${dom} ${maps.ref.at(handle)}`;
    if (entries.has(entry)) break;
    entries.add(entry);
    facts.push(...unmapped(xen, domid, handle, PARTS, now, guest));
  }
  return facts;
}

/** All memory of a dying domain but the frames that somebody still has mapped. */
function releasable(xen: Xen, domid: DomId): Fact[] {
  const held = [...xen.mappedFrames(domid)].sort((a, b) => a - b);
  const facts: Fact[] = [];
  for (const range of xen.p2m.of(domid)) {
    const inside = held.filter((mfn) => mfn >= range.mfn && mfn < range.mfn + range.count);
    let gfn = range.gfn;
    for (const mfn of [...inside, range.mfn + range.count]) {
      const end = range.gfn + (mfn - range.mfn);
      if (end > gfn) facts.push({ type: 'p2m.removed', domid, gfn, nr_pages: end - gfn });
      gfn = end + 1;
    }
  }
  return facts;
}

/** A shutdown for any reason: a byte. */
export function shutdownWith(xen: Xen, domid: DomId, code: number, now: Ns, guest: GuestReader): Outcome {
  return shutdown(xen, domid, { type: 'domain.shut_down_with', domid, code: code & 0xff, at_ns: now }, now, guest);
}

export function shutdown(xen: Xen, domid: DomId, shutDown: Fact, now: Ns, guest: GuestReader): Outcome {
  if (!xen.exists(domid)) return refuse('ESRCH');
  // Only the first reason counts (domain_shutdown()).
  if (xen.domain.of(0)!.shut_down.at(domid) !== 0) return accept();
  const code = xen.domain.of(0)!.shutdown_code_plus_1.at(domid) - 1;
  const fact: Fact = code < 0 ? shutDown : { type: 'domain.shut_down_with', domid, code, at_ns: now };
  return accept({}, fact, ...forEachVcpu(xen, domid, 'vcpu.paused', now), ...raiseGlobalVirq(xen, VIRQ.DOM_EXC, now, guest));
}

function getdomaininfo(xen: Xen, caller: DomId, wanted: DomId, now: Ns): Outcome {
  const row = xen.domain.of(0)!;
  if (wanted >= DOMID_FIRST_RESERVED) return refuse('EINVAL');
  let domain = Math.max(0, wanted);
  while (domain < row.length && row.state.is(domain) === 'none') domain++;
  if (domain >= row.length) return refuse('ESRCH');
  if (!permits(xen, 'xs_priv', caller, domain)) return refuse('EPERM');
  const vcpus = xen.sched.vcpu.of(domain)!;
  let online = 0;
  let cpu_time_ns = 0;
  let running = false;
  let blocked = true;
  for (let vcpu = 0; vcpu < row.nr_vcpus.at(domain); vcpu++) {
    cpu_time_ns += timeIn('running', vcpus, vcpu, now);
    if (vcpus.up.at(vcpu) === 0) continue;
    online++;
    if (vcpus.blocked.at(vcpu) === 0) blocked = false;
    if (isRunning(vcpus, caller, domain, vcpu)) running = true;
  }
  const control = xen.control.row;
  // The index of the name, less one for "no", is the code; "no" is SHUTDOWN_CODE_INVALID, all ones, as Xen shows it.
  const reason = (row.shut_down.at(domain) || row.shutdown_code_plus_1.at(domain)) - 1;
  const flags =
    (xen.isZombie(domain) ? XEN_DOMINF.dying : 0) |
    (row.hvm.at(domain) ? XEN_DOMINF.hvm_guest : 0) |
    (row.shut_down.at(domain) > 0 ? XEN_DOMINF.shutdown : 0) |
    (reason << XEN_DOMINF.shutdownshift) |
    (row.controller_pause_count.at(domain) > 0 ? XEN_DOMINF.paused : 0) |
    (online > 0 && blocked && !running ? XEN_DOMINF.blocked : 0) |
    (running ? XEN_DOMINF.running : 0) |
    (control.debugger_attached.at(domain) ? XEN_DOMINF.debugged : 0) |
    (control.cdf.at(domain) & XEN_DOMCTL_CDF.xs_domain ? XEN_DOMINF.xs_domain : 0) |
    (control.cdf.at(domain) & XEN_DOMCTL_CDF.hap ? XEN_DOMINF.hap : 0);
  const handle = xen.domains.handles.of(0)!;
  return accept({
    domain,
    flags: flags >>> 0,
    tot_pages: row.tot_pages.at(domain),
    max_pages: row.max_pages.at(domain),
    outstanding_pages: xen.p2m.claimed(domain),
    shared_info_frame: row.shared_info_mfn.at(domain),
    cpu_time_ns,
    nr_online_vcpus: online,
    max_vcpu_id: (row.nr_vcpus.at(domain) - 1) >>> 0, // XEN_INVALID_MAX_VCPU_ID where there is none
    ssidref: row.ssidref.at(domain),
    cpupool: xen.sched.pools.of(0)!.cpupool_id.at(xen.poolOf(domain)),
    handle: formatHandle([handle.a.at(domain), handle.b.at(domain), handle.c.at(domain), handle.d.at(domain)]),
    emulation_flags: control.emulation_flags.at(domain),
    misc_flags: control.misc_flags.at(domain),
  });
}

export function forEachVcpu(xen: Xen, domid: DomId, type: 'vcpu.paused' | 'vcpu.unpaused', at_ns: Ns): Fact[] {
  const facts: Fact[] = [];
  for (let vcpu = 0; vcpu < xen.domain.of(0)!.nr_vcpus.at(domid); vcpu++) {
    if (type === 'vcpu.paused') facts.push(...offCpu(xen, domid, vcpu, at_ns));
    facts.push({ type, domid, vcpu, at_ns });
  }
  return facts;
}

/** The next id after the last one given out, wrapping at the reserved ids; -1 when all are taken. What Xen builds for itself is dom0. */
function freeDomid(xen: Xen, caller: DomId): DomId {
  if (caller === DOMID_XEN) return xen.exists(0) ? -1 : 0;
  const last = xen.domains.rover.of(0)!.domid.at(0);
  for (let i = 1; i < DOMID_FIRST_RESERVED; i++) {
    const domid = ((last + i - 1) % (DOMID_FIRST_RESERVED - 1)) + 1;
    if (!xen.exists(domid)) return domid;
  }
  return -1;
}
