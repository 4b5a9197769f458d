// PCI passthrough specifications (docs/man/xl-pci-configuration.5.pod, tools/libs/util/libxlu_pci.c).
import { atoi } from './c-text.ts';
import { quote } from './lex.ts';
import { type DevicePci, named, rdmPolicies } from './types.ts';

/** What `pci_msitranslate`, `pci_permissive` ... set for every device of the file. */
export type PciDefaults = Pick<DevicePci, 'msitranslate' | 'power_mgmt' | 'permissive' | 'seize' | 'rdm_policy'>;

/**
 * Reads `[DDDD:]BB:DD.F[@VSLOT][,key=value...]`, all numbers hexadecimal, or `name=...` instead of the address.
 * An error is one sentence; xl ends with 6 (ERROR_INVAL).
 */
export function parsePci(
  spec: string,
  defaults: PciDefaults = {},
): { ok: true; pci: DevicePci } | { ok: false; rc: 6; errors: readonly string[] } {
  const bad = (message: string) => ({ ok: false, rc: 6, errors: [`${message}, in the PCI device ${quote(spec)}`] }) as const;
  const pci: DevicePci = { ...defaults };
  let addressed = false;
  let rest = spec;

  const address = readAddress(spec);
  if (address !== undefined) {
    Object.assign(pci, address.pci);
    addressed = true;
    rest = spec.slice(address.end);
    if (rest.startsWith('@')) {
      const slot = hex(rest, 1);
      if (slot === undefined || slot.value > 0x1f) return bad('a virtual slot is from 0 to 1f');
      pci.vdevfn = slot.value << 3;
      rest = rest.slice(slot.end);
    }
    if (rest.startsWith(',')) rest = rest.slice(1);
    else if (rest !== '') return bad(`${quote(rest)} must be separated by a comma`);
  }

  while (rest !== '') {
    const equals = rest.indexOf('=');
    if (equals < 0) return bad(`${quote(rest)} is neither an address like 03:00.0 nor key=value`);
    const comma = rest.indexOf(',', equals);
    const key = rest.slice(0, equals);
    const value = rest.slice(equals + 1, comma < 0 ? undefined : comma);
    rest = comma < 0 ? '' : rest.slice(comma + 1);
    if (key === 'bdf') {
      const named = readAddress(value);
      if (named === undefined) return bad(`${quote(value)} is no address like 03:00.0`);
      Object.assign(pci, named.pci);
      addressed = true;
    } else if (key === 'vslot') {
      const slot = hex(value, 0);
      if (slot === undefined || slot.value > 0x1f) return bad('a virtual slot is from 0 to 1f');
      pci.vdevfn = slot.value << 3;
    } else if (key === 'permissive' || key === 'msitranslate' || key === 'seize' || key === 'power_mgmt')
      pci[key] = atoi(value) !== 0;
    else if (key === 'rdm_policy') {
      const policy = named(rdmPolicies, value);
      if (policy === undefined) return bad(`rdm_policy is strict or relaxed, not ${quote(value)}`);
      pci.rdm_policy = policy;
    } else if (key === 'name') pci.name = value;
    else return bad(`there is no option ${quote(key)}`);
  }
  if (addressed === (pci.name !== undefined)) return bad('give either an address or a name');
  return { ok: true, pci };
}

/** How sscanf's `%x` reads: blanks, a sign and 0x may stand in front, and 32 bits are kept. */
function hex(text: string, start: number): { value: number; end: number } | undefined {
  const pattern = /[ \t\n\v\f\r]*([+-]?)(?:0[xX](?=[0-9a-fA-F]))?([0-9a-fA-F]+)/y;
  pattern.lastIndex = start;
  const found = pattern.exec(text);
  if (found === null) return undefined;
  // Digits beyond the last eight do not fit, but the sign and the low bits do not matter for what fits nowhere.
  const value = found[2]!.replace(/^0+/, '').length > 8 ? 0xffffffff : Number.parseInt(found[2]!, 16);
  return { value: found[1] === '-' ? -value >>> 0 : value, end: pattern.lastIndex };
}

function readAddress(text: string): { pci: DevicePci; end: number } | undefined {
  const colons = /^[0-9a-fA-F:]*/.exec(text)![0].split(':').length - 1;
  if (colons !== 1 && colons !== 2) return undefined;
  const parts: number[] = [];
  let at = 0;
  for (const separator of colons === 2 ? '::.' : ':.') {
    const part = hex(text, at);
    if (part === undefined || text[part.end] !== separator) return undefined;
    parts.push(part.value);
    at = part.end + 1;
  }
  const [domain, bus, dev] = (colons === 2 ? parts : [0, ...parts]) as [number, number, number];
  if (domain > 0xffff || bus > 0xff || dev > 0x1f) return undefined;
  if (text[at] === '*') return { pci: { domain, bus, dev, func: 0, vfunc_mask: 0xffffffff }, end: at + 1 };
  const func = hex(text, at);
  if (func === undefined || func.value > 7) return undefined;
  return { pci: { domain, bus, dev, func: func.value, vfunc_mask: 1 }, end: func.end };
}
