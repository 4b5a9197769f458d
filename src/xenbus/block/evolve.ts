import type { VbdFact } from '../../../events/vocabulary.ts';
import { freeRow, type Vbds } from './state.ts';

/** Applies a fact to the rings' ends and the requests in flight. Total; the only writer of this slice. */
export function evolve(vbds: Vbds, event: VbdFact, seq: number): void {
  const { domid, vdev } = event;
  switch (event.type) {
    case 'vbd.frontend_connected': {
      const rows = vbds.front.of(domid)!;
      const row = freeRow(rows);
      rows.state.become(row, 'connected');
      rows.vdev.put(row, vdev);
      rows.ring_gfn.put(row, event.ring_gfn);
      rows.ring_ref.put(row, event.ring_ref);
      rows.port.put(row, event.port);
      rows.backend.put(row, event.backend);
      rows.req_prod.put(row, 0);
      rows.rsp_cons.put(row, 0);
      return;
    }
    case 'vbd.disk_opened': {
      const rows = vbds.back.of(domid)!;
      const row = freeRow(rows);
      rows.state.become(row, 'open');
      rows.frontend.put(row, event.frontend);
      rows.vdev.put(row, vdev);
      rows.readonly.put(row, event.readonly ? 1 : 0);
      rows.sectors.put(row, event.sectors);
      const params = { ...vbds.disks.get(event.frontend)?.params, [String(vdev)]: event.params };
      vbds.disks.set(event.frontend, { params });
      return;
    }
    case 'vbd.backend_connected': {
      const rows = vbds.back.of(domid)!;
      const row = vbds.backRow(domid, event.frontend, vdev);
      rows.state.become(row, 'connected');
      rows.ring_mfn.put(row, event.ring_mfn);
      rows.ring_handle.put(row, event.ring_handle);
      rows.port.put(row, event.port);
      rows.req_cons.put(row, 0);
      rows.rsp_prod.put(row, 0);
      return;
    }
    case 'vbd.disconnected': {
      const front = domid === event.frontend;
      const row = front ? vbds.frontRow(domid, vdev) : vbds.backRow(domid, event.frontend, vdev);
      if (front) vbds.front.of(domid)!.state.become(row, 'free');
      else vbds.back.of(domid)!.state.become(row, 'free');
      return;
    }
    case 'vbd.request_submitted': {
      vbds.front.of(domid)!.req_prod.add(vbds.frontRow(domid, vdev), 1);
      const requests = vbds.request.of(domid)!;
      const row = vbds.requestRow(domid, vdev, event.id);
      requests.state.become(row, 'submitted');
      requests.vdev.put(row, vdev);
      requests.op.become(row, event.op);
      requests.sector.put(row, event.sector);
      requests.nr_sectors.put(row, event.nr_sectors);
      requests.submitted_by.put(row, seq);
      return;
    }
    case 'vbd.request_served': {
      const back = vbds.backRow(domid, event.frontend, vdev);
      const backs = vbds.back.of(domid)!;
      backs.req_cons.add(back, 1);
      backs.rsp_prod.add(back, 1);
      const requests = vbds.request.of(event.frontend);
      const row = vbds.requestRow(event.frontend, vdev, event.id);
      if (!requests || row < 0 || requests.state.is(row) !== 'submitted') return;
      requests.state.become(row, 'served');
      requests.served_by.put(row, seq);
      return;
    }
    case 'vbd.request_completed': {
      vbds.front.of(domid)!.rsp_cons.add(vbds.frontRow(domid, vdev), 1);
      const requests = vbds.request.of(domid)!;
      const row = vbds.requestRow(domid, vdev, event.id);
      if (row < 0) return;
      requests.state.become(row, 'free');
      requests.op.become(row, 'read');
      for (const cell of [requests.vdev, requests.sector, requests.nr_sectors, requests.submitted_by, requests.served_by])
        cell.put(row, 0);
      return;
    }
    default:
      event satisfies never;
  }
}
