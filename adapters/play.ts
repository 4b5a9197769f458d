// A scenario, played on a host: its inputs at their times, and the end.
import type { Ns } from '../events/units.ts';
import type { Dispatcher } from '../machines/system/dispatcher.ts';
import type { Host } from '../src/host.ts';
import type { ScenarioInput, ScenarioRun } from '../src/scenario/index.ts';
import { ScenarioFailure } from './load-scenario.ts';

/** Slices and timers between two chances for the caller to look around. */
const PIECE = 512;

/**
 * Plays a scenario from the boot of the host to `until`, and ends it. It yields at quiet moments, so that whoever drives it may show
 * how far it is, or stop it by `return()`: then too the host has been told its end.
 *
 * @throws ScenarioFailure where the scenario types at the console of a domain that is not there
 */
export function* play(dispatcher: Dispatcher, run: ScenarioRun, until: Ns = run.until_ns): Generator<void, void> {
  try {
    dispatcher.input({ type: 'host.boot' }, OPERATOR);
    for (const input of run.inputs) {
      if (input.time > until) break;
      yield* advance(dispatcher, input.time);
      admit(dispatcher, input);
    }
    yield* advance(dispatcher, until);
  } finally {
    if (dispatcher.quiet) dispatcher.input({ type: 'host.end' }, OPERATOR);
  }
}
const OPERATOR = 'operator';

function* advance(dispatcher: Dispatcher, until: Ns): Generator<void, void> {
  for (let count = 1; dispatcher.advance(until); count++) if (count % PIECE === 0) yield;
  dispatcher.run(until);
  yield;
}

function admit(dispatcher: Dispatcher, input: ScenarioInput): void {
  const command = input.command((name) => domainNamed(dispatcher.host, name));
  const { item, place } = input;
  const complain = (message: string): never => {
    throw new ScenarioFailure([{ ...place, message }]);
  };
  if (item.kind === 'console' && !command)
    complain(`there is no domain ${item.domain} at that time: create it earlier, or correct the name`);
  const outcome = dispatcher.input(command!, OPERATOR);
  if (item.kind === 'console' && !outcome.ok)
    complain(
      `nothing can be typed at the console of ${item.domain} (${outcome.errno}): wait until it is connected, or type less`,
    );
}

/** The domain that xenstore knows by this name (a byte string), as xl looks for it: the lowest id where there are several. */
export const domainNamed = (host: Host, name: string): number | undefined =>
  domainNames(host).find((domain) => domain.name === name)?.domid;

/** Every domain that has a place in xenstore, by id, and its name there: a byte string, empty where it has none. */
export function domainNames(host: Host): { readonly domid: number; readonly name: string }[] {
  const ids = (host.store.node('/local/domain')?.names() ?? []).map(Number).filter(Number.isInteger);
  return ids.sort((a, b) => a - b).map((domid) => ({ domid, name: host.store.node(`/local/domain/${domid}/name`)?.value ?? '' }));
}
