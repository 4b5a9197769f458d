import type { DomId } from '../../../events/units.ts';
import type { VbdFact } from '../../../events/vocabulary.ts';
import type { Cell, Rows, TableSchema } from '../../tables/table.ts';
import { backSchema, freeRow, frontSchema, MAX_IDS, requestSchema, type Vbds } from './state.ts';

/** Applies a fact to the rings' ends and the requests in flight. Total; the only writer of this slice. */
export function evolve(vbds: Vbds, event: VbdFact, seq: number): void {
  const { domid, vdev } = event;
  switch (event.type) {
    case 'vbd.frontend_connected': {
      const rows = vbds.front.of(domid);
      if (!rows) return;
      const row = freeRow(rows);
      rows.state.become(row, 'connected');
      rows.vdev.put(row, vdev);
      rows.ring_gfn.put(row, event.ring_gfn);
      rows.ring_ref.put(row, event.ring_ref);
      rows.port.put(row, event.port);
      rows.backend.put(row, event.backend);
      return;
    }
    case 'vbd.disk_opened': {
      const rows = vbds.back.of(domid);
      if (!rows) return;
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
      const row = vbds.backRow(domid, event.frontend, vdev);
      if (row < 0) return;
      const rows = vbds.back.of(domid)!;
      rows.state.become(row, 'connected');
      rows.ring_mfn.put(row, event.ring_mfn);
      rows.ring_handle.put(row, event.ring_handle);
      rows.port.put(row, event.port);
      return;
    }
    case 'vbd.disconnected': {
      if (domid === event.frontend) disconnectFrontend(vbds, domid, vdev);
      else disconnectBackend(vbds, domid, event.frontend, vdev);
      return;
    }
    case 'vbd.request_submitted': {
      const row = vbds.requestRow(domid, vdev, event.id);
      if (row < 0) return;
      vbds.front.of(domid)!.req_prod.add(vbds.frontRow(domid, vdev), 1);
      const requests = vbds.request.of(domid)!;
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
      if (back < 0) return;
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
      const row = vbds.requestRow(domid, vdev, event.id);
      if (row < 0) return;
      vbds.front.of(domid)!.rsp_cons.add(vbds.frontRow(domid, vdev), 1);
      clear(vbds.request.of(domid)!, requestSchema, row);
      return;
    }
    default:
      event satisfies never;
  }
}

/** What was on its way is lost, and the ids are free again. */
function disconnectFrontend(vbds: Vbds, domid: DomId, vdev: number): void {
  const first = vbds.requestRow(domid, vdev, 0);
  if (first < 0) return;
  for (let row = first; row < first + MAX_IDS; row++) clear(vbds.request.of(domid)!, requestSchema, row);
  clear(vbds.front.of(domid)!, frontSchema, vbds.frontRow(domid, vdev));
}

function disconnectBackend(vbds: Vbds, domid: DomId, frontend: DomId, vdev: number): void {
  const row = vbds.backRow(domid, frontend, vdev);
  if (row < 0) return;
  clear(vbds.back.of(domid)!, backSchema, row);
  const { [String(vdev)]: _, ...params } = vbds.disks.get(frontend)?.params ?? {};
  if (Object.keys(params).length === 0) vbds.disks.delete(frontend);
  else vbds.disks.set(frontend, { params });
}

/** Empties a row: the next device that stands there finds nothing of this one. */
function clear<S extends TableSchema>(rows: Rows<S>, schema: S, row: number): void {
  for (const column of Object.keys(schema)) (rows[column] as Cell).put(row, 0);
}
