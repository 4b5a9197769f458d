// `xl shutdown` and `xl reboot` (tools/xl/xl_vmcontrol.c, main_shutdown_or_reboot(); tools/libs/light/libxl_domain.c, pvcontrol_cb()).
import { XEN_DOMINF } from '../../abi/domctl.ts';
import { answer, type Plan } from '../libxl/plan.ts';
import { domainPath, read, unwatch, watch, write } from '../libxl/store.ts';
import type { Invocation } from './argv.ts';
import { type Finding, finding, findPhases } from './find.ts';
import { connecting, failed, type Job, leaving, printing } from './job.ts';

export interface ShutdownJob extends Finding {
  readonly request: 'poweroff' | 'reboot';
  readonly waits: boolean;
  /** Domains that are still to be asked; the first is the one at hand. Then those that are waited for. */
  readonly asking: readonly number[];
  readonly waitingFor: readonly number[];
}

/** What it begins with, or what is wrong with its words. */
export function beginShutdown(job: Job, { command, options, words }: Invocation): ShutdownJob | { wrong: string; rc: number } {
  const all = options.includes('a');
  if (!all && words.length === 0) return { wrong: `${command} needs a domain, or -a for all: see xl help ${command}`, rc: 1 };
  return {
    ...finding(job, all ? null : words[0]!),
    request: command === 'reboot' ? 'reboot' : 'poweroff',
    waits: options.includes('w'),
    asking: [],
    waitingFor: [],
  };
}

const RELEASE = '@releaseDomain';
const controlPath = (domid: number): string => `${domainPath(domid)}/control/shutdown`;

export const shutdownPlan: Plan<ShutdownJob> = {
  ...connecting('listing'),
  ...findPhases<ShutdownJob>('choosing'),
  choosing: {
    to: ['asking', 'leaving'],
    learn: (p) => {
      const others = p.infos.map(({ domain }) => domain).filter((domain) => domain !== 0);
      const asking = p.target === null ? others : [p.domid];
      if (asking.length === 0) return { to: 'leaving', p };
      return p.infos.some(({ domain }) => domain === asking[0])
        ? { to: 'asking', p: { ...p, asking } }
        : failed(p, `there is no domain ${p.domid}: see xl list`);
    },
  },
  asking: {
    to: ['waitingForGuest', 'asked', 'leaving'],
    ask: (p) => {
      const domid = p.asking[0]!;
      const text = `${p.request === 'reboot' ? 'Asking for a reboot of' : 'Asking for the end of'} domain ${domid}\n`;
      return [
        ...printing({ ...p, prints: [{ stream: 'stderr', text }] }),
        write(p, controlPath(domid), p.request),
        watch(p, controlPath(domid)),
      ];
    },
    learn: (p) => {
      const [domid] = p.asking;
      const flags = p.infos.find(({ domain }) => domain === domid)?.flags ?? 0;
      // dom0 has heard, and does nothing of it here.
      if (domid === 0) return { to: 'asked', p };
      // libxl waits for a minute. Who can not run can not answer: there is no clock, and no need of one.
      return (flags & (XEN_DOMINF.paused | XEN_DOMINF.shutdown)) === 0
        ? { to: 'waitingForGuest', p }
        : failed(p, `domain ${domid} does not run, and does not answer; it finds the request when it runs: xl unpause ${domid}`);
    },
  },
  waitingForGuest: {
    to: ['readingAnswer'],
    hear: (p, fact) =>
      fact.type === 'xenstore.watch_fired' && fact.path === controlPath(p.asking[0]!) ? { to: 'readingAnswer', p } : undefined,
  },
  /** The guest takes the request by writing nothing over it; or it has gone, and its nodes with it. */
  readingAnswer: {
    to: ['waitingForGuest', 'asked'],
    ask: (p) => [read(p, controlPath(p.asking[0]!))],
    learn: (p, [value]) => ({ to: answer(value, 'xenstore.read')?.value === p.request ? 'waitingForGuest' : 'asked', p }),
  },
  asked: {
    to: ['asking', 'watchingReleases', 'leaving'],
    ask: (p) => [unwatch(p, controlPath(p.asking[0]!))],
    learn: (p) => {
      const [domid, ...asking] = p.asking;
      const next = { ...p, asking, waitingFor: [...p.waitingFor, domid!] };
      if (asking.length > 0) return { to: 'asking', p: next };
      return { to: p.waits ? 'watchingReleases' : 'leaving', p: next };
    },
  },

  watchingReleases: {
    to: ['waitingForRelease'],
    ask: (p) => [watch(p, RELEASE)],
    learn: (p) => ({ to: 'waitingForRelease', p }),
  },
  waitingForRelease: {
    to: ['looking'],
    hear: (p, fact) => (fact.type === 'xenstore.watch_fired' && fact.path === RELEASE ? { to: 'looking', p } : undefined),
  },
  looking: {
    to: ['waitingForRelease', 'released'],
    ask: ({ waitingFor }) => waitingFor.map((domain) => ({ type: 'domctl.getdomaininfo', domid: 0, domain })),
    learn: (p, returns) => {
      const waitingFor = p.waitingFor.filter((domid, i) => {
        const info = answer(returns[i], 'domctl.getdomaininfo');
        return info?.domain === domid && (info.flags & (XEN_DOMINF.shutdown | XEN_DOMINF.dying)) === 0;
      });
      const over = p.waitingFor.filter((domid) => !waitingFor.includes(domid));
      const prints = [...p.prints, ...over.map((domid) => ({ stream: 'stderr', text: `Domain ${domid} is down\n` }) as const)];
      return { to: waitingFor.length > 0 ? 'waitingForRelease' : 'released', p: { ...p, waitingFor, prints } };
    },
  },
  released: {
    to: ['leaving'],
    ask: (p) => [unwatch(p, RELEASE)],
    learn: (p) => ({ to: 'leaving', p }),
  },
  ...leaving(),
};
