import { type Plan, refusal } from '../libxl/plan.ts';
import { type DomainJob, domainPlan } from './find.ts';
import { complain } from './job.ts';

/** `xl pause` and `xl unpause`: what Xen refuses is said, and ends well, as recorded. */
const pausing = (operation: 'domctl.pausedomain' | 'domctl.unpausedomain', word: string): Plan<DomainJob> =>
  domainPlan({
    telling: {
      to: ['leaving'],
      ask: ({ domid }) => [{ type: operation, domid: 0, domain: domid }],
      learn: (p, returns) => {
        const refused = refusal(returns);
        const complaint = `domain ${p.domid} cannot be ${word}: ${refused?.errno === 'ESRCH' ? 'there is none; see xl list' : refused?.errno}`;
        return { to: 'leaving', p: refused ? { ...p, prints: [complain(complaint)] } : p };
      },
    },
  });
export const pausePlan = pausing('domctl.pausedomain', 'paused');
export const unpausePlan = pausing('domctl.unpausedomain', 'unpaused');
