// A guest's block driver at work: requests onto the ring, responses off it (the data path of xen-blkfront).
import type { DomId, Gref } from '../../events/units.ts';
import { PAGE_SIZE } from '../../events/units.ts';
import { pageOf } from '../../src/guest/state.ts';
import { SECTOR_SIZE } from '../../src/storage/image.ts';
import { BLKIF_OP, BLKIF_RSP, type BlkifSegment, blkif } from '../../src/xenbus/ring/blkif.ts';
import { finalCheckForResponses, getResponse, initRing, pushRequests, putRequest } from '../../src/xenbus/ring/ring.ts';
import { SECTOR_NS } from './costs.ts';
import type { Inflight, Privates } from './private.ts';
import type { System } from './system.ts';

/** As much as one request moves: 11 segments of a page. */
export const MAX_SECTORS = 88;
const SECTORS_PER_PAGE = PAGE_SIZE / SECTOR_SIZE;
const { x86_64: protocol } = blkif;

/** What a finished request was, and whether it succeeded. */
export interface Completion {
  readonly request: Inflight;
  readonly ok: boolean;
}

export class GuestBlock {
  private readonly system: System;
  private readonly privates: Privates;
  constructor(system: System, privates: Privates) {
    this.system = system;
    this.privates = privates;
  }

  /** The ring is made when the frontend connects. */
  connect(domid: DomId, vdev: number): void {
    const { vbds, xen } = this.system.host;
    const row = vbds.frontRow(domid, vdev);
    const ring = xen.p2m.mfn(domid, vbds.front.of(domid)!.ring_gfn.at(row));
    if (ring >= 0) initRing(this.system.memory, ring);
  }

  /** Whether the device is there to be asked. */
  connected(domid: DomId, vdev: number): boolean {
    return this.system.host.vbds.frontRow(domid, vdev) >= 0;
  }

  /**
   * Puts a request of up to MAX_SECTORS on the ring. False where there is no room, or no page to grant: the caller tries again later.
   * A write sends `fill` as the content of every byte.
   */
  submit(domid: DomId, op: 'read' | 'write', inflight: Omit<Inflight, 'id'>, origin: string, cause: number, fill = 0): boolean {
    const { system, privates } = this;
    const { vbds, xen } = system.host;
    const { vdev, sector, nr_sectors } = inflight;
    const row = vbds.frontRow(domid, vdev);
    const id = vbds.freeId(domid, vdev);
    if (row < 0 || id < 0) return false;
    const ring = xen.p2m.mfn(domid, vbds.front.of(domid)!.ring_gfn.at(row));
    if (ring < 0) return false;
    const segments: BlkifSegment[] = [];
    for (let first = 0; first < nr_sectors; first += SECTORS_PER_PAGE) {
      const gref = this.poolPage(domid, vdev, id, first / SECTORS_PER_PAGE, origin, cause);
      const mfn = gref < 0 ? -1 : xen.p2m.mfn(domid, pageOf(gref));
      if (mfn < 0) return false;
      const last_sect = Math.min(SECTORS_PER_PAGE, nr_sectors - first) - 1;
      segments.push({ gref, first_sect: 0, last_sect });
      if (op === 'write') {
        const page = new Uint8Array((last_sect + 1) * SECTOR_SIZE).fill(fill);
        system.memory.write(mfn, 0, page);
      }
    }
    const operation = op === 'read' ? BLKIF_OP.READ : BLKIF_OP.WRITE;
    const request = { operation, handle: vdev & 0xffff, id: BigInt(id), sector_number: sector, segments };
    const front = putRequest(system.memory, ring, protocol, vbds.frontRing(domid, row), request);
    if (!front) return false;
    const notify = pushRequests(system.memory, ring, front);
    privates.set(domid, { inflight: [...privates.get(domid).inflight, { ...inflight, id }] });
    system.hypercall({ type: 'vbd.note_submitted', domid, vdev, id, op, sector, nr_sectors }, origin, cause);
    if (notify)
      system.hypercall({ type: 'evtchn.send', domid, port: vbds.front.of(domid)!.port.at(row) }, origin, system.lastSeq);
    return true;
  }

