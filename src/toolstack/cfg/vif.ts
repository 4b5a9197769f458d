// Network interface specifications (docs/man/xl-network-configuration.5.pod.in; parse_nic_config in tools/xl/xl_parse.c).
import { skipSpaces, strtoul, ULONG_MAX } from './c-text.ts';
import { quote } from './lex.ts';
import { type DeviceNic, type NicText, nicColo } from './types.ts';

/** The first three bytes of every MAC address that a toolstack draws for a guest: the prefix assigned to Xen. */
export const MAC_PREFIX = '00:16:3e';

export type ParsedVif =
  /**
   * `refused` are the words that are wrong, a sentence for each: `xl create` says so and goes on without them, `xl
   * network-attach` gives up. A missing `mac` stays undefined: the toolstack draws it.
   */
  | { readonly ok: true; readonly nic: DeviceNic; readonly refused: readonly string[]; readonly warnings: readonly string[] }
  /** A rate or a number that cannot be read: `xl` ends with 1. */
  | { readonly ok: false; readonly rc: 1; readonly errors: readonly string[] };

/** Reads `mac=...,bridge=...` and so on, the same for xl and xm. `defaults` is what xl.conf has for every interface. */
export function parseVif(spec: string, defaults: DeviceNic = {}): ParsedVif {
  const nic: DeviceNic = { ...defaults };
  const refused: string[] = [];
  const warnings: string[] = [];
  for (const { word, after } of words(spec)) {
    const equals = word.indexOf('=');
    const key = equals < 0 ? word : word.slice(0, equals);
    const value = word.slice(equals + 1);
    const field = equals >= 0 && Object.hasOwn(textFields, key) ? textFields[key] : undefined;
    if (field !== undefined) nic[field] = value;
    else if (equals >= 0 && key === 'netdev') {
      warnings.push('netdev is deprecated: write gatewaydev');
      nic.gatewaydev = value;
    } else if (equals >= 0 && key === 'accel') warnings.push('accel is not supported and has no effect: take it out');
    else if (equals >= 0 && key === 'type') {
      if (value === 'vif') nic.nictype = 'vif';
      else if (value === 'ioemu') nic.nictype = 'vif_ioemu';
      else refused.push(`the type of a vif is vif or ioemu, not ${quote(value)}`);
    } else if (equals >= 0 && key === 'mac') {
      const { mac, whole } = readMac(`${value}\0${after}`, nic.mac);
      nic.mac = mac;
      if (!whole) refused.push(`${quote(value)} is no MAC address: write six bytes, as ${MAC_PREFIX}:01:02:03`);
    } else if (equals >= 0 && key === 'rate') {
      const rate = parseRate(value);
      if (!rate.ok) return { ok: false, rc: 1, errors: [rate.message] };
      nic.rate_bytes_per_interval = rate.rate_bytes_per_interval;
      nic.rate_interval_usecs = rate.rate_interval_usecs;
    } else if (equals >= 0 && (key === 'devid' || key === 'mtu')) {
      const number = strtoul(value, 10);
      if (number.end === 0 || number.value === ULONG_MAX)
        return { ok: false, rc: 1, errors: [`${key} is a number, not ${quote(value)}`] };
      nic[key] = Number(BigInt.asIntN(32, number.value));
    } else if (word === 'trusted') nic.trusted = true;
    else if (word === 'untrusted') nic.trusted = false;
    else refused.push(`there is no ${quote(word)} in a vif: write key=value without blanks around the =`);
  }
  return { ok: true, nic, refused, warnings };
}

/**
 * Reads a rate, `<number>[G|M|K](B|b)/s[@<number>[m|u]s]`, into what the backend allows in each interval, 50 ms unless given
 * (tools/libs/util/libxlu_vif.c, xlu_vif_parse_rate).
 */
export function parseRate(
  rate: string,
): { ok: true; rate_bytes_per_interval: bigint; rate_interval_usecs: number } | { ok: false; message: string } {
  const bad = (message: string) => ({ ok: false, message: `${message} in the rate ${quote(rate)}` }) as const;
  const at = rate.indexOf('@');
  const speed = at < 0 ? rate : rate.slice(0, at);
  if (!/^[0-9]+[GMK]?[Bb]\/s$/.test(speed)) return bad('write a number and a unit, as 10Mb/s,');
  // A number with a zero in front is octal there, and ends before an 8 or a 9.
  const number = strtoul(speed, 0);
  if (number.value === 0n || number.value > 0xffffffffn) return bad('there is a number that is 0 or too large');
  const unit = speed.slice(number.end);
  let bytesPerSecond =
    number.value * (unit[0] === 'G' ? 1_000_000_000n : unit[0] === 'M' ? 1_000_000n : unit[0] === 'K' ? 1000n : 1n);
  if (unit[0] === 'b' || unit[1] === 'b') bytesPerSecond /= 8n;

  let usecs = 50_000n;
  if (at >= 0) {
    const interval = rate.slice(at + 1);
    if (!/^[0-9]+[mu]?s?$/.test(interval)) return bad('write an interval as 50ms, 20us or 1s');
    const length = strtoul(interval, 0);
    if (length.value === 0n || length.value > 0xffffffffn) return bad('there is an interval that is 0 or too large');
    const scale = interval[length.end];
    usecs = length.value * (scale === undefined || scale === 's' ? 1_000_000n : scale === 'm' ? 1000n : 1n);
    if (usecs > 0xffffffffn) return bad('there is an interval beyond 4294 seconds');
  }
  if (bytesPerSecond > ULONG_MAX / usecs) return bad('there is too much for one interval');
  return { ok: true, rate_bytes_per_interval: (bytesPerSecond * usecs) / 1_000_000n, rate_interval_usecs: Number(usecs) };
}

/** The keys whose value is kept as it is. */
const textFields: Readonly<Record<string, NicText>> = {
  bridge: 'bridge',
  gatewaydev: 'gatewaydev',
  ip: 'ip',
  script: 'script',
  backend: 'backend_domname',
  vifname: 'ifname',
  model: 'model',
  forwarddev: 'coloft_forwarddev',
  ...Object.fromEntries(
    (Object.keys(nicColo) as (keyof typeof nicColo)[])
      .filter((field) => field !== 'coloft_forwarddev')
      .map((field) => [field, field]),
  ),
};

/** The words between commas, each with all that follows its comma. */
function words(spec: string): { word: string; after: string }[] {
  const found: { word: string; after: string }[] = [];
  for (let start = 0; start <= spec.length; ) {
    const comma = spec.indexOf(',', start);
    const end = comma < 0 ? spec.length : comma;
    if (end > start) found.push({ word: skipSpaces(spec.slice(start, end)), after: spec.slice(end + 1) });
    start = end + 1;
  }
  return found;
}

/**
 * Six hexadecimal numbers with one character between them, whichever it is. As in xl, an address that goes wrong keeps the
 * bytes before that, and one that ends early reads on behind the comma. An address of zeros is none.
 */
function readMac(text: string, held: string | undefined): { mac: string | undefined; whole: boolean } {
  const bytes = (held ?? '0:0:0:0:0:0').split(':').map((byte) => Number.parseInt(byte, 16));
  let at = 0;
  let whole = true;
  for (let i = 0; i < 6 && whole; i++) {
    const number = strtoul(text, 16, at);
    const byte = Number(BigInt.asUintN(32, number.value));
    whole = number.end !== at && byte <= 255;
    if (whole) bytes[i] = byte;
    at = number.end + 1;
  }
  const mac = bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(':');
  return { mac: mac === '00:00:00:00:00:00' ? undefined : mac, whole };
}
