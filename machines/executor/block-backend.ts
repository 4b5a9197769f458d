// xen-blkback's data path: requests off the ring, the disk, responses onto it.
import type { DomId, Mfn } from '../../events/units.ts';
import { SECTOR_SIZE } from '../../src/storage/image.ts';
import type { Overlay } from '../../src/storage/overlay.ts';
import { Records } from '../../src/tables/records.ts';
import {
  BLKIF_OP,
  BLKIF_RSP,
  type BlkifReceived,
  type BlkifSegment,
  type BlkifTransfer,
  blkif,
} from '../../src/xenbus/ring/blkif.ts';
import { finalCheckForRequests, getRequest, pushResponses, putResponse } from '../../src/xenbus/ring/ring.ts';
import type { Disks } from './disks.ts';
import type { System } from './system.ts';

const { x86_64: protocol } = blkif;
/** As many as a ring full of requests needs, with room for rings to come (xen_blkif_max_pgrants of xen-blkback's blkback.c). */
const MAX_PERSISTENT = 1056;
/** Grants that stay mapped, by frontend and device (feature-persistent): reference -> [handle, mfn]. */
interface Persistent {
  readonly maps: Readonly<Record<string, readonly [handle: number, mfn: Mfn]>>;
}

const names = { 0: 'read', 1: 'write', 2: 'barrier', 3: 'flush', 5: 'discard' } as const;

export class BlockBackend {
  private readonly system: System;
  private readonly disks: Disks;
  private readonly persistent: Records<Persistent>;
  constructor(system: System, disks: Disks) {
    this.system = system;
    this.disks = disks;
    this.persistent = new Records('persistent', system.host.journal);
  }
  snapshot(): ReadonlyMap<number, Persistent> {
    return this.persistent.snapshot();
  }
  restore(snapshot: ReadonlyMap<number, Persistent>): void {
    this.persistent.restore(snapshot);
  }

  /** Serves what is on a device's ring, and each slot once: a ring that a disk is read into would go on by itself. */
  serve(domid: DomId, frontend: DomId, vdev: number, cause: number): void {
    const { system } = this;
    const { vbds } = system.host;
    const row = vbds.backRow(domid, frontend, vdev);
    const rows = vbds.back.of(domid);
    if (row < 0 || rows?.state.is(row) !== 'connected') return;
    const disk = this.disks.get(vbds.params(frontend, vdev));
    const ring = rows.ring_mfn.at(row);
    const origin = `d${domid}.blkback`;
    let notify = false;
    for (let left = protocol.nr_ents; left > 0; left--) {
      const taken = getRequest(system.memory, ring, protocol, vbds.backRing(domid, row));
      if (!taken) break;
      const status = disk ? this.perform(domid, frontend, vdev, disk, taken.request, origin, cause) : BLKIF_RSP.ERROR;
      const { id, operation } = taken.request.ok ? taken.request.request : taken.request;
      const back = putResponse(system.memory, ring, protocol, taken.back, { id, operation, status });
      if (back) notify = pushResponses(system.memory, ring, back) || notify;
      this.report(domid, frontend, vdev, taken.request, status, origin, cause);
    }
    finalCheckForRequests(system.memory, ring, vbds.backRing(domid, row), protocol);
    if (notify) system.hypercall({ type: 'evtchn.send', domid, port: rows.port.at(row) }, origin, system.lastSeq);
  }

  /** The device is no longer connected: what stayed mapped is let go. */
  disconnected(frontend: DomId, vdev: number, cause: number): void {
    const key = keyOf(frontend, vdev);
    const maps = this.persistent.get(key)?.maps ?? {};
    this.persistent.delete(key);
    for (const ref of Object.keys(maps))
      this.system.hypercall({ type: 'gnttab.unmap_grant_ref', domid: 0, handle: maps[ref]![0] }, 'd0.blkback', cause);
  }

