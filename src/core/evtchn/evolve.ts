import type { DomId, Port } from '../../../events/units.ts';
import type { EvtchnFact } from '../../../events/vocabulary.ts';
import type { Xen } from '../xen.ts';
import { type Ports, virqRow } from './state.ts';

/** Applies a fact to the tables. Total; the only writer of this slice. */
export function evolve(xen: Xen, event: EvtchnFact, seq: number): void {
  const { domid } = event;
  if (event.type === 'physdev.pirq_mapped' || event.type === 'physdev.pirq_unmapped') {
    const pirqs = xen.evtchn.pirqs.of(domid) ?? xen.evtchn.pirqs.add(domid);
    pirqs.state.become(event.pirq, event.type === 'physdev.pirq_mapped' ? 'mapped' : 'none');
    return;
  }
  const { port } = event;
  const ports = xen.evtchn.ports.of(domid)!;
  switch (event.type) {
    case 'evtchn.pending_raised':
      ports.raised_by.put(port, seq);
      return;
    case 'evtchn.unbound_allocated':
      take(xen, domid, port);
      ports.state.become(port, 'unbound');
      ports.remote_dom.put(port, event.remote_dom);
      return;
    case 'evtchn.interdomain_bound': {
      const theirs = xen.evtchn.ports.of(event.remote_dom)!;
      take(xen, domid, port);
      ports.state.become(port, 'interdomain');
      ports.remote_dom.put(port, event.remote_dom);
      ports.remote_port.put(port, event.remote_port);
      theirs.state.become(event.remote_port, 'interdomain');
      theirs.remote_dom.put(event.remote_port, domid);
      theirs.remote_port.put(event.remote_port, port);
      return;
    }
    case 'evtchn.virq_bound':
      take(xen, domid, port);
      ports.state.become(port, 'virq');
      ports.virq.put(port, event.virq);
      ports.notify_vcpu.put(port, event.vcpu);
      xen.evtchn.virqs.of(domid)!.port.put(virqRow(event.virq, event.vcpu), port);
      return;
    case 'evtchn.ipi_bound':
      take(xen, domid, port);
      ports.state.become(port, 'ipi');
      ports.notify_vcpu.put(port, event.vcpu);
      return;
    case 'evtchn.closed': {
      const state = ports.state.is(port);
      // As in Xen, the peer keeps its port and waits for us to bind again.
      if (state === 'interdomain') unbindPeer(xen, ports, port);
      if (state === 'virq') xen.evtchn.virqs.of(domid)!.port.put(virqRow(ports.virq.at(port), ports.notify_vcpu.at(port)), 0);
      if (state === 'pirq') xen.evtchn.pirqs.of(domid)!.port.put(ports.virq.at(port), 0);
      release(xen, ports, domid, port);
      return;
    }
    case 'evtchn.pirq_bound':
      take(xen, domid, port);
      ports.state.become(port, 'pirq');
      ports.virq.put(port, event.pirq);
      xen.evtchn.pirqs.of(domid)!.port.put(event.pirq, port);
      return;
    case 'evtchn.vcpu_bound':
      ports.notify_vcpu.put(port, event.vcpu);
      return;
    case 'evtchn.unmasked':
      return; // a bit in guest memory
    default:
      event satisfies never;
  }
}

function unbindPeer(xen: Xen, ports: Ports, port: Port): void {
  const theirs = xen.evtchn.ports.of(ports.remote_dom.at(port))!;
  const theirPort = ports.remote_port.at(port);
  theirs.state.become(theirPort, 'unbound');
  theirs.remote_port.put(theirPort, 0);
}

/** The hint is the lowest port that may be free: it only saves the search. */
function take(xen: Xen, domid: DomId, port: Port): void {
  const { free_port_hint } = xen.domain.of(0)!;
  if (free_port_hint.at(domid) <= port) free_port_hint.put(domid, port + 1);
}
function release(xen: Xen, ports: Ports, domid: DomId, port: Port): void {
  ports.state.become(port, 'free');
  ports.notify_vcpu.put(port, 0);
  ports.remote_dom.put(port, 0);
  ports.remote_port.put(port, 0);
  ports.virq.put(port, 0);
  ports.raised_by.put(port, 0);
  const { free_port_hint } = xen.domain.of(0)!;
  if (port < free_port_hint.at(domid)) free_port_hint.put(domid, port);
}
