// `xl create` (tools/xl/xl_vmcontrol.c, create_domain()).
import type { HostConfig } from '../../host-config.ts';
import { formatDiagnostic } from '../cfg/diagnostic.ts';
import { domainConfig, domainConfigJson } from '../cfg/domain-config.ts';
import { formatJson } from '../cfg/json.ts';
import { parseConfig } from '../cfg/parse.ts';
import { type Surroundings, TWO_CPUS } from '../cfg/surroundings.ts';
import { MAC_PREFIX } from '../cfg/vif.ts';
import { type Creating, createPhases, nothingCreated } from '../libxl/create.ts';
import { destroyPhases, nothingToDestroy } from '../libxl/destroy.ts';
import { type DomainSpec, domainSpec } from '../libxl/domain-spec.ts';
import { answer, type Plan } from '../libxl/plan.ts';
import type { Invocation } from './argv.ts';
import { complain, connecting, failed, type Job, leaving, printing, say } from './job.ts';

export interface CreateJob extends Job, Creating {
  /** The configuration file with what the command line adds. */
  readonly file: string;
  readonly text: string;
  readonly quiet: boolean;
  /** Print the configuration; and make nothing of it. */
  readonly shows: boolean;
  readonly dryRun: boolean;
  readonly pcpus: number;
  /** How many random bytes the configuration leaves to chance. */
  readonly draws: number;
}

/** What `create` begins with, or what is wrong with its words. `content` has what is in a file, undefined where there is none. */
export function beginCreate(
  job: Job,
  { options, values, words, dryRun }: Invocation,
  content: (file: string) => string | undefined,
): CreateJob | { readonly wrong: string; readonly rc: number } {
  const file = values['f'] ?? words.find((word) => !word.includes('='));
  if (file === undefined) return { wrong: 'create needs a configuration file: xl create FILE', rc: 6 };
  const settings = words.filter((word) => word.includes('='));
  if (words.length - settings.length > (values['f'] === undefined ? 1 : 0))
    return { wrong: 'create takes one configuration file: see xl help create', rc: 2 };
  const text = content(file);
  if (text === undefined) return { wrong: `${file} does not exist: correct the path, or give it to the host`, rc: 3 };
  const dry = dryRun || options.includes('n');
  return {
    ...job,
    ...nothingToDestroy,
    ...nothingCreated,
    domid: 0,
    domain: NO_DOMAIN,
    config: '',
    paused: options.includes('p'),
    watched: !options.includes('e'),
    console: options.includes('c'),
    kernels: [],
    error: '',
    file,
    text: settings.length === 0 ? text : `${text}\n${settings.join('\n')}\n`,
    quiet: options.includes('q'),
    shows: dry || options.includes('d'),
    dryRun: dry,
    pcpus: 0,
    draws: 0,
  };
}