  private report(
    domid: DomId,
    frontend: DomId,
    vdev: number,
    received: BlkifReceived,
    status: number,
    origin: string,
    cause: number,
  ): void {
    const { system } = this;
    const request = received.ok ? received.request : undefined;
    const id = Number(received.ok ? received.request.id : received.id);
    const safe = Number.isSafeInteger(id) ? id : -1;
    const requests = system.host.vbds.request.of(frontend);
    const at = system.host.vbds.requestRow(frontend, vdev, safe);
    const submitted = requests && at >= 0 ? requests.submitted_by.at(at) : 0;
    const op = names[(request?.operation ?? 0) as keyof typeof names];
    const sector = request?.sector_number ?? 0;
    const nr_sectors = request && 'segments' in request ? sectorsIn(request) : 0;
    system.hypercall(
      { type: 'vbd.note_served', domid, frontend, vdev, id: safe, op, sector, nr_sectors, status },
      origin,
      submitted > 0 ? submitted : cause,
    );
  }

  private perform(
    domid: DomId,
    frontend: DomId,
    vdev: number,
    disk: Overlay,
    received: BlkifReceived,
    origin: string,
    cause: number,
  ): number {
    if (!received.ok) return received.problem === 'operation' ? BLKIF_RSP.EOPNOTSUPP : BLKIF_RSP.ERROR;
    const { request } = received;
    if (request.operation === BLKIF_OP.DISCARD) return disk.readOnly ? BLKIF_RSP.ERROR : BLKIF_RSP.OKAY;
    if (request.operation === BLKIF_OP.FLUSH_DISKCACHE && request.segments.length === 0) return BLKIF_RSP.OKAY;
    const row = this.system.host.vbds.backRow(domid, frontend, vdev);
    const readonly = this.system.host.vbds.back.of(domid)!.readonly.at(row) === 1;
    if (request.operation !== BLKIF_OP.READ && readonly) return BLKIF_RSP.ERROR;
    if (request.sector_number + sectorsIn(request) > disk.sectors) return BLKIF_RSP.ERROR;
    let sector = request.sector_number;
    for (const segment of request.segments) {
      const page = this.map(domid, frontend, vdev, segment.gref, origin, cause);
      if (!page) return BLKIF_RSP.ERROR;
      const moved = this.move(disk, sector, page.mfn, segment, request.operation === BLKIF_OP.READ);
      if (page.handle !== undefined)
        this.system.hypercall({ type: 'gnttab.unmap_grant_ref', domid, handle: page.handle }, origin, cause);
      if (!moved) return BLKIF_RSP.ERROR;
      sector += segment.last_sect - segment.first_sect + 1;
    }
    return BLKIF_RSP.OKAY;
  }

  /** Moves the sectors of one segment between the disk and a frontend's page. False where the disk can not. */
  private move(disk: Overlay, sector: number, mfn: Mfn, { first_sect, last_sect }: BlkifSegment, isRead: boolean): boolean {
    const { memory } = this.system;
    const offset = first_sect * SECTOR_SIZE;
    const length = (last_sect - first_sect + 1) * SECTOR_SIZE;
    if (!isRead) return disk.write(sector, memory.read(mfn, offset, length).slice()).ok;
    const bytes = new Uint8Array(length);
    if (!disk.read(sector, bytes).ok) return false;
    memory.write(mfn, offset, bytes);
    return true;
  }

  /** The frame behind a frontend's reference; mapped when first seen, and kept. With a `handle`, it is one too many, to be unmapped after use. */
  private map(
    domid: DomId,
    frontend: DomId,
    vdev: number,
    ref: number,
    origin: string,
    cause: number,
  ): { readonly mfn: Mfn; readonly handle?: number } | undefined {
    const key = keyOf(frontend, vdev);
    const maps = this.persistent.get(key)?.maps ?? {};
    const known = maps[ref];
    if (known) return { mfn: known[1] };
    const outcome = this.system.hypercall(
      { type: 'gnttab.map_grant_ref', domid, dom: frontend, ref, readonly: false },
      origin,
      cause,
    );
    if (!outcome.ok) return undefined;
    const { handle, mfn } = outcome.value as { handle: number; mfn: Mfn };
    if (Object.keys(maps).length >= MAX_PERSISTENT) return { mfn, handle };
    this.persistent.set(key, { maps: { ...maps, [ref]: [handle, mfn] } });
    return { mfn };
  }
}

/** A device of a domain as one number: device numbers have up to 29 bits. */
const keyOf = (frontend: DomId, vdev: number): number => frontend * 2 ** 32 + vdev;
const sectorsIn = ({ segments }: BlkifTransfer): number =>
  segments.reduce((sum, { first_sect, last_sect }) => sum + last_sect - first_sect + 1, 0);
