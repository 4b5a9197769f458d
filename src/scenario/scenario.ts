// A scenario: a host, the files that its dom0 has, and what an operator does when. Times are absolute.
import type { Ns } from '../../events/units.ts';
import type { HostConfig } from '../host-config.ts';
import type { Workload } from './workloads.ts';

export interface Scenario {
  /** Its own name, as it stands in messages. */
  readonly file: string;
  readonly seed: number;
  readonly host: Omit<HostConfig, 'files'>;
  /** In the order of the text. Paths are unique. */
  readonly files: readonly ScenarioFile[];
  /** What domains do by themselves, by name. */
  readonly workloads: readonly { readonly domain: string; readonly place: Place; readonly workloads: readonly Workload[] }[];
  /** In the order in which they happen. */
  readonly timeline: readonly TimelineItem[];
  readonly until_ns: Ns;
}

/** Where something stands in the scenario: lines and columns count from 1. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** What a path in dom0 means. `file` is the path of a real file, relative to the scenario's. */
export type ScenarioFile = { readonly path: string; readonly place: Place } & (
  | { readonly kind: 'disk'; readonly file: string; readonly readonly: boolean }
  | { readonly kind: 'sparse'; readonly bytes: number; readonly readonly: boolean }
  | { readonly kind: 'kernel'; readonly builtin: string }
  | { readonly kind: 'config'; readonly file: string }
);

export type TimelineItem = {
  readonly time: Ns;
  readonly place: Place;
} /** The operator runs `xl`; the scenario says with what it is to exit. */ & (
  | { readonly kind: 'xl'; readonly argv: readonly string[]; readonly exit: number }
  /** The operator types at a domain's console: a byte string. */
  | { readonly kind: 'console'; readonly domain: string; readonly text: string }
);

/** Something that is wrong with a scenario: where, and one sentence that says what it is and what to do. */
export interface ScenarioError extends Place {
  readonly message: string;
}

export const formatScenarioError = ({ file, line, column, message }: ScenarioError): string =>
  `${file}:${line}:${column}: ${message}`;
