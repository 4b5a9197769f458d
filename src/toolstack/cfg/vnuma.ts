// Virtual NUMA: `vnuma = [ [ "pnode=0", "size=512", "vcpus=0-1", "vdistances=10,20" ], ... ]` (parse_vnuma_config in xl_parse.c).
import { bytes, parseRange, within } from './affinity.ts';
import { pair, strtoul, tokens, trim, ULONG_MAX } from './c-text.ts';
import { quote } from './lex.ts';
import type { Reading } from './reading.ts';
import type { BuildInfo, VnodeInfo } from './types.ts';

/** What of the host decides whether a vNUMA configuration is accepted. */
export interface VnumaHost {
  readonly max_cpus: number;
  readonly online_cpus: number;
  readonly nodes: readonly unknown[];
}

/** Adds the virtual nodes to `b_info`, and with them `max_vcpus` and `max_memkb`. */
export function readVnuma(reading: Reading, host: VnumaHost, b_info: BuildInfo): undefined {
  const got = reading.settings.getList('vnuma');
  if (!got.ok || got.value.length === 0) return;
  const specs = got.value;
  const asked = b_info.max_vcpus ?? 0;
  const fail = (message: string): undefined => reading.fail('vnuma', message);
  let vcpus = 0n;
  let memkb = 0n;
  const nodes: VnodeInfo[] = [];
  for (const spec of specs) {
    if (spec.type !== 'list') return fail('each entry of vnuma must be a list of its own: put it in brackets');
    const distances = new Array<number>(specs.length).fill(0);
    const held = new Set<number>();
    const node: VnodeInfo = { distances };
    nodes.push(node);
    for (const option of spec.values) {
      if (option.type !== 'string') continue;
      const split = pair(option.text, '=');
      if (split === undefined) return fail(`${quote(option.text)} in vnuma is not key=value`);
      const [key, value] = [trim(split[0]), trim(split[1])];
      const number = strtoul(value, 10);
      if (key === 'pnode' || key === 'size') {
        if (number.end === 0 || number.value === ULONG_MAX) return fail(`${key} in vnuma is a number, not ${quote(value)}`);
        if (key === 'size') {
          node.memkb = BigInt.asUintN(64, number.value << 10n);
          memkb = BigInt.asUintN(64, memkb + node.memkb);
        } else if (number.value >= BigInt(host.nodes.length))
          return fail(`the host has no node ${number.value}: it has ${host.nodes.length}`);
        else {
          node.pnode = Number(number.value);
          b_info.numa_placement = false;
        }
      } else if (key === 'vcpus') {
        for (const word of tokens(value, ',')) {
          const range = parseRange(word);
          if (range.last === ULONG_MAX) return fail(`${quote(word)} in vnuma is no range of vCPUs`);
          for (const vcpu of within(range, bytes(asked === 0 ? host.max_cpus : asked))) held.add(vcpu);
          if (range.last >= range.first) vcpus += range.last - range.first + 1n;
        }
      } else if (key === 'vdistances') {
        const words = tokens(value, ',');
        if (words.length > distances.length)
          return fail(`vdistances in vnuma has more than one number for each of ${distances.length} nodes`);
        for (const [i, word] of words.entries()) {
          const distance = strtoul(word, 10);
          if (distance.end === 0 || distance.value === ULONG_MAX)
            return fail(`a distance in vnuma is a number, not ${quote(word)}`);
          distances[i] = Number(BigInt.asUintN(32, distance.value));
        }
      }
    }
    node.vcpus = [...held].sort((a, b) => a - b);
  }
  if (asked !== 0) {
    if (BigInt(asked) !== vcpus) return fail(`vnuma has ${vcpus} vCPUs and maxvcpus says ${asked}: make them equal`);
  } else if (BigInt(host.online_cpus) < vcpus)
    return fail(`vnuma has ${vcpus} vCPUs for ${host.online_cpus} CPUs: set maxvcpus where that is meant`);
  else b_info.max_vcpus = Number(vcpus);
  if (b_info.max_memkb !== undefined && b_info.max_memkb !== memkb)
    return fail('the sizes in vnuma do not add up to maxmem: make them equal');
  b_info.max_memkb = memkb;
  b_info.vnuma_nodes = nodes;
}
