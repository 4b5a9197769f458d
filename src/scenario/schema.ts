// The shape of a scenario in YAML, with a sentence for everything that can be wrong with a value.
import { z } from 'zod';
import { utf8ToByteString } from '../../events/bytes.ts';
import type { Ns } from '../../events/units.ts';
import { XEN_LEGACY_MAX_VCPUS } from '../abi/shared-info.ts';
import { defaultHost } from '../host-config.ts';
import { textToIp } from '../net/address.ts';
import { parseDuration, parseMoment, parseSize } from './quantities.ts';
import { splitWords } from './words.ts';

/** The kernels that are actors. */
export const builtins = ['linux'] as const;

const MIB = 2 ** 20;
const PCPUS_MAX = 255;
const SEED_MAX = 0xffff_ffff;
const TSC_KHZ_MIN = 1000;
const TSC_KHZ_MAX = 10_000_000;

/** What a reader of one value answers where it knows better than "write this" what is wrong: a sentence without its subject. */
class Wrong {
  readonly sentence: string;
  constructor(sentence: string) {
    this.sentence = sentence;
  }
}

/** A single value. `wanted` says what to write, after what was wrong. */
const leaf = <T>(wanted: string, read: (value: unknown) => T | Wrong | undefined) =>
  z.unknown().transform((value, context): T => {
    const got = value === undefined ? new Wrong(`is missing: add it, ${wanted}`) : read(value);
    if (got !== undefined && !(got instanceof Wrong)) return got;
    const message = got instanceof Wrong ? got.sentence : `is ${shown(value)}: write ${wanted}`;
    context.addIssue({ code: 'custom', message });
    return z.NEVER;
  });

const text = (wanted: string) => leaf(wanted, (value) => (typeof value === 'string' && value !== '' ? value : undefined));
const flag = leaf('true or false', (value) => (typeof value === 'boolean' ? value : undefined));
const whole = (min: number, max: number) =>
  leaf(`a whole number from ${min} to ${max}`, (value) =>
    typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max ? value : undefined,
  );
const oneOf = <const N extends readonly string[]>(...names: N) =>
  leaf(names.map((name) => `'${name}'`).join(' or '), (value) => names.find((name) => name === value) as N[number] | undefined);

const duration = leaf<Ns>('a number with its unit, such as 5s, 200ms or 1m30s', (value) =>
  typeof value === 'string' ? parseDuration(value) : undefined,
);
const bytes = leaf('a size with its unit, such as 64M or 2G', (value) => {
  const size = typeof value === 'string' ? parseSize(value) : undefined;
  if (size === undefined) return undefined;
  return size > 0 && size % 512 === 0 ? size : new Wrong(`is ${shown(value)}: a disk is a whole number of sectors of 512 bytes`);
});
const mib = leaf('a number of MiB, or a size such as 2G', (value) => {
  const size = typeof value === 'string' ? parseSize(value) : typeof value === 'number' ? value * MIB : undefined;
  return size !== undefined && Number.isSafeInteger(size) && size > 0 && size % MIB === 0 ? size / MIB : undefined;
});
const moment = leaf('a date and a time of UTC, such as 2009-02-14T12:00:00Z', (value) =>
  typeof value === 'string' ? parseMoment(value) : undefined,
);
const ip = leaf('an IPv4 address such as 10.0.0.1', (value) =>
  typeof value === 'string' && textToIp(value) !== undefined ? value : undefined,
);
const netmask = leaf('a netmask such as 255.255.255.0', (value) => {
  if (typeof value !== 'string') return undefined;
  const mask = textToIp(value);
  // Ones and then zeros: the complement is one less than a power of two.
  return mask !== undefined && (~mask & (~mask + 1)) === 0 ? value : undefined;
});
const relative = leaf('the path of a real file, relative to the scenario', (value) => {
  if (typeof value !== 'string' || value === '') return undefined;
  return value.startsWith('/')
    ? new Wrong(`is ${shown(value)}: write it relative to the scenario, so that both can move`)
    : value;
});
const words = leaf("an xl command line, such as 'create /etc/xen/a.cfg'", (value) => {
  if (Array.isArray(value))
    return value.length > 0 && value.every((word) => typeof word === 'string') ? (value as readonly string[]) : undefined;
  if (typeof value !== 'string') return undefined;
  const split = splitWords(value);
  if (!split.ok) return new Wrong(`is ${shown(value)}: ${split.message}`);
  const argv = split.words[0] === 'xl' || split.words[0] === 'xm' ? split.words.slice(1) : split.words;
  return argv.length > 0 ? argv.map(utf8ToByteString) : undefined;
});

