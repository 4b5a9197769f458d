// The domctls and sched_ops that make, pause, stop and end domains (xen/common/domctl.c, xen/common/domain.c).
import { accept, type GuestReader, refuse } from '../../../events/step.ts';
import { DOMID_FIRST_RESERVED, type DomId, kibToPages, type Ns } from '../../../events/units.ts';
import type { DomainCommand, Fact, Outcome } from '../../../events/vocabulary.ts';
import { raiseVirq } from '../evtchn/decide.ts';
import { VIRQ_DOM_EXC } from '../evtchn/state.ts';
import { unmapped } from '../gnttab/decide.ts';
import { allocateFrame } from '../p2m/decide.ts';
import { isRunning } from '../vcpu/decide.ts';
import type { Xen } from '../xen.ts';
import { isPrivileged } from '../xsm.ts';
import { formatHandle, parseHandle } from './state.ts';

/** XEN_DOMINF_* of public/domctl.h. */
const DOMINF_dying = 1 << 0;
const DOMINF_hvm_guest = 1 << 1;
const DOMINF_shutdown = 1 << 2;
const DOMINF_paused = 1 << 3;
const DOMINF_blocked = 1 << 4;
const DOMINF_running = 1 << 5;
const DOMINF_shutdownshift = 16;
const MAX_VIRT_CPUS = 128;
/** How many ports or mappings one step of dying gives back, before others get their turn. */
const BATCH = 64;

export function decide(xen: Xen, command: DomainCommand, now: Ns, guest: GuestReader): Outcome {
  if (command.type === 'sched.shutdown') return shutdown(xen, command.domid, command.reason, now, guest);
  if (!isPrivileged(command.domid)) return refuse('EPERM');
  const row = xen.domain.of(0)!;

  switch (command.type) {
    case 'domctl.createdomain': {
      const { domain, max_vcpus, max_grant_frames, max_maptrack_frames } = command;
      if (domain > 0 && domain < DOMID_FIRST_RESERVED && xen.exists(domain)) return refuse('EEXIST');
      if (max_vcpus < 1 || max_vcpus > MAX_VIRT_CPUS || !parseHandle(command.handle)) return refuse('EINVAL');
      if (max_grant_frames < 1) return refuse('EINVAL');
      const domid = domain > 0 && domain < DOMID_FIRST_RESERVED ? domain : freeDomid(xen);
      if (domid < 0) return refuse('ENOMEM');
      const shared_info_mfn = allocateFrame(xen);
      if (shared_info_mfn < 0) return refuse('ENOMEM');
      const { ssidref, handle, hvm } = command;
      // A negative limit means "none" (xl's default); the two-level ABI has its own.
      const max_evtchn_port = command.max_evtchn_port < 0 ? 2 ** 31 - 1 : command.max_evtchn_port;
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
        },
      );
    }
    case 'sysctl.physinfo': {
      const cpus = xen.sched.pcpu.of(0)!;
      let nr_cpus = 0;
      while (cpus.state.is(nr_cpus) !== 'none') nr_cpus++;
      return accept({
        nr_cpus,
        total_pages: xen.p2m.totalPages,
        free_pages: xen.p2m.freePages,
        scrub_pages: 0,
        outstanding_pages: 0,
        max_cpu_id: nr_cpus - 1,
      });
    }
    case 'domctl.getdomaininfo':
      return getdomaininfo(xen, command.domid, command.domain);
  }

  const { domain } = command;
  if (!xen.exists(domain)) return refuse('ESRCH');
  switch (command.type) {
    case 'domctl.max_vcpus': {
      const { max } = command;
      if (domain === command.domid && row.nr_vcpus.at(domain) > 0) return refuse('EINVAL');
      if (max < 1 || max !== row.max_vcpus.at(domain)) return refuse('EINVAL');
      if (row.nr_vcpus.at(domain) > 0) return accept();
      return accept({}, { type: 'domain.vcpus_allocated', domid: domain, count: max, at_ns: now });
    }
    case 'domctl.max_mem':
      return accept({}, { type: 'domain.max_mem_set', domid: domain, max_pages: kibToPages(command.max_memkb) });
    case 'domctl.pausedomain': {
      if (domain === command.domid) return refuse('EINVAL');
      const paused: Fact = { type: 'domain.paused', domid: domain, at_ns: now };
      return row.controller_pause_count.at(domain) > 0
        ? accept({}, paused)
        : accept({}, paused, ...forEachVcpu(xen, domain, 'vcpu.paused', now));
    }
    case 'domctl.unpausedomain': {
      if (domain === command.domid) return refuse('EINVAL');
      const count = row.controller_pause_count.at(domain);
      // Unpausing what runs is no error (domain_unpause_by_systemcontroller() answers -EINVAL, which the domctl drops).
      if (count === 0) return accept();
      const unpaused: Fact = { type: 'domain.unpaused', domid: domain, at_ns: now };
      return count > 1 ? accept({}, unpaused) : accept({}, unpaused, ...forEachVcpu(xen, domain, 'vcpu.unpaused', now));
    }
    case 'domctl.destroydomain':
      return domain === command.domid ? refuse('EINVAL') : kill(xen, domain, now, guest);
    default:
      return command satisfies never;
  }
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
    );

  const ports = xen.evtchn.ports.of(domid)!;
  const closed: Fact[] = [];
  for (let port = 1; port < ports.length && closed.length < BATCH; port++)
    if (ports.state.at(port) !== 0) closed.push({ type: 'evtchn.closed', domid, port });
  if (closed.length > 0) return refuse('ERESTART', undefined, ...closed);

  const unmaps = nextUnmaps(xen, domid);
  if (unmaps.length > 0) return refuse('ERESTART', undefined, ...unmaps);

  const released = releasable(xen, domid);
  if (released.length > 0) return refuse('ERESTART', undefined, ...released);
  // Mapped elsewhere: it stays as a zombie until the last mapping goes (see gnttab's `unmapped`).
  if (row.foreign_maps.at(domid) > 0) return accept({}, { type: 'domain.relinquished', domid });
  return accept({}, { type: 'domain.destroyed', domid }, ...raiseVirq(xen, 0, 0, VIRQ_DOM_EXC, now, guest));
}

