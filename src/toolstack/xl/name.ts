// What domains are called: `xl domid`, `xl domname`, `xl rename` (tools/xl/xl_misc.c, tools/xl/xl_info.c).
import { type Plan, refusal } from '../libxl/plan.ts';
import { domainPath, end, read, start, textOf, txOf, write } from '../libxl/store.ts';
import type { Invocation } from './argv.ts';
import { beginDomainJob, type DomainJob, domainPlan, domidOf, isThere, unknown } from './find.ts';
import { failed, type Job, say } from './job.ts';

/** `xl domid` looks for a name, though it be a number. */
export const beginDomid = (job: Job, invocation: Invocation): DomainJob => ({ ...beginDomainJob(job, invocation), byName: true });

export const domidPlan = domainPlan<DomainJob>({
  printingDomid: { to: ['leaving'], learn: (p) => ({ to: 'leaving', p: { ...p, prints: [say(`${p.domid}\n`)] } }) },
});

/** `xl domname`: by number only. */
export const domnamePlan = domainPlan<DomainJob>({
  printingName: {
    to: ['leaving'],
    learn: (p) => {
      const name = p.domains.find(({ info }) => info.domain === p.domid)?.name;
      if (domidOf(p.target ?? '') === undefined) return failed(p, `${p.target} is no domain id: write a number`);
      return name === undefined ? unknown(p) : { to: 'leaving', p: { ...p, prints: [say(`${name}\n`)] } };
    },
  },
});

export interface RenameJob extends DomainJob {
  /** Where the domain has its name a second time, '' for nowhere. */
  readonly vm: string;
}
export const beginRename = (job: Job, invocation: Invocation): RenameJob => ({ ...beginDomainJob(job, invocation), vm: '' });

/** `xl rename` (tools/libs/light/libxl_domain.c, libxl__domain_rename). An empty name is one that any number may have. */
export const renamePlan: Plan<RenameJob> = domainPlan({
  starting: {
    to: ['renaming', 'leaving'],
    ask: (p) => [read(p, `${domainPath(p.domid)}/vm`), start(p)],
    learn: (p, [vm, tx]) => {
      const name = p.words[1]!;
      const holder = p.domains.find((one) => one.name === name && name !== '');
      if (!isThere(p)) return unknown(p);
      if (holder && holder.info.domain !== p.domid)
        return failed(p, `the name ${name} is taken by domain ${holder.info.domain}: choose another`);
      return { to: 'renaming', p: { ...p, tx: txOf(tx), vm: textOf(vm) } };
    },
  },
  renaming: {
    to: ['starting', 'leaving'],
    ask: (p) => [
      write(p, `${domainPath(p.domid)}/name`, p.words[1]!),
      ...(p.vm === '' ? [] : [write(p, `${p.vm}/name`, p.words[1]!)]),
      end(p),
    ],
    learn: (p, returns) => ({ to: refusal(returns)?.errno === 'EAGAIN' ? 'starting' : 'leaving', p: { ...p, tx: 0 } }),
  },
});
