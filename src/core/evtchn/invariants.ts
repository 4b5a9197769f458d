import { NR_VIRQS } from '../../abi/virq.ts';
import type { Invariant } from '../invariants.ts';
import { queueRow, virqRow } from './state.ts';

export const invariants: Readonly<Record<string, Invariant>> = {
  *'evtchn.interdomainIsMutual'({ evtchn: { ports } }) {
    for (const domid of ports.ids())
      for (const [port, { state, remote_dom, remote_port }] of ports.inUse(domid)) {
        if (state !== 'interdomain') continue;
        const peer = ports.of(remote_dom) && ports.row(remote_dom, remote_port);
        if (peer?.state !== 'interdomain' || peer.remote_dom !== domid || peer.remote_port !== port)
          yield `d${domid} port ${port} -> d${remote_dom} port ${remote_port}, which is ${peer?.state ?? 'not there'}`;
      }
  },

  *'evtchn.virqLeadsToItsPort'({ evtchn: { ports, virqs } }) {
    for (const domid of ports.ids()) {
      for (const [port, { state, virq, notify_vcpu }] of ports.inUse(domid)) {
        if (state !== 'virq') continue;
        const bound = virqs.of(domid)!.port.at(virqRow(virq, notify_vcpu));
        if (bound !== port)
          yield `d${domid} port ${port} is for virq ${virq} of vCPU ${notify_vcpu}, which leads to port ${bound}`;
      }
      for (const [row, { port }] of virqs.inUse(domid)) {
        const { state, virq, notify_vcpu } = ports.row(domid, port);
        if (state !== 'virq' || virqRow(virq, notify_vcpu) !== row)
          yield `d${domid}: virq ${row % NR_VIRQS} of vCPU ${Math.floor(row / NR_VIRQS)} leads to port ${port}, which is ${state}`;
      }
    }
  },

  *'evtchn.pirqLeadsToItsPort'({ evtchn: { ports, pirqs } }) {
    for (const domid of ports.ids())
      for (const [port, { state, virq }] of ports.inUse(domid))
        if (state === 'pirq' && (pirqs.of(domid)?.port.at(virq) !== port || pirqs.of(domid)?.state.is(virq) !== 'mapped'))
          yield `d${domid} port ${port} is for pirq ${virq}, which leads to port ${pirqs.of(domid)?.port.at(virq) ?? 0}`;
    for (const domid of pirqs.ids())
      for (let pirq = 0; pirq < pirqs.of(domid)!.length; pirq++) {
        const port = pirqs.of(domid)!.port.at(pirq);
        if (port !== 0 && (ports.of(domid)?.state.is(port) !== 'pirq' || ports.of(domid)!.virq.at(port) !== pirq))
          yield `d${domid}: pirq ${pirq} leads to port ${port}, which is ${ports.of(domid)?.state.is(port) ?? 'not there'}`;
      }
  },

  *'evtchn.fifoStandsInItsOwnPages'(xen) {
    const { controls, arrays, queues, fifoPorts, ports } = xen.evtchn;
    for (const domid of controls.ids()) {
      for (const table of [controls, arrays])
        for (const [row, { mfn_plus_1 }] of table.inUse(domid))
          if (xen.p2m.gfn(domid, mfn_plus_1 - 1) < 0)
            yield `${table.name} of d${domid}: page ${row} is frame ${mfn_plus_1 - 1}, which is not its own`;
      for (const [row, { tail }] of queues.inUse(domid)) {
        const { last_vcpu, last_priority } = fifoPorts.row(domid, tail);
        if (queueRow(last_vcpu, last_priority) !== row) yield `d${domid}: queue ${row} ends with port ${tail}, put on another`;
      }
      for (const [port] of fifoPorts.inUse(domid))
        if (ports.of(domid)!.state.at(port) === 0) yield `d${domid} port ${port} is free, and waits for its word`;
    }
  },

  *'evtchn.portIsWithinItsLimits'(xen) {
    const { max_evtchn_port } = xen.domain.of(0)!;
    for (const domid of xen.evtchn.ports.ids())
      for (const [port] of xen.evtchn.ports.inUse(domid))
        if (port === 0 || port > max_evtchn_port.at(domid) || port >= xen.maxPorts(domid))
          yield `d${domid} has port ${port}, of at most ${max_evtchn_port.at(domid)}`;
  },

  *'evtchn.notifiesAVcpuThatIsThere'(xen) {
    for (const domid of xen.evtchn.ports.ids())
      for (const [port, { state, notify_vcpu }] of xen.evtchn.ports.inUse(domid))
        if ((state === 'virq' || state === 'ipi' || notify_vcpu !== 0) && !xen.hasVcpu(domid, notify_vcpu))
          yield `d${domid} port ${port} is for vCPU ${notify_vcpu}, which is not there`;
  },

  *'evtchn.freeHoldsNothing'({ evtchn: { ports } }) {
    for (const domid of ports.ids())
      for (let port = 0; port < ports.of(domid)!.length; port++) {
        const { state, ...rest } = ports.row(domid, port);
        if (state === 'free' && Object.values(rest).some((value) => value !== 0))
          yield `d${domid} port ${port} is free and holds ${JSON.stringify(rest)}`;
      }
  },

  *'evtchn.noneIsFreeBelowTheHint'(xen) {
    const { free_port_hint } = xen.domain.of(0)!;
    for (const domid of xen.evtchn.ports.ids())
      for (let port = 1; port < free_port_hint.at(domid); port++)
        if (xen.evtchn.ports.of(domid)!.state.at(port) === 0)
          yield `d${domid} port ${port} is free, and the search starts at ${free_port_hint.at(domid)}`;
  },
};
