import type { DomId, Port } from '../../../events/units.ts';
import type { EvtchnFact } from '../../../events/vocabulary.ts';
import { EVTCHN_FIFO } from '../../abi/event-channel.ts';
import type { Xen } from '../xen.ts';
import { type Ports, queueRow, virqRow } from './state.ts';

/** Applies a fact to the tables. Total; the only writer of this slice. */
export function evolve(xen: Xen, event: EvtchnFact, seq: number): void {
  const { domid } = event;
  if (event.type === 'evtchn.control_initialised') {
    for (const table of xen.evtchn.fifoTables) if (!table.of(domid)) table.add(domid);
    const controls = xen.evtchn.controls.of(domid)!;
    controls.mfn_plus_1.put(event.vcpu, event.mfn + 1);
    controls.offset.put(event.vcpu, event.offset);
    return;
  }
  if (event.type === 'evtchn.array_expanded') {
    const { mfn_plus_1 } = xen.evtchn.arrays.of(domid)!;
    let page = 0;
    while (mfn_plus_1.at(page) !== 0) page++;
    mfn_plus_1.put(page, event.mfn + 1);
    return;
  }
  if (event.type === 'evtchn.fifo_destroyed') {
    for (const table of xen.evtchn.fifoTables) table.remove(domid);
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
    case 'evtchn.priority_set':
      xen.evtchn.fifoPorts.of(domid)!.priority.put(port, event.priority - EVTCHN_FIFO.PRIORITY_DEFAULT);
      return;
    case 'evtchn.pending_saved':
      ports.raised_by.put(port, seq);
      xen.evtchn.fifoPorts.of(domid)!.saved.put(port, 1);
      return;
    case 'evtchn.fifo_raised': {
      ports.raised_by.put(port, seq);
      const rows = xen.evtchn.fifoPorts.of(domid)!;
      rows.saved.put(port, 0);
      if (!event.linked) return;
      const { tail } = xen.evtchn.queues.of(domid)!;
      // The last of a queue takes that queue's end along when it goes to another.
      const old = queueRow(rows.last_vcpu.at(port), rows.last_priority.at(port));
      if (tail.at(old) === port) tail.put(old, 0);
      rows.last_vcpu.put(port, event.vcpu);
      rows.last_priority.put(port, event.priority);
      tail.put(queueRow(event.vcpu, event.priority), port);
      return;
    }
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
  const { state } = xen.evtchn.ports.of(domid)!;
  // A port that is free but still on a queue was passed over: the search comes back to it.
  let hint = free_port_hint.at(domid);
  while (hint <= port && (hint === 0 || hint === port || state.at(hint) !== 0)) hint++;
  free_port_hint.put(domid, hint);
}
function release(xen: Xen, ports: Ports, domid: DomId, port: Port): void {
  ports.state.become(port, 'free');
  ports.notify_vcpu.put(port, 0);
  ports.remote_dom.put(port, 0);
  ports.remote_port.put(port, 0);
  ports.virq.put(port, 0);
  ports.raised_by.put(port, 0);
  const fifo = xen.evtchn.fifoPorts.of(domid);
  fifo?.saved.put(port, 0);
  fifo?.priority.put(port, 0);
  const { free_port_hint } = xen.domain.of(0)!;
  if (port < free_port_hint.at(domid)) free_port_hint.put(domid, port);
}