/** An object that has one of some keys. */
const exactlyOne = (keys: readonly string[], what: string) => (value: object, context: z.RefinementCtx) => {
  const present = keys.filter((key) => key in value);
  if (present.length === 1) return;
  const message =
    present.length === 0
      ? `does not say ${what}: add ${keys.join(' or ')}`
      : `has both ${present.join(' and ')}: keep one of them`;
  context.addIssue({ code: 'custom', message });
};

const bridge = z.strictObject({ name: text('the name of a bridge, such as xenbr0'), ip, netmask });

const host = z.strictObject({
  pcpus: whole(1, PCPUS_MAX).optional(),
  memory: mib.optional(),
  dom0: z.strictObject({ memory: mib.optional(), vcpus: whole(1, XEN_LEGACY_MAX_VCPUS).optional() }).optional(),
  scheduler: oneOf('credit2', 'credit', 'rtds', 'arinc653', 'null').optional(),
  topology: z
    .strictObject({ cores_per_socket: whole(1, PCPUS_MAX).optional(), threads_per_core: whole(1, PCPUS_MAX).optional() })
    .optional(),
  credit2_runqueue: oneOf('cpu', 'core', 'socket', 'node', 'all').optional(),
  xen_version: oneOf(defaultHost.xen_version).optional(),
  bridges: z.array(bridge).optional(),
  xen: z
    .strictObject({
      commandline: text('the command line of Xen').optional(),
      verbose_debug: flag.optional(),
      iommu: flag.optional(),
      pv32: flag.optional(),
      wallclock: moment.optional(),
      tsc_khz: whole(TSC_KHZ_MIN, TSC_KHZ_MAX).optional(),
    })
    .optional(),
});

/** `builtin:linux` alone is short for a map that says so. */
const file = z
  .unknown()
  .transform((value) => (typeof value === 'string' ? { builtin: value } : value))
  .pipe(
    z
      .strictObject({
        disk: relative.optional(),
        size: bytes.optional(),
        config: relative.optional(),
        builtin: oneOf(...builtins.map((name) => `builtin:${name}`)).optional(),
        readonly: flag.optional(),
      })
      .superRefine(exactlyOne(['disk', 'size', 'config', 'builtin'], 'what the path means'))
      .superRefine((value, context) => {
        if ('readonly' in value && !('disk' in value) && !('size' in value))
          context.addIssue({ code: 'custom', path: ['readonly'], message: 'belongs to a disk: take it out' });
      }),
  );

const keys = z.strictObject({
  domain: text('the name of a domain'),
  text: leaf('what is typed, such as "ls\\n"', (value) =>
    typeof value === 'string' && value !== '' ? utf8ToByteString(value) : undefined,
  ),
});
const item = z
  .strictObject({
    at: duration.optional(),
    after: duration.optional(),
    xl: words.optional(),
    exit: whole(-128, 255).optional(),
    console: keys.optional(),
  })
  .superRefine(exactlyOne(['at', 'after'], 'when'))
  .superRefine(exactlyOne(['xl', 'console'], 'what happens'))
  .superRefine((value, context) => {
    if ('exit' in value && 'console' in value)
      context.addIssue({ code: 'custom', path: ['exit'], message: 'belongs to an xl command: take it out' });
  });

/** What each program may be told, and what it must be. */
const settingsOf: Readonly<Record<string, readonly string[]>> = {
  cpu: ['percent'],
  disk: ['sectors', 'every'],
  ping: ['address', 'every'],
};
const workload = z
  .strictObject({
    program: oneOf('cpu', 'disk', 'ping'),
    percent: whole(1, 100).optional(),
    sectors: whole(1, 2 ** 20).optional(),
    address: ip.optional(),
    every: duration.optional(),
  })
  .superRefine(({ program, ...settings }, context) => {
    for (const key of Object.keys(settings))
      if (!settingsOf[program]!.includes(key))
        context.addIssue({ code: 'custom', path: [key], message: `is nothing for the program ${program}: take it out` });
    if (program === 'ping' && settings.address === undefined)
      context.addIssue({ code: 'custom', message: 'does not say whom to ping: add address' });
  });

export const schema = z.strictObject({
  seed: whole(0, SEED_MAX).optional(),
  host: host.optional(),
  files: z.record(z.string(), file).optional(),
  workloads: z.record(z.string(), z.array(workload)).optional(),
  timeline: z.array(item).optional(),
  until: duration,
});
export type RawScenario = z.infer<typeof schema>;

/** A value as it may stand in a message: short, in one line. */
export function shown(value: unknown): string {
  if (value === null) return 'empty';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a map';
  const said = JSON.stringify(value) ?? String(value);
  return said.length > 60 ? `${said.slice(0, 57)}...` : said;
}