  /** Forgets what was asked of a device that has gone: nobody will answer. */
  abandon(domid: DomId, vdev: number): void {
    const { inflight } = this.privates.get(domid);
    if (!this.connected(domid, vdev) && inflight.some((one) => one.vdev === vdev))
      this.privates.set(domid, { inflight: inflight.filter((one) => one.vdev !== vdev) });
  }

  /**
   * Takes every response; a read's bytes go into its cache. Each completion is a step that the serving of its own request caused. A
   * response to nothing ends it, as blkif_interrupt() of Linux gives up on a backend that lies.
   */
  receive(domid: DomId, vdev: number, origin: string): void {
    const { system } = this;
    const { vbds, xen } = system.host;
    const row = vbds.frontRow(domid, vdev);
    if (row < 0) return;
    const ring = xen.p2m.mfn(domid, vbds.front.of(domid)!.ring_gfn.at(row));
    if (ring < 0) return;
    do {
      for (;;) {
        const taken = getResponse(system.memory, ring, protocol, vbds.frontRing(domid, row));
        if (!taken) break;
        const { id, status } = taken.response;
        if (!this.complete(domid, vdev, Number(id), status, origin)) return;
      }
    } while (finalCheckForResponses(system.memory, ring, vbds.frontRing(domid, row)));
  }

  private complete(domid: DomId, vdev: number, number: number, status: number, origin: string): boolean {
    const { system, privates } = this;
    const { inflight, transfers } = privates.get(domid);
    const id = Number.isSafeInteger(number) ? number : -1;
    const requests = system.host.vbds.request.of(domid)!;
    const served = requests.served_by.at(system.host.vbds.requestRow(domid, vdev, id));
    const cause = served > 0 ? served : system.lastSeq;
    if (!system.hypercall({ type: 'vbd.note_completed', domid, vdev, id, status }, origin, cause).ok) return false;
    const request = inflight.find((one) => one.vdev === vdev && one.id === id);
    if (!request) return true; // who asked has given up
    privates.set(domid, { inflight: inflight.filter((one) => one !== request) });
    const ok = status === BLKIF_RSP.OKAY;
    system.spend(SECTOR_NS * request.nr_sectors);
    if (ok && request.cache !== undefined) this.fill(domid, request);
    const transfer = transfers[request.work];
    if (transfer)
      privates.set(domid, {
        transfers: {
          ...transfers,
          [request.work]: { ...transfer, done: transfer.done + request.nr_sectors, failed: transfer.failed || !ok },
        },
      });
    else if (!ok) privates.set(domid, { transfers: { ...transfers, [request.work]: { asked: 0, done: 0, failed: true } } });
    return true;
  }

  private fill(domid: DomId, { vdev, id, cache, sector, nr_sectors }: Inflight): void {
    const { system, privates } = this;
    const [name, start, sectors] = cache!.split(' ');
    const pages = privates.cache(domid, name!, Number(sectors));
    const { pool } = privates.get(domid);
    for (let first = 0; first < nr_sectors; first += SECTORS_PER_PAGE) {
      const ref = pool[`${vdev}.${id}.${first / SECTORS_PER_PAGE}`]!;
      const count = Math.min(SECTORS_PER_PAGE, nr_sectors - first);
      const mfn = system.host.xen.p2m.mfn(domid, pageOf(ref));
      if (mfn >= 0) pages.put(sector - Number(start) + first, system.memory.read(mfn, 0, count * SECTOR_SIZE).slice());
    }
  }

  /** The granted page of a slot: granted when first needed, and then kept, as with feature-persistent. */
  private poolPage(domid: DomId, vdev: number, id: number, segment: number, origin: string, cause: number): Gref {
    const { system, privates } = this;
    const key = `${vdev}.${id}.${segment}`;
    const { pool } = privates.get(domid);
    const known = pool[key];
    if (known !== undefined) return known;
    const backend = system.host.vbds.front.of(domid)!.backend.at(system.host.vbds.frontRow(domid, vdev));
    const outcome = system.hypercall({ type: 'guest.grant_page', domid, remote_dom: backend, readonly: false }, origin, cause);
    if (!outcome.ok) return -1;
    const { ref } = outcome.value as { ref: Gref };
    privates.set(domid, { pool: { ...pool, [key]: ref } });
    return ref;
  }
}
