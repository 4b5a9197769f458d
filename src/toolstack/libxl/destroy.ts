// How a domain is destroyed (tools/libs/light/libxl_domain.c and libxl_device.c): its devices, its nodes, and then itself.
import type { Command } from '../../../events/vocabulary.ts';
import { backendPath, frontendPath, recordPath, relativeBackendPath } from './device.ts';
import { type Next, type Plan, type Return, refusal } from './plan.ts';
import {
  childrenOf,
  directory,
  domainPath,
  end,
  libxlPath,
  read,
  rm,
  type Session,
  start,
  textOf,
  txOf,
  unwatch,
  watch,
  write,
  XenbusState,
} from './store.ts';

/** What the destruction of a domain needs to know. A job has this from its beginning, with empty lists. */
export interface Destroying extends Session {
  readonly domid: number;
  /** Kinds of devices that are still to be looked at. */
  readonly kinds: readonly string[];
  /** Devices of the first kind that are still to be closed. */
  readonly opened: readonly Place[];
  /** Devices whose backends have been asked to close. */
  readonly closing: readonly Place[];
  /** Nodes to remove, each with the parents that it leaves empty; and the phase after that. */
  readonly doomed: readonly string[];
  readonly afterwards: string;
  /** What one phase has read for the next. */
  readonly noted: string;
}
interface Place {
  readonly kind: 'vbd' | 'vif' | 'console';
  readonly domid: number;
  readonly devid: number;
}
export const nothingToDestroy: Omit<Destroying, keyof Session | 'domid'> = {
  kinds: [],
  opened: [],
  closing: [],
  doomed: [],
  afterwards: '',
  noted: '',
};

/**
 * The phases from the first, `pausingDomain`, on; `then` follows when nothing of the domain is left. A domain that is not there
 * leaves no trace either. libxl waits for all backends at once, we for one after the other.
 */
