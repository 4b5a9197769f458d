import type { DomId } from '../../../events/units.ts';
import type { DomainFact } from '../../../events/vocabulary.ts';
import { CREDIT_INIT, DEFAULT_WEIGHT } from '../sched/credit2-arithmetic.ts';
import { changePool, findUnits } from '../sched/evolve-domain.ts';
import type { Xen } from '../xen.ts';
import { parseHandle } from './state.ts';

/** Applies a fact to the domains. Total; makes and clears the rows that every subsystem keeps for a domain. */
export function evolve(xen: Xen, event: DomainFact): void {
  const row = xen.domain.of(0)!;
  const { domid } = event;
  switch (event.type) {
    case 'domain.created': {
      row.state.become(domid, 'alive');
      row.hvm.put(domid, event.hvm ? 1 : 0);
      row.ssidref.put(domid, event.ssidref);
      row.max_vcpus.put(domid, event.max_vcpus);
      row.shared_info_mfn.put(domid, event.shared_info_mfn);
      row.max_evtchn_port.put(domid, event.max_evtchn_port);
      row.max_grant_frames.put(domid, event.max_grant_frames);
      row.max_maptrack_frames.put(domid, event.max_maptrack_frames);
      // Created paused, as the toolstack finds it (XEN_DOMCTL_createdomain).
      row.controller_pause_count.put(domid, 1);
      const [a, b, c, d] = parseHandle(event.handle)!;
      const handles = xen.domains.handles.of(0)!;
      handles.a.put(domid, a);
      handles.b.put(domid, b);
      handles.c.put(domid, c);
      handles.d.put(domid, d);
      xen.domains.rover.of(0)!.domid.put(0, domid);
      xen.p2m.take(event.shared_info_mfn, 1);
      for (const table of xen.tablesPerDomain) table.add(domid);
      // Logs from before there were pools count nobody.
      if (event.pool === undefined) row.weight.put(domid, DEFAULT_WEIGHT);
      else changePool(xen, domid, event.pool);
      return;
    }
    case 'domain.rover_put_back':
      xen.domains.rover.of(0)!.domid.put(0, event.domid);
      return;
    case 'domain.vcpus_allocated': {
      row.nr_vcpus.put(domid, event.count);
      const vcpus = xen.sched.vcpu.of(domid)!;
      for (let vcpu = 0; vcpu < event.count; vcpu++) {
        vcpus.runstate.become(vcpu, 'offline');
        vcpus.entry_ns.put(vcpu, event.at_ns);
        vcpus.credit.put(vcpu, CREDIT_INIT - xen.sched.scale.of(0)!.base.at(0));
        vcpus.pauses.put(vcpu, pausesOf(xen, domid));
      }
      findUnits(xen, xen.poolOf(domid));
      return;
    }
    case 'domain.max_mem_set':
      row.max_pages.put(domid, event.max_pages);
      return;
    case 'domain.paused':
      row.controller_pause_count.add(domid, 1);
      return;
    case 'domain.unpaused':
      row.controller_pause_count.add(domid, -1);
      return;
    case 'domain.shut_down':
      row.shut_down.become(domid, event.reason);
      return;
    case 'domain.shut_down_with':
      // The column's names are the codes that have one, after "no"; the others are numbers without a name.
      row.shut_down.put(domid, event.code + 1);
      return;
    case 'domain.resumed':
      row.shut_down.become(domid, 'no');
      row.shutdown_code_plus_1.put(domid, 0);
      return;
    case 'domain.shutdown_code_set':
      row.shutdown_code_plus_1.put(domid, event.code + 1);
      return;
    case 'domain.address_size_set':
      row.is_32bit.put(domid, event.size === 32 ? 1 : 0);
      return;
    case 'domain.crashed':
      return; // the reason is for people; the shutdown that follows is for the tables
    case 'domain.dying_started': {
      row.state.become(domid, 'dying');
      const { handlers } = xen.evtchn;
      for (const [virq, handler] of handlers.inUse(0)) if (handler.domid === domid) handlers.of(0)!.domid.put(virq, 0);
      const pci = xen.physdev.pci.of(0)!;
      for (const device of xen.physdev.of(domid)) {
        pci.state.become(device, 'quarantined');
        pci.domid.put(device, 0);
      }
      return;
    }
    case 'domain.relinquished':
      row.state.become(domid, 'dead');
      return;
    case 'domain.destroyed':
      forget(xen, domid);
      return;
    default:
      event satisfies never;
  }
}

/** How many reasons a domain has for none of its vCPUs to run. */
export function pausesOf(xen: Xen, domid: DomId): number {
  const { controller_pause_count, shut_down, state } = xen.domain.of(0)!;
  return (
    (controller_pause_count.at(domid) > 0 ? 1 : 0) +
    (shut_down.is(domid) === 'no' ? 0 : 1) +
    (state.is(domid) === 'alive' ? 0 : 1)
  );
}

function forget(xen: Xen, domid: DomId): void {
  // Its vCPUs left the run queue, and its timers the heap, when it began to die.
  for (const { mfn, count } of framesOf(xen, domid)) xen.p2m.giveBack(mfn, count);
  for (const { dom } of xen.p2m.slotsOf(domid)) if (dom !== domid) xen.domain.of(0)!.shown_slots.add(dom, -1);
  xen.p2m.forget(domid);
  xen.mm.forget(domid);
  changePool(xen, domid, -1);
  for (const table of [...xen.tablesPerDomain, ...xen.sparseTables]) table.remove(domid);
  for (const cell of xen.domainCells) cell.put(domid, 0);
  for (const records of xen.recordsPerDomain) records.delete(domid);
  const { target_plus_1 } = xen.control.row;
  for (const other of xen.domids()) if (target_plus_1.at(other) === domid + 1) target_plus_1.put(other, 0);
}

/** Every frame that a domain still has: those of its p2m, its shared info page, its grant table and what that has for statuses, its ioreq servers' pages. */
export function framesOf(xen: Xen, domid: DomId): { mfn: number; count: number }[] {
  const frames = xen.p2m.of(domid).map(({ mfn, count }) => ({ mfn, count }));
  frames.push({ mfn: xen.sharedInfo(domid), count: 1 });
  const table = xen.gnttab.frames.of(domid)!;
  for (let i = 0; i < xen.domain.of(0)!.nr_grant_frames.at(domid); i++)
    frames.push({ mfn: table.mfn_plus_1.at(i) - 1, count: 1 });
  for (const [, { mfn_plus_1 }] of xen.gnttab.statusFrames.inUse(domid)) frames.push({ mfn: mfn_plus_1 - 1, count: 1 });
  for (const mfn of xen.hvm.ioreqFrames(domid)) frames.push({ mfn, count: 1 });
  return frames;
}
