// What the two ends of a block device report: their rings, and requests on their way (public/io/blkif.h).
import { accept, refuse } from '../../../events/step.ts';
import type { Outcome, VbdCommand } from '../../../events/vocabulary.ts';
import { isVdev, MAX_DISKS, type Vbds } from './state.ts';

/** What dom0 knows of the files that disks may be made of: sectors by path. */
export type DiskSizes = ReadonlyMap<string, number>;

/** VDISK_* of public/io/blkif.h, in the key `info`. */
const VDISK_READONLY = 4;

/**
 * Checks what the drivers report. ESRCH for a domain that is not there, ENODEV for a device that is not connected, EBUSY for one that is
 * already, or a request under an id in use; ENOSPC beyond MAX_DISKS; EINVAL for what can not be, and for a completion of nothing.
 */
export function decide(vbds: Vbds, disks: DiskSizes, command: VbdCommand): Outcome {
  if (command.type === 'vbd.stat_disk') {
    const sectors = disks.get(command.params);
    return sectors === undefined ? refuse('ENOENT') : accept({ sectors });
  }
  const { domid, vdev } = command;
  switch (command.type) {
    case 'vbd.connect_frontend': {
      if (!vbds.front.of(domid)) return refuse('ESRCH');
      if (!isVdev(vdev)) return refuse('EINVAL');
      if (vbds.frontRow(domid, vdev) >= 0) return refuse('EBUSY');
      if (vbds.fronts(domid) >= MAX_DISKS) return refuse('ENOSPC');
      const { type: _, ...end } = command;
      return accept({}, { type: 'vbd.frontend_connected', ...end });
    }
    case 'vbd.open_disk': {
      const { frontend, params, readonly } = command;
      if (!vbds.back.of(domid) || !vbds.front.of(frontend)) return refuse('ESRCH');
      if (!isVdev(vdev)) return refuse('EINVAL');
      const sectors = disks.get(params);
      if (sectors === undefined) return refuse('ENOENT');
      if (vbds.backRow(domid, frontend, vdev) >= 0) return refuse('EBUSY');
      if (vbds.backs(domid, frontend) >= MAX_DISKS) return refuse('ENOSPC');
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
      const row = vbds.requestRow(domid, vdev, id);
      if (row < 0) return refuse('EINVAL');
      if (vbds.request.of(domid)!.state.is(row) !== 'free') return refuse('EBUSY');
      return accept({}, { type: 'vbd.request_submitted', domid, vdev, id, op, sector, nr_sectors });
    }
    case 'vbd.note_served': {
      const { type: _, ...served } = command;
      const row = vbds.backRow(domid, command.frontend, vdev);
      // A frontend may use any ids: what it asked under one that we do not know has been served all the same.
      return row < 0 || vbds.back.of(domid)!.state.is(row) !== 'connected'
        ? refuse('ENODEV')
        : accept({}, { type: 'vbd.request_served', ...served });
    }
    case 'vbd.note_completed': {
      const { id, status } = command;
      if (vbds.frontRow(domid, vdev) < 0) return refuse('ENODEV');
      const row = vbds.requestRow(domid, vdev, id);
      if (row < 0 || vbds.request.of(domid)!.state.is(row) === 'free') return refuse('EINVAL');
      return accept({}, { type: 'vbd.request_completed', domid, vdev, id, status });
    }
    default:
      return command satisfies never;
  }
}
