import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { mibToPages } from '../../../events/units.ts';
import { XEN_DOMINF } from '../../abi/domctl.ts';
import { type DomainInfo, formatList, formatVcpuList, type NamedDomain, type VcpuInfo } from './table.ts';

const recordings = readFileSync(new URL('../../../test/golden/xl/cli.jsonl', import.meta.url), 'utf8')
  .trimEnd()
  .split('\n')
  .map((line) => JSON.parse(line) as { boot: number; seq: number; cmd: string; stdout: string });
const lists = recordings.filter(({ cmd }) => cmd.includes(' list'));
const vcpuLists = recordings.filter(({ cmd }) => cmd.includes('vcpu-list'));

const nothing: DomainInfo = {
  ...{ domain: 0, flags: 0, tot_pages: 0, max_pages: 0, outstanding_pages: 0, shared_info_frame: 0, cpu_time_ns: 0 },
  ...{ nr_online_vcpus: 0, max_vcpu_id: 0, ssidref: 0, cpupool: 0, handle: '00000000-0000-0000-0000-000000000000' },
  emulation_flags: 0,
  misc_flags: 0,
};

/** What a recorded line says, read by its columns and not by its letters' places. */
function read(line: string): NamedDomain {
  const name = line.slice(0, 40).trimEnd().length < 40 ? line.slice(0, 40).trimEnd() : undefined;
  const [domain, mib, vcpus, state, time, uuid] = line.slice(40).trim().split(/ +/);
  const letters = 'rscwS';
  let flags = 0;
  for (const [letter, flag] of [
    ...([
      ['r', XEN_DOMINF.running],
      ['b', XEN_DOMINF.blocked],
      ['p', XEN_DOMINF.paused],
      ['s', XEN_DOMINF.shutdown],
    ] as const),
  ])
    if (state!.slice(0, 4).includes(letter)) flags |= flag;
  if (state![5] === 'd') flags |= XEN_DOMINF.dying;
  flags |= (letters.indexOf(state![4]!) + 1) << XEN_DOMINF.shutdownshift;
  const info = {
    ...nothing,
    flags,
    domain: Number(domain),
    tot_pages: mibToPages(Number(mib)),
    nr_online_vcpus: Number(vcpus),
    cpu_time_ns: Math.round(Number(time) * 1e9),
    handle: uuid ?? nothing.handle,
  };
  return name === '(null)' || name === undefined ? { info } : { name, info };
}

describe('tables come out byte for byte', () => {
  test('there are enough of them', () => {
    expect(lists.length).toBeGreaterThan(60);
    expect(vcpuLists.length).toBeGreaterThan(5);
  });
  test.each(lists)('boot $boot, $seq: $cmd', ({ cmd, stdout }) => {
    const domains = stdout.trimEnd().split('\n').slice(1).map(read);
    const columns = {
      verbose: / list -v/.test(cmd),
      context: / list -Z/.test(cmd),
      cpupool: / list -c/.test(cmd),
      numa: / list -n/.test(cmd),
    };
    expect(formatList(domains, columns)).toBe(stdout);
  });
  test.each(vcpuLists)('boot $boot, $seq: $cmd', ({ stdout }) => {
    const domains = new Map<string, NamedDomain & { vcpus: VcpuInfo[] }>();
    for (const line of stdout.trimEnd().split('\n').slice(1)) {
      const [name, domain, , cpu, state, time] = line.replace(/\(|\)/g, '').split(/ +/);
      const of = domains.get(domain!) ?? { name: name!, info: { ...nothing, domain: Number(domain) }, vcpus: [] };
      domains.set(domain!, of);
      const flag = (letter: string) => (state!.includes(letter) ? 1 : 0);
      const online = cpu === '-' ? 0 : 1;
      of.vcpus.push({
        online,
        blocked: flag('b'),
        running: flag('r'),
        cpu_time: Math.round(Number(time) * 1e9),
        cpu: Number(cpu) || 0,
      });
    }
    expect(formatVcpuList([...domains.values()])).toBe(stdout);
  });
});

test.each([
  [0, '0.0'],
  [49_999_999, '0.0'],
  [50_000_000, '0.1'],
  [99_949_999_999, '99.9'],
  [3_600_000_000_000, '3600.0'],
])('%i ns are %s s', (cpu_time_ns, seconds) => {
  expect(formatList([{ name: 'a', info: { ...nothing, cpu_time_ns } }])).toContain(` ${seconds}\n`);
});

test('a domain without a name, one that dies, and a reason that nobody knows', () => {
  const flags = XEN_DOMINF.dying | XEN_DOMINF.shutdown | (77 << XEN_DOMINF.shutdownshift);
  expect(formatList([{ info: { ...nothing, flags } }])).toMatch(/^\(null\) .* ---s\?d /m);
});
