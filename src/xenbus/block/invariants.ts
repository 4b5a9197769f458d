// What always holds for block devices.
import { backSchema, frontSchema, MAX_DISKS, MAX_IDS, requestSchema, type Vbds } from './state.ts';

/** Yields a line for every violation, naming the objects at fault; silence means that it holds. */
export type Invariant = (host: { readonly vbds: Vbds }) => Iterable<string>;

export const invariants: Readonly<Record<string, Invariant>> = {
  *'block.requestsBelongToConnectedFrontends'({ vbds: { front, request } }) {
    for (const domid of request.ids())
      for (const [row, { state, vdev }] of request.inUse(domid)) {
        const device = front.row(domid, Math.floor(row / MAX_IDS));
        if (device.state !== 'connected' || device.vdev !== vdev)
          yield `d${domid} request ${row % MAX_IDS} is ${state} on ${vdev}, where there is ${device.state} ${device.vdev}`;
      }
  },

  /** What is between a frontend's indices are its requests without an answer, and never more than there are slots. */
  *'block.indicesEncloseTheRequests'({ vbds: { front, request } }) {
    for (const domid of front.ids()) {
      const counts = new Map<number, number>();
      for (const [row] of request.inUse(domid)) {
        const device = Math.floor(row / MAX_IDS);
        counts.set(device, (counts.get(device) ?? 0) + 1);
      }
      for (const [row, { vdev, req_prod, rsp_cons }] of front.inUse(domid)) {
        const between = (req_prod - rsp_cons) >>> 0;
        const count = counts.get(row) ?? 0;
        if (between !== count)
          yield `d${domid} ${vdev}: ${between} between the indices ${rsp_cons} and ${req_prod}, ${count} requests`;
      }
    }
  },

  *'block.indicesNeverPassEachOther'({ vbds: { back } }) {
    for (const domid of back.ids())
      for (const [, { state, frontend, vdev, req_cons, rsp_prod }] of back.inUse(domid))
        if (req_cons !== rsp_prod || (state === 'open' && req_cons !== 0))
          yield `d${domid} has taken ${req_cons} requests of d${frontend} ${vdev}, ${state}, and answered ${rsp_prod}`;
  },

  *'block.deviceHasOneRow'({ vbds: { front, back } }) {
    for (const domid of front.ids()) {
      const seen = new Set<number>();
      for (const [, { vdev }] of front.inUse(domid)) {
        if (seen.has(vdev)) yield `d${domid} ${vdev} is connected twice`;
        seen.add(vdev);
      }
      if (seen.size > MAX_DISKS) yield `d${domid} has ${seen.size} disks`;
    }
    for (const domid of back.ids()) {
      const seen = new Set<string>();
      for (const [, { frontend, vdev }] of back.inUse(domid)) {
        const device = `d${frontend} ${vdev}`;
        if (seen.has(device)) yield `d${domid} has ${device} twice`;
        seen.add(device);
      }
    }
  },

  *'block.freeHoldsNothing'({ vbds }) {
    for (const [name, schema] of [
      ['front', frontSchema],
      ['back', backSchema],
      ['request', requestSchema],
    ] as const) {
      const table = vbds[name];
      for (const domid of table.ids())
        for (let row = 0; row < table.of(domid)!.length; row++) {
          const values: Readonly<Record<string, unknown>> = table.row(domid, row);
          const kept = Object.keys(schema).filter((column) => typeof values[column] === 'number' && values[column] !== 0);
          if (values['state'] === 'free' && kept.length > 0)
            yield `${table.name} d${domid}[${row}] is free and has ${kept.join(' ')}`;
        }
    }
  },
};
