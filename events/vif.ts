// Network interfaces: the ends of the tx and rx rings (public/io/netif.h), the bridge in dom0, and dom0's own presence on it.
import { bytes, int, operation, text, texts } from './schema.ts';

export const operations = {
  'vif.connect_frontend': operation({
    domid: int,
    devid: int,
    mac: int,
    tx_gfn: int,
    tx_ref: int,
    rx_gfn: int,
    rx_ref: int,
    tx_port: int,
    rx_port: int,
    backend: int,
  }),
  /** `tx_port` and `rx_port` are the same where the frontend has one channel for both rings. `xdp_headroom`: bytes to leave free before a packet. */
  'vif.connect_backend': operation({
    domid: int,
    frontend: int,
    devid: int,
    tx_mfn: int,
    tx_handle: int,
    rx_mfn: int,
    rx_handle: int,
    tx_port: int,
    rx_port: int,
    xdp_headroom: int,
  }),
  'vif.disconnect': operation({ domid: int, frontend: int, devid: int }),
  /**
   * The frontend has put a packet on the tx ring; the backend has taken it; the frontend has seen that. `id` is that of the packet's first
   * slot, `slots` how many it had, `status` NETIF_RSP_*.
   */
  'vif.note_sent': operation({ domid: int, devid: int, id: int, size: int }),
  'vif.note_taken': operation({ domid: int, frontend: int, devid: int, id: int, slots: int, size: int, status: int }),
  'vif.note_reaped': operation({ domid: int, devid: int, id: int }),
  /**
   * The frontend has posted empty buffers on the rx ring; the backend has filled one, or had none to fill and dropped the packet; the
   * frontend has taken the packet. `status` is that of the response: the size, or NETIF_RSP_ERROR where the buffer could not be written.
   */
  'vif.note_posted': operation({ domid: int, devid: int, count: int }),
  'vif.note_filled': operation({ domid: int, frontend: int, devid: int, id: int, size: int, status: int }),
  'vif.note_dropped': operation({ domid: int, frontend: int, devid: int, size: int }),
  'vif.note_received': operation({ domid: int, devid: int, id: int, slots: int, size: int }),
  'bridge.create': operation({ bridge: text, mac: int, ip: int, netmask: int }),
  'bridge.add_port': operation({ bridge: text, port: text }),
  'bridge.remove_port': operation({ bridge: text, port: text }),
  /** A frame enters the bridge by a port; answers the ports that it leaves by. */
  'bridge.forward': operation({ bridge: text, port: text, frame: bytes }, { to: texts }),
  /** dom0's own stack has taken a frame from the bridge. */
  'bridge.respond': operation({ bridge: text, frame: bytes }, { replies: int }),
} as const;

export const facts = {
  'vif.frontend_connected': {
    domid: int,
    devid: int,
    mac: int,
    tx_gfn: int,
    tx_ref: int,
    rx_gfn: int,
    rx_ref: int,
    tx_port: int,
    rx_port: int,
    backend: int,
  },
  'vif.backend_connected': {
    domid: int,
    frontend: int,
    devid: int,
    tx_mfn: int,
    tx_handle: int,
    rx_mfn: int,
    rx_handle: int,
    tx_port: int,
    rx_port: int,
    xdp_headroom: int,
  },
  'vif.disconnected': { domid: int, frontend: int, devid: int },
  'vif.packet_sent': { domid: int, devid: int, id: int, size: int },
  'vif.packet_taken': { domid: int, frontend: int, devid: int, id: int, slots: int, size: int, status: int },
  'vif.packet_filled': { domid: int, frontend: int, devid: int, id: int, size: int, status: int },
  'vif.packet_dropped': { domid: int, frontend: int, devid: int, size: int },
  'vif.packet_reaped': { domid: int, devid: int, id: int },
  'vif.packet_received': { domid: int, devid: int, id: int, slots: int, size: int },
  'vif.buffers_posted': { domid: int, devid: int, count: int },
  'bridge.created': { bridge: text, mac: int, ip: int, netmask: int },
  'bridge.port_added': { bridge: text, port: text },
  'bridge.port_removed': { bridge: text, port: text },
  'bridge.frame_forwarded': { bridge: text, port: text, frame: bytes, to: texts, at_ns: int },
  'bridge.frame_answered': { bridge: text, frame: bytes, at_ns: int },
} as const;
