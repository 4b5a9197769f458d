// The third replay: the machines again, over the logged facts and returns. What was each actor doing? Do they still act the same?
import type { Log } from '../events/log.ts';
import { type Command, returnOf, type Step } from '../events/vocabulary.ts';
import { Directory, type DirectoryOptions } from '../machines/system/directory.ts';
import { isBehindRing } from '../machines/system/dispatcher.ts';
import { Journal } from '../src/tables/journal.ts';
import { type Divergence, same } from './divergence.ts';
import { differs } from './verify.ts';

export interface FollowOptions extends DirectoryOptions {
  /** Stop before this step. */
  readonly until?: number;
  readonly onStep?: (step: Step) => void;
}
export interface Followed {
  readonly directory: Directory;
  readonly divergence: Divergence | null;
}

/**
 * Runs the machines alone: no core, no memory, no images. What a machine asks for is compared with what the log says it asked for next,
 * machine by machine, in order.
 */
export function follow(log: Log, { until = log.length, onStep, ...options }: FollowOptions = {}): Followed {
  const asked = new Map<string, Command[]>();
  const directory = new Directory(
    new Journal(),
    (command, id) => {
      const stream = streamOf({ command, origin: id });
      const list = asked.get(stream);
      if (list) list.push(command);
      else asked.set(stream, [command]);
    },
    options,
  );
  for (const step of log.steps()) {
    if (step.seq >= until) break;
    onStep?.(step);
    // An actor that has ended may still have had something to ask; whoever never was one is an executor or an input.
    const stream = streamOf(step);
    if (directory.hasParty(step.origin) || asked.has(stream)) {
      const command = asked.get(stream)?.shift();
      if (!command || !same(command, step.command))
        return { directory, divergence: differs(log, step, `the actor ${step.origin} asks otherwise`, step.command, command) };
    }
    for (const event of step.outcome.events ?? []) directory.deliver(event, step.seq);
    if (!isBehindRing(step)) directory.send(step.origin, returnOf(step));
    if (directory.failed) {
      const { id, error } = directory.failed;
      return {
        directory,
        divergence: differs(log, step, `the actor ${id} fails: ${String(error)}`, 'no failure', String(error)),
      };
    }
  }
  return { directory, divergence: null };
}

/** A guest's XenStore requests go through its ring and overtake nothing there; what else it does, it does at once. */
const streamOf = (asked: Pick<Step, 'command' | 'origin'>): string =>
  isBehindRing(asked) ? `${asked.origin} by ring` : asked.origin;
