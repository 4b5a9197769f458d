// The tables that xl prints (tools/xl/xl_info.c, list_domains(); tools/xl/xl_vcpu.c, print_vcpuinfo()).
import { pagesToMib } from '../../../events/units.ts';
import type { AnswerOf } from '../../../events/vocabulary.ts';
import { XEN_DOMINF } from '../../abi/domctl.ts';

export type DomainInfo = AnswerOf<'domctl.getdomaininfo'>;
export type VcpuInfo = AnswerOf<'domctl.getvcpuinfo'>;

/** A domain in a list: without a name where XenStore has none. */
export interface NamedDomain {
  readonly name?: string;
  readonly info: DomainInfo;
}

/** `xl list`, byte for byte. */
export function formatList(
  domains: readonly NamedDomain[],
  columns: { verbose?: boolean; context?: boolean; cpupool?: boolean; numa?: boolean } = {},
): string {
  const { verbose = false, context = false, cpupool = false, numa = false } = columns;
  const head = [
    'Name                                        ID   Mem VCPUs\tState\tTime(s)',
    verbose ? '   UUID                            Reason-Code\tSecurity Label' : context ? '   Security Label' : '',
    cpupool ? '         Cpupool' : '',
    numa ? ' NODE Affinity' : '',
  ];
  const lines = domains.map(({ name, info }) => {
    const { domain, flags, tot_pages, nr_online_vcpus, cpu_time_ns, handle } = info;
    const reason = (flags >>> XEN_DOMINF.shutdownshift) & XEN_DOMINF.shutdownmask;
    const isShutDown = (flags & XEN_DOMINF.shutdown) !== 0;
    return [
      `${nameOf(name).padEnd(40)} ${pad(domain, 5)} ${pad(pagesToMib(tot_pages), 5)} ${pad(nr_online_vcpus, 5)}     ${stateOf(flags)}  ${seconds(cpu_time_ns).padStart(8)}`,
      verbose ? ` ${handle} ${(isShutDown ? reason.toString(16) : '-').padStart(8)}` : '',
      verbose || context ? ` ${'-'.padStart(16)}` : '',
      cpupool ? 'Pool-0'.padStart(16) : '',
      numa ? ' all' : '',
    ].join('');
  });
  return `${[head.join(''), ...lines].join('\n')}\n`;
}

/** `xl vcpu-list`: the vCPUs of each domain, whatever pCPUs they may run on. */
export function formatVcpuList(domains: readonly (NamedDomain & { readonly vcpus: readonly VcpuInfo[] })[]): string {
  const lines = domains.flatMap(({ name, info, vcpus }) =>
    vcpus.map(({ online, cpu, running, blocked, cpu_time }, vcpu) => {
      const where = online === 0 ? `${'-'.padStart(5)}   --p ` : `${pad(cpu, 5)}   ${flag(running, 'r')}${flag(blocked, 'b')}- `;
      return `${nameOf(name).padEnd(32)} ${pad(info.domain, 5)} ${pad(vcpu, 5)}${where}${seconds(cpu_time).padStart(9)}  all / all\n`;
    }),
  );
  return `Name                                ID  VCPU   CPU State   Time(s) Affinity (Hard / Soft)\n${lines.join('')}`;
}

/** What printf makes of a name that is not there. */
const nameOf = (name: string | undefined): string => name ?? '(null)';
const pad = (value: number, width: number): string => String(value).padStart(width);
const flag = (on: number, letter: string): string => (on === 0 ? '-' : letter);

/** Of SHUTDOWN_poweroff to SHUTDOWN_soft_reset; any other reason is unknown. */
const reasonLetters = '-rscwS';

function stateOf(flags: number): string {
  const reason = (flags >>> XEN_DOMINF.shutdownshift) & XEN_DOMINF.shutdownmask;
  const letters = (['running', 'blocked', 'paused', 'shutdown'] as const).map((name) => flag(flags & XEN_DOMINF[name], name[0]!));
  const shutdown = (flags & XEN_DOMINF.shutdown) === 0 ? '-' : (reasonLetters[reason] ?? '?');
  return `${letters.join('')}${shutdown}${flag(flags & XEN_DOMINF.dying, 'd')}`;
}

/** Nanoseconds as seconds with one decimal, rounded. */
function seconds(ns: number): string {
  const tenths = Math.floor((ns + 50_000_000) / 100_000_000);
  return `${Math.floor(tenths / 10)}.${tenths % 10}`;
}
