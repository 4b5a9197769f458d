// Memory, CPUs, scheduling and grants of a domain: what it takes of the host (docs/man/xl.cfg.5.pod.in).
import { parseCpus } from './affinity.ts';
import { int32, uint32 } from './c-text.ts';
import { quote } from './lex.ts';
import type { Reading } from './reading.ts';
import { leadingStrings } from './settings.ts';
import type { Surroundings } from './surroundings.ts';
import { type BuildInfo, named, vuartTypes } from './types.ts';
import { readVnuma } from './vnuma.ts';

/** More vCPUs than any domain can have (8192), and few enough to list each. xl would try, and run out of memory. */
const MAX_VCPUS = 65536n;

export function readResources(reading: Reading, surroundings: Surroundings): BuildInfo {
  const b_info: BuildInfo = { claim_mode: surroundings.claim_mode, blkdev_start: surroundings.blkdev_start };
  // Where both labels are given, `seclabel` is for the time after the build.
  if (reading.settings.getString('init_seclabel').ok) b_info.exec_ssid_label = reading.text('seclabel');
  b_info.sched_params = {
    weight: reading.int('cpu_weight'),
    cap: reading.int('cap'),
    period: reading.int('period'),
    slice: reading.int('slice'),
    latency: reading.int('latency'),
    extratime: reading.int('extratime'),
  };
  b_info.target_memkb = reading.kb('memory');
  b_info.max_memkb = reading.kb('maxmem');

  const vcpus = reading.long('vcpus') ?? 0n;
  if (vcpus < 0n || vcpus > MAX_VCPUS)
    reading.fail('vcpus', `a domain cannot have ${vcpus} vCPUs: write a smaller number, from 1 up`);
  else b_info.avail_vcpus = [...new Array(Number(vcpus)).keys()];
  b_info.max_vcpus = reading.int('maxvcpus');
  const vuart = reading.text('vuart');
  if (vuart !== undefined) {
    b_info.arch_arm = { vuart: named(vuartTypes, vuart) };
    if (b_info.arch_arm.vuart === undefined) reading.fail('vuart', `vuart is sbsa_uart, not ${quote(vuart)}`);
  }
  readVnuma(reading, surroundings, b_info);
  b_info.max_memkb ??= b_info.target_memkb;
  if ((b_info.max_vcpus ?? 0) === 0) b_info.max_vcpus = int32(vcpus);
  if (BigInt(b_info.max_vcpus!) < vcpus)
    reading.fail('maxvcpus', `maxvcpus is ${b_info.max_vcpus}, less than the ${vcpus} of vcpus: raise it`);

  b_info.vcpu_hard_affinity = readAffinity(reading, 'cpus', surroundings, b_info);
  b_info.vcpu_soft_affinity = readAffinity(reading, 'cpus_soft', surroundings, b_info);
  b_info.max_grant_frames = readLimit(reading, 'max_grant_frames', surroundings.max_grant_frames);
  b_info.max_maptrack_frames = readLimit(reading, 'max_maptrack_frames', surroundings.max_maptrack_frames);
  b_info.max_grant_version = readLimit(reading, 'max_grant_version', surroundings.max_grant_version);
  return b_info;
}

/** A string counts for every vCPU, a list has one entry for each; entries beyond the last vCPU are ignored. */
function readAffinity(
  reading: Reading,
  key: 'cpus' | 'cpus_soft',
  surroundings: Surroundings,
  b_info: BuildInfo,
): (readonly number[])[] | undefined {
  const setting = reading.settings.find(key);
  if (setting === undefined) return undefined;
  const vcpus = b_info.max_vcpus ?? 0;
  if (vcpus < 0 || vcpus > Number(MAX_VCPUS)) {
    reading.fail('maxvcpus', `a domain cannot have ${vcpus} vCPUs: write a smaller number, from 1 up`);
    return undefined;
  }
  const parse = (text: string): readonly number[] => {
    const set = parseCpus(text, surroundings);
    if (set.ok) return set.cpus;
    reading.fail(key, set.message);
    return [];
  };
  const { value } = setting;
  // Whoever places vCPUs by hand, one by one or softly, does not want them placed by the host's nodes.
  if (value.type === 'list' || key === 'cpus_soft') b_info.numa_placement = false;
  if (value.type === 'string') {
    const cpus = parse(value.text);
    return new Array(vcpus).fill(cpus);
  }
  const entries = value.values.slice(0, vcpus);
  const given = leadingStrings(entries).map(parse);
  return entries.map((_, vcpu) => given[vcpu] ?? []);
}

function readLimit(reading: Reading, key: string, otherwise: number | undefined): number | undefined {
  const got = reading.settings.getBoundedLong(key, 0n, 0x7fffffffn);
  if (got.ok) return uint32(got.value);
  if (got.errno !== 'ESRCH') reading.fail(key, `${key} is a whole number from 0 to 2147483647`);
  return otherwise;
}
