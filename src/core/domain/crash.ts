// domain_crash(): what a guest does that Xen does not survive with it.
import type { GuestReader } from '../../../events/step.ts';
import type { DomId, Ns } from '../../../events/units.ts';
import type { Fact } from '../../../events/vocabulary.ts';
import { printk } from '../console/printk.ts';
import { together } from '../evtchn/together.ts';
import type { Xen } from '../xen.ts';
import { shutdown } from './decide.ts';

/** The domain is shut down with the reason "crash", unless it has another already; what becomes of it is its toolstack's to say. */
export function crash(xen: Xen, domid: DomId, { vcpu, why }: { vcpu: number; why: string }, now: Ns, guest: GuestReader): Fact[] {
  if (xen.domain.of(0)!.shut_down.at(domid) !== 0) return [];
  const cpu = xen.sched.vcpu.of(domid)?.cpu.at(vcpu) ?? 0;
  const says = printk(xen, now, guest, [
    { level: 'error', text: `Domain ${domid} (vcpu#${vcpu}) crashed on cpu#${cpu}: ${shown(why)}` },
  ]);
  const down = shutdown(xen, domid, { type: 'domain.shut_down', domid, reason: 'crash', at_ns: now }, now, guest);
  return together([{ type: 'domain.crashed', domid, why }], down.events ?? [], says);
}

const shown = (text: string): string => text.replaceAll(/[^ -~]/g, '?').slice(0, 200);
