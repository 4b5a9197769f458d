// From a scenario to what a run starts from and is fed with: pure, for whoever has the files.
import { byteString } from '../../events/bytes.ts';
import type { Ns } from '../../events/units.ts';
import type { Command } from '../../events/vocabulary.ts';
import type { HostConfig, HostFile } from '../host-config.ts';
import { SECTOR_SIZE } from '../storage/image.ts';
import { readsOf } from './reads.ts';
import type { Place, Scenario, ScenarioError, TimelineItem } from './scenario.ts';
import { addWorkload } from './workloads.ts';

/** Real files, by their paths relative to the scenario. What can not be had is a sentence: what is wrong and what to do. */
export interface Files {
  read(file: string): Got<Uint8Array>;
  /** The size in bytes. */
  size(file: string): Got<number>;
}
export type Got<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly message: string };

/** The content of an image: a real file, or zeros. */
export type ImageSource = { readonly sectors: number; readonly path: string } & (
  | { readonly kind: 'file'; readonly file: string }
  | { readonly kind: 'zeros' }
);

export interface ScenarioRun {
  readonly seed: number;
  readonly config: HostConfig;
  /** In the order of their numbers in `config.files`. */
  readonly images: readonly ImageSource[];
  readonly inputs: readonly ScenarioInput[];
  readonly until_ns: Ns;
}

export interface ScenarioInput {
  readonly time: Ns;
  readonly place: Place;
  readonly item: TimelineItem;
  /** The command, given how a domain's name reads at that moment; undefined where there is no such domain. */
  command(domidOf: (name: string) => number | undefined): Command | undefined;
}

export type ToRun =
  | { readonly ok: true; readonly run: ScenarioRun }
  | { readonly ok: false; readonly errors: readonly ScenarioError[] };

/** Reads the files that a scenario names. Every one that is missing is an error at the place that names it. */
export function toRun(scenario: Scenario, files: Files): ToRun {
  const errors: ScenarioError[] = [];
  const images: ImageSource[] = [];
  const meanings: HostFile[] = [];
  const configs = new Map<string, string>();
  const workloads = new Map(scenario.workloads.map((one) => [one.domain, one.workloads]));
  const used = new Set<string | undefined>();
  for (const file of scenario.files) {
    const { path, place } = file;
    const fail = (message: string): void => void errors.push({ ...place, message });
    switch (file.kind) {
      case 'kernel':
        meanings.push({ path, kind: 'kernel', builtin: file.builtin });
        break;
      case 'config': {
        const got = files.read(file.file);
        if (got.ok) {
          const added = addWorkload(byteString(got.value), workloads);
          configs.set(path, added.text);
          used.add(added.used);
        } else fail(got.message);
        break;
      }
      case 'sparse':
      case 'disk': {
        const size = file.kind === 'sparse' ? ({ ok: true, value: file.bytes } as const) : files.size(file.file);
        if (!size.ok) fail(size.message);
        else if (size.value === 0 || size.value % SECTOR_SIZE !== 0)
          fail(`${describe(file)} has ${size.value} bytes: a disk is one or more whole sectors of ${SECTOR_SIZE} bytes`);
        else {
          const sectors = size.value / SECTOR_SIZE;
          meanings.push({ path, kind: 'disk', image: images.length, sectors, readonly: file.readonly });
          images.push(file.kind === 'disk' ? { path, sectors, kind: 'file', file: file.file } : { path, sectors, kind: 'zeros' });
        }
        break;
      }
    }
  }
  for (const { domain, place } of scenario.workloads)
    if (!used.has(domain)) errors.push({ ...place, message: `no file in files configures a domain ${domain}: correct the name` });
  if (errors.length > 0) return { ok: false, errors };
  const { seed, host, until_ns } = scenario;
  const inputs = scenario.timeline.map((item) => inputOf(item, configs));
  return { ok: true, run: { seed, config: { ...host, files: meanings }, images, inputs, until_ns } };
}

const describe = (file: { readonly kind: string; readonly file?: string }): string => file.file ?? 'the disk';

function inputOf(item: TimelineItem, configs: ReadonlyMap<string, string>): ScenarioInput {
  const { time, place } = item;
  return {
    time,
    place,
    item,
    command(domidOf) {
      if (item.kind === 'xl') return xlCommand(item.argv, configs);
      const dom = domidOf(item.domain);
      return dom === undefined ? undefined : { type: 'console.input', dom, text: item.text };
    },
  };
}

/** An `xl` command line as an input: `files` are paths in dom0, each followed by its content. */
export function xlCommand(argv: readonly string[], configs: ReadonlyMap<string, string>): Command {
  const files = readsOf(argv).flatMap((path) => {
    const content = configs.get(path);
    return content === undefined ? [] : [path, content];
  });
  return { type: 'xl.run', argv, files };
}
