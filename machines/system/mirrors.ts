// Whether the charts of the mirrors agree with the tables: the reason for having both.
import type { Host } from '../../src/host.ts';
import type { Directory } from './directory.ts';
import { watchId } from './routes.ts';

/** A line for every domain, vCPU, pCPU and watch whose actor is missing or says something else than its row; silence means that all agree. */
export function* mirrorsDisagree(host: Host, directory: Directory): Generator<string> {
  yield* domains(host, directory);
  yield* pcpus(host, directory);
  yield* watches(host, directory);
}

function* domains({ xen }: Host, directory: Directory): Generator<string> {
  const row = xen.domain.of(0)!;
  for (let domid = 0; domid < row.length; domid++) {
    const state = row.state.is(domid);
    const actor = directory.state(`d${domid}`);
    if (state === 'none') {
      if (actor) yield `d${domid} has an actor and no row`;
      continue;
    }
    const wanted =
      state === 'alive'
        ? {
            alive: {
              control: row.controller_pause_count.at(domid) > 0 ? 'paused' : 'unpaused',
              shutdown: row.shut_down.is(domid),
            },
          }
        : state;
    if (JSON.stringify(actor?.value) !== JSON.stringify(wanted))
      yield `d${domid}: ${text(actor?.value)}, and its row ${text(wanted)}`;
    const vcpus = xen.sched.vcpu.of(domid)!;
    for (let vcpu = 0; vcpu < row.nr_vcpus.at(domid); vcpu++) {
      const id = `d${domid}v${vcpu}`;
      const value = directory.state(id)?.value;
      if (value !== vcpus.runstate.is(vcpu)) yield `${id}: ${text(value)}, and its row ${vcpus.runstate.is(vcpu)}`;
    }
  }
}

function* pcpus({ xen }: Host, directory: Directory): Generator<string> {
  const rows = xen.sched.pcpu.of(0)!;
  for (let cpu = 0; rows.state.is(cpu) !== 'none'; cpu++) {
    // An actor is made when its pCPU first runs somebody.
    const value = directory.state(`p${cpu}`)?.value ?? 'idle';
    if (value !== rows.state.is(cpu)) yield `p${cpu}: ${text(value)}, and its row ${rows.state.is(cpu)}`;
  }
}

function* watches({ store }: Host, directory: Directory): Generator<string> {
  const wanted = new Set<string>();
  for (const connection of store.connections.values())
    for (const { path, token } of connection.watchesInOrder()) wanted.add(watchId({ conn: connection.conn, path, token }));
  const actors = new Set(directory.ids().filter((id) => id.startsWith('watch.')));
  for (const id of wanted) if (!actors.has(id)) yield `${id} is in the store and has no actor`;
  for (const id of actors) if (!wanted.has(id)) yield `${id} has an actor and is not in the store`;
}

const text = (value: unknown): string => JSON.stringify(value) ?? 'nothing';
