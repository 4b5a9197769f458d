// `xl console` (tools/xl/xl_console.c).
import { domainPath, read, textOf } from '../libxl/store.ts';
import { type DomainJob, domainPlan, isThere, unknown } from './find.ts';
import { failed } from './job.ts';

/** `xl console`: sees that there is one. What is typed comes as inputs of their own, and what is printed as facts. */
export const consolePlan = domainPlan<DomainJob>({
  lookingForConsole: {
    to: ['leaving'],
    ask: (p) => [read(p, `${domainPath(p.domid)}/console/tty`)],
    learn: (p, [tty]) => {
      const { t: type = 'pv' } = p.values;
      if (!CONSOLE_TYPES.includes(type)) return failed(p, `a console is ${CONSOLE_TYPES.join(', ')}, not ${type}: correct -t`);
      if (!isThere(p)) return unknown(p);
      return textOf(tty) === '' || type !== 'pv'
        ? failed(p, `domain ${p.domid} has no ${type} console: try xl console ${p.target}`)
        : { to: 'leaving', p };
    },
  },
});

const CONSOLE_TYPES = ['pv', 'serial', 'vuart'];
