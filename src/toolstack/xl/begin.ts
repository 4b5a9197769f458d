// From an xl command line to the plan that carries it out.
import type { Plan } from '../libxl/plan.ts';
import { type Invocation, parseArgv } from './argv.ts';
import { consolePlan } from './console.ts';
import { beginCreate, createPlan } from './create.ts';
import { beginDestroy, destroyPlan } from './destroy.ts';
import { beginDebugKeys, beginDmesg, debugKeysPlan, dmesgPlan } from './dmesg.ts';
import { beginDomainJob } from './find.ts';
import { infoPlan } from './info.ts';
import { complain, type Job, newJob, say, sayingPlan } from './job.ts';
import { beginList, beginVcpuList, listPlan, vcpuListPlan } from './list.ts';
import { beginDomid, beginRename, domidPlan, domnamePlan, renamePlan } from './name.ts';
import { pausePlan, unpausePlan } from './pause.ts';
import { beginShutdown, shutdownPlan } from './shutdown.ts';

/** The plan of each subcommand, and of saying that there is nothing to do. */
export const xlPlans: Readonly<Record<string, Plan<object>>> = {
  saying: sayingPlan,
  create: createPlan,
  destroy: destroyPlan,
  shutdown: shutdownPlan,
  reboot: shutdownPlan,
  pause: pausePlan,
  unpause: unpausePlan,
  list: listPlan,
  'vcpu-list': vcpuListPlan,
  info: infoPlan,
  dmesg: dmesgPlan,
  'debug-keys': debugKeysPlan,
  domid: domidPlan,
  domname: domnamePlan,
  rename: renamePlan,
  console: consolePlan,
};

/** An `xl` command line as it comes in: `files` are paths that it names, each followed by what is in it. */
export interface XlInput {
  readonly job: number;
  readonly argv: readonly string[];
  readonly files: readonly string[];
}

/** Which plan, and what it begins with. */
export function beginXl({ job: number, argv, files }: XlInput): { readonly plan: string; readonly p: object } {
  const job = newJob(number);
  const parsed = parseArgv(argv);
  if (!parsed.ok) {
    const { rc, stdout, stderr } = parsed;
    return { plan: 'saying', p: { ...job, rc, prints: [say(stdout), { stream: 'stderr', text: stderr }] } satisfies Job };
  }
  const { invocation } = parsed;
  const begun = begin(job, invocation, (file) => contentOf(files, file));
  if (!('wrong' in begun)) return { plan: invocation.command, p: begun };
  return { plan: 'saying', p: { ...job, rc: begun.rc, prints: [complain(begun.wrong)] } satisfies Job };
}

function begin(
  job: Job,
  invocation: Invocation,
  content: (file: string) => string | undefined,
): Job | { readonly wrong: string; readonly rc: number } {
  switch (invocation.command) {
    case 'create':
      return beginCreate(job, invocation, content);
    case 'destroy':
      return beginDestroy(job, invocation);
    case 'shutdown':
    case 'reboot':
      return beginShutdown(job, invocation);
    case 'list':
      return beginList(job, invocation);
    case 'vcpu-list':
      return beginVcpuList(job, invocation);
    case 'rename':
      return beginRename(job, invocation);
    case 'domid':
      return beginDomid(job, invocation);
    case 'dmesg':
      return beginDmesg(job, invocation);
    case 'debug-keys':
      return beginDebugKeys(job, invocation);
    case 'info':
      return job;
    default:
      return beginDomainJob(job, invocation);
  }
}

function contentOf(files: readonly string[], file: string): string | undefined {
  for (let i = 0; i + 1 < files.length; i += 2) if (files[i] === file) return files[i + 1];
  return undefined;
}
