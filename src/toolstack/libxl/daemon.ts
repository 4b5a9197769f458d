// What stays behind of `xl create`: waits for the end of its domain, and does what the configuration wants done then
// (tools/xl/xl_vmcontrol.c, create_domain() and handle_domain_death()).
import { XEN_DOMINF } from '../../abi/domctl.ts';
import { type Creating, createPhases, nothingCreated } from './create.ts';
import { destroyPhases, nothingToDestroy } from './destroy.ts';
import { type Actions, domainSpec } from './domain-spec.ts';
import { answer, END, type Plan } from './plan.ts';
import { connect, disconnect, domainPath, type Session, unwatch, watch, write } from './store.ts';

/** A daemon knows what its domain was made of, and may make it again. */
export interface Watching extends Creating {
  /** It is to be made again when it is gone. */
  readonly restarts: boolean;
}

/** Undefined where the stored configuration is none. */
export function watching(session: Session, { domid, config }: { domid: number; config: string }): Watching | undefined {
  const domain = domainSpec(config);
  return (
    domain && {
      ...session,
      ...nothingToDestroy,
      ...nothingCreated,
      domid,
      domain,
      config,
      paused: false,
      watched: true,
      console: false,
      kernels: [domain.kernel],
      error: '',
      rc: 0,
      restarts: false,
    }
  );
}

const RELEASE = '@releaseDomain';
/** SHUTDOWN_* of public/sched.h, in Xen's order: what the configuration says about each. A suspended domain is left alone. */
const reasons: readonly (keyof Actions | 'suspend')[] = ['poweroff', 'reboot', 'suspend', 'crash', 'watchdog', 'soft_reset'];

export const daemonPlan: Plan<Watching> = {
  connecting: {
    to: ['watching'],
    ask: () => [connect],
    learn: (p, [connected]) => ({ to: 'watching', p: { ...p, conn: answer(connected, 'xenstore.connect')?.conn ?? 0 } }),
  },
  watching: {
    to: ['sleeping'],
    ask: (p) => [watch(p, RELEASE)],
    learn: (p) => ({ to: 'sleeping', p }),
  },
  sleeping: {
    to: ['looking'],
    hear: (p, fact) => (fact.type === 'xenstore.watch_fired' && fact.path === RELEASE ? { to: 'looking', p } : undefined),
  },
  looking: {
    to: ['sleeping', 'pausingDomain', 'renaming', 'resigning'],
    ask: (p) => [{ type: 'domctl.getdomaininfo', domid: 0, domain: p.domid }],
    learn: (p, [given]) => {
      const info = answer(given, 'domctl.getdomaininfo');
      // Gone, or somebody else is destroying it.
      if (info?.domain !== p.domid || (info.flags & XEN_DOMINF.dying) !== 0) return { to: 'resigning', p };
      if ((info.flags & XEN_DOMINF.shutdown) === 0) return { to: 'sleeping', p };
      const reason = reasons[(info.flags >>> XEN_DOMINF.shutdownshift) & XEN_DOMINF.shutdownmask] ?? 'poweroff';
      switch (reason === 'suspend' ? 'preserve' : p.domain.actions[reason]) {
        case 'preserve':
          return { to: 'resigning', p };
        // A soft reset makes the domain again in our model; there is no place for core dumps, as on the recorded host.
        case 'restart':
        case 'coredump_restart':
        case 'soft_reset':
          return { to: 'pausingDomain', p: { ...p, restarts: true } };
        case 'restart_rename':
          return { to: 'renaming', p };
        default:
          return { to: 'pausingDomain', p };
      }
    },
  },
  /** The old domain stays, for whoever wants to look at it, under another name: xl puts the time behind it, we the domid. */
  renaming: {
    to: ['recreating'],
    ask: (p) => [write(p, `${domainPath(p.domid)}/name`, `${p.domain.name}-${p.domid}`)],
    learn: (p) => ({ to: 'recreating', p }),
  },
  ...destroyPhases<Watching>('destroyed'),
  destroyed: {
    to: ['recreating', 'resigning'],
    learn: (p) => ({ to: p.restarts ? 'recreating' : 'resigning', p }),
  },
  recreating: {
    to: ['checkingPool'],
    ask: (p) => [unwatch(p, RELEASE)],
    learn: (p) => ({ to: 'checkingPool', p: { ...p, ...nothingCreated, restarts: false } }),
  },
  // The new domain gets a daemon of its own when its configuration is stored.
  ...createPhases<Watching>({ done: 'leaving', undo: 'pausingDomain', refused: 'leaving' }),
  resigning: {
    to: ['leaving'],
    ask: (p) => [unwatch(p, RELEASE)],
    learn: (p) => ({ to: 'leaving', p }),
  },
  leaving: {
    to: [END],
    ask: (p) => [disconnect(p)],
    learn: (p) => ({ to: END, p }),
  },
};
