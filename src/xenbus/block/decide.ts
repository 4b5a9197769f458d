// What the two ends of a block device report: their rings, and requests on their way (public/io/blkif.h).
import { accept, refuse } from '../../../events/step.ts';
import type { Outcome, VbdCommand } from '../../../events/vocabulary.ts';
import type { Vbds } from './state.ts';

/** What dom0 knows of the files that disks may be made of: sectors by path. */
export type DiskSizes = ReadonlyMap<string, number>;

/** VDISK_* of public/io/blkif.h, in the key `info`. */
const VDISK_READONLY = 4;

export function decide(vbds: Vbds, disks: DiskSizes, command: VbdCommand): Outcome {
  if (command.type === 'vbd.stat_disk') {
    const sectors = disks.get(command.params);
    return sectors === undefined ? refuse('ENOENT') : accept({ sectors });
  }
  const { domid, vdev } = command;
  switch (command.type) {
    case 'vbd.connect_frontend': {
      if (!vbds.front.of(domid)) return refuse('ESRCH');
      if (vbds.frontRow(domid, vdev) >= 0) return refuse('EBUSY');
      const { type: _, ...end } = command;
      return accept({}, { type: 'vbd.frontend_connected', ...end });
    }
    case 'vbd.open_disk': {
      const { frontend, params, readonly } = command;
      const sectors = disks.get(params);
      if (sectors === undefined) return refuse('ENOENT');
      if (vbds.backRow(domid, frontend, vdev) >= 0) return refuse('EBUSY');
      return accept(
        { sectors, sector_size: 512, info: readonly ? VDISK_READONLY : 0 },
        { type: 'vbd.disk_opened', domid, frontend, vdev, params, readonly, sectors },
      );
    }
    case 'vbd.connect_backend': {
      const row = vbds.backRow(domid, command.frontend, vdev);
      if (row < 0) return refuse('ENODEV');
      if (vbds.back.of(domid)!.state.is(row) === 'connected') return refuse('EBUSY');
      const { type: _, ...end } = command;
      return accept({}, { type: 'vbd.backend_connected', ...end });
    }
    case 'vbd.disconnect': {
      const { frontend } = command;
      const row = domid === frontend ? vbds.frontRow(domid, vdev) : vbds.backRow(domid, frontend, vdev);
      return row < 0 ? refuse('ENODEV') : accept({}, { type: 'vbd.disconnected', domid, frontend, vdev });
    }
    case 'vbd.note_submitted': {
      const { id, op, sector, nr_sectors } = command;
      if (vbds.frontRow(domid, vdev) < 0) return refuse('ENODEV');
      if (vbds.requestRow(domid, vdev, id) < 0) return refuse('EINVAL');
      return accept({}, { type: 'vbd.request_submitted', domid, vdev, id, op, sector, nr_sectors });
    }
    case 'vbd.note_served': {
      const { type: _, ...served } = command;
      return vbds.backRow(domid, command.frontend, vdev) < 0
        ? refuse('ENODEV')
        : accept({}, { type: 'vbd.request_served', ...served });
    }
    case 'vbd.note_completed': {
      const { id, status } = command;
      if (vbds.frontRow(domid, vdev) < 0) return refuse('ENODEV');
      return accept({}, { type: 'vbd.request_completed', domid, vdev, id, status });
    }
    default:
      return command satisfies never;
  }
}
