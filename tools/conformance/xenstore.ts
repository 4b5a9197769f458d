// Judges XenStore by a recording of a real xenstored: the same requests in the same order, and what differs.
import { profiles, type XenstoreVersion } from '../../src/xenstore/index.ts';
import { type Difference, play, type Scenario } from './xenstore-scenario.ts';
import { Server } from './xenstore-server.ts';

export interface XenstoreVerdict {
  readonly version: XenstoreVersion;
  readonly matched: number;
  readonly total: number;
  readonly mismatches: readonly Mismatch[];
}
/** A scenario that does not go as recorded. */
export interface Mismatch {
  readonly name: string;
  readonly differences: readonly Difference[];
}
/** A recording: JSON lines, the first of which says of what. */
export interface Corpus {
  /** The version that it says it was recorded from, if it says so. */
  readonly version: XenstoreVersion | undefined;
  readonly scenarios: readonly Scenario[];
}

/** Reads a recording. Where it is none, the line at fault (from 1) and what is wrong with it. */
export function readCorpus(text: string): Corpus | { readonly line: number; readonly problem: string } {
  const scenarios: Scenario[] = [];
  let version: XenstoreVersion | undefined;
  for (const [i, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    const value = parsed(line);
    if (value === undefined) return { line: i + 1, problem: 'it is no JSON object' };
    if (typeof value['server'] === 'string' && value['steps'] === undefined) version = servers[value['server']];
    else if (isScenario(value)) scenarios.push(value);
    else return { line: i + 1, problem: 'it is no scenario: a name, a base, connections and steps' };
  }
  return scenarios.length === 0 ? { line: 1, problem: 'there is no scenario in it' } : { version, scenarios };
}

/** Plays all scenarios, one after the other, against one server in process. */
export function judgeXenstore(scenarios: readonly Scenario[], version: XenstoreVersion = '4.17'): XenstoreVerdict {
  const server = new Server(profiles[version]);
  const mismatches: Mismatch[] = [];
  for (const scenario of scenarios) {
    const differences = play(scenario, server);
    for (const violation of server.violations())
      differences.push({ step: scenario.steps.length, asked: 'the end', recorded: 'a store in order', got: violation });
    if (differences.length > 0) mismatches.push({ name: scenario.name, differences });
  }
  return { version, matched: scenarios.length - mismatches.length, total: scenarios.length, mismatches };
}

const servers: Readonly<Record<string, XenstoreVersion>> = { c417: '4.17', c422: '4.22' };

function parsed(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Readonly<Record<string, unknown>>)
      : undefined;
  } catch {
    return undefined;
  }
}

const isScenario = (value: object): value is Scenario => {
  const { name, base, conns, steps } = value as Partial<Scenario>;
  return typeof name === 'string' && typeof base === 'string' && Array.isArray(conns) && Array.isArray(steps);
};
