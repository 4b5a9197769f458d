// The floor: the same changes of state in a bare loop over typed arrays. No checks beyond what the state needs, no events, no log.
import { BIND, BLOCK, CHANNELS, CLOSE, DOMAINS, type Mix, peerOf, SEND } from './mix.ts';

const PORTS = 256;

/** Sets the arrays up as the core is set up, and runs the mix; answers a sum that keeps the work from being optimised away. */
export function prepareBare(): (mix: Mix) => number {
  const state = new Uint8Array((DOMAINS + 1) * PORTS);
  const remoteDom = new Uint16Array(state.length);
  const remotePort = new Uint16Array(state.length);
  const pending = new Uint8Array(state.length);
  const blocked = new Uint8Array(DOMAINS + 1);
  const free = (domid: number): number => {
    let port = 1;
    while (port < PORTS - 1 && state[domid * PORTS + port] !== 0) port++;
    return port;
  };
  for (let domid = 1; domid <= DOMAINS; domid++)
    for (let k = 0; k < CHANNELS; k++) {
      const peer = peerOf(domid, k);
      const here = domid * PORTS + free(domid);
      state[here] = 2;
      const there = peer * PORTS + free(peer);
      state[there] = 2;
      remoteDom[here] = peer;
      remotePort[here] = there % PORTS;
      remoteDom[there] = domid;
      remotePort[there] = here % PORTS;
    }
  return ({ length, op, domid, arg }) => {
    let changes = 0;
    for (let i = 0; i < length; i++) {
      const dom = domid[i]!;
      switch (op[i]) {
        case SEND: {
          const at = dom * PORTS + arg[i]!;
          if (state[at] !== 2) break;
          const peer = remoteDom[at]!;
          const there = peer * PORTS + remotePort[at]!;
          if (pending[there] === 1) break;
          pending[there] = 1;
          blocked[peer] = 0;
          changes++;
          break;
        }
        case BIND: {
          const at = dom * PORTS + free(dom);
          state[at] = 1;
          remoteDom[at] = arg[i]!;
          changes++;
          break;
        }
        case CLOSE: {
          const at = dom * PORTS + arg[i]!;
          if (state[at] === 0) break;
          state[at] = 0;
          changes++;
          break;
        }
        case BLOCK:
          pending.fill(0, dom * PORTS, dom * PORTS + PORTS);
          blocked[dom] = 1;
          changes++;
          break;
      }
    }
    return changes;
  };
}
