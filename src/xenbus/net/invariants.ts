// What always holds for network interfaces and bridges.
import { DOM0_PORT, MAX_IDS, type Vifs } from './state.ts';

/** Yields a line for every violation, naming the objects at fault; silence means that it holds. */
export type Invariant = (host: { readonly vifs: Vifs }) => Iterable<string>;

export const invariants: Readonly<Record<string, Invariant>> = {
  *'net.packetsBelongToConnectedFrontends'({ vifs: { front, tx, rx } }) {
    for (const table of [tx, rx])
      for (const domid of table.ids()) {
        const { state, length } = table.of(domid)!;
        for (let row = 0; row < length; row++) {
          if (state.at(row) === 0) continue;
          const device = front.row(domid, Math.floor(row / MAX_IDS));
          if (device.state !== 'connected') yield `${table.name} d${domid} has packet ${row % MAX_IDS} of no interface`;
        }
      }
  },

  /** A backend answers with what it takes, in the same step. */
  *'net.indicesNeverPassEachOther'({ vifs: { back } }) {
    for (const domid of back.ids())
      for (const [, { frontend, devid, ...ring }] of back.inUse(domid))
        if (ring.tx_req_cons !== ring.tx_rsp_prod || ring.rx_req_cons !== ring.rx_rsp_prod)
          yield `d${domid} for d${frontend} ${devid}: tx ${ring.tx_req_cons}/${ring.tx_rsp_prod}, rx ${ring.rx_req_cons}/${ring.rx_rsp_prod}`;
  },

  *'net.deviceHasOneRow'({ vifs: { front, back } }) {
    for (const domid of front.ids()) {
      const devids = [...front.inUse(domid)].map(([, { devid }]) => devid);
      if (new Set(devids).size !== devids.length) yield `d${domid} has the interfaces ${devids.join(' ')}`;
    }
    for (const domid of back.ids()) {
      const devices = [...back.inUse(domid)].map(([, { frontend, devid }]) => `vif${frontend}.${devid}`);
      if (new Set(devices).size !== devices.length) yield `d${domid} has ${devices.join(' ')}`;
    }
  },

  *'net.portIsOnOneBridge'({ vifs: { bridges } }) {
    const bridgeOf = new Map<string, string>();
    const names = new Set<string>();
    for (const [, { name, bridge }] of bridges.entries()) {
      if (names.has(name)) yield `there are two bridges ${name}`;
      names.add(name);
      for (const port of bridge.ports) {
        // dom0 is on every bridge.
        if (port !== DOM0_PORT && bridgeOf.has(port)) yield `${port} is on ${name} and on ${bridgeOf.get(port)}`;
        bridgeOf.set(port, name);
      }
    }
  },

  *'net.stationsAreOnPorts'({ vifs: { bridges } }) {
    for (const [, { name, bridge }] of bridges.entries()) {
      if (bridge.stations.length > bridge.max_stations) yield `${name} knows ${bridge.stations.length} stations`;
      for (const { mac, port } of bridge.stations)
        if (!bridge.ports.includes(port)) yield `${name} has seen ${mac} on ${port}, which is no port of it`;
    }
  },
};
