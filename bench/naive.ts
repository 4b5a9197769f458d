// The naive design: one immutable record of everything, Immer for each event, every event to an XState actor, JSON for the log.
import { produce } from 'immer';
import { Subject } from 'rxjs';
import { createActor, setup } from 'xstate';
import { BIND, BLOCK, CHANNELS, CLOSE, DOMAINS, type Mix, peerOf, SEND } from './mix.ts';

interface Port {
  state: 'unbound' | 'interdomain';
  remote_dom: number;
  remote_port: number;
  pending: boolean;
}
interface State {
  domains: Record<string, { ports: Record<string, Port>; blocked: boolean }>;
}
type Event =
  | { type: 'raised'; domid: number; port: number }
  | { type: 'bound'; domid: number; port: number; remote_dom: number; remote_port: number; state: Port['state'] }
  | { type: 'closed'; domid: number; port: number }
  | { type: 'blocked'; domid: number };

const machine = setup({ types: { events: {} as Event } }).createMachine({
  initial: 'running',
  states: {
    running: { on: { blocked: 'blocked', raised: {}, bound: {}, closed: {} } },
    blocked: { on: { raised: 'running', blocked: {}, bound: {}, closed: {} } },
  },
});

/** Sets up as the core is set up; the function that it answers runs the mix and tells how long its log is in JSON. */
export function prepareNaive(): (mix: Mix) => number {
  let state: State = { domains: {} };
  const events = new Subject<Event>();
  const actors = new Map<number, ReturnType<typeof createActor<typeof machine>>>();
  let bytes = 0;
  events.subscribe((event) => {
    bytes += JSON.stringify(event).length;
  });
  events.subscribe((event) => {
    actors.get(event.domid)!.send(event);
  });
  for (let domid = 1; domid <= DOMAINS; domid++) actors.set(domid, createActor(machine, { id: `d${domid}` }).start());

  const apply = (event: Event): void => {
    state = produce(state, (draft) => {
      draft.domains[event.domid] ??= { ports: {}, blocked: false };
      const domain = draft.domains[event.domid]!;
      switch (event.type) {
        case 'raised':
          domain.ports[event.port]!.pending = true;
          domain.blocked = false;
          return;
        case 'bound': {
          const { remote_dom, remote_port } = event;
          domain.ports[event.port] = { state: event.state, remote_dom, remote_port, pending: false };
          return;
        }
        case 'closed':
          delete domain.ports[event.port];
          return;
        case 'blocked':
          domain.blocked = true;
          for (const port of Object.values(domain.ports)) port.pending = false;
      }
    });
    events.next(event);
  };
  const free = (domid: number): number => {
    const ports = state.domains[domid]?.ports ?? {};
    let port = 1;
    while (ports[port]) port++;
    return port;
  };
  for (let domid = 1; domid <= DOMAINS; domid++)
    for (let k = 0; k < CHANNELS; k++) {
      const remote_dom = peerOf(domid, k);
      const port = free(domid);
      const remote_port = free(remote_dom);
      apply({ type: 'bound', domid, port, remote_dom, remote_port, state: 'interdomain' });
      apply({ type: 'bound', domid: remote_dom, port: remote_port, remote_dom: domid, remote_port: port, state: 'interdomain' });
    }

  return ({ length, op, domid, arg }) => {
    for (let i = 0; i < length; i++) {
      const dom = domid[i]!;
      const { ports } = state.domains[dom]!;
      const port = ports[arg[i]!];
      switch (op[i]) {
        case SEND: {
          if (port?.state !== 'interdomain') break;
          const peer = state.domains[port.remote_dom]!.ports[port.remote_port];
          if (peer && !peer.pending) apply({ type: 'raised', domid: port.remote_dom, port: port.remote_port });
          break;
        }
        case BIND:
          apply({ type: 'bound', domid: dom, port: free(dom), remote_dom: arg[i]!, remote_port: 0, state: 'unbound' });
          break;
        case CLOSE:
          if (port) apply({ type: 'closed', domid: dom, port: arg[i]! });
          break;
        case BLOCK:
          apply({ type: 'blocked', domid: dom });
          break;
      }
    }
    return bytes;
  };
}
