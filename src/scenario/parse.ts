// From the YAML text of a scenario to a scenario, or to everything that is wrong with it.
import { LineCounter, parseDocument } from 'yaml';
import type { Ns } from '../../events/units.ts';
import { defaultHost, type HostConfig } from '../host-config.ts';
import { explain, explainYaml, Places } from './issues.ts';
import type { Scenario, ScenarioError, ScenarioFile, TimelineItem } from './scenario.ts';
import { type RawScenario, schema } from './schema.ts';
import type { Workload } from './workloads.ts';

export type ParsedScenario =
  | { readonly ok: true; readonly scenario: Scenario }
  | { readonly ok: false; readonly errors: readonly ScenarioError[] };

/** The seed of a scenario that names none. */
const DEFAULT_SEED = 1;

/**
 * Reads a scenario. Total: whatever the text is, the answer is a scenario or at least one error, in the order of the text.
 *
 * @param fileName as it shall stand in messages
 */
export function parseScenario(text: string, fileName: string): ParsedScenario {
  const lines = new LineCounter();
  const { document, value } = read(text, lines);
  if (document === undefined) return failed([{ file: fileName, line: 1, column: 1, message: TOO_DEEP }]);
  const places = new Places(fileName, document, lines);
  if (document.errors.length > 0) return failed(document.errors.map((error) => explainYaml(error, places)));
  if (value === undefined) return failed([{ ...places.at(0), message: TOO_DEEP }]);

  const parsed = schema.safeParse(value.js);
  if (!parsed.success) return failed(parsed.error.issues.flatMap((issue) => [...explain(issue, schema, places)]));
  return assemble(parsed.data, fileName, places);
}
const TOO_DEEP = 'this is nested too deeply to be a scenario: see docs/scenario.md for its shape';
const failed = (errors: readonly ScenarioError[]): ParsedScenario => ({
  ok: false,
  errors: [...errors].sort((a, b) => a.line - b.line || a.column - b.column),
});

/** What `yaml` throws for (depth beyond the stack, too many aliases) comes back as undefined. */
function read(text: string, lines: LineCounter) {
  let document: ReturnType<typeof parseDocument> | undefined;
  try {
    document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
    return { document, value: document.errors.length > 0 ? undefined : { js: document.toJS({ maxAliasCount: 100 }) as unknown } };
  } catch {
    return { document, value: undefined };
  }
}

function assemble(raw: RawScenario, file: string, places: Places): ParsedScenario {
  const errors: ScenarioError[] = [];
  const complain = (path: readonly PropertyKey[], message: string): void => {
    errors.push({ ...places.ofValue(path), message });
  };
  const host = hostOf(raw);
  if (host.dom0.memory_mib >= host.memory_mib)
    complain(
      raw.host?.dom0?.memory === undefined ? ['host', 'memory'] : ['host', 'dom0', 'memory'],
      `dom0 is to have ${host.dom0.memory_mib} MiB of a host's ${host.memory_mib} MiB: give it less, or the host more`,
    );
  const names = host.bridges.map(({ name }) => name);
  for (const [i, name] of names.entries())
    if (names.indexOf(name) < i)
      complain(['host', 'bridges', i, 'name'], `there is a bridge ${name} already: give this one another name`);

  const files = Object.entries(raw.files ?? {}).map(([path, meaning]): ScenarioFile => {
    const place = places.ofKey(['files'], path);
    if (!path.startsWith('/'))
      errors.push({ ...place, message: `${JSON.stringify(path)} is a path in dom0: write it from / on` });
    if (meaning.disk !== undefined) return { path, place, kind: 'disk', file: meaning.disk, readonly: meaning.readonly ?? false };
    if (meaning.config !== undefined) return { path, place, kind: 'config', file: meaning.config };
    if (meaning.builtin !== undefined) return { path, place, kind: 'kernel', builtin: meaning.builtin.slice('builtin:'.length) };
    return { path, place, kind: 'sparse', bytes: meaning.size!, readonly: meaning.readonly ?? false };
  });

  const workloads = Object.entries(raw.workloads ?? {}).map(([domain, list]) => ({
    domain,
    place: places.ofKey(['workloads'], domain),
    workloads: list.map(workloadOf),
  }));

  const timeline: TimelineItem[] = [];
  let last: Ns = 0;
  for (const [i, item] of (raw.timeline ?? []).entries()) {
    const time = item.at ?? last + item.after!;
    if (time < last) complain(['timeline', i, 'at'], 'at is before the item above: write the items in the order of time');
    if (time > raw.until) complain(['timeline', i], 'the run ends before this: let until be later, or take the item out');
    last = time;
    const place = places.ofValue(['timeline', i]);
    if (item.console) timeline.push({ time, place, kind: 'console', domain: item.console.domain, text: item.console.text });
    else timeline.push({ time, place, kind: 'xl', argv: item.xl!, exit: item.exit ?? 0 });
  }
  if (errors.length > 0) return failed(errors);
  return { ok: true, scenario: { file, seed: raw.seed ?? DEFAULT_SEED, host, files, workloads, timeline, until_ns: raw.until } };
}

type RawWorkload = NonNullable<RawScenario['workloads']>[string][number];
function workloadOf({ program, percent, sectors, address, every }: RawWorkload): Workload {
  switch (program) {
    case 'cpu':
      return { program, percent };
    case 'disk':
      return { program, sectors, every_ns: every };
    case 'ping':
      return { program, address: address!, every_ns: every };
  }
}

function hostOf({ host }: RawScenario): Omit<HostConfig, 'files'> {
  const { files: _, ...defaults } = defaultHost;
  const pcpus = host?.pcpus ?? defaults.pcpus;
  const { threads_per_core = 1, cores_per_socket = Math.ceil(pcpus / threads_per_core) } = host?.topology ?? {};
  return {
    pcpus,
    memory_mib: host?.memory ?? defaults.memory_mib,
    dom0: { memory_mib: host?.dom0?.memory ?? defaults.dom0.memory_mib, vcpus: host?.dom0?.vcpus ?? defaults.dom0.vcpus },
    scheduler: host?.scheduler ?? defaults.scheduler,
    ...(host?.topology && { topology: { cores_per_socket, threads_per_core } }),
    ...(host?.credit2_runqueue && { credit2_runqueue: host.credit2_runqueue }),
    xen_version: host?.xen_version ?? defaults.xen_version,
    bridges: host?.bridges ?? defaults.bridges,
    ...(host?.xen && { xen: defined(host.xen) }),
  };
}

/** Without what was left out. */
const defined = <T extends object>(fields: T) =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
