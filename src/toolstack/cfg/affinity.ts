// Which physical CPUs a vCPU may run on: `cpus` and `cpus_soft` (parse_cpurange in tools/xl/xl_parse.c).
import { strtoul, tokens, ULONG_MAX } from './c-text.ts';
import { quote } from './lex.ts';

/** What a set of CPUs is resolved against. */
export interface CpuTopology {
  /** One more than the highest possible CPU number. */
  readonly max_cpus: number;
  /** The CPUs of each NUMA node. */
  readonly nodes: readonly (readonly number[])[];
}

export type CpuSet = { readonly ok: true; readonly cpus: readonly number[] } | { readonly ok: false; readonly message: string };

/**
 * Reads `0-3,^1,node:1,all`, from left to right. As libxl's bitmaps are whole bytes, `all` has up to seven CPUs more than
 * there are, and what lies beyond them is ignored.
 */
export function parseCpus(text: string, topology: CpuTopology): CpuSet {
  const width = bytes(topology.max_cpus);
  const set = new Uint8Array(width);
  for (const token of tokens(text, ',')) {
    const [, not, nodes, rest] = /^(\^?)(nodes?:)?(.*)$/s.exec(token) as unknown as [string, string, string | undefined, string];
    const value = not === '' ? 1 : 0;
    if (rest === 'all') {
      if (value === 0) return { ok: false, message: `^ and all cannot be combined in ${quote(text)}: leave it out` };
      set.fill(1);
      continue;
    }
    const range = parseRange(rest);
    if (!range.ok) return { ok: false, message: `${quote(rest)} is no CPU or range of CPUs: write 2 or 0-3` };
    if (nodes === undefined) for (const cpu of within(range, width)) set[cpu] = value;
    // xl gathers a node's CPUs in a map as wide as its map of nodes, so the highest may be lost.
    else
      for (const node of within(range, topology.nodes.length))
        for (const cpu of topology.nodes[node]!) if (cpu < width && cpu < bytes(topology.nodes.length)) set[cpu] = value;
  }
  return { ok: true, cpus: [...set.keys()].filter((cpu) => set[cpu] === 1) };
}

/** `a` or `a-b` with a not above b. `first` and `last` are what was read even where it is wrong: vNUMA goes on with that. */
export function parseRange(text: string): { readonly ok: boolean; readonly first: bigint; readonly last: bigint } {
  const first = strtoul(text, 10);
  if (first.end === 0 || first.value === ULONG_MAX) return { ok: false, first: first.value, last: first.value };
  if (text[first.end] !== '-') return { ok: first.end === text.length, first: first.value, last: first.value };
  const start = first.end + 1;
  const last = strtoul(text, 10, start);
  const ok = last.end !== start && last.value !== ULONG_MAX && last.value >= first.value && last.end === text.length;
  return { ok, first: first.value, last: last.value };
}

/** The bits below `width` that a range sets, where each number is cut to 32 bits. */
export function within({ first, last }: { readonly first: bigint; readonly last: bigint }, width: number): number[] {
  const bits: number[] = [];
  for (let bit = 0; bit < width; bit++) {
    const from = first + BigInt.asUintN(32, BigInt(bit) - first);
    if (from <= last) bits.push(bit);
  }
  return bits;
}

export const bytes = (bits: number): number => (bits + 7) & ~7;
