// Scenarios: from YAML to a host and what happens to it.
export { type ParsedScenario, parseScenario } from './parse.ts';
export { parseDuration, parseSize } from './quantities.ts';
export { readsOf } from './reads.ts';
export {
  type Files,
  type Got,
  type ImageSource,
  type ScenarioInput,
  type ScenarioRun,
  type ToRun,
  toRun,
  xlCommand,
} from './run.ts';
export {
  formatScenarioError,
  type Place,
  type Scenario,
  type ScenarioError,
  type ScenarioFile,
  type TimelineItem,
} from './scenario.ts';
export { splitWords } from './words.ts';
export type { Workload } from './workloads.ts';