/** The next mappings that a dying domain lets go. One that may be the last of another zombie goes alone: it may take that one along. */
function nextUnmaps(xen: Xen, domid: DomId): Fact[] {
  const maps = xen.gnttab.maptrack.of(domid)!;
  const { state } = xen.domain.of(0)!;
  const facts: Fact[] = [];
  for (let handle = 0; handle < maps.length && facts.length < BATCH; handle++) {
    if (maps.state.is(handle) === 'free') continue;
    const alone = state.is(maps.dom.at(handle)) === 'dead';
    if (alone && facts.length > 0) break;
    facts.push(...unmapped(xen, domid, handle));
    if (alone) break;
  }
  return facts;
}

/** All memory of a dying domain but the frames that somebody still has mapped. */
function releasable(xen: Xen, domid: DomId): Fact[] {
  const held = new Set<number>();
  const active = xen.gnttab.active.of(domid)!;
  for (let ref = 0; ref < active.length; ref++) if (active.mfn.at(ref) !== 0) held.add(active.mfn.at(ref));
  const facts: Fact[] = [];
  for (const range of xen.p2m.of(domid)) {
    const inside = [...held].filter((mfn) => mfn >= range.mfn && mfn < range.mfn + range.count).sort((a, b) => a - b);
    let gfn = range.gfn;
    for (const mfn of [...inside, range.mfn + range.count]) {
      const end = range.gfn + (mfn - range.mfn);
      if (end > gfn) facts.push({ type: 'p2m.removed', domid, gfn, nr_pages: end - gfn });
      gfn = end + 1;
    }
  }
  return facts;
}

