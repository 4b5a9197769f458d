import type { VcpuFact } from '../../../events/vocabulary.ts';
import { settle } from '../sched/evolve.ts';
import type { Xen } from '../xen.ts';

/** Applies a fact to the vCPUs' life. Total. */
export function evolve(xen: Xen, event: VcpuFact, seq: number): void {
  const rows = xen.sched.vcpu.of(event.domid)!;
  switch (event.type) {
    case 'vcpu.initialised':
      rows.initialised.put(event.vcpu, 1);
      return;
    case 'vcpu.brought_up':
    case 'vcpu.brought_down':
      rows.up.put(event.vcpu, event.type === 'vcpu.brought_up' ? 1 : 0);
      rows.woken_by.put(event.vcpu, seq);
      settle(xen, event.domid, event.vcpu, event.at_ns);
      return;
    case 'vcpu.info_registered':
      rows.info_mfn_plus_1.put(event.vcpu, event.mfn + 1);
      rows.info_offset.put(event.vcpu, event.offset);
      return;
    case 'vcpu.info_unmapped':
      rows.info_mfn_plus_1.put(event.vcpu, 0);
      rows.info_offset.put(event.vcpu, 0);
      return;
    case 'vcpu.runstate_area_registered':
      rows.runstate_addr_plus_1.put(event.vcpu, event.addr + 1);
      return;
    case 'vcpu.time_area_registered':
      rows.time_addr_plus_1.put(event.vcpu, event.addr + 1);
      return;
    case 'vcpu.areas_forgotten':
      rows.runstate_addr_plus_1.put(event.vcpu, 0);
      if (event.time) rows.time_addr_plus_1.put(event.vcpu, 0);
      return;
    case 'vcpu.nmi_sent':
      rows.nmi_pending.put(event.vcpu, 1);
      return;
    default:
      event satisfies never;
  }
}