export const destroyPhases = <P extends Destroying>(then: string): Plan<P> => ({
  pausingDomain: {
    to: ['lookingForDevices'],
    ask: (p) => [{ type: 'domctl.pausedomain', domid: 0, domain: p.domid }, directory(p, `${libxlPath(p.domid)}/device`)],
    learn: (p, [, kinds]) => ({ to: 'lookingForDevices', p: { ...p, ...nothingToDestroy, kinds: childrenOf(kinds) } }),
  },
  lookingForDevices: {
    to: ['closingDevice', 'waitingForBackend', 'removingDomain'],
    ask: (p) => p.kinds.slice(0, 1).map((kind) => directory(p, `${libxlPath(p.domid)}/device/${kind}`)),
    learn: (p, [devices]) => {
      if (p.kinds.length === 0) return { to: afterClosing(p), p };
      return { to: 'closingDevice', p: { ...p, opened: placesOf(p.domid, p.kinds[0]!, childrenOf(devices)) } };
    },
  },
  closingDevice: {
    to: ['lookingForDevices', 'removingNodes'],
    ask: (p) => p.opened.slice(0, 1).flatMap((device) => [read(p, `${recordPath(device)}/backend`), start(p)]),
    learn: (p, [, tx]) => {
      const [device] = p.opened;
      if (!device) return { to: 'lookingForDevices', p: { ...p, kinds: p.kinds.slice(1) } };
      return device.kind === 'console'
        ? remove({ ...p, tx: txOf(tx) }, 'forgettingDevice', [frontendPath(device), recordPath(device), backendPath(device)])
        : remove({ ...p, tx: txOf(tx) }, 'askingBackend', [frontendPath(device)]);
    },
  },
  /** A console's backend, xenconsoled, has no handshake. */
  forgettingDevice: {
    to: ['closingDevice'],
    ask: (p) => [end(p)],
    learn: (p, [ended]) => {
      const done = { ...p, tx: 0 };
      return { to: 'closingDevice', p: conflicts(ended) ? done : { ...done, opened: p.opened.slice(1) } };
    },
  },
  askingBackend: {
    to: ['closingBackend'],
    ask: (p) => [read(p, statePath(p.opened[0]!))],
    learn: (p, [state]) => ({ to: 'closingBackend', p: { ...p, noted: textOf(state) } }),
  },
  closingBackend: {
    to: ['closingDevice', 'watchingBackend'],
    ask: (p) => {
      const backend = backendPath(p.opened[0]!);
      const state = p.noted;
      const closes: Command[] = [];
      // One that is gone has nothing to write to; one that has closed stays as it is.
      if (state !== '') closes.push(write(p, `${backend}/online`, '0'));
      if (state !== '' && state !== XenbusState.Closed) closes.push(write(p, `${backend}/state`, XenbusState.Closing));
      return [...closes, end(p)];
    },
    learn: (p, returns) => ({ to: conflicts(returns.at(-1)) ? 'closingDevice' : 'watchingBackend', p: { ...p, tx: 0 } }),
  },
  watchingBackend: {
    to: ['closingDevice'],
    ask: (p) => [watch(p, statePath(p.opened[0]!))],
    learn: (p) => ({
      to: 'closingDevice',
      p: { ...p, closing: [...p.closing, p.opened[0]!], opened: p.opened.slice(1) },
    }),
  },
  waitingForBackend: {
    to: ['readingBackend'],
    hear: (p, fact) =>
      fact.type === 'xenstore.watch_fired' && fact.path === statePath(p.closing[0]!) ? { to: 'readingBackend', p } : undefined,
  },
  readingBackend: {
    to: ['waitingForBackend', 'unplugging'],
    ask: (p) => [read(p, statePath(p.closing[0]!))],
    learn: (p, [given]) => {
      const state = textOf(given);
      return { to: state === XenbusState.Closed || state === '' ? 'unplugging' : 'waitingForBackend', p };
    },
  },
  unplugging: {
    to: ['askingScript', 'startingRemoval'],
    ask: (p) => [unwatch(p, statePath(p.closing[0]!)), read(p, `${backendPath(p.closing[0]!)}/script`)],
    learn: (p, [, script]) => ({
      to: textOf(script) === '' ? 'startingRemoval' : 'askingScript',
      p: { ...p, noted: textOf(script) },
    }),
  },
  askingScript: {
    to: ['startingRemoval'],
    ask: (p) => [
      {
        type: 'hotplug.run',
        job: p.job,
        domid: p.domid,
        script: p.noted,
        action: 'remove',
        backend_path: relativeBackendPath(p.closing[0]!),
        dev: '',
        params: '',
      },
    ],
    // What a script could not undo does not keep the domain alive.
    hear: (p, fact) =>
      fact.type === 'hotplug.finished' && fact.backend_path === relativeBackendPath(p.closing[0]!)
        ? { to: 'startingRemoval', p }
        : undefined,
  },
  startingRemoval: {
    to: ['removingNodes'],
    ask: (p) => [start(p)],
    learn: (p, [tx]) => {
      const device = p.closing[0]!;
      return remove({ ...p, tx: txOf(tx) }, 'endingRemoval', [frontendPath(device), recordPath(device), backendPath(device)]);
    },
  },
  endingRemoval: {
    to: ['startingRemoval', 'waitingForBackend', 'removingDomain'],
    ask: (p) => [end(p)],
    learn: (p, [ended]) => {
      const done = { ...p, tx: 0 };
      if (conflicts(ended)) return { to: 'startingRemoval', p: done };
      const left = { ...done, closing: p.closing.slice(1) };
      return { to: afterClosing(left), p: left };
    },
  },
  /** libxl__xs_path_cleanup: a node goes, and its parent too where that has neither value nor children left. */
  removingNodes: {
    to: ['lookingAtParent', 'removingNodes', ...afterRemoval],
    ask: (p) => [rm(p, p.doomed[0]!)],
    learn: (p, returns) => {
      const parent = parentOf(p.doomed[0]!);
      return refusal(returns) || parent === '/' ? nextNode(p, p.doomed.slice(1)) : { to: 'lookingAtParent', p };
    },
  },
  lookingAtParent: {
    to: ['removingNodes', ...afterRemoval],
    ask: (p) => [read(p, parentOf(p.doomed[0]!)), directory(p, parentOf(p.doomed[0]!))],
    learn: (p, [value, children]) => {
      const [path, ...rest] = p.doomed;
      const isEmpty = textOf(value) === '' && !refusal([children!]) && childrenOf(children).length === 0;
      return nextNode(p, isEmpty ? [parentOf(path!), ...rest] : rest);
    },
  },
  removingDomain: {
    to: ['removingTrees'],
    ask: (p) => [read(p, `${domainPath(p.domid)}/vm`)],
    learn: (p, [vm]) => ({ to: 'removingTrees', p: { ...p, noted: textOf(vm) } }),
  },
  removingTrees: {
    to: ['destroyingDomain'],
    ask: (p) => [
      ...(p.noted === '' ? [] : [rm(p, p.noted)]),
      rm(p, domainPath(p.domid)),
      rm(p, libxlPath(p.domid)),
      rm(p, `${domainPath(p.domid)}/hvmloader`),
    ],
    learn: (p) => ({ to: 'destroyingDomain', p }),
  },
  destroyingDomain: {
    to: ['destroyingDomain', then],
    ask: (p) => [{ type: 'domctl.destroydomain', domid: 0, domain: p.domid }],
    learn: (p, returns) => ({ to: refusal(returns)?.errno === 'ERESTART' ? 'destroyingDomain' : then, p }),
  },
});

const statePath = (device: Place): string => `${backendPath(device)}/state`;
const conflicts = (ended: Return | undefined): boolean => ended?.errno === 'EAGAIN';
const afterClosing = ({ closing }: Destroying): string => (closing.length > 0 ? 'waitingForBackend' : 'removingDomain');

const afterRemoval = ['forgettingDevice', 'askingBackend', 'endingRemoval'];
const nextNode = <P extends Destroying>(p: P, doomed: readonly string[]): Next<P> => ({
  to: doomed.length > 0 ? 'removingNodes' : p.afterwards,
  p: { ...p, doomed },
});
const remove = <P extends Destroying>(p: P, afterwards: string, doomed: readonly string[]): Next<P> => ({
  to: 'removingNodes',
  p: { ...p, afterwards, doomed },
});

function parentOf(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash <= 0 ? '/' : path.slice(0, slash);
}

/** Devices by the names of their nodes; a kind that we do not make is left to the removal of the whole tree. */
const placesOf = (domid: number, kind: string, devids: readonly string[]): Place[] =>
  kind === 'vbd' || kind === 'vif' || kind === 'console' ? devids.map((devid) => ({ kind, domid, devid: Number(devid) })) : [];