function shutdown(
  xen: Xen,
  domid: DomId,
  reason: 'poweroff' | 'reboot' | 'suspend' | 'crash' | 'watchdog' | 'soft_reset',
  now: Ns,
  guest: GuestReader,
): Outcome {
  const row = xen.domain.of(0)!;
  if (!xen.exists(domid)) return refuse('ESRCH');
  // Only the first reason counts (domain_shutdown()).
  if (row.shut_down.is(domid) !== 'no') return accept();
  return accept(
    {},
    { type: 'domain.shut_down', domid, reason, at_ns: now },
    ...forEachVcpu(xen, domid, 'vcpu.paused', now),
    ...raiseVirq(xen, 0, 0, VIRQ_DOM_EXC, now, guest),
  );
}

function getdomaininfo(xen: Xen, caller: DomId, wanted: DomId): Outcome {
  const row = xen.domain.of(0)!;
  if (wanted >= DOMID_FIRST_RESERVED) return refuse('EINVAL');
  let domain = Math.max(0, wanted);
  while (domain < row.length && row.state.is(domain) === 'none') domain++;
  if (domain >= row.length) return refuse('ESRCH');
  const vcpus = xen.sched.vcpu.of(domain)!;
  let online = 0;
  let cpu_time_ns = 0;
  let running = false;
  let blocked = true;
  for (let vcpu = 0; vcpu < row.nr_vcpus.at(domain); vcpu++) {
    cpu_time_ns += vcpus.time_running.at(vcpu);
    if (vcpus.up.at(vcpu) === 0) continue;
    online++;
    if (vcpus.blocked.at(vcpu) === 0) blocked = false;
    if (isRunning(vcpus, caller, domain, vcpu)) running = true;
  }
  const reason = row.shut_down.at(domain);
  const flags =
    (row.state.is(domain) !== 'alive' ? DOMINF_dying : 0) |
    (row.hvm.at(domain) ? DOMINF_hvm_guest : 0) |
    (reason > 0 ? DOMINF_shutdown | ((reason - 1) << DOMINF_shutdownshift) : 0) |
    (row.controller_pause_count.at(domain) > 0 ? DOMINF_paused : 0) |
    (blocked && !running ? DOMINF_blocked : 0) |
    (running ? DOMINF_running : 0);
  const handle = xen.domains.handles.of(0)!;
  return accept({
    domain,
    flags,
    tot_pages: row.tot_pages.at(domain),
    max_pages: row.max_pages.at(domain),
    outstanding_pages: 0,
    shared_info_frame: row.shared_info_mfn.at(domain),
    cpu_time_ns,
    nr_online_vcpus: online,
    max_vcpu_id: Math.max(0, row.nr_vcpus.at(domain) - 1),
    ssidref: row.ssidref.at(domain),
    handle: formatHandle([handle.a.at(domain), handle.b.at(domain), handle.c.at(domain), handle.d.at(domain)]),
  });
}

function forEachVcpu(xen: Xen, domid: DomId, type: 'vcpu.paused' | 'vcpu.unpaused', at_ns: Ns): Fact[] {
  const facts: Fact[] = [];
  for (let vcpu = 0; vcpu < xen.domain.of(0)!.nr_vcpus.at(domid); vcpu++) facts.push({ type, domid, vcpu, at_ns });
  return facts;
}

/** The next id after the last one given out, wrapping at the reserved ids; -1 when all are taken. */
function freeDomid(xen: Xen): DomId {
  const last = xen.domains.rover.of(0)!.domid.at(0);
  for (let i = 1; i < DOMID_FIRST_RESERVED; i++) {
    const domid = ((last + i - 1) % (DOMID_FIRST_RESERVED - 1)) + 1;
    if (!xen.exists(domid)) return domid;
  }
  return -1;
}
