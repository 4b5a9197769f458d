// `xl info` (tools/xl/xl_info.c, print_info()), as far as this host has something to say.
import { pagesToMib } from '../../../events/units.ts';
import { answer, type Plan } from '../libxl/plan.ts';
import { failed, type Job, leaving, say } from './job.ts';

export const infoPlan: Plan<Job> = {
  asking: {
    to: ['leaving'],
    ask: () => [{ type: 'host.configuration' }, { type: 'sysctl.physinfo', domid: 0 }],
    learn: (p, [configuration, physinfo]) => {
      const json = answer(configuration, 'host.configuration')?.json;
      const host = answer(physinfo, 'sysctl.physinfo');
      if (json === undefined || !host) return failed(p, 'the host does not say what it is: boot it first');
      const { scheduler, xen_version } = JSON.parse(json) as { scheduler: string; xen_version: string };
      const [major = '', minor = ''] = xen_version.split('.');
      const rows: readonly (readonly [string, string | number])[] = [
        ['machine', 'x86_64'],
        ['nr_cpus', host.nr_cpus],
        ['max_cpu_id', host.max_cpu_id],
        ['nr_nodes', 1],
        ['cores_per_socket', host.nr_cpus],
        ['threads_per_core', 1],
        ['virt_caps', 'pv gnttab-v1'],
        ['total_memory', pagesToMib(host.total_pages)],
        ['free_memory', pagesToMib(host.free_pages)],
        ['sharing_freed_memory', 0],
        ['sharing_used_memory', 0],
        ['outstanding_claims', pagesToMib(host.outstanding_pages)],
        ['free_cpus', 0],
        ['xen_major', major],
        ['xen_minor', minor],
        ['xen_version', xen_version],
        ['xen_caps', 'xen-3.0-x86_64 '],
        ['xen_scheduler', scheduler],
        ['xen_pagesize', 4096],
        ['xend_config_format', 4],
      ];
      return { to: 'leaving', p: { ...p, prints: [say(rows.map(([key, value]) => `${key.padEnd(23)}: ${value}\n`).join(''))] } };
    },
  },
  ...leaving(),
};
