// CPUID policies: `cpuid = "host,tm=0,sse3=1"` and the old lists of registers (tools/libs/light/libxl_cpuid.c).
import { strtoul, tokens } from './c-text.ts';
import { cpuidFeature } from './cpuid-features.ts';
import { quote } from './lex.ts';
import type { Reading } from './reading.ts';
import { leadingStrings } from './settings.ts';
import type { CpuidLeaf, CpuidPolicy } from './types.ts';

/** `cpuid`, as a string or as a list of the old form. Nothing in it is an error for xl: what it cannot read it leaves out. */
export function readCpuid(reading: Reading): CpuidPolicy | undefined {
  const value = reading.settings.find('cpuid')?.value;
  if (value === undefined) return undefined;
  const masks = new CpuidMasks();
  const warn = (wrong: string | undefined) => {
    if (wrong !== undefined) reading.warn('cpuid', `${wrong}: it is ignored`);
  };
  if (value.type === 'list') for (const entry of leadingStrings(value.values)) warn(masks.setRegisters(entry));
  else {
    const [host, ...entries] = tokens(value.text, ',');
    if (host === 'host') for (const entry of entries) warn(masks.set(entry));
    else if (host !== undefined) warn(`cpuid must begin with "host", unlike ${quote(value.text)}`);
  }
  const { cpuid, msr } = masks;
  return cpuid.length + msr.length === 0 ? undefined : { cpuid, msr };
}

interface Msr {
  readonly index: number;
  policy: string;
}

/** The masks asked for so far. An entry that is wrong is left out, but the leaf it named may stay, as in libxl. */
export class CpuidMasks {
  readonly cpuid: CpuidLeaf[] = [];
  readonly msr: Msr[] = [];

  /** One `name=value` of the new form: a number, or x (as by default), k or s. Answers what is wrong with it. */
  set(entry: string): string | undefined {
    const equals = entry.indexOf('=');
    if (equals < 0) return `${quote(entry)} is not name=value`;
    const [name, value] = [entry.slice(0, equals), entry.slice(equals + 1)];
    const feature = cpuidFeature(name);
    if (feature === undefined) return `there is no CPUID feature ${quote(name)}`;
    const wrong = `the value of ${name} is 0, 1, x, k or s, not ${quote(value)}`;

    if ('msr' in feature) {
      const msr = this.msrOf(feature.msr);
      if (!/^[01xks]$/.test(value)) return wrong;
      msr.policy = put(msr.policy, 63 - feature.bit, value === 's' ? 'k' : value);
      return undefined;
    }
    const { bit, length, register } = feature;
    const leaf = this.leafOf(feature.leaf, feature.subleaf);
    const number = strtoul(value, 0);
    const letter = value[0] ?? '';
    if (number.end === 0 && !'xks'.includes(letter || '?')) return wrong;
    const bits = number.end === 0 ? letter.repeat(length) : binary(number.value, length);
    let mask = leaf[register] ?? 'x'.repeat(32);
    // Family and model of a CPU are each in two places of their register.
    if (name === 'family') {
      const extended = number.value >= 16n;
      mask = put(mask, 32 - 4 - bit, extended ? '1111' : bits.slice(4));
      mask = put(mask, 32 - 8 - 20, extended ? bits[0]! + binary(number.value - 15n, 7) : '00000000');
    } else if (name === 'model') mask = put(put(mask, 32 - 4 - 16, bits.slice(0, 4)), 32 - 4 - bit, bits.slice(4));
    else mask = put(mask, 32 - length - bit, bits);
    leaf[register] = mask;
    return undefined;
  }

  /** One entry of the old form, `1:ecx=<32 characters>,edx=...`, with an optional subleaf behind a comma. */
  setRegisters(entry: string): string | undefined {
    const leaf = strtoul(entry, 0);
    if (leaf.end === 0) return `a CPUID entry starts with the number of a leaf, not as ${quote(entry)}`;
    let at = leaf.end;
    let subleaf: number | undefined;
    if (entry[at] === ',') {
      const number = strtoul(entry, 0, at + 1);
      if (number.end === at + 1) return `there is no number of a subleaf behind the comma in ${quote(entry)}`;
      subleaf = Number(BigInt.asUintN(32, number.value));
      at = number.end;
    }
    if (entry[at] !== ':') return `there is no colon behind the leaf in ${quote(entry)}`;
    const held = this.leafOf(Number(BigInt.asUintN(32, leaf.value)), subleaf === UNUSED ? undefined : subleaf);
    let rest = entry.slice(at + 1);
    while (rest !== '') {
      const found = /^e([abcd])x[^=]*=([^,]*)(?:,[ \n]*)?/.exec(rest);
      if (found === null) return `the registers in ${quote(entry)} are eax, ebx, ecx and edx, each with = and a mask`;
      if (found[2]!.length !== 32) return `a mask has exactly 32 characters, unlike ${quote(found[2]!)}`;
      held[`e${found[1] as 'a' | 'b' | 'c' | 'd'}x`] = found[2]!;
      rest = rest.slice(found[0].length);
    }
    return undefined;
  }

  private leafOf(leaf: number, subleaf: number | undefined): CpuidLeaf {
    let held = this.cpuid.find((entry) => entry.leaf === leaf && entry.subleaf === subleaf);
    if (held === undefined) {
      held = { leaf, subleaf };
      this.cpuid.push(held);
    }
    return held;
  }

  private msrOf(index: number): Msr {
    let held = this.msr.find((entry) => entry.index === index);
    if (held === undefined) {
      held = { index, policy: 'x'.repeat(64) };
      this.msr.push(held);
    }
    return held;
  }
}

/** XEN_CPUID_INPUT_UNUSED: no subleaf. */
const UNUSED = 0xffffffff;

const put = (mask: string, at: number, bits: string): string => mask.slice(0, at) + bits + mask.slice(at + bits.length);
const binary = (value: bigint, length: number): string => BigInt.asUintN(length, value).toString(2).padStart(length, '0');
