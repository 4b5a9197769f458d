// `xl list` and `xl vcpu-list` (tools/xl/xl_info.c, tools/xl/xl_vcpu.c).
import { answer, type Plan } from '../libxl/plan.ts';
import type { Invocation } from './argv.ts';
import { beginDomainJob, type DomainJob, domainPlan, finding, findPhases, isThere, unknown } from './find.ts';
import { connecting, type Job, leaving, say } from './job.ts';
import { formatList, formatVcpuList, type NamedDomain, type VcpuInfo } from './table.ts';

/** `xl list` takes one domain at most. */
export const beginList = (job: Job, invocation: Invocation): DomainJob | { wrong: string; rc: number } =>
  invocation.words.length > 1
    ? { wrong: 'list takes one domain at most: see xl help list', rc: 1 }
    : beginDomainJob(job, invocation);

/** `xl list`. A number that is no domain is a mistake here, and a name that is none too. */
export const listPlan = domainPlan<DomainJob>({
  printingList: {
    to: ['leaving'],
    learn: (p) => {
      if (p.target !== null && !isThere(p)) return unknown(p);
      const shown = p.domains.filter(({ info }) => p.target === null || info.domain === p.domid);
      const has = (letter: string): boolean => p.options.includes(letter);
      const columns = { verbose: has('v'), context: has('Z'), cpupool: has('c'), numa: has('n') };
      return { to: 'leaving', p: { ...p, prints: [say(formatList(shown, columns))] } };
    },
  },
});

export interface VcpuListJob extends DomainJob {
  /** Domains that are to be listed, and the vCPUs of those that have been looked at. */
  readonly shown: readonly NamedDomain[];
  readonly vcpus: readonly (readonly VcpuInfo[])[];
}
export const beginVcpuList = (job: Job, { words, options, values }: Invocation): VcpuListJob => ({
  ...finding(job, null),
  words,
  options,
  values,
  shown: [],
  vcpus: [],
});

/** `xl vcpu-list`, of the domains that it names, in that order, or of all. */
export const vcpuListPlan: Plan<VcpuListJob> = {
  ...connecting('listing'),
  ...findPhases<VcpuListJob>('choosing'),
  choosing: {
    to: ['lookingAtVcpus', 'leaving'],
    learn: (p) => {
      const found = p.words.map((word) => p.domains.find(({ name, info }) => name === word || String(info.domain) === word));
      const missing = found.indexOf(undefined);
      if (missing >= 0) return unknown({ ...p, target: p.words[missing]! });
      return { to: 'lookingAtVcpus', p: { ...p, shown: found.length === 0 ? p.domains : found.flatMap((one) => one ?? []) } };
    },
  },
  lookingAtVcpus: {
    to: ['lookingAtVcpus', 'leaving'],
    ask: ({ shown, vcpus }) => {
      const info = shown[vcpus.length]?.info;
      // A domain without vCPUs has the id of all ones as its highest.
      const count = info === undefined || info.max_vcpu_id === 0xffffffff ? 0 : info.max_vcpu_id + 1;
      return Array.from({ length: count }, (_, vcpu) => ({
        type: 'domctl.getvcpuinfo',
        domid: 0,
        domain: info!.domain,
        vcpu,
      }));
    },
    learn: (p, returns) => {
      const { shown } = p;
      const vcpus = [...p.vcpus, returns.flatMap((given) => answer(given, 'domctl.getvcpuinfo') ?? [])];
      if (vcpus.length < shown.length) return { to: 'lookingAtVcpus', p: { ...p, vcpus } };
      const table = formatVcpuList(shown.map((one, i) => ({ ...one, vcpus: vcpus[i]! })));
      return { to: 'leaving', p: { ...p, prints: [say(table)] } };
    },
  },
  ...leaving(),
};
