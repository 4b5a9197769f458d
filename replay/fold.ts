// The first replay: apply the facts. What was the state at step N?
import type { Log } from '../events/log.ts';
import type { Step } from '../events/vocabulary.ts';
import { evolve, Host } from '../src/host.ts';
import type { HostConfig } from '../src/host-config.ts';
import { startOf } from './start.ts';

/** The host before the first step that the log has. */
export function newHost(log: Log): Host {
  const host = emptyHost(log);
  const start = startOf(log);
  if (start) host.restore(start.host);
  return host;
}

/** A host as it is before anything has happened. */
export const emptyHost = ({ header }: Log): Host => new Host({ config: header.host as HostConfig, seed: header.seed });

/** The state after all of a log: reads nothing but the facts. */
export function fold(log: Log): Host {
  const host = newHost(log);
  log.facts((fact, seq) => {
    evolve(host, fact, seq);
  });
  return host;
}

/** Applies the facts of some steps to a host, or to a new one. */
export function foldSteps(steps: Iterable<Step>, host: Host): Host {
  for (const step of steps) for (const event of step.outcome.events ?? []) evolve(host, event, step.seq);
  return host;
}
