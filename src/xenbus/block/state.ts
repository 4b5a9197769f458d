// Block devices: both ends' private ring indices, and every request in flight with the steps that moved it.
import type { DomId } from '../../../events/units.ts';
import type { Journal } from '../../tables/journal.ts';
import { Records } from '../../tables/records.ts';
import { type Rows, Table } from '../../tables/table.ts';
import type { BackRing, FrontRing } from '../ring/ring.ts';

/** In the frontend's rows. */
export const frontSchema = {
  state: ['free', 'connected'],
  vdev: 'u32',
  ring_gfn: 'f64',
  ring_ref: 'u32',
  port: 'u32',
  backend: 'u16',
  req_prod: 'u32',
  rsp_cons: 'u32',
} as const;
/** In the backend's rows. */
export const backSchema = {
  state: ['free', 'open', 'connected'],
  frontend: 'u16',
  vdev: 'u32',
  readonly: 'u8',
  sectors: 'f64',
  ring_mfn: 'f64',
  ring_handle: 'u32',
  port: 'u32',
  req_cons: 'u32',
  rsp_prod: 'u32',
} as const;
/** In the frontend's rows; see `requestRow`. */
export const requestSchema = {
  state: ['free', 'submitted', 'served'],
  vdev: 'u32',
  op: ['read', 'write', 'barrier', 'flush', 'discard'],
  sector: 'f64',
  nr_sectors: 'u32',
  /** The steps that did so: the causes of what comes of it. */
  submitted_by: 'f64',
  served_by: 'f64',
} as const;

/** As many as a ring of one page has slots. */
export const MAX_IDS = 32;
/** Disks of one frontend: far more than anybody has, and few enough to search among. */
export const MAX_DISKS = 256;
/** Device numbers have up to 29 bits (docs/man/xen-vbd-interface.7.pandoc). */
export const isVdev = (vdev: number): boolean => (vdev & (2 ** 29 - 1)) === vdev;

export type Fronts = Rows<typeof frontSchema>;
export type Backs = Rows<typeof backSchema>;

export class Vbds {
  readonly front: Table<typeof frontSchema>;
  readonly back: Table<typeof backSchema>;
  readonly request: Table<typeof requestSchema>;
  /** What a backend has opened: by frontend domain, its disks' `params`. */
  readonly disks: Records<{ readonly params: Readonly<Record<string, string>> }>;
  constructor(journal: Journal) {
    this.front = new Table('vbd.front', frontSchema, journal, 4);
    this.back = new Table('vbd.back', backSchema, journal, 16);
    this.request = new Table('vbd.request', requestSchema, journal, 32);
    this.disks = new Records('vbd.disk', journal);
  }
  get tables() {
    return [this.front, this.back, this.request] as const;
  }
  frontRow(domid: DomId, vdev: number): number {
    const rows = this.front.of(domid);
    for (let row = 0; rows && row < rows.length; row++)
      if (rows.state.is(row) !== 'free' && rows.vdev.at(row) === vdev) return row;
    return -1;
  }
  backRow(domid: DomId, frontend: DomId, vdev: number): number {
    const rows = this.back.of(domid);
    for (let row = 0; rows && row < rows.length; row++)
      if (rows.state.is(row) !== 'free' && rows.frontend.at(row) === frontend && rows.vdev.at(row) === vdev) return row;
    return -1;
  }
  /** How many disks a frontend has connected. */
  fronts(domid: DomId): number {
    return this.front.of(domid) ? [...this.front.inUse(domid)].length : 0;
  }
  /** How many disks of a frontend a backend has open. */
  backs(domid: DomId, frontend: DomId): number {
    return [...this.back.inUse(domid)].filter(([, row]) => row.frontend === frontend).length;
  }
  /** Where a request stands, or -1: a stranger's ids are nobody's row. */
  requestRow(domid: DomId, vdev: number, id: number): number {
    const front = this.frontRow(domid, vdev);
    return front < 0 || !(id >= 0 && id < MAX_IDS) ? -1 : front * MAX_IDS + id;
  }
  /** An id that no request of this device has, or -1. */
  freeId(domid: DomId, vdev: number): number {
    if (this.frontRow(domid, vdev) < 0) return -1;
    const { state } = this.request.of(domid)!;
    for (let id = 0; id < MAX_IDS; id++) if (state.is(this.requestRow(domid, vdev, id)) === 'free') return id;
    return -1;
  }
  /** The private indices of an end, as src/xenbus/ring wants them. */
  frontRing(domid: DomId, row: number): FrontRing {
    const rows = this.front.of(domid)!;
    return { req_prod_pvt: rows.req_prod.at(row), rsp_cons: rows.rsp_cons.at(row) };
  }
  backRing(domid: DomId, row: number): BackRing {
    const rows = this.back.of(domid)!;
    return { rsp_prod_pvt: rows.rsp_prod.at(row), req_cons: rows.req_cons.at(row) };
  }
  params(frontend: DomId, vdev: number): string {
    return this.disks.get(frontend)?.params[String(vdev)] ?? '';
  }
}

/** The first row of its kind that is free. */
export function freeRow(rows: { readonly state: { at(row: number): number } }): number {
  let row = 0;
  while (rows.state.at(row) !== 0) row++;
  return row;
}