export const createPlan: Plan<CreateJob> = {
  readingConfiguration: {
    to: ['drawing', 'leaving'],
    ask: (p) => [
      ...(p.quiet ? [] : printing({ ...p, prints: [{ stream: 'stderr', text: `Reading ${p.file}\n` }] })),
      { type: 'host.configuration' },
    ],
    learn: (p, returns) => {
      const host = JSON.parse(answer(returns.at(-1), 'host.configuration')?.json ?? '{}') as Partial<HostConfig>;
      const kernels = (host.files ?? []).filter(({ kind }) => kind === 'kernel').map(({ path }) => path);
      const known = { ...p, kernels, pcpus: host.pcpus ?? 1 };
      const read = configure(known, '');
      const prints = [...p.prints, ...read.says.map((message) => complain(message))];
      if (!read.ok) return { to: 'leaving', p: { ...known, prints, rc: read.rc } };
      return { to: 'drawing', p: { ...known, prints, draws: read.draws } };
    },
  },
  drawing: {
    to: ['connecting', 'leaving'],
    ask: (p) => [...printing(p), ...(p.draws === 0 ? [] : [{ type: 'host.draw', count: p.draws } as const])],
    learn: (p, returns) => {
      const read = configure(p, answer(returns.at(-1), 'host.draw')?.bytes ?? '');
      const domain = read.ok ? domainSpec(read.config) : undefined;
      const said = { ...p, prints: p.shows && read.ok ? [say(read.config)] : [] };
      if (!read.ok || !domain) return failed(said, `${p.file} cannot be read`);
      if (p.dryRun) return { to: 'leaving', p: said };
      if (domain.type !== 'pv')
        return failed(said, `${p.file}: ${domain.type} domains are not possible on this host: write type = "pv"`, 3);
      const count = domain.max_vcpus;
      if (domain.bootloader === '' && domain.kernel === '')
        return failed(said, `${p.file}: there is nothing to boot: write kernel= or bootloader=`);
      return count > MAX_VCPUS
        ? failed(said, `${p.file}: a PV domain has at most ${MAX_VCPUS} vCPUs, not ${count}: lower vcpus=`, 3)
        : { to: 'connecting', p: { ...said, domain, config: read.config } };
    },
  },
  ...connecting('checkingPool'),
  ...createPhases<CreateJob>({ done: 'leaving', undo: 'pausingDomain', refused: 'reporting' }),
  ...destroyPhases<CreateJob>('reporting'),
  reporting: {
    to: ['leaving'],
    learn: (p) => failed(p, `${p.domain.name || p.file}: ${p.error}`, p.rc),
  },
  ...leaving(),
};

/** A guest of ours has as many vCPUs as its shared info page has room for (XEN_LEGACY_MAX_VCPUS). */
const MAX_VCPUS = 32;
const UUID_BYTES = 16;
const MAC_BYTES = 3;

type Configured =
  | { readonly ok: true; readonly says: readonly string[]; readonly config: string; readonly draws: number }
  | { readonly ok: false; readonly says: readonly string[]; readonly rc: number };

/** Reads the configuration. What it leaves to chance comes out of `drawn`, in order: the UUID, then each MAC address. */
function configure({ text, file, pcpus }: CreateJob, drawn: string): Configured {
  const parsed = parseConfig(text, file);
  if (!parsed.ok) return { ok: false, rc: parsed.rc, says: parsed.errors.map(formatDiagnostic) };
  const read = domainConfig(parsed.settings, surroundings(pcpus));
  const warnings = read.warnings.map(formatDiagnostic);
  if (!read.ok) return { ok: false, rc: read.rc, says: [...warnings, ...read.errors.map(formatDiagnostic)] };
  const { config } = read;
  let draws = 0;
  const take = (count: number): number[] => {
    draws += count;
    return Array.from({ length: count }, (_, i) => drawn.charCodeAt(draws - count + i) || 0);
  };
  if (config.c_info.uuid === undefined) config.c_info.uuid = uuidOf(take(UUID_BYTES));
  for (const nic of config.nics ?? []) nic.mac ??= [MAC_PREFIX, ...take(MAC_BYTES).map(hex)].join(':');
  return { ok: true, says: warnings, config: formatJson(domainConfigJson(config)), draws };
}

const surroundings = (pcpus: number): Surroundings => ({
  ...TWO_CPUS,
  max_cpus: pcpus,
  online_cpus: pcpus,
  nodes: [Array.from({ length: pcpus }, (_, cpu) => cpu)],
});

const hex = (byte: number): string => byte.toString(16).padStart(2, '0');

/** A version 4 UUID of 16 random bytes (RFC 4122). */
function uuidOf(bytes: readonly number[]): string {
  const digits = bytes.map((byte, i) => hex(i === 6 ? (byte & 0x0f) | 0x40 : i === 8 ? (byte & 0x3f) | 0x80 : byte)).join('');
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

/** Stands where the configuration has not been read yet. */
const NO_DOMAIN: DomainSpec = domainSpec('{}')!;
