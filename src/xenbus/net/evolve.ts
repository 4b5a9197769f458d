import type { VifFact } from '../../../events/vocabulary.ts';
import { addPort, forward, newBridge, removePort } from '../../net/bridge.ts';
import { newResponder, type ResponderConfig, respond } from '../../net/responder.ts';
import { freeRow } from '../block/state.ts';
import { DOM0_PORT, type Vifs } from './state.ts';

/** Applies a fact to the rings' ends and the bridges. Total; the only writer of this slice. */
export function evolve(vifs: Vifs, event: VifFact): void {
  switch (event.type) {
    case 'vif.frontend_connected': {
      const rows = vifs.front.of(event.domid)!;
      const row = freeRow(rows);
      rows.state.become(row, 'connected');
      for (const name of ['devid', 'mac', 'tx_gfn', 'tx_ref', 'rx_gfn', 'rx_ref', 'port', 'backend'] as const)
        rows[name].put(row, event[name]);
      for (const name of ['tx_req_prod', 'tx_rsp_cons', 'rx_req_prod', 'rx_rsp_cons'] as const) rows[name].put(row, 0);
      return;
    }
    case 'vif.backend_connected': {
      const rows = vifs.back.of(event.domid)!;
      const row = freeRow(rows);
      rows.state.become(row, 'connected');
      for (const name of ['frontend', 'devid', 'tx_mfn', 'tx_handle', 'rx_mfn', 'rx_handle', 'port'] as const)
        rows[name].put(row, event[name]);
      for (const name of ['tx_req_cons', 'tx_rsp_prod', 'rx_req_cons', 'rx_rsp_prod'] as const) rows[name].put(row, 0);
      return;
    }
    case 'vif.disconnected': {
      const { domid, frontend, devid } = event;
      if (domid === frontend) vifs.front.of(domid)!.state.become(vifs.frontRow(domid, devid), 'free');
      else vifs.back.of(domid)!.state.become(vifs.backRow(domid, frontend, devid), 'free');
      return;
    }
    case 'vif.packet_sent':
      vifs.front.of(event.domid)!.tx_req_prod.add(vifs.frontRow(event.domid, event.devid), 1);
      return;
    case 'vif.packet_reaped':
      vifs.front.of(event.domid)!.tx_rsp_cons.add(vifs.frontRow(event.domid, event.devid), 1);
      return;
    case 'vif.buffers_posted':
      vifs.front.of(event.domid)!.rx_req_prod.add(vifs.frontRow(event.domid, event.devid), event.count);
      return;
    case 'vif.packet_received':
      vifs.front.of(event.domid)!.rx_rsp_cons.add(vifs.frontRow(event.domid, event.devid), 1);
      return;
    case 'vif.packet_taken': {
      const row = vifs.backRow(event.domid, event.frontend, event.devid);
      vifs.back.of(event.domid)!.tx_req_cons.add(row, 1);
      vifs.back.of(event.domid)!.tx_rsp_prod.add(row, 1);
      return;
    }
    case 'vif.packet_filled': {
      const row = vifs.backRow(event.domid, event.frontend, event.devid);
      vifs.back.of(event.domid)!.rx_req_cons.add(row, 1);
      vifs.back.of(event.domid)!.rx_rsp_prod.add(row, 1);
      return;
    }
    case 'bridge.created': {
      const { mac, ip, netmask } = event;
      vifs.bridges.set(vifs.bridges.keys().length, {
        name: event.bridge,
        bridge: addPort(newBridge(), DOM0_PORT),
        config: dom0On(mac, ip, netmask),
        responder: newResponder,
      });
      return;
    }
    case 'bridge.port_added':
    case 'bridge.port_removed': {
      const number = vifs.bridgeNumber(event.bridge);
      const record = vifs.bridges.get(number)!;
      const change = event.type === 'bridge.port_added' ? addPort : removePort;
      vifs.bridges.set(number, { ...record, bridge: change(record.bridge, event.port) });
      return;
    }
    // The bridge and dom0's stack are pure functions of their state and the frame, so the frame is the fact.
    case 'bridge.frame_forwarded': {
      const number = vifs.bridgeNumber(event.bridge);
      const record = vifs.bridges.get(number)!;
      const { bridge } = forward(record.bridge, event.port, event.frame, event.at_ns);
      if (bridge !== record.bridge) vifs.bridges.set(number, { ...record, bridge });
      return;
    }
    case 'bridge.frame_answered': {
      const number = vifs.bridgeNumber(event.bridge);
      const record = vifs.bridges.get(number)!;
      const { state } = respond(record.responder, record.config, event.frame, event.at_ns);
      if (state !== record.responder) vifs.bridges.set(number, { ...record, responder: state });
      return;
    }
    default:
      event satisfies never;
  }
}

/** dom0's address, and the addresses that it leases: the upper half of its network. */
function dom0On(mac: number, ip: number, netmask: number): ResponderConfig {
  const network = (ip & netmask) >>> 0;
  const size = (~netmask >>> 0) + 1;
  const pool = { first: network + size / 2, last: network + size - 2 };
  return { mac, ip, dhcp: { netmask, router: ip, dns: [ip], pool, lease_s: 86400, statics: [] } };
}
