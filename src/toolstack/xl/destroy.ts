// `xl destroy` (tools/xl/xl_vmcontrol.c, main_destroy()).
import { type Destroying, destroyPhases, nothingToDestroy } from '../libxl/destroy.ts';
import { answer, type Plan } from '../libxl/plan.ts';
import type { Invocation } from './argv.ts';
import { type Finding, finding, findPhases } from './find.ts';
import { connecting, failed, type Job, leaving } from './job.ts';

export type DestroyJob = Finding & Destroying;

export const beginDestroy = (job: Job, { words }: Invocation): DestroyJob => ({
  ...finding(job, words[0]!),
  ...nothingToDestroy,
});

export const destroyPlan: Plan<DestroyJob> = {
  ...connecting('listing'),
  ...findPhases<DestroyJob>('examining'),
  examining: {
    to: ['pausingDomain', 'leaving'],
    ask: ({ domid }) => [{ type: 'domctl.getdomaininfo', domid: 0, domain: domid }],
    learn: (p, [info]) => {
      if (p.domid === 0) return failed(p, 'domain 0 is the control domain, which cannot be destroyed: shut the host down');
      return answer(info, 'domctl.getdomaininfo')?.domain === p.domid
        ? { to: 'pausingDomain', p }
        : failed(p, `there is no domain ${p.domid}: see xl list`);
    },
  },
  ...destroyPhases<DestroyJob>('leaving'),
  ...leaving(),
};
