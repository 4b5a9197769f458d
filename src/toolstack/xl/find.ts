// How xl finds the domain that a word means (tools/xl/xl_utils.c, find_domain(); libxl_name_to_domid()).
import { answer, type Plan } from '../libxl/plan.ts';
import { domainPath, read } from '../libxl/store.ts';
import type { Invocation } from './argv.ts';
import { connecting, failed, type Job, leaving } from './job.ts';
import type { DomainInfo, NamedDomain } from './table.ts';

/** A job about domains. */
export interface Finding extends Job {
  /** The word for a domain; null for all of them. */
  readonly target: string | null;
  /** Whether a number is looked for among the names too: only `xl domid` does that. */
  readonly byName: boolean;
  /** All domains, once they are listed; their names a phase later. */
  readonly infos: readonly DomainInfo[];
  readonly domains: readonly NamedDomain[];
  /** The domain meant, -1 for none in particular. */
  readonly domid: number;
}
export const finding = (job: Job, target: string | null): Finding => ({
  ...job,
  target,
  byName: false,
  infos: [],
  domains: [],
  domid: -1,
});

/** A job that finds its domain, or all, and then does one thing: with the words and options that it was given. */
export interface DomainJob extends Finding, Pick<Invocation, 'words' | 'options' | 'values'> {}

/** What it begins with: its first word names the domain. */
export const beginDomainJob = (job: Job, { words, options, values }: Invocation): DomainJob => ({
  ...finding(job, words[0] ?? null),
  words,
  options,
  values,
});

/** Its plan: finds the domain, then goes through these phases from the first, and leaves. */
export const domainPlan = <P extends DomainJob>(phases: Plan<P>): Plan<P> => ({
  ...connecting('listing'),
  ...findPhases<P>(Object.keys(phases)[0]!),
  ...phases,
  ...leaving(),
});

export const isThere = ({ infos, domid }: Finding): boolean => infos.some(({ domain }) => domain === domid);
/** The job ends: its word means no domain. */
export const unknown = <P extends Finding>(p: P) => failed(p, `there is no domain ${p.target}: see xl list`);

/** A word of digits is a domid, whether there is such a domain or not; as in xl, one above 16 bits is none that exists. */
export const domidOf = (word: string): number | undefined => (/^[0-9]{1,9}$/.test(word) ? Number(word) : undefined);

/** Phases from `listing` on: lists all domains with their names; then `then`, with `domid` where a domain was meant. */
export const findPhases = <P extends Finding>(then: string): Plan<P> => ({
  listing: {
    to: ['listing', 'naming'],
    ask: ({ infos }) => [{ type: 'domctl.getdomaininfo', domid: 0, domain: (infos.at(-1)?.domain ?? -1) + 1 }],
    learn: (p, [given]) => {
      const found = answer(given, 'domctl.getdomaininfo');
      return found ? { to: 'listing', p: { ...p, infos: [...p.infos, found] } } : { to: 'naming', p };
    },
  },
  naming: {
    to: [then, 'leaving'],
    ask: (p) => p.infos.map(({ domain }) => read(p, `${domainPath(domain)}/name`)),
    learn: (p, returns) => {
      const domains = p.infos.map((info, i): NamedDomain => {
        const name = answer(returns[i], 'xenstore.read')?.value;
        return name === undefined ? { info } : { name, info };
      });
      if (p.target === null) return { to: then, p: { ...p, domains } };
      const number = p.byName ? undefined : domidOf(p.target);
      const domid = number ?? domains.find(({ name }) => name === p.target)?.info.domain;
      return domid === undefined ? unknown(p) : { to: then, p: { ...p, domains, domid } };
    },
  },
});
