// Network interfaces: both ends' private ring indices and the packets on their way; and the bridges of dom0 with whom it answers there.
import type { DomId } from '../../../events/units.ts';
import type { Bridge } from '../../net/bridge.ts';
import type { Responder, ResponderConfig } from '../../net/responder.ts';
import type { Journal } from '../../tables/journal.ts';
import { Records } from '../../tables/records.ts';
import { Table } from '../../tables/table.ts';
import { netifRx, netifTx } from '../ring/netif.ts';
import type { BackRing, FrontRing } from '../ring/ring.ts';

/** In the frontend's rows. */
export const frontSchema = {
  state: ['free', 'connected'],
  devid: 'u32',
  mac: 'f64',
  tx_gfn: 'f64',
  tx_ref: 'u32',
  rx_gfn: 'f64',
  rx_ref: 'u32',
  tx_port: 'u32',
  rx_port: 'u32',
  backend: 'u16',
  tx_req_prod: 'u32',
  tx_rsp_cons: 'u32',
  rx_req_prod: 'u32',
  rx_rsp_cons: 'u32',
} as const;
/** In the backend's rows. */
export const backSchema = {
  state: ['free', 'connected'],
  frontend: 'u16',
  devid: 'u32',
  tx_mfn: 'f64',
  tx_handle: 'u32',
  rx_mfn: 'f64',
  rx_handle: 'u32',
  tx_port: 'u32',
  rx_port: 'u32',
  xdp_headroom: 'u32',
  tx_req_cons: 'u32',
  tx_rsp_prod: 'u32',
  rx_req_cons: 'u32',
  rx_rsp_prod: 'u32',
} as const;
/** In the frontend's rows: packets on the tx ring; see `packetRow`. The steps that moved a packet are the causes of what comes of it. */
export const txSchema = { state: ['free', 'sent', 'taken'], size: 'u32', sent_by: 'f64', taken_by: 'f64' } as const;
/** In the frontend's rows: buffers of the rx ring that have been filled and not looked at yet. */
export const rxSchema = { state: ['free', 'filled'], filled_by: 'f64' } as const;
export interface BridgeRecord {
  readonly name: string;
  readonly bridge: Bridge;
  /** dom0's own address on it. */
  readonly config: ResponderConfig;
  readonly responder: Responder;
}

/** As many ids as a ring has slots: of either ring the same. */
export const MAX_IDS = Math.max(netifTx.nr_ents, netifRx.nr_ents);

export class Vifs {
  readonly front: Table<typeof frontSchema>;
  readonly back: Table<typeof backSchema>;
  readonly tx: Table<typeof txSchema>;
  readonly rx: Table<typeof rxSchema>;
  /** By number, in the order in which they were made. */
  readonly bridges: Records<BridgeRecord>;
  constructor(journal: Journal) {
    this.front = new Table('vif.front', frontSchema, journal, 2);
    this.back = new Table('vif.back', backSchema, journal, 16);
    this.tx = new Table('vif.tx', txSchema, journal, 64);
    this.rx = new Table('vif.rx', rxSchema, journal, 64);
    this.bridges = new Records('bridge', journal);
  }
  get tables() {
    return [this.front, this.back, this.tx, this.rx] as const;
  }
  frontRow(domid: DomId, devid: number): number {
    const rows = this.front.of(domid);
    for (let row = 0; rows && row < rows.length; row++)
      if (rows.state.is(row) !== 'free' && rows.devid.at(row) === devid) return row;
    return -1;
  }
  backRow(domid: DomId, frontend: DomId, devid: number): number {
    const rows = this.back.of(domid);
    for (let row = 0; rows && row < rows.length; row++)
      if (rows.state.is(row) !== 'free' && rows.frontend.at(row) === frontend && rows.devid.at(row) === devid) return row;
    return -1;
  }
  /** Where a packet of a frontend's device stands in `tx` and `rx`, or -1: a stranger's ids are nobody's row. */
  packetRow(domid: DomId, devid: number, id: number): number {
    const front = this.frontRow(domid, devid);
    return front < 0 || id < 0 || id >= MAX_IDS ? -1 : front * MAX_IDS + id;
  }
  /** The lowest tx id that no packet of this device has, or -1. */
  freeTxId(domid: DomId, devid: number): number {
    const first = this.packetRow(domid, devid, 0);
    if (first < 0) return -1;
    const { state } = this.tx.of(domid)!;
    for (let id = 0; id < MAX_IDS; id++) if (state.is(first + id) === 'free') return id;
    return -1;
  }
  bridgeNumber(name: string): number {
    for (const [number, record] of this.bridges.entries()) if (record.name === name) return number;
    return -1;
  }
  /** The bridge that has this port, or undefined. */
  bridgeOf(port: string): BridgeRecord | undefined {
    for (const [, record] of this.bridges.entries()) if (record.bridge.ports.includes(port)) return record;
    return undefined;
  }

  frontTx(domid: DomId, row: number): FrontRing {
    const rows = this.front.of(domid)!;
    return { req_prod_pvt: rows.tx_req_prod.at(row), rsp_cons: rows.tx_rsp_cons.at(row) };
  }
  frontRx(domid: DomId, row: number): FrontRing {
    const rows = this.front.of(domid)!;
    return { req_prod_pvt: rows.rx_req_prod.at(row), rsp_cons: rows.rx_rsp_cons.at(row) };
  }
  backTx(domid: DomId, row: number): BackRing {
    const rows = this.back.of(domid)!;
    return { rsp_prod_pvt: rows.tx_rsp_prod.at(row), req_cons: rows.tx_req_cons.at(row) };
  }
  backRx(domid: DomId, row: number): BackRing {
    const rows = this.back.of(domid)!;
    return { rsp_prod_pvt: rows.rx_rsp_prod.at(row), req_cons: rows.rx_req_cons.at(row) };
  }
}

/** How dom0 names the interface of a guest. */
export const vifName = (domid: DomId, devid: number): string => `vif${domid}.${devid}`;
/** The bridge's own port: dom0 itself. */
export const DOM0_PORT = 'dom0';
