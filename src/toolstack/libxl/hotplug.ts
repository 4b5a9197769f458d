// Hotplug scripts: what /etc/xen/scripts/block and vif-bridge do for a device (tools/hotplug/Linux), read and write for read and write.
import type { Command } from '../../../events/vocabulary.ts';
import { answer, END, type Next, type Plan, refusal } from './plan.ts';
import { connect, disconnect, domainPath, read, type Session, textOf, write } from './store.ts';

/** A script at work. `backend_path` is relative to dom0's own nodes, as XENBUS_PATH. */
export interface Plugging extends Session {
  readonly domid: number;
  readonly script: string;
  readonly action: 'add' | 'remove';
  readonly backend_path: string;
  readonly dev: string;
  readonly params: string;
  /** The bridge of an interface, as its backend's node says. */
  readonly bridge: string;
  readonly error: string;
}

const LOOP_MAJOR = 7;
/** Loop devices of a domain, enough for xvda to xvdp. */
const LOOPS_PER_DOMAIN = 16;
const MTU = '1500';

export const hotplugPlan: Plan<Plugging> = {
  connecting: {
    to: ['readingDisk', 'readingInterface'],
    ask: () => [connect],
    learn: (p, [connected]) => ({
      to: p.backend_path.startsWith('backend/vif/') ? 'readingInterface' : 'readingDisk',
      p: { ...p, conn: answer(connected, 'xenstore.connect')?.conn ?? 0 },
    }),
  },

  readingDisk: {
    to: ['openingFile', 'finding'],
    ask: (p) => keys(p, ['type', 'params', 'mode']),
    learn: (p, [, params]) => ({ to: p.action === 'add' ? 'openingFile' : 'finding', p: { ...p, params: textOf(params) } }),
  },
  openingFile: {
    to: ['writingDisk', 'writingError'],
    ask: (p) => [
      ...keys(p, ['physical-device', 'frontend-id']),
      read(p, `${domainPath(p.domid)}/vm`),
      ...keys(p, ['state']),
      { type: 'vbd.stat_disk', domid: 0, params: p.params },
    ],
    learn: (p, returns) =>
      refusal(returns.slice(-1)) ? failure(p, `${p.params} does not exist: correct the disk's target`) : { to: 'writingDisk', p },
  },
  writingDisk: {
    to: ['reporting'],
    ask: (p) => {
      const loop = loopOf(p.backend_path);
      return [
        write(p, `${p.backend_path}/node`, `/dev/loop${loop}`),
        write(p, `${p.backend_path}/physical-device`, `${LOOP_MAJOR.toString(16)}:${loop.toString(16)}`),
        write(p, `${p.backend_path}/physical-device-path`, `/dev/loop${loop}`),
        write(p, `${p.backend_path}/hotplug-status`, 'connected'),
      ];
    },
    learn: (p) => ({ to: 'reporting', p }),
  },
  /** Which loop device it was: detaching it leaves no trace in XenStore. */
  finding: {
    to: ['reporting'],
    ask: (p) => keys(p, ['node']),
    learn: (p) => ({ to: 'reporting', p }),
  },

  readingInterface: {
    to: ['joiningBridge', 'leavingBridge'],
    ask: (p) => keys(p, ['vifname', 'ip', 'bridge']),
    learn: (p, [vifname, , bridge]) => {
      const dev = textOf(vifname) || `vif${p.backend_path.split('/').slice(2).join('.')}`;
      return { to: p.action === 'add' ? 'joiningBridge' : 'leavingBridge', p: { ...p, dev, bridge: textOf(bridge) } };
    },
  },
  joiningBridge: {
    to: ['writingInterface', 'writingError'],
    ask: (p) => [...keys(p, ['mtu']), { type: 'bridge.add_port', bridge: p.bridge, port: p.dev }],
    learn: (p, returns) => {
      const refused = refusal(returns.slice(-1));
      if (!refused) return { to: 'writingInterface', p };
      return refused.errno === 'ENODEV'
        ? failure(p, `bridge ${p.bridge} does not exist: correct bridge= of the vif`)
        : failure(p, `${p.dev} is on a bridge already: choose another vifname`);
    },
  },
  writingInterface: {
    to: ['reporting'],
    ask: (p) => [
      write(p, `${domainPath(p.domid)}/device/vif/${p.backend_path.split('/').at(-1)}/mtu`, MTU),
      write(p, `${p.backend_path}/hotplug-status`, 'connected'),
    ],
    learn: (p) => ({ to: 'reporting', p }),
  },
  leavingBridge: {
    to: ['reporting'],
    ask: ({ bridge, dev }) => [{ type: 'bridge.remove_port', bridge, port: dev }],
    learn: (p) => ({ to: 'reporting', p }),
  },

  writingError: {
    to: ['reporting'],
    ask: (p) => [write(p, `${p.backend_path}/hotplug-error`, p.error), write(p, `${p.backend_path}/hotplug-status`, 'error')],
    learn: (p) => ({ to: 'reporting', p }),
  },
  reporting: {
    to: [END],
    ask: (p) => [disconnect(p), { type: 'hotplug.note_result', job: p.job, backend_path: p.backend_path, error: p.error }],
    learn: (p) => ({ to: END, p }),
  },
};

const keys = (p: Plugging, names: readonly string[]): Command[] => names.map((name) => read(p, `${p.backend_path}/${name}`));
const failure = (p: Plugging, error: string): Next<Plugging> => ({ to: 'writingError', p: { ...p, error } });

/** losetup takes the first that is free; ours are numbered by domain and disk, so that nobody has to look. */
function loopOf(backend_path: string): number {
  const [domid = 0, vdev = 0] = backend_path.split('/').slice(2).map(Number);
  return domid * LOOPS_PER_DOMAIN + ((vdev >> 4) % LOOPS_PER_DOMAIN);
}
