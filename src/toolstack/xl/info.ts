// `xl info` (tools/xl/xl_info.c): what the hypervisor says of the machine and of itself. Of dom0's kernel there is nothing to say.
import { pagesToMib } from '../../../events/units.ts';
import { XEN_SCHEDULER, XEN_SYSCTL_CPUPOOL_OP } from '../../abi/scheduler.ts';
import { XEN_SYSCTL_PHYSCAP } from '../../abi/sysctl.ts';
import { answer, type Plan } from '../libxl/plan.ts';
import { failed, type Job, leaving, say } from './job.ts';

const domid = 0;
const pool = { cpupool_id: 0, sched_id: 0, domain: 0, cpu: 0 };

export const infoPlan: Plan<Job> = {
  asking: {
    to: ['leaving'],
    ask: () => [
      { type: 'sysctl.physinfo', domid },
      { type: 'sysctl.cpupool_op', domid, op: XEN_SYSCTL_CPUPOOL_OP.FREEINFO, ...pool },
      { type: 'sysctl.sched_id', domid },
      { type: 'xen_version.version', domid },
      { type: 'xen_version.extraversion', domid },
      { type: 'xen_version.capabilities', domid },
      { type: 'xen_version.pagesize', domid },
      { type: 'xen_version.platform_parameters', domid },
      { type: 'xen_version.changeset', domid },
      { type: 'xen_version.commandline', domid },
    ],
    learn: (p, [physinfo, free, scheduler, version, extra, capabilities, pagesize, platform, changeset, commandline]) => {
      const host = answer(physinfo, 'sysctl.physinfo');
      const number = answer(version, 'xen_version.version')?.version;
      if (!host || number === undefined) return failed(p, 'the host does not say what it is: boot it first');
      const [major, minor] = [number >>> 16, number & 0xffff];
      const extraversion = answer(extra, 'xen_version.extraversion')?.extraversion ?? '';
      const sched_id = answer(scheduler, 'sysctl.sched_id')?.sched_id;
      const rows: readonly (readonly [string, string | number])[] = [
        ['machine', 'x86_64'],
        ['nr_cpus', host.nr_cpus],
        ['max_cpu_id', host.max_cpu_id],
        ['nr_nodes', host.nr_nodes],
        ['cores_per_socket', host.cores_per_socket],
        ['threads_per_core', host.threads_per_core],
        ['cpu_mhz', `${Math.floor(host.cpu_khz / 1000)}.${`${host.cpu_khz % 1000}`.padStart(3, '0')}`],
        ['hw_caps', host.hw_cap.map((word) => (word >>> 0).toString(16).padStart(8, '0')).join(':')],
        ['virt_caps', virtualCapabilities(host.capabilities).join(' ')],
        ['total_memory', pagesToMib(host.total_pages)],
        ['free_memory', pagesToMib(host.free_pages - host.outstanding_pages)],
        ['sharing_freed_memory', 0],
        ['sharing_used_memory', 0],
        ['outstanding_claims', pagesToMib(host.outstanding_pages)],
        ['free_cpus', answer(free, 'sysctl.cpupool_op')?.cpumap.length ?? 0],
        ['xen_major', major],
        ['xen_minor', minor],
        ['xen_extra', extraversion],
        ['xen_version', `${major}.${minor}${extraversion}`],
        ['xen_caps', answer(capabilities, 'xen_version.capabilities')?.capabilities ?? ''],
        ['xen_scheduler', Object.entries(XEN_SCHEDULER).find(([, id]) => id === sched_id)?.[0] ?? 'unknown'],
        ['xen_pagesize', answer(pagesize, 'xen_version.pagesize')?.pagesize ?? 0],
        ['platform_params', `virt_start=${answer(platform, 'xen_version.platform_parameters')?.virt_start ?? ''}`],
        ['xen_changeset', answer(changeset, 'xen_version.changeset')?.changeset ?? ''],
        ['xen_commandline', answer(commandline, 'xen_version.commandline')?.commandline ?? ''],
        ['xend_config_format', 4],
      ];
      return { to: 'leaving', p: { ...p, prints: [say(rows.map(([key, value]) => `${key.padEnd(23)}: ${value}\n`).join(''))] } };
    },
  },
  ...leaving(),
};

/** In the order in which xl says them. */
function virtualCapabilities(bits: number): string[] {
  const has = (capability: keyof typeof XEN_SYSCTL_PHYSCAP): boolean => (bits & XEN_SYSCTL_PHYSCAP[capability]) !== 0;
  const names: readonly (readonly [string, boolean])[] = [
    ['pv', has('pv')],
    ['hvm', has('hvm')],
    ['hvm_directio', has('hvm') && has('directio')],
    ['pv_directio', has('pv') && has('directio')],
    ['hap', has('hap')],
    ['shadow', has('shadow')],
    ['iommu_hap_pt_share', has('iommu_hap_pt_share')],
    ['vmtrace', has('vmtrace')],
    ['vpmu', has('vpmu')],
    ['gnttab-v1', has('gnttab_v1')],
    ['gnttab-v2', has('gnttab_v2')],
  ];
  return names.filter(([, there]) => there).map(([name]) => name);
}
