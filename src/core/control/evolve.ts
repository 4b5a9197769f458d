import type { ControlFact } from '../../../events/vocabulary.ts';
import { parseHandle } from '../domain/state.ts';
import { add, remove } from '../rangeset.ts';
import type { Xen } from '../xen.ts';

/** Applies a fact to what the toolstack keeps about domains. Total. */
export function evolve(xen: Xen, event: ControlFact): void {
  const { domid } = event;
  const { row } = xen.control;
  switch (event.type) {
    case 'domain.handle_set': {
      const [a, b, c, d] = parseHandle(event.handle)!;
      const handles = xen.domains.handles.of(0)!;
      handles.a.put(domid, a);
      handles.b.put(domid, b);
      handles.c.put(domid, c);
      handles.d.put(domid, d);
      return;
    }
    case 'domain.debugger_attached':
      row.debugger_attached.put(domid, event.attached ? 1 : 0);
      return;
    case 'domain.access_set':
      xen.control.setAccess(domid, event.rangeset, event.ranges);
      return;
    case 'domain.suspend_port_set':
      row.suspend_evtchn.put(domid, event.port);
      return;
    case 'domain.target_set':
      row.target_plus_1.put(domid, event.target + 1);
      return;
    case 'domain.access_required_set':
      row.access_required.put(domid, event.required ? 1 : 0);
      return;
    case 'domain.paging_pool_grown':
    case 'domain.paging_pool_shrunk': {
      let pool = xen.control.pool(domid);
      for (let i = 0; i < event.extents.length; i += 2) {
        const [mfn, count] = [event.extents[i]!, event.extents[i + 1]!];
        if (event.type === 'domain.paging_pool_grown') xen.p2m.take(mfn, count);
        else xen.p2m.giveBack(mfn, count);
        pool = (event.type === 'domain.paging_pool_grown' ? add : remove)(pool, mfn, mfn + count - 1);
      }
      xen.control.setPool(domid, pool);
      return;
    }
    case 'domain.log_dirty_set':
      row.log_dirty.put(domid, event.enabled ? 1 : 0);
      return;
    case 'domain.setting_set':
      xen.control.set(domid, event.setting, event.json);
      return;
    case 'domain.monitor_set':
      row.monitor.put(domid, event.events);
      return;
    case 'domain.creation_finished':
      row.creation_finished.put(domid, 1);
      return;
    case 'domain.configured':
      row.cdf.put(domid, event.flags);
      row.emulation_flags.put(domid, event.emulation_flags);
      row.misc_flags.put(domid, event.misc_flags);
      return;
    case 'vcpu.controller_paused':
      vcpus(xen, domid).controller_pause_count.put(event.vcpu, event.count);
      return;
    case 'vcpu.debug_event_set':
      vcpus(xen, domid).debug_event.put(event.vcpu, event.vector);
      return;
    case 'evtchn.virq_handler_set':
      xen.evtchn.handlers.of(0)!.domid.put(event.virq, domid);
      return;
    case 'domain.hypercall_page_written':
    case 'gdbsx.memory_written':
      return; // in memory alone
    case 'domain.button_pressed':
      return; // for its kernel to hear of
    default:
      event satisfies never;
  }
}

const vcpus = (xen: Xen, domid: number) => xen.control.vcpus.of(domid) ?? xen.control.vcpus.add(domid);
