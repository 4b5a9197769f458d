// Block devices: the ends of a ring and the requests in flight (public/io/blkif.h).
import { bool, int, oneOf, operation, text } from './schema.ts';

export const blkifOp = oneOf('read', 'write', 'barrier', 'flush', 'discard');

export const operations = {
  /** The frontend has made its ring and waits for the backend. */
  'vbd.connect_frontend': operation({ domid: int, vdev: int, ring_gfn: int, ring_ref: int, port: int, backend: int }),
  /** The backend has opened the disk behind `params`. ENOENT where dom0 has no such file. */
  'vbd.open_disk': operation(
    { domid: int, frontend: int, vdev: int, params: text, readonly: bool },
    { sectors: int, sector_size: int, info: int },
  ),
  'vbd.connect_backend': operation({ domid: int, frontend: int, vdev: int, ring_mfn: int, ring_handle: int, port: int }),
  'vbd.disconnect': operation({ domid: int, frontend: int, vdev: int }),
  'vbd.note_submitted': operation({ domid: int, vdev: int, id: int, op: blkifOp, sector: int, nr_sectors: int }),
  'vbd.note_served': operation({
    domid: int,
    frontend: int,
    vdev: int,
    id: int,
    op: blkifOp,
    sector: int,
    nr_sectors: int,
    status: int,
  }),
  'vbd.note_completed': operation({ domid: int, vdev: int, id: int, status: int }),
  /** What the toolstack asks before it promises a guest the file `params`: ENOENT where dom0 has no such file. */
  'vbd.stat_disk': operation({ domid: int, params: text }, { sectors: int }),
} as const;

export const facts = {
  'vbd.frontend_connected': { domid: int, vdev: int, ring_gfn: int, ring_ref: int, port: int, backend: int },
  'vbd.disk_opened': { domid: int, frontend: int, vdev: int, params: text, readonly: bool, sectors: int },
  'vbd.backend_connected': { domid: int, frontend: int, vdev: int, ring_mfn: int, ring_handle: int, port: int },
  'vbd.disconnected': { domid: int, frontend: int, vdev: int },
  'vbd.request_submitted': { domid: int, vdev: int, id: int, op: blkifOp, sector: int, nr_sectors: int },
  'vbd.request_served': { domid: int, frontend: int, vdev: int, id: int, op: blkifOp, sector: int, nr_sectors: int, status: int },
  'vbd.request_completed': { domid: int, vdev: int, id: int, status: int },
} as const;
