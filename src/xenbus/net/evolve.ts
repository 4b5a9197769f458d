import type { DomId } from '../../../events/units.ts';
import type { VifFact } from '../../../events/vocabulary.ts';
import { addPort, forward, newBridge, removePort } from '../../net/bridge.ts';
import { newResponder, type ResponderConfig, respond } from '../../net/responder.ts';
import { freeRow } from '../block/state.ts';
import { DOM0_PORT, MAX_IDS, type Vifs } from './state.ts';

/** Applies a fact to the rings' ends and the bridges. Total; the only writer of this slice. */
export function evolve(vifs: Vifs, event: VifFact, seq: number): void {
  switch (event.type) {
    case 'vif.frontend_connected': {
      const rows = vifs.front.of(event.domid)!;
      const row = freeRow(rows);
      rows.state.become(row, 'connected');
      for (const name of ['devid', 'mac', 'tx_gfn', 'tx_ref', 'rx_gfn', 'rx_ref', 'tx_port', 'rx_port', 'backend'] as const)
        rows[name].put(row, event[name]);
      for (const name of ['tx_req_prod', 'tx_rsp_cons', 'rx_req_prod', 'rx_rsp_cons'] as const) rows[name].put(row, 0);
      return;
    }
    case 'vif.backend_connected': {
      const rows = vifs.back.of(event.domid)!;
      const row = freeRow(rows);
      rows.state.become(row, 'connected');
      for (const name of BACK_COLUMNS) rows[name].put(row, event[name]);
      for (const name of ['tx_req_cons', 'tx_rsp_prod', 'rx_req_cons', 'rx_rsp_prod'] as const) rows[name].put(row, 0);
      return;
    }
    case 'vif.disconnected': {
      const { domid, frontend, devid } = event;
      if (domid !== frontend) {
        vifs.back.of(domid)!.state.become(vifs.backRow(domid, frontend, devid), 'free');
        return;
      }
      // What was on its way is lost, and the ids are free again.
      for (let id = 0; id < MAX_IDS; id++) {
        forgetSent(vifs, domid, vifs.packetRow(domid, devid, id));
        forgetFilled(vifs, domid, vifs.packetRow(domid, devid, id));
      }
      vifs.front.of(domid)!.state.become(vifs.frontRow(domid, devid), 'free');
      return;
    }
    case 'vif.packet_sent': {
      const { domid, devid } = event;
      vifs.front.of(domid)!.tx_req_prod.add(vifs.frontRow(domid, devid), 1);
      const packets = vifs.tx.of(domid)!;
      const row = vifs.packetRow(domid, devid, event.id);
      packets.state.become(row, 'sent');
      packets.size.put(row, event.size);
      packets.sent_by.put(row, seq);
      return;
    }
    case 'vif.packet_reaped': {
      const { domid, devid } = event;
      vifs.front.of(domid)!.tx_rsp_cons.add(vifs.frontRow(domid, devid), 1);
      forgetSent(vifs, domid, vifs.packetRow(domid, devid, event.id));
      return;
    }
    case 'vif.buffers_posted':
      vifs.front.of(event.domid)!.rx_req_prod.add(vifs.frontRow(event.domid, event.devid), event.count);
      return;
    case 'vif.packet_received': {
      const { domid, devid, slots } = event;
      vifs.front.of(domid)!.rx_rsp_cons.add(vifs.frontRow(domid, devid), slots);
      forgetFilled(vifs, domid, vifs.packetRow(domid, devid, event.id));
      return;
    }
    case 'vif.packet_taken': {
      const { domid, frontend, devid, slots } = event;
      const back = vifs.backRow(domid, frontend, devid);
      vifs.back.of(domid)!.tx_req_cons.add(back, slots);
      vifs.back.of(domid)!.tx_rsp_prod.add(back, slots);
      const packets = vifs.tx.of(frontend);
      const row = vifs.packetRow(frontend, devid, event.id);
      if (!packets || row < 0 || packets.state.is(row) !== 'sent') return;
      packets.state.become(row, 'taken');
      packets.taken_by.put(row, seq);
      return;
    }
    case 'vif.packet_filled': {
      const { domid, frontend, devid } = event;
      const back = vifs.backRow(domid, frontend, devid);
      vifs.back.of(domid)!.rx_req_cons.add(back, 1);
      vifs.back.of(domid)!.rx_rsp_prod.add(back, 1);
      const row = vifs.packetRow(frontend, devid, event.id);
      if (row < 0) return;
      const packets = vifs.rx.of(frontend)!;
      packets.state.become(row, 'filled');
      packets.filled_by.put(row, seq);
      return;
    }
    case 'vif.packet_dropped':
      return; // it never got as far as the ring
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

function forgetSent(vifs: Vifs, domid: DomId, row: number): void {
  if (row < 0) return;
  const packets = vifs.tx.of(domid)!;
  packets.state.become(row, 'free');
  for (const cell of [packets.size, packets.sent_by, packets.taken_by]) cell.put(row, 0);
}

function forgetFilled(vifs: Vifs, domid: DomId, row: number): void {
  if (row < 0) return;
  const packets = vifs.rx.of(domid)!;
  packets.state.become(row, 'free');
  packets.filled_by.put(row, 0);
}

const BACK_COLUMNS = [
  'frontend',
  'devid',
  'tx_mfn',
  'tx_handle',
  'rx_mfn',
  'rx_handle',
  'tx_port',
  'rx_port',
  'xdp_headroom',
] as const;

/** dom0's address, and the addresses that it leases: the upper half of its network. */
function dom0On(mac: number, ip: number, netmask: number): ResponderConfig {
  const network = (ip & netmask) >>> 0;
  const size = (~netmask >>> 0) + 1;
  const pool = { first: network + size / 2, last: network + size - 2 };
  return { mac, ip, dhcp: { netmask, router: ip, dns: [ip], pool, lease_s: 86400, statics: [] } };
}
